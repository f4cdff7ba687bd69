/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/sizes.h"

#include "core/base/error.h"
#include "core/shm/pool.h"
#include "core/shm/publisher.h"

#include <errno.h>

int sl_pool_sizes(const struct sl_pool_options *options, struct sl_pool_sizes *ret_sizes)
{
    uint64_t page = sl_memory_round(1);
    if (options->slot_size == 0 || options->slot_size > UINT32_MAX - page)
        return sl_error(-EINVAL, "slot_size %llu: give 1 byte to 4 GiB less a page",
                        (unsigned long long)options->slot_size);
    if (options->slot_count == 0 || options->slot_count > SL_SLOTS_MAX)
        return sl_error(-EINVAL, "slot_count %u: give 1 to %u", options->slot_count, SL_SLOTS_MAX);
    if (options->side_size > SL_SIDE_MAX)
        return sl_error(-EINVAL, "side_size %u: give at most %u", options->side_size, SL_SIDE_MAX);
    struct sl_pool_sizes sizes = {
        .slot_size = sl_memory_round(options->slot_size),
        .side_size = (options->side_size + 63) / 64 * 64,
    };
    sizes.pool_bytes = sl_memory_round(sizes.slot_size * options->slot_count);
    int err = options->huge_pages ? sl_memory_round_huge(sizes.pool_bytes, &sizes.pool_bytes) : 0;
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
        };
        err = sl_pool_sizes(&pool, &sizes.pool);
    }
    if (err < 0)
        return err;
    sizes.ledgers = options->subscribers + SL_VISITORS;
    sizes.ring_bytes =
        sl_memory_round(sl_ring_size(options->ring, options->inline_max, sizes.ledgers));
    sizes.ledger_bytes = sl_memory_round(sizeof(struct sl_ledger) + options->slot_count);
    sizes.total_bytes = sizes.pool.pool_bytes + sizes.pool.control_bytes + sizes.ring_bytes +
                        sizes.ledgers * sizes.ledger_bytes;
    *ret_sizes = sizes;
    return 0;
}

uint64_t sl_process_bytes(void)
{
    return sl_memory_round(sizeof(struct sl_stats));
}
