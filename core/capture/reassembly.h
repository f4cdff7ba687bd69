/* SPDX-License-Identifier: Apache-2.0 */
/* reassembly.h - IP fragments put together again, IPv4 and IPv6 alike.
 *
 * A fixed ring of places, one for each datagram under way, keyed by family, source, destination,
 * protocol and id (IPv6: without the protocol, RFC 8200 4.5). The next datagram takes the ring's
 * oldest place. Time is the packets' own, so a capture gives the same however fast it is read; a
 * place lives SL_REASSEMBLY_TIMEOUT_NS, measured in both directions: a clock that jumps back
 * ends it as well.
 *
 * Fragments that overlap with other bytes, or contradict each other about the end, spoil their
 * datagram: it is given up, and so is what still comes of it (RFC 5722, RFC 8900 3.7). A fragment
 * that came before, byte for byte, is ignored. What is incomplete never joins another id's bytes.
 *
 * Life:    create -> add ...; reset between captures; destroy. All memory is taken at create.
 * Owner:   a whole packet's bytes are the ring's, valid until the next call.
 * Threads: one at a time.
 */
#ifndef SL_CAPTURE_REASSEMBLY_H
#define SL_CAPTURE_REASSEMBLY_H

#include "core/capture/ip.h"

#define SL_REASSEMBLY_PLACES     32
#define SL_REASSEMBLY_TIMEOUT_NS UINT64_C(100000000)
#define SL_REASSEMBLY_MAX_BYTES  65536 /* of one datagram, IP header excluded */

/* Fragments and datagrams, by what became of them. */
struct sl_reassembly_counters {
    uint64_t fragments;  /* seen */
    uint64_t whole;      /* datagrams completed */
    uint64_t timeouts;   /* datagrams given up: too old, or the capture ended */
    uint64_t evicted;    /* datagrams given up: their place was needed */
    uint64_t overlaps;   /* datagrams given up: fragments contradict each other */
    uint64_t duplicates; /* fragments that came before */
    uint64_t late;       /* fragments of a datagram that was given up for an overlap */
    uint64_t too_long;   /* fragments that reach over SL_REASSEMBLY_MAX_BYTES */
    uint64_t malformed;  /* fragments that are empty, or odd in size yet not the last */
    uint64_t truncated;  /* fragments that were cut off when captured */
};

struct sl_reassembly;

/* Returns 0 or -ENOMEM. */
int sl_reassembly_create(struct sl_reassembly **ret_reassembly);
void sl_reassembly_destroy(struct sl_reassembly *reassembly);

/* Take in a fragment that was captured at `time_ns` (0 = not known: as old as the last one).
 * Returns 1 and the whole packet (no fragment any more, extension headers still before it), or 0.
 */
int sl_reassembly_add(struct sl_reassembly *reassembly, const struct sl_ip_packet *fragment,
                      uint64_t time_ns, struct sl_ip_packet *ret_whole);

/* Give up all that is under way, counted as timeouts: the capture ended, or begins anew. */
void sl_reassembly_reset(struct sl_reassembly *reassembly);

/* Datagrams under way that are not too old. */
unsigned sl_reassembly_open_count(const struct sl_reassembly *reassembly);

const struct sl_reassembly_counters *sl_reassembly_counters(const struct sl_reassembly *reassembly);

#endif
