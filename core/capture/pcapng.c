/* SPDX-License-Identifier: Apache-2.0 */
/* pcapng.c - the newer capture format: blocks, each with its length before and behind its body.
 *
 *   0 type u32   4 length u32 (of all, a multiple of 4)   8 body   length-4 length again
 *
 * Bodies, by their offset in the block:
 *   section    8 byte order u32   12 major u16   14 minor u16   16 section length i64   24 options
 *   interface  8 link type u16   10 -   12 snap length u32   16 options
 *   enhanced   8 interface u32   12 time high u32   16 time low u32   20 captured u32
 *              24 original u32   28 bytes, padded to 4; options
 *   packet     8 interface u16   10 drops u16   then as enhanced (obsolete)
 *   simple     8 original u32   12 bytes, padded to 4; captured = min(original, snap length)
 * An option is code u16, length u16, value padded to 4. All other blocks are passed over, however
 * long they are; names, statistics, secrets and comments say nothing about packets' bytes.
 */
#include <errno.h>
#include <inttypes.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/formats.h"

#define BLOCK_MIN_BYTES     12
#define SECTION_MIN_BYTES   28
#define INTERFACE_MIN_BYTES 20
#define SIMPLE_MIN_BYTES    16
#define PACKET_MIN_BYTES    32
#define SECTION_VERSION     1
#define DECIMAL_NS          9 /* if_tsresol of nanoseconds */

struct block {
    uint64_t start; /* offset in the capture */
    uint32_t type;
    uint32_t length;
    const uint8_t *bytes; /* from the type on; all of them for records and interfaces */
};

static int damaged(const struct block *block, const char *why)
{
    return sl_error(-EPROTO, "pcapng block of type 0x%x at byte %" PRIu64 ": %s", block->type,
                    block->start, why);
}

static int check_closing_length(const struct block *block, uint32_t closing)
{
    return closing == block->length
               ? 0
               : sl_error(-EPROTO,
                          "pcapng block of type 0x%x at byte %" PRIu64 " begins with length %u "
                          "and ends with length %u: the capture is damaged here",
                          block->type, block->start, block->length, closing);
}

/* Go on behind a block that need not be in the window as a whole. */
static int pass_over(struct sl_capture_reader *r)
{
    size_t left = sl_capture_reader_left(r);
    if (left < r->skip_bytes + 4 && !r->last) {
        size_t passed = left < r->skip_bytes ? left : (size_t)r->skip_bytes;
        r->skip_bytes -= passed;
        r->at += passed;
        return -EAGAIN;
    }
    int err = capture_need(r, r->skip_bytes + 4, "block", r->skip_offset);
    if (err)
        return err;
    const struct block block = {.start = r->skip_offset, .length = r->skip_length};
    err = check_closing_length(&block, capture_u32(r, capture_here(r) + r->skip_bytes));
    if (err)
        return err;
    r->at += r->skip_bytes + 4;
    r->skip_length = 0;
    r->skip_bytes = 0;
    return 0;
}

static void begin_pass_over(struct sl_capture_reader *r, const struct block *block)
{
    r->skip_offset = block->start;
    r->skip_length = block->length;
    r->skip_bytes = block->length - 4;
}

/* A section begins: its byte order counts from here on, its interfaces are yet to come. */
static int begin_section(struct sl_capture_reader *r, struct block *block)
{
    int err = capture_need(r, SECTION_MIN_BYTES, "section header", block->start);
    if (err)
        return err;
    bool big_endian = sl_get_be32(block->bytes + 8) == PCAPNG_BYTE_ORDER;
    if (!big_endian && sl_get_le32(block->bytes + 8) != PCAPNG_BYTE_ORDER)
        return damaged(block, "a section without the byte-order mark 1a2b3c4d");
    block->length = big_endian ? sl_get_be32(block->bytes + 4) : sl_get_le32(block->bytes + 4);
    if (block->length < SECTION_MIN_BYTES || block->length % 4)
        return damaged(block, "a section header of impossible length");
    uint16_t major = big_endian ? sl_get_be16(block->bytes + 12) : sl_get_le16(block->bytes + 12);
    if (major != SECTION_VERSION)
        return damaged(block, "a section of an unknown version (1 is known)");
    r->big_endian = big_endian;
    r->interface_count = 0;
    r->blocks_passed++;
    begin_pass_over(r, block);
    return 0;
}

static int read_interface_options(const struct sl_capture_reader *r, const struct block *block,
                                  struct sl_capture_interface *interface)
{
    const uint8_t *at = block->bytes + 16;
    const uint8_t *end = block->bytes + block->length - 4;
    while (end - at >= 4) {
        uint16_t code = capture_u16(r, at);
        uint32_t length = capture_u16(r, at + 2);
        uint32_t padded = (length + 3) & ~3u;
        at += 4;
        if (code == PCAPNG_OPTION_END)
            return 0;
        if (padded > (uint32_t)(end - at))
            return damaged(block, "an interface's option reaches over the block's end");
        if (code == PCAPNG_IF_TSRESOL && length == 1)
            interface->time_resolution = *at;
        else if (code == PCAPNG_IF_TSOFFSET && length == 8)
            interface->time_offset_s = (int64_t)capture_u64(r, at);
        at += padded;
    }
    return 0;
}

static int add_interface(struct sl_capture_reader *r, const struct block *block)
{
    if (block->length < INTERFACE_MIN_BYTES)
        return damaged(block, "too short for an interface");
    if (r->interface_count == SL_CAPTURE_INTERFACES_MAX)
        return sl_error(-EOVERFLOW,
                        "pcapng section has more than %d interfaces (one more at byte %" PRIu64 ")",
                        SL_CAPTURE_INTERFACES_MAX, block->start);
    struct sl_capture_interface interface = {
        .link_type = capture_u16(r, block->bytes + 8),
        .snap_bytes = capture_u32(r, block->bytes + 12),
        .time_resolution = PCAPNG_RESOLUTION_US,
    };
    int err = read_interface_options(r, block, &interface);
    if (err)
        return err;
    r->interfaces[r->interface_count++] = interface;
    r->at += block->length;
    return 0;
}

/* Ticks of the interface's clock as nanoseconds UTC; what 64 bits cannot hold is "not known". */
static uint64_t to_ns(const struct sl_capture_interface *interface, uint64_t ticks)
{
    unsigned __int128 ns = ticks;
    uint8_t exponent = interface->time_resolution & (uint8_t)~PCAPNG_RESOLUTION_TWO;
    if (interface->time_resolution & PCAPNG_RESOLUTION_TWO) {
        ns = ns * SL_NS_PER_S >> exponent;
    } else {
        for (unsigned n = exponent; n < DECIMAL_NS; n++)
            ns *= 10;
        for (unsigned n = exponent; n > DECIMAL_NS && ns > 0; n--)
            ns /= 10;
    }
    __int128 sum = (__int128)ns + (__int128)interface->time_offset_s * (int64_t)SL_NS_PER_S;
    return sum < 0 || sum > (__int128)UINT64_MAX ? 0 : (uint64_t)sum;
}

static int check_record(const struct sl_capture_reader *r, const struct block *block,
                        const struct sl_capture_record *record, uint32_t room)
{
    if (record->interface_index >= r->interface_count)
        return sl_error(-EPROTO,
                        "pcapng packet at byte %" PRIu64 " is of interface %u, but the section "
                        "has told of %u so far: the capture is damaged here",
                        block->start, record->interface_index, r->interface_count);
    if (record->captured_bytes > SL_CAPTURE_RECORD_MAX_BYTES)
        return sl_error(-EMSGSIZE,
                        "record at byte %" PRIu64 " claims %u captured bytes (at most %d are "
                        "believed): the capture is damaged here",
                        block->start, record->captured_bytes, SL_CAPTURE_RECORD_MAX_BYTES);
    if (record->captured_bytes > room)
        return damaged(block, "claims more captured bytes than the block has");
    return 0;
}

static int read_packet(const struct sl_capture_reader *r, const struct block *block,
                       struct sl_capture_record *record)
{
    if (block->length < PACKET_MIN_BYTES)
        return damaged(block, "too short for a packet");
    const uint8_t *b = block->bytes;
    record->interface_index =
        block->type == PCAPNG_ENHANCED ? capture_u32(r, b + 8) : capture_u16(r, b + 8);
    record->captured_bytes = capture_u32(r, b + 20);
    record->original_bytes = capture_u32(r, b + 24);
    record->bytes = b + 28;
    int err = check_record(r, block, record, block->length - PACKET_MIN_BYTES);
    if (err)
        return err;
    uint64_t ticks = (uint64_t)capture_u32(r, b + 12) << 32 | capture_u32(r, b + 16);
    /* No clock counts from zero in 1970: writers without a clock put zeros there. */
    record->time_ns = ticks ? to_ns(&r->interfaces[record->interface_index], ticks) : 0;
    return 0;
}

static int read_simple(const struct sl_capture_reader *r, const struct block *block,
                       struct sl_capture_record *record)
{
    if (block->length < SIMPLE_MIN_BYTES)
        return damaged(block, "too short for a packet");
    uint32_t room = block->length - SIMPLE_MIN_BYTES;
    record->original_bytes = capture_u32(r, block->bytes + 8);
    record->captured_bytes = record->original_bytes;
    uint32_t snap = r->interface_count ? r->interfaces[0].snap_bytes : 0;
    if (snap && record->captured_bytes > snap)
        record->captured_bytes = snap;
    /* Without a snap length the block's end is the only bound there is. */
    if (snap == 0 && record->captured_bytes > room)
        record->captured_bytes = room;
    record->bytes = block->bytes + 12;
    return check_record(r, block, record, room);
}

static int read_record(struct sl_capture_reader *r, const struct block *block,
                       struct sl_capture_record *ret)
{
    struct sl_capture_record record = {.offset_bytes = block->start};
    int err = block->type == PCAPNG_SIMPLE ? read_simple(r, block, &record)
                                           : read_packet(r, block, &record);
    if (err)
        return err;
    record.link_type = r->interfaces[record.interface_index].link_type;
    if (record.original_bytes < record.captured_bytes)
        record.original_bytes = record.captured_bytes;
    *ret = record;
    r->at += block->length;
    return 1;
}

static bool is_packet(uint32_t type)
{
    return type == PCAPNG_ENHANCED || type == PCAPNG_SIMPLE || type == PCAPNG_PACKET;
}

/* One block. 1 = it was a record, 0 = go on. */
static int read_block(struct sl_capture_reader *r, struct sl_capture_record *ret)
{
    struct block block = {.start = sl_capture_reader_offset(r)};
    int err = capture_need(r, BLOCK_MIN_BYTES, "block header", block.start);
    if (err)
        return err;
    block.bytes = capture_here(r);
    block.type = capture_u32(r, block.bytes);
    if (block.type == PCAPNG_SECTION)
        return begin_section(r, &block);
    block.length = capture_u32(r, block.bytes + 4);
    if (block.length < BLOCK_MIN_BYTES || block.length % 4)
        return damaged(&block, "its length is no multiple of 4 or less than 12");
    if (!is_packet(block.type) && block.type != PCAPNG_INTERFACE) {
        r->blocks_passed++;
        begin_pass_over(r, &block);
        return 0;
    }
    if (block.length > SL_CAPTURE_BLOCK_MAX_BYTES)
        return sl_error(-EMSGSIZE,
                        "record at byte %" PRIu64 " claims a block of %u bytes (at most %d are "
                        "believed): the capture is damaged here",
                        block.start, block.length, SL_CAPTURE_BLOCK_MAX_BYTES);
    err = capture_need(r, block.length, is_packet(block.type) ? "record" : "interface block",
                       block.start);
    if (!err)
        err = check_closing_length(&block, capture_u32(r, block.bytes + block.length - 4));
    if (err)
        return err;
    return is_packet(block.type) ? read_record(r, &block, ret) : add_interface(r, &block);
}

int pcapng_next(struct sl_capture_reader *r, struct sl_capture_record *ret)
{
    for (;;) {
        int done = r->skip_length ? pass_over(r) : 0;
        if (done < 0)
            return done;
        if (sl_capture_reader_left(r) == 0)
            return r->last ? 0 : -EAGAIN;
        done = read_block(r, ret);
        if (done)
            return done;
    }
}
