/* SPDX-License-Identifier: Apache-2.0 */
/* statspage.h - this process's own page of counters, and its .node sockets.
 *
 * Life:    a row for each publisher and subscriber, from its opening to its closing; the page
 * exists while there is a row Threads: with the service lock held, but for the counters of a row,
 * which its owner adds to.
 */
#ifndef SL_SHM_STATSPAGE_H
#define SL_SHM_STATSPAGE_H

#include "core/shm/domain.h"
#include "core/shm/layout.h"

/* A row; when the page is full, one in private memory that no tool sees. NULL: no memory. */
struct sl_stats_row *sl_statspage_add(const struct sl_domain *domain, enum sl_stats_kind kind,
                                      uint64_t instance, const char *topic, const char *type);
/* Show it: everything that does not change is filled in. */
void sl_statspage_show(struct sl_stats_row *row, enum sl_stats_kind kind);
void sl_statspage_remove(struct sl_stats_row *row);

/* The name that the process goes by. */
const char *sl_statspage_node(void);

/* One writer. */
static inline void sl_stats_add(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}
static inline void sl_stats_set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}
static inline void sl_stats_set32(_Atomic uint32_t *counter, uint32_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* A number that no other instance has. */
uint64_t sl_instance_new(void);

#endif
