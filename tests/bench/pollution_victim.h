/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_victim.h - the neighbour whose cache is washed: it follows pointers through its memory
 * in random order, so that each step waits for the one before and nothing can be fetched ahead.
 *
 * Life:    init -> pass ... -> finish
 * Owner:   the caller; its memory lies in huge pages where the kernel gives them.
 * Threads: one.
 * Errors:  -ENOMEM with sl_error_text().
 */
#ifndef SL_BENCH_POLLUTION_VICTIM_H
#define SL_BENCH_POLLUTION_VICTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pollution_victim {
    void **at; /* where it is */
    void *base;
    size_t size_bytes;
    size_t step_count; /* of one pass over all its lines */
};

int pollution_victim_init(struct pollution_victim *victim, size_t size_bytes);
/* One pass over all of its memory; nanoseconds for a step. */
double pollution_victim_pass_ns(struct pollution_victim *victim);
/* So many steps on from where it is; nanoseconds for a step. */
double pollution_victim_steps_ns(struct pollution_victim *victim, size_t step_count);
void pollution_victim_finish(struct pollution_victim *victim);

/* What else the parts share. */

/* Private memory, in huge pages where the kernel gives them, touched; NULL with sl_error_text(). */
void *pollution_map(size_t size_bytes);
void pollution_unmap(void *base, size_t size_bytes);

/* Of the data or unified cache of that level that the first processor has: sysfs, else what is
 * usual (1 MB, 32 MB). */
size_t pollution_cache_bytes(unsigned level);

/* Onto the nth of the processors that were allowed at the first call: -ENODEV if there are not so
 * many. pollution_roam takes it back. */
int pollution_pin(unsigned nth);
int pollution_pin_apart(void); /* the second one, as the first has the interrupts; else the first */
void pollution_roam(void);

/* How often this thread was taken off its processor: a sample in which that happened is void. */
uint64_t pollution_switches(void);

/* How many of what the options leave open; rounds are at most POLLUTION_ROUNDS_MAX. */
#define POLLUTION_ROUNDS_MAX 101u
struct sl_bench_pollution_options;
unsigned pollution_rounds(const struct sl_bench_pollution_options *options);
size_t pollution_pool_bytes(const struct sl_bench_pollution_options *options);

/* Sorts in place. At a quarter, a half, three quarters. */
double pollution_quantile(double *numbers, unsigned count, unsigned quarters);

#endif
