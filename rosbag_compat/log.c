/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/log.h"

#include "core/base/error.h"
#include "rosbag_compat/crc32.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const sl_log_format_names[] = {"mcap", "rosbag1", "rosbag2-sqlite",
                                           "pcap", "pcapng",  NULL};

/* Memory ----------------------------------------------------------------------------------------*/

/* One text after the other in pieces that are freed together. */
struct piece {
    struct piece *next;
    size_t used, room;
    uint8_t bytes[];
};
#define PIECE_BYTES 4096

void *sl_log_keep(struct sl_log *log, const void *bytes, size_t size_bytes)
{
    struct piece *piece = log->texts;
    size_t needed = (size_bytes + 1 + 7) & ~(size_t)7;
    if (!piece || piece->room - piece->used < needed) {
        size_t room = needed > PIECE_BYTES ? needed : PIECE_BYTES;
        struct piece *fresh = malloc(sizeof *fresh + room);
        if (!fresh) {
            sl_error(-ENOMEM, "no memory for the log's index");
            return NULL;
        }
        *fresh = (struct piece){.next = piece, .room = room};
        log->texts = piece = fresh;
    }
    uint8_t *to = piece->bytes + piece->used;
    piece->used += needed;
    if (size_bytes > 0)
        memcpy(to, bytes, size_bytes);
    to[size_bytes] = 0;
    return to;
}

/* Room for one more; `limit` of all. */
static int grow(void *list, uint32_t count, uint32_t *room, size_t each, uint32_t limit)
{
    void **items = list;
    if (count < *room)
        return 0;
    if (count >= limit)
        return sl_error(-EBADMSG, "has more than %u of one kind", limit);
    uint32_t next = *room ? *room * 2 : 8;
    void *fresh = realloc(*items, (size_t)next * each);
    if (!fresh)
        return sl_error(-ENOMEM, "no memory for the log's index");
    *items = fresh;
    *room = next;
    return 0;
}

int sl_log_create(enum sl_log_format format, const struct sl_log_operations *operations,
                  const struct sl_log_source *source, void *state, struct sl_log **ret_log)
{
    struct sl_log *log = calloc(1, sizeof *log);
    if (!log)
        return sl_error(-ENOMEM, "no memory for the log's index");
    log->format = format;
    log->operations = operations;
    if (source)
        log->source = *source;
    log->state = state;
    log->profile = log->library = "";
    *ret_log = log;
    return 0;
}

void sl_log_close(struct sl_log *log)
{
    if (!log)
        return;
    if (log->operations->close)
        log->operations->close(log);
    for (struct piece *piece = log->texts; piece;) {
        struct piece *next = piece->next;
        free(piece);
        piece = next;
    }
    free(log->topics);
    free(log->topic_of_id);
    free(log->blocks);
    free(log->attachments);
    free(log->metadata);
    free(log->stored);
    free(log);
}

/* Index -----------------------------------------------------------------------------------------*/

static int keep_text(struct sl_log *log, const char **text)
{
    *text = sl_log_keep(log, *text ? *text : "", *text ? strlen(*text) : 0);
    return *text ? 0 : -ENOMEM;
}

static int keep_pairs(struct sl_log *log, const struct sl_log_pair **pairs, unsigned count)
{
    struct sl_log_pair *kept = sl_log_keep(log, *pairs, count * sizeof **pairs);
    int err = kept ? 0 : -ENOMEM;
    for (unsigned i = 0; i < count && !err; i++) {
        err = keep_text(log, &kept[i].key);
        if (!err)
            err = keep_text(log, &kept[i].value);
    }
    *pairs = kept;
    return err;
}

static int note_id(struct sl_log *log, uint32_t id, uint32_t index)
{
    if (id >= log->id_room) {
        uint32_t room = log->id_room ? log->id_room : 64;
        while (room <= id)
            room *= 2;
        uint32_t *fresh = realloc(log->topic_of_id, room * sizeof *fresh);
        if (!fresh)
            return sl_error(-ENOMEM, "no memory for the log's index");
        memset(fresh + log->id_room, 0xff, (room - log->id_room) * sizeof *fresh);
        log->topic_of_id = fresh;
        log->id_room = room;
    }
    log->topic_of_id[id] = index;
    return 0;
}

int sl_log_add_topic(struct sl_log *log, const struct sl_log_topic *topic)
{
    if (topic->id >= SL_LOG_TOPICS_MAX)
        return sl_error(-EBADMSG, "topic id %u is beyond %u", topic->id, SL_LOG_TOPICS_MAX - 1);
    int err =
        grow(&log->topics, log->topic_count, &log->topic_room, sizeof *topic, SL_LOG_TOPICS_MAX);
    if (err)
        return err;
    struct sl_log_topic kept = *topic;
    const char **texts[] = {&kept.name, &kept.type, &kept.encoding, &kept.definition_encoding};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts && !err; i++)
        err = keep_text(log, texts[i]);
    if (!err)
        err = keep_pairs(log, &kept.pairs, kept.pair_count);
    if (err)
        return err;
    kept.definition = sl_log_keep(log, topic->definition, topic->definition_bytes);
    if (!kept.definition)
        return -ENOMEM;
    err = note_id(log, topic->id, log->topic_count);
    if (err)
        return err;
    log->topics[log->topic_count++] = kept;
    return 0;
}

int sl_log_add_block(struct sl_log *log, const struct sl_log_block *block)
{
    int err =
        grow(&log->blocks, log->block_count, &log->block_room, sizeof *block, SL_LOG_BLOCKS_MAX);
    if (!err)
        log->blocks[log->block_count++] = *block;
    return err;
}

int sl_log_add_attachment(struct sl_log *log, const struct sl_log_attachment *attachment)
{
    struct sl_log_attachment kept = *attachment;
    int err = grow(&log->attachments, log->attachment_count, &log->attachment_room, sizeof kept,
                   SL_LOG_BLOCKS_MAX);
    if (!err)
        err = keep_text(log, &kept.name);
    if (!err)
        err = keep_text(log, &kept.media_type);
    if (!err)
        log->attachments[log->attachment_count++] = kept;
    return err;
}

int sl_log_add_metadata(struct sl_log *log, const struct sl_log_metadata *metadata)
{
    struct sl_log_metadata kept = *metadata;
    int err = grow(&log->metadata, log->metadata_count, &log->metadata_room, sizeof kept,
                   SL_LOG_BLOCKS_MAX);
    if (!err)
        err = keep_text(log, &kept.name);
    if (!err)
        err = keep_pairs(log, &kept.pairs, kept.pair_count);
    if (!err)
        log->metadata[log->metadata_count++] = kept;
    return err;
}

void sl_log_note_damage(struct sl_log *log, uint64_t offset, uint64_t lost_bytes,
                        const char *format, ...)
{
    struct sl_log_damage *damage = &log->damage;
    damage->lost_bytes += lost_bytes;
    if (damage->count++ > 0)
        return;
    damage->first_offset = offset;
    va_list args;
    va_start(args, format);
    vsnprintf(damage->first, sizeof damage->first, format, args);
    va_end(args);
}

const char *sl_log_topic_get(const struct sl_log_topic *topic, const char *key)
{
    for (unsigned i = 0; i < topic->pair_count; i++)
        if (strcmp(topic->pairs[i].key, key) == 0)
            return topic->pairs[i].value;
    return NULL;
}

/* What stands behind `key` at the next place from `*at` on, which is moved behind it; NULL if it
 * stands nowhere. The profiles are YAML, in lines or in one. */
static const char *next_value(const char **at, const char *key)
{
    for (const char *found = *at; (found = strstr(found, key)); found++) {
        const char *value = found + strlen(key);
        bool is_whole = found == *at || (!isalnum((unsigned char)found[-1]) && found[-1] != '_');
        value += strspn(value, "\"' ");
        if (!is_whole || *value != ':')
            continue;
        *at = value + 1 + strspn(value + 1, "\"' ");
        return *at;
    }
    return NULL;
}

static uint32_t depth_before(const char *profile, const char *end)
{
    const char *depth = next_value(&profile, "depth");
    unsigned long given = depth && depth < end ? strtoul(depth, NULL, 10) : 1;
    return given == 0 ? 1 : given > SL_LOG_LATCHED_MAX ? SL_LOG_LATCHED_MAX : (uint32_t)given;
}

uint32_t sl_log_topic_latched(const struct sl_log_topic *topic)
{
    const char *latching = sl_log_topic_get(topic, "latching");
    const char *profiles = sl_log_topic_get(topic, "offered_qos_profiles");
    uint32_t count = latching && strcmp(latching, "1") == 0;
    for (const char *at = profiles, *profile = at; at; profile = at) {
        const char *durability = next_value(&at, "durability");
        if (!durability)
            break;
        bool is_one = durability[0] == '1' && !isdigit((unsigned char)durability[1]);
        if (is_one || strncmp(durability, "transient_local", strlen("transient_local")) == 0)
            count += depth_before(profile, durability);
    }
    return count < SL_LOG_LATCHED_MAX ? count : SL_LOG_LATCHED_MAX;
}

/* Bytes -----------------------------------------------------------------------------------------*/

int sl_log_read(struct sl_log *log, uint64_t offset, void *to, uint64_t size_bytes)
{
    const struct sl_log_source *source = &log->source;
    if (offset > source->size_bytes || size_bytes > source->size_bytes - offset)
        return sl_error(-EBADMSG,
                        "is cut off: %" PRIu64 " bytes are said at byte %" PRIu64 " of %" PRIu64,
                        size_bytes, offset, source->size_bytes);
    int err = size_bytes > 0 ? source->read_at(source->state, offset, to, (size_t)size_bytes) : 0;
    return err == -EIO ? sl_error(-EBADMSG, "%s", sl_error_text()) : err;
}

int sl_log_read_part(struct sl_log *log, uint64_t offset, void *to, uint64_t size_bytes,
                     uint64_t *ret_size_bytes)
{
    int err = sl_log_read(log, offset, to, size_bytes);
    *ret_size_bytes = err ? 0 : size_bytes;
    if (err != -EBADMSG)
        return err;
    for (uint64_t at = offset, end = offset + size_bytes; at < end; at = sl_log_next_page(at)) {
        uint64_t next = sl_log_next_page(at) < end ? sl_log_next_page(at) : end;
        err = sl_log_read(log, at, (uint8_t *)to + (at - offset), next - at);
        if (err)
            return err;
        *ret_size_bytes = next - offset;
    }
    return 0;
}

void sl_log_note_gap(struct sl_log *log, uint64_t from, uint64_t to)
{
    uint8_t head[2 * SL_LOG_PAGE_BYTES]; /* of a record that should be here */
    bool is_readable =
        sl_log_read(log, from, head, to - from < sizeof head ? to - from : sizeof head) == 0;
    sl_log_note_damage(log, from, to - from, "%" PRIu64 " bytes %s", to - from,
                       is_readable ? "are no records" : "cannot be read, or are no records");
}

/* Room for the bytes of a compressed block, kept for the next one: fresh memory costs a fault a
 * page, which is as much as reading. */
static int make_stored_room(struct sl_log *log, uint64_t size_bytes)
{
    if (size_bytes <= log->stored_room)
        return 0;
    free(log->stored);
    log->stored = malloc((size_t)size_bytes);
    log->stored_room = log->stored ? (size_t)size_bytes : 0;
    return log->stored
               ? 0
               : sl_error(-ENOMEM, "no memory for a chunk of %" PRIu64 " bytes", size_bytes);
}

static int load_compressed(struct sl_log *log, const struct sl_log_block *block, void *to,
                           size_t *ret_size_bytes)
{
    int err = make_stored_room(log, block->stored_bytes ? block->stored_bytes : 1);
    if (err)
        return err;
    uint64_t stored = 0;
    int unread = sl_log_read_part(log, block->offset, log->stored, block->stored_bytes, &stored);
    if (unread && unread != -EBADMSG)
        return unread;
    char why[256]; /* which says more than that the compression ends early */
    snprintf(why, sizeof why, "%s", sl_error_text());
    err = sl_decompress(block->compression, log->stored, (size_t)stored, to,
                        (size_t)block->size_bytes, ret_size_bytes);
    if (unread)
        return sl_error(unread, "%s", why);
    return err == -EFBIG ? sl_error(-EBADMSG, "%s", sl_error_text()) : err;
}

/* Of all its bytes. */
static int check_sum(const struct sl_log_block *block, const void *bytes)
{
    if (block->crc && sl_crc32(0, bytes, block->size_bytes) != block->crc)
        return sl_error(-EBADMSG, "the chunk at byte %" PRIu64 " has another checksum",
                        block->offset);
    return 0;
}

uint64_t sl_log_decompressed_max(const struct sl_log *log, enum sl_compression kind,
                                 uint64_t stored_bytes)
{
    uint64_t max = sl_decompressed_max(kind, stored_bytes);
    uint64_t allowed = log->source.decompressed_bytes;
    return kind == SL_COMPRESSION_NONE || max > allowed ? max : allowed;
}

int sl_log_decompress_body(const struct sl_log *log, const struct sl_log_message *message,
                           const void *stored, void **to, size_t *room_bytes,
                           size_t *ret_size_bytes)
{
    uint64_t max = sl_log_decompressed_max(log, log->body_compression, message->size_bytes);
    int err = sl_decompress_alone(log->body_compression, stored, (size_t)message->size_bytes, to,
                                  room_bytes, max, ret_size_bytes);
    if (err == -EFBIG)
        err = sl_error(-EBADMSG,
                       "%" PRIu64 " bytes become more than %" PRIu64
                       "; if that is so, give more by --memory",
                       message->size_bytes, max);
    return err < 0 ? sl_error_at(err, "a message of %.100s at %" PRIu64 " ns",
                                 log->topics[message->topic].name, message->receive_ns)
                   : 0;
}

int sl_log_check_chunk(const struct sl_log *log, const struct sl_log_block *block)
{
    if (block->size_bytes <= sl_log_decompressed_max(log, block->compression, block->stored_bytes))
        return 0;
    return sl_error(-EBADMSG,
                    "a chunk of %" PRIu64 " bytes says that it becomes %" PRIu64
                    "; if that is so, give --memory=%" PRIu64 "M",
                    block->stored_bytes, block->size_bytes, (block->size_bytes >> 20) + 1);
}

int sl_log_load_stored(struct sl_log *log, const struct sl_log_block *block, void *to,
                       size_t *ret_size_bytes)
{
    *ret_size_bytes = 0;
    if (block->offset > log->source.size_bytes ||
        block->stored_bytes > log->source.size_bytes - block->offset)
        return sl_error(-EBADMSG, "the chunk at byte %" PRIu64 " is cut off", block->offset);
    if (block->compression == SL_COMPRESSION_NONE && block->size_bytes != block->stored_bytes)
        return sl_error(-EBADMSG,
                        "the chunk at byte %" PRIu64 " says that its %" PRIu64
                        " bytes become %" PRIu64,
                        block->offset, block->stored_bytes, block->size_bytes);
    int err = sl_log_check_chunk(log, block);
    if (err)
        return sl_error_at(err, "the chunk at byte %" PRIu64, block->offset);
    if (block->compression == SL_COMPRESSION_NONE) {
        uint64_t size;
        err = sl_log_read_part(log, block->offset, to, block->stored_bytes, &size);
        *ret_size_bytes = (size_t)size;
    } else {
        err = load_compressed(log, block, to, ret_size_bytes);
    }
    if (err)
        return sl_error_at(err, "the chunk at byte %" PRIu64, block->offset);
    if (*ret_size_bytes != block->size_bytes)
        return sl_error(-EBADMSG,
                        "the chunk at byte %" PRIu64 " holds %zu bytes where %" PRIu64 " are said",
                        block->offset, *ret_size_bytes, block->size_bytes);
    return check_sum(block, to);
}

int sl_log_load(struct sl_log *log, uint32_t index, void *to, size_t *ret_size_bytes)
{
    const struct sl_log_block *block = &log->blocks[index];
    int err = log->operations->load(log, block, to, ret_size_bytes);
    return err == -EBADMSG && block->is_damaged ? 0 : err;
}

bool sl_log_is_plain(const struct sl_log *log, uint32_t index)
{
    const struct sl_log_block *block = &log->blocks[index];
    return log->operations->load == sl_log_load_stored &&
           block->compression == SL_COMPRESSION_NONE && !block->is_damaged &&
           block->size_bytes == block->stored_bytes && block->offset <= log->source.size_bytes &&
           block->stored_bytes <= log->source.size_bytes - block->offset;
}

int sl_log_check_plain(const struct sl_log *log, uint32_t index, const void *bytes)
{
    return check_sum(&log->blocks[index], bytes);
}

int sl_log_walk(const struct sl_log *log, uint32_t index, const void *bytes, size_t size_bytes,
                size_t *at, struct sl_log_message *ret_message)
{
    const struct sl_log_block *block = &log->blocks[index];
    int result = log->operations->walk(log, block, bytes, size_bytes, at, ret_message);
    return result == -EBADMSG && block->is_damaged ? 0 : result;
}

/* Scanning decompresses every chunk: together, too, they may not become more than this allows, or a
 * small file could keep a machine busy for hours. */
#define SCAN_MAX_BYTES (UINT64_C(1) << 30)
#define SCAN_RATIO_MAX 1024

static int check_scanned(const struct sl_log *log, const struct sl_log_block *block)
{
    if (block->compression && log->scanned_bytes > SCAN_MAX_BYTES &&
        log->scanned_bytes / SCAN_RATIO_MAX > log->source.size_bytes)
        return sl_error(-EBADMSG, "its chunks become more than %d times what the file has",
                        SCAN_RATIO_MAX);
    return sl_log_check_chunk(log, block);
}

/* Order -----------------------------------------------------------------------------------------*/

int sl_log_compare_places(const void *a, const void *b)
{
    const struct sl_log_place *x = a;
    const struct sl_log_place *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->log != y->log)
        return x->log < y->log ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

int sl_log_compare_messages(const void *a, const void *b)
{
    const struct sl_log_message *x = a;
    const struct sl_log_message *y = b;
    if (x->receive_ns != y->receive_ns)
        return x->receive_ns < y->receive_ns ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Finding messages without an index -------------------------------------------------------------*/

void sl_log_count(struct sl_log *log, struct sl_log_block *block, uint32_t topic, uint64_t time_ns)
{
    if (block->message_count++ == 0)
        block->first_ns = block->last_ns = time_ns;
    if (time_ns < block->first_ns)
        block->first_ns = time_ns;
    if (time_ns > block->last_ns)
        block->last_ns = time_ns;
    if (!log->has_counts)
        log->topics[topic].message_count++;
}

void sl_log_forget_counts(struct sl_log *log)
{
    bool is_counted = true;
    for (uint32_t i = 0; i < log->block_count; i++)
        is_counted &= log->blocks[i].message_count != UINT64_MAX;
    for (uint32_t i = 0; i < log->topic_count && !is_counted && !log->has_counts; i++)
        log->topics[i].message_count = UINT64_MAX;
}

int sl_log_run_end(struct sl_log *log, struct sl_log_block *run)
{
    int err = run->message_count > 0 ? sl_log_add_block(log, run) : 0;
    *run = (struct sl_log_block){0};
    return err;
}

int sl_log_run_add(struct sl_log *log, struct sl_log_block *run, uint64_t offset,
                   uint64_t size_bytes, uint32_t topic, uint64_t time_ns)
{
    int err = 0;
    if (run->message_count > 0 && offset + size_bytes - run->offset > SL_LOG_RUN_BYTES)
        err = sl_log_run_end(log, run);
    if (run->message_count == 0)
        run->offset = offset;
    sl_log_count(log, run, topic, time_ns);
    run->stored_bytes = run->size_bytes = offset + size_bytes - run->offset;
    return err;
}

static int scan_loaded(struct sl_log *log, struct sl_log_block *block, void *bytes,
                       int (*scan)(struct sl_log *log, struct sl_log_block *block,
                                   const void *bytes, size_t size_bytes))
{
    size_t size = 0;
    int err = sl_log_load_stored(log, block, bytes, &size);
    if (err == -EBADMSG) {
        if (!block->is_damaged)
            sl_log_note_damage(log, block->offset, block->size_bytes - size, "%s", sl_error_text());
        block->is_damaged = true;
        err = 0;
    }
    if (!err)
        err = scan(log, block, bytes, size);
    if (!err && (block->message_count > 0 || !block->is_damaged))
        err = sl_log_add_block(log, block);
    return err;
}

int sl_log_scan_chunk(struct sl_log *log, struct sl_log_block *block,
                      int (*scan)(struct sl_log *log, struct sl_log_block *block, const void *bytes,
                                  size_t size_bytes))
{
    block->message_count = 0;
    if (check_scanned(log, block) < 0) {
        sl_log_note_damage(log, block->offset, block->stored_bytes, "%s", sl_error_text());
        return 0;
    }
    void *bytes = malloc(block->size_bytes ? (size_t)block->size_bytes : 1);
    if (!bytes)
        return sl_error(-ENOMEM, "no memory for a chunk of %" PRIu64 " bytes", block->size_bytes);
    log->scanned_bytes += block->size_bytes;
    int err = scan_loaded(log, block, bytes, scan);
    free(bytes);
    return err;
}
