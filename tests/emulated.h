/* SPDX-License-Identifier: Apache-2.0 */
/* emulated.h - what a test does otherwise where its program is run by qemu-user (the build arm64).
 *
 * SLUICE_EMULATED is 1 there, else 0: for smaller numbers, as an emulated program is ten to thirty
 * times slower. SKIP_EMULATED(what) leaves a test out that needs `what` of the kernel and gets
 * qemu's own answer instead; tests/allowed_skips lists it. Whole programs: tests/emulated.cmake.
 */
#ifndef SL_TESTS_EMULATED_H
#define SL_TESTS_EMULATED_H

#include <stdio.h>

#ifndef SLUICE_EMULATED
#define SLUICE_EMULATED 0
#endif

/* cmocka.h comes first. */
#define SKIP_EMULATED(what)                           \
    do {                                              \
        if (SLUICE_EMULATED) {                        \
            puts("SKIP: not under qemu-user: " what); \
            skip();                                   \
        }                                             \
    } while (0)

#endif
