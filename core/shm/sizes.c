/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/sizes.h"

#include "core/base/error.h"
#include "core/shm/pool.h"
#include "core/shm/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SPREAD_MIN_PAGES 16

int sl_pool_choice(const struct sl_pool_options *options, unsigned index, char *ret_kind,
                   size_t size)
{
    const char *at = options->memory       ? options->memory
                     : options->huge_pages ? SL_MEMORY_HUGE
                                           : "memfd";
    if (index > 0) {
        at = options->fallback;
        for (unsigned i = 1; at && i < index; i++)
            at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL;
        if (!at)
            return 0;
    }
    size_t length = strcspn(at, ",");
    if (length == 0 || length >= size)
        return sl_error(-EINVAL, "memory: '%.*s' is no kind of it", (int)length, at);
    snprintf(ret_kind, size, "%.*s", (int)length, at);
    int err = sl_memory_check(ret_kind);
    return err < 0 ? -EINVAL : 1;
}

/* What the pool takes, whichever choice it is made of. What the machine has is not looked at, but
 * for the size of its huge pages; without them another choice may do. */
static int size_choices(const struct sl_pool_options *options, struct sl_pool_sizes *sizes)
{
    char kind[SL_MEMORY_NAME_MAX];
    uint64_t slots_bytes = sizes->slot_size * options->slot_count, bytes;
    bool is_ram = false, any = false;
    int found, err = 0;
    sizes->is_huge = true; /* if every choice is */
    for (unsigned i = 0; (found = sl_pool_choice(options, i, kind, sizeof kind)) > 0; i++) {
        int rounded = sl_memory_round_for(kind, slots_bytes, &bytes);
        sizes->is_huge &= strcmp(kind, SL_MEMORY_HUGE) == 0 || strcmp(kind, "memfd:huge") == 0;
        err = err < 0 ? err : rounded;
        if (rounded < 0)
            continue;
        any = true;
        is_ram |= sl_memory_is_ram(kind);
        sizes->pool_bytes = bytes > sizes->pool_bytes ? bytes : sizes->pool_bytes;
    }
    sizes->device_bytes = is_ram ? 0 : sizes->pool_bytes;
    return found < 0 ? found : any ? 0 : err;
}

/* Is every choice the machine's own memory, of which a page more can be had? */
static bool is_ram_only(const struct sl_pool_options *options)
{
    char kind[SL_MEMORY_NAME_MAX];
    for (unsigned i = 0; sl_pool_choice(options, i, kind, sizeof kind) > 0; i++)
        if (!sl_memory_is_ram(kind))
            return false;
    return true;
}

/* Slots a power of two apart have their first lines, which are all of a small message and the head
 * of a large one, in the same few sets of every cache, and push each other out: messages of 64 MB
 * took 140 ns instead of 95 so. An odd number of pages spreads them over all sets; small slots are
 * not worth a page. */
static uint64_t slot_distance(const struct sl_pool_options *options)
{
    uint64_t page = sl_memory_round(1), rounded = sl_memory_round(options->slot_size);
    bool spreads = rounded >= SPREAD_MIN_PAGES * page && is_ram_only(options);
    return spreads && rounded / page % 2 == 0 ? rounded + page : rounded;
}

int sl_pool_sizes(const struct sl_pool_options *options, struct sl_pool_sizes *ret_sizes)
{
    uint64_t page = sl_memory_round(1);
    if (options->slot_size == 0 || options->slot_size > UINT32_MAX - 2 * page)
        return sl_error(-EINVAL, "slot_size %llu: give 1 byte to 4 GiB less two pages",
                        (unsigned long long)options->slot_size);
    if (options->slot_count == 0 || options->slot_count > SL_SLOTS_MAX)
        return sl_error(-EINVAL, "slot_count %u: give 1 to %u", options->slot_count, SL_SLOTS_MAX);
    if (options->side_size > SL_SIDE_MAX)
        return sl_error(-EINVAL, "side_size %u: give at most %u", options->side_size, SL_SIDE_MAX);
    struct sl_pool_sizes sizes = {
        .slot_size = slot_distance(options),
        .side_size = (options->side_size + 63) / 64 * 64,
    };
    if (options->huge_pages && options->memory)
        return sl_error(-EINVAL, "huge_pages is memory '%s'; give that or memory '%s', not both",
                        SL_MEMORY_HUGE, options->memory);
    int err = size_choices(options, &sizes);
    if (err < 0)
        return err;
    sizes.control_bytes = sl_memory_round(sl_control_size(options->slot_count, sizes.side_size));
    *ret_sizes = sizes;
    return 0;
}

int sl_publisher_sizes(struct sl_publisher_options *options, struct sl_publisher_sizes *ret_sizes)
{
    struct sl_publisher_sizes sizes = {0};
    int err = sl_publisher_complete(options);
    if (err == 0 && !options->pool && options->slot_count > 0) {
        const struct sl_pool_options pool = {
            .slot_size = options->slot_size,
            .slot_count = options->slot_count,
            .side_size = options->side_size,
            .huge_pages = options->huge_pages,
            .memory = options->memory,
            .fallback = options->fallback,
        };
        err = sl_pool_sizes(&pool, &sizes.pool);
    }
    if (err < 0)
        return err;
    sizes.ledgers = options->subscribers + SL_VISITORS;
    sizes.ring_bytes =
        sl_memory_round(sl_ring_size(options->ring, options->inline_max, sizes.ledgers));
    sizes.ledger_bytes = sl_memory_round(sl_ledger_segment_size(options->slot_count));
    sizes.total_bytes = sizes.pool.pool_bytes - sizes.pool.device_bytes + sizes.pool.control_bytes +
                        sizes.ring_bytes + sizes.ledgers * sizes.ledger_bytes;
    *ret_sizes = sizes;
    return 0;
}

uint64_t sl_process_bytes(void)
{
    return sl_memory_round(sizeof(struct sl_stats));
}
