/* SPDX-License-Identifier: Apache-2.0 */
/* origins.h - publishers of the bus that a bridge remembers: its own, of which the messages came in
 * from DDS and do not go out again, and those of topics that cannot go out.
 *
 * Threads: the main thread.
 */
#ifndef SL_NODES_DDS_BRIDGE_ORIGINS_H
#define SL_NODES_DDS_BRIDGE_ORIGINS_H

#include <stdbool.h>
#include <stdint.h>

#define BRIDGE_ORIGINS_MAX                                                \
    256 /* the newest; older publishers are closed, and read to their end \
         */

struct bridge_origins {
    uint64_t instance[BRIDGE_ORIGINS_MAX];
    unsigned count; /* ever */
};

static inline void bridge_origins_add(struct bridge_origins *origins, uint64_t instance)
{
    origins->instance[origins->count++ % BRIDGE_ORIGINS_MAX] = instance;
}

static inline bool bridge_origins_has(const struct bridge_origins *origins, uint64_t instance)
{
    for (unsigned i = 0; i < origins->count && i < BRIDGE_ORIGINS_MAX; i++)
        if (origins->instance[i] == instance)
            return true;
    return false;
}

#endif
