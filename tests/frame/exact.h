/* SPDX-License-Identifier: Apache-2.0 */
/* exact.h - bytes in memory that is exactly as large as they are, so that a sanitizer sees a read
 * of one too many. The copy is the caller's to free. */
#ifndef TESTS_FRAME_EXACT_H
#define TESTS_FRAME_EXACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline uint8_t *exact_copy(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

#endif
