/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - finding publishers and connecting to them.
 *
 * Runs in the service thread under its lock. Nothing that a publisher sends is believed before it
 * was checked in a copy, and nothing here waits for one.
 */
#include "core/shm/link.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/shm/failpoint.h"
#include "core/shm/pool.h"
#include "core/shm/subscriber.h"
#include "core/shm/wake.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RETRY_MS = 20,    /* a publisher whose queue is full */
    SILENT_MS = 1000, /* one that does not answer for so long keeps nobody's place */
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

enum sl_memory_kind sl_link_memory_kind(const struct sl_link *l)
{
    return l ? l->pool.kind : SL_MEMORY_WB;
}

uint32_t sl_link_room(const struct sl_link *l)
{
    if (!l)
        return UINT32_MAX;
    uint32_t held = sl_ring_reader_held(&l->reader);
    return held < l->reader.quota ? l->reader.quota - held : 0;
}

void sl_link_free(struct sl_link *l)
{
    if (l->reader.inbox)
        sl_iceoryx_receiver_close(l->reader.inbox->queue);
    free(l->reader.inbox);
    sl_memory_close(&l->pool);
    sl_memory_close(&l->control);
    sl_memory_close(&l->ledger);
    sl_memory_close(&l->ring);
    SL_FAIL_POINT(LEAVE_UNMAPPED);
    if (l->watch.fd >= 0) {
        sl_goodbye_say(l->watch.fd);
        close(l->watch.fd);
    }
    if (l->death.fd >= 0)
        close(l->death.fd);
    free(l);
}

void sl_link_forget(struct sl_link *l)
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
        sl_text_tame(s->refusal); /* its publisher's word, or with names of it */
    }
    sl_link_forget(l);
    sl_link_free(l);
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
    SL_FAIL_POINT(LINK_MAPPED);
    return err;
}

static int map_ledger(struct sl_link *l, const struct sl_welcome *w)
{
    struct sl_ledger *ledger = sl_ledger_at(l->ledger.base, w->word_index);
    if (w->ledger_bytes < sl_ledger_segment_size(w->slot_count) ||
        ledger->header.magic != SL_MAGIC || ledger->header.kind != SL_SEGMENT_LEDGER ||
        ledger->header.version != SL_PROTOCOL_VERSION)
        return sl_error(-EPROTO, "topic %s: the ledger is not what was announced",
                        l->subscriber->topic);
    l->reader.ledger = ledger;
    return 0;
}

/* What is asked for, as far as so many messages can be there at one time, with as much to spare: a
 * reader that is woken when the ring is full comes too late. */
static uint32_t batch_of(const struct sl_subscriber *s, const struct sl_ring_reader *r)
{
    uint32_t batch = s->options.wake_batch, most = (r->ring.mask + 1) / 2;
    if (r->slot_count > 0 && r->slot_count / 2 < most)
        most = r->slot_count / 2;
    if (r->policy == SL_KEEP_LAST && r->depth > 0 && r->depth < most)
        most = r->depth;
    return batch < most ? batch : most;
}

static bool peer_is_root(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

/* The pool, if all of it is here; else get ready for the descriptors of its slots. */
static int map_pool(struct sl_link *l, const struct sl_welcome *w, int *fd)
{
    const struct sl_memory_offer offer = {
        .handle = w->pool_handle,
        .size_bytes = w->pool_bytes,
        .slot_bytes = w->slot_fds ? w->slot_size : 0,
        .offset = w->pool_offset,
        .needs_sync = w->pool_flags & SL_WELCOME_SYNC,
    };
    if (w->pool_handle == SL_MEMORY_SEALED && w->slot_fds == 0)
        return map_segment(fd, w->pool_bytes, false, &l->pool);
    /* Of nobody else an address is believed: we may be allowed to read what he is not. */
    if (w->pool_handle == SL_MEMORY_PHYSICAL && !peer_is_root(l->watch.fd))
        return sl_error(-EPERM,
                        "topic %s: a pool in a reserved range, of a publisher (%s) that is "
                        "not root",
                        l->subscriber->topic, w->node);
    int err = sl_memory_expect(&offer, &l->pool);
    if (err < 0 || w->slot_fds > 0)
        return err;
    err = sl_memory_add(&l->pool, *fd);
    if (err < 0)
        return err;
    *fd = -1; /* the memory's now */
    SL_FAIL_POINT(LINK_MAPPED);
    return 0;
}

/* How many descriptors come with such a welcome. */
static unsigned segments_of(const struct sl_welcome *w)
{
    if (w->slot_count == 0)
        return 2;
    return w->slot_fds > 0 || w->pool_handle == SL_MEMORY_PHYSICAL ? 3 : 4;
}

/* Map what came with the welcome. Descriptors that were used become -1. */
static int map_link(struct sl_link *l, const struct sl_welcome *w, int *fds)
{
    struct sl_subscriber *s = l->subscriber;
    if (w->fd_count != segments_of(w) || strcmp(w->topic, s->topic) != 0)
        return sl_error(-EPROTO, "topic %s: a welcome with %u segments", s->topic, w->fd_count);
    struct sl_ring_reader *r = &l->reader;
    int err;
    if ((err = map_segment(&fds[0], w->ring_bytes, false, &l->ring)) < 0 ||
        (err = sl_ring_map(l->ring.base, l->ring.size_bytes, &r->ring)) < 0)
        return err;
    if (w->word_index >= r->ring.word_count)
        return sl_error(-EPROTO, "topic %s: word line %u of %u", s->topic, w->word_index,
                        r->ring.word_count);
    if ((err = map_segment(&fds[1], w->ledger_bytes, true, &l->ledger)) < 0 ||
        (err = map_ledger(l, w)) < 0)
        return err;
    if (w->slot_count > 0 &&
        ((err = map_segment(&fds[2], w->control_bytes, false, &l->control)) < 0 ||
         (err = sl_control_map(&l->control, w->slot_count, w->slot_size, w->side_size, &r->state,
                               &l->sides)) < 0 ||
         (err = map_pool(l, w, &fds[3])) < 0))
        return err;
    r->word = &r->ring.words[w->word_index];
    r->base = l->pool.base;
    r->slot_count = w->slot_count;
    r->slot_size = w->slot_size;
    r->side_size = w->side_size;
    r->policy = s->options.policy;
    r->depth = s->options.depth;
    r->quota = w->quota < s->options.quota ? w->quota : s->options.quota;
    r->batch = batch_of(s, r);
    l->retain = w->retain;
    l->slots_wanted = w->slot_fds;
    return 0;
}

/* With iceoryx, a queue beside the ring. */
static int open_inbox(struct sl_link *l, const struct sl_welcome *w)
{
    const struct sl_subscriber *s = l->subscriber;
    if (s->bus != SL_BUS_ICEORYX)
        return 0;
    if (w->roudi == 0)
        return sl_error(
            -EPROTONOSUPPORT,
            "topic %s: its publisher (%s) sends over the native bus only; start it with "
            "--bus iceoryx, or this subscriber with --bus native",
            s->topic, w->node);
    if (w->roudi != sl_iceoryx_roudi())
        return sl_error(-ESTALE,
                        "topic %s: its publisher (%s) and this subscriber belong to different runs "
                        "of RouDi; restart the older one",
                        s->topic, w->node);
    struct sl_inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox)
        return sl_error(-ENOMEM, "topic %s: no memory for a queue", s->topic);
    int err = sl_iceoryx_receiver_open(&s->domain, s->topic, w->instance, l->reader.ring.inline_max,
                                       &inbox->queue);
    /* RouDi is late. Who opens is told; a flow that runs goes on: the ring has every message. */
    if (err == -ETIMEDOUT && s->was_opened) {
        free(inbox);
        return 0;
    }
    l->reader.inbox = inbox;
    return err;
}

static void begin_reading(struct sl_link *l)
{
    struct sl_subscriber *s = l->subscriber;
    uint64_t history = s->options.history > l->retain ? s->options.history : l->retain;
    /* From the moment on at which the publisher counted us: it may have waited for that. */
    uint64_t from = l->is_new_instance || l->head < history ? 0 : l->head - history;
    if (sl_ring_reader_attach(&l->reader, from) < 0) {
        give_up(l, -EPROTO, sl_error_text());
        return;
    }
    SL_FAIL_POINT(LINK_ATTACHED);
    sl_link_forget(l);
    /* From now on only the end is of interest here. */
    l->watch.ready = link_hung_up;
    l->is_watched = sl_service_watch(&l->watch, EPOLLRDHUP) == 0;
    l->death = (struct sl_watch){.fd = sl_pidfd_of_peer(l->watch.fd), .ready = publisher_died};
    if (l->death.fd >= 0)
        sl_service_watch(&l->death, EPOLLIN);
    l->next = s->arrived;
    s->arrived = l;
    SL_FAIL_POINT(LINK_ARRIVED);
    tell_taker(s);
}

/* Some of the slots. 1: those were the last; 0: the next ones are asked for. */
static int map_slots(struct sl_link *l, const struct sl_slots_message *m, int *fds)
{
    int complete = 0;
    if (m->count == 0 || m->count > l->slots_wanted || m->first != l->pool.piece_count)
        return sl_error(-EPROTO, "topic %s: slots %u from %u on, %u are wanted from %u on",
                        l->subscriber->topic, m->count, m->first, l->slots_wanted,
                        l->pool.piece_count);
    for (uint32_t i = 0; i < m->count; i++) {
        complete = sl_memory_add(&l->pool, fds[i]);
        if (complete < 0)
            return complete;
        fds[i] = -1; /* the memory's now */
    }
    l->slots_wanted -= m->count;
    return complete > 0 ? 1 : sl_slots_ask(l->watch.fd, m->first + m->count);
}

static void slots_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    struct sl_link *l = (struct sl_link *)watch;
    struct sl_slots_message m = {0};
    int fds[SL_SLOTS_FDS];
    int err = sl_slots_receive(watch->fd, &m, fds);
    if (err == -EAGAIN)
        return;
    if (err == 0)
        err = map_slots(l, &m, fds);
    for (uint32_t i = 0; i < m.count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (err == -ECONNRESET) /* its publisher has gone meanwhile */
        give_up(l, 0, "");
    else if (err < 0)
        give_up(l, err, sl_error_text());
    else if (err > 0)
        begin_reading(l);
}

/* All is mapped but the slots. */
static int fetch_slots(struct sl_link *l)
{
    l->watch.ready = slots_ready;
    return sl_slots_ask(l->watch.fd, 0);
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
    SL_FAIL_POINT(LINK_WELCOMED);
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
        snprintf(l->type, sizeof l->type, "%s", w.type);
        err = map_link(l, &w, fds);
        if (err == 0)
            err = open_inbox(l, &w);
        if (err == 0 && l->slots_wanted > 0)
            err = fetch_slots(l);
        if (err < 0)
            give_up(l, err, sl_error_text());
        else if (l->slots_wanted == 0)
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
    bool lacks_descriptors = fd == -EMFILE || fd == -ENFILE;
    if (lacks_descriptors && !l->subscriber->was_opened) { /* who opens is told at once */
        give_up(l, fd, sl_error_text());
        return;
    }
    if (fd == -EAGAIN || lacks_descriptors) { /* its queue is full (busy, or stopped); or ours is */
        retry_soon(l);
        return;
    }
    if (fd < 0) {
        give_up(l, fd == -ECONNREFUSED || fd == -ENOENT ? 0 : fd, sl_error_text());
        return;
    }
    l->watch = (struct sl_watch){.fd = fd, .ready = welcome_ready};
    SL_FAIL_POINT(LINK_CONNECTED);
    if (say_hello(l) < 0 || sl_service_watch(&l->watch, EPOLLIN | EPOLLRDHUP) < 0) {
        give_up(l, 0, "");
        return;
    }
    l->is_watched = true;
    SL_FAIL_POINT(LINK_GREETED);
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

/* Room. ---------------------------------------------------------------------------------------- */

static bool is_of_topic(const struct sl_subscriber *s, const struct sl_socket_name *name)
{
    return name->kind == SL_SOCKET_PUBLISHER && name->topic_hash == sl_topic_hash(s->topic);
}

/* Looks at the sockets of the topic in turn, so that each has its second however many are silent.
 */
struct look {
    struct sl_subscriber *subscriber;
    unsigned count, from, to;
};

static int look_at(void *context, const struct sl_socket_name *name)
{
    struct look *look = context;
    struct sl_subscriber *s = look->subscriber;
    if (!is_of_topic(s, name))
        return 0;
    unsigned number = look->count++;
    if (number < look->from || number >= look->to)
        return 0;
    sl_link_found(s, name);
    if (s->had_no_room)
        s->look_from = number;
    return s->had_no_room;
}

static void look_again(struct sl_retry *retry)
{
    struct sl_subscriber *s =
        (struct sl_subscriber *)(void *)((char *)retry -
                                         offsetof(struct sl_subscriber, look_again));
    unsigned from = s->look_from;
    s->is_looking_again = s->had_no_room = false;
    s->look_from = 0;
    sl_domain_list(&s->domain, look_at, &(struct look){s, 0, from, UINT_MAX});
    if (!s->had_no_room)
        sl_domain_list(&s->domain, look_at, &(struct look){s, 0, 0, from});
}

static void look_again_later(struct sl_subscriber *s)
{
    if (s->is_looking_again)
        return;
    s->is_looking_again = true;
    s->look_again.run = look_again;
    sl_service_retry(&s->look_again, sl_clock_monotonic_ns() + SILENT_MS * SL_NS_PER_MS);
}

void sl_link_look_no_more(struct sl_subscriber *s)
{
    if (s->is_looking_again)
        sl_service_cancel_retry(&s->look_again);
    s->is_looking_again = false;
}

/* Of those that do not answer, the one that has been silent for longest makes room; it has its turn
 * again. */
static bool make_room(struct sl_subscriber *s)
{
    unsigned arrived = 0;
    for (const struct sl_link *l = s->arrived; l; l = l->next)
        arrived++;
    struct sl_link *oldest = s->pending;
    for (struct sl_link *l = s->pending; l; l = l->next)
        if (l->since_ns < oldest->since_ns)
            oldest = l;
    if (arrived + s->pending_count < SL_LINKS_MAX) /* all that are waited for may arrive */
        return true;
    look_again_later(s);
    if (!oldest || sl_clock_monotonic_ns() - oldest->since_ns < SILENT_MS * SL_NS_PER_MS)
        return false;
    sl_link_forget(oldest);
    sl_link_free(oldest);
    return true;
}

int sl_link_found(void *context, const struct sl_socket_name *name)
{
    struct sl_subscriber *s = context;
    if (!is_of_topic(s, name))
        return 0;
    if (is_known(s, name)) /* listed and told of, or told of for an earlier watch */
        return 0;
    if (!make_room(s)) {
        s->had_no_room = true;
        return 0;
    }
    struct sl_link *l = calloc(1, sizeof *l);
    if (!l)
        return 0;
    l->subscriber = s;
    l->watch.fd = l->death.fd = -1;
    l->ring = l->ledger = l->control = l->pool = SL_MEMORY_NONE;
    l->is_new_instance = s->was_opened;
    l->since_ns = sl_clock_monotonic_ns();
    snprintf(l->file, sizeof l->file, "%s", name->file);
    l->next = s->pending;
    s->pending = l;
    s->pending_count++;
    try_to_connect(l);
    return 0;
}

void sl_link_appeared(struct sl_directory_watch *watch, const struct sl_socket_name *name)
{
    struct sl_subscriber *s =
        (struct sl_subscriber *)(void *)((char *)watch - offsetof(struct sl_subscriber, directory));
    if (name)
        sl_link_found(s, name);
    else
        sl_domain_list(&s->domain, sl_link_found, s);
}
