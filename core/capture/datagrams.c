/* SPDX-License-Identifier: Apache-2.0 */
#include "core/capture/datagrams.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/capture/file.h"
#include "core/capture/live.h"

struct sl_datagram_decoder {
    struct sl_datagram_counters counters; /* without .reassembly, which lies in ->reassembly */
    struct sl_reassembly *reassembly;
};

int sl_datagram_decoder_create(struct sl_datagram_decoder **ret_decoder)
{
    struct sl_datagram_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return sl_error(-ENOMEM, "no memory for the datagrams of a capture");
    int err = sl_reassembly_create(&decoder->reassembly);
    if (err) {
        sl_datagram_decoder_destroy(decoder);
        return err;
    }
    *ret_decoder = decoder;
    return 0;
}

void sl_datagram_decoder_destroy(struct sl_datagram_decoder *decoder)
{
    if (!decoder)
        return;
    sl_reassembly_destroy(decoder->reassembly);
    free(decoder);
}

void sl_datagram_decoder_reset(struct sl_datagram_decoder *decoder)
{
    sl_reassembly_reset(decoder->reassembly);
}

unsigned sl_datagram_decoder_open_count(const struct sl_datagram_decoder *decoder)
{
    return sl_reassembly_open_count(decoder->reassembly);
}

void sl_datagram_decoder_counters(const struct sl_datagram_decoder *decoder,
                                  struct sl_datagram_counters *ret_counters)
{
    *ret_counters = decoder->counters;
    ret_counters->reassembly = *sl_reassembly_counters(decoder->reassembly);
}

static int count(struct sl_datagram_counters *counters, enum sl_packet_verdict verdict)
{
    uint64_t *const by_verdict[SL_PACKET_VERDICTS] = {
        [SL_PACKET_OK] = &counters->datagrams,
        [SL_PACKET_UNKNOWN_LINK] = &counters->unknown_link,
        [SL_PACKET_NOT_IP] = &counters->not_ip,
        [SL_PACKET_NOT_UDP] = &counters->not_udp,
        [SL_PACKET_TRUNCATED] = &counters->truncated,
        [SL_PACKET_MALFORMED] = &counters->malformed,
    };
    (*by_verdict[verdict])++;
    return verdict == SL_PACKET_OK;
}

int sl_datagram_decode(struct sl_datagram_decoder *decoder, const struct sl_capture_record *record,
                       struct sl_datagram *ret_datagram)
{
    const uint8_t *bytes = NULL;
    uint32_t size_bytes = 0;
    uint32_t flags = record->time_ns ? SL_DATAGRAM_KERNEL_TIME : 0;
    struct sl_ip_packet packet;
    decoder->counters.records++;
    enum sl_packet_verdict verdict = sl_link_open(record, &bytes, &size_bytes);
    if (verdict == SL_PACKET_OK)
        verdict = sl_ip_open(bytes, size_bytes, &packet);
    if (verdict == SL_PACKET_OK && packet.fragment) {
        struct sl_ip_packet fragment = packet;
        if (!sl_reassembly_add(decoder->reassembly, &fragment, record->time_ns, &packet))
            return 0;
        flags |= SL_DATAGRAM_REASSEMBLED;
        verdict = sl_ip_skip_extensions(&packet);
    }
    if (verdict == SL_PACKET_OK)
        verdict = sl_udp_open(&packet, ret_datagram);
    if (!count(&decoder->counters, verdict))
        return 0;
    decoder->counters.datagrams_cut += !!(ret_datagram->flags & SL_DATAGRAM_TRUNCATED);
    ret_datagram->flags |= flags;
    ret_datagram->time_ns = record->time_ns;
    return 1;
}

int sl_datagram_counters_print(const struct sl_datagram_counters *counters, char *ret_text,
                               size_t size_bytes)
{
    const struct {
        uint64_t count;
        const char *what;
    } reasons[] = {
        {counters->filtered, "refused by the filter"},
        {counters->unknown_link, "of an unknown link type"},
        {counters->not_ip, "not IP"},
        {counters->not_udp, "not UDP"},
        {counters->truncated, "cut off when captured"},
        {counters->datagrams_cut, "delivered without their end"},
        {counters->malformed, "malformed"},
        {counters->reassembly.timeouts, "incomplete in fragments"},
        {counters->reassembly.evicted, "incomplete when too many came in fragments"},
        {counters->reassembly.overlaps, "with fragments that contradict each other"},
        {counters->reassembly.duplicates, "duplicate fragments"},
        {counters->reassembly.late, "fragments of refused datagrams"},
        {counters->reassembly.too_long, "fragments beyond the longest datagram"},
        {counters->reassembly.malformed, "malformed fragments"},
        {counters->reassembly.truncated, "fragments cut off when captured"},
    };
    size_t used = 0;
    if (size_bytes > 0)
        ret_text[0] = '\0';
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].count == 0)
            continue;
        size_t room = used < size_bytes ? size_bytes - used : 0;
        used += (size_t)snprintf(room ? ret_text + used : NULL, room, "%s%" PRIu64 " %s",
                                 used ? ", " : "", reasons[i].count, reasons[i].what);
    }
    return (int)used;
}

struct sl_datagram_reader {
    struct sl_capture_file *file;
    struct sl_filter *filter; /* NULL = all pass */
    struct sl_datagram_decoder *decoder;
    uint32_t unknown_link_type; /* the last one, for the sentence */
    bool any_known_link;
};

void sl_datagram_reader_close(struct sl_datagram_reader *reader)
{
    if (!reader)
        return;
    sl_capture_file_close(reader->file);
    sl_filter_destroy(reader->filter);
    sl_datagram_decoder_destroy(reader->decoder);
    free(reader);
}

static int refuse_link_type(const struct sl_datagram_reader *reader)
{
    return sl_error(-ENOTSUP,
                    "capture %s: link type %u is unknown (known: Ethernet, Linux cooked, raw IP, "
                    "BSD loopback); capture on another interface or convert it",
                    sl_capture_file_path(reader->file), reader->unknown_link_type);
}

/* Look at the first record, so that a wrong file fails when it is opened. What comes behind a first
 * record may still be of use where interfaces differ; a pcap file has one link type for all. */
static int check_beginning(struct sl_datagram_reader *reader)
{
    struct sl_capture_record record;
    int result = sl_capture_file_next(reader->file, &record);
    if (result == 1 && !sl_link_is_known(record.link_type) &&
        sl_capture_file_format(reader->file) == SL_CAPTURE_PCAP) {
        reader->unknown_link_type = record.link_type;
        return refuse_link_type(reader);
    }
    /* Damage behind the header shows again when it is read. */
    if (result < 0 && sl_capture_file_format(reader->file) == SL_CAPTURE_UNKNOWN)
        return result;
    sl_capture_file_rewind(reader->file);
    return 0;
}

int sl_datagram_reader_open(const char *path, const char *filter,
                            struct sl_datagram_reader **ret_reader)
{
    struct sl_datagram_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return sl_error(-ENOMEM, "capture %s: no memory", path);
    int err = sl_capture_file_open(path, &reader->file);
    if (!err)
        err = sl_datagram_decoder_create(&reader->decoder);
    if (!err && filter && *filter)
        err = sl_filter_create(filter, &reader->filter);
    if (!err)
        err = check_beginning(reader);
    if (err) {
        sl_datagram_reader_close(reader);
        return err;
    }
    *ret_reader = reader;
    return 0;
}

/* Does the filter let the record pass? Counts if not. */
static int passes(struct sl_datagram_reader *reader, const struct sl_capture_record *record)
{
    int result = reader->filter ? sl_filter_match(reader->filter, record) : 1;
    if (result == 0) {
        reader->decoder->counters.records++;
        reader->decoder->counters.filtered++;
    }
    return result;
}

int sl_datagram_reader_next(struct sl_datagram_reader *reader, struct sl_datagram *ret_datagram)
{
    struct sl_capture_record record;
    int result;
    while ((result = sl_capture_file_next(reader->file, &record)) == 1) {
        bool known = sl_link_is_known(record.link_type);
        if (known)
            reader->any_known_link = true;
        else
            reader->unknown_link_type = record.link_type;
        int passed = known ? passes(reader, &record) : 1;
        if (passed < 0)
            return sl_error_at(passed, "capture %s", sl_capture_file_path(reader->file));
        if (passed && sl_datagram_decode(reader->decoder, &record, ret_datagram))
            return 1;
    }
    if (result == 0 && !reader->any_known_link && reader->decoder->counters.unknown_link > 0)
        return refuse_link_type(reader);
    if (result == 0) /* what is incomplete now stays so: let the counters say it */
        sl_datagram_decoder_reset(reader->decoder);
    return result;
}

void sl_datagram_reader_rewind(struct sl_datagram_reader *reader)
{
    sl_capture_file_rewind(reader->file);
    sl_datagram_decoder_reset(reader->decoder);
}

void sl_datagram_reader_progress(const struct sl_datagram_reader *reader, uint64_t *ret_done_bytes,
                                 uint64_t *ret_total_bytes)
{
    sl_capture_file_progress(reader->file, ret_done_bytes, ret_total_bytes);
}

void sl_datagram_reader_counters(const struct sl_datagram_reader *reader,
                                 struct sl_datagram_counters *ret_counters)
{
    sl_datagram_decoder_counters(reader->decoder, ret_counters);
}
