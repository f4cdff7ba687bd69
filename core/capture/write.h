/* SPDX-License-Identifier: Apache-2.0 */
/* write.h - captures made of UDP datagrams: pcap or pcapng, any link type of link.h, fragments.
 *
 * Writes what tcpdump and Wireshark read: header checksums and UDP checksums are right. It shares
 * no code with the readers, so that each proves the other.
 *
 * Life:    begin -> datagram | frame + record ... . Nothing to free.
 * Owner:   the output is the caller's: bytes (struct sl_writer) or a stream (FILE), never closed.
 * Threads: one at a time.
 * Errors:  0 or -errno; after an error the capture ends inside a record.
 */
#ifndef SL_CAPTURE_WRITE_H
#define SL_CAPTURE_WRITE_H

#include <stdio.h>

#include "core/base/bytes.h"
#include "core/capture/capture.h"
#include "core/capture/datagram.h"

#define SL_CAPTURE_WRITE_TAGS_MAX 4
#define SL_CAPTURE_WRITE_MTU_MIN  576
/* The longest frame: link layer, tags, IPv6 with a fragment header, UDP, the longest datagram. */
#define SL_CAPTURE_WRITE_FRAME_MAX (SL_DATAGRAM_MAX_BYTES + 128)

struct sl_capture_write_options {
    enum sl_capture_format format; /* SL_CAPTURE_UNKNOWN = pcap */
    bool big_endian;
    bool microseconds;   /* stamps; else nanoseconds */
    uint32_t link_type;  /* one of link.h; note that 0 is BSD loopback, 1 Ethernet */
    uint32_t mtu_bytes;  /* longest IP packet, else it is sent in fragments; 0 = never */
    uint32_t snap_bytes; /* cut records to it; 0 = never */
    unsigned tag_count;  /* VLAN tags, outermost first, on Ethernet */
    uint16_t tags[SL_CAPTURE_WRITE_TAGS_MAX]; /* VLAN numbers */
};

struct sl_capture_writer {
    struct sl_capture_write_options options;
    struct sl_writer *bytes; /* one of the two */
    FILE *stream;
    uint32_t next_id; /* of IP */
    uint8_t transport[SL_DATAGRAM_MAX_BYTES + 8];
    uint8_t frame[SL_CAPTURE_WRITE_FRAME_MAX];
};

/* Write the file header. Exactly one of `bytes` and `stream` is not NULL.
 * Returns 0, -EINVAL for options that make no sense, -ENOSPC, or what the stream says. */
int sl_capture_write_begin(struct sl_capture_writer *writer,
                           const struct sl_capture_write_options *options, struct sl_writer *bytes,
                           FILE *stream);

/* Write a datagram as one record, or as several if it is longer than the MTU. Both endpoints'
 * family must be the same, 4 or 6. Returns 0, -EINVAL, -EMSGSIZE, -ENOSPC, or what the stream says.
 */
int sl_capture_write_datagram(struct sl_capture_writer *writer, const struct sl_datagram *datagram);

/* The same in two steps, for captures in which fragments come late, twice or never.
 * `count` says how many frames a datagram becomes; `frame` builds the index-th of them, of IP id
 * `id`, in the writer's memory (valid until its next call); `record` writes any bytes as a record.
 */
int sl_capture_write_count(const struct sl_capture_writer *writer,
                           const struct sl_datagram *datagram);
int sl_capture_write_frame(struct sl_capture_writer *writer, const struct sl_datagram *datagram,
                           int index, uint32_t id, const uint8_t **ret_bytes,
                           uint32_t *ret_size_bytes);
int sl_capture_write_record(struct sl_capture_writer *writer, uint64_t time_ns,
                            const uint8_t *bytes, uint32_t size_bytes);

/* pcapng only: a section header and an interface (of the options given) begin anew. */
int sl_capture_write_section(struct sl_capture_writer *writer,
                             const struct sl_capture_write_options *options);

#endif
