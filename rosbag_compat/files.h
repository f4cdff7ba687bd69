/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - logs by their paths: what opens files, folders and databases for the codecs, which know
 * nothing of them.
 *
 * Life:    open -> use -> close. Output: create -> write -> end -> close.
 * Owner:   a set owns its logs.
 * Threads: one at a time.
 * Errors:  -errno with a sentence that begins with the path.
 */
#ifndef SL_ROSBAG_COMPAT_FILES_H
#define SL_ROSBAG_COMPAT_FILES_H

#include "rosbag_compat/log_write.h"

/* Reading ---------------------------------------------------------------------------------------*/

/* Which large reads go past the page cache. */
enum sl_log_caching {
    SL_LOG_CACHED,   /* none */
    SL_LOG_UNCACHED, /* of what is not in it */
    SL_LOG_DIRECT,   /* all */
};

struct sl_log_file {
    char *path;
    uint64_t size_bytes; /* on disk */
    int fd;              /* or -1 */
    int direct_fd;       /* the same past the page cache; -1: not */
    void
        *map; /* of the whole file, never touched: the kernel tells by it what is cached; or NULL */
    size_t map_bytes;
    uint64_t decompressed_bytes; /* of its source */
    struct sl_sqlite *db;
    struct sl_log *log;
};

struct sl_log_set {
    struct sl_log_file *files;
    struct sl_log **logs; /* of the files, in their order */
    unsigned count;
    char **notes; /* sentences: what is wrong with folders, and which files are left out of them */
    unsigned note_count;
    uint64_t decompressed_bytes; /* the caller's: of each log's source (log.h) */
};

/* Add what is at `path`: a file of any format, or a folder of rosbag2, by its metadata.yaml, and
 * what a killed recorder left behind the files that it names; or, if it has none that can be read,
 * everything in it that is a log. A folder's file that cannot be opened is left out and noted; it
 * fails where none can be. The format is told by the first bytes. `flags` as for opening a log. A
 * set begins as zeros. */
int sl_log_set_add(struct sl_log_set *set, const char *path, unsigned flags);
void sl_log_set_close(struct sl_log_set *set);

/* What a folder's metadata.yaml says; sl_rosbag2_metadata_finish frees it. -ENOENT there is none,
 * -EBADMSG it names no file, and the errors of its parser. */
struct sl_rosbag2_metadata;
int sl_log_folder_metadata(const char *folder, struct sl_rosbag2_metadata *ret_metadata);

/* From now on large reads go past the page cache as said, where the file system lets them: into
 * memory whose address is congruent to the offset in the file, modulo SL_LOG_READ_ALIGNMENT (a
 * chunk at offset 5000 to a page's byte 904). Whatever is not goes through it as before. Returns
 * how many of the files can be read so. */
#define SL_LOG_READ_ALIGNMENT 4096
unsigned sl_log_set_read_directly(struct sl_log_set *set, enum sl_log_caching caching);

/* How a range of the file is read, for who does it himself. */
struct sl_log_read {
    int fd; /* the file's, as long as it is open */
    bool is_direct;
    uint64_t offset;
    uint8_t *to;
    uint64_t size_bytes;
};
/* Of `size_bytes` at `offset` into memory at `to`, congruent as above. A direct read is one of
 * whole pages: it begins up to a page before the range and ends up to a page behind it, in the file
 * and in memory, or where the file does. */
struct sl_log_read sl_log_file_read(const struct sl_log_file *file, uint64_t offset, void *to,
                                    uint64_t size_bytes);

/* Writing ---------------------------------------------------------------------------------------*/

enum sl_log_output_kind {
    SL_LOG_OUTPUT_MCAP,
    SL_LOG_OUTPUT_ROSBAG2, /* a folder, with MCAP in it */
    SL_LOG_OUTPUT_ROSBAG2_SQLITE,
    SL_LOG_OUTPUT_ROSBAG1,
    SL_LOG_OUTPUT_PCAP, /* these two: topics of udp_msgs/msg/UdpPacket only */
    SL_LOG_OUTPUT_PCAPNG,
};
/* "mcap", "rosbag2", "rosbag2-sqlite", "rosbag1", "pcap", "pcapng", NULL */
extern const char *const sl_log_output_names[];

enum sl_log_packing {
    SL_LOG_PACK_CHUNKS, /* options.compression is that of the chunks */
    SL_LOG_PACK_MESSAGES,
    SL_LOG_PACK_FILES, /* these two: folders of rosbag2, by zstd */
};
extern const char *const sl_log_packing_names[]; /* "chunk", "message", "file" */

struct sl_log_output_options {
    enum sl_log_output_kind kind;
    enum sl_log_packing packing;
    struct sl_log_write_options write;
    int metadata_version; /* of rosbag2; 0: 8, which has all that is told here */
    int schema;           /* of its databases; 0: 4 */
};

/* What a path's ending says: .mcap, .bag, .pcap, .pcapng; without an ending a folder of rosbag2.
 * -EINVAL. */
int sl_log_output_kind_of(const char *path);

struct sl_log_output;
/* Nothing may be at `path`. */
int sl_log_output_create(const char *path, const struct sl_log_output_options *options,
                         struct sl_log_output **ret_output);
int sl_log_output_topic(struct sl_log_output *output, const struct sl_log_topic *topic,
                        uint32_t *ret_index);
int sl_log_output_message(struct sl_log_output *output, const struct sl_log_message *message,
                          const void *body, size_t size_bytes);
/* For attachments, metadata and flushes; messages and topics go by the two above. */
struct sl_log_writer *sl_log_output_writer(struct sl_log_output *output);
/* Completes the log. Without it, close leaves what was written, unfinished. */
int sl_log_output_end(struct sl_log_output *output);
void sl_log_output_close(struct sl_log_output *output); /* NULL is fine */
/* Close, and remove what was written. */
void sl_log_output_discard(struct sl_log_output *output); /* NULL is fine */

#endif
