/* SPDX-License-Identifier: Apache-2.0 */
/* logs.h - what the sub-commands over recorded logs share: opening, choosing topics and times,
 * copying.
 *
 * Life:    values of the caller's, zero before use.
 * Threads: one.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_TOOLS_LOGS_H
#define SL_TOOLS_LOGS_H

#include "core/base/options.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/reader.h"

#include <stdio.h>

/* Exit statuses of what looks for damage. */
#define SL_EXIT_LOSS 3

/* Which messages: a table of options. */
struct sl_log_choice {
    struct sl_option_list topics;
    const char *regex, *exclude;
    const char *start, *end; /* as log_time.h reads them */
    int64_t duration_ns;
};
extern struct sl_log_choice sl_log_choice;
extern const struct sl_option sl_log_choice_options[];
#define SL_TABLE_LOG_CHOICE                               \
    {                                                     \
        "Which", sl_log_choice_options, 6, &sl_log_choice \
    }

/* For sl_log_set's decompressed_bytes. */
#define SL_TOOL_LOG_MEMORY(type)                                                               \
    {                                                                                          \
        .name = "memory", .kind = SL_OPTION_SIZE, .offset = offsetof(type, memory_bytes),      \
        .fallback = "24M", .max = 1e12,                                                        \
        .help = "So large may a chunk, or a message that is compressed by itself, become; in " \
                "any case 24 MB and 16 times what is stored of it"                             \
    }

struct sl_log_chosen; /* compiled */

/* A reader over the set for what was chosen. */
struct sl_log_view {
    struct sl_log_set set;
    struct sl_log_chosen *chosen;
    struct sl_log_reader *reader;
    bool takes_damaged;
};
int sl_log_view_open(struct sl_log_view *view, const char *const *paths, unsigned count,
                     uint64_t memory_bytes, unsigned flags, bool takes_damaged);
/* Is the topic chosen? */
bool sl_log_view_wants(const struct sl_log_view *view, const struct sl_log_topic *topic);
void sl_log_view_close(struct sl_log_view *view);

/* What is wrong with folders of the set, a line each behind `prefix`. */
void sl_log_tell_notes(const struct sl_log_set *set, const char *prefix, FILE *to);

/* First and last time of a log, from its index; false if it has no messages. */
bool sl_log_span(const struct sl_log *log, uint64_t *ret_first_ns, uint64_t *ret_last_ns);

/* Everything of the view into a new log. `wants_messages`: where there are none, nothing is left at
 * `path`, which is no error. */
struct sl_log_copied {
    uint64_t messages, bytes;
    uint32_t topics;
};
int sl_log_copy(struct sl_log_view *view, const char *path,
                const struct sl_log_output_options *options, bool wants_messages,
                struct sl_log_copied *ret_copied);

#endif
