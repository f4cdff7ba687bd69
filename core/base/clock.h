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

/* CLOCK_MONOTONIC for who asks for it in the middle of a burst: asking the kernel's page costs 20
 * ns, a tenth of a message's whole way. Between two such questions, at most SL_QUICK_CLOCK_SPAN_NS
 * apart, the processor's cycle counter tells the time, at the rate of the last second; clocks that
 * are slewed by 100 ppm are off by 10 ns then. Where the counter does not run evenly (x86: no
 * invariant TSC) or is not known, each question is one to the kernel's page.
 *
 * Zero it to begin. It may go back by those nanoseconds when it asks again. One thread. */
struct sl_quick_clock {
    uint64_t base_ns, base_ticks; /* the last question */
    uint64_t span_ticks;          /* for how long it answers; 0 = it is not known how fast it is */
    uint64_t ns_per_tick_q32;     /* in 1/2^32 */
    uint64_t origin_ns, origin_ticks; /* where the rate is measured from */
};

#define SL_QUICK_CLOCK_SPAN_NS UINT64_C(100000)

uint64_t sl_quick_clock_ask(struct sl_quick_clock *clock);

static inline uint64_t sl_quick_clock_ns(struct sl_quick_clock *clock)
{
#ifdef __x86_64__
    uint64_t ticks = __builtin_ia32_rdtsc() - clock->base_ticks;
    if (ticks < clock->span_ticks)
        return clock->base_ns + (ticks * clock->ns_per_tick_q32 >> 32);
#endif
    return sl_quick_clock_ask(clock);
}

#endif
