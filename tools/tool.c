/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/tool.h"

#include "core/base/clock.h"
#include "core/node/bus.h"
#include "core/node/runtime.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SLICE_NS (200 * SL_NS_PER_MS)

struct sl_scope sl_scope;
const struct sl_option sl_scope_options[] = {
    {.name = "domain",
     .letter = 'd',
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sl_scope, domain),
     .value = "NAME",
     .help = "The domain to look into; without it $SLUICE_DOMAIN, else \"default\""},
    {.name = "bus",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct sl_scope, bus),
     .choices = sl_bus_names,
     .help = "What carries the messages; without it native, or $SLUICE_BUS to publish"},
};

struct sl_span sl_span;
const struct sl_option sl_span_options[] = {
    {.name = "timeout",
     .letter = 't',
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct sl_span, timeout_ns),
     .min = 0,
     .max = 1e18,
     .help = "Fail if no message came by then; without it, wait"},
    {.name = "duration",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct sl_span, duration_ns),
     .min = 0,
     .max = 1e18,
     .help = "End after this time; without it, at Ctrl-C"},
};

/* Ending ----------------------------------------------------------------------------------------*/

static atomic_int stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    atomic_store(&stopped, 1);
}

void sl_stop_on_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = stop}; /* no SA_RESTART: waiting shall end */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

bool sl_stopped(void)
{
    return atomic_load(&stopped) != 0;
}

const atomic_int *sl_stop_flag(void)
{
    return &stopped;
}

/* In slices: a signal that comes just before the sleep would be missed by it. */
void sl_sleep_until(uint64_t monotonic_ns)
{
    uint64_t now_ns;
    while (!sl_stopped() && (now_ns = sl_clock_monotonic_ns()) < monotonic_ns) {
        uint64_t left_ns = monotonic_ns - now_ns;
        uint64_t until_ns = left_ns > SLICE_NS ? now_ns + SLICE_NS : monotonic_ns;
        struct timespec at = {(time_t)(until_ns / SL_NS_PER_S), (long)(until_ns % SL_NS_PER_S)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
}

/* Texts -----------------------------------------------------------------------------------------*/

static const char *show(double value, double step, const char *const *units, char *to, size_t size)
{
    unsigned unit = 0;
    const char *sign = value < 0 ? "-" : "";
    value = fabs(value);
    while (value >= step - 0.5 && units[unit + 1]) {
        value /= step;
        unit++;
    }
    int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(to, size, "%s%.*f %s", sign, digits, value, units[unit]);
    return to;
}

const char *sl_show_bytes(double bytes, char *to, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", NULL};
    return show(bytes, 1000, units, to, size);
}

const char *sl_show_memory(double bytes, char *to, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", NULL};
    return show(bytes, 1024, units, to, size);
}

const char *sl_show_ns(double ns, char *to, size_t size)
{
    static const char *const units[] = {"ns", "us", "ms", "s", NULL};
    return show(ns, 1000, units, to, size);
}

const struct sl_command *sl_tool_command(const struct sl_tool *tool)
{
    static struct sl_command command;
    static char name[64];
    const struct sl_program *program = tool->program;
    if (!program)
        return tool->command;
    snprintf(name, sizeof name, "sluice %s", tool->name);
    command = (struct sl_command){
        .name = name,
        .summary = program->summary,
        .details = program->details,
        .example = program->example,
        .tables = {{"Options", program->options, program->option_count, NULL},
                   sl_program_common_options()},
    };
    return &command;
}
