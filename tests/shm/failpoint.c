/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/shm/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PUBLISHER = 1,
    SUBSCRIBER = 2,
    EITHER = PUBLISHER | SUBSCRIBER
};
enum {
    RARE,
    OFTEN
};

static const struct {
    const char *name;
    int where, how_often;
} points[] = {
#define ROW(name, text, where, how_often) {text, where, how_often},
    SL_FAIL_POINTS(ROW)
#undef ROW
};

static _Atomic uint64_t passings[SL_FAIL_POINT_COUNT];
static _Atomic int armed = -1;
static _Atomic uint64_t due; /* the passing at which it happens */
static sl_failpoint_act chosen;

void sl_failpoint_pass(enum sl_failpoint point)
{
    uint64_t passing = atomic_fetch_add_explicit(&passings[point], 1, memory_order_relaxed) + 1;
    if (atomic_load_explicit(&armed, memory_order_acquire) == (int)point &&
        passing == atomic_load_explicit(&due, memory_order_relaxed))
        chosen(point);
}

void sl_failpoint_arm(enum sl_failpoint point, uint64_t nth, sl_failpoint_act act)
{
    atomic_store(&armed, -1);
    chosen = act;
    atomic_store(&due, sl_failpoint_passings(point) + nth);
    atomic_store_explicit(&armed, (int)point, memory_order_release);
}

uint64_t sl_failpoint_passings(enum sl_failpoint point)
{
    return atomic_load_explicit(&passings[point], memory_order_relaxed);
}

void sl_failpoint_kill(enum sl_failpoint point)
{
    (void)point;
    kill(getpid(), SIGKILL);
}

void sl_failpoint_stop(enum sl_failpoint point)
{
    (void)point;
    kill(getpid(), SIGSTOP);
}

void sl_failpoint_abort(enum sl_failpoint point)
{
    (void)point;
    abort();
}

const char *sl_failpoint_name(enum sl_failpoint point)
{
    return points[point].name;
}

enum sl_failpoint sl_failpoint_of(const char *name)
{
    int point = 0;
    while (point < SL_FAIL_POINT_COUNT && strcmp(points[point].name, name) != 0)
        point++;
    return (enum sl_failpoint)point;
}

bool sl_failpoint_is_publishers(enum sl_failpoint point)
{
    return points[point].where & PUBLISHER;
}

bool sl_failpoint_is_subscribers(enum sl_failpoint point)
{
    return points[point].where & SUBSCRIBER;
}

bool sl_failpoint_is_iceoryxs(enum sl_failpoint point)
{
    switch (point) {
#define CASE(name, text, where, how_often) case SL_FAIL_##name:
        SL_FAIL_POINTS_ICEORYX(CASE)
#undef CASE
        return true;
    default:
        return false;
    }
}

bool sl_failpoint_is_often(enum sl_failpoint point)
{
    return points[point].how_often == OFTEN;
}
