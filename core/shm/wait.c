/* SPDX-License-Identifier: Apache-2.0 */
/* wait.c - sleeping until there is something to take: by futex, or by a descriptor for epoll.
 *
 * Runs in the taking thread. Ask (arm), look once more, sleep: either the publisher sees the
 * request, or we see its message.
 */
#include "core/shm/subscriber.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/wake.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_SLICE_MS = 1, /* waiting by looks where futex_waitv is absent */
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
    uint64_t now_ns = sl_clock_monotonic_ns(), expirations;
    if (s->batch_end_ns == 0) {
        s->batch_end_ns = now_ns + (uint64_t)s->options.wake_after_ns;
        struct itimerspec end = {
            .it_value = {.tv_sec = (time_t)(s->batch_end_ns / SL_NS_PER_S),
                         .tv_nsec = (long)(s->batch_end_ns % SL_NS_PER_S)},
        };
        timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &end, NULL);
        return true;
    }
    ssize_t got = read(s->timer_fd, &expirations, sizeof expirations);
    (void)got;
    return now_ns < s->batch_end_ns;
}

/* Nothing to take: ask for a message on each connection. True if there is something after all. */
bool sl_subscriber_arm(struct sl_subscriber *s)
{
    bool by_batch = descriptor_waits_for_batch(s);
    sl_stats_set32(&s->row->held,
                   sl_subscriber_held(s)); /* releases tell nobody: look when there is time */
    for (unsigned i = 0; i < s->link_count; i++) {
        struct sl_link *l = s->link[i];
        bool was_gone = atomic_load(&l->gone);
        drain_link(l);
        if (!sl_reader_arm_for(&l->reader, SL_WAKE_CONNECTION, worth_waking(l, by_batch)) ||
            atomic_load(&l->gone) != was_gone)
            return true;
    }
    return atomic_load_explicit(&s->events, memory_order_acquire) != s->events_seen;
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
            sl_reader_state(&l->reader) == SL_WORD_REVOKED)
            return true;
    }
    return false;
}

/* Is something there, without asking for a wake-up? */
static bool look(struct sl_subscriber *s, bool by_batch)
{
    if (atomic_load_explicit(&s->events, memory_order_acquire) != s->events_seen)
        sl_subscriber_adopt(s);
    for (unsigned i = s->link_count; i-- > 0;) {
        struct sl_link *l = s->link[i];
        if (atomic_load(&l->gone) && sl_ring_head(&l->reader.ring) <= l->reader.cursor)
            sl_subscriber_leave(s, i);
    }
    return has_message(s, by_batch);
}

struct sleep {
    const _Atomic uint32_t *word[SL_WAKE_WORDS_MAX];
    uint32_t value[SL_WAKE_WORDS_MAX];
    unsigned count;
    bool too_many;
};

static void sleep_on(struct sleep *sleep, const _Atomic uint32_t *word)
{
    if (sleep->count == SL_WAKE_WORDS_MAX) {
        sleep->too_many = true;
        return;
    }
    sleep->word[sleep->count] = word;
    /* read before arming: a wake-up after this moves it, and the kernel does not let us sleep */
    sleep->value[sleep->count++] = atomic_load_explicit(word, memory_order_acquire);
}

/* Ask everywhere. False: there is something already. */
static bool arm(struct sl_subscriber *s, struct sleep *sleep, bool by_batch)
{
    sl_stats_set32(&s->row->held, sl_subscriber_held(s));
    sleep_on(sleep, &s->events);
    for (unsigned i = 0; i < s->link_count; i++) {
        sleep_on(sleep, &s->link[i]->reader.word->wake);
        if (!sl_reader_arm_for(&s->link[i]->reader, SL_WAKE_FUTEX,
                               worth_waking(s->link[i], by_batch)))
            return false;
    }
    return !look(s, by_batch);
}

static void disarm(struct sl_subscriber *s)
{
    for (unsigned i = 0; i < s->link_count; i++)
        sl_reader_disarm(&s->link[i]->reader);
}

/* More words than one call takes, or a kernel without futex_waitv: look again and again. */
static int sleep_by_slices(uint64_t deadline_ns)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    uint64_t slice_ns = POLL_SLICE_MS * SL_NS_PER_MS;
    if (deadline_ns && deadline_ns - now_ns < slice_ns)
        slice_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec pause = {.tv_nsec = (long)slice_ns};
    return nanosleep(&pause, NULL) < 0 ? -errno : 0;
}

static int ready_one(struct sl_subscriber *const *subscribers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (look(subscribers[i], false))
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
    sl_wake_futex(&s->events);
}

static bool was_interrupted(struct sl_subscriber *const *subscribers, unsigned count)
{
    bool any = false;
    for (unsigned i = 0; i < count; i++)
        if (atomic_load_explicit(&subscribers[i]->interrupted, memory_order_relaxed))
            any |= atomic_exchange(&subscribers[i]->interrupted, false);
    return any;
}

/* Does the subscriber, asleep since `since_ns`, still wait for a batch? If so, until then at most.
 */
static bool waits_for_batch(const struct sl_subscriber *s, uint64_t since_ns, uint64_t now_ns,
                            uint64_t *until_ns)
{
    uint64_t end_ns = since_ns + (uint64_t)s->options.wake_after_ns;
    if (s->options.wake_batch <= 1 || now_ns >= end_ns)
        return false;
    if (*until_ns == 0 || end_ns < *until_ns)
        *until_ns = end_ns;
    return true;
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
    uint64_t since_ns = spin_ns > 0 ? sl_clock_monotonic_ns() : start_ns, now_ns = since_ns;
    for (;; now_ns = sl_clock_monotonic_ns()) {
        struct sleep sleep = {0};
        uint64_t until_ns = deadline_ns; /* or the end of somebody's time for a batch */
        int ready = ready_one(subscribers, count);
        bool asleep = ready < 0;
        /* the words are read first: who interrupts after we have looked, moves one of them */
        for (unsigned i = 0; i < count && asleep; i++)
            asleep = arm(subscribers[i], &sleep,
                         waits_for_batch(subscribers[i], since_ns, now_ns, &until_ns));
        for (unsigned i = 0; i < count && asleep; i++)
            asleep = !atomic_load(&subscribers[i]->interrupted);
        int err = 0;
        if (asleep) {
            if (deadline_ns && sl_clock_monotonic_ns() >= deadline_ns)
                err = -ETIMEDOUT;
            else
                err = sleep.too_many
                          ? -ENOSYS
                          : sl_sleep_futex(sleep.word, sleep.value, sleep.count, until_ns);
            if (err < 0 && err != -ETIMEDOUT && err != -EINTR)
                err = sleep_by_slices(until_ns);
            else if (err == -ETIMEDOUT && until_ns != deadline_ns)
                err = 0; /* for a batch only */
        }
        for (unsigned i = 0; i < count; i++)
            disarm(subscribers[i]);
        if (ready < 0)
            ready = ready_one(subscribers, count);
        if (was_interrupted(subscribers, count))
            return -EINTR;
        if (ready >= 0)
            return ready;
        if (err == -ETIMEDOUT || err == -EINTR)
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

int sl_subscriber_fd(struct sl_subscriber *s)
{
    if (s->epoll_fd >= 0)
        return s->epoll_fd;
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
    sl_subscriber_adopt(s);
    sl_subscriber_ring(
        s); /* readable at once, so that the first round of taking arms the connections */
    return epoll_fd;
}
