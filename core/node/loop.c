/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - one epoll for everything that a program waits for. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/node/private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX       16
#define SIGNALS_EVERY_NS (10 * SL_NS_PER_MS) /* while work() never runs dry */
#define READY_EVERY_NS   (10 * SL_NS_PER_MS)

int sl_runtime_watch(struct sl_runtime *runtime, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0)
        return fd;
    if (epoll_ctl(runtime->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return sl_error(-errno, "cannot wait for descriptor %d: %s", fd, strerror(errno));
    return 0;
}

void sl_runtime_unwatch(struct sl_runtime *runtime, int fd)
{
    epoll_ctl(runtime->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void sl_runtime_wake_at(struct sl_runtime *runtime, uint64_t monotonic_ns)
{
    runtime->wake_at_ns = monotonic_ns;
}

void sl_runtime_stop(struct sl_runtime *runtime)
{
    runtime->stopping = true;
}

/* The signals that ask for an end. Their default action would skip close(). */
static void end_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGINT);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGHUP);
}

int sl_loop_open(struct sl_runtime *runtime)
{
    sigset_t set;
    end_signals(&set);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow: its writer is told */
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_TIMERSLACK, 1UL);
    runtime->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    runtime->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    runtime->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (runtime->epoll_fd < 0 || runtime->timer_fd < 0 || runtime->signal_fd < 0)
        return sl_error(-errno, "cannot make the descriptors to wait with: %s", strerror(errno));
    int err = sl_runtime_watch(runtime, runtime->timer_fd);
    return err < 0 ? err : sl_runtime_watch(runtime, runtime->signal_fd);
}

void sl_loop_close(struct sl_runtime *runtime)
{
    int *fds[] = {&runtime->signal_fd, &runtime->timer_fd, &runtime->epoll_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

static void look_for_signals(struct sl_runtime *runtime)
{
    struct signalfd_siginfo info;
    unsigned limit_s = runtime->program->close_limit_s;
    while (read(runtime->signal_fd, &info, sizeof info) == sizeof info) {
        if (!runtime->stopping)
            alarm(limit_s ? limit_s : SL_CLOSE_LIMIT_S);
        runtime->stopping = true;
    }
}

bool sl_runtime_stopping(struct sl_runtime *runtime)
{
    if (!runtime->stopping && runtime->signal_fd >= 0)
        look_for_signals(runtime);
    return runtime->stopping;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

static void arm_timer(struct sl_runtime *runtime, uint64_t due_ns)
{
    if (runtime->armed_ns == due_ns)
        return;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due_ns / SL_NS_PER_S),
                                           .tv_nsec = (long)(due_ns % SL_NS_PER_S)}};
    timerfd_settime(runtime->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    runtime->armed_ns = due_ns;
}

/* Returns at once if something is due. */
static int wait_once(struct sl_runtime *runtime)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    uint64_t again_ns = sl_ready_pending(runtime) ? now_ns + READY_EVERY_NS : 0;
    sl_report_refusals(runtime);
    sl_report_if_due(runtime, now_ns);
    uint64_t due_ns = earlier(earlier(runtime->wake_at_ns, runtime->next_stats_ns), again_ns);
    if (runtime->wake_at_ns != 0 && runtime->wake_at_ns <= now_ns) {
        runtime->wake_at_ns = 0;
        due_ns = now_ns;
    } else {
        arm_timer(runtime, due_ns);
    }
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(runtime->epoll_fd, events, EVENTS_MAX, due_ns == now_ns ? 0 : -1);
    if (count < 0 && errno != EINTR)
        return sl_error(-errno, "cannot wait: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        uint64_t expired;
        if (events[i].data.fd == runtime->signal_fd)
            look_for_signals(runtime);
        else if (events[i].data.fd == runtime->timer_fd &&
                 read(runtime->timer_fd, &expired, sizeof expired) == sizeof expired)
            runtime->armed_ns = 0;
    }
    now_ns = sl_clock_monotonic_ns();
    if (runtime->wake_at_ns != 0 && runtime->wake_at_ns <= now_ns)
        runtime->wake_at_ns = 0;
    runtime->signals_seen_ns = now_ns;
    return 0;
}

/* What must be seen to even if the program is always busy. */
static void look_around(struct sl_runtime *runtime)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (now_ns - runtime->signals_seen_ns < SIGNALS_EVERY_NS)
        return;
    runtime->signals_seen_ns = now_ns;
    look_for_signals(runtime);
    sl_ready_pending(runtime);
    sl_report_refusals(runtime);
    sl_report_if_due(runtime, now_ns);
}

int sl_loop_run(struct sl_runtime *runtime, void *state)
{
    uint64_t idle_since_ns = 0;
    sl_ready_pending(runtime);
    while (!runtime->stopping) {
        int done = runtime->program->work(state, runtime);
        if (done == -ECANCELED)
            return 0;
        if (done < 0)
            return done;
        if (runtime->stopping)
            break;
        bool spins = false;
        if (done == 0 && runtime->common.spin_ns > 0) {
            uint64_t now_ns = sl_clock_monotonic_ns();
            idle_since_ns = idle_since_ns ? idle_since_ns : now_ns;
            bool is_due = runtime->wake_at_ns != 0 && runtime->wake_at_ns <= now_ns;
            spins = !is_due && now_ns - idle_since_ns < (uint64_t)runtime->common.spin_ns;
        } else {
            idle_since_ns = 0;
        }
        if (done > 0 || spins) {
            look_around(runtime);
            continue;
        }
        idle_since_ns = 0;
        int err = wait_once(runtime);
        if (err < 0)
            return err;
    }
    return 0;
}
