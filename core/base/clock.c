/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>

#ifdef __x86_64__
#include <cpuid.h>

enum {
    UNKNOWN,
    EVEN,
    UNEVEN
};

/* Does the time-stamp counter run at one rate, asleep or awake? CPUID 8000_0007h, EDX bit 8 (AMD
 * APM vol. 3, Intel SDM vol. 3 "Invariant TSC"). Asked once: in a virtual machine the answer takes
 * tens of microseconds. */
static bool ticks_are_even(void)
{
    static _Atomic int answer;
    int known = atomic_load_explicit(&answer, memory_order_relaxed);
    if (known == UNKNOWN) {
        unsigned a, b, c, d = 0;
        known = __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1) ? EVEN : UNEVEN;
        atomic_store_explicit(&answer, known, memory_order_relaxed);
    }
    return known == EVEN;
}

static uint64_t read_ticks(void)
{
    return __builtin_ia32_rdtsc();
}
#else
static bool ticks_are_even(void)
{
    return false;
}

static uint64_t read_ticks(void)
{
    return 0;
}
#endif

#define PAIR_TICKS    4000              /* a microsecond or two */
#define RATE_LEAST_NS UINT64_C(1000000) /* to know the rate to 50 ppm, with 50 ns of doubt */
#define RATE_MOST_NS  SL_NS_PER_S       /* the clock may be slewed otherwise by then */

static void measure_from(struct sl_quick_clock *clock, uint64_t now_ns, uint64_t ticks)
{
    clock->origin_ns = now_ns;
    clock->origin_ticks = ticks;
}

/* The rate since the origin. A counter that jumped (a virtual machine that moved) shows as a rate
 * that no processor has: then it is not believed until it was measured again. */
static void set_rate(struct sl_quick_clock *clock, uint64_t now_ns, uint64_t ticks)
{
    uint64_t elapsed_ns = now_ns - clock->origin_ns;
    uint64_t elapsed = ticks - clock->origin_ticks;
    if (elapsed_ns < RATE_LEAST_NS)
        return;
    uint64_t rate = elapsed > elapsed_ns / 16 && elapsed < elapsed_ns * 16
                        ? (uint64_t)(((__uint128_t)elapsed_ns << 32) / elapsed)
                        : 0;
    uint64_t before = clock->ns_per_tick_q32;
    bool is_steady = rate > 0 && (before == 0 ||
                                  (rate > before - before / 1000 && rate < before + before / 1000));
    clock->ns_per_tick_q32 = is_steady ? rate : 0;
    clock->span_ticks = is_steady ? (SL_QUICK_CLOCK_SPAN_NS << 32) / rate : 0;
    if (!is_steady || elapsed_ns > RATE_MOST_NS)
        measure_from(clock, now_ns, ticks);
}

uint64_t sl_quick_clock_ask(struct sl_quick_clock *clock)
{
    if (!ticks_are_even())
        return sl_clock_monotonic_ns();
    uint64_t before = read_ticks();
    uint64_t now_ns = sl_clock_monotonic_ns();
    uint64_t ticks = read_ticks();
    if (ticks - before > PAIR_TICKS) /* interrupted: the two do not belong together */
        return now_ns;
    if (clock->origin_ns == 0)
        measure_from(clock, now_ns, ticks);
    else
        set_rate(clock, now_ns, ticks);
    clock->base_ns = now_ns;
    clock->base_ticks = ticks;
    return now_ns;
}
