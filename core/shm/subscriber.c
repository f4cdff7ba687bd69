/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber.c - a topic's reading end: taking, and the frames that are held. Publishers are found
 * in link.c, waiting is in wait.c.
 */
#include "core/shm/subscriber.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/failpoint.h"
#include "core/shm/link.h"
#include "core/shm/order.h"
#include "core/shm/sizes.h"
#include "core/uncached/stream.h"
#include "core/uncached/stream_scan.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    QUOTA_DEFAULT = 4,
    OPEN_TIMEOUT_MS = 1000,     /* for publishers that are there to answer */
    ARM_TRIES = 4,              /* to find nothing and be told of the next */
    LATENCY_SAMPLE_NS = 100000, /* at most one latency sample for so much of publish time */
    WAKE_AFTER_NS = 1000000,    /* at the latest, if messages wake by the batch */
};
/* Links. --------------------------------------------------------------------------------------- */

/* The link is read to its end, or not wanted any more. Frames that are held keep it alive. */
void sl_subscriber_leave(struct sl_subscriber *s, unsigned index)
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
    sl_ring_reader_disarm(&l->reader);
    if (sl_ring_reader_detach(&l->reader))
        sl_link_free(l);
}

/* Fetch what the service thread has put down. */
void sl_subscriber_adopt(struct sl_subscriber *s)
{
    sl_service_lock(); /* before the event is taken away: it is counted and rung in one piece */
    s->events_seen = atomic_load_explicit(&s->events, memory_order_acquire);
    if (s->event_fd >= 0) {
        uint64_t count;
        ssize_t got = read(s->event_fd, &count, sizeof count);
        (void)got;
    }
    snprintf(s->refusal_seen, sizeof s->refusal_seen, "%s", s->refusal);
    while (s->arrived && s->link_count < SL_LINKS_MAX) {
        struct sl_link *l = s->arrived;
        s->arrived = l->next;
        s->link[s->link_count++] = l;
        if (s->epoll_fd >= 0)
            sl_subscriber_watch(s, l);
    }
    sl_service_unlock();
    sl_stats_set32(&s->row->peers, s->link_count);
}

static void count_losses(struct sl_subscriber *s, struct sl_link *l)
{
    if (l->reader.lost_ever == l->lost_ever_counted)
        return;
    l->lost_ever_counted = l->reader.lost_ever;
    for (int i = 0; i < SL_LOSS_REASONS; i++) {
        sl_stats_add(&s->row->lost[i], l->reader.lost[i] - l->lost_counted[i]);
        l->lost_counted[i] = l->reader.lost[i];
    }
}

uint32_t sl_subscriber_held(const struct sl_subscriber *s)
{
    uint32_t held = 0;
    for (unsigned i = 0; i < s->link_count; i++)
        held += sl_ring_reader_held(&s->link[i]->reader);
    return held;
}

static void count_taken(struct sl_subscriber *s, struct sl_link *l, const struct sl_descriptor *d)
{
    sl_stats_add(&s->row->messages, 1);
    sl_stats_add(&s->row->bytes, d->body_length);
    sl_stats_set(&s->row->last_ns, d->publish_ns);
    sl_stats_set(&s->row->last_stamp_ns, d->stamp_ns);
    sl_stats_set32(&s->row->held, sl_subscriber_held(s));
    /* Reading the clock costs as much as a take: not for every message of a burst. */
    if (d->publish_ns - l->sampled_ns < LATENCY_SAMPLE_NS)
        return;
    l->sampled_ns = d->publish_ns;
    uint64_t now_ns = sl_clock_monotonic_ns();
    sl_histogram_add(&s->row->latency, now_ns > d->publish_ns ? now_ns - d->publish_ns : 0);
}

/* Field by field: clearing all of it first would cost more than the rest. Ranges beyond range_count
 * are left as they are. */
static void fill_frame(const struct sl_subscriber *s, struct sl_link *l, const struct sl_taken *t,
                       struct sl_frame *f)
{
    const struct sl_descriptor *d = &t->d;
    bool is_inline = d->flags & SL_DESCRIPTOR_INLINE;
    const unsigned char *slot =
        is_inline ? s->inline_body : l->pool.base + d->slot * l->reader.slot_size;
    f->data = d->data_length ? slot + d->data_offset : NULL;
    f->data_length = d->data_length;
    f->body_length = d->body_length;
    f->seq = d->seq;
    f->instance = l->instance;
    f->stamp_ns = d->stamp_ns;
    f->publish_ns = d->publish_ns;
    f->clock = (enum sl_clock)(d->flags & SL_DESCRIPTOR_CLOCK_MASK);
    f->flags = d->flags & SL_MESSAGE_PARTIAL;
    f->lost_before = t->lost_before;
    f->link = is_inline ? NULL : l;
    f->slot = d->slot;
    f->hold = d->flags & SL_DESCRIPTOR_SHARED;
    f->generation = d->generation;
    if (!(d->flags & SL_DESCRIPTOR_GATHER)) {
        f->body = slot + d->body_offset;
        f->range[0].start = f->body;
        f->range[0].length = d->body_length;
        f->range_count = 1;
        return;
    }
    f->body = NULL;
    f->range_count = t->range_count;
    for (uint32_t i = 0; i < t->range_count; i++) {
        const struct sl_range *r = &t->range[i];
        const unsigned char *area =
            r->area == SL_AREA_SIDE ? l->sides + (uint64_t)d->slot * l->reader.side_size : slot;
        f->range[i].start = area + r->offset;
        f->range[i].length = r->length;
    }
}

/* What the publisher says of us. Returns an error if the link is lost. */
static int obey(struct sl_subscriber *s, unsigned index)
{
    struct sl_link *l = s->link[index];
    switch (sl_ring_reader_state(&l->reader)) {
    case SL_WORD_OK:
        return 0;
    case SL_WORD_DEMOTED:
        if (l->reader.policy == SL_LOSSLESS) {
            l->reader.policy = SL_KEEP_LAST;
            l->reader.depth = 0;
        }
        return 0;
    default:
        sl_subscriber_leave(s, index);
        return sl_error(-ECONNABORTED,
                        "topic %s: its publisher revoked this subscriber (it held more frames than "
                        "its quota)",
                        s->topic);
    }
}

/* The frame's memory is told that the CPU reads. If its device is gone, so is the link. */
static int enter_frame(struct sl_subscriber *s, unsigned index, const struct sl_taken *t)
{
    struct sl_link *l = s->link[index];
    int err = sl_memory_enter(&l->pool, t->d.slot * l->reader.slot_size, false);
    if (err == 0)
        return 0;
    sl_ring_reader_release(&l->reader, t->d.slot, t->d.flags & SL_DESCRIPTOR_SHARED);
    sl_subscriber_leave(s, index);
    return sl_error_at(err, "topic %s", s->topic);
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
    int got = sl_ring_reader_take(&l->reader, &taken, s->inline_body);
    count_losses(s, l);
    if (got == 1 && l->pool.needs_care && !(taken.d.flags & SL_DESCRIPTOR_INLINE) &&
        (err = enter_frame(s, index, &taken)) < 0)
        return err;
    if (got == 1) {
        fill_frame(s, l, &taken, ret_frame);
        count_taken(s, l, &taken.d);
    } else if (got == 0 && gone) {
        sl_subscriber_leave(s, index); /* it was gone before we looked: nothing more can come */
        sl_stats_set32(&s->row->peers, s->link_count);
    }
    return got;
}

static int take_any(struct sl_subscriber *s, struct sl_frame *ret_frame)
{
    if (atomic_load_explicit(&s->events, memory_order_relaxed) != s->events_seen)
        sl_subscriber_adopt(s);
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

int sl_subscriber_take(struct sl_subscriber *s, struct sl_frame *ret_frame)
{
    int err = take_any(s, ret_frame);
    if (err == 0)
        s->batch_end_ns = 0;
    for (int tries = 0; err == -EAGAIN && s->is_polled; tries++) {
        if (!sl_subscriber_arm(s))
            return -EAGAIN;
        if (tries == ARM_TRIES) { /* a publisher that retires as fast as we look */
            sl_subscriber_ring(s);
            return -EAGAIN;
        }
        err = take_any(s, ret_frame);
    }
    if (err == -EDQUOT)
        return sl_error(-EDQUOT, "topic %s: %u frames are held, as many as the quota allows",
                        s->topic, sl_subscriber_held(s));
    return err;
}

/* Whose turn it was. */
const char *sl_subscriber_taken_type(const struct sl_subscriber *s)
{
    return s->link[s->turn]->type;
}

const char *sl_subscriber_refusal(const struct sl_subscriber *s)
{
    return s->refusal_seen;
}

/* Opening and closing. ------------------------------------------------------------------------- */

/* Under the service lock: see who is there, and wait for their answers. */
static int look_for_publishers(struct sl_subscriber *s)
{
    int err = sl_service_watch_directory(&s->directory, &s->domain);
    if (err < 0)
        return err;
    s->is_watching = true;
    SL_FAIL_POINT(SUBSCRIBE_WATCHING);
    if ((err = sl_domain_list(&s->domain, sl_link_found, s)) < 0)
        return err;
    SL_FAIL_POINT(SUBSCRIBE_LISTED);
    uint64_t deadline_ns = sl_clock_monotonic_ns() + OPEN_TIMEOUT_MS * SL_NS_PER_MS;
    while (s->pending_count > 0 && sl_clock_monotonic_ns() < deadline_ns)
        sl_service_wait_change(deadline_ns);
    s->was_opened = true;
    return s->refused < 0 && !s->arrived ? sl_error(s->refused, "%s", s->refusal) : 0;
}

/* Who only looks on need not know how the others send: the ring is always there. */
static int choose_bus(struct sl_subscriber *s)
{
    s->bus = SL_BUS_NATIVE;
    if (s->options.visitor && s->options.bus == SL_BUS_DEFAULT)
        return 0;
    int err = sl_bus_choose(s->options.bus, &s->bus);
    if (err == 0 && s->bus == SL_BUS_ICEORYX && (err = sl_iceoryx_start(&s->domain)) < 0)
        sl_error_at(err, "topic %s", s->topic);
    return err;
}

static int open_subscriber(struct sl_subscriber *s)
{
    int err = sl_domain_open(s->options.domain, true, &s->domain);
    if (err == 0)
        err = choose_bus(s);
    if (err < 0 || (err = sl_service_acquire()) < 0)
        return err;
    s->has_service = true;
    SL_FAIL_POINT(SUBSCRIBE_DOMAIN);
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

int sl_subscriber_complete(struct sl_subscriber_options *o)
{
    if (o->policy > SL_LOSSLESS || o->quota > SL_QUOTA_MAX)
        return sl_error(-EINVAL, "topic %s: no policy %d, or a quota above %u", o->topic,
                        (int)o->policy, SL_QUOTA_MAX);
    if (o->wake_after_ns < 0)
        return sl_error(-EINVAL, "topic %s: wake_after_ns %lld; 0 means 1 ms", o->topic,
                        (long long)o->wake_after_ns);
    o->quota = o->visitor ? 1 : o->quota ? o->quota : QUOTA_DEFAULT;
    o->wake_after_ns = o->wake_after_ns ? o->wake_after_ns : WAKE_AFTER_NS;
    return 0;
}

int sl_subscriber_open(const struct sl_subscriber_options *options,
                       struct sl_subscriber **ret_subscriber)
{
    sl_error_clear();
    struct sl_subscriber_options completed = *options;
    int err = sl_topic_check(options->topic, options->type);
    if (err < 0 || (err = sl_subscriber_complete(&completed)) < 0)
        return err;
    struct sl_subscriber *s = calloc(1, sizeof *s);
    if (!s)
        return sl_error(-ENOMEM, "no memory for a subscriber");
    s->domain.fd = s->epoll_fd = s->timer_fd = -1;
    s->event_fd = -1;
    s->options = completed;
    snprintf(s->topic, sizeof s->topic, "%s", options->topic);
    snprintf(s->type, sizeof s->type, "%s", options->type ? options->type : "");
    s->directory.appeared = sl_link_appeared;
    err = open_subscriber(s);
    if (err < 0) {
        sl_subscriber_close(s);
        return err;
    }
    sl_subscriber_adopt(s);
    SL_FAIL_POINT(SUBSCRIBE_OPEN);
    *ret_subscriber = s;
    return 0;
}

void sl_subscriber_close(struct sl_subscriber *s)
{
    if (!s)
        return;
    SL_FAIL_POINT(LEAVE_BEGUN);
    if (s->has_service) {
        sl_service_lock();
        if (s->is_watching)
            sl_service_unwatch_directory(&s->directory);
        sl_link_look_no_more(s);
        while (s->pending) {
            struct sl_link *l = s->pending;
            sl_link_forget(l);
            sl_link_free(l);
        }
        sl_service_unlock();
        SL_FAIL_POINT(LEAVE_UNWATCHED);
        do { /* nothing can arrive any more */
            if (s->row)
                sl_subscriber_adopt(s);
            while (s->link_count > 0)
                sl_subscriber_leave(s, s->link_count - 1);
        } while (s->arrived);
        SL_FAIL_POINT(LEAVE_LEFT);
        sl_service_lock();
        sl_statspage_remove(s->row);
        sl_service_unlock();
        sl_service_release();
        SL_FAIL_POINT(LEAVE_DONE);
    }
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    if (s->event_fd >= 0)
        close(s->event_fd);
    if (s->timer_fd >= 0)
        close(s->timer_fd);
    sl_domain_close(&s->domain);
    free(s);
}

int sl_subscriber_status(struct sl_subscriber *s, struct sl_subscriber_status *ret_status)
{
    const struct sl_stats_row *row = s->row;
    *ret_status = (struct sl_subscriber_status){
        .publishers = s->link_count,
        .held = sl_subscriber_held(s),
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
    if (l->pool.needs_care)
        sl_memory_leave(&l->pool, frame->slot * l->reader.slot_size, false);
    if (sl_ring_reader_release(&l->reader, frame->slot, frame->hold & SL_DESCRIPTOR_SHARED))
        sl_link_free(l); /* the subscriber left it, and this was the last frame */
}

int sl_frame_check(const struct sl_frame *frame)
{
    const struct sl_link *l = frame->link;
    if (!l)
        return 0; /* inline */
    /* F2: pairs with E2. F1 is the caller's: what was read, was read before this look; if any of it
     * was new, the look finds the state that was stored before it. */
    sl_fence_acquire();
    if (sl_ring_reader_state(&l->reader) == SL_WORD_REVOKED)
        return sl_error(-ESTALE, "the frame was taken back: its publisher revoked this subscriber");
    /* F3: a slot that is merely retired keeps its generation. */
    uint64_t state = atomic_load_explicit(&l->reader.state[frame->slot], memory_order_relaxed);
    if (state >> 1 != frame->generation)
        return sl_error(-ESTALE, "the frame was taken back: it was held for longer than the lease "
                                 "of its publisher");
    return l->pool.may_go ? sl_memory_check_device(&l->pool) : 0;
}

size_t sl_frame_copy(const struct sl_frame *frame, size_t offset, void *to, size_t length)
{
    enum sl_memory_kind kind = sl_link_memory_kind(frame->link);
    bool is_streamed = sl_stream_pays(frame->body_length, kind);
    size_t copied = 0;
    for (unsigned i = 0; i < frame->range_count && copied < length; i++) {
        size_t size = frame->range[i].length;
        if (offset >= size) {
            offset -= size;
            continue;
        }
        size_t part = size - offset < length - copied ? size - offset : length - copied;
        const char *from = (const char *)frame->range[i].start + offset;
        if (is_streamed)
            sl_stream_inspect((char *)to + copied, from, part, kind);
        else
            memcpy((char *)to + copied, from, part);
        copied += part;
        offset = 0;
    }
    return copied;
}

static_assert(sizeof(((struct sl_frame_scan *)0)->state) >= sizeof(struct sl_stream_scan), "room");
static_assert(SL_SCAN_UNIT == SL_SCAN_UNIT_MAX, "the same limit");

int sl_frame_scan_begin(const struct sl_frame *frame, size_t unit, struct sl_frame_scan *ret_scan)
{
    const void *data = frame->data ? frame->data : frame->body;
    size_t length = frame->data ? frame->data_length : frame->body_length;
    if (!data && length > 0)
        return sl_error(-ENODATA, "the message names no data to scan, and its body is in pieces");
    struct sl_stream_scan *stream = (struct sl_stream_scan *)ret_scan->state;
    int err = sl_stream_scan_begin(stream, data, length, unit, sl_link_memory_kind(frame->link));
    if (err < 0)
        return err;
    ret_scan->chunk = NULL;
    ret_scan->chunk_length = ret_scan->offset = 0;
    return 0;
}

bool sl_frame_scan_next(struct sl_frame_scan *scan)
{
    struct sl_stream_scan *stream = (struct sl_stream_scan *)scan->state;
    bool has_more = sl_stream_scan_next(stream);
    scan->chunk = stream->chunk;
    scan->chunk_length = stream->chunk_bytes;
    scan->offset = stream->offset_bytes;
    return has_more;
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
