/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SHM_ICEORYX_H
#define SL_SHM_ICEORYX_H
#include "core/frame/descriptor.h"
#include "core/shm/domain.h"
#include "core/shm/layout.h"
struct sl_parcel {                            /* a chunk */
    struct sl_descriptor d;                   /* with seq */
    struct sl_range range[SL_RANGES_MAX];     /* of a gathered body (12 bytes each), else zero */
    unsigned char inline_body[SL_INLINE_MAX]; /* only as long as the publisher's inline_max */
};
bool sl_iceoryx_is_there(void); /* was it built in? */

/* One runtime a process, from the first endpoint on. Within a second: 0; -ENOTSUP not built in;
 * -ENOENT no RouDi runs; -ETIMEDOUT it does not answer; -ESTALE another RouDi than at the beginning
 * runs now: restart this process. */
int sl_iceoryx_start(const struct sl_domain *domain);
uint64_t
sl_iceoryx_roudi(void); /* identity of the RouDi this process is registered with; 0 = none */

struct sl_iceoryx_sender;
int sl_iceoryx_sender_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                           uint32_t inline_max, struct sl_iceoryx_sender **ret);
/* Publishing thread: have a chunk at hand, so that the send that follows cannot fail. -EAGAIN:
 * RouDi's memory pool has none. */
int sl_iceoryx_reserve(struct sl_iceoryx_sender *sender);
void sl_iceoryx_send(struct sl_iceoryx_sender *sender, const struct sl_descriptor *d,
                     const struct sl_range *ranges, uint32_t range_count, const void *inline_body);
void sl_iceoryx_sender_close(struct sl_iceoryx_sender *sender);

struct sl_iceoryx_receiver;
#define SL_ICEORYX_QUEUE 256 /* descriptors; iceoryx's own limit */
int sl_iceoryx_receiver_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                             uint32_t inline_max, struct sl_iceoryx_receiver **ret);
/* Taking thread: 1 a parcel was copied out (its chunk is given back), 0 nothing there, -EPROTO a
 * chunk that is no parcel (smaller than it must be; it was dropped). Nothing in it has been checked
 * beyond its size. inline_to has room for inline_max bytes. */
int sl_iceoryx_receive(struct sl_iceoryx_receiver *receiver, struct sl_descriptor *ret_d,
                       struct sl_range ret_ranges[SL_RANGES_MAX], void *inline_to);
void sl_iceoryx_receiver_close(struct sl_iceoryx_receiver *receiver);
#endif
