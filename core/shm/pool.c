/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/pool.h"

#include "core/base/error.h"
#include "core/shm/publisher.h"
#include "core/shm/sizes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t sides_offset(uint32_t slot_count)
{
    uint64_t states_end = sizeof(struct sl_control) + (uint64_t)slot_count * sizeof(uint64_t);
    return (states_end + SL_LINE - 1) / SL_LINE * SL_LINE;
}

size_t sl_control_size(uint32_t slot_count, uint32_t side_size)
{
    return sides_offset(slot_count) + (uint64_t)slot_count * side_size;
}

int sl_control_map(const struct sl_memory *control, uint32_t slot_count, uint64_t slot_size,
                   uint32_t side_size, const _Atomic uint64_t **ret_states,
                   const unsigned char **ret_sides)
{
    struct sl_control c;
    memcpy(&c, control->base, sizeof c);
    if (c.header.magic != SL_MAGIC || c.header.kind != SL_SEGMENT_CONTROL)
        return sl_error(-EPROTO, "segment is no pool control (magic %08x)", c.header.magic);
    if (c.header.version != SL_PROTOCOL_VERSION)
        return sl_error(
            -EPROTONOSUPPORT,
            "pool of protocol version %u, this program speaks %u; rebuild the older one",
            c.header.version, SL_PROTOCOL_VERSION);
    if (c.slot_count != slot_count || c.slot_size != slot_size || c.side_size != side_size ||
        c.states_offset != sizeof c || c.sides_offset != sides_offset(slot_count) ||
        sl_control_size(slot_count, side_size) > control->size_bytes)
        return sl_error(-EPROTO, "pool control of %u slots does not fit what was announced",
                        c.slot_count);
    *ret_states = (const void *)(control->base + sizeof c);
    *ret_sides = side_size ? control->base + sides_offset(slot_count) : NULL;
    return 0;
}

static int make_control(struct sl_pool *pool, uint32_t slot_count)
{
    struct sl_memory_config config = {
        .name = "sluice-control",
        .size_bytes = sl_control_size(slot_count, pool->side_size),
    };
    int err = sl_memory_create(&config, &pool->control);
    if (err < 0)
        return err;
    *(struct sl_control *)(void *)pool->control.base = (struct sl_control){
        .header =
            {
                .magic = SL_MAGIC,
                .version = SL_PROTOCOL_VERSION,
                .kind = SL_SEGMENT_CONTROL,
                .size_bytes = pool->control.size_bytes,
            },
        .slot_size = pool->slot_size,
        .slot_count = slot_count,
        .side_size = pool->side_size,
        .states_offset = sizeof(struct sl_control),
        .sides_offset = sides_offset(slot_count),
    };
    if (pool->side_size > 0)
        pool->sides = pool->control.base + sides_offset(slot_count);
    return 0;
}

/* The first of the choices that there is; `note` tells of those before it. */
static int make_slots(struct sl_pool *pool, const struct sl_pool_options *options)
{
    char failed[SL_ERROR_TEXT_MAX] = "";
    int found, err = 0;
    unsigned i;
    for (i = 0; (found = sl_pool_choice(options, i, pool->kind, sizeof pool->kind)) > 0; i++) {
        struct sl_memory_config config = {
            .name = "sluice-pool",
            .size_bytes = pool->slot_size * options->slot_count,
            .slot_bytes = pool->slot_size,
            .provider = pool->kind,
            .lock = options->lock,
        };
        err = sl_memory_create(&config, &pool->memory);
        if (err == 0 && i > 0)
            snprintf(pool->note, sizeof pool->note, "its slots lie in %s, since %s", pool->kind,
                     failed);
        else if (err == 0)
            snprintf(pool->note, sizeof pool->note, "%s", sl_error_text());
        if (err == 0)
            return 0;
        size_t used = strlen(failed);
        snprintf(failed + used, sizeof failed - used, "%s%s is not to be had (%s)",
                 used ? ", and " : "", pool->kind, sl_error_text());
    }
    if (found < 0)
        return found;
    return i > 1 ? sl_error(err, "%s", failed) : err;
}

static int make_memory(struct sl_pool *pool, const struct sl_pool_options *options)
{
    struct sl_pool_sizes sizes;
    int err = sl_pool_sizes(options, &sizes);
    if (err < 0)
        return err;
    pool->slot_size = sizes.slot_size;
    pool->side_size = sizes.side_size;
    err = make_slots(pool, options);
    if (err < 0)
        return sl_error_at(err, "pool of %u slots of %llu bytes", options->slot_count,
                           (unsigned long long)pool->slot_size);
    return make_control(pool, options->slot_count);
}

static int create(const struct sl_pool_options *options, struct sl_pool **ret_pool)
{
    struct sl_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return sl_error(-ENOMEM, "no memory for a pool");
    pool->memory = pool->control = SL_MEMORY_NONE;
    int err = options ? make_memory(pool, options) : 0;
    _Atomic uint64_t *states =
        pool->control.base ? (void *)(pool->control.base + sizeof(struct sl_control)) : NULL;
    if (err == 0)
        err = sl_slots_init(&pool->slots, options ? options->slot_count : 0, states);
    if (err < 0) {
        sl_pool_destroy(pool);
        return err;
    }
    *ret_pool = pool;
    return 0;
}

int sl_pool_create(const struct sl_pool_options *options, struct sl_pool **ret_pool)
{
    struct sl_pool *pool;
    int err = create(options, &pool);
    if (err < 0)
        return err;
    /* It may outlive its publishers, and their subscribers' holds must then still be watched. */
    err = sl_service_acquire();
    if (err < 0) {
        sl_pool_destroy(pool);
        return err;
    }
    pool->has_service = true;
    sl_pool_tell(pool);
    *ret_pool = pool;
    return 0;
}

void sl_pool_tell(const struct sl_pool *pool)
{
    if (pool->note[0])
        sl_error(0, "%s", pool->note);
    else
        sl_error_clear();
}

int sl_pool_create_own(const struct sl_pool_options *options, struct sl_pool **ret_pool)
{
    return create(options, ret_pool);
}

void sl_pool_destroy(struct sl_pool *pool)
{
    if (!pool)
        return;
    if (pool->has_service) {
        sl_service_lock();
        sl_connections_drop_orphans(pool);
        sl_service_unlock();
        sl_service_release();
    }
    sl_slots_finish(&pool->slots);
    sl_memory_close(&pool->control);
    sl_memory_close(&pool->memory);
    free(pool);
}
