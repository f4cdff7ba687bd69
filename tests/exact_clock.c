/* SPDX-License-Identifier: Apache-2.0 */
/* exact_clock.c - preloaded into a program of ours: its stamps are exact.
 *
 * Each question for the time takes so long that sl_quick_clock (core/base/clock.c) takes it for
 * interrupted, and asks the kernel each time instead of extrapolating. So whatever one thread
 * publishes is stamped in the order in which it does, by whichever publisher. */
#include <dlfcn.h>
#include <stdint.h>
#include <time.h>

#define LONG_TICKS 8000 /* twice what it takes for interrupted */

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    static int (*real)(clockid_t clock, struct timespec * ret_time);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
#ifdef __x86_64__ /* others ask the kernel anyway */
    uint64_t start = __builtin_ia32_rdtsc();
    while (clock == CLOCK_MONOTONIC && __builtin_ia32_rdtsc() - start < LONG_TICKS)
        ;
#endif
    return real(clock, ret_time);
}
