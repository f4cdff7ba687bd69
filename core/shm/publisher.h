/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.h - a publisher from inside: its topic, its pool, and who is connected.
 *
 * Life:    sl_publisher_open makes it, sl_publisher_close ends it; connections come and go
 * Threads: connections and counts are the service thread's, under its lock; the channel and the
 * book of the pool are the publishing thread's.
 */
#ifndef SL_SHM_PUBLISHER_H
#define SL_SHM_PUBLISHER_H

#include "core/base/clock.h"
#include "core/shm/pool.h"
#include "core/shm/readers.h"
#include "core/shm/relay.h"
#include "core/shm/service.h"
#include "core/shm/sizes.h"
#include "core/shm/statspage.h"

#define SL_VISITORS 4 /* tools that look on, beside the subscribers; each may hold one frame */

/* One that knocked; a peer once its hello was answered. When its publisher closes and the pool goes
 * on, one that still holds frames stays with the pool until it hangs up. */
struct sl_connection {
    struct sl_watch watch;
    struct sl_watch death;    /* its process's pidfd: a forked child may keep the connection open */
    struct sl_retry deadline; /* of its hello */
    struct sl_publisher *publisher; /* NULL: it closed */
    struct sl_pool *pool;
    struct sl_connection *next;
    struct sl_peer peer;
    struct sl_word last_word; /* instead of the one in the ring, once that is gone */
    struct sl_memory ledger;
    uint32_t word_index;
    uint32_t slots_sent; /* descriptors of a pool that has one a slot */
    bool is_attached;
    bool is_visitor;
};

struct sl_publisher {
    struct sl_channel channel;
    struct sl_quick_clock clock;
    struct sl_pool *pool;
    bool owns_pool;
    struct sl_publisher_options options; /* defaults filled in */
    struct sl_publisher_sizes sizes;
    char topic[SL_TOPIC_MAX];
    char type[SL_TYPE_MAX];
    uint64_t instance;
    struct sl_readers readers;
    struct sl_memory ring_memory;
    struct sl_stats_row *row;

    struct sl_domain domain;
    struct sl_socket_name name;
    struct sl_watch listener;
    struct sl_retry listen_again; /* descriptors had run out */
    struct sl_connection *connections;
    unsigned subscriber_count, visitor_count;
    struct sl_relay relay;
    bool has_service, has_relay;
    bool *word_used; /* ring.word_count of them */
};

/* Fill the defaults in, and refuse what cannot be (sizes.h). */
int sl_publisher_complete(struct sl_publisher_options *options);

/* With the service lock held: */
int sl_connections_open(
    struct sl_publisher *publisher); /* the door: listener, name in the domain */
void sl_connections_close(struct sl_publisher *publisher);
void sl_connections_drop_orphans(struct sl_pool *pool);

#endif
