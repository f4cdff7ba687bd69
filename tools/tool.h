/* SPDX-License-Identifier: Apache-2.0 */
/* tool.h - what the sub-commands of `sluice` are, and what they share.
 *
 * A sub-command is one `const struct sl_tool` in a file of its own (cmd_*.c) and a line in the list
 * of main.c. Its options come from one table, which gives --help, the man page and the completion.
 *
 * Life:    main reads the options, calls run once, and exits with what it returns.
 * Owner:   the option values are static in the sub-command's file.
 * Threads: one.
 * Errors:  run returns an exit status (0 fine, 1 failure, 2 wrong use), or -errno with
 *          sl_error_text(), which main prints in one line (exit status 1; 2 for -EINVAL from the
 *          options).
 */
#ifndef SL_TOOLS_TOOL_H
#define SL_TOOLS_TOOL_H

#include "core/base/log.h"
#include "core/base/options.h"

#include <stdatomic.h>
#include <stdint.h>

#define SL_EXIT_FAILURE 1
#define SL_EXIT_USAGE   2

struct sl_program;

struct sl_tool {
    const char *name; /* "topic list": one or two words */
    const struct sl_command *command;
    int (*run)(void);                            /* the options are set */
    int (*run_arguments)(int argc, char **argv); /* instead of run: reads its arguments itself */
    const struct sl_program *program;            /* instead of all three: a node, run in here */
};

/* Its command line, as help and completion tell it; valid until the next call. */
const struct sl_command *sl_tool_command(const struct sl_tool *tool);

extern const struct sl_tool sl_tool_launch;
extern const struct sl_tool sl_tool_plan;
extern const struct sl_tool sl_tool_doctor;
extern const struct sl_tool sl_tool_topic_list;
extern const struct sl_tool sl_tool_topic_info;
extern const struct sl_tool sl_tool_topic_hz;
extern const struct sl_tool sl_tool_topic_bw;
extern const struct sl_tool sl_tool_topic_delay;
extern const struct sl_tool sl_tool_topic_echo;
extern const struct sl_tool sl_tool_topic_pub;
extern const struct sl_tool sl_tool_top;
extern const struct sl_tool sl_tool_snapshot;
extern const struct sl_tool sl_tool_record;
extern const struct sl_tool sl_tool_play;
extern const struct sl_tool sl_tool_info;
extern const struct sl_tool sl_tool_cat;
extern const struct sl_tool sl_tool_check;
extern const struct sl_tool sl_tool_recover;
extern const struct sl_tool sl_tool_convert;
extern const struct sl_tool sl_tool_sim_lidar;
extern const struct sl_tool sl_tool_lidar_models;
extern const struct sl_tool sl_tool_bench_lidar;
extern const struct sl_tool sl_tool_bench_bus;
extern const struct sl_tool sl_tool_bench_pollution;
extern const struct sl_tool sl_tool_bench_record;
extern const struct sl_tool sl_tool_bench_play;
extern const struct sl_tool sl_tool_bench_dds;
extern const struct sl_tool sl_tool_completion;
extern const struct sl_tool sl_tool_version;

/* Every sub-command, in the order of `sluice help`, ended by NULL. */
extern const struct sl_tool *const sl_tools[];

/* ---- Options that several have: put SL_TABLE_... into the command's tables
 * ----------------------*/

extern struct sl_scope {
    const char *domain; /* NULL = $SLUICE_DOMAIN or "default" */
    int bus;            /* index of sl_bus_names; native if it was not given */
} sl_scope;
extern const struct sl_option sl_scope_options[];
#define SL_TABLE_SCOPE                          \
    {                                           \
        "Scope", sl_scope_options, 1, &sl_scope \
    }
/* For those that publish or subscribe: with --bus. */
#define SL_TABLE_ENDS                           \
    {                                           \
        "Scope", sl_scope_options, 2, &sl_scope \
    }

extern struct sl_span {
    int64_t timeout_ns;  /* for the first message; 0 = none */
    int64_t duration_ns; /* 0 = until Ctrl-C */
} sl_span;
extern const struct sl_option sl_span_options[];
#define SL_TABLE_SPAN                        \
    {                                        \
        "Time", sl_span_options, 2, &sl_span \
    }

/* Single ones: lines of a command's own table, whose state is `type`. */
#define SL_TOOL_TOPIC(type) /* const char *topic */                                          \
    {                                                                                        \
        .name = "topic", .kind = SL_OPTION_TEXT,                                             \
        .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED, .offset = offsetof(type, topic), \
        .value = "TOPIC", .help = "Its name, as sluice topic list shows it"                  \
    }
#define SL_TOOL_PERIOD(type) /* int64_t period_ns */                                       \
    {                                                                                      \
        .name = "period", .kind = SL_OPTION_DURATION, .offset = offsetof(type, period_ns), \
        .fallback = "1s", .min = 1e6, .max = 1e13, .help = "Time between two lines"        \
    }
#define SL_TOOL_COUNT(type, of, text) /* int64_t count; 0 = no end */                           \
    {                                                                                           \
        .name = "count", .letter = 'n', .kind = SL_OPTION_INT, .offset = offsetof(type, count), \
        .value = of, .min = 0, .max = 1e15, .help = text                                        \
    }
#define SL_TOOL_JSON(type) /* bool json */                                      \
    {                                                                           \
        .name = "json", .kind = SL_OPTION_FLAG, .offset = offsetof(type, json), \
        .help = "One JSON object a line"                                        \
    }

/* ---- Ending -----------------------------------------------------------------------------------*/

/* From here on SIGINT, SIGTERM and SIGHUP only set a flag (and interrupt waiting). */
void sl_stop_on_signals(void);
bool sl_stopped(void);
const atomic_int *sl_stop_flag(void); /* for those who ask a flag: not 0 = end */

/* Sleep until that time (CLOCK_MONOTONIC), or until a signal. */
void sl_sleep_until(uint64_t monotonic_ns);

/* ---- Texts ------------------------------------------------------------------------------------*/

/* "12.3 MB", "980 B": powers of 1000, as bandwidths are told. */
const char *sl_show_bytes(double bytes, char *to, size_t size);
/* "4.00 KiB", "12.3 MiB": powers of 1024, as memory is. */
const char *sl_show_memory(double bytes, char *to, size_t size);
/* "850 ns", "12.3 us", "4.1 ms", "2.0 s". */
const char *sl_show_ns(double ns, char *to, size_t size);
#define SL_SHOW_MAX 32

#endif
