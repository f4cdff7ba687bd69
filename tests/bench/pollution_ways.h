/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_ways.h - every way to write or read one frame, for all parts of the bench.
 *
 * Threads: one; scratch is shared. Errors: none.
 */
#ifndef SL_BENCH_POLLUTION_WAYS_H
#define SL_BENCH_POLLUTION_WAYS_H

#include <stddef.h>
#include <stdint.h>

struct pollution_way {
    const char *name;
    const char *peer; /* the plain way to do the same; NULL = it is one itself */
    void (*run)(uint8_t *frame, size_t frame_bytes);
    size_t touched_one_in; /* bytes: 1 = all of them */
};

/* A plain way stands before those that are compared with it. */
extern const struct pollution_way pollution_ways[];
extern const unsigned pollution_way_count;

/* As read_stream, but also where it does not pay: for finding out from where on it does. */
extern const struct pollution_way pollution_read_always;

const struct pollution_way *pollution_way_find(const char *name);

void pollution_ways_init(void); /* before the first is run */

#endif
