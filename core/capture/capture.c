/* SPDX-License-Identifier: Apache-2.0 */
#include "core/capture/capture.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/capture/formats.h"

#define MAGIC_BYTES 4
/* As many bytes as the longest signature below, where the file has them. */
#define SIGNATURE_BYTES 16

/* What people hand over instead of a capture, by its first bytes. */
static const struct signature {
    const char *bytes;
    uint8_t size_bytes;
    const char *advice;
} signatures[] = {
    {"\x1f\x8b", 2, "a gzip archive: unpack it with gunzip first"},
    {"\x28\xb5\x2f\xfd", 4, "a zstd archive: unpack it with unzstd first"},
    {"\xfd"
     "7zXZ",
     5, "an xz archive: unpack it with unxz first"},
    {"BZh", 3, "a bzip2 archive: unpack it with bunzip2 first"},
    {"\x04\x22\x4d\x18", 4, "an lz4 archive: unpack it with unlz4 first"},
    {"PK\x03\x04", 4, "a zip archive: unpack it first"},
    {"#ROSBAG", 7, "a ROS 1 bag: play it as a bag"},
    {"SQLite format 3", 15, "an SQLite database, perhaps of a rosbag2: play it as a bag"},
    {"\x89MCAP0", 6, "an MCAP log: play it as a bag"},
    {"snoop\0\0\0", 8, "a snoop capture: convert it with editcap -F pcap"},
    {"\xa1\xb2\x34\xcd", 4, "a rare variant of pcap: convert it with editcap -F pcap"},
    {"\xcd\x34\xb2\xa1", 4, "a rare variant of pcap: convert it with editcap -F pcap"},
};

void sl_capture_reader_begin(struct sl_capture_reader *reader)
{
    /* The interface table is filled as it is needed: rewinding a capture stays cheap. */
    memset(reader, 0, offsetof(struct sl_capture_reader, interfaces));
}

void sl_capture_reader_init(struct sl_capture_reader *reader, const void *bytes, size_t size_bytes)
{
    sl_capture_reader_begin(reader);
    sl_capture_reader_feed(reader, bytes, size_bytes, true);
}

void sl_capture_reader_feed(struct sl_capture_reader *reader, const void *bytes, size_t size_bytes,
                            bool last)
{
    reader->window_offset += reader->at;
    reader->bytes = bytes;
    reader->size_bytes = size_bytes;
    reader->at = 0;
    reader->last = last;
}

int capture_need(const struct sl_capture_reader *r, uint64_t size_bytes, const char *what,
                 uint64_t start)
{
    size_t left = sl_capture_reader_left(r);
    if (size_bytes <= left)
        return 0;
    if (!r->last)
        return -EAGAIN;
    return sl_error(-ENODATA,
                    "capture is cut off: it ends at byte %" PRIu64 " inside the %s that begins at "
                    "byte %" PRIu64 ", at least %" PRIu64 " bytes are missing",
                    sl_capture_reader_offset(r) + left, what, start, size_bytes - left);
}

static int refuse(const uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        const struct signature *s = &signatures[i];
        if (s->size_bytes <= size_bytes && memcmp(bytes, s->bytes, s->size_bytes) == 0)
            return sl_error(-EPROTO, "no pcap or pcapng capture but %s", s->advice);
    }
    char found[3 * SIGNATURE_BYTES + 1] = "";
    bool text = true;
    for (size_t i = 0; i < size_bytes && i < SIGNATURE_BYTES; i++) {
        snprintf(found + 3 * i, 4, " %02x", bytes[i]);
        text = text && (isprint(bytes[i]) || isspace(bytes[i]));
    }
    return sl_error(-EPROTO, "no pcap or pcapng capture: %s begins with%s",
                    text ? "a text that" : "it", found);
}

/* Tell the format by the first bytes. */
static int begin(struct sl_capture_reader *r)
{
    size_t left = sl_capture_reader_left(r);
    if (left < SIGNATURE_BYTES && !r->last)
        return -EAGAIN;
    if (left == 0)
        return sl_error(-ENODATA, "capture is empty (0 bytes)");
    if (left < MAGIC_BYTES)
        return sl_error(-ENODATA, "capture is cut off: it ends at byte %zu, inside its magic",
                        left);
    uint32_t little = sl_get_le32(capture_here(r));
    uint32_t big = sl_get_be32(capture_here(r));
    if (little == PCAPNG_SECTION) {
        r->format = SL_CAPTURE_PCAPNG;
        return 0;
    }
    for (int order = 0; order < 2; order++) {
        uint32_t magic = order ? big : little;
        r->big_endian = order == 1;
        if (magic == PCAP_MAGIC_US || magic == PCAP_MAGIC_NS || magic == PCAP_MAGIC_MODIFIED)
            return pcap_begin(r, magic);
    }
    return refuse(capture_here(r), left);
}

int sl_capture_next(struct sl_capture_reader *reader, struct sl_capture_record *ret_record)
{
    if (reader->format == SL_CAPTURE_UNKNOWN) {
        int err = begin(reader);
        if (err)
            return err;
    }
    return reader->format == SL_CAPTURE_PCAP ? pcap_next(reader, ret_record)
                                             : pcapng_next(reader, ret_record);
}
