/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the two clocks of the host, in nanoseconds. Any thread; they do not fail. */
#ifndef SL_BASE_CLOCK_H
#define SL_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SL_NS_PER_US UINT64_C(1000)
#define SL_NS_PER_MS UINT64_C(1000000)
#define SL_NS_PER_S  UINT64_C(1000000000)

/* Since boot, never set back: for durations and deadlines. */
static inline uint64_t sl_clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Since 1970-01-01 UTC, may be stepped: for stamps that people and other machines read. */
static inline uint64_t sl_clock_realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SL_NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
