/* SPDX-License-Identifier: Apache-2.0 */
/* capture.h - the records of a pcap or pcapng capture, out of bytes that nobody vouches for.
 *
 * A pure codec: no file, socket or clock inside. It walks over a window of the capture that the
 * caller gives, all of it at once (sl_capture_reader_init) or piece by piece as it comes
 * (sl_capture_reader_begin and sl_capture_reader_feed; file.h does it for files).
 *
 * Formats: pcap 2.x of both byte orders with microseconds or nanoseconds, and the variant with the
 *          longer record header ("modified", magic a1b2cd34), as draft-ietf-opsawg-pcap and the
 *          libpcap manual page pcap-savefile(5) describe them; pcapng as draft-ietf-opsawg-pcapng
 *          does: any number of sections of either byte order, any block type.
 *
 * Life:    init | begin -> feed; next until 0 or an error. Nothing to free.
 * Owner:   the bytes stay the caller's; a record points into them.
 * Threads: one at a time.
 * Errors:  -errno with a sentence that names the byte offset in the capture. What stood before the
 *          damage was delivered; after an error the reader stands still and repeats it.
 */
#ifndef SL_CAPTURE_CAPTURE_H
#define SL_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More captured bytes than any link gives (libpcap's own limit); a longer record is damage. */
#define SL_CAPTURE_RECORD_MAX_BYTES 262144
/* A pcapng block that has to be seen as a whole: a record, its options, or an interface. */
#define SL_CAPTURE_BLOCK_MAX_BYTES (SL_CAPTURE_RECORD_MAX_BYTES + 65536)
/* Interfaces in one section of a pcapng file. */
#define SL_CAPTURE_INTERFACES_MAX 256

enum sl_capture_format {
    SL_CAPTURE_UNKNOWN, /* nothing read yet */
    SL_CAPTURE_PCAP,
    SL_CAPTURE_PCAPNG,
};

/* One captured packet, from the first byte of its link layer. */
struct sl_capture_record {
    const uint8_t *bytes;
    uint32_t captured_bytes;  /* how many are there */
    uint32_t original_bytes;  /* how many it had on the wire, never less */
    uint32_t link_type;       /* LINKTYPE_ number, see link.h */
    uint32_t interface_index; /* of its section in pcapng; 0 in pcap */
    uint64_t time_ns;         /* UTC since 1970; 0 = the capture does not say */
    uint64_t offset_bytes;    /* where its header begins in the capture */
};

struct sl_capture_interface {
    uint32_t link_type;
    uint32_t snap_bytes;     /* 0 = no limit */
    int64_t time_offset_s;   /* if_tsoffset */
    uint8_t time_resolution; /* if_tsresol: 10^-n s, or 2^-(n & 127) s with the top bit set */
};

struct sl_capture_reader {
    enum sl_capture_format format;
    bool big_endian;

    /* the window: a part of the capture, and where in it the next thing begins */
    const uint8_t *bytes;
    size_t size_bytes;
    size_t at;
    uint64_t window_offset; /* of bytes[0] in the capture */
    bool last;              /* nothing follows the window */

    /* pcap */
    uint32_t record_header_bytes;
    uint32_t tick_ns;
    uint32_t version_minor;

    /* pcapng: the block that is being passed over, and the section's interfaces */
    uint64_t skip_bytes;    /* still to pass over, before its closing length */
    uint32_t skip_length;   /* the block's length, 0 = none is open */
    uint64_t skip_offset;   /* where it began */
    uint64_t blocks_passed; /* blocks that are no packets and no interfaces */
    uint32_t interface_count;
    struct sl_capture_interface interfaces[SL_CAPTURE_INTERFACES_MAX];
};

/* Read a capture that lies in memory as a whole. Does not fail; next says what is wrong. */
void sl_capture_reader_init(struct sl_capture_reader *reader, const void *bytes, size_t size_bytes);

/* Read a capture in pieces: begin, then feed whenever next returns -EAGAIN. */
void sl_capture_reader_begin(struct sl_capture_reader *reader);

/* How many bytes at the end of the window are still needed. */
static inline size_t sl_capture_reader_left(const struct sl_capture_reader *reader)
{
    return reader->size_bytes - reader->at;
}

/* Where in the capture the reader stands. */
static inline uint64_t sl_capture_reader_offset(const struct sl_capture_reader *reader)
{
    return reader->window_offset + reader->at;
}

/* The next window: it begins with the bytes that were left and goes on behind them. A window of
 * SL_CAPTURE_BLOCK_MAX_BYTES always suffices for a step. `last` = the capture ends with it. */
void sl_capture_reader_feed(struct sl_capture_reader *reader, const void *bytes, size_t size_bytes,
                            bool last);

/* The next record, valid as long as the window is.
 * Returns 1, 0 at the end, or
 * -EAGAIN     feed more (never after init, nor after the last piece)
 * -ENODATA    the capture is empty or ends inside a record
 * -EPROTO     it is no capture (the sentence says what it looks like) or it is damaged
 * -EMSGSIZE   a record claims more than SL_CAPTURE_RECORD_MAX_BYTES
 * -EOVERFLOW  a section has more than SL_CAPTURE_INTERFACES_MAX interfaces. */
int sl_capture_next(struct sl_capture_reader *reader, struct sl_capture_record *ret_record);

#endif
