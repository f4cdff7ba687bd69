/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/play_blocks.h"

#include "core/base/error.h"
#include "rosbag_compat/files.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES 256

/* A block whose time has not come. */
struct waiting {
    uint64_t first_ns;
    uint32_t log, block;
};

/* One that stands in a slot, or is to be read into it: the reading thread's until `is_read`. */
struct standing {
    struct waiting from;
    struct sl_loan loan;
    struct sl_log_message *messages; /* in order */
    uint32_t count, at;
    size_t begin;      /* of the block in the loan */
    size_t used_bytes; /* of the loan */
    int err;           /* why there is nothing */
    bool is_damaged;   /* only a part of it is there */
    char text[TEXT_BYTES];
    struct standing *next; /* to be read behind it; under the lock, as the next one */
    bool is_read;
    bool is_ready; /* the publishing thread has seen that it is, and has found messages in it */
};

struct play_blocks {
    struct play_blocks_options options;
    struct waiting *waiting; /* by time, log, block */
    size_t waiting_count, waiting_at;
    struct standing **standing; /* few: looked through for the first */
    unsigned standing_count;
    bool has_no_slot; /* to read ahead; until one is put away */
    uint64_t damaged;
    char damage[TEXT_BYTES]; /* of the first one */

    pthread_t reader;
    bool has_reader;
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    struct standing *first, *last; /* to be read */
    bool is_reading, is_ending;
};

static bool ends_before(const struct play_blocks *b, const struct sl_log_block *block)
{
    return block->last_ns < b->options.first_ns ||
           (b->options.last_ns && block->first_ns > b->options.last_ns);
}

static int compare_waiting(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    if (x->first_ns != y->first_ns)
        return x->first_ns < y->first_ns ? -1 : 1;
    if (x->log != y->log)
        return x->log < y->log ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

/* Reading, in a thread of its own. ------------------------------------------------------------- */

static bool is_wanted(const struct play_blocks *b, uint32_t log, const struct sl_log_message *m)
{
    return b->options.wanted[log][m->topic] && m->receive_ns >= b->options.first_ns &&
           (!b->options.last_ns || m->receive_ns <= b->options.last_ns);
}

static int compare_messages(const void *a, const void *b)
{
    const struct sl_log_message *x = a, *y = b;
    if (x->receive_ns != y->receive_ns)
        return x->receive_ns < y->receive_ns ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int list_messages(const struct play_blocks *b, struct standing *s, size_t size_bytes)
{
    const struct sl_log *log = b->options.logs[s->from.log];
    size_t at = 0, room = 0;
    struct sl_log_message m;
    int got;
    while ((got = sl_log_walk(log, s->from.block, (uint8_t *)s->loan.data + s->begin, size_bytes,
                              &at, &m)) == 1) {
        if (!is_wanted(b, s->from.log, &m))
            continue;
        if (s->count == room) {
            room = room ? 2 * room : 64;
            struct sl_log_message *more = realloc(s->messages, room * sizeof *more);
            if (!more)
                return sl_error(-ENOMEM, "no memory for the messages of a block");
            s->messages = more;
        }
        m.offset += s->begin;
        s->messages[s->count++] = m;
    }
    if (got < 0)
        return got;
    if (s->count > 0)
        qsort(s->messages, s->count, sizeof *s->messages, compare_messages);
    return 0;
}

static void keep_error(struct standing *s, int err)
{
    if (err < 0)
        snprintf(s->text, sizeof s->text, "%s", sl_error_text());
    s->is_damaged |= err == -EBADMSG;
    s->err = err == -EBADMSG ? 0 : err;
}

/* Of a damaged one, what is good. */
static void read_block(const struct play_blocks *b, struct standing *s)
{
    struct sl_log *log = b->options.logs[s->from.log];
    size_t size_bytes = 0;
    if (b->options.reads_directly)
        s->begin = (size_t)(log->blocks[s->from.block].offset % SL_LOG_READ_ALIGNMENT);
    keep_error(s, sl_log_load(log, s->from.block, (uint8_t *)s->loan.data + s->begin, &size_bytes));
    s->used_bytes = (s->begin + size_bytes + 7) / 8 * 8;
    if (s->err == 0)
        keep_error(s, list_messages(b, s, size_bytes));
}

static void *read_blocks(void *state)
{
    struct play_blocks *b = state;
    pthread_mutex_lock(&b->lock);
    while (!b->is_ending) {
        struct standing *s = b->first;
        if (!s) {
            pthread_cond_wait(&b->asked, &b->lock);
            continue;
        }
        b->first = s->next;
        b->is_reading = true;
        pthread_mutex_unlock(&b->lock);
        read_block(b, s);
        pthread_mutex_lock(&b->lock);
        s->is_read = true;
        b->is_reading = false;
        pthread_cond_signal(&b->answered);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static int start_reader(struct play_blocks *b)
{
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->asked, NULL);
    pthread_cond_init(&b->answered, NULL);
    b->has_reader = pthread_create(&b->reader, NULL, read_blocks, b) == 0;
    return b->has_reader ? 0 : -EAGAIN;
}

static void ask_for(struct play_blocks *b, struct standing *s)
{
    pthread_mutex_lock(&b->lock);
    if (b->first)
        b->last->next = s;
    else
        b->first = s;
    b->last = s;
    pthread_cond_signal(&b->asked);
    pthread_mutex_unlock(&b->lock);
}

static void wait_for(struct play_blocks *b, const struct standing *s)
{
    pthread_mutex_lock(&b->lock);
    while (!s->is_read)
        pthread_cond_wait(&b->answered, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

/* What was asked for is not wanted any more. */
static void call_off(struct play_blocks *b)
{
    pthread_mutex_lock(&b->lock);
    b->first = NULL;
    while (b->is_reading)
        pthread_cond_wait(&b->answered, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

static void end_reader(struct play_blocks *b)
{
    if (!b->has_reader)
        return;
    pthread_mutex_lock(&b->lock);
    b->is_ending = true;
    pthread_cond_signal(&b->asked);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->reader, NULL);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->asked);
    pthread_cond_destroy(&b->answered);
}

/* Life. ---------------------------------------------------------------------------------------- */

int play_blocks_create(const struct play_blocks_options *options, struct play_blocks **ret_blocks)
{
    struct play_blocks *b = calloc(1, sizeof *b);
    size_t count = 0, at = 0;
    for (unsigned l = 0; l < options->count; l++)
        count += options->logs[l]->block_count;
    if (b) {
        b->options = *options;
        b->waiting = calloc(count + 1, sizeof *b->waiting);
        b->standing = calloc(options->slots + 1, sizeof(struct standing *));
    }
    if (!b || !b->waiting || !b->standing) {
        play_blocks_destroy(b);
        return sl_error(-ENOMEM, "no memory for the index of a log");
    }
    if (start_reader(b) < 0) {
        play_blocks_destroy(b);
        return sl_error(-EAGAIN, "there is no thread to be had for reading logs");
    }
    for (uint32_t l = 0; l < options->count; l++)
        for (uint32_t i = 0; i < options->logs[l]->block_count; i++)
            b->waiting[at++] = (struct waiting){options->logs[l]->blocks[i].first_ns, l, i};
    b->waiting_count = count;
    qsort(b->waiting, count, sizeof *b->waiting, compare_waiting);
    *ret_blocks = b;
    return 0;
}

static void put_away(struct play_blocks *b, unsigned index)
{
    struct standing *s = b->standing[index];
    sl_publisher_discard(b->options.publisher, &s->loan);
    free(s->messages);
    free(s);
    b->standing[index] = b->standing[--b->standing_count];
    b->has_no_slot = false;
}

void play_blocks_rewind(struct play_blocks *b, uint64_t first_ns)
{
    call_off(b);
    while (b->standing_count > 0)
        put_away(b, 0);
    b->waiting_at = 0;
    b->options.first_ns = first_ns;
}

void play_blocks_destroy(struct play_blocks *b)
{
    if (!b)
        return;
    end_reader(b);
    while (b->standing_count > 0)
        put_away(b, 0);
    free(b->waiting);
    free(b->standing);
    free(b);
}

uint64_t play_blocks_damaged(const struct play_blocks *b, const char **ret_reason)
{
    *ret_reason = b->damage;
    return b->damaged;
}

/* Slots. --------------------------------------------------------------------------------------- */

/* The next block that is wanted and has no slot yet; NULL: all have one. */
static const struct waiting *next_waiting(struct play_blocks *b)
{
    for (; b->waiting_at < b->waiting_count; b->waiting_at++) {
        const struct waiting *w = &b->waiting[b->waiting_at];
        const struct sl_log_block *block = &b->options.logs[w->log]->blocks[w->block];
        if (!ends_before(b, block) && block->message_count > 0)
            return w;
    }
    return NULL;
}

/* Have the next one read into a slot. */
static int place_next(struct play_blocks *b)
{
    if (b->standing_count == b->options.slots)
        return sl_error(-ENOBUFS,
                        "more than %u parts of the log overlap in time; put it in order first: "
                        "sluice convert LOG ordered.mcap",
                        b->options.slots);
    struct standing *s = calloc(1, sizeof *s);
    if (!s)
        return sl_error(-ENOMEM, "no memory for a block");
    s->from = b->waiting[b->waiting_at];
    int err = sl_publisher_loan(b->options.publisher, &s->loan);
    if (err < 0) {
        free(s);
        return err;
    }
    b->waiting_at++;
    b->standing[b->standing_count++] = s;
    ask_for(b, s);
    return 0;
}

/* That a slot is missing for what is not needed yet is no error. */
static int read_ahead(struct play_blocks *b)
{
    while (b->standing_count < b->options.ahead && !b->has_no_slot && next_waiting(b)) {
        int err = place_next(b);
        b->has_no_slot = err == -EAGAIN;
        if (err < 0)
            return err == -EAGAIN ? 0 : err;
    }
    return 0;
}

/* Going on. ------------------------------------------------------------------------------------ */

static bool comes_before(const struct standing *a, const struct standing *b)
{
    uint64_t x = a->messages[a->at].receive_ns, y = b->messages[b->at].receive_ns;
    if (x != y)
        return x < y;
    return a->from.log != b->from.log ? a->from.log < b->from.log : a->from.block < b->from.block;
}

/* Of the ready ones that with the next message; NULL: none is. */
static struct standing *first_ready(const struct play_blocks *b, unsigned *ret_index)
{
    struct standing *first = NULL;
    for (unsigned i = 0; i < b->standing_count; i++) {
        struct standing *s = b->standing[i];
        if (s->is_ready && (!first || comes_before(s, first))) {
            first = s;
            *ret_index = i;
        }
    }
    return first;
}

/* Could what begins at `first_ns` come before it, or as its equal? */
static bool may_come_before(uint64_t first_ns, const struct standing *ready)
{
    return !ready || first_ns <= ready->messages[ready->at].receive_ns;
}

/* It was read. One without a wanted message goes at once. */
static int accept(struct play_blocks *b, unsigned index)
{
    struct standing *s = b->standing[index];
    if (s->is_damaged && b->damaged++ == 0)
        snprintf(b->damage, sizeof b->damage, "%s", s->text);
    if (s->err < 0)
        return sl_error(s->err, "%s", s->text);
    s->is_ready = s->count > 0;
    if (!s->is_ready)
        put_away(b, index);
    return 0;
}

/* Wait for one that must be there before `ready` may be the next: 1; 0: there is none. */
static int await(struct play_blocks *b, const struct standing *ready)
{
    for (unsigned i = 0; i < b->standing_count; i++) {
        struct standing *s = b->standing[i];
        if (s->is_ready || !may_come_before(s->from.first_ns, ready))
            continue;
        wait_for(b, s);
        int err = accept(b, i);
        return err < 0 ? err : 1;
    }
    return 0;
}

int play_blocks_next(struct play_blocks *b, struct play_item *ret_item)
{
    struct standing *ready;
    unsigned index;
    int err;
    for (;;) {
        if ((err = read_ahead(b)) < 0)
            return err;
        ready = first_ready(b, &index);
        err = await(b, ready);
        if (err < 0)
            return err;
        const struct waiting *w = err == 0 ? next_waiting(b) : NULL;
        if (err == 0 && !(w && may_come_before(w->first_ns, ready)))
            break;
        if (w && (err = place_next(b)) < 0)
            return err;
    }
    if (!ready)
        return 0;
    *ret_item = (struct play_item){
        .log = ready->from.log,
        .message = ready->messages[ready->at],
        .loan = &ready->loan,
        .used_bytes = &ready->used_bytes,
    };
    return 1;
}

void play_blocks_pass(struct play_blocks *b)
{
    unsigned index;
    struct standing *first = first_ready(b, &index);
    if (++first->at == first->count)
        put_away(b, index);
}
