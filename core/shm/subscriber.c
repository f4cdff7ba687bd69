/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber.c - a topic's reading end: finding publishers, taking, waiting.
 *
 * A link is one publisher as this subscriber sees it. The service thread makes links (connects,
 * says hello, maps what comes) and puts them into `arrived`; the taking thread fetches them from
 * there when `events` has moved, and from then on the link is its own. A link whose publisher is
 * gone is read to its end and then left to the frames that are still held of it.
 */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/handshake.h"
#include "core/shm/order.h"
#include "core/shm/pool.h"
#include "core/shm/reader.h"
#include "core/shm/service.h"
#include "core/shm/statspage.h"
#include "core/shm/wake.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    QUOTA_DEFAULT = 4,
    LINKS_MAX = 64,             /* publishers of one topic */
    OPEN_TIMEOUT_MS = 1000,     /* for publishers that are there to answer */
    RETRY_MS = 20,              /* a publisher whose queue is full */
    POLL_SLICE_MS = 100,        /* waiting by poll where futex_waitv is absent */
    ARM_TRIES = 4,              /* to find nothing and be told of the next */
    DRAIN_MAX = 64,             /* wake-ups taken from a connection at one time */
    LATENCY_SAMPLE_NS = 100000, /* at most one latency sample for so much of publish time */
};

struct sl_link {
    struct sl_watch watch; /* its connection */
    struct sl_watch death; /* its process: a forked child of it may keep the connection open */
    struct sl_retry retry;
    struct sl_subscriber *subscriber;
    struct sl_link *next; /* in `pending` or `arrived` */
    struct sl_reader reader;
    uint64_t instance;
    char file[108];

    struct sl_memory ring, ledger, control, pool;
    const unsigned char *sides;
    unsigned char inline_body[SL_INLINE_MAX + 8];

    bool is_new_instance; /* it appeared after the subscriber was opened: read from its start */
    bool is_watched, is_retrying;
    bool is_armed; /* a message on the connection was asked for */
    uint32_t retain;
    uint64_t head;       /* when the publisher began to count us */
    uint64_t sampled_ns; /* publish time of the last latency sample */
    _Atomic bool gone;   /* its publisher hung up */
};

struct sl_subscriber {
    char topic[SL_TOPIC_MAX];
    char type[SL_TYPE_MAX];
    struct sl_subscriber_options options;
    struct sl_domain domain;
    struct sl_directory_watch directory;
    struct sl_stats_row *row;
    bool has_service, is_watching;

    /* The service thread's, under its lock. */
    struct sl_link *pending, *arrived;
    unsigned pending_count;
    bool was_opened;
    int refused; /* -errno of the last refusal */
    char refusal[SL_WELCOME_TEXT];

    _Atomic bool interrupted;
    _Atomic uint32_t events; /* futex; counts what the service thread has to tell */

    /* The taking thread's. */
    uint32_t events_seen;
    char refusal_seen[SL_WELCOME_TEXT];
    struct sl_link *link[LINKS_MAX]; /* changed under the lock: the service thread looks, too */
    unsigned link_count, turn;
    int epoll_fd, event_fd; /* made by sl_subscriber_fd; -1 */
};

static void tell_taker(struct sl_subscriber *s)
{
    sl_wake_futex(&s->events);
    if (s->event_fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(s->event_fd, &one, sizeof one);
        (void)written;
    }
    sl_service_changed();
}

/* Links: the service thread's part. ------------------------------------------------------------ */

static void free_link(struct sl_link *l)
{
    sl_memory_close(&l->pool);
    sl_memory_close(&l->control);
    sl_memory_close(&l->ledger);
    sl_memory_close(&l->ring);
    if (l->watch.fd >= 0)
        close(l->watch.fd);
    if (l->death.fd >= 0)
        close(l->death.fd);
    free(l);
}

static void forget_pending(struct sl_link *l)
{
    struct sl_subscriber *s = l->subscriber;
    for (struct sl_link **at = &s->pending; *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            s->pending_count--;
            break;
        }
    }
    if (l->is_watched)
        sl_service_unwatch(&l->watch);
    sl_service_unwatch(&l->death);
    if (l->is_retrying)
        sl_service_cancel_retry(&l->retry);
    l->is_watched = l->is_retrying = false;
}

/* This publisher will not be read. `err` 0: it just went away. */
static void give_up(struct sl_link *l, int err, const char *why)
{
    struct sl_subscriber *s = l->subscriber;
    if (err < 0) {
        s->refused = err;
        snprintf(s->refusal, sizeof s->refusal, "%s", why);
    }
    forget_pending(l);
    free_link(l);
    tell_taker(s);
}

static void publisher_is_gone(struct sl_link *l)
{
    sl_service_unwatch(&l->watch);
    sl_service_unwatch(&l->death);
    l->is_watched = false;
    atomic_store(&l->gone, true);
    tell_taker(l->subscriber);
}

static void link_hung_up(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    publisher_is_gone((struct sl_link *)watch);
}

static void publisher_died(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    publisher_is_gone((struct sl_link *)(void *)((char *)watch - offsetof(struct sl_link, death)));
}

static int map_segment(int *fd, uint64_t size_bytes, bool writable, struct sl_memory *to)
{
    int err = sl_memory_attach(*fd, size_bytes, writable, to);
    if (err == 0)
        *fd = -1; /* the memory's now */
    return err;
}

static int map_ledger(struct sl_link *l, const struct sl_welcome *w)
{
    struct sl_ledger *ledger = (void *)l->ledger.base;
    if (w->ledger_bytes < sizeof *ledger + w->slot_count || ledger->header.magic != SL_MAGIC ||
        ledger->header.kind != SL_SEGMENT_LEDGER || ledger->header.version != SL_PROTOCOL_VERSION)
        return sl_error(-EPROTO, "topic %s: the ledger is not what was announced",
                        l->subscriber->topic);
    l->reader.ledger = ledger;
    return 0;
}

/* Map what came with the welcome. Descriptors that were used become -1. */
static int map_link(struct sl_link *l, const struct sl_welcome *w, int *fds)
{
    struct sl_subscriber *s = l->subscriber;
    unsigned wanted = w->slot_count > 0 ? 4 : 2;
    if (w->fd_count != wanted || strcmp(w->topic, s->topic) != 0)
        return sl_error(-EPROTO, "topic %s: a welcome with %u segments", s->topic, w->fd_count);
    struct sl_reader *r = &l->reader;
    int err;
    if ((err = map_segment(&fds[0], w->ring_bytes, false, &l->ring)) < 0 ||
        (err = sl_ring_map(l->ring.base, l->ring.size_bytes, &r->ring)) < 0 ||
        (err = map_segment(&fds[1], w->ledger_bytes, true, &l->ledger)) < 0 ||
        (err = map_ledger(l, w)) < 0)
        return err;
    if (w->slot_count > 0 &&
        ((err = map_segment(&fds[2], w->control_bytes, false, &l->control)) < 0 ||
         (err = sl_control_map(&l->control, w->slot_count, w->slot_size, w->side_size, &r->state,
                               &l->sides)) < 0 ||
         (err = map_segment(&fds[3], w->pool_bytes, false, &l->pool)) < 0))
        return err;
    if (w->word_index >= r->ring.word_count)
        return sl_error(-EPROTO, "topic %s: word line %u of %u", s->topic, w->word_index,
                        r->ring.word_count);
    r->word = &r->ring.words[w->word_index];
    r->base = l->pool.base;
    r->slot_count = w->slot_count;
    r->slot_size = w->slot_size;
    r->side_size = w->side_size;
    r->policy = s->options.policy;
    r->depth = s->options.depth;
    r->quota = w->quota < s->options.quota ? w->quota : s->options.quota;
    l->retain = w->retain;
    return 0;
}

static void begin_reading(struct sl_link *l)
{
    struct sl_subscriber *s = l->subscriber;
    uint64_t history = s->options.history > l->retain ? s->options.history : l->retain;
    /* From the moment on at which the publisher counted us: it may have waited for that. */
    uint64_t from = l->is_new_instance || l->head < history ? 0 : l->head - history;
    if (sl_reader_attach(&l->reader, from) < 0) {
        give_up(l, -EPROTO, sl_error_text());
        return;
    }
    forget_pending(l);
    /* From now on only the end is of interest here. */
    l->watch.ready = link_hung_up;
    l->is_watched = sl_service_watch(&l->watch, EPOLLRDHUP) == 0;
    l->death = (struct sl_watch){.fd = sl_pidfd_of_peer(l->watch.fd), .ready = publisher_died};
    if (l->death.fd >= 0)
        sl_service_watch(&l->death, EPOLLIN);
    l->next = s->arrived;
    s->arrived = l;
    tell_taker(s);
}

static void retry_soon(struct sl_link *l);

static void welcome_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    struct sl_link *l = (struct sl_link *)watch;
    struct sl_welcome w;
    int fds[SL_WELCOME_FDS] = {-1, -1, -1, -1};
    int err = sl_welcome_receive(watch->fd, &w, fds);
    if (err == -EAGAIN)
        return;
    if (err == -ECONNRESET) { /* it has closed; or too many knocked at the same time */
        sl_service_unwatch(&l->watch);
        l->is_watched = false;
        close(l->watch.fd);
        l->watch.fd = -1;
        retry_soon(l);
        return;
    }
    if (err < 0) {
        give_up(l, err, sl_error_text());
        return;
    }
    if (w.status < 0) {
        give_up(l, w.status, w.text);
    } else {
        l->instance = w.instance;
        l->head = w.head;
        err = map_link(l, &w, fds);
        if (err < 0)
            give_up(l, err, sl_error_text());
        else
            begin_reading(l);
    }
    for (int i = 0; i < SL_WELCOME_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int say_hello(const struct sl_link *l)
{
    const struct sl_subscriber *s = l->subscriber;
    struct sl_hello hello;
    sl_hello_init(&hello, SL_HELLO_SUBSCRIBE);
    hello.flags = s->options.visitor ? SL_HELLO_VISITOR : 0;
    hello.policy = (uint32_t)s->options.policy;
    hello.quota = s->options.quota;
    snprintf(hello.topic, sizeof hello.topic, "%s", s->topic);
    snprintf(hello.type, sizeof hello.type, "%s", s->type);
    snprintf(hello.node, sizeof hello.node, "%s", sl_statspage_node());
    return sl_hello_send(l->watch.fd, &hello);
}

static void try_to_connect(struct sl_link *l);

static void retry_due(struct sl_retry *retry)
{
    struct sl_link *l = (struct sl_link *)(void *)((char *)retry - offsetof(struct sl_link, retry));
    l->is_retrying = false;
    try_to_connect(l);
}

static void retry_soon(struct sl_link *l)
{
    l->retry.run = retry_due;
    l->is_retrying = true;
    sl_service_retry(&l->retry, sl_clock_monotonic_ns() + RETRY_MS * SL_NS_PER_MS);
}

static void try_to_connect(struct sl_link *l)
{
    int fd = sl_domain_connect(&l->subscriber->domain, l->file);
    if (fd == -EAGAIN) { /* its queue is full: it is busy or stopped */
        retry_soon(l);
        return;
    }
    if (fd < 0) {
        give_up(l, fd == -ECONNREFUSED || fd == -ENOENT ? 0 : fd, sl_error_text());
        return;
    }
    l->watch = (struct sl_watch){.fd = fd, .ready = welcome_ready};
    if (say_hello(l) < 0 || sl_service_watch(&l->watch, EPOLLIN | EPOLLRDHUP) < 0) {
        give_up(l, 0, "");
        return;
    }
    l->is_watched = true;
}

static bool is_known(const struct sl_subscriber *s, const struct sl_socket_name *name)
{
    const struct sl_link *const lists[] = {s->pending, s->arrived};
    for (int i = 0; i < 2; i++)
        for (const struct sl_link *l = lists[i]; l; l = l->next)
            if (strcmp(l->file, name->file) == 0)
                return true;
    for (unsigned i = 0; i < s->link_count; i++)
        if (strcmp(s->link[i]->file, name->file) == 0)
            return true;
    return false;
}

static int found_publisher(void *context, const struct sl_socket_name *name)
{
    struct sl_subscriber *s = context;
    if (name->kind != SL_SOCKET_PUBLISHER || name->topic_hash != sl_topic_hash(s->topic))
        return 0;
    if (is_known(s, name)) /* listed and told of, or told of for an earlier watch */
        return 0;
    if (s->pending_count == LINKS_MAX)
        return 0;
    struct sl_link *l = calloc(1, sizeof *l);
    if (!l)
        return 0;
    l->subscriber = s;
    l->watch.fd = l->death.fd = -1;
    l->ring = l->ledger = l->control = l->pool = SL_MEMORY_NONE;
    l->is_new_instance = s->was_opened;
    snprintf(l->file, sizeof l->file, "%s", name->file);
    l->next = s->pending;
    s->pending = l;
    s->pending_count++;
    try_to_connect(l);
    return 0;
}

static void socket_appeared(struct sl_directory_watch *watch, const struct sl_socket_name *name)
{
    struct sl_subscriber *s =
        (struct sl_subscriber *)(void *)((char *)watch - offsetof(struct sl_subscriber, directory));
    if (name)
        found_publisher(s, name);
    else
        sl_domain_list(&s->domain, found_publisher, s);
}

/* Links: the taking thread's part. ------------------------------------------------------------- */

/* The link is read to its end, or not wanted any more. Frames that are held keep it alive. */
static void leave_link(struct sl_subscriber *s, unsigned index)
{
    struct sl_link *l = s->link[index];
    sl_service_lock();
    s->link[index] = s->link[--s->link_count];
    if (l->is_watched)
        sl_service_unwatch(&l->watch);
    sl_service_unwatch(&l->death);
    l->is_watched = false;
    if (s->arrived) /* there is room for it now */
        atomic_fetch_add(&s->events, 1);
    sl_service_unlock();
    if (s->epoll_fd >= 0)
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, l->watch.fd, NULL);
    sl_reader_disarm(&l->reader);
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        l->reader.lost[i] = 0;
    if (sl_reader_detach(&l->reader))
        free_link(l);
}

static void watch_link(const struct sl_subscriber *s, const struct sl_link *l)
{
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, l->watch.fd, &event);
}

/* Fetch what the service thread has put down. */
static void adopt(struct sl_subscriber *s)
{
    sl_service_lock(); /* before the event is taken away: it is counted and rung in one piece */
    s->events_seen = atomic_load_explicit(&s->events, memory_order_acquire);
    if (s->event_fd >= 0) {
        uint64_t count;
        ssize_t got = read(s->event_fd, &count, sizeof count);
        (void)got;
    }
    snprintf(s->refusal_seen, sizeof s->refusal_seen, "%s", s->refusal);
    while (s->arrived && s->link_count < LINKS_MAX) {
        struct sl_link *l = s->arrived;
        s->arrived = l->next;
        s->link[s->link_count++] = l;
        if (s->epoll_fd >= 0)
            watch_link(s, l);
    }
    sl_service_unlock();
    sl_stats_set32(&s->row->peers, s->link_count);
}

static void count_losses(struct sl_subscriber *s, const struct sl_reader *r, const uint64_t *before)
{
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        if (r->lost[i] != before[i])
            sl_stats_add(&s->row->lost[i], r->lost[i] - before[i]);
}

static uint32_t held_now(const struct sl_subscriber *s)
{
    uint32_t held = 0;
    for (unsigned i = 0; i < s->link_count; i++)
        held += sl_reader_held(&s->link[i]->reader);
    return held;
}

static void count_taken(struct sl_subscriber *s, struct sl_link *l, const struct sl_descriptor *d)
{
    sl_stats_add(&s->row->messages, 1);
    sl_stats_add(&s->row->bytes, d->body_length);
    sl_stats_set(&s->row->last_ns, d->publish_ns);
    sl_stats_set(&s->row->last_stamp_ns, d->stamp_ns);
    sl_stats_set32(&s->row->held, held_now(s));
    /* Reading the clock costs as much as a take: not for every message of a burst. */
    if (d->publish_ns - l->sampled_ns < LATENCY_SAMPLE_NS)
        return;
    l->sampled_ns = d->publish_ns;
    uint64_t now_ns = sl_clock_monotonic_ns();
    sl_histogram_add(&s->row->latency, now_ns > d->publish_ns ? now_ns - d->publish_ns : 0);
}

static void fill_frame(struct sl_link *l, const struct sl_taken *t, struct sl_frame *f)
{
    const struct sl_descriptor *d = &t->d;
    bool is_inline = d->flags & SL_DESCRIPTOR_INLINE;
    const unsigned char *slot =
        is_inline ? l->inline_body : l->pool.base + d->slot * l->reader.slot_size;
    *f = (struct sl_frame){
        .body_length = d->body_length,
        .data = d->data_length ? slot + d->data_offset : NULL,
        .data_length = d->data_length,
        .seq = d->seq,
        .instance = l->instance,
        .stamp_ns = d->stamp_ns,
        .publish_ns = d->publish_ns,
        .clock = (enum sl_clock)(d->flags & SL_DESCRIPTOR_CLOCK_MASK),
        .flags = d->flags & SL_MESSAGE_PARTIAL,
        .lost_before = t->lost_before,
        .link = is_inline ? NULL : l,
        .slot = d->slot,
        .hold = d->flags & SL_DESCRIPTOR_SHARED,
    };
    for (uint32_t i = 0; i < t->range_count; i++) {
        const struct sl_range *r = &t->range[i];
        const unsigned char *area =
            r->area == SL_AREA_SIDE ? l->sides + (uint64_t)d->slot * l->reader.side_size : slot;
        f->range[i].start = area + r->offset;
        f->range[i].length = r->length;
    }
    f->range_count = t->range_count;
    if (!(d->flags & SL_DESCRIPTOR_GATHER)) {
        f->body = slot + d->body_offset;
        f->range[0].start = f->body;
        f->range[0].length = d->body_length;
        f->range_count = 1;
    }
}

/* What the publisher says of us. Returns an error if the link is lost. */
static int obey(struct sl_subscriber *s, unsigned index)
{
    struct sl_link *l = s->link[index];
    switch (sl_reader_state(&l->reader)) {
    case SL_WORD_OK:
        return 0;
    case SL_WORD_DEMOTED:
        if (l->reader.policy == SL_LOSSLESS) {
            l->reader.policy = SL_KEEP_LAST;
            l->reader.depth = 0;
        }
        return 0;
    default:
        leave_link(s, index);
        return sl_error(-ECONNABORTED,
                        "topic %s: its publisher revoked this subscriber (it held more frames than "
                        "its quota)",
                        s->topic);
    }
}

/* One link's turn: 1 taken, 0 nothing, else an error. */
static int take_from(struct sl_subscriber *s, unsigned index, struct sl_frame *ret_frame)
{
    struct sl_link *l = s->link[index];
    int err = obey(s, index);
    if (err < 0)
        return err;
    bool gone = atomic_load_explicit(&l->gone, memory_order_acquire);
    struct sl_taken taken;
    uint64_t before[SL_LOSS_REASONS];
    memcpy(before, l->reader.lost, sizeof before);
    int got = sl_reader_take(&l->reader, &taken, l->inline_body);
    count_losses(s, &l->reader, before);
    if (got == 1) {
        fill_frame(l, &taken, ret_frame);
        count_taken(s, l, &taken.d);
    } else if (got == 0 && gone) {
        leave_link(s, index); /* it was gone before we looked: nothing more can come */
        sl_stats_set32(&s->row->peers, s->link_count);
    }
    return got;
}

/* Has the connection something for us? Takes the bytes away; notices its end. */
static void drain_link(struct sl_link *l)
{
    char wakes[64];
    ssize_t got = 1;
    for (int i = 0; got > 0 && i < DRAIN_MAX; i++)
        got = recv(l->watch.fd, wakes, sizeof wakes, MSG_DONTWAIT);
    if (got == 0)
        atomic_store(&l->gone, true);
    l->is_armed = false;
}

/* Nothing to take: ask for a message on each connection. True if there is something after all. */
static bool arm_connections(struct sl_subscriber *s)
{
    sl_stats_set32(&s->row->held, held_now(s)); /* releases tell nobody: look when there is time */
    for (unsigned i = 0; i < s->link_count; i++) {
        struct sl_link *l = s->link[i];
        bool was_gone = atomic_load(&l->gone);
        drain_link(l);
        if (!sl_reader_arm(&l->reader, SL_WAKE_CONNECTION) || atomic_load(&l->gone) != was_gone)
            return true;
        l->is_armed = true;
    }
    return atomic_load_explicit(&s->events, memory_order_acquire) != s->events_seen;
}

static int take_any(struct sl_subscriber *s, struct sl_frame *ret_frame)
{
    if (atomic_load_explicit(&s->events, memory_order_relaxed) != s->events_seen)
        adopt(s);
    int result = -EAGAIN;
    for (unsigned tries = s->link_count; tries > 0 && s->link_count > 0; tries--) {
        s->turn = s->turn + 1 < s->link_count ? s->turn + 1 : 0;
        int got = take_from(s, s->turn, ret_frame);
        if (got == 1)
            return 0;
        if (got == -EDQUOT)
            result = -EDQUOT;
        else if (got < 0)
            return got;
    }
    return result;
}

/* Leave the descriptor readable: it is not known that there is nothing. */
static void ring_event(struct sl_subscriber *s)
{
    uint64_t one = 1;
    ssize_t written = write(s->event_fd, &one, sizeof one);
    (void)written;
    atomic_fetch_add(&s->events, 1);
}

int sl_subscriber_take(struct sl_subscriber *s, struct sl_frame *ret_frame)
{
    int err = take_any(s, ret_frame);
    for (int tries = 0; err == -EAGAIN && s->epoll_fd >= 0; tries++) {
        if (!arm_connections(s))
            return -EAGAIN;
        if (tries == ARM_TRIES) { /* a publisher that retires as fast as we look */
            ring_event(s);
            return -EAGAIN;
        }
        err = take_any(s, ret_frame);
    }
    if (err == -EDQUOT)
        return sl_error(-EDQUOT, "topic %s: %u frames are held, as many as the quota allows",
                        s->topic, held_now(s));
    return err;
}

/* Waiting. ------------------------------------------------------------------------------------- */

static bool has_message(const struct sl_subscriber *s)
{
    for (unsigned i = 0; i < s->link_count; i++) {
        const struct sl_link *l = s->link[i];
        if (sl_ring_head(&l->reader.ring) > l->reader.cursor ||
            sl_reader_state(&l->reader) == SL_WORD_REVOKED)
            return true;
    }
    return false;
}

/* Is something there, without asking for a wake-up? */
static bool look(struct sl_subscriber *s)
{
    if (atomic_load_explicit(&s->events, memory_order_acquire) != s->events_seen)
        adopt(s);
    for (unsigned i = s->link_count; i-- > 0;) {
        struct sl_link *l = s->link[i];
        if (atomic_load(&l->gone) && sl_ring_head(&l->reader.ring) <= l->reader.cursor)
            leave_link(s, i);
    }
    return has_message(s);
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
static bool arm(struct sl_subscriber *s, struct sleep *sleep)
{
    sl_stats_set32(&s->row->held, held_now(s));
    sleep_on(sleep, &s->events);
    for (unsigned i = 0; i < s->link_count; i++) {
        sleep_on(sleep, &s->link[i]->reader.word->wake);
        if (!sl_reader_arm(&s->link[i]->reader, SL_WAKE_FUTEX))
            return false;
    }
    return !look(s);
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
    uint64_t slice_ns = POLL_SLICE_MS * SL_NS_PER_MS / 100;
    if (deadline_ns && deadline_ns - now_ns < slice_ns)
        slice_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec pause = {.tv_nsec = (long)slice_ns};
    return nanosleep(&pause, NULL) < 0 ? -errno : 0;
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
    for (;;) {
        struct sleep sleep = {0};
        int ready = ready_one(subscribers, count);
        bool asleep = ready < 0;
        /* the words are read first: who interrupts after we have looked, moves one of them */
        for (unsigned i = 0; i < count && asleep; i++)
            asleep = arm(subscribers[i], &sleep);
        for (unsigned i = 0; i < count && asleep; i++)
            asleep = !atomic_load(&subscribers[i]->interrupted);
        int err = 0;
        if (asleep) {
            if (deadline_ns && sl_clock_monotonic_ns() >= deadline_ns)
                err = -ETIMEDOUT;
            else
                err = sleep.too_many
                          ? -ENOSYS
                          : sl_sleep_futex(sleep.word, sleep.value, sleep.count, deadline_ns);
            if (err < 0 && err != -ETIMEDOUT && err != -EINTR)
                err = sleep_by_slices(deadline_ns);
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

int sl_subscriber_fd(struct sl_subscriber *s)
{
    if (s->epoll_fd >= 0)
        return s->epoll_fd;
    int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (event_fd < 0 || epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &event) < 0) {
        int err =
            sl_error(-errno, "topic %s: no descriptor to wait on: %s", s->topic, strerror(errno));
        if (event_fd >= 0)
            close(event_fd);
        if (epoll_fd >= 0)
            close(epoll_fd);
        return err;
    }
    sl_service_lock();
    s->event_fd = event_fd;
    sl_service_unlock();
    s->epoll_fd = epoll_fd;
    for (unsigned i = 0; i < s->link_count; i++)
        watch_link(s, s->link[i]);
    adopt(s);
    ring_event(s); /* readable at once, so that the first round of taking arms the connections */
    return epoll_fd;
}

/* Opening and closing. ------------------------------------------------------------------------- */

/* Under the service lock: see who is there, and wait for their answers. */
static int look_for_publishers(struct sl_subscriber *s)
{
    int err = sl_service_watch_directory(&s->directory, &s->domain);
    if (err < 0)
        return err;
    s->is_watching = true;
    if ((err = sl_domain_list(&s->domain, found_publisher, s)) < 0)
        return err;
    uint64_t deadline_ns = sl_clock_monotonic_ns() + OPEN_TIMEOUT_MS * SL_NS_PER_MS;
    while (s->pending_count > 0 && sl_clock_monotonic_ns() < deadline_ns)
        sl_service_wait_change(deadline_ns);
    s->was_opened = true;
    return s->refused < 0 && !s->arrived ? sl_error(s->refused, "%s", s->refusal) : 0;
}

static int open_subscriber(struct sl_subscriber *s)
{
    int err = sl_domain_open(s->options.domain, true, &s->domain);
    if (err < 0 || (err = sl_service_acquire()) < 0)
        return err;
    s->has_service = true;
    sl_service_lock();
    s->row = sl_statspage_add(&s->domain, SL_STATS_SUBSCRIBER, 0, s->topic, s->type);
    if (s->row) {
        s->row->policy = (uint32_t)s->options.policy;
        s->row->depth = s->options.depth;
        s->row->quota = s->options.quota;
        err = look_for_publishers(s);
        if (err == 0 && !s->options.visitor)
            sl_statspage_show(s->row, SL_STATS_SUBSCRIBER);
    } else {
        err = sl_error(-ENOMEM, "topic %s: no memory for its statistics", s->topic);
    }
    sl_service_unlock();
    return err;
}

int sl_subscriber_open(const struct sl_subscriber_options *options,
                       struct sl_subscriber **ret_subscriber)
{
    sl_error_clear();
    int err = sl_topic_check(options->topic, options->type);
    if (err < 0)
        return err;
    if (options->policy > SL_LOSSLESS || options->quota > SL_QUOTA_MAX)
        return sl_error(-EINVAL, "topic %s: no policy %d, or a quota above %u", options->topic,
                        (int)options->policy, SL_QUOTA_MAX);
    struct sl_subscriber *s = calloc(1, sizeof *s);
    if (!s)
        return sl_error(-ENOMEM, "no memory for a subscriber");
    s->domain.fd = s->epoll_fd = s->event_fd = -1;
    s->options = *options;
    s->options.quota = options->visitor ? 1 : options->quota ? options->quota : QUOTA_DEFAULT;
    snprintf(s->topic, sizeof s->topic, "%s", options->topic);
    snprintf(s->type, sizeof s->type, "%s", options->type ? options->type : "");
    s->directory.appeared = socket_appeared;
    err = open_subscriber(s);
    if (err < 0) {
        sl_subscriber_close(s);
        return err;
    }
    adopt(s);
    *ret_subscriber = s;
    return 0;
}

void sl_subscriber_close(struct sl_subscriber *s)
{
    if (!s)
        return;
    if (s->has_service) {
        sl_service_lock();
        if (s->is_watching)
            sl_service_unwatch_directory(&s->directory);
        while (s->pending) {
            struct sl_link *l = s->pending;
            forget_pending(l);
            free_link(l);
        }
        sl_service_unlock();
        do { /* nothing can arrive any more */
            if (s->row)
                adopt(s);
            while (s->link_count > 0)
                leave_link(s, s->link_count - 1);
        } while (s->arrived);
        sl_service_lock();
        sl_statspage_remove(s->row);
        sl_service_unlock();
        sl_service_release();
    }
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    if (s->event_fd >= 0)
        close(s->event_fd);
    sl_domain_close(&s->domain);
    free(s);
}

int sl_subscriber_status(struct sl_subscriber *s, struct sl_subscriber_status *ret_status)
{
    const struct sl_stats_row *row = s->row;
    *ret_status = (struct sl_subscriber_status){
        .publishers = s->link_count,
        .held = held_now(s),
        .taken = atomic_load(&row->messages),
        .latency_p50_ns = sl_histogram_quantile_ns(&row->latency, 0.5),
        .latency_p99_ns = sl_histogram_quantile_ns(&row->latency, 0.99),
        .latency_max_ns = atomic_load(&row->latency.max_ns),
        .refusal = s->refusal_seen,
    };
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        ret_status->lost[i] = atomic_load(&row->lost[i]);
    return 0;
}

/* Frames. -------------------------------------------------------------------------------------- */

void sl_frame_release(struct sl_frame *frame)
{
    struct sl_link *l = frame->link;
    if (!l)
        return; /* inline, or released before */
    frame->link = NULL;
    if (sl_reader_release(&l->reader, frame->slot, frame->hold & SL_DESCRIPTOR_SHARED))
        free_link(l); /* the subscriber left it, and this was the last frame */
}

int sl_frame_check(const struct sl_frame *frame)
{
    sl_fence_acquire(); /* what was read, was read before this look */
    if (frame->link && sl_reader_state(&frame->link->reader) == SL_WORD_REVOKED)
        return sl_error(-ESTALE, "the frame was taken back: its publisher revoked this subscriber");
    return 0;
}

size_t sl_frame_copy(const struct sl_frame *frame, size_t offset, void *to, size_t length)
{
    size_t copied = 0;
    for (unsigned i = 0; i < frame->range_count && copied < length; i++) {
        size_t size = frame->range[i].length;
        if (offset >= size) {
            offset -= size;
            continue;
        }
        size_t part = size - offset < length - copied ? size - offset : length - copied;
        memcpy((char *)to + copied, (const char *)frame->range[i].start + offset, part);
        copied += part;
        offset = 0;
    }
    return copied;
}

const char *sl_loss_name(enum sl_loss loss)
{
    static const char *const names[SL_LOSS_REASONS] = {"overrun", "recycled", "skipped", "invalid"};
    return (unsigned)loss < SL_LOSS_REASONS ? names[loss] : "unknown";
}

const char *sl_version(void)
{
    return SLUICE_VERSION;
}
