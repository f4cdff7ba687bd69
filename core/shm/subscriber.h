/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber.h - a subscriber from inside: its links to publishers.
 *
 * A link is one publisher as this subscriber sees it. The service thread makes links (link.c:
 * connects, says hello, maps what comes) and puts them into `arrived`; the taking thread fetches
 * them from there when `events` has moved, and from then on the link is its own (subscriber.c,
 * wait.c). A link whose publisher is gone is read to its end and then left to the frames that are
 * still held of it.
 *
 * Threads: as each part says.
 */
#ifndef SL_SHM_SUBSCRIBER_H
#define SL_SHM_SUBSCRIBER_H

#include "core/shm/handshake.h"
#include "core/shm/reader.h"
#include "core/shm/service.h"
#include "core/shm/statspage.h"
#include "core/uncached/memory.h"

#define SL_LINKS_MAX 64 /* publishers of one topic */

struct sl_link {
    struct sl_watch watch; /* its connection */
    struct sl_watch death; /* its process: a forked child of it may keep the connection open */
    struct sl_retry retry;
    struct sl_subscriber *subscriber;
    struct sl_link *next;         /* in `pending` or `arrived` */
    struct sl_ring_reader reader; /* its inbox belongs to the link */
    uint64_t instance;
    char file[108];
    char type[SL_TYPE_MAX]; /* as its publisher has it */

    struct sl_memory ring, ledger, control, pool;
    uint32_t slots_wanted; /* descriptors of slots that have not come yet */
    const unsigned char *sides;

    uint64_t since_ns;    /* it is waited for since then */
    bool is_new_instance; /* it appeared after the subscriber was opened: read from its start */
    bool is_watched, is_retrying;
    uint32_t retain;
    uint64_t head;       /* when the publisher began to count us */
    uint64_t sampled_ns; /* publish time of the last latency sample */
    uint64_t lost_counted[SL_LOSS_REASONS], lost_ever_counted; /* as the statistics have it */
    _Atomic bool gone;                                         /* its publisher hung up */
};

struct sl_subscriber {
    char topic[SL_TOPIC_MAX];
    char type[SL_TYPE_MAX];
    struct sl_subscriber_options options;
    enum sl_bus bus;
    struct sl_domain domain;
    struct sl_directory_watch directory;
    struct sl_stats_row *row;
    bool has_service, is_watching;

    /* The service thread's, under its lock. */
    struct sl_link *pending, *arrived;
    unsigned pending_count;
    struct sl_retry look_again; /* there was no room for all that were found */
    bool is_looking_again, had_no_room;
    unsigned look_from; /* the socket of the topic that is next to be looked at, by its number */
    bool was_opened;
    int refused; /* -errno of the last refusal */
    char refusal[SL_WELCOME_TEXT];

    _Atomic bool interrupted;
    _Atomic uint32_t events; /* futex; counts what the service thread has to tell */

    /* The taking thread's. */
    uint32_t events_seen;
    char refusal_seen[SL_WELCOME_TEXT];
    struct sl_link *link[SL_LINKS_MAX]; /* changed under the lock: the service thread looks, too */
    unsigned char inline_body[SL_INLINE_MAX + 8]; /* until the next take, whichever link goes */
    unsigned link_count, turn;
    bool is_polled; /* its user waits on the descriptor: takes that find nothing arm it */
    int epoll_fd;   /* made by sl_subscriber_fd, or where sl_wait cannot sleep on futexes; -1 */
    _Atomic int event_fd;
    int timer_fd;          /* made with them where messages wake by the batch; -1 */
    uint64_t batch_end_ns; /* of the time that the descriptor waits for a batch; 0 = not begun */
};

/* What the publisher of the last message that was taken says that its type is: a peer's word,
 * printable or not. In the taking thread, right after a take that gave one. */
const char *sl_subscriber_taken_type(const struct sl_subscriber *subscriber);

/* The text of the last refusal that was fetched by a take or wait, as in sl_subscriber_status, for
 * those who ask often: the rest of that costs more. In the taking thread. */
const char *sl_subscriber_refusal(const struct sl_subscriber *subscriber);

/* link.c, with the service lock held: */
int sl_link_found(void *subscriber, const struct sl_socket_name *name); /* a socket of the domain */
void sl_link_appeared(struct sl_directory_watch *watch, const struct sl_socket_name *name);
void sl_link_forget(struct sl_link *link); /* one that is pending: no longer waited for */
void sl_link_look_no_more(struct sl_subscriber *subscriber);
void sl_link_free(struct sl_link *link);

/* subscriber.c, in the taking thread: */
void sl_subscriber_adopt(struct sl_subscriber *subscriber); /* fetch what the service thread has */
void sl_subscriber_leave(struct sl_subscriber *subscriber, unsigned index);
uint32_t sl_subscriber_held(const struct sl_subscriber *subscriber);

/* wait.c, in the taking thread: nothing to take, so have the descriptor be readable at the next
 * message. True if there is something after all. */
bool sl_subscriber_arm(struct sl_subscriber *subscriber);
void sl_subscriber_watch(const struct sl_subscriber *subscriber, const struct sl_link *link);
void sl_subscriber_ring(struct sl_subscriber *subscriber); /* leave its descriptor readable */

#endif
