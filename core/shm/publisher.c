/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.c - a topic's writing end: opening it, loaning, publishing. Who reads: connection.c. */
#include "core/shm/publisher.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/failpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SUBSCRIBERS_DEFAULT = 8,
    QUOTA_DEFAULT = 4,
    INLINE_DEFAULT = 64,
    RING_LEAST = 64,
    LOSSLESS_TIMEOUT_MS = 1000,
};

/* Opening. ------------------------------------------------------------------------------------- */

static uint32_t power_of_two_from(uint32_t least)
{
    uint32_t value = RING_LEAST;
    while (value < least && value < SL_RING_MAX)
        value *= 2;
    return value;
}

int sl_publisher_complete(struct sl_publisher_options *o)
{
    o->loans = o->loans ? o->loans : 1;
    o->subscribers = o->subscribers ? o->subscribers : SUBSCRIBERS_DEFAULT;
    o->quota = o->quota ? o->quota : QUOTA_DEFAULT;
    o->inline_max = o->inline_max ? o->inline_max : INLINE_DEFAULT;
    if (o->lease_ns < 0)
        return sl_error(-EINVAL, "topic %s: a lease of %lld ns; 0 means none", o->topic,
                        (long long)o->lease_ns);
    if (o->lossless_timeout_ns == 0)
        o->lossless_timeout_ns = LOSSLESS_TIMEOUT_MS * (int64_t)SL_NS_PER_MS;
    if (o->subscribers > SL_SUBSCRIBERS_MAX || o->quota > SL_QUOTA_MAX ||
        o->inline_max > SL_INLINE_MAX || o->retain > SL_RING_MAX / 2 || o->loans > SL_SLOTS_MAX / 2)
        return sl_error(-EINVAL,
                        "topic %s: at most %u subscribers, quota %u, inline_max %u, retain %u",
                        o->topic, SL_SUBSCRIBERS_MAX, SL_QUOTA_MAX, SL_INLINE_MAX, SL_RING_MAX / 2);
    if (o->pool) {
        o->slot_count = o->pool->slots.count;
    } else if (o->slot_size == 0) {
        o->slot_count = 0;
    } else if (o->slot_count == 0) {
        uint64_t slots =
            (uint64_t)o->loans + o->retain + (uint64_t)o->subscribers * o->quota + SL_VISITORS + 1;
        o->slot_count = slots > SL_SLOTS_MAX ? SL_SLOTS_MAX : (uint32_t)slots;
    }
    if (o->slot_count > 0 && o->slot_count <= o->retain + o->loans - 1)
        return sl_error(-EINVAL, "topic %s: %u slots are too few to retain %u messages and loan %u",
                        o->topic, o->slot_count, o->retain, o->loans);
    uint32_t entries = o->slot_count > o->retain ? o->slot_count : o->retain;
    if (o->ring == 0)
        o->ring = power_of_two_from(2 * entries);
    if (o->ring < 2 || o->ring > SL_RING_MAX || (o->ring & (o->ring - 1)) || o->ring <= o->retain ||
        o->ring < o->loans)
        return sl_error(-EINVAL, "topic %s: ring %u is not a power of two from %u to %u", o->topic,
                        o->ring, o->retain + 1 > 2 ? o->retain + 1 : 2, SL_RING_MAX);
    return 0;
}

static int make_pool(struct sl_publisher *p)
{
    const struct sl_publisher_options *o = &p->options;
    p->pool = o->pool;
    p->owns_pool = !o->pool;
    if (o->pool)
        return 0;
    if (o->slot_size == 0)
        return sl_pool_create_own(NULL, &p->pool);
    struct sl_pool_options pool = {
        .slot_size = o->slot_size,
        .slot_count = o->slot_count,
        .side_size = o->side_size,
        .huge_pages = o->huge_pages,
        .memory = o->memory,
        .fallback = o->fallback,
    };
    return sl_pool_create_own(&pool, &p->pool);
}

static int make_ring(struct sl_publisher *p)
{
    const struct sl_publisher_options *o = &p->options;
    uint32_t words = p->sizes.ledgers;
    SL_FAIL_POINT(OPEN_POOL);
    struct sl_memory_config config = {
        .name = "sluice-ring",
        .size_bytes = p->sizes.ring_bytes,
    };
    int err = sl_memory_create(&config, &p->ring_memory);
    if (err < 0)
        return err;
    sl_ring_format(p->ring_memory.base, p->instance, o->ring, o->inline_max, words,
                   &p->channel.ring);
    p->channel.ring.ring->header.size_bytes = p->ring_memory.size_bytes;
    p->channel.ring.ring->lease_ns = p->channel.ring.lease_ns = o->lease_ns;
    p->channel.retain = o->retain;
    p->channel.lossless_timeout_ns = o->lossless_timeout_ns;
    p->word_used = calloc(words, sizeof *p->word_used);
    SL_FAIL_POINT(OPEN_RING);
    return p->word_used ? 0 : sl_error(-ENOMEM, "no memory for %u subscribers", words);
}

/* With iceoryx, a sender beside the ring. Not under the service lock: RouDi is asked. */
static int make_sender(struct sl_publisher *p)
{
    enum sl_bus bus;
    int err = sl_bus_choose(p->options.bus, &bus);
    if (err < 0 || bus == SL_BUS_NATIVE)
        return err;
    if ((err = sl_iceoryx_start(&p->domain)) < 0 ||
        (err = sl_iceoryx_sender_open(&p->domain, p->topic, p->instance, p->options.inline_max,
                                      &p->channel.sender)) < 0)
        return sl_error_at(err, "topic %s", p->topic);
    return 0;
}

/* Under the service lock: the door, and the row that tools see. */
static int show(struct sl_publisher *p)
{
    p->row = sl_statspage_add(&p->domain, SL_STATS_PUBLISHER, p->instance, p->topic, p->type);
    if (!p->row)
        return sl_error(-ENOMEM, "topic %s: no memory for its statistics", p->topic);
    p->row->slot_count = p->pool->slots.count;
    p->row->slot_size = p->pool->slot_size;
    p->row->quota = p->options.quota;
    p->row->depth = p->options.retain;
    const struct sl_memory *m = &p->pool->memory;
    snprintf(p->row->memory, sizeof p->row->memory, "%s", p->pool->kind);
    p->row->memory_kind = m->kind;
    p->row->memory_flags =
        (m->is_dmabuf ? SL_STATS_DMABUF : 0) | (m->can_pin ? SL_STATS_PINNABLE : 0);
    p->row->page_size = m->page_size_bytes;
    p->row->numa_node = m->numa_node;
    sl_statspage_show(p->row, SL_STATS_PUBLISHER);
    return sl_connections_open(p);
}

static int open_relay(struct sl_publisher *p)
{
    p->relay = (struct sl_relay){.slots = &p->pool->slots, .channel = &p->channel};
    int err = sl_relay_add(&p->relay);
    if (err < 0)
        return err;
    p->channel.relay = &p->relay;
    p->has_relay = true;
    return 0;
}

/* Where there is a list, the list decides, not the socket. */
static int take_readers(struct sl_publisher *p, const struct sl_publisher_options *options)
{
    int err = sl_readers_parse(options->readers, &p->readers);
    if (err < 0)
        return sl_error_at(err, "topic %s", p->topic);
    if (p->options.mode == 0 && p->readers.user_count + p->readers.group_count > 0)
        p->options.mode = 0666;
    return 0;
}

int sl_publisher_open(const struct sl_publisher_options *options,
                      struct sl_publisher **ret_publisher)
{
    sl_error_clear();
    int err = sl_topic_check(options->topic, options->type ? options->type : "");
    if (err < 0)
        return err;
    struct sl_publisher *p = calloc(1, sizeof *p);
    if (!p)
        return sl_error(-ENOMEM, "no memory for a publisher");
    p->domain.fd = p->listener.fd = -1;
    p->ring_memory = SL_MEMORY_NONE;
    p->options = *options;
    snprintf(p->topic, sizeof p->topic, "%s", options->topic);
    snprintf(p->type, sizeof p->type, "%s", options->type);
    p->options.topic = p->topic;
    p->options.type = p->type;
    p->instance = sl_instance_new();
    p->options.readers = NULL;
    if ((err = sl_publisher_sizes(&p->options, &p->sizes)) < 0 ||
        (err = take_readers(p, options)) < 0 ||
        (err = sl_domain_open(options->domain, true, &p->domain)) < 0 || (err = make_pool(p)) < 0 ||
        (err = make_ring(p)) < 0 || (err = make_sender(p)) < 0 || (err = sl_service_acquire()) < 0)
        goto failed;
    SL_FAIL_POINT(OPEN_SERVICE);
    p->has_service = true;
    p->pool->users++;
    if (p->options.relay && (err = open_relay(p)) < 0)
        goto failed;
    sl_service_lock();
    err = show(p);
    sl_service_unlock();
    if (err < 0)
        goto failed;
    SL_FAIL_POINT(OPEN_SHOWN);
    sl_pool_tell(p->pool);
    if (sl_error_text()[0])
        sl_error_at(0, "topic %s", p->topic);
    *ret_publisher = p;
    return 0;
failed:
    sl_publisher_close(p);
    return err;
}

void sl_publisher_close(struct sl_publisher *p)
{
    if (!p)
        return;
    SL_FAIL_POINT(CLOSE_BEGUN);
    if (p->has_relay)
        sl_relay_remove(&p->relay);
    if (p->has_service) {
        /* A pool of its own ends here: nobody writes it any more, and who is behind may still read
         * what stands. */
        if (!p->owns_pool)
            sl_slots_forget(&p->pool->slots, &p->channel);
        sl_service_lock();
        sl_connections_close(p);
        SL_FAIL_POINT(CLOSE_DROPPED);
        sl_statspage_remove(p->row);
        p->pool->users--;
        sl_service_unlock();
        sl_service_release();
        SL_FAIL_POINT(CLOSE_SERVICE);
    }
    if (p->owns_pool)
        sl_pool_destroy(p->pool);
    SL_FAIL_POINT(CLOSE_POOL);
    sl_iceoryx_sender_close(p->channel.sender);
    sl_memory_close(&p->ring_memory);
    sl_domain_close(&p->domain);
    free(p->word_used);
    free(p);
}

/* Publishing. ---------------------------------------------------------------------------------- */

/* Its memory is told that the CPU writes. */
static int enter_slot(struct sl_publisher *p, uint32_t slot)
{
    int err = sl_memory_enter(&p->pool->memory, slot * p->pool->slot_size, true);
    if (err == 0)
        return 0;
    sl_slots_discard(&p->pool->slots, slot);
    return sl_error_at(err, "topic %s: %s", p->topic, p->pool->kind);
}

static void leave_slot(const struct sl_pool *pool, uint32_t slot)
{
    if (pool->memory.needs_care)
        sl_memory_leave(&pool->memory, slot * pool->slot_size, true);
}

/* What a message needs beside its slot: better told now than when the frame is written. */
static int reserve(const struct sl_publisher *p)
{
    return p->channel.sender ? sl_iceoryx_reserve(p->channel.sender) : 0;
}

int sl_publisher_loan(struct sl_publisher *p, struct sl_loan *ret_loan)
{
    uint32_t slot;
    int err = reserve(p);
    if (err == 0)
        err = sl_slots_loan(&p->pool->slots, &p->channel, &slot);
    if (err < 0) {
        sl_stats_add(&p->row->refused, 1);
        return sl_error_at(err, "topic %s", p->topic);
    }
    const struct sl_pool *pool = p->pool;
    if (pool->memory.needs_care && (err = enter_slot(p, slot)) < 0)
        return err;
    sl_ring_prepare(&p->channel.ring, p->channel.head + 1, 0);
    *ret_loan = (struct sl_loan){
        .data = pool->memory.base + slot * pool->slot_size,
        .data_size = pool->slot_size,
        .side = pool->sides ? pool->sides + (uint64_t)slot * pool->side_size : NULL,
        .side_size = pool->side_size,
        .slot = slot,
        .generation = pool->slots.slot[slot].generation,
    };
    return 0;
}

/* 0: a loan would succeed, or without slots an inline message. */
static int could_publish(struct sl_publisher *p)
{
    struct sl_slots *slots = &p->pool->slots;
    uint32_t slot;
    int err = reserve(p);
    if (err < 0 || slots->count == 0)
        return err < 0 ? err : sl_slots_may_publish(slots, &p->channel);
    err = sl_slots_loan(slots, &p->channel, &slot);
    if (err == 0)
        sl_slots_discard(slots, slot);
    return err;
}

int sl_publisher_wait(struct sl_publisher *p, int64_t timeout_ns)
{
    /* A reader's release is a plain store that tells nobody: look again, less and less often. */
    uint64_t start_ns = sl_clock_monotonic_ns();
    struct timespec pause = {.tv_nsec = 20000};
    for (;;) {
        int err = could_publish(p);
        if (err != -EAGAIN)
            return err;
        if (timeout_ns >= 0 && (int64_t)(sl_clock_monotonic_ns() - start_ns) >= timeout_ns)
            return sl_error_at(-ETIMEDOUT, "topic %s", p->topic);
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 500000)
            pause.tv_nsec += pause.tv_nsec / 2;
    }
}

void sl_publisher_discard(struct sl_publisher *p, struct sl_loan *loan)
{
    struct sl_slots *slots = &p->pool->slots;
    if (loan->data && sl_slots_is_loan(slots, loan->slot, loan->generation)) {
        leave_slot(p->pool, loan->slot);
        sl_slots_discard(slots, loan->slot);
    }
    *loan = (struct sl_loan){0};
}

static uint32_t alignment_flag(uint32_t offset)
{
    uint32_t log2 = offset ? (uint32_t)__builtin_ctz(offset) : 12;
    return (log2 > 12 ? 12 : log2) << SL_DESCRIPTOR_ALIGN_SHIFT;
}

/* Check the message against its slot; the length of a gathered body is the sum of its ranges. */
static int check_message(const struct sl_publisher *p, const struct sl_message *m,
                         uint32_t *ret_length)
{
    uint64_t size = p->pool->slot_size, side = p->pool->side_size, length = 0;
    bool fits =
        m->range_count <= SL_RANGES_MAX && sl_range_fits(m->data_offset, m->data_length, size);
    for (uint32_t i = 0; fits && i < m->range_count; i++) {
        const struct sl_range *r = &m->ranges[i];
        fits = r->length > 0 && r->area <= SL_AREA_SIDE &&
               sl_range_fits(r->offset, r->length, r->area == SL_AREA_SIDE ? side : size);
        length += r->length;
    }
    if (m->range_count == 0) {
        fits = fits && sl_range_fits(m->body_offset, m->body_length, size);
        length = m->body_length;
    }
    if (!fits || length > UINT32_MAX)
        return sl_error(-EINVAL,
                        "topic %s: message at %u, %u bytes, data at %u, %u bytes, is not "
                        "inside its slot of %llu",
                        p->topic, m->body_offset, m->body_length, m->data_offset, m->data_length,
                        (unsigned long long)size);
    *ret_length = (uint32_t)length;
    return 0;
}

static void count_message(struct sl_publisher *p, const struct sl_descriptor *d)
{
    sl_stats_add(&p->row->messages, 1);
    sl_stats_add(&p->row->bytes, d->body_length);
    sl_stats_set(&p->row->last_ns, d->publish_ns);
    sl_stats_set(&p->row->last_stamp_ns, d->stamp_ns);
    const struct sl_slots *slots = &p->pool->slots;
    sl_stats_set32(&p->row->held, slots->loaned);
    sl_stats_set32(&p->row->demoted, p->channel.demoted);
    sl_stats_set32(&p->row->revoked, slots->revoked);
    sl_stats_set32(&p->row->expired, slots->expired);
    sl_stats_set32(&p->row->died,
                   slots->died + atomic_load_explicit(&p->pool->died, memory_order_relaxed));
}

int sl_publisher_publish(struct sl_publisher *p, struct sl_loan *loan, const struct sl_message *m)
{
    struct sl_slots *slots = &p->pool->slots;
    if (!loan->data || !sl_slots_is_loan(slots, loan->slot, loan->generation))
        return sl_error(-EINVAL, "topic %s: this is no loan (published or discarded before?)",
                        p->topic);
    uint32_t length = 0;
    int err = check_message(p, m, &length);
    /* The loan has its entry promised in its own publisher's ring, and one only. */
    if (err == 0 && (m->more || slots->slot[loan->slot].owner != &p->channel))
        err = sl_slots_may_publish(slots, &p->channel);
    if (err == 0) {
        struct sl_descriptor d = {
            .stamp_ns = m->stamp_ns,
            .publish_ns = sl_quick_clock_ns(&p->clock),
            .flags = ((uint32_t)m->clock & SL_DESCRIPTOR_CLOCK_MASK) |
                     (m->flags & SL_MESSAGE_PARTIAL) | alignment_flag(m->data_offset) |
                     (m->range_count ? SL_DESCRIPTOR_GATHER : 0),
            .body_offset = m->body_offset,
            .body_length = length,
            .data_offset = m->data_offset,
            .data_length = m->data_length,
        };
        struct sl_ring_payload payload = {.ranges = m->ranges, .range_count = m->range_count};
        leave_slot(p->pool, loan->slot);
        err = sl_slots_publish(slots, &p->channel, loan->slot, !m->more, &d, &payload);
        if (err == 0)
            count_message(p, &d);
        if ((m->more || err < 0) && p->pool->memory.needs_care) /* it goes on being written */
            sl_memory_enter(&p->pool->memory, loan->slot * p->pool->slot_size, true);
    }
    if (m->more)
        return err;
    if (err < 0)
        sl_publisher_discard(p, loan);
    *loan = (struct sl_loan){0};
    return err;
}

int sl_publisher_publish_inline(struct sl_publisher *p, const void *body, size_t body_length,
                                const struct sl_message *m)
{
    if (body_length > p->options.inline_max)
        return sl_error(-EMSGSIZE,
                        "topic %s: %zu bytes inline, at most %u; raise inline_max or loan "
                        "a slot",
                        p->topic, body_length, p->options.inline_max);
    int err = sl_slots_may_publish(&p->pool->slots, &p->channel);
    if (err < 0)
        return sl_error_at(err, "topic %s", p->topic);
    bool has_data = sl_range_fits(m->data_offset, m->data_length, body_length);
    struct sl_descriptor d = {
        .stamp_ns = m->stamp_ns,
        .publish_ns = sl_quick_clock_ns(&p->clock),
        .flags = ((uint32_t)m->clock & SL_DESCRIPTOR_CLOCK_MASK) | (m->flags & SL_MESSAGE_PARTIAL) |
                 SL_DESCRIPTOR_INLINE,
        .body_length = (uint32_t)body_length,
        .data_offset = has_data ? m->data_offset : 0,
        .data_length = has_data ? m->data_length : 0,
    };
    struct sl_ring_payload payload = {.inline_body = body};
    err = sl_slots_publish(&p->pool->slots, &p->channel, SL_NO_SLOT, false, &d, &payload);
    if (err == 0)
        count_message(p, &d);
    /* The next one's lines come home while the readers are busy with this one's. */
    sl_ring_prepare(&p->channel.ring, p->channel.head + 1, (uint32_t)body_length);
    return err;
}

int sl_publisher_status(struct sl_publisher *p, struct sl_publisher_status *ret_status)
{
    sl_service_lock(); /* so that no peer is freed while its ledger is looked at */
    *ret_status = (struct sl_publisher_status){
        .published = atomic_load(&p->row->messages),
        .bytes = atomic_load(&p->row->bytes),
        .refused = atomic_load(&p->row->refused),
        .subscribers = p->subscriber_count,
        .slots = p->pool->slots.count,
        .slots_held = sl_slots_held(&p->pool->slots),
        .slots_loaned = p->pool->slots.loaned,
        .unread = sl_slots_unread(&p->pool->slots, &p->channel),
        .unreleased = sl_slots_unreleased(&p->pool->slots, &p->channel),
        .demoted = p->channel.demoted,
        .revoked = p->pool->slots.revoked,
        .expired = p->pool->slots.expired,
        .died = p->pool->slots.died + atomic_load(&p->pool->died),
    };
    sl_service_unlock();
    return 0;
}
