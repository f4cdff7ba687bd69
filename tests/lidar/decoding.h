/* SPDX-License-Identifier: Apache-2.0 */
/* decoding.h - what the tests of the decoder share: one decoder, its frames, and frames to compare
 * with.
 *
 * Life, owner: globals of the test program that includes it, once.
 * Threads: one.
 * Errors:  the test fails.
 */
#ifndef SL_TESTS_LIDAR_DECODING_H
#define SL_TESTS_LIDAR_DECODING_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "tests/lidar/frames.h"

#define ROOM_BYTES      (4000 * 16 * 22)
#define COLUMN_US       55.296
#define COLUMN_DEG      (10 * 360 * COLUMN_US * 1e-6) /* at 10 turns a second */
#define PACKETS_2_TURNS 170

static struct frames frames, reference;
static struct lidar_decoder *decoder;

static inline void start_with(struct frames *to, const struct lidar_decoder_config *config,
                              size_t room)
{
    struct lidar_frame_sink sink = frames_sink(to);
    frames_init(to, room);
    assert_int_equal(lidar_decoder_create(config, &sink, &decoder), 0);
}

static inline void start(struct frames *to)
{
    struct lidar_decoder_config config = {0};
    start_with(to, &config, ROOM_BYTES);
}

static inline void end(void)
{
    assert_int_equal(lidar_decoder_flush(decoder), 0);
}

static inline void drop(struct frames *of)
{
    lidar_decoder_destroy(decoder);
    decoder = NULL;
    frames_finish(of);
}

static inline uint64_t count_of(enum lidar_count which)
{
    return lidar_decoder_counts(decoder)->count[which];
}

static inline void push(const struct fake_sensor *sensor, unsigned n)
{
    assert_int_equal(fake_push(sensor, n, decoder), 0);
}

static inline void push_range(const struct fake_sensor *sensor, unsigned from, unsigned to)
{
    for (unsigned n = from; n < to; n++)
        push(sensor, n);
}

/* Two turns without a fault, to compare with. */
static inline void make_reference(const struct fake_sensor *sensor)
{
    start(&reference);
    push_range(sensor, 0, PACKETS_2_TURNS);
    end();
    lidar_decoder_destroy(decoder);
    decoder = NULL;
}

/* Times may differ where a frame's first column was late: stamps are whole microseconds. */
static inline void same_frames(const struct frames *got, float time_tolerance_s)
{
    assert_int_equal(got->closed, reference.closed);
    for (unsigned i = 0; i < got->closed; i++) {
        const struct lidar_frame_info *a = &got->kept[i].info, *b = &reference.kept[i].info;
        assert_int_equal(a->height, b->height);
        assert_int_equal(a->missing, 0);
        assert_int_equal(a->valid, b->valid);
        assert_int_equal(a->partial, b->partial);
        for (unsigned at = 0; at < a->size_bytes / 22; at++) {
            struct point p = frame_point(&got->kept[i], at / 16, at % 16);
            struct point q = frame_point(&reference.kept[i], at / 16, at % 16);
            assert_memory_equal(&p, &q, offsetof(struct point, ring));
            assert_int_equal(p.ring, q.ring);
            assert_true(fabsf(p.time - q.time) <= time_tolerance_s);
        }
    }
}

static inline void push_bytes(const uint8_t *packet, uint32_t size)
{
    struct sl_datagram datagram = {.bytes = packet, .size_bytes = size};
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
}

#endif
