/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - a pool in its publisher's process: the slots, the control segment, the book.
 *
 * Life:    sl_pool_create (sluice.h) -> publishers use it -> sl_pool_destroy
 * Threads: as slots.h.
 */
#ifndef SL_SHM_POOL_H
#define SL_SHM_POOL_H

#include "core/base/error.h"
#include "core/shm/slots.h"
#include "core/uncached/memory.h"

struct sl_pool {
    struct sl_slots slots;
    struct sl_memory memory;       /* the slots; none if slot_count is 0 */
    char kind[SL_MEMORY_NAME_MAX]; /* what it was made of, as it is written */
    char note[SL_ERROR_TEXT_MAX];  /* why it is not the first choice; "" = it is */
    struct sl_memory control;      /* struct sl_control, slot states, side areas */
    unsigned char *sides;          /* in the control segment; NULL = none */
    uint64_t slot_size;            /* distance of slots */
    uint32_t side_size;
    unsigned users;        /* publishers */
    _Atomic unsigned died; /* subscribers whose process ended; counted by the service thread */
    bool has_service;
    struct sl_connection *orphans; /* of closed publishers, still holding slots; see connection.c */
};

size_t sl_control_size(uint32_t slot_count, uint32_t side_size);
/* A control segment of another process: its slot states and side areas, checked against the
 * welcome. */
int sl_control_map(const struct sl_memory *control, uint32_t slot_count, uint64_t slot_size,
                   uint32_t side_size, const _Atomic uint64_t **ret_states,
                   const unsigned char **ret_sides);

/* For one publisher, which destroys it; `options` NULL = a book without slots, for one that
 * publishes inline messages only. */
int sl_pool_create_own(const struct sl_pool_options *options, struct sl_pool **ret_pool);

/* Leave in sl_error_text() why it is not made of what was wanted first, or nothing. */
void sl_pool_tell(const struct sl_pool *pool);

#endif
