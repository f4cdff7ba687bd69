/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_clock.c - unwrapping, anchoring, and the hour from GPS. */
#include "drivers/lidar/sensor_clock.h"

#include <stdlib.h>

#include "core/base/clock.h"

#define NS_PER_US ((int64_t)SL_NS_PER_US)
#define NS_PER_S  ((int64_t)SL_NS_PER_S)
#define HOUR_US   INT64_C(3600000000)
#define HOUR_NS   (HOUR_US * NS_PER_US)
/* The clocks of host and sensor part by some 50 us a second at worst. */
#define ANCHOR_WINDOW_NS (10 * NS_PER_S)
/* No network delays a packet that long: the host's clock was set. */
#define ANCHOR_JUMP_NS (1 * NS_PER_S)
/* Telemetry comes hundreds of times a second; without it the lock is not known any more. */
#define GPS_KEEP_NS (10 * NS_PER_S)
/* A date this near to the host's is believed. */
#define SAME_TIME_NS (60 * NS_PER_S)
/* TAI is ahead of UTC by whole seconds, 37 since 2017 (IERS Bulletin C). */
#define TAI_NS        (37 * NS_PER_S)
#define TAI_WITHIN_NS (1 * NS_PER_S)
#define TAI_LASTS_NS  (3 * NS_PER_S) /* then it is no host's clock that is being set */
/* The host waited this much longer than the counter says: it went round, or was set. */
#define HOST_AHEAD_NS (2 * NS_PER_S)

const char *const lidar_clock_kind_names[] = {"free-running", "gps", "host", "ptp", "fitted"};

const char lidar_clock_tai_note[] =
    "the sensor's date is 37 s ahead of this host's, as TAI is, which PTP counts: stamps are ahead "
    "likewise; if PTP sets the sensor's clock, give --ptp-ahead 37s";

/* From one reading to the other the short way round the hour. A counter may run over the hour for a
 * moment before it is set to zero; the remainder does not mind. */
static int64_t step_ns(uint32_t from_us, uint32_t to_us)
{
    int64_t step = ((int64_t)to_us - (int64_t)from_us) % HOUR_US;
    if (step > HOUR_US / 2)
        step -= HOUR_US;
    if (step <= -HOUR_US / 2)
        step += HOUR_US;
    return step * NS_PER_US;
}

void lidar_clock_restart(struct lidar_clock *clock)
{
    clock->generation++;
    clock->has_anchor = false;
    clock->has_older_anchor = false;
    clock->has_gps = false;
    clock->has_tai = false;
    clock->fit.has_line = false;
}

static void anchor(struct lidar_clock *clock, uint64_t host_ns, int64_t complete_ns)
{
    int64_t difference = (int64_t)host_ns - complete_ns;
    bool is_jump = clock->has_anchor && difference - clock->anchor_ns > ANCHOR_JUMP_NS;
    if (!clock->has_anchor || is_jump) {
        clock->has_anchor = true;
        clock->has_older_anchor = false;
        clock->anchor_ns = difference;
        clock->window_start_ns = complete_ns;
        return;
    }
    if (complete_ns - clock->window_start_ns > ANCHOR_WINDOW_NS) {
        clock->has_older_anchor = true;
        clock->older_anchor_ns = clock->anchor_ns;
        clock->anchor_ns = difference;
        clock->window_start_ns = complete_ns;
    }
    if (difference < clock->anchor_ns)
        clock->anchor_ns = difference;
}

void lidar_clock_observe(struct lidar_clock *clock, int64_t complete_ns, uint64_t host_ns)
{
    if (host_ns == 0)
        return;
    anchor(clock, host_ns, complete_ns);
    lidar_clock_fit_add(&clock->fit, complete_ns, (int64_t)host_ns);
}

static enum lidar_clock_step step_kind(const struct lidar_clock *clock, int64_t step,
                                       uint64_t host_ns)
{
    if (step <= 0) {
        if (step < -LIDAR_REORDER_NS || clock->late_run >= LIDAR_LATE_RUN_MAX)
            return LIDAR_STEP_BACK;
        return LIDAR_STEP_LATE;
    }
    if (host_ns != 0 && clock->newest_host_ns != 0 &&
        (int64_t)(host_ns - clock->newest_host_ns) - step > HOST_AHEAD_NS)
        return LIDAR_STEP_AHEAD;
    return LIDAR_STEP_NEXT;
}

enum lidar_clock_step lidar_clock_data(struct lidar_clock *clock, uint32_t stamp_us,
                                       uint64_t host_ns, int64_t duration_ns, int64_t *ret_time_ns)
{
    enum lidar_clock_step kind = LIDAR_STEP_FIRST;
    int64_t time_ns = (int64_t)stamp_us * NS_PER_US;
    if (clock->is_started) {
        int64_t step = step_ns(clock->newest_us, stamp_us);
        time_ns = clock->newest_ns + step;
        kind = step_kind(clock, step, host_ns);
    }
    *ret_time_ns = time_ns;
    if (kind == LIDAR_STEP_LATE) {
        clock->late_run++;
        return kind;
    }
    if (kind != LIDAR_STEP_NEXT)
        lidar_clock_restart(clock);
    clock->is_started = true;
    clock->late_run = 0;
    clock->newest_us = stamp_us;
    clock->newest_ns = time_ns;
    clock->newest_host_ns = host_ns;
    lidar_clock_observe(clock, time_ns + duration_ns, host_ns);
    return kind;
}

int64_t lidar_clock_place_ns(const struct lidar_clock *clock, uint32_t stamp_us)
{
    return clock->newest_ns + step_ns(clock->newest_us, stamp_us);
}

void lidar_clock_gps(struct lidar_clock *clock, uint32_t stamp_us, bool is_locked, int64_t utc_ns)
{
    clock->has_gps = false;
    if (!is_locked || !clock->is_started)
        return;
    int64_t into_hour_ns = (int64_t)stamp_us * NS_PER_US;
    int64_t absolute_ns = utc_ns - utc_ns % HOUR_NS + into_hour_ns;
    /* The sentence is up to a second older than the counter, or just over the hour. */
    if (absolute_ns - utc_ns > HOUR_NS / 2)
        absolute_ns -= HOUR_NS;
    else if (utc_ns - absolute_ns > HOUR_NS / 2)
        absolute_ns += HOUR_NS;
    clock->gps_seen_ns = lidar_clock_place_ns(clock, stamp_us);
    clock->gps_offset_ns = absolute_ns - clock->ahead_ns - clock->gps_seen_ns;
    clock->has_gps = true;
}

static void watch_for_tai(struct lidar_clock *clock, bool is_set, int64_t off_ns)
{
    bool had_tai = clock->has_tai;
    clock->has_tai = is_set && llabs(off_ns - TAI_NS) <= TAI_WITHIN_NS;
    if (!had_tai)
        clock->tai_since_ns = clock->newest_ns;
    clock->seems_tai |= clock->has_tai && clock->newest_ns - clock->tai_since_ns >= TAI_LASTS_NS;
}

void lidar_clock_date(struct lidar_clock *clock, uint32_t stamp_us, bool has_date, int64_t date_ns,
                      uint64_t host_ns)
{
    int64_t off_ns = date_ns - clock->ahead_ns - (int64_t)host_ns;
    bool is_set = has_date && host_ns != 0 && llabs(off_ns) < SAME_TIME_NS;
    watch_for_tai(clock, is_set, off_ns);
    lidar_clock_gps(clock, stamp_us, is_set, date_ns);
}

uint64_t lidar_clock_stamp_ns(const struct lidar_clock *clock, enum lidar_clock_choice choice,
                              int64_t time_ns, enum lidar_clock_kind *ret_kind)
{
    if (choice == LIDAR_STAMP_SENSOR && clock->has_gps &&
        clock->newest_ns - clock->gps_seen_ns <= GPS_KEEP_NS) {
        *ret_kind = clock->is_ptp ? LIDAR_CLOCK_PTP : LIDAR_CLOCK_GPS;
        return (uint64_t)(time_ns + clock->gps_offset_ns);
    }
    int64_t fitted_ns = 0;
    if (choice == LIDAR_STAMP_FITTED && lidar_clock_fit_at(&clock->fit, time_ns, &fitted_ns)) {
        *ret_kind = LIDAR_CLOCK_FITTED;
        return fitted_ns > 0 ? (uint64_t)fitted_ns : 0;
    }
    int64_t offset_ns = 0;
    if (clock->has_anchor)
        offset_ns = clock->anchor_ns;
    if (clock->has_older_anchor && clock->older_anchor_ns < offset_ns)
        offset_ns = clock->older_anchor_ns;
    *ret_kind = choice == LIDAR_STAMP_HOST && clock->has_anchor ? LIDAR_CLOCK_HOST
                                                                : LIDAR_CLOCK_FREE_RUNNING;
    int64_t stamp_ns = time_ns + offset_ns;
    return stamp_ns > 0 ? (uint64_t)stamp_ns : 0;
}
