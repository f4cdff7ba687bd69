/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/play_reader.h"

#include "core/base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define READ_BYTES (UINT64_C(1) << 20)   /* of one read; a larger part is several ... */
#define READS_MAX  (READ_RING_DEPTH / 4) /* ... but not more than so many */

struct play_reader {
    struct play_reader_options options;
    bool is_lent; /* that the slots are lent to the ring has been tried */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    struct play_part *first, *last; /* to be read */
    bool is_reading, is_ending;
};

/* What was read. ------------------------------------------------------------------------------- */

static bool is_wanted(const struct play_reader *r, uint32_t log, const struct sl_log_message *m)
{
    return r->options.wanted[log][m->topic] && m->receive_ns >= r->options.first_ns &&
           (!r->options.last_ns || m->receive_ns <= r->options.last_ns);
}

static int list_messages(const struct play_reader *r, struct play_part *part, size_t size_bytes)
{
    const struct sl_log *log = r->options.set->logs[part->log];
    size_t at = 0, room = 0;
    struct sl_log_message m;
    int got;
    while ((got = sl_log_walk(log, part->block, part->slot + part->begin, size_bytes, &at, &m)) ==
           1) {
        if (!is_wanted(r, part->log, &m))
            continue;
        if (part->count == room) {
            room = room ? 2 * room : 64;
            struct sl_log_message *more = realloc(part->messages, room * sizeof *more);
            if (!more)
                return sl_error(-ENOMEM, "no memory for the messages of a block");
            part->messages = more;
        }
        m.offset += part->begin;
        part->messages[part->count++] = m;
    }
    if (got < 0)
        return got;
    if (part->count > 0)
        qsort(part->messages, part->count, sizeof *part->messages, sl_log_compare_messages);
    return 0;
}

static void keep_error(struct play_part *part, int err)
{
    if (err < 0)
        snprintf(part->reason, sizeof part->reason, "%s", sl_error_text());
    part->is_damaged |= err == -EBADMSG;
    part->err = err == -EBADMSG ? 0 : err;
}

/* Of a damaged one, what is good. */
static void look_through(struct play_reader *r, struct play_part *part, int err, size_t size_bytes)
{
    keep_error(part, err);
    part->end = part->begin + size_bytes;
    if (part->err == 0)
        keep_error(part, list_messages(r, part, size_bytes));
    pthread_mutex_lock(&r->lock);
    part->is_read = true;
    pthread_cond_signal(&r->answered);
    pthread_mutex_unlock(&r->lock);
}

static void load(struct play_reader *r, struct play_part *part)
{
    size_t size_bytes = 0;
    int err = sl_log_load(r->options.set->logs[part->log], part->block, part->slot + part->begin,
                          &size_bytes);
    look_through(r, part, err, size_bytes);
}

/* By io_uring. --------------------------------------------------------------------------------- */

static uint64_t piece_bytes(uint64_t size_bytes)
{
    uint64_t least = (size_bytes + READS_MAX - 1) / READS_MAX;
    return least <= READ_BYTES ? READ_BYTES : (least + READ_BYTES - 1) / READ_BYTES * READ_BYTES;
}

static bool is_for_ring(const struct play_reader *r, const struct play_part *part)
{
    const struct sl_log *log = r->options.set->logs[part->log];
    return r->options.ring && read_ring_room(r->options.ring) >= READS_MAX + 1 &&
           sl_log_is_plain(log, part->block) &&
           piece_bytes(log->blocks[part->block].size_bytes) <= INT32_MAX;
}

/* Pinning pays for what goes past the page cache only: anything else the kernel copies. */
static void lend_slots(struct play_reader *r)
{
    if (!r->is_lent && r->options.memory.iov_len > 0)
        read_ring_lend(r->options.ring, r->options.memory.iov_base, r->options.memory.iov_len);
    r->is_lent = true;
}

static void finish_read(struct play_reader *r, struct play_part *part)
{
    const struct sl_log *log = r->options.set->logs[part->log];
    if (part->came_short) { /* once more, and what is wrong is told */
        load(r, part);
        return;
    }
    look_through(r, part, sl_log_check_plain(log, part->block, part->slot + part->begin),
                 (size_t)log->blocks[part->block].size_bytes);
}

static void start_read(struct play_reader *r, struct play_part *part)
{
    const struct sl_log_block *block = &r->options.set->logs[part->log]->blocks[part->block];
    struct sl_log_read whole = sl_log_file_read(&r->options.set->files[part->log], block->offset,
                                                part->slot + part->begin, block->size_bytes);
    uint64_t most = piece_bytes(whole.size_bytes);
    if (whole.is_direct)
        lend_slots(r);
    for (uint64_t at = 0; at < whole.size_bytes; at += most) {
        uint64_t left = whole.size_bytes - at;
        const struct read_ring_read read = {.fd = whole.fd,
                                            .offset = whole.offset + at,
                                            .to = whole.to + at,
                                            .size_bytes = (uint32_t)(left < most ? left : most),
                                            .tag = part};
        read_ring_add(r->options.ring, &read);
        part->reads_left++;
    }
    unsigned started = read_ring_start(r->options.ring);
    part->came_short = started < part->reads_left;
    part->reads_left = started;
    if (started == 0)
        finish_read(r, part);
}

/* What a direct read brings of behind the part is nobody's, and at the file's end less comes. */
static bool is_short(const struct play_reader *r, const struct read_ring_result *result)
{
    const struct play_part *part = result->read.tag;
    const struct sl_log_block *block = &r->options.set->logs[part->log]->blocks[part->block];
    uint64_t end = result->read.offset + result->read.size_bytes;
    uint64_t needed_end = block->offset + block->size_bytes;
    needed_end = needed_end < end ? needed_end : end;
    return result->result < 0 || result->read.offset + (uint64_t)result->result < needed_end;
}

static void take_reads(struct play_reader *r, bool waits)
{
    struct read_ring_result result;
    while (read_ring_next(r->options.ring, waits, &result)) {
        struct play_part *part = result.read.tag;
        part->came_short |= is_short(r, &result);
        waits = false;
        if (--part->reads_left == 0)
            finish_read(r, part);
    }
}

/* The thread. ---------------------------------------------------------------------------------- */

static unsigned under_way(const struct play_reader *r)
{
    return r->options.ring ? read_ring_under_way(r->options.ring) : 0;
}

static void read_part(struct play_reader *r, struct play_part *part)
{
    const struct sl_log *log = r->options.set->logs[part->log];
    if (sl_log_is_plain(log, part->block))
        part->begin = (size_t)(log->blocks[part->block].offset % SL_LOG_READ_ALIGNMENT);
    if (is_for_ring(r, part))
        start_read(r, part);
    else
        load(r, part);
}

/* While reads are under way, what is asked for is begun as soon as one of them has come back. */
static void *read_parts(void *state)
{
    struct play_reader *r = state;
    pthread_mutex_lock(&r->lock);
    while (!r->is_ending || under_way(r) > 0) {
        struct play_part *part = r->is_ending ? NULL : r->first;
        if (!part && under_way(r) == 0) {
            pthread_cond_wait(&r->asked, &r->lock);
            continue;
        }
        if (part)
            r->first = part->next;
        r->is_reading = true;
        pthread_mutex_unlock(&r->lock);
        if (part)
            read_part(r, part);
        if (r->options.ring)
            take_reads(r, !part);
        pthread_mutex_lock(&r->lock);
        r->is_reading = under_way(r) > 0;
        pthread_cond_signal(&r->answered);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int play_reader_create(const struct play_reader_options *options, struct play_reader **ret_reader)
{
    struct play_reader *r = calloc(1, sizeof *r);
    if (!r)
        return sl_error(-ENOMEM, "no memory for reading logs");
    r->options = *options;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->asked, NULL);
    pthread_cond_init(&r->answered, NULL);
    r->has_thread = pthread_create(&r->thread, NULL, read_parts, r) == 0;
    if (!r->has_thread) {
        play_reader_destroy(r);
        return sl_error(-EAGAIN, "there is no thread to be had for reading logs");
    }
    *ret_reader = r;
    return 0;
}

void play_reader_ask(struct play_reader *r, struct play_part *part)
{
    pthread_mutex_lock(&r->lock);
    if (r->first)
        r->last->next = part;
    else
        r->first = part;
    r->last = part;
    pthread_cond_signal(&r->asked);
    pthread_mutex_unlock(&r->lock);
}

void play_reader_wait(struct play_reader *r, const struct play_part *part)
{
    pthread_mutex_lock(&r->lock);
    while (!part->is_read)
        pthread_cond_wait(&r->answered, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

void play_reader_call_off(struct play_reader *r, uint64_t first_ns)
{
    pthread_mutex_lock(&r->lock);
    r->first = NULL;
    while (r->is_reading)
        pthread_cond_wait(&r->answered, &r->lock);
    r->options.first_ns = first_ns;
    pthread_mutex_unlock(&r->lock);
}

void play_reader_destroy(struct play_reader *r)
{
    if (!r)
        return;
    if (r->has_thread) {
        pthread_mutex_lock(&r->lock);
        r->is_ending = true;
        pthread_cond_signal(&r->asked);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
    }
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->asked);
    pthread_cond_destroy(&r->answered);
    free(r);
}
