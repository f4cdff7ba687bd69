/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TABLE_MAX    16384
#define QUEUE_BYTES  (4u << 20)
#define LAST_WORD_MS 1000

/* Bytes that the reader was not ready for. */
struct queue {
    int fd;
    size_t start, end;
    char bytes[QUEUE_BYTES];
};

static struct {
    unsigned name_width;
    bool with_table;
    bool error_is_terminal;
    enum sl_log_level level;
    char table[TABLE_MAX];
    unsigned shown_lines; /* of the table, on the screen now */
    bool is_stale;        /* the table's text is newer than the screen */
    unsigned long long dropped;
    struct queue output, error;
} out;

/* Whole lines of the next PIPE_BUF bytes: the other output may go to the same reader, and its next
 * line must not come into one of these. */
static size_t next_lines(const struct queue *q)
{
    const char *next = q->bytes + q->start;
    size_t size = q->end - q->start;
    if (size <= PIPE_BUF)
        return size;
    const char *last = memrchr(next, '\n', PIPE_BUF);
    return last ? (size_t)(last + 1 - next) : PIPE_BUF;
}

/* Writes what can be written now. A pipe that polls as writable takes PIPE_BUF bytes without
 * waiting; so does a terminal. */
static void flush_queue(struct queue *q)
{
    while (q->start < q->end) {
        struct pollfd ready = {.fd = q->fd, .events = POLLOUT};
        if (poll(&ready, 1, 0) <= 0)
            return;
        ssize_t n = write(q->fd, q->bytes + q->start, next_lines(q));
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        /* nobody will ever read it: as good as written */
        q->start = n < 0 ? q->end : q->start + (size_t)n;
    }
    q->start = q->end = 0;
}

/* All of it or nothing. Moved rarely, so that each byte is moved once at most. */
static bool put(struct queue *q, const char *bytes, size_t size)
{
    if (size > sizeof q->bytes - q->end && q->start >= sizeof q->bytes / 2) {
        memmove(q->bytes, q->bytes + q->start, q->end - q->start);
        q->end -= q->start;
        q->start = 0;
    }
    if (size > sizeof q->bytes - q->end)
        return false;
    memcpy(q->bytes + q->end, bytes, size);
    q->end += size;
    flush_queue(q);
    return true;
}

static void erase_table(void)
{
    if (out.shown_lines == 0)
        return;
    char erase[32];
    int n = snprintf(erase, sizeof erase, "\r\033[%uA\033[J", out.shown_lines);
    put(&out.output, erase, (size_t)n);
    out.shown_lines = 0;
}

static void write_line(struct queue *q, const char *line, size_t length)
{
    if (q == &out.output || out.error_is_terminal)
        erase_table();
    if (out.dropped > 0) {
        char told[64];
        int n = snprintf(told, sizeof told, "sluice: %llu lines were not shown\n", out.dropped);
        if (put(q, told, (size_t)n))
            out.dropped = 0;
    }
    if (!put(q, line, length))
        out.dropped++;
}

void sl_output_open(unsigned name_width, bool with_table, enum sl_log_level level)
{
    out.output.fd = STDOUT_FILENO;
    out.error.fd = STDERR_FILENO;
    out.name_width = name_width;
    out.level = level;
    out.with_table = with_table && isatty(STDOUT_FILENO);
    out.error_is_terminal = isatty(STDERR_FILENO);
}

bool sl_output_has_table(void)
{
    return out.with_table;
}

void sl_output_size(unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size = {0};
    *ret_rows = *ret_columns = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        *ret_rows = size.ws_row;
        *ret_columns = size.ws_col;
    }
}

void sl_output_line(const char *node, bool is_error, const char *text, size_t length)
{
    char line[SL_OUTPUT_LINE_MAX + 128];
    int prefix = snprintf(line, 120, "%-*s | ", (int)out.name_width, node);
    if (length > SL_OUTPUT_LINE_MAX)
        length = SL_OUTPUT_LINE_MAX;
    memcpy(line + prefix, text, length);
    line[(size_t)prefix + length] = '\n';
    write_line(is_error ? &out.error : &out.output, line, (size_t)prefix + length + 1);
}

void sl_output_note(enum sl_log_level level, const char *format, ...)
{
    if (level > out.level)
        return;
    char line[2048];
    int used = snprintf(line, sizeof line, "sluice: %s",
                        level == SL_LOG_ERROR  ? "error: "
                        : level == SL_LOG_WARN ? "warning: "
                                               : "");
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    size_t length = (size_t)used + (n > 0 ? (size_t)n : 0);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    write_line(&out.error, line, length);
}

void sl_output_table(const char *text)
{
    snprintf(out.table, sizeof out.table, "%s", text);
    out.is_stale = true;
}

bool sl_output_settle(void)
{
    flush_queue(&out.output);
    flush_queue(&out.error);
    bool is_waiting = out.output.end > 0 || out.error.end > 0;
    if (!out.with_table || is_waiting || (out.shown_lines > 0 && !out.is_stale))
        return !is_waiting;
    erase_table();
    unsigned lines = 0;
    for (const char *c = out.table; *c; c++)
        lines += *c == '\n';
    if (lines > 0 && put(&out.output, out.table, strlen(out.table)))
        out.shown_lines = lines;
    out.is_stale = false;
    return true;
}

/* No node can be held up any more, so this may wait for the reader, as long as it reads. */
static void finish_queue(struct queue *q)
{
    while (q->start < q->end) {
        struct pollfd ready = {.fd = q->fd, .events = POLLOUT};
        if (poll(&ready, 1, LAST_WORD_MS) <= 0)
            return;
        flush_queue(q);
    }
}

void sl_output_close(void)
{
    erase_table();
    out.with_table = false;
    finish_queue(&out.output);
    finish_queue(&out.error);
    unsigned long long dropped = out.dropped;
    out.dropped = 0;
    if (dropped > 0)
        sl_output_note(SL_LOG_WARN, "%llu lines were not shown: nobody read them", dropped);
}
