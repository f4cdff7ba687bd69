/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - a recorded log, whatever its format: what is in it, and where the bytes of each message
 * lie.
 *
 * A log is topics and blocks. A block is a range of the file, perhaps compressed, whose bytes hold
 * messages: a chunk of MCAP or ROS 1, a run of records that stand in no chunk, a run of rows of a
 * database, the datagrams of a run of packets. The index comes first (topics, blocks, times,
 * counts, without any payload); then whoever wants messages has a block loaded into memory of his
 * own, a pool's slot for instance, and walks over it: each message is a range of those bytes.
 * Nothing else is copied.
 *
 *     struct sl_log *log;
 *     sl_mcap_open(&source, 0, &log);
 *     for (uint32_t i = 0; i < log->block_count; i++) {
 *         sl_log_load(log, i, to, &size);               // log->blocks[i].size_bytes at most
 *         size_t at = 0;
 *         while (sl_log_walk(log, i, to, size, &at, &message) == 1)
 *             use(&log->topics[message.topic], &message, to + message.offset);
 *     }
 *     sl_log_close(log);
 *
 * reader.h goes over several logs in the order of time.
 *
 * Life:    open of a format -> load, walk -> close. The fields of struct sl_log are there to be
 * read. Owner:   the log owns topics, blocks and texts; the source is the caller's and outlives it.
 * Threads: one at a time for a log, except that walk only reads the log.
 * Errors:  -EBADMSG what is no such file, with the place; -ENOTSUP what is known and not done;
 *          -ENOMEM; what the source says. A file that is damaged, has no end, or cannot be read in
 *          places is no error: it is scanned, and log->damage tells what was found. Lengths are
 *          checked against the bytes that are left before anything is allocated.
 */
#ifndef SL_ROSBAG_COMPAT_LOG_H
#define SL_ROSBAG_COMPAT_LOG_H

#include "core/frame/cdr.h"
#include "rosbag_compat/compress.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define SL_LOG_TOPICS_MAX 65536
#define SL_LOG_BLOCKS_MAX (1u << 26)
#define SL_LOG_PAIRS_MAX  256        /* of one topic */
#define SL_LOG_RUN_BYTES  (1u << 20) /* messages outside chunks are taken together up to this */
#define SL_LOG_NO_TOPIC   UINT32_MAX

/* Where bytes come from. read_at gives all of them or fails (-errno with a sentence). */
struct sl_log_source {
    int (*read_at)(void *state, uint64_t offset, void *to, size_t size_bytes);
    void *state;
    uint64_t size_bytes;
    uint64_t decompressed_bytes; /* to which anything may be decompressed, be it ever so small */
};

/* Where bytes go. write takes all pieces, in order, or fails; it must not keep them. write_at
 * changes what was written before (ROS 1's file header); NULL where that cannot be. */
struct sl_log_sink {
    int (*write)(void *state, const struct iovec *pieces, unsigned count);
    int (*write_at)(void *state, uint64_t offset, const void *bytes, size_t size_bytes);
    void *state;
};

enum sl_log_format {
    SL_LOG_MCAP,
    SL_LOG_ROS1,
    SL_LOG_ROSBAG2_SQLITE,
    SL_LOG_PCAP,
    SL_LOG_PCAPNG,
};
/* "mcap", "rosbag1", "rosbag2-sqlite", "pcap", "pcapng", NULL */
extern const char *const sl_log_format_names[];

struct sl_log_pair {
    const char *key, *value;
};

/* Texts are never NULL. */
struct sl_log_topic {
    uint32_t id; /* channel, connection, or row of the file */
    const char *name;
    const char *type;                /* as written: "sensor_msgs/msg/Imu", "sensor_msgs/Imu" */
    const char *encoding;            /* of messages: "cdr", "ros1", "json" ... */
    const char *definition_encoding; /* "ros1msg", "ros2msg", "ros2idl", "protobuf" ... or "" */
    const void *definition;
    size_t definition_bytes;
    bool has_schema; /* false: MCAP's schema 0, which has no type */
    /* What else the file says: "offered_qos_profiles", "type_description_hash", "callerid",
     * "md5sum", "latching", or the pairs of an MCAP channel. */
    const struct sl_log_pair *pairs;
    unsigned pair_count;
    uint64_t message_count; /* UINT64_MAX: the index does not say */
};

struct sl_log_block {
    uint64_t offset;       /* of its stored bytes in the file; of rows: the first one's time */
    uint64_t stored_bytes; /* there; of rows: the first one's id */
    uint64_t size_bytes;   /* decompressed */
    uint64_t first_ns, last_ns;
    uint64_t message_count; /* UINT64_MAX: the index does not say */
    uint32_t crc;           /* of the decompressed bytes; 0: none */
    uint8_t compression;    /* enum sl_compression */
    bool is_chunk;
    bool is_damaged; /* cut off, or its bytes are not what they were: its good part is walked */
};

struct sl_log_message {
    uint32_t topic; /* index into topics */
    uint32_t sequence;
    uint64_t receive_ns; /* when it was recorded: the order of replay */
    uint64_t publish_ns; /* when it was sent; receive_ns where the format does not say */
    uint64_t offset;     /* of the body in its block's bytes */
    uint64_t size_bytes;
};

struct sl_log_attachment {
    const char *name, *media_type;
    uint64_t log_ns, create_ns;
    uint64_t offset; /* of the data in the file */
    uint64_t size_bytes;
};

/* Named pairs that belong to the whole log. */
struct sl_log_metadata {
    const char *name;
    const struct sl_log_pair *pairs;
    unsigned pair_count;
};

struct sl_log_damage {
    uint64_t count;      /* places */
    uint64_t lost_bytes; /* that were passed over */
    uint64_t first_offset;
    char first[160]; /* what is wrong there */
};

struct sl_log;
struct sl_log_operations {
    int (*load)(struct sl_log *log, const struct sl_log_block *block, void *to,
                size_t *ret_size_bytes);
    int (*walk)(const struct sl_log *log, const struct sl_log_block *block, const void *bytes,
                size_t size_bytes, size_t *at, struct sl_log_message *ret_message);
    void (*close)(struct sl_log *log);
};

struct sl_log {
    enum sl_log_format format;
    const struct sl_log_operations *operations;
    struct sl_log_source source;
    void *state; /* of the format */

    /* Each body is a stream of its own by this: rosbag2's MESSAGE mode, which only metadata.yaml
     * tells of, so who opens the log sets it. Walking gives bodies as they are stored. */
    enum sl_compression body_compression;

    uint64_t scanned_bytes; /* that chunks became while no index told what is in them */
    bool has_counts;        /* the file said how many messages each topic has */
    bool was_indexed;       /* the file had a usable index; otherwise it was scanned */
    struct sl_log_damage damage;
    const char *profile, *library; /* who wrote it, as far as the file says */

    struct sl_log_topic *topics;
    uint32_t topic_count, topic_room;
    uint32_t *topic_of_id; /* SL_LOG_NO_TOPIC where there is none */
    uint32_t id_room;
    struct sl_log_block *blocks;
    uint32_t block_count, block_room;
    struct sl_log_attachment *attachments;
    uint32_t attachment_count, attachment_room;
    struct sl_log_metadata *metadata;
    uint32_t metadata_count, metadata_room;
    void *texts;  /* everything that pointers above lead to */
    void *stored; /* bytes of the compressed block that was loaded last */
    size_t stored_room;
};

/* Always scan, even where an index seems to be fine: for checking and saving. */
#define SL_LOG_SCAN 0x1u

int sl_mcap_open(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log);
int sl_ros1_open(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log);
/* A capture, pcap or pcapng: its UDP datagrams (udp_packet.h). There is no index: `flags` change
 * nothing. */
int sl_pcap_open(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log);
/* A database of rosbag2, schema 1 to 4. The handle stays the caller's and outlives the log. */
struct sl_sqlite;
int sl_rosbag2_sqlite_open(struct sl_sqlite *db, unsigned flags, struct sl_log **ret_log);

/* Decompressed bytes of block `index` into memory for blocks[index].size_bytes. Of a damaged one
 * the bytes that are good. -EBADMSG: what the index promised is not there; `ret_size_bytes` good
 * ones are. */
int sl_log_load(struct sl_log *log, uint32_t index, void *to, size_t *ret_size_bytes);

/* Is loading this block nothing but reading its `stored_bytes` at `offset` of the source? Who has
 * read them by other means, before or beside other blocks', has them checked as loading would:
 * -EBADMSG as from sl_log_load. */
bool sl_log_is_plain(const struct sl_log *log, uint32_t index);
int sl_log_check_plain(const struct sl_log *log, uint32_t index, const void *bytes);

/* The next message of a loaded block from `at` on, which begins with 0. 1, 0 at the end, or
 * -EBADMSG with `at` where it is. */
int sl_log_walk(const struct sl_log *log, uint32_t index, const void *bytes, size_t size_bytes,
                size_t *at, struct sl_log_message *ret_message);

/* The order of messages, of several logs too, is (time of receiving, log, block, place in the
 * block). Both are for qsort. */
struct sl_log_place {
    uint64_t time_ns;
    uint32_t log, block;
};
int sl_log_compare_places(const void *a, const void *b);
int sl_log_compare_messages(const void *a, const void *b); /* of one block */

void sl_log_close(struct sl_log *log); /* NULL is fine */

/* The value of a pair, or NULL. */
const char *sl_log_topic_get(const struct sl_log_topic *topic, const char *key);
/* How many of its last messages its publishers kept for late subscribers: one that ROS 1 latched,
 * the depth of ROS 2's transient local ones; 0 = none. At most SL_LOG_LATCHED_MAX.
 * Source: docs of rosbag's connection header ("latching"), rosbag2's offered_qos_profiles, whose
 * durability is 1 or "transient_local". */
#define SL_LOG_LATCHED_MAX 16u
uint32_t sl_log_topic_latched(const struct sl_log_topic *topic);

/* ---- For the formats --------------------------------------------------------------------------*/

int sl_log_create(enum sl_log_format format, const struct sl_log_operations *operations,
                  const struct sl_log_source *source, void *state, struct sl_log **ret_log);
void *sl_log_keep(struct sl_log *log, const void *bytes, size_t size_bytes); /* a NUL behind */
/* Copies all that `topic` points to. The id must be new. */
int sl_log_add_topic(struct sl_log *log, const struct sl_log_topic *topic);
/* The index of the topic of that id, or SL_LOG_NO_TOPIC. */
static inline uint32_t sl_log_topic_index(const struct sl_log *log, uint32_t id)
{
    return id < log->id_room ? log->topic_of_id[id] : SL_LOG_NO_TOPIC;
}
int sl_log_add_block(struct sl_log *log, const struct sl_log_block *block);
int sl_log_add_attachment(struct sl_log *log, const struct sl_log_attachment *attachment);
int sl_log_add_metadata(struct sl_log *log, const struct sl_log_metadata *metadata);
void sl_log_note_damage(struct sl_log *log, uint64_t offset, uint64_t lost_bytes,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Read, within the source's size. What a disk cannot read (-EIO) is damage: -EBADMSG. */
int sl_log_read(struct sl_log *log, uint64_t offset, void *to, uint64_t size_bytes);
/* The same, and of what cannot be read as a whole the pages before the first that cannot. */
int sl_log_read_part(struct sl_log *log, uint64_t offset, void *to, uint64_t size_bytes,
                     uint64_t *ret_size_bytes);
#define SL_LOG_PAGE_BYTES 4096
/* Where reading may go on behind a page that cannot be read. */
static inline uint64_t sl_log_next_page(uint64_t offset)
{
    return offset - offset % SL_LOG_PAGE_BYTES + SL_LOG_PAGE_BYTES;
}
/* Nothing between these places is a record that can be read. */
void sl_log_note_gap(struct sl_log *log, uint64_t from, uint64_t to);
/* What `stored_bytes` may become: sl_decompressed_max, or what the source allows. */
uint64_t sl_log_decompressed_max(const struct sl_log *log, enum sl_compression kind,
                                 uint64_t stored_bytes);
/* The body of a message that was compressed alone, as sl_decompress_alone. -EBADMSG also for one
 * that becomes more than it may, with what to do. */
int sl_log_decompress_body(const struct sl_log *log, const struct sl_log_message *message,
                           const void *stored, void **to, size_t *room_bytes,
                           size_t *ret_size_bytes);
/* May the chunk become what it says? -EBADMSG, with what to do. */
int sl_log_check_chunk(const struct sl_log *log, const struct sl_log_block *block);
/* Stored bytes into memory, checked, decompressed: what load does for blocks of files. */
int sl_log_load_stored(struct sl_log *log, const struct sl_log_block *block, void *to,
                       size_t *ret_size_bytes);

/* A message was met that no index counted: its block's times and counts. */
void sl_log_count(struct sl_log *log, struct sl_log_block *block, uint32_t topic, uint64_t time_ns);
/* Messages outside chunks: one more record of theirs, at `offset`; what was open before becomes a
 * block when there is enough, or when sl_log_run_end says so. */
int sl_log_run_add(struct sl_log *log, struct sl_log_block *run, uint64_t offset,
                   uint64_t size_bytes, uint32_t topic, uint64_t time_ns);
int sl_log_run_end(struct sl_log *log, struct sl_log_block *run);
/* Load a chunk that no index knows, have its records looked at, and add it. Damage is noted. */
int sl_log_scan_chunk(struct sl_log *log, struct sl_log_block *block,
                      int (*scan)(struct sl_log *log, struct sl_log_block *block, const void *bytes,
                                  size_t size_bytes));
/* Where blocks came from an index without counts, topics have none either. */
void sl_log_forget_counts(struct sl_log *log);

#endif
