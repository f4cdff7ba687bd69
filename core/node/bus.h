/* SPDX-License-Identifier: Apache-2.0 */
/* bus.h - the words for what carries descriptors: of --bus, of a launch file's `bus:` and of
 * $SLUICE_BUS.
 *
 * Threads: any; pure.
 */
#ifndef SL_NODE_BUS_H
#define SL_NODE_BUS_H

#include "core/shm/sluice.h"

extern const char *const sl_bus_names[]; /* "native", "iceoryx", NULL */

/* What the word number `index` stands for. */
static inline enum sl_bus sl_bus_at(int index)
{
    return (enum sl_bus)(SL_BUS_NATIVE + index);
}

/* Its word; not for SL_BUS_DEFAULT. */
static inline const char *sl_bus_name(enum sl_bus bus)
{
    return sl_bus_names[bus - SL_BUS_NATIVE];
}

#endif
