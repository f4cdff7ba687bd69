/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - bodies of any type with random but valid contents, written member by member with the
 * CDR writer alone. */
#ifndef TESTS_FRAME_SAMPLE_H
#define TESTS_FRAME_SAMPLE_H

#include "core/frame/cdr.h"
#include "core/frame/schema.h"

/* The next number of a sequence that `state`, which is not 0, alone decides. */
uint64_t sample_random(uint64_t *state);

/* Write a body at `to`; returns its size, or 0 if it does not fit. */
size_t sample_body(const struct sl_schema *schema, uint64_t seed, void *to, size_t room);

#endif
