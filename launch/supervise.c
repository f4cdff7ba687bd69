/* SPDX-License-Identifier: Apache-2.0 */
/* supervise.c - the life of each node, and of all together. */
#include "launch/supervise.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/domain.h"
#include "launch/child.h"
#include "launch/orphans.h"
#include "launch/output.h"
#include "launch/roudi.h"
#include "launch/table.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS_MAX        32
#define LOOK_EVERY_NS     (SL_NS_PER_S / 2) /* at the counters */
#define ANSWER_MS         20                /* which those have that are new */
#define FIRST_ANSWER_MS   1000 /* of one that is just ready, and may end before the next look */
#define READER_MS         5    /* when our own output's reader is behind */
#define TABLE_TEXT_MAX    16384
#define DURATION_TEXT_MAX 24

/* waiting -> starting -> ready -> ended | failed, and from each that runs: -> stopping -> ended |
 * failed; after an end that is not the last: -> pausing -> starting. */
enum state {
    WAITING,
    STARTING,
    READY,
    PAUSING,
    STOPPING,
    ENDED,
    FAILED
};
static const char *const state_names[] = {"waiting",  "starting", "ready", "pausing",
                                          "stopping", "ended",    "failed"};

struct member {
    struct sl_child child;
    const struct sl_plan_node *node;
    enum state state;
    uint64_t deadline_ns; /* starting: to be ready; pausing: start again; stopping: kill */
    uint64_t start_ns, ready_ns;
    int64_t restart_delay_ns; /* the next one */
    int64_t restarts;         /* in a row */
    bool was_ready;
    bool was_late; /* it is stopped because it did not become ready */
};

struct supervisor {
    const struct sl_plan *plan;
    const struct sl_supervise_options *options;
    struct member *member;
    unsigned count;
    struct sl_domain domain;
    struct sl_table *table;
    struct sl_roudi_host roudi;
    int epoll_fd, signal_fd;
    uint64_t start_ns, end_ns, next_look_ns, next_lines_ns, next_pulse_ns;
    bool stopping;
    bool failed;
};

/* What an epoll event tells of: a member's index, and which of its descriptors. */
enum source {
    FROM_PROCESS,
    FROM_READY,
    FROM_OUTPUT,
    FROM_ERROR,
    SOURCES
};
#define FROM_SIGNALS      UINT64_MAX
#define FROM_ROUDI        (UINT64_MAX - 1)
#define FROM_ROUDI_OUTPUT (UINT64_MAX - 2)
#define FROM_ROUDI_ERROR  (UINT64_MAX - 3)

static bool is_running(const struct member *m)
{
    return m->child.pid > 0;
}

static bool is_over(const struct member *m)
{
    return m->state == ENDED || m->state == FAILED;
}

static const char *show_duration(int64_t ns, char to[DURATION_TEXT_MAX])
{
    if (ns < (int64_t)SL_NS_PER_S)
        snprintf(to, DURATION_TEXT_MAX, "%lld ms", (long long)(ns / (int64_t)SL_NS_PER_MS));
    else
        snprintf(to, DURATION_TEXT_MAX, "%.3g s", (double)ns / 1e9);
    return to;
}

/* Starting --------------------------------------------------------------------------------------*/

static int watch(struct supervisor *s, int fd, uint64_t data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return sl_error(-errno, "cannot watch a node: %s", strerror(errno));
    return 0;
}

static int watch_member(struct supervisor *s, struct member *m)
{
    uint64_t first = (uint64_t)(m - s->member) * SOURCES;
    const int fds[SOURCES] = {m->child.pid_fd, m->child.ready_fd, m->child.output.fd,
                              m->child.error.fd};
    int err = 0;
    for (unsigned i = 0; i < SOURCES && err == 0; i++)
        err = watch(s, fds[i], first + i);
    return err;
}

static void stop_all(struct supervisor *s);

static void start(struct supervisor *s, struct member *m, uint64_t now_ns)
{
    m->was_ready = m->was_late = false;
    m->start_ns = now_ns;
    int err = sl_child_start(&m->child, s->domain.name);
    if (err == 0)
        err = watch_member(s, m);
    if (err < 0) {
        sl_output_note(SL_LOG_ERROR, "%s", sl_error_text());
        s->failed = true;
        if (is_running(m)) {
            sl_child_signal(&m->child, SIGKILL, true);
            sl_child_reap(&m->child);
        }
        m->state = FAILED;
        stop_all(s);
        return;
    }
    m->state = STARTING;
    m->deadline_ns =
        m->node->ready_timeout_ns > 0 ? now_ns + (uint64_t)m->node->ready_timeout_ns : 0;
    sl_output_note(SL_LOG_DEBUG, "%s started, process %d", m->node->name, (int)m->child.pid);
}

/* 1: everything it waits for is ready (or did its work and ended); 0: not yet; -1: never. */
static int may_start(const struct supervisor *s, const struct member *m, const char **ret_blocker)
{
    for (unsigned i = 0; i < m->node->after.count; i++) {
        *ret_blocker = m->node->after.at[i].value;
        const struct member *other = &s->member[sl_plan_find(s->plan, *ret_blocker)];
        if (other->state == FAILED)
            return -1;
        if (other->state != ENDED && other->state != READY)
            return 0;
    }
    return 1;
}

static void stop_all(struct supervisor *s);

/* It has ended for good, or will never be started. */
static void end_with(struct supervisor *s, const struct member *m)
{
    if (!m->node->required)
        return;
    sl_output_note(SL_LOG_INFO, "%s is required: stopping all", m->node->name);
    stop_all(s);
}

static void start_waiting(struct supervisor *s, uint64_t now_ns)
{
    for (unsigned i = 0; i < s->count && !s->stopping; i++) {
        struct member *m = &s->member[i];
        const char *blocker = "";
        if (m->state != WAITING)
            continue;
        int may = may_start(s, m, &blocker);
        if (may > 0) {
            start(s, m, now_ns);
        } else if (may < 0) {
            sl_output_note(SL_LOG_ERROR, "%s is not started, because %s failed", m->node->name,
                           blocker);
            m->state = FAILED;
            s->failed = true;
            end_with(s, m);
        }
    }
}

/* Stopping --------------------------------------------------------------------------------------*/

static int64_t grace_of(const struct supervisor *s, const struct member *m)
{
    return m->node->grace_ns > 0 ? m->node->grace_ns : s->options->grace_ns;
}

static void stop_one(struct supervisor *s, struct member *m, uint64_t now_ns)
{
    m->state = STOPPING;
    m->deadline_ns = now_ns + (uint64_t)grace_of(s, m);
    /* A shell passes nothing on to what it waits for; Sluice's own know how to end. */
    sl_child_signal(&m->child, SIGTERM, m->node->is_plain);
    sl_child_signal(&m->child, SIGCONT, true);
}

/* Who still runs and waits for `m` to have been there before? */
static bool is_needed(const struct supervisor *s, const struct member *m)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct member *other = &s->member[i];
        for (unsigned j = 0; is_running(other) && j < other->node->after.count; j++)
            if (strcmp(other->node->after.at[j].value, m->node->name) == 0)
                return true;
    }
    return false;
}

/* The reverse of the order of starting: first those that nobody stands on. */
static void stop_next(struct supervisor *s, uint64_t now_ns)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct member *m = &s->member[i];
        if (is_running(m) && m->state != STOPPING && !is_needed(s, m))
            stop_one(s, m, now_ns);
    }
}

static void stop_all(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    sl_table_refresh(s->table, FIRST_ANSWER_MS); /* the last look while all of them run */
    for (unsigned i = 0; i < s->count; i++)
        if (s->member[i].state == WAITING || s->member[i].state == PAUSING)
            s->member[i].state = ENDED;
}

static void kill_all(struct supervisor *s)
{
    for (unsigned i = 0; i < s->count; i++)
        sl_child_signal(&s->member[i].child, SIGKILL, true);
}

/* Ends ------------------------------------------------------------------------------------------*/

static const char *show_status(int status, char to[80])
{
    if (WIFEXITED(status))
        snprintf(to, 80, "ended with status %d", WEXITSTATUS(status));
    else
        snprintf(to, 80, "was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    return to;
}

/* While it is being stopped, an end by our signals is what was asked for; shells tell it as 128 +
 * n. */
static bool is_asked_for(int status)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;
    return status == 0 || number == SIGTERM || number == SIGKILL || number == SIGINT ||
           number == SIGHUP;
}

static void show_last_lines(const struct member *m)
{
    unsigned count = m->child.last_count;
    unsigned first = count > SL_CHILD_LAST_LINES ? count - SL_CHILD_LAST_LINES : 0;
    if (count == 0)
        sl_output_note(SL_LOG_ERROR, "%s wrote nothing", m->node->name);
    for (unsigned i = first; i < count; i++)
        sl_output_note(SL_LOG_ERROR, "%s's last words: %s", m->node->name,
                       m->child.last[i % SL_CHILD_LAST_LINES]);
}

static bool may_restart(const struct member *m, bool failed)
{
    if (m->node->restart == SL_RESTART_NEVER ||
        (m->node->restart == SL_RESTART_ON_FAILURE && !failed))
        return false;
    return m->node->restart_max == 0 || m->restarts < m->node->restart_max;
}

static void pause_before_restart(struct member *m, const char *what, uint64_t now_ns)
{
    char delay[DURATION_TEXT_MAX], of[32] = "";
    const struct sl_plan_node *node = m->node;
    m->restarts++;
    if (node->restart_max > 0)
        snprintf(of, sizeof of, " of %lld", (long long)node->restart_max);
    sl_output_note(SL_LOG_WARN, "%s %s; it is started again in %s (%lld%s)", node->name, what,
                   show_duration(m->restart_delay_ns, delay), (long long)m->restarts, of);
    m->state = PAUSING;
    m->deadline_ns = now_ns + (uint64_t)m->restart_delay_ns;
    m->restart_delay_ns = m->restart_delay_ns > node->restart_max_delay_ns / 2
                              ? node->restart_max_delay_ns
                              : m->restart_delay_ns * 2;
}

static void give_up(struct supervisor *s, struct member *m, const char *what)
{
    const char *why =
        m->node->restart == SL_RESTART_NEVER ? "restart: never" : "it was restarted often enough";
    sl_output_note(SL_LOG_ERROR, "%s %s%s; it is not started again (%s)", m->node->name, what,
                   m->was_ready ? "" : " before it was ready", why);
    if (!m->was_ready)
        show_last_lines(m);
    m->state = FAILED;
    s->failed = true;
}

static void decide_after_end(struct supervisor *s, struct member *m, int status, uint64_t now_ns)
{
    char what[80];
    show_status(status, what);
    bool failed = status != 0 || m->was_late;
    if (s->stopping) {
        failed = m->was_late || !is_asked_for(status);
        m->state = failed ? FAILED : ENDED;
        s->failed = s->failed || failed;
        if (failed)
            sl_output_note(SL_LOG_ERROR, "%s %s while stopping", m->node->name, what);
        return;
    }
    /* A node that stood for long starts its count anew. */
    if (m->was_ready && now_ns - m->ready_ns >= (uint64_t)m->node->restart_max_delay_ns) {
        m->restarts = 0;
        m->restart_delay_ns = m->node->restart_delay_ns;
    }
    if (may_restart(m, failed)) {
        pause_before_restart(m, what, now_ns);
        return;
    }
    if (failed) {
        give_up(s, m, what);
    } else {
        sl_output_note(SL_LOG_INFO, "%s has ended", m->node->name);
        m->state = ENDED;
    }
    end_with(s, m);
}

static void on_ready(struct supervisor *s, struct member *m)
{
    if (m->child.ready_fd < 0 || sl_child_ready(&m->child) <= 0)
        return;
    m->was_ready = true;
    m->ready_ns = sl_clock_monotonic_ns();
    if (m->state != STARTING)
        return;
    char after[DURATION_TEXT_MAX];
    m->state = READY;
    m->deadline_ns = 0;
    sl_output_note(SL_LOG_INFO, "%s is %s after %s", m->node->name,
                   m->node->is_plain ? "started" : "ready",
                   show_duration((int64_t)(m->ready_ns - m->start_ns), after));
    s->next_look_ns = 0;
}

static void on_end(struct supervisor *s, struct member *m)
{
    if (!is_running(m))
        return;
    on_ready(s, m); /* its word may have come just before its end */
    pid_t pid = m->child.pid;
    int status = sl_child_reap(&m->child);
    sl_domain_sweep(&s->domain, pid);
    decide_after_end(s, m, status, sl_clock_monotonic_ns());
}

/* RouDi -----------------------------------------------------------------------------------------*/

static int open_roudi(struct supervisor *s)
{
    struct sl_roudi_host *roudi = &s->roudi;
    int err = sl_roudi_open(roudi, s->plan, s->signal_fd);
    if (err == 0 && roudi->pid_fd >= 0)
        err = watch(s, roudi->pid_fd, FROM_ROUDI);
    if (err == 0 && roudi->child.output.fd >= 0)
        err = watch(s, roudi->child.output.fd, FROM_ROUDI_OUTPUT);
    if (err == 0 && roudi->child.error.fd >= 0)
        err = watch(s, roudi->child.error.fd, FROM_ROUDI_ERROR);
    return err;
}

/* The nodes go on: they are connected, and a robot shall not stop for this. */
static void on_roudi_end(struct supervisor *s)
{
    if (s->roudi.pid_fd < 0)
        return;
    sl_roudi_reap(&s->roudi);
    s->failed = true;
}

static void watch_roudi(struct supervisor *s, uint64_t now_ns)
{
    if (s->roudi.pid_fd < 0 || now_ns < s->next_pulse_ns)
        return;
    sl_roudi_watch(&s->roudi);
    s->next_pulse_ns = now_ns + SL_ROUDI_PULSE_MS * SL_NS_PER_MS;
}

/* Events ----------------------------------------------------------------------------------------*/

static struct member *member_of(struct supervisor *s, pid_t pid)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->member[i].child.pid == pid)
            return &s->member[i];
    return NULL;
}

/* What the nodes left behind comes to us, as to init. */
static void reap_orphans(struct supervisor *s)
{
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        struct member *m = member_of(s, info.si_pid);
        if (m) {
            on_end(s, m);
        } else if (info.si_pid == s->roudi.child.pid) {
            on_roudi_end(s);
        } else {
            if (info.si_pid == s->roudi.guard)
                s->roudi.guard = 0;
            waitpid(info.si_pid, NULL, WNOHANG);
            sl_domain_sweep(&s->domain, info.si_pid);
        }
    }
}

static void on_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            reap_orphans(s);
        } else if (!s->stopping) {
            sl_output_note(SL_LOG_INFO, "%s: stopping all", strsignal((int)info.ssi_signo));
            stop_all(s);
        } else {
            sl_output_note(SL_LOG_WARN, "%s again: killing all", strsignal((int)info.ssi_signo));
            kill_all(s);
        }
    }
}

static void on_member_event(struct supervisor *s, struct member *m, enum source source)
{
    switch (source) {
    case FROM_PROCESS:
        on_end(s, m);
        break;
    case FROM_READY:
        on_ready(s, m);
        break;
    case FROM_OUTPUT:
        sl_child_drain(&m->child, &m->child.output);
        break;
    case FROM_ERROR:
        sl_child_drain(&m->child, &m->child.error);
        break;
    default:
        break;
    }
}

static void on_event(struct supervisor *s, uint64_t data)
{
    struct sl_child *roudi = &s->roudi.child;
    if (data == FROM_SIGNALS)
        on_signals(s);
    else if (data == FROM_ROUDI)
        on_roudi_end(s);
    else if (data == FROM_ROUDI_OUTPUT || data == FROM_ROUDI_ERROR)
        sl_child_drain(roudi, data == FROM_ROUDI_OUTPUT ? &roudi->output : &roudi->error);
    else
        on_member_event(s, &s->member[data / SOURCES], (enum source)(data % SOURCES));
}

static void on_late(struct supervisor *s, struct member *m, uint64_t now_ns)
{
    char timeout[DURATION_TEXT_MAX];
    switch (m->state) {
    case STARTING:
        sl_output_note(SL_LOG_ERROR, "%s is not ready after %s; it is stopped", m->node->name,
                       show_duration(m->node->ready_timeout_ns, timeout));
        m->was_late = true;
        stop_one(s, m, now_ns);
        break;
    case PAUSING:
        start(s, m, now_ns);
        break;
    case STOPPING:
        sl_output_note(SL_LOG_WARN, "%s does not end within %s; it is killed", m->node->name,
                       show_duration(grace_of(s, m), timeout));
        sl_child_signal(&m->child, SIGKILL, true);
        m->deadline_ns = 0;
        break;
    default:
        m->deadline_ns = 0;
        break;
    }
}

/* Looking at the counters
 * -------------------------------------------------------------------------*/

static void show_table(struct supervisor *s)
{
    char text[TABLE_TEXT_MAX];
    unsigned rows, columns;
    sl_output_size(&rows, &columns);
    size_t used = (size_t)snprintf(text, sizeof text, "nodes:");
    for (unsigned i = 0; i < s->count && used < sizeof text - SL_NODE_MAX - 16; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, " %s %s%s", s->member[i].node->name,
                             state_names[s->member[i].state], i + 1 < s->count ? "," : "");
    if (columns > 0 && used > columns)
        used = columns;
    text[used++] = '\n';
    sl_table_text(s->table, rows > 4 ? rows - 3 : rows, columns, text + used, sizeof text - used);
    sl_output_table(text);
}

static void note_line(const char *text)
{
    sl_output_note(SL_LOG_INFO, "%s", text);
}

static void look(struct supervisor *s, uint64_t now_ns)
{
    if (now_ns < s->next_look_ns)
        return;
    sl_table_refresh(s->table, s->next_look_ns == 0 ? FIRST_ANSWER_MS : ANSWER_MS);
    s->next_look_ns = now_ns + LOOK_EVERY_NS;
    if (sl_output_has_table()) {
        show_table(s);
    } else if (s->options->stats_period_ns > 0 && now_ns >= s->next_lines_ns) {
        sl_table_lines(s->table, note_line);
        s->next_lines_ns = now_ns + (uint64_t)s->options->stats_period_ns;
    }
}

/* All together
 * ------------------------------------------------------------------------------------*/

static bool is_finished(const struct supervisor *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (!is_over(&s->member[i]))
            return false;
    return true;
}

static void on_deadlines(struct supervisor *s, uint64_t now_ns)
{
    if (!s->stopping && s->end_ns != 0 && now_ns >= s->end_ns) {
        char duration[DURATION_TEXT_MAX];
        sl_output_note(SL_LOG_INFO, "%s have passed: stopping all",
                       show_duration(s->options->duration_ns, duration));
        stop_all(s);
    }
    for (unsigned i = 0; i < s->count; i++) {
        struct member *m = &s->member[i];
        if (!is_over(m) && m->deadline_ns != 0 && now_ns >= m->deadline_ns)
            on_late(s, m, now_ns);
    }
}

/* Milliseconds to the next thing to do, rounded up. */
static int time_to_wait(const struct supervisor *s, uint64_t now_ns)
{
    uint64_t next_ns = s->next_look_ns;
    if (!s->stopping && s->end_ns != 0 && s->end_ns < next_ns)
        next_ns = s->end_ns;
    if (s->roudi.pid_fd >= 0 && s->next_pulse_ns < next_ns)
        next_ns = s->next_pulse_ns;
    for (unsigned i = 0; i < s->count; i++) {
        const struct member *m = &s->member[i];
        if (!is_over(m) && m->deadline_ns != 0 && m->deadline_ns < next_ns)
            next_ns = m->deadline_ns;
    }
    return next_ns <= now_ns ? 0 : (int)((next_ns - now_ns) / SL_NS_PER_MS) + 1;
}

static void run(struct supervisor *s)
{
    for (;;) {
        uint64_t now_ns = sl_clock_monotonic_ns();
        on_deadlines(s, now_ns);
        start_waiting(s, now_ns);
        if (s->stopping)
            stop_next(s, now_ns);
        if (is_finished(s))
            return;
        look(s, now_ns);
        watch_roudi(s, now_ns);
        int timeout_ms = time_to_wait(s, now_ns);
        if (!sl_output_settle() && timeout_ms > READER_MS)
            timeout_ms = READER_MS;
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, timeout_ms);
        for (int i = 0; i < count; i++)
            on_event(s, events[i].data.u64);
    }
}

static int open_supervisor(struct supervisor *s)
{
    s->member = calloc(s->plan->node_count, sizeof *s->member);
    if (!s->member)
        return sl_error(-ENOMEM, "no memory for the nodes");
    unsigned width = sl_plan_needs_roudi(s->plan) ? (unsigned)strlen(s->roudi.node.name) : 0;
    for (; s->count < s->plan->node_count; s->count++) {
        struct member *m = &s->member[s->count];
        m->node = &s->plan->node[s->count];
        m->restart_delay_ns = m->node->restart_delay_ns;
        char **argv = NULL;
        int err = sl_plan_command((struct sl_plan *)s->plan, m->node, false, &argv);
        if (err < 0)
            return err;
        sl_child_init(&m->child, m->node, argv);
        width = strlen(m->node->name) > width ? (unsigned)strlen(m->node->name) : width;
    }
    sl_output_open(width, s->options->with_table, (enum sl_log_level)s->options->log_level);
    int err = sl_domain_open(s->options->domain, true, &s->domain);
    if (err < 0)
        return err;
    err = sl_table_open(s->domain.name, &s->table);
    if (err < 0)
        return err;
    sigset_t set;
    sigemptyset(&set);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->epoll_fd < 0 || s->signal_fd < 0)
        return sl_error(-errno, "cannot make the descriptors to wait with: %s", strerror(errno));
    err = watch(s, s->signal_fd, FROM_SIGNALS);
    return err < 0 ? err : open_roudi(s);
}

static void close_supervisor(struct supervisor *s)
{
    for (unsigned i = 0; i < s->count; i++)
        sl_child_finish(&s->member[i].child);
    sl_roudi_close(&s->roudi);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    sl_table_close(s->table);
    sl_domain_close(&s->domain);
    free(s->member);
}

int sl_supervise(struct sl_plan *plan, const struct sl_supervise_options *options)
{
    struct supervisor s = {.plan = plan,
                           .options = options,
                           .domain.fd = -1,
                           .epoll_fd = -1,
                           .signal_fd = -1,
                           .start_ns = sl_clock_monotonic_ns()};
    s.end_ns = options->duration_ns > 0 ? s.start_ns + (uint64_t)options->duration_ns : 0;
    s.next_lines_ns = s.start_ns + (uint64_t)options->stats_period_ns;
    sl_roudi_init(&s.roudi);
    int err = open_supervisor(&s);
    if (err == -ECANCELED) {
        sl_output_note(SL_LOG_INFO, "stopped before RouDi was ready; no node was started");
        close_supervisor(&s);
        return 0;
    }
    if (err < 0) {
        sl_output_note(SL_LOG_ERROR, "%s", sl_error_text());
        close_supervisor(&s);
        return 1;
    }
    sl_orphans_adopt();
    run(&s);
    sl_roudi_close(&s.roudi);
    sl_orphans_kill(&s.domain);
    sl_table_refresh(s.table, ANSWER_MS);
    sl_output_close();
    if (options->with_summary) {
        sl_table_summary(s.table, (double)(sl_clock_monotonic_ns() - s.start_ns) / 1e9, stdout);
        fflush(stdout);
    }
    close_supervisor(&s);
    return s.failed ? 1 : 0;
}
