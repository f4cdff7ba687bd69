/* SPDX-License-Identifier: Apache-2.0 */
/* lidar.h - what the fuzz targets of lidars share: the input, taken bit by bit, rooms for frames,
 * and kernels that must agree.
 *
 * An input is a configuration and records, so that deep states are a few bytes away, and any bytes
 * may still come. Where it has ended, zeros go on.
 */
#ifndef SL_TESTS_FUZZ_LIDAR_H
#define SL_TESTS_FUZZ_LIDAR_H

#include "core/base/bytes.h"
#include "drivers/lidar/assembly.h"
#include "drivers/lidar/simd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

/* ---- input ------------------------------------------------------------------------------------*/

struct input {
    const uint8_t *at, *end;
};

static inline unsigned take(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static inline unsigned take_two(struct input *in)
{
    unsigned low = take(in);
    return low | take(in) << 8;
}

/* Up to `size` bytes as they stand. `ret_size`: as many as there are. */
static inline const uint8_t *take_bytes(struct input *in, size_t size, size_t *ret_size)
{
    const uint8_t *bytes = in->at;
    *ret_size = size < (size_t)(in->end - in->at) ? size : (size_t)(in->end - in->at);
    in->at += *ret_size;
    return bytes;
}

/* In memory that is exactly as large as it is, so that a byte too many is seen. Free it. */
static inline uint8_t *exact_copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    CHECK(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* ---- rooms ------------------------------------------------------------------------------------*/

#define ROOMS 2 /* never more are open */

/* A room's end is the end of its allocation, so that a sanitizer guards it. */
struct rooms {
    size_t bytes; /* of one */
    unsigned refuse_one_in, opens;
    bool in_use[ROOMS];
    uint8_t *data[ROOMS];
    /* looks at each frame that is closed */
    void (*check)(const void *context, const uint8_t *data, const struct lidar_frame_info *info);
    const void *context;
    uint64_t sum; /* of all frames that were closed */
};

static inline int rooms_open_one(void *context, struct lidar_frame_room *ret_room)
{
    struct rooms *rooms = context;
    if (rooms->refuse_one_in > 0 && ++rooms->opens % rooms->refuse_one_in == 0)
        return -1;
    for (unsigned i = 0; i < ROOMS; i++) {
        if (rooms->in_use[i])
            continue;
        rooms->in_use[i] = true;
        *ret_room = (struct lidar_frame_room){rooms->data[i], rooms->bytes, &rooms->in_use[i]};
        return 0;
    }
    abort();
}

static inline void rooms_discard_one(void *context, void *handle)
{
    (void)context;
    bool *in_use = handle;
    CHECK(*in_use);
    *in_use = false;
}

static inline void rooms_add(struct rooms *rooms, uint64_t word)
{
    rooms->sum = (rooms->sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    rooms->sum ^= rooms->sum >> 29;
}

static inline void rooms_add_frame(struct rooms *rooms, const uint8_t *data,
                                   const struct lidar_frame_info *info)
{
    for (size_t at = 0; at + 8 <= info->size_bytes; at += 8)
        rooms_add(rooms, sl_get_le64(data + at));
    for (size_t at = info->size_bytes / 8 * 8; at < info->size_bytes; at++)
        rooms_add(rooms, data[at]);
    rooms_add(rooms, info->valid);
    rooms_add(rooms, info->size_bytes);
}

static inline void rooms_close_one(void *context, void *handle, const struct lidar_frame_info *info)
{
    struct rooms *rooms = context;
    const uint8_t *data = rooms->data[(bool *)handle - rooms->in_use];
    CHECK(info->size_bytes <= rooms->bytes);
    rooms->check(rooms->context, data, info);
    rooms_add_frame(rooms, data, info);
    rooms_discard_one(context, handle);
}

static inline void rooms_progress(void *context, void *handle,
                                  const struct lidar_frame_progress *progress)
{
    const struct rooms *rooms = context;
    size_t last = (size_t)(progress->returns - 1) * progress->rows + progress->columns;
    CHECK(*(bool *)handle);
    CHECK(progress->returns >= 1 && progress->columns >= 1 && progress->columns <= progress->rows);
    CHECK(last * progress->width * LIDAR_POINT_BYTES <= rooms->bytes);
}

static inline struct lidar_frame_sink rooms_sink(struct rooms *rooms)
{
    return (struct lidar_frame_sink){rooms, rooms_open_one, rooms_close_one, rooms_discard_one,
                                     rooms_progress};
}

/* `rooms->bytes` is set. */
static inline void rooms_make(struct rooms *rooms)
{
    for (unsigned i = 0; i < ROOMS; i++) {
        rooms->data[i] = aligned_alloc(32, rooms->bytes);
        CHECK(rooms->data[i]);
    }
}

/* All frames were closed or discarded. */
static inline void rooms_end(struct rooms *rooms)
{
    for (unsigned i = 0; i < ROOMS; i++) {
        CHECK(!rooms->in_use[i]);
        free(rooms->data[i]);
    }
}

/* ---- kernels ----------------------------------------------------------------------------------*/

/* `decode` gives its rooms' sum: kernels of all that this CPU has make the same frames. */
static inline void compare_kernels(uint64_t (*decode)(const uint8_t *bytes, size_t size_bytes,
                                                      enum lidar_simd simd),
                                   const uint8_t *bytes, size_t size_bytes)
{
    uint64_t sum = decode(bytes, size_bytes, LIDAR_SIMD_SCALAR);
    for (enum lidar_simd simd = LIDAR_SIMD_SCALAR + 1; simd < LIDAR_SIMDS; simd++)
        CHECK(!lidar_simd_is_supported(simd) || decode(bytes, size_bytes, simd) == sum);
}

/* Columns of `width` points, each with its ring. */
static inline void check_rings(const void *context, const uint8_t *data,
                               const struct lidar_frame_info *info)
{
    (void)context;
    CHECK(info->valid <= info->columns * info->width * info->returns);
    for (size_t i = 0; i < (size_t)info->height * info->width; i++)
        CHECK(sl_get_le16(data + i * LIDAR_POINT_BYTES + LIDAR_POINT_RING) == i % info->width);
}

#endif
