/* SPDX-License-Identifier: Apache-2.0 */
/* live.h - libpcap's two gifts: tcpdump filters, and records from a live interface.
 *
 * Built without libpcap (SLUICE_WITH_PCAP=OFF), both are there and return -ENOTSUP.
 *
 * Life:    create -> match ... -> destroy;   open -> next ... -> close.
 * Owner:   a record's bytes are libpcap's, valid until the next call.
 * Threads: one at a time per object.
 */
#ifndef SL_CAPTURE_LIVE_H
#define SL_CAPTURE_LIVE_H

#include "core/capture/capture.h"

struct sl_filter;

/* A filter in tcpdump's language (pcap-filter(7)): "udp port 2368 and host 192.168.1.201". It looks
 * at single records: of a datagram in fragments only the first has ports, so filter fragmented
 * streams by host. Behind VLAN tags the language wants "vlan and ...".
 * Returns 0, -EINVAL with the language's complaint, -ENOMEM, -ENOTSUP. */
int sl_filter_create(const char *text, struct sl_filter **ret_filter);
void sl_filter_destroy(struct sl_filter *filter);

/* Returns 1 or 0; -EINVAL if the filter makes no sense for the record's link type ("ether" on raw
 * IP), -EOVERFLOW after SL_FILTER_LINK_TYPES_MAX different link types. */
#define SL_FILTER_LINK_TYPES_MAX 8
int sl_filter_match(struct sl_filter *filter, const struct sl_capture_record *record);

struct sl_live_options {
    const char *interface; /* "eth0"; "any" for all */
    const char *filter;    /* NULL = everything */
    uint32_t buffer_bytes; /* the kernel's ring; 0 = SL_LIVE_BUFFER_BYTES */
    bool promiscuous;      /* also what is addressed to others */
};
#define SL_LIVE_BUFFER_BYTES (32u << 20)

struct sl_live_statistics {
    uint64_t received;        /* records that passed the filter */
    uint64_t kernel_drops;    /* the kernel's ring was full */
    uint64_t interface_drops; /* the card's or driver's, where it tells */
};

struct sl_live;

/* Begin to capture. Returns 0 or
 * -ENODEV   there is no such interface (the sentence lists those that there are)
 * -EPERM    not allowed (the sentence says what to do)
 * -ENETDOWN the interface is down
 * -EINVAL   the filter is wrong
 * -ENOTSUP  built without libpcap, or an unknown link type
 * -EIO, -ENOMEM  what libpcap says. */
int sl_live_open(const struct sl_live_options *options, struct sl_live **ret_live);
void sl_live_close(struct sl_live *live);

/* The next record. Never waits: 1, 0 = none now, -ENETDOWN, -EIO. */
int sl_live_next(struct sl_live *live, struct sl_capture_record *ret_record);

/* For poll or epoll: readable when next has something. */
int sl_live_fd(const struct sl_live *live);
int sl_live_statistics(struct sl_live *live, struct sl_live_statistics *ret_statistics);

#endif
