/* SPDX-License-Identifier: Apache-2.0 */
/* datagrams.h - from captured records to UDP datagrams: link layer, IP, reassembly, UDP.
 *
 * Two objects: the decoder takes records from anywhere (live capture, a test); the reader is a
 * decoder over a capture file.
 *
 * Life:    create -> decode ... -> destroy;   open -> next ... -> rewind -> next ... -> close.
 * Owner:   a datagram's bytes belong to the record or the decoder, valid until the next call.
 * Threads: one at a time.
 * Errors:  a record without a datagram is no error: it is counted by reason.
 */
#ifndef SL_CAPTURE_DATAGRAMS_H
#define SL_CAPTURE_DATAGRAMS_H

#include "core/capture/capture.h"
#include "core/capture/datagram.h"
#include "core/capture/reassembly.h"

/* Each record is a datagram, is counted by the reason for which it is none, or is a fragment, and
 * then counted in `reassembly`. A datagram of fragments that turns out not to be UDP, or malformed,
 * is counted once under that reason. */
struct sl_datagram_counters {
    uint64_t records;
    uint64_t datagrams;     /* delivered */
    uint64_t datagrams_cut; /* of these, without their end (SL_DATAGRAM_TRUNCATED) */
    uint64_t filtered;      /* records that the filter refused */
    uint64_t unknown_link;  /* records of a link type that link.h does not list */
    uint64_t not_ip;
    uint64_t not_udp;
    uint64_t truncated; /* cut off before the datagram's first byte */
    uint64_t malformed; /* lengths contradict each other */
    struct sl_reassembly_counters reassembly;
};

/* One line for people, of the reasons that are not zero: "12 not UDP, 3 malformed"; "" if every
 * record was delivered. Returns the line's length as snprintf does. */
int sl_datagram_counters_print(const struct sl_datagram_counters *counters, char *ret_text,
                               size_t size_bytes);

struct sl_datagram_decoder;

/* Returns 0 or -ENOMEM. */
int sl_datagram_decoder_create(struct sl_datagram_decoder **ret_decoder);
void sl_datagram_decoder_destroy(struct sl_datagram_decoder *decoder);

/* Returns 1 and a datagram, or 0. Sets SL_DATAGRAM_KERNEL_TIME where the record has a time; a
 * reassembled datagram's is that of the fragment that completed it. */
int sl_datagram_decode(struct sl_datagram_decoder *decoder, const struct sl_capture_record *record,
                       struct sl_datagram *ret_datagram);

/* Forget datagrams under way; the counters go on. */
void sl_datagram_decoder_reset(struct sl_datagram_decoder *decoder);

/* Datagrams of which some fragments are here and others not yet. */
unsigned sl_datagram_decoder_open_count(const struct sl_datagram_decoder *decoder);

/* Writes a copy. */
void sl_datagram_decoder_counters(const struct sl_datagram_decoder *decoder,
                                  struct sl_datagram_counters *ret_counters);

struct sl_datagram_reader;

/* Open a capture file. `filter` is a tcpdump filter (see live.h: it sees records, so only the first
 * fragment of a datagram has ports), or NULL. The file's beginning is checked here.
 * Returns 0 or -errno: see sl_capture_file_open, sl_capture_next, sl_filter_create, and -ENOTSUP
 * where nothing in the file can be read because of its link type. */
int sl_datagram_reader_open(const char *path, const char *filter,
                            struct sl_datagram_reader **ret_reader);
void sl_datagram_reader_close(struct sl_datagram_reader *reader);

/* Returns 1 and a datagram, 0 at the end, or -errno (see capture.h). A pcapng file whose packets
 * are all of unknown link types ends with -ENOTSUP instead of 0. */
int sl_datagram_reader_next(struct sl_datagram_reader *reader, struct sl_datagram *ret_datagram);

/* Begin anew; the counters go on. */
void sl_datagram_reader_rewind(struct sl_datagram_reader *reader);
void sl_datagram_reader_progress(const struct sl_datagram_reader *reader, uint64_t *ret_done_bytes,
                                 uint64_t *ret_total_bytes);
void sl_datagram_reader_counters(const struct sl_datagram_reader *reader,
                                 struct sl_datagram_counters *ret_counters);

#endif
