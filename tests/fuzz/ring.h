/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - the two sides of the bus against a peer that does what the input says.
 *
 * Life:    each side is set up, played to the end of the input and taken down in one call
 * Owner:   the input belongs to the caller; memory of the peer is allocated exactly, so that the
 *          address sanitizer sees one byte too many
 * Threads: one. What a peer does while we look is done at our fences: ring_reader.c and
 *          ring_slots.c compile the real reader.c and slots.c with fences at which the peer moves
 * Errors:  abort() when a promise is broken
 */
#ifndef SL_TESTS_FUZZ_RING_H
#define SL_TESTS_FUZZ_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct input {
    const uint8_t *at;
    size_t left;
};

/* The next byte; 0 behind the end. */
static inline uint8_t next8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static inline uint64_t next64(struct input *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | next8(in);
    return value;
}

/* Mostly small; sometimes any. */
static inline uint64_t next_number(struct input *in)
{
    uint8_t small = next8(in);
    return small < 0xf0 ? small : small < 0xf8 ? UINT64_MAX - (small & 7) : next64(in);
}

static inline void expect(bool is_true)
{
    if (!is_true)
        abort();
}

/* Zeroed, as a mapping is aligned, and not a byte longer. */
void *peer_memory(size_t size_bytes);

/* A reader whose publisher is hostile. */
void play_reader(struct input *in);
/* A publisher whose subscribers are hostile. */
void play_slots(struct input *in);

#endif
