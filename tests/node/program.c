/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - a program on the runtime that writes down what the runtime does with it. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/node/runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMERS 200

enum mode {
    WAIT, /* until a signal */
    BUSY, /* work() always has something to do */
    STOP, /* sl_runtime_stop */
    END,  /* -ECANCELED */
    OPEN_FAILS,
    WORK_FAILS,
    CLOSE_FAILS,
    TIMER,     /* wakes itself up, prints how late */
    WATCH,     /* a descriptor that becomes readable */
    SLOW_OPEN, /* asks for signals in open() */
    TOPICS,    /* prints names */
    ECHO,      /* publishes to itself */
    TAKE,      /* takes one message */
    HOLD_LOAN, /* open() keeps the only loan */
    PARENT,    /* starts a child, which must not inherit the launcher's word */
};
static const char *const mode_names[] = {
    "wait",  "busy",      "stop",   "end",  "open-fails", "work-fails", "close-fails", "timer",
    "watch", "slow-open", "topics", "echo", "take",       "hold-loan",  "parent",      NULL};

struct program {
    int mode;
    const char *topic;
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
    struct sl_loan loan;
    int fd;
    uint64_t due_ns, late_ns[TIMERS];
    unsigned count;
    uint64_t taken, published;
    pid_t child;
};

static const struct sl_option options[] = {
    {.name = "mode",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct program, mode),
     .choices = mode_names,
     .fallback = "wait",
     .help = "What to do"},
    {.name = "topic",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct program, topic),
     .fallback = "points",
     .help = "A topic to show the name of"},
};

static int open_echo(struct program *p, struct sl_runtime *runtime)
{
    int err = sl_runtime_publish(runtime,
                                 &(struct sl_publisher_options){
                                     .topic = "data", .type = "test/msg/Bytes", .slot_size = 4096},
                                 &p->publisher);
    if (err < 0)
        return err;
    return sl_runtime_subscribe(
        runtime, &(struct sl_subscriber_options){.topic = "data", .history = 1}, &p->subscriber);
}

static int work_take(struct program *p)
{
    struct sl_frame frame;
    int err = sl_subscriber_take(p->subscriber, &frame);
    if (err < 0)
        return err == -EAGAIN ? 0 : err;
    sl_frame_release(&frame);
    return -ECANCELED;
}

/* It lives until close(), with every descriptor that it inherited. */
static int start_child(struct program *p)
{
    p->child = fork();
    if (p->child == 0) {
        execl("/bin/sh", "sh", "-c",
              "echo \"child: ${SLUICE_READY_FD-none} ${SLUICE_LAUNCHED-none}\"; exec sleep 1000",
              (char *)NULL);
        _exit(126);
    }
    return p->child < 0 ? sl_error(-errno, "no child: %s", strerror(errno)) : 0;
}

static int open_counters(struct sl_runtime *runtime)
{
    static const char *const names[] = {"done", "never", "odd", NULL};
    static const uint64_t values[] = {5, 0, 2};
    struct sl_counters *counters;
    int err = sl_runtime_count(runtime, "/a -> b", names, &counters);
    if (err == 0)
        sl_counters_set(counters, values);
    return err;
}

static int program_open(void *state, struct sl_runtime *runtime)
{
    struct program *p = state;
    char name[SL_TOPIC_MAX];
    int err = 0;
    printf("open %s\n", sl_runtime_name(runtime));
    switch ((enum mode)p->mode) {
    case OPEN_FAILS:
        return sl_error(-ENODEV, "no sensor at port 2368; plug it in");
    case SLOW_OPEN:
        while (!sl_runtime_stopping(runtime))
            usleep(1000);
        return 0;
    case WATCH:
        p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        err = sl_runtime_watch(runtime, p->fd);
        eventfd_write(p->fd, 3);
        return err;
    case TOPICS:
        err = sl_runtime_topic(runtime, p->topic, name);
        if (err == 0)
            printf("topic %s given %d\nbus %d\n", name, sl_runtime_given(runtime, "topic"),
                   (int)sl_runtime_bus(runtime));
        return err;
    case HOLD_LOAN:
        err = open_echo(p, runtime);
        if (err == 0)
            err = open_counters(runtime);
        return err < 0 ? err : sl_publisher_loan(p->publisher, &p->loan);
    case ECHO:
        return open_echo(p, runtime);
    case TAKE:
        return sl_runtime_subscribe(
            runtime, &(struct sl_subscriber_options){.topic = "/data", .type = "test/msg/Bytes"},
            &p->subscriber);
    case PARENT:
        return start_child(p);
    default:
        return 0;
    }
}

static int work_timer(struct program *p, struct sl_runtime *runtime)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (p->due_ns != 0) {
        if (now_ns < p->due_ns)
            return sl_error(-EPROTO, "woken too early");
        p->late_ns[p->count++] = now_ns - p->due_ns;
    }
    if (p->count == TIMERS)
        return -ECANCELED;
    p->due_ns = sl_clock_monotonic_ns() + SL_NS_PER_MS;
    sl_runtime_wake_at(runtime, p->due_ns);
    return 0;
}

/* The next message is published when the last one came back: only the subscriber's descriptor
 * wakes. */
static int work_echo(struct program *p)
{
    struct sl_frame frame;
    int err = sl_subscriber_take(p->subscriber, &frame);
    if (err == 0) {
        p->taken++;
        sl_frame_release(&frame);
    }
    if (p->taken == TIMERS)
        return -ECANCELED;
    if (err != -EAGAIN)
        return err < 0 ? err : 1; /* take until there is nothing */
    if (p->published > p->taken)
        return 0;
    err = sl_publisher_loan(p->publisher, &p->loan);
    if (err < 0)
        return err;
    const struct sl_message message = {.body_length = 8};
    err = sl_publisher_publish(p->publisher, &p->loan, &message);
    p->published++;
    return err < 0 ? err : 0;
}

static int program_work(void *state, struct sl_runtime *runtime)
{
    struct program *p = state;
    eventfd_t value;
    switch ((enum mode)p->mode) {
    case BUSY:
        return 1;
    case STOP:
        sl_runtime_stop(runtime);
        return 1;
    case END:
    case CLOSE_FAILS:
    case TOPICS:
        return -ECANCELED;
    case WORK_FAILS:
        return sl_error(-EIO, "the cable was pulled; plug it in again");
    case TIMER:
        return work_timer(p, runtime);
    case WATCH:
        if (eventfd_read(p->fd, &value) < 0)
            return 0;
        printf("watched %llu\n", (unsigned long long)value);
        sl_runtime_unwatch(runtime, p->fd);
        return -ECANCELED;
    case ECHO:
        return work_echo(p);
    case TAKE:
        return work_take(p);
    default:
        return 0;
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void program_close(void *state, struct sl_runtime *runtime)
{
    struct program *p = state;
    if (p->mode == CLOSE_FAILS)
        sl_runtime_fail(runtime, sl_error(-ENOSPC, "the last line is lost; make room"));
    if (p->mode == TIMER) {
        qsort(p->late_ns, p->count, sizeof *p->late_ns, by_value);
        printf("late p50 %llu ns\n", (unsigned long long)p->late_ns[p->count / 2]);
    }
    if (p->mode == ECHO)
        printf("taken %llu\n", (unsigned long long)p->taken);
    if (p->child > 0) {
        kill(p->child, SIGKILL);
        waitpid(p->child, NULL, 0);
    }
    if (p->mode == WATCH && p->fd > 0)
        close(p->fd);
    sl_error_clear(); /* what failed must have been shown before */
    printf("close\n");
}

int main(int argc, char **argv)
{
    static const struct sl_program program = {
        .name = "program",
        .summary = "Shows what the runtime does",
        .example = "program --mode echo",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .state_size = sizeof(struct program),
        .open = program_open,
        .work = program_work,
        .close = program_close,
    };
    return sl_program_main(&program, argc, argv);
}
