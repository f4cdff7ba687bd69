/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/child.h"

#include "core/base/error.h"
#include "core/node/bus.h"
#include "core/node/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_CANNOT_START 127
#define READS_AT_A_TIME   16 /* of one stream, before others have their turn */

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* The write ends, which the child gets. */
struct child_ends {
    int output, error, ready;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void sl_child_init(struct sl_child *child, const struct sl_plan_node *node, char **argv)
{
    memset(child, 0, sizeof *child);
    child->node = node;
    child->argv = argv;
    child->pid_fd = child->ready_fd = child->output.fd = child->error.fd = -1;
}

/* In the child
 * -----------------------------------------------------------------------------------*/

static void child_fail(const char *what, const char *why)
{
    dprintf(STDERR_FILENO, "cannot %s: %s\n", what, why);
    _exit(EXIT_CANNOT_START);
}

static void child_environment(const struct sl_plan_node *node, const char *domain, pid_t launcher,
                              int ready_fd)
{
    char number[16];
    if (domain)
        setenv("SLUICE_DOMAIN", domain, 1);
    if (node->bus != SL_BUS_DEFAULT)
        setenv("SLUICE_BUS", sl_bus_name(node->bus), 1);
    unsetenv("SLUICE_LAUNCHED");
    unsetenv("SLUICE_READY_FD");
    if (!node->is_plain) {
        snprintf(number, sizeof number, "%d", (int)launcher);
        setenv("SLUICE_LAUNCHED", number, 1);
        snprintf(number, sizeof number, "%d", ready_fd);
        setenv("SLUICE_READY_FD", number, 1);
    }
    for (unsigned i = 0; i < node->env.count; i++)
        setenv(node->env.at[i].name, node->env.at[i].value, 1);
}

/* Runs after fork in a process of one thread; ends in the program or in _exit. */
static void child_main(struct sl_child *child, const char *domain, pid_t launcher,
                       struct child_ends ends)
{
    const struct sl_plan_node *node = child->node;
    setpgid(0, 0);
    /* Programs on the runtime end in order by SIGTERM; of others nothing is known. */
    if (sl_process_die_with(launcher, node->is_plain ? SIGKILL : SIGTERM) < 0)
        _exit(EXIT_CANNOT_START);
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(ends.output, STDOUT_FILENO) < 0 ||
        dup2(ends.error, STDERR_FILENO) < 0)
        child_fail("open its streams", strerror(errno));
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    if (!node->is_plain) /* of other programs the exec itself, which closes it, is the word */
        fcntl(ends.ready, F_SETFD, 0);
    child_environment(node, domain, launcher, ends.ready);
    if (node->is_plain && node->cpus && sl_process_set_cpus(node->cpus) < 0)
        child_fail("start", sl_error_text());
    if (node->is_plain && node->sched && sl_process_set_sched(node->sched) < 0)
        child_fail("start", sl_error_text());
    if (node->is_plain && node->nice && sl_process_set_nice(atoi(node->nice)) < 0)
        child_fail("start", sl_error_text());
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execv(node->path, child->argv);
    child_fail(node->path, strerror(errno));
}

/* Start
 * ------------------------------------------------------------------------------------------*/

static int open_pipes(struct sl_child *child, struct child_ends *ends)
{
    struct {
        int *read, *write;
    } pipes[] = {{&child->output.fd, &ends->output},
                 {&child->error.fd, &ends->error},
                 {&child->ready_fd, &ends->ready}};
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
            return -errno;
        *pipes[i].read = fds[0];
        *pipes[i].write = fds[1];
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

int sl_child_start(struct sl_child *child, const char *domain)
{
    struct child_ends ends = {-1, -1, -1};
    child->last_count = 0;
    child->output.used = child->error.used = 0;
    pid_t launcher = getpid();
    int err = open_pipes(child, &ends);
    if (err == 0) {
        child->pid = fork();
        if (child->pid == 0)
            child_main(child, domain, launcher, ends);
        err = child->pid < 0 ? -errno : 0;
    }
    close_fd(&ends.output);
    close_fd(&ends.error);
    close_fd(&ends.ready);
    if (err == 0) {
        setpgid(child->pid, child->pid); /* whoever of the two comes first */
        child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
        if (child->pid_fd < 0) {
            err = -errno;
            kill(child->pid, SIGKILL);
            waitpid(child->pid, NULL, 0);
        }
    }
    if (err < 0) {
        child->pid = 0;
        sl_child_finish(child);
        return sl_error(err, "cannot start %s: %s", child->node->name, strerror(-err));
    }
    return 0;
}

/* Its lines
 * --------------------------------------------------------------------------------------*/

static void emit_line(struct sl_child *child, bool is_error, const char *text, size_t length)
{
    while (length > 0 && text[length - 1] == '\r')
        length--;
    char *kept = child->last[child->last_count++ % SL_CHILD_LAST_LINES];
    size_t kept_length = length < SL_OUTPUT_LINE_MAX ? length : SL_OUTPUT_LINE_MAX - 1;
    memcpy(kept, text, kept_length);
    kept[kept_length] = '\0';
    if (child->ready_word && strcmp(kept, child->ready_word) == 0)
        child->has_said_it = true;
    sl_output_line(child->node->name, is_error, text, length);
}

static void split_lines(struct sl_child *child, struct sl_child_stream *stream)
{
    bool is_error = stream == &child->error;
    size_t start = 0;
    for (;;) {
        char *newline = memchr(stream->bytes + start, '\n', stream->used - start);
        if (!newline)
            break;
        emit_line(child, is_error, stream->bytes + start,
                  (size_t)(newline - stream->bytes) - start);
        start = (size_t)(newline - stream->bytes) + 1;
    }
    if (start == 0 && stream->used == sizeof stream->bytes) {
        emit_line(child, is_error, stream->bytes, stream->used);
        start = stream->used;
    }
    memmove(stream->bytes, stream->bytes + start, stream->used - start);
    stream->used -= start;
}

bool sl_child_drain(struct sl_child *child, struct sl_child_stream *stream)
{
    if (stream->fd < 0)
        return false;
    for (int i = 0; i < READS_AT_A_TIME; i++) {
        ssize_t n =
            read(stream->fd, stream->bytes + stream->used, sizeof stream->bytes - stream->used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return true; /* EAGAIN: later */
        if (n == 0) {
            if (stream->used > 0)
                emit_line(child, stream == &child->error, stream->bytes, stream->used);
            stream->used = 0;
            close_fd(&stream->fd);
            return false;
        }
        stream->used += (size_t)n;
        split_lines(child, stream);
    }
    return true;
}

int sl_child_ready(struct sl_child *child)
{
    char word[16];
    ssize_t n = read(child->ready_fd, word, sizeof word);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    close_fd(&child->ready_fd);
    /* the exec of a plain program closes it; the word of the others stands in it */
    return child->node->is_plain ? 1 : n > 0 ? 1 : -EPIPE;
}

/* End
 * --------------------------------------------------------------------------------------------*/

void sl_child_signal(const struct sl_child *child, int signal, bool with_group)
{
    if (child->pid > 0)
        kill(with_group ? -child->pid : child->pid, signal);
}

/* A stream that a process outside the group holds open has no end; what is there now is all. */
static void drain_rest(struct sl_child *child, struct sl_child_stream *stream)
{
    for (int i = 0; i < 64 && sl_child_drain(child, stream); i++)
        ;
    if (stream->fd >= 0 && stream->used > 0)
        emit_line(child, stream == &child->error, stream->bytes, stream->used);
    close_fd(&stream->fd);
}

int sl_child_reap(struct sl_child *child)
{
    /* Before the number is free for somebody else. */
    kill(-child->pid, SIGKILL);
    int status = 0;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    drain_rest(child, &child->output);
    drain_rest(child, &child->error);
    child->pid = 0;
    close_fd(&child->pid_fd);
    close_fd(&child->ready_fd);
    return status;
}

void sl_child_finish(struct sl_child *child)
{
    close_fd(&child->pid_fd);
    close_fd(&child->ready_fd);
    close_fd(&child->output.fd);
    close_fd(&child->error.fd);
}
