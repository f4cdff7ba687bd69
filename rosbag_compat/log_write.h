/* SPDX-License-Identifier: Apache-2.0 */
/* log_write.h - writing a log of any format.
 *
 * A body that is large and shall not be compressed goes to the sink from where it lies, between a
 * small piece before and one behind it: nothing of it is copied. Small ones, and those that are
 * compressed, gather in a chunk. Threads compress chunks beside the writer (packer.h); the file is
 * the same with any number of them.
 *
 *     sl_mcap_writer_create(&sink, &options, &writer);
 *     sl_log_write_topic(writer, &topic, &index);
 *     sl_log_write_message(writer, &(struct sl_log_message){.topic = index, ...}, body, pieces);
 *     sl_log_write_end(writer);                    // indexes; without it readers must scan
 *     sl_log_writer_destroy(writer);
 *
 * Life:    create -> write ... -> end -> destroy. destroy without end leaves what was written.
 * Owner:   everything given stays the caller's and may go when a call returns.
 * Threads: one at a time for a writer.
 * Errors:  what the sink says, -ENOMEM, -EINVAL for what the format cannot hold. After a failure of
 *          the sink every call fails: nobody knows what was written.
 */
#ifndef SL_ROSBAG_COMPAT_LOG_WRITE_H
#define SL_ROSBAG_COMPAT_LOG_WRITE_H

#include "rosbag_compat/buffer.h"
#include "rosbag_compat/log.h"

#define SL_LOG_CHUNK_BYTES  (768u << 10)
#define SL_LOG_DIRECT_BYTES (64u << 10)
#define SL_LOG_BODY_PIECES  16

/* What to leave out of an MCAP file, which has everything by default. */
#define SL_LOG_OMIT_MESSAGE_INDEX     0x001u
#define SL_LOG_OMIT_CHUNK_INDEX       0x002u
#define SL_LOG_OMIT_STATISTICS        0x004u
#define SL_LOG_OMIT_REPEATED_SCHEMAS  0x008u
#define SL_LOG_OMIT_REPEATED_CHANNELS 0x010u
#define SL_LOG_OMIT_ATTACHMENT_INDEX  0x020u
#define SL_LOG_OMIT_METADATA_INDEX    0x040u
#define SL_LOG_OMIT_SUMMARY_OFFSETS   0x080u
#define SL_LOG_OMIT_CHUNK_CRC         0x100u
#define SL_LOG_OMIT_DATA_CRC          0x200u /* of the whole file: every byte is read for it */
#define SL_LOG_OMIT_SUMMARY_CRC       0x400u

struct sl_log_write_options {
    enum sl_compression compression;
    int level;             /* of the compression; 0: usual */
    bool is_unchunked;     /* MCAP only */
    uint64_t chunk_bytes;  /* a chunk ends when it has as many; 0: SL_LOG_CHUNK_BYTES */
    unsigned threads;      /* that compress chunks; 0: the writer's own */
    uint64_t direct_bytes; /* a body from this size on is not copied; 0: SL_LOG_DIRECT_BYTES */
    unsigned omit;
    const char *profile, *library; /* MCAP's header; NULL: empty */
};

struct sl_log_writer;
struct sl_log_writer_operations {
    int (*topic)(struct sl_log_writer *writer, const struct sl_log_topic *topic, uint32_t index);
    int (*message)(struct sl_log_writer *writer, const struct sl_log_message *message,
                   const struct iovec *body, unsigned pieces, uint64_t size_bytes);
    int (*attachment)(struct sl_log_writer *writer, const struct sl_log_attachment *attachment,
                      const struct sl_log_source *from); /* NULL: the format has none */
    int (*metadata)(struct sl_log_writer *writer, const struct sl_log_metadata *metadata);
    int (*flush)(struct sl_log_writer *writer);
    int (*settle)(struct sl_log_writer *writer); /* NULL: nothing is ever on the way */
    /* NULL: it is only known when it was written. */
    uint64_t (*bound)(const struct sl_log_writer *writer, uint64_t count, uint64_t size_bytes);
    int (*end)(struct sl_log_writer *writer);
    void (*destroy)(struct sl_log_writer *writer);
};

struct sl_log_writer {
    enum sl_log_format format;
    const struct sl_log_writer_operations *operations;
    struct sl_log_sink sink;
    struct sl_log_write_options options;
    void *state; /* of the format */
    uint64_t written_bytes;
    uint64_t
        pending_bytes; /* what chunks that are being compressed may become, with their indexes */
    uint32_t topic_count;
    int failure;
};

int sl_mcap_writer_create(const struct sl_log_sink *sink,
                          const struct sl_log_write_options *options,
                          struct sl_log_writer **ret_writer);

/* The sink must have write_at: the file's header is completed at the end. */
int sl_ros1_writer_create(const struct sl_log_sink *sink,
                          const struct sl_log_write_options *options,
                          struct sl_log_writer **ret_writer);

/* A capture of `format`, SL_LOG_PCAP or SL_LOG_PCAPNG. Topics that are not of
 * udp_msgs/msg/UdpPacket are refused with -EINVAL, bodies that are no such message with -EBADMSG.
 */
int sl_pcap_writer_create(const struct sl_log_sink *sink, enum sl_log_format format,
                          const struct sl_log_write_options *options,
                          struct sl_log_writer **ret_writer);

/* A new and empty database, which stays the caller's. `schema` 1 to 4; 0 is the newest. */
int sl_rosbag2_sqlite_writer_create(struct sl_sqlite *db, int schema,
                                    const struct sl_log_write_options *options,
                                    struct sl_log_writer **ret_writer);

/* Which of sl_log_topic's texts a format keeps is said in its file. `ret_index` is what messages
 * name. */
int sl_log_write_topic(struct sl_log_writer *writer, const struct sl_log_topic *topic,
                       uint32_t *ret_index);
/* `message->offset` and size_bytes are not looked at: the body is the pieces. */
int sl_log_write_message(struct sl_log_writer *writer, const struct sl_log_message *message,
                         const struct iovec *body, unsigned pieces);
/* The data are those of `from` at attachment->offset. Returns 0 without doing anything if the
 * format has no attachments or metadata. */
int sl_log_write_attachment(struct sl_log_writer *writer,
                            const struct sl_log_attachment *attachment,
                            const struct sl_log_source *from);
int sl_log_write_metadata(struct sl_log_writer *writer, const struct sl_log_metadata *metadata);
/* Hand over everything that was gathered: a crash behind this loses nothing of it. */
int sl_log_write_flush(struct sl_log_writer *writer);
/* Hand over the chunks that are being compressed, but not the one that is gathered. */
int sl_log_write_settle(struct sl_log_writer *writer);
/* The size of the whole log, were it ended behind `count` more messages that have `size_bytes`
 * together, with the records of their topics: never less than it will be. Of MCAP and ROS 1 bags.
 */
uint64_t sl_log_write_bound(const struct sl_log_writer *writer, uint64_t count,
                            uint64_t size_bytes);
int sl_log_write_end(struct sl_log_writer *writer);
void sl_log_writer_destroy(struct sl_log_writer *writer); /* NULL is fine */

/* ---- For the formats --------------------------------------------------------------------------*/

int sl_log_writer_create(enum sl_log_format format,
                         const struct sl_log_writer_operations *operations,
                         const struct sl_log_sink *sink, const struct sl_log_write_options *options,
                         void *state, struct sl_log_writer **ret_writer);
int sl_log_emit(struct sl_log_writer *writer, const struct iovec *pieces, unsigned count);

/* A chunk's records: what was gathered, and perhaps a message that stays where it is. */
struct sl_log_content {
    struct iovec pieces[SL_LOG_BODY_PIECES + 2];
    unsigned count;
    uint64_t size_bytes;
};
void sl_log_content_add(struct sl_log_content *content, const void *bytes, size_t size_bytes);

#endif
