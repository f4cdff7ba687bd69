/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - the one full fence of the bus, and what else is the machine's.
 *
 * Take and recycle are two sides of one question ("did you see my hold before I took the slot
 * back?"), which only a store followed by a load of another address can ask. That needs a full
 * fence on both sides. ThreadSanitizer does not understand fences: in its build the fence is a
 * read-modify-write of one shared cell, which orders at least as much where it runs (its run-time
 * makes every one a full barrier). The read-modify-write is relaxed in name, so that it does not
 * tell the sanitizer of any order: a frame must be kept apart by the orders of state words and
 * holds, and a fault in those would otherwise hide behind the cell.
 */
#ifndef SL_SHM_ORDER_H
#define SL_SHM_ORDER_H

#include <stdatomic.h>

#ifdef SLUICE_TSAN
extern _Atomic unsigned sl_order_cell;
static inline void sl_fence_full(void)
{
    atomic_fetch_add_explicit(&sl_order_cell, 1, memory_order_relaxed);
}
static inline void sl_fence_release(void)
{
    atomic_fetch_add_explicit(&sl_order_cell, 1, memory_order_relaxed);
}
static inline void sl_fence_acquire(void)
{
    atomic_fetch_add_explicit(&sl_order_cell, 1, memory_order_relaxed);
}
#else
static inline void sl_fence_full(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}
static inline void sl_fence_release(void)
{
    atomic_thread_fence(memory_order_release);
}
static inline void sl_fence_acquire(void)
{
    atomic_thread_fence(memory_order_acquire);
}
#endif

/* Fetch a line that is going to be written, so that the store need not wait for it to come from the
 * core that read it last. A hint. (gcc's prefetch for writing is one for reading on x86-64, unless
 * it is told of prefetchw; where that is not known it does nothing.) */
static inline void sl_prefetch_to_write(const void *line)
{
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

/* A test may seed the faults that ThreadSanitizer must report: see tests/shm/test_order.c. */
#ifndef SL_ORDER_PUBLISH
#define SL_ORDER_PUBLISH memory_order_release
#endif
#ifndef SL_ORDER_RELEASE
#define SL_ORDER_RELEASE memory_order_release
#endif

#endif
