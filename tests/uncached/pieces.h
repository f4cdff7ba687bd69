/* SPDX-License-Identifier: Apache-2.0 */
/* pieces.h - a provider with a descriptor a slot, as dma-bufs have, on any machine: sealed memfds.
 *
 * Use: sl_memory_set_own_provider(&pieces_provider) -> memory "pieces"
 */
#ifndef SL_TESTS_UNCACHED_PIECES_H
#define SL_TESTS_UNCACHED_PIECES_H

#include "core/uncached/memory.h"

static int pieces_create(const struct sl_memory_config *config, const char *argument, void *place,
                         struct sl_memory *memory)
{
    (void)argument;
    return sl_memory_memfd.create(config, "", place, memory);
}

static const struct sl_memory_provider pieces_provider = {
    .name = "pieces",
    .argument = "",
    .help = "a sealed memfd a slot, for tests",
    .is_each_slot = true,
    .create = pieces_create,
};

#endif
