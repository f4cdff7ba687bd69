/* SPDX-License-Identifier: Apache-2.0 */
/* connection.c - the door that subscribers knock at: accepting, answering, noticing the end.
 *
 * Runs in the service thread under its lock. Nobody who knocks is trusted: a stranger has a second
 * to say hello, there is room for few strangers, and whoever talks on after that is sent away.
 */
#include "core/shm/publisher.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/failpoint.h"
#include "core/shm/handshake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STRANGERS = 16, /* connections that have not said hello, beside those that are attached */
    HELLO_MS = 1000,
    LISTEN_AGAIN_MS = 100,
};

/* Answering. ----------------------------------------------------------------------------------- */

static struct sl_connection **list_of(struct sl_connection *c)
{
    return c->publisher ? &c->publisher->connections : &c->pool->orphans;
}

static void unlink_connection(struct sl_connection *c)
{
    for (struct sl_connection **at = list_of(c); *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
}

static void return_word(struct sl_connection *c)
{
    c->publisher->word_used[c->word_index] = false;
}

/* Its publisher no longer counts it. */
static void leave_publisher(struct sl_connection *c)
{
    struct sl_publisher *p = c->publisher;
    if (atomic_load(&c->peer.lossless))
        atomic_fetch_sub(&p->channel.lossless_count, 1);
    atomic_store(&c->peer.lossless, false);
    return_word(c);
    *(c->is_visitor ? &p->visitor_count : &p->subscriber_count) -= 1;
    sl_stats_set32(&p->row->peers, p->subscriber_count);
}

static void drop_connection(struct sl_connection *c)
{
    SL_FAIL_POINT(DROP_BEGUN);
    unlink_connection(c);
    sl_service_cancel_retry(&c->deadline);
    sl_service_unwatch(&c->watch);
    sl_service_unwatch(&c->death);
    if (c->is_attached) {
        sl_slots_remove_peer(&c->pool->slots, &c->peer);
        SL_FAIL_POINT(DROP_UNLISTED);
        if (c->publisher)
            leave_publisher(c);
    }
    sl_memory_close(&c->ledger);
    free(c->peer.spare);
    if (c->peer.pidfd >= 0)
        close(c->peer.pidfd);
    close(c->watch.fd);
    free(c);
}

/* May it, and does the topic suit? The text of a refusal names both sides. */
static int check_hello(const struct sl_connection *c, const struct sl_hello *hello)
{
    const struct sl_publisher *p = c->publisher;
    bool visitor = hello->flags & SL_HELLO_VISITOR;
    int err = sl_readers_admit(&p->readers, c->watch.fd);
    if (err < 0)
        return sl_error_at(err, "topic %s", p->topic);
    if (hello->kind != SL_HELLO_SUBSCRIBE || strcmp(hello->topic, p->topic) != 0)
        return sl_error(-EPROTO, "this is the door of topic %s", p->topic);
    if (hello->type[0] && strcmp(hello->type, p->type) != 0)
        return sl_error(-EPROTOTYPE, "topic %s: published as %s, asked for as %s", p->topic,
                        p->type, hello->type);
    if (hello->policy == SL_LOSSLESS && !p->options.lossless)
        return sl_error(-EPERM, "topic %s: its publisher does not allow lossless subscribers",
                        p->topic);
    if (visitor ? p->visitor_count >= SL_VISITORS : p->subscriber_count >= p->options.subscribers)
        return sl_error(-EUSERS,
                        "topic %s: its publisher has %u %s, as many as it allows; raise its "
                        "'subscribers'",
                        p->topic, visitor ? p->visitor_count : p->subscriber_count,
                        visitor ? "visitors" : "subscribers");
    return 0;
}

static int make_ledger(struct sl_connection *c)
{
    uint32_t slots = c->publisher->pool->slots.count;
    struct sl_memory_config config = {
        .name = "sluice-ledger",
        .size_bytes = c->publisher->sizes.ledger_bytes,
        .sharing = SL_MEMORY_LEDGER,
    };
    int err = sl_memory_create(&config, &c->ledger);
    if (err < 0)
        return err;
    struct sl_ledger *ledger = sl_ledger_at(c->ledger.base, c->word_index);
    ledger->header = (struct sl_segment_header){
        .magic = SL_MAGIC,
        .version = SL_PROTOCOL_VERSION,
        .kind = SL_SEGMENT_LEDGER,
        .size_bytes = c->ledger.size_bytes,
        .instance = c->publisher->instance,
    };
    ledger->slot_count = slots;
    c->peer.ledger = ledger;
    return 0;
}

static int claim_word(struct sl_connection *c)
{
    struct sl_publisher *p = c->publisher;
    for (uint32_t i = 0; i < p->channel.ring.word_count; i++) {
        if (p->word_used[i])
            continue;
        p->word_used[i] = true;
        c->word_index = i;
        c->peer.word = &p->channel.ring.words[i];
        atomic_store(&c->peer.word->state, SL_WORD_OK);
        return 0;
    }
    return sl_error(-EUSERS, "no word line is free");
}

/* Whichever told first, the connection or the process. */
static void peer_ended(struct sl_connection *c)
{
    if (atomic_load(&c->peer.fate) == SL_PEER_ATTACHED && !sl_goodbye_was_said(c->watch.fd))
        atomic_fetch_add_explicit(&c->pool->died, 1, memory_order_relaxed);
    drop_connection(c);
}

static void process_ended(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    peer_ended(
        (struct sl_connection *)(void *)((char *)watch - offsetof(struct sl_connection, death)));
}

static int attach(struct sl_connection *c, const struct sl_hello *hello, struct sl_welcome *welcome)
{
    struct sl_publisher *p = c->publisher;
    int err = check_hello(c, hello);
    if (err < 0 || (err = claim_word(c)) < 0)
        return err;
    if ((err = make_ledger(c)) < 0) {
        return_word(c);
        return err;
    }
    SL_FAIL_POINT(ACCEPT_LEDGER);
    c->is_visitor = hello->flags & SL_HELLO_VISITOR;
    uint32_t most = c->is_visitor ? 1 : p->options.quota;
    c->peer.quota = hello->quota > 0 && hello->quota < most ? hello->quota : most;
    c->peer.lease_ns = p->options.lease_ns;
    c->peer.channel = &p->channel;
    c->peer.fd = c->watch.fd;
    c->peer.pidfd = sl_pidfd_of_peer(c->watch.fd);
    atomic_store(&c->peer.lossless, hello->policy == SL_LOSSLESS);
    if (c->peer.pidfd >= 0) {
        c->death = (struct sl_watch){.fd = c->peer.pidfd, .ready = process_ended};
        sl_service_watch(&c->death, EPOLLIN);
    }
    /* Before it is counted: who waited for it to be counted publishes behind this. */
    welcome->head = sl_ring_head(&p->channel.ring);
    /* A lossless one stands in the way from then on, while it still maps what it is sent; its own
     * attaching (reader.c) closes the gap between this head and the counting. */
    atomic_store(&sl_ledger_at(c->ledger.base, c->word_index)->cursor, welcome->head);
    if (hello->policy == SL_LOSSLESS)
        atomic_fetch_add(&p->channel.lossless_count, 1);
    /* In the scan list before the descriptors are sent: no hold of this ledger can be missed. */
    err = sl_slots_add_peer(&p->pool->slots, &c->peer);
    if (err < 0) {
        if (hello->policy == SL_LOSSLESS)
            atomic_fetch_sub(&p->channel.lossless_count, 1);
        return_word(c);
        return sl_error(err, "no memory for another subscriber");
    }
    SL_FAIL_POINT(ACCEPT_LISTED);
    c->is_attached = true;
    *(c->is_visitor ? &p->visitor_count : &p->subscriber_count) += 1;
    sl_stats_set32(&p->row->peers, p->subscriber_count);
    welcome->word_index = c->word_index;
    welcome->quota = c->peer.quota;
    return 0;
}

/* A descriptor a slot is asked for afterwards; one of all physical memory is not given away. */
static bool is_sent_with_welcome(const struct sl_memory *memory)
{
    return memory->piece_count == 0 && memory->handle != SL_MEMORY_PHYSICAL;
}

static void answer(struct sl_connection *c, const struct sl_hello *hello)
{
    struct sl_publisher *p = c->publisher;
    struct sl_welcome w;
    sl_welcome_init(&w, SL_HELLO_SUBSCRIBE);
    w.instance = p->instance;
    snprintf(w.topic, sizeof w.topic, "%s", p->topic);
    snprintf(w.type, sizeof w.type, "%s", p->type);
    snprintf(w.node, sizeof w.node, "%s", sl_statspage_node());
    int fds[SL_WELCOME_FDS];
    w.status = hello ? attach(c, hello, &w) : -EPROTONOSUPPORT;
    if (w.status < 0) {
        snprintf(w.text, sizeof w.text, "%s", sl_error_text());
    } else {
        const struct sl_pool *pool = p->pool;
        fds[w.fd_count++] = p->ring_memory.fd;
        fds[w.fd_count++] = c->ledger.fd;
        w.ring_bytes = p->ring_memory.size_bytes;
        w.ledger_bytes = c->ledger.size_bytes;
        w.retain = p->options.retain;
        w.roudi = p->channel.sender ? sl_iceoryx_roudi() : 0;
        if (pool->slots.count > 0) {
            fds[w.fd_count++] = pool->control.fd;
            if (is_sent_with_welcome(&pool->memory))
                fds[w.fd_count++] = pool->memory.fd;
            w.slot_fds = pool->memory.piece_count;
            w.pool_handle = pool->memory.handle;
            w.pool_offset = pool->memory.offset;
            w.pool_flags = pool->memory.needs_sync ? SL_WELCOME_SYNC : 0;
            w.control_bytes = pool->control.size_bytes;
            w.pool_bytes = pool->memory.size_bytes;
            w.slot_size = pool->slot_size;
            w.slot_count = pool->slots.count;
            w.side_size = pool->side_size;
        }
    }
    if (sl_welcome_send(c->watch.fd, &w, fds) < 0 || w.status < 0)
        drop_connection(c);
    SL_FAIL_POINT(ACCEPT_SENT);
}

/* The next descriptors of slots, once each and in their order; false: that was not the question. */
static bool send_slots(struct sl_connection *c)
{
    const struct sl_memory *memory = &c->pool->memory;
    uint32_t first, left = memory->piece_count - c->slots_sent;
    if (left == 0 || sl_slots_hear(c->watch.fd, &first) < 0 || first != c->slots_sent)
        return false;
    uint32_t count = left < SL_SLOTS_FDS ? left : SL_SLOTS_FDS;
    if (sl_slots_send(c->watch.fd, first, memory->piece_fd + first, count) < 0)
        return false;
    c->slots_sent += count;
    return true;
}

static void connection_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    struct sl_connection *c = (struct sl_connection *)watch;
    if (c->is_attached || !c->publisher) {
        /* Nothing more is to come but the end; who talks on is sent away. */
        if (!send_slots(c))
            peer_ended(c);
        return;
    }
    struct sl_hello hello;
    int err = sl_hello_receive(watch->fd, &hello);
    if (err == -EAGAIN)
        return;
    SL_FAIL_POINT(ACCEPT_HEARD);
    sl_service_cancel_retry(&c->deadline);
    if (err == 0)
        answer(c, &hello);
    else if (err == -EPROTONOSUPPORT)
        answer(c, NULL);
    else
        drop_connection(c);
}

static void no_hello_came(struct sl_retry *retry)
{
    drop_connection(
        (struct sl_connection *)(void *)((char *)retry - offsetof(struct sl_connection, deadline)));
}

static void listener_ready(struct sl_watch *watch, uint32_t epoll_events);

static struct sl_publisher *publisher_of(void *part, size_t offset)
{
    return (struct sl_publisher *)(void *)((char *)part - offset);
}

static void listen_again(struct sl_retry *retry)
{
    struct sl_publisher *p = publisher_of(retry, offsetof(struct sl_publisher, listen_again));
    sl_service_watch(&p->listener, EPOLLIN);
}

/* There is room for so many strangers: the one that has been silent for longest makes it. */
static void make_room(struct sl_publisher *p)
{
    struct sl_connection *oldest = NULL;
    unsigned strangers = 0;
    for (struct sl_connection *c = p->connections; c; c = c->next) {
        if (!c->is_attached) {
            strangers++;
            oldest = c;
        }
    }
    if (strangers >= STRANGERS)
        drop_connection(oldest);
}

static void listener_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    struct sl_publisher *p = publisher_of(watch, offsetof(struct sl_publisher, listener));
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) { /* it stays readable: do not turn in circles */
            sl_service_unwatch(watch);
            p->listen_again.run = listen_again;
            sl_service_retry(&p->listen_again,
                             sl_clock_monotonic_ns() + LISTEN_AGAIN_MS * SL_NS_PER_MS);
        }
        return;
    }
    SL_FAIL_POINT(ACCEPT_ACCEPTED);
    make_room(p);
    /* last_word has a line of its own: more alignment than calloc gives */
    struct sl_connection *c = aligned_alloc(_Alignof(struct sl_connection), sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    memset(c, 0, sizeof *c);
    c->watch = (struct sl_watch){.fd = fd, .ready = connection_ready};
    c->death.fd = c->peer.pidfd = -1;
    c->publisher = p;
    c->pool = p->pool;
    c->ledger = SL_MEMORY_NONE;
    c->next = p->connections;
    p->connections = c;
    c->deadline.run = no_hello_came;
    sl_service_retry(&c->deadline, sl_clock_monotonic_ns() + HELLO_MS * SL_NS_PER_MS);
    if (sl_service_watch(&c->watch, EPOLLIN | EPOLLRDHUP) < 0)
        drop_connection(c);
}

/* The door. ------------------------------------------------------------------------------------ */

int sl_connections_open(struct sl_publisher *p)
{
    sl_socket_name_make(&p->name, SL_SOCKET_PUBLISHER, p->topic, p->instance);
    p->listener.ready = listener_ready;
    p->listener.fd = sl_domain_listen(&p->domain, &p->name, (mode_t)p->options.mode);
    if (p->listener.fd < 0)
        return p->listener.fd;
    return sl_service_watch(&p->listener, EPOLLIN);
}

static bool holds_anything(const struct sl_connection *c)
{
    for (uint32_t i = 0; i < c->pool->slots.count; i++)
        if (atomic_load_explicit(&c->peer.ledger->held[i], memory_order_acquire))
            return true;
    return false;
}

/* The publisher goes, the pool goes on: what this subscriber holds of it stays held. It sees the
 * end of the connection, and hangs up when it has let its last frame go. */
static void become_orphan(struct sl_connection *c)
{
    unlink_connection(c);
    leave_publisher(c);
    /* Out of the list and in again: nobody scans while the peer changes. */
    sl_slots_remove_peer(&c->pool->slots, &c->peer);
    c->publisher = NULL;
    c->peer.channel = NULL;
    c->peer.word = &c->last_word;
    if (sl_slots_add_peer(&c->pool->slots, &c->peer) < 0)
        c->is_attached = false; /* without memory its holds cannot be kept */
    c->next = c->pool->orphans;
    c->pool->orphans = c;
    shutdown(c->watch.fd, SHUT_WR);
}

void sl_connections_close(struct sl_publisher *p)
{
    if (p->listener.fd >= 0) {
        sl_service_cancel_retry(&p->listen_again);
        sl_service_unwatch(&p->listener);
        sl_domain_unlink(&p->domain, &p->name);
        close(p->listener.fd);
    }
    while (p->connections) {
        struct sl_connection *c = p->connections;
        if (!p->owns_pool && c->is_attached && holds_anything(c))
            become_orphan(c);
        else
            drop_connection(c);
    }
}

void sl_connections_drop_orphans(struct sl_pool *pool)
{
    while (pool->orphans)
        drop_connection(pool->orphans);
}
