/* SPDX-License-Identifier: Apache-2.0 */
/* wait.c - sleeping until there is something to take: by futex, or by a descriptor for epoll (the
 * user's, or our own where futexes cannot be waited for: more of them than the kernel takes at one
 * time, or no futex_waitv).
 *
 * Runs in the taking thread. Ask (arm), look once more, sleep: either the publisher sees the
 * request, or we see its message.
 */
#include "core/shm/subscriber.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/wake.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_SLICE_MS = 1, /* waiting by looks where there are no descriptors either */
    POLL_FDS = 64,     /* more of them are allocated */
    DRAIN_MAX = 64,    /* wake-ups taken from a connection at one time */
};
/* Has the connection something for us? Takes the bytes away; notices its end. */
static void drain_link(struct sl_link *l)
{
    char wakes[64];
    ssize_t got = 1;
    for (int i = 0; got > 0 && i < DRAIN_MAX; i++)
        got = recv(l->watch.fd, wakes, sizeof wakes, MSG_DONTWAIT);
    if (got == 0)
        atomic_store(&l->gone, true);
}

/* Take away what makes an eventfd or timerfd readable; none is fine. */
static void drain(int fd)
{
    uint64_t count;
    ssize_t got = fd >= 0 ? read(fd, &count, sizeof count) : 0;
    (void)got;
}

/* How many messages of a link are worth a wake-up? */
static uint32_t worth_waking(const struct sl_link *l, bool by_batch)
{
    return by_batch && l->reader.batch > 1 && !atomic_load(&l->gone) ? l->reader.batch : 1;
}

/* The descriptor's time for a batch: it begins when nothing is left to take; at its end the timer
 * makes the descriptor readable, and if there is still nothing, the next message does. */
static bool descriptor_waits_for_batch(struct sl_subscriber *s)
{
    if (s->timer_fd < 0)
        return false;
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (s->batch_end_ns == 0) {
        s->batch_end_ns = now_ns + (uint64_t)s->options.wake_after_ns;
        struct itimerspec end = {
            .it_value = {.tv_sec = (time_t)(s->batch_end_ns / SL_NS_PER_S),
                         .tv_nsec = (long)(s->batch_end_ns % SL_NS_PER_S)},
        };
        timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &end, NULL);
        return true;
    }
    drain(s->timer_fd);
    return now_ns < s->batch_end_ns;
}

/* Ask for a message on each connection. True if there is something already. */
static bool arm_connections(struct sl_subscriber *s, bool by_batch)
{
    sl_stats_set32(&s->row->held,
                   sl_subscriber_held(s)); /* releases tell nobody: look when there is time */
    for (unsigned i = 0; i < s->link_count; i++) {
        struct sl_link *l = s->link[i];
        bool was_gone = atomic_load(&l->gone);
        drain_link(l);
        if (!sl_ring_reader_arm_for(&l->reader, SL_WAKE_CONNECTION, worth_waking(l, by_batch)) ||
            atomic_load(&l->gone) != was_gone)
            return true;
    }
    return atomic_load_explicit(&s->events, memory_order_acquire) != s->events_seen;
}

bool sl_subscriber_arm(struct sl_subscriber *s)
{
    return arm_connections(s, descriptor_waits_for_batch(s));
}

/* Leave the descriptor readable: it is not known that there is nothing. */
void sl_subscriber_ring(struct sl_subscriber *s)
{
    uint64_t one = 1;
    ssize_t written = write(s->event_fd, &one, sizeof one);
    (void)written;
    atomic_fetch_add(&s->events, 1);
}

/* Waiting. ------------------------------------------------------------------------------------- */

static bool has_message(const struct sl_subscriber *s, bool by_batch)
{
    for (unsigned i = 0; i < s->link_count; i++) {
        const struct sl_link *l = s->link[i];
        if (sl_ring_head(&l->reader.ring) >= l->reader.cursor + worth_waking(l, by_batch) ||
            sl_ring_reader_state(&l->reader) == SL_WORD_REVOKED)
            return true;
    }
    return false;
}

static bool has_news(const struct sl_subscriber *s)
{
    return atomic_load_explicit(&s->events, memory_order_acquire) != s->events_seen;
}

/* Is something there, without asking for a wake-up? */
static bool look(struct sl_subscriber *s)
{
    if (has_news(s))
        sl_subscriber_adopt(s);
    for (unsigned i = s->link_count; i-- > 0;) {
        struct sl_link *l = s->link[i];
        if (atomic_load(&l->gone) && sl_ring_head(&l->reader.ring) <= l->reader.cursor)
            sl_subscriber_leave(s, i);
    }
    return has_message(s, false);
}

/* One sleep of sl_wait. */
struct sleep {
    struct sl_subscriber *const *subscribers;
    unsigned subscriber_count;
    uint64_t since_ns, now_ns; /* when it fell asleep first, and now */
    uint64_t until_ns; /* the deadline, or the end of somebody's time for a batch; 0 = none */
    const _Atomic uint32_t *word[SL_WAKE_WORDS_MAX];
    uint32_t value[SL_WAKE_WORDS_MAX];
    unsigned count;
};

/* Does the subscriber still wait for a batch? If so, until its time is over at most. */
static bool waits_for_batch(struct sleep *sleep, const struct sl_subscriber *s)
{
    uint64_t end_ns = sleep->since_ns + (uint64_t)s->options.wake_after_ns;
    if (s->options.wake_batch <= 1 || sleep->now_ns >= end_ns)
        return false;
    if (sleep->until_ns == 0 || end_ns < sleep->until_ns)
        sleep->until_ns = end_ns;
    return true;
}

static void sleep_on(struct sleep *sleep, const _Atomic uint32_t *word)
{
    sleep->word[sleep->count] = word;
    /* read before arming: a wake-up after this moves it, and the kernel does not let us sleep */
    sleep->value[sleep->count++] = atomic_load_explicit(word, memory_order_acquire);
}

/* Ask everywhere. False: there is something already. News of publishers that came before their word
 * was read are looked at first: what they are about is not armed. */
static bool arm(struct sleep *sleep, struct sl_subscriber *s)
{
    bool by_batch = waits_for_batch(sleep, s);
    sl_stats_set32(&s->row->held, sl_subscriber_held(s));
    sleep_on(sleep, &s->events);
    for (unsigned i = 0; i < s->link_count; i++) {
        sleep_on(sleep, &s->link[i]->reader.word->wake);
        if (!sl_ring_reader_arm_for(&s->link[i]->reader, SL_WAKE_FUTEX,
                                    worth_waking(s->link[i], by_batch)))
            return false;
    }
    return !has_news(s) && !has_message(s, by_batch);
}

static void disarm(struct sl_subscriber *s)
{
    for (unsigned i = 0; i < s->link_count; i++)
        sl_ring_reader_disarm(&s->link[i]->reader);
}

static int ready_one(struct sl_subscriber *const *subscribers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (look(subscribers[i]))
            return (int)i;
    return -EAGAIN;
}

static int spin(struct sl_subscriber *const *subscribers, unsigned count, uint64_t until_ns)
{
    while (sl_clock_monotonic_ns() < until_ns) {
        for (int looks = 0; looks < 64; looks++) {
            int ready = ready_one(subscribers, count);
            if (ready >= 0)
                return ready;
        }
    }
    return -EAGAIN;
}

void sl_subscriber_interrupt(struct sl_subscriber *s)
{
    atomic_store(&s->interrupted, true);
    int event_fd = atomic_load(&s->event_fd); /* made before the sleeper looks a last time */
    uint64_t one = 1;
    ssize_t written = event_fd >= 0 ? write(event_fd, &one, sizeof one) : 0;
    (void)written;
    sl_wake_futex(&s->events); /* counted last: it is news, and those take away what was written */
}

static bool is_interrupted(const struct sleep *sleep)
{
    for (unsigned i = 0; i < sleep->subscriber_count; i++)
        if (atomic_load(&sleep->subscribers[i]->interrupted))
            return true;
    return false;
}

static bool was_interrupted(struct sl_subscriber *const *subscribers, unsigned count)
{
    bool any = false;
    for (unsigned i = 0; i < count; i++)
        if (atomic_load_explicit(&subscribers[i]->interrupted, memory_order_relaxed))
            any |= atomic_exchange(&subscribers[i]->interrupted, false);
    return any;
}

/* Sleeping. All of these return 0 (woken, or there was something before), -ETIMEDOUT, -EINTR, or
 * another error: it cannot be done in this way. */

static int sleep_by_futex(struct sleep *sleep)
{
    unsigned words = 0;
    for (unsigned i = 0; i < sleep->subscriber_count; i++)
        words += 1 + sleep->subscribers[i]->link_count;
    if (words > sl_sleep_words_max())
        return -ENOSYS;
    for (unsigned i = 0; i < sleep->subscriber_count; i++)
        if (!arm(sleep, sleep->subscribers[i]))
            return 0;
    /* the words are read first: who interrupts after we have looked, moves one of them */
    if (is_interrupted(sleep))
        return 0;
    return sl_sleep_futex(sleep->word, sleep->value, sleep->count, sleep->until_ns);
}

static struct timespec time_left(uint64_t until_ns, uint64_t most_ns)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    uint64_t left_ns = until_ns == 0 ? most_ns : until_ns > now_ns ? until_ns - now_ns : 0;
    if (left_ns > most_ns)
        left_ns = most_ns;
    return (struct timespec){.tv_sec = (time_t)(left_ns / SL_NS_PER_S),
                             .tv_nsec = (long)(left_ns % SL_NS_PER_S)};
}

static int make_descriptor(struct sl_subscriber *s);

static int sleep_on_descriptors(struct sleep *sleep, struct pollfd *fds)
{
    unsigned count = sleep->subscriber_count;
    for (unsigned i = 0; i < count; i++) {
        struct sl_subscriber *s = sleep->subscribers[i];
        int err = make_descriptor(s);
        if (err < 0)
            return err;
        fds[i] = (struct pollfd){.fd = s->epoll_fd, .events = POLLIN};
    }
    for (unsigned i = 0; i < count; i++) {
        struct sl_subscriber *s = sleep->subscribers[i];
        bool by_batch = waits_for_batch(sleep, s);
        drain(s->timer_fd); /* what its user waits for by the descriptor is over */
        if (arm_connections(s, by_batch))
            return 0;
    }
    if (is_interrupted(sleep))
        return 0;
    struct timespec left = time_left(sleep->until_ns, UINT64_MAX);
    int ready = ppoll(fds, count, sleep->until_ns ? &left : NULL, NULL);
    return ready > 0 ? 0 : ready == 0 ? -ETIMEDOUT : -errno;
}

static int sleep_by_descriptors(struct sleep *sleep)
{
    struct pollfd few[POLL_FDS], *fds = few;
    if (sleep->subscriber_count > POLL_FDS)
        fds = malloc(sleep->subscriber_count * sizeof *fds);
    int err = fds ? sleep_on_descriptors(sleep, fds) : -ENOMEM;
    if (fds != few)
        free(fds);
    return err;
}

/* Not even descriptors are left: look again and again. */
static int sleep_by_slices(const struct sleep *sleep)
{
    struct timespec pause = time_left(sleep->until_ns, POLL_SLICE_MS * SL_NS_PER_MS);
    return nanosleep(&pause, NULL) < 0 ? -errno : 0;
}

static bool is_final(int err)
{
    return err == 0 || err == -ETIMEDOUT || err == -EINTR;
}

static int sleep_once(struct sleep *sleep, uint64_t deadline_ns)
{
    sleep->count = 0;
    sleep->until_ns = deadline_ns;
    sleep->now_ns = sl_clock_monotonic_ns();
    if (deadline_ns && sleep->now_ns >= deadline_ns)
        return -ETIMEDOUT;
    int err = sleep_by_futex(sleep);
    if (!is_final(err))
        err = sleep_by_descriptors(sleep);
    if (!is_final(err))
        err = sleep_by_slices(sleep);
    for (unsigned i = 0; i < sleep->subscriber_count; i++)
        disarm(sleep->subscribers[i]);
    /* the end of a time for a batch is not the end of the wait */
    return err == -ETIMEDOUT && sleep->until_ns != deadline_ns ? 0 : err;
}

int sl_wait(struct sl_subscriber *const *subscribers, unsigned count, int64_t timeout_ns)
{
    if (count == 0)
        return sl_error(-EINVAL, "no subscriber to wait for");
    uint64_t start_ns = sl_clock_monotonic_ns();
    uint64_t deadline_ns = timeout_ns < 0 ? 0 : start_ns + (uint64_t)timeout_ns;
    int64_t spin_ns = 0;
    for (unsigned i = 0; i < count; i++)
        if (subscribers[i]->options.spin_ns > spin_ns)
            spin_ns = subscribers[i]->options.spin_ns;
    if (spin_ns > 0) {
        uint64_t until_ns = start_ns + (uint64_t)spin_ns;
        int ready = spin(subscribers, count,
                         deadline_ns && deadline_ns < until_ns ? deadline_ns : until_ns);
        if (ready >= 0)
            return ready;
    }
    struct sleep sleep = {
        .subscribers = subscribers,
        .subscriber_count = count,
        .since_ns = start_ns + (uint64_t)spin_ns,
    };
    for (;;) {
        int err = 0, ready = ready_one(subscribers, count);
        if (ready < 0) {
            err = sleep_once(&sleep, deadline_ns);
            ready = ready_one(subscribers, count);
        }
        if (was_interrupted(subscribers, count))
            return -EINTR;
        if (ready >= 0)
            return ready;
        if (err < 0)
            return err;
    }
}

int sl_subscriber_wait(struct sl_subscriber *subscriber, int64_t timeout_ns)
{
    int ready = sl_wait(&subscriber, 1, timeout_ns);
    return ready < 0 ? ready : 0;
}

void sl_subscriber_watch(const struct sl_subscriber *s, const struct sl_link *l)
{
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, l->watch.fd, &event);
}

static int make_descriptor(struct sl_subscriber *s)
{
    if (s->epoll_fd >= 0)
        return 0;
    int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    int timer_fd = -1;
    bool by_batch = s->options.wake_batch > 1;
    if (by_batch)
        timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (event_fd < 0 || epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event) < 0 ||
        (by_batch && (timer_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event) < 0))) {
        int err =
            sl_error(-errno, "topic %s: no descriptor to wait on: %s", s->topic, strerror(errno));
        if (event_fd >= 0)
            close(event_fd);
        if (epoll_fd >= 0)
            close(epoll_fd);
        if (timer_fd >= 0)
            close(timer_fd);
        return err;
    }
    sl_service_lock();
    s->event_fd = event_fd;
    sl_service_unlock();
    s->epoll_fd = epoll_fd;
    s->timer_fd = timer_fd;
    for (unsigned i = 0; i < s->link_count; i++)
        sl_subscriber_watch(s, s->link[i]);
    return 0;
}

int sl_subscriber_fd(struct sl_subscriber *s)
{
    if (s->is_polled)
        return s->epoll_fd;
    int err = make_descriptor(s);
    if (err < 0)
        return err;
    s->is_polled = true;
    sl_subscriber_adopt(s);
    sl_subscriber_ring(
        s); /* readable at once, so that the first round of taking arms the connections */
    return s->epoll_fd;
}
