/* SPDX-License-Identifier: Apache-2.0 */
/* statspage.h - this process's own page of counters, and its .node sockets.
 *
 * Life:    a row for each publisher and subscriber, a sheet for each set of counters, from its
 *          opening to its closing; the page exists while there is one of them.
 * Threads: with the service lock held, but for the counters, which their owner adds to.
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

/* A sheet (counters.h), shown at once; the same else. */
struct sl_stats_sheet *sl_statspage_add_sheet(const struct sl_domain *domain, const char *title,
                                              const char *const *names);
void sl_statspage_remove_sheet(struct sl_stats_sheet *sheet);

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
