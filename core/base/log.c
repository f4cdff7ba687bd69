/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/log.h"

#include "core/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

const char *const sl_log_level_names[] = {"error", "warn", "info", "debug", NULL};

static const char *log_name;
static enum sl_log_level log_level = SL_LOG_INFO;

void sl_log_open(const char *name, enum sl_log_level level)
{
    log_name = name;
    log_level = level;
}

bool sl_log_shows(enum sl_log_level level)
{
    return level <= log_level;
}

static void write_line(enum sl_log_level level, const char *format, va_list args,
                       unsigned long long hidden)
{
    char line[LINE_MAX_BYTES];
    size_t room = sizeof line - 1; /* the newline always fits */
    size_t used = 0;
    int n = snprintf(line, room, "%s%s%s", log_name ? log_name : "", log_name ? ": " : "",
                     level == SL_LOG_ERROR  ? "error: "
                     : level == SL_LOG_WARN ? "warning: "
                                            : "");
    used = n > 0 ? (size_t)n : 0;
    if (used < room) {
        n = vsnprintf(line + used, room - used, format, args);
        used += n > 0 ? (size_t)n : 0;
    }
    if (hidden > 0 && used < room) {
        n = snprintf(line + used, room - used, " (and %llu more like it)", hidden);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used > room - 1)
        used = room - 1;
    line[used++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written;
}

void sl_log(enum sl_log_level level, const char *format, ...)
{
    if (!sl_log_shows(level))
        return;
    va_list args;
    va_start(args, format);
    write_line(level, format, args, 0);
    va_end(args);
}

void sl_log_limited(struct sl_log_limit *state, enum sl_log_level level, const char *format, ...)
{
    if (!sl_log_shows(level))
        return;
    long long now_ns = (long long)sl_clock_monotonic_ns();
    if (state->last_ns != 0 && now_ns - state->last_ns < 1000000000LL) {
        state->hidden++;
        return;
    }
    va_list args;
    va_start(args, format);
    write_line(level, format, args, state->hidden);
    va_end(args);
    state->last_ns = now_ns;
    state->hidden = 0;
}

void sl_text_tame(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = '?';
}
