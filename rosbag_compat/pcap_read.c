/* SPDX-License-Identifier: Apache-2.0 */
/* pcap_read.c - captures as logs: the UDP datagrams of pcap and pcapng files are messages
 * (udp_packet.h), by core/capture.
 *
 * A block is a run of records of the file. Loaded, it is what they hold, one after the other:
 *
 *   0 topic u32   4 size u32   8 time u64   16 body, padded to 8
 *
 * Datagrams that came in fragments are put together within a block, so one ends where none is under
 * way; where that does not happen for long (fragments were lost), it ends all the same, and what
 * was under way is lost as well. The index is made by the same steps as a block is loaded by.
 * A capture has no index: it is always read through when it is opened. */
#include "core/base/error.h"
#include "core/capture/datagrams.h"
#include "core/frame/definition.h"
#include "core/frame/schema.h"
#include "rosbag_compat/udp_packet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES  16
#define PIECE_BYTES (256u << 10)
/* A block with datagrams under way ends when it has so many bytes. */
#define WAIT_BYTES (4 * (uint64_t)SL_LOG_RUN_BYTES)

/* How the capture is read from a block's first record on: byte order, interfaces. */
struct place {
    const struct sl_capture_reader *reader;
    uint64_t last_ns; /* of the record before: a record without a time has that */
};

struct pcap {
    struct sl_datagram_decoder *decoder;
    struct sl_capture_reader **readers; /* each different from the one before */
    uint32_t reader_count;
    struct place *places; /* by block */
    uint32_t place_count, place_room;
};

static size_t loaded_size(const struct sl_datagram *datagram)
{
    return HEAD_BYTES + sl_cdr_aligned(sl_udp_packet_size(datagram), 8);
}

/* Loading ---------------------------------------------------------------------------------------*/

static int put_datagram(struct sl_log *log, const struct sl_datagram *d, uint64_t time_ns,
                        uint8_t *to, uint64_t room_bytes, size_t *used)
{
    uint32_t topic = sl_log_topic_index(log, d->destination.port);
    size_t size = loaded_size(d);
    if (topic == SL_LOG_NO_TOPIC || size > room_bytes - *used)
        return sl_error(-EBADMSG, "the capture was changed while it was read");
    struct sl_datagram stamped = *d;
    stamped.time_ns = time_ns;
    size_t body_bytes = sl_udp_packet_size(&stamped);
    sl_put_le32(to + *used, topic);
    sl_put_le32(to + *used + 4, (uint32_t)body_bytes);
    sl_put_le64(to + *used + 8, time_ns);
    sl_udp_packet_write(&stamped, to + *used + HEAD_BYTES);
    memset(to + *used + HEAD_BYTES + body_bytes, 0, size - HEAD_BYTES - body_bytes);
    *used += size;
    return 0;
}

static int decode(struct sl_log *log, const struct sl_log_block *block, const uint8_t *stored,
                  uint8_t *to, size_t *used)
{
    struct pcap *pcap = log->state;
    const struct place *place = &pcap->places[block - log->blocks];
    struct sl_capture_record record;
    struct sl_datagram datagram;
    uint64_t last_ns = place->last_ns;
    struct sl_capture_reader *reader = malloc(sizeof *reader);
    if (!reader)
        return sl_error(-ENOMEM, "no memory to read a capture");
    *reader = *place->reader;
    reader->at = 0;
    reader->window_offset = block->offset;
    sl_capture_reader_feed(reader, stored, (size_t)block->stored_bytes, true);
    sl_datagram_decoder_reset(pcap->decoder);
    int result;
    while ((result = sl_capture_next(reader, &record)) == 1) {
        last_ns = record.time_ns ? record.time_ns : last_ns;
        if (!sl_datagram_decode(pcap->decoder, &record, &datagram))
            continue;
        result = put_datagram(log, &datagram, last_ns, to, block->size_bytes, used);
        if (result < 0)
            break;
    }
    free(reader);
    return result < 0 && result != -ENOMEM ? -EBADMSG : result;
}

static int load(struct sl_log *log, const struct sl_log_block *block, void *to,
                size_t *ret_size_bytes)
{
    *ret_size_bytes = 0;
    uint8_t *stored = malloc(block->stored_bytes ? (size_t)block->stored_bytes : 1);
    if (!stored)
        return sl_error(-ENOMEM, "no memory for %" PRIu64 " bytes of a capture",
                        block->stored_bytes);
    int err = sl_log_read(log, block->offset, stored, block->stored_bytes);
    if (!err)
        err = decode(log, block, stored, to, ret_size_bytes);
    free(stored);
    return err;
}

static int walk(const struct sl_log *log, const struct sl_log_block *block, const void *bytes,
                size_t size_bytes, size_t *at, struct sl_log_message *ret_message)
{
    (void)block;
    const uint8_t *head = (const uint8_t *)bytes + *at;
    if (*at == size_bytes)
        return 0;
    if (size_bytes - *at < HEAD_BYTES)
        return sl_error(-EBADMSG, "a datagram is cut off");
    uint32_t topic = sl_get_le32(head);
    uint32_t body_bytes = sl_get_le32(head + 4);
    size_t padded = sl_cdr_aligned(body_bytes, 8);
    if (topic >= log->topic_count || padded > size_bytes - *at - HEAD_BYTES)
        return sl_error(-EBADMSG, "a datagram is cut off");
    *ret_message = (struct sl_log_message){.topic = topic,
                                           .receive_ns = sl_get_le64(head + 8),
                                           .publish_ns = sl_get_le64(head + 8),
                                           .offset = *at + HEAD_BYTES,
                                           .size_bytes = body_bytes};
    *at += HEAD_BYTES + padded;
    return 1;
}

static void close_capture(struct sl_log *log)
{
    struct pcap *pcap = log->state;
    sl_datagram_decoder_destroy(pcap->decoder);
    for (uint32_t i = 0; i < pcap->reader_count; i++)
        free(pcap->readers[i]);
    free(pcap->readers);
    free(pcap->places);
    free(pcap);
}

static const struct sl_log_operations operations = {load, walk, close_capture};

/* The index -------------------------------------------------------------------------------------*/

struct scan {
    struct sl_log *log;
    struct pcap *pcap;
    struct sl_capture_reader reader;
    uint64_t read_bytes; /* of the file, so far */
    uint64_t last_ns;
    struct sl_log_block block; /* that is open */
    bool is_open;
    struct place place; /* of its beginning */
    uint64_t record_count, record_end;
    uint8_t buffer[SL_CAPTURE_BLOCK_MAX_BYTES + PIECE_BYTES];
};

static int add_topic(struct sl_log *log, const struct sl_endpoint *destination)
{
    char name[32];
    char address[SL_ENDPOINT_TEXT_BYTES];
    char definition[1024];
    const bool is_first = log->topic_count == 0;
    const struct sl_log_pair pair = {SL_UDP_PACKET_DESTINATION, address};
    size_t size =
        sl_definition_write(sl_schema_find(SL_UDP_PACKET_TYPE), definition, sizeof definition);
    snprintf(name, sizeof name, SL_UDP_PACKET_TOPIC "%u", destination->port);
    sl_endpoint_print(destination, address);
    int err = sl_log_add_topic(log, &(struct sl_log_topic){
                                        .id = destination->port,
                                        .name = name,
                                        .type = SL_UDP_PACKET_TYPE,
                                        .encoding = "cdr",
                                        .definition_encoding = "ros2msg",
                                        .definition = definition,
                                        .definition_bytes = is_first ? size : 0,
                                        .has_schema = true,
                                        .pairs = &pair,
                                        .pair_count = 1,
                                    });
    if (!err && !is_first) { /* one for all: a capture may have a topic for each port there is */
        struct sl_log_topic *added = &log->topics[log->topic_count - 1];
        added->definition = log->topics[0].definition;
        added->definition_bytes = size;
    }
    return err;
}

static bool reads_alike(const struct sl_capture_reader *a, const struct sl_capture_reader *b)
{
    return a->big_endian == b->big_endian && a->interface_count == b->interface_count &&
           memcmp(a->interfaces, b->interfaces, a->interface_count * sizeof *a->interfaces) == 0;
}

static int keep_reader(struct scan *s)
{
    struct pcap *pcap = s->pcap;
    uint32_t count = pcap->reader_count;
    if (count == 0 || !reads_alike(pcap->readers[count - 1], &s->reader)) {
        struct sl_capture_reader **fresh =
            realloc(pcap->readers, (count + 1) * sizeof *pcap->readers);
        if (fresh)
            pcap->readers = fresh;
        struct sl_capture_reader *kept = malloc(sizeof *kept);
        if (!fresh || !kept) {
            free(kept);
            return sl_error(-ENOMEM, "no memory for the index of a capture");
        }
        *kept = s->reader;
        pcap->readers[pcap->reader_count++] = kept;
    }
    s->place.reader = pcap->readers[pcap->reader_count - 1];
    return 0;
}

static int keep_place(struct pcap *pcap, const struct place *place)
{
    if (pcap->place_count == pcap->place_room) {
        uint32_t room = pcap->place_room ? 2 * pcap->place_room : 16;
        struct place *fresh = realloc(pcap->places, room * sizeof *fresh);
        if (!fresh)
            return sl_error(-ENOMEM, "no memory for the index of a capture");
        pcap->places = fresh;
        pcap->place_room = room;
    }
    pcap->places[pcap->place_count++] = *place;
    return 0;
}

static int end_block(struct scan *s)
{
    s->is_open = false;
    sl_datagram_decoder_reset(s->pcap->decoder);
    if (s->block.message_count == 0)
        return 0;
    int err = sl_log_add_block(s->log, &s->block);
    return err ? err : keep_place(s->pcap, &s->place);
}

static int begin_block(struct scan *s, const struct sl_capture_record *record)
{
    s->block = (struct sl_log_block){.offset = record->offset_bytes};
    s->place.last_ns = s->last_ns;
    s->is_open = true;
    return keep_reader(s);
}

/* Is the block full, so that this record belongs into the next? */
static bool is_full(const struct scan *s)
{
    uint64_t stored = sl_capture_reader_offset(&s->reader) - s->block.offset;
    if (stored <= SL_LOG_RUN_BYTES && s->block.size_bytes <= SL_LOG_RUN_BYTES)
        return false;
    return stored > WAIT_BYTES || s->block.size_bytes > WAIT_BYTES ||
           sl_datagram_decoder_open_count(s->pcap->decoder) == 0;
}

static int take_datagram(struct scan *s, const struct sl_datagram *datagram)
{
    int err = 0;
    if (sl_log_topic_index(s->log, datagram->destination.port) == SL_LOG_NO_TOPIC)
        err = add_topic(s->log, &datagram->destination);
    if (err)
        return err;
    uint32_t topic = sl_log_topic_index(s->log, datagram->destination.port);
    sl_log_count(s->log, &s->block, topic, s->last_ns);
    s->block.size_bytes += loaded_size(datagram);
    return 0;
}

static int take_record(struct scan *s, const struct sl_capture_record *record)
{
    struct sl_datagram datagram;
    int err = 0;
    if (s->is_open && is_full(s))
        err = end_block(s);
    if (!err && !s->is_open)
        err = begin_block(s, record);
    if (err)
        return err;
    s->record_count++;
    s->record_end = sl_capture_reader_offset(&s->reader);
    s->block.stored_bytes = s->record_end - s->block.offset;
    s->last_ns = record->time_ns ? record->time_ns : s->last_ns;
    return sl_datagram_decode(s->pcap->decoder, record, &datagram) ? take_datagram(s, &datagram)
                                                                   : 0;
}

static int feed(struct scan *s)
{
    size_t left = sl_capture_reader_left(&s->reader);
    uint64_t more = s->log->source.size_bytes - s->read_bytes;
    if (more > PIECE_BYTES)
        more = PIECE_BYTES;
    if (left > 0)
        memmove(s->buffer, s->reader.bytes + s->reader.at, left);
    int err = sl_log_read_part(s->log, s->read_bytes, s->buffer + left, more, &more);
    if (err && more == 0)
        return err;
    s->read_bytes += more;
    sl_capture_reader_feed(&s->reader, s->buffer, left + (size_t)more,
                           s->read_bytes == s->log->source.size_bytes);
    return 0;
}

static int take_records(struct scan *s)
{
    struct sl_capture_record record;
    int result;
    for (;;) {
        result = sl_capture_next(&s->reader, &record);
        if (result == -EAGAIN)
            result = feed(s);
        else if (result == 1)
            result = take_record(s, &record);
        else
            return result;
        if (result < 0)
            return result;
    }
}

/* What of the capture is no message. */
static int add_metadata(struct scan *s)
{
    struct sl_datagram_counters counters;
    char packets[24];
    char others[256];
    const struct sl_log_pair pairs[] = {{"packets", packets}, {"no_messages", others}};
    sl_datagram_decoder_counters(s->pcap->decoder, &counters);
    snprintf(packets, sizeof packets, "%" PRIu64, s->record_count);
    bool has_others = sl_datagram_counters_print(&counters, others, sizeof others) > 0;
    return sl_log_add_metadata(s->log, &(struct sl_log_metadata){"capture", pairs, 1 + has_others});
}

/* Damage ends the reading: nothing in a capture tells where a record begins. */
static int finish(struct scan *s, int result)
{
    struct sl_log *log = s->log;
    bool is_damage = result == -ENODATA || result == -EPROTO || result == -EMSGSIZE ||
                     result == -EOVERFLOW || result == -EBADMSG;
    if (is_damage && s->reader.format == SL_CAPTURE_UNKNOWN)
        return sl_error_at(-EBADMSG, "no capture");
    if (is_damage)
        sl_log_note_damage(log, s->record_end, log->source.size_bytes - s->record_end, "%s",
                           sl_error_text());
    else if (result < 0)
        return result;
    log->format = s->reader.format == SL_CAPTURE_PCAPNG ? SL_LOG_PCAPNG : SL_LOG_PCAP;
    int err = s->is_open ? end_block(s) : 0;
    return err ? err : add_metadata(s);
}

static int scan(struct sl_log *log)
{
    struct scan *s = malloc(sizeof *s);
    if (!s)
        return sl_error(-ENOMEM, "no memory to read a capture");
    memset(s, 0, offsetof(struct scan, buffer));
    s->log = log;
    s->pcap = log->state;
    sl_capture_reader_begin(&s->reader);
    int err = finish(s, take_records(s));
    free(s);
    return err;
}

int sl_pcap_open(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log)
{
    (void)flags;
    struct sl_log *log = NULL;
    struct pcap *pcap = calloc(1, sizeof *pcap);
    if (!pcap)
        return sl_error(-ENOMEM, "no memory to read a capture");
    int err = sl_log_create(SL_LOG_PCAP, &operations, source, pcap, &log);
    if (err) {
        free(pcap);
        return err;
    }
    err = sl_datagram_decoder_create(&pcap->decoder);
    if (!err)
        err = scan(log);
    if (err) {
        sl_log_close(log);
        return err;
    }
    *ret_log = log;
    return 0;
}
