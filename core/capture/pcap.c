/* SPDX-License-Identifier: Apache-2.0 */
/* pcap.c - the older capture format.
 *
 * File header, 24 bytes, in the byte order that the magic tells:
 *    0 magic u32   4 major u16   6 minor u16   8 zone i32 (0)   12 accuracy u32 (0)
 *   16 snap length u32   20 link type u32 (its upper 6 bits tell of a frame check sequence)
 * Record header, 16 bytes (24 in the modified variant: interface u32, protocol u16, type u8, pad):
 *    0 seconds u32   4 micro- or nanoseconds u32   8 captured length u32   12 original length u32
 *
 * The snap length is not believed: writers put 0 there, or less than what follows. Versions before
 * 2.3 have the two lengths the other way round and writers of 2.3 did not agree, so before 2.4 the
 * smaller one is what was captured.
 */
#include <errno.h>
#include <inttypes.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/formats.h"

#define RECORD_HEADER_BYTES          16
#define RECORD_HEADER_MODIFIED_BYTES 24
#define VERSION_MAJOR                2
#define LINK_TYPE_MASK               0x03ffffffu
#define FIRST_MINOR_OF_TODAY         4 /* lengths surely in today's order */

int pcap_begin(struct sl_capture_reader *r, uint32_t magic)
{
    int err = capture_need(r, PCAP_HEADER_BYTES, "file header", sl_capture_reader_offset(r));
    if (err)
        return err;
    const uint8_t *header = capture_here(r);
    uint16_t major = capture_u16(r, header + 4);
    r->version_minor = capture_u16(r, header + 6);
    if (major != VERSION_MAJOR)
        return sl_error(-EPROTO, "pcap version %u.%u is unknown (2.0 to 2.4 are known)", major,
                        r->version_minor);
    r->tick_ns = magic == PCAP_MAGIC_NS ? 1 : 1000;
    r->record_header_bytes =
        magic == PCAP_MAGIC_MODIFIED ? RECORD_HEADER_MODIFIED_BYTES : RECORD_HEADER_BYTES;
    r->interface_count = 1;
    r->interfaces[0] = (struct sl_capture_interface){
        .link_type = capture_u32(r, header + 20) & LINK_TYPE_MASK,
        .snap_bytes = capture_u32(r, header + 16),
    };
    r->format = SL_CAPTURE_PCAP;
    r->at += PCAP_HEADER_BYTES;
    return 0;
}

int pcap_next(struct sl_capture_reader *r, struct sl_capture_record *ret)
{
    uint64_t start = sl_capture_reader_offset(r);
    if (sl_capture_reader_left(r) == 0)
        return r->last ? 0 : -EAGAIN;
    int err = capture_need(r, r->record_header_bytes, "record header", start);
    if (err)
        return err;
    const uint8_t *header = capture_here(r);
    uint32_t captured = capture_u32(r, header + 8);
    uint32_t original = capture_u32(r, header + 12);
    if (r->version_minor < FIRST_MINOR_OF_TODAY && captured > original) {
        uint32_t swapped = captured;
        captured = original;
        original = swapped;
    }
    if (captured > SL_CAPTURE_RECORD_MAX_BYTES)
        return sl_error(-EMSGSIZE,
                        "record at byte %" PRIu64 " claims %u captured bytes (at most %d are "
                        "believed): the capture is damaged here",
                        start, captured, SL_CAPTURE_RECORD_MAX_BYTES);
    err = capture_need(r, (uint64_t)r->record_header_bytes + captured, "record", start);
    if (err)
        return err;
    *ret = (struct sl_capture_record){
        .bytes = header + r->record_header_bytes,
        .captured_bytes = captured,
        .original_bytes = original > captured ? original : captured,
        .link_type = r->interfaces[0].link_type,
        .time_ns = capture_u32(r, header) * SL_NS_PER_S +
                   (uint64_t)capture_u32(r, header + 4) * r->tick_ns,
        .offset_bytes = start,
    };
    r->at += r->record_header_bytes + captured;
    return 1;
}
