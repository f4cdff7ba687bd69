/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/play_blocks.h"

#include "core/base/error.h"

#include <errno.h>
#include <stdlib.h>

/* A block whose time has not come. */
struct waiting {
    uint64_t first_ns;
    uint32_t log, block;
};

/* One that stands in a slot, with its messages in order. */
struct standing {
    uint32_t log, block;
    struct sl_loan loan;
    struct sl_log_message *messages;
    uint32_t count, at;
    size_t used_bytes; /* of the loan */
};

struct play_blocks {
    struct play_blocks_options options;
    struct waiting *waiting; /* by time, log, block */
    size_t waiting_count, waiting_at;
    struct standing **standing; /* few: looked through for the first */
    unsigned standing_count;
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
    if (s->loan.data)
        sl_publisher_discard(b->options.publisher, &s->loan);
    free(s->messages);
    free(s);
    b->standing[index] = b->standing[--b->standing_count];
}

void play_blocks_rewind(struct play_blocks *b, uint64_t first_ns)
{
    while (b->standing_count > 0)
        put_away(b, 0);
    b->waiting_at = 0;
    b->options.first_ns = first_ns;
}

void play_blocks_destroy(struct play_blocks *b)
{
    if (!b)
        return;
    while (b->standing_count > 0)
        put_away(b, 0);
    free(b->waiting);
    free(b->standing);
    free(b);
}

/* Loading. ------------------------------------------------------------------------------------- */

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

static int list_messages(struct play_blocks *b, struct standing *s, size_t size_bytes)
{
    const struct sl_log *log = b->options.logs[s->log];
    size_t at = 0, room = 0;
    struct sl_log_message m;
    int got;
    while ((got = sl_log_walk(log, s->block, s->loan.data, size_bytes, &at, &m)) == 1) {
        if (!is_wanted(b, s->log, &m))
            continue;
        if (s->count == room) {
            room = room ? 2 * room : 64;
            struct sl_log_message *more = realloc(s->messages, room * sizeof *more);
            if (!more)
                return sl_error(-ENOMEM, "no memory for the messages of a block");
            s->messages = more;
        }
        s->messages[s->count++] = m;
    }
    if (got < 0)
        return got;
    if (s->count > 0)
        qsort(s->messages, s->count, sizeof *s->messages, compare_messages);
    return 0;
}

/* Into a slot; one without a wanted message goes at once. */
static int load(struct play_blocks *b, const struct waiting *w)
{
    size_t size_bytes = 0;
    if (b->standing_count == b->options.slots)
        return sl_error(-ENOBUFS,
                        "more than %u parts of the log overlap in time; put it in order first: "
                        "sluice convert LOG ordered.mcap",
                        b->options.slots);
    struct standing *s = calloc(1, sizeof *s);
    if (!s)
        return sl_error(-ENOMEM, "no memory for a block");
    s->log = w->log;
    s->block = w->block;
    int err = sl_publisher_loan(b->options.publisher, &s->loan);
    if (err < 0) {
        free(s);
        return err;
    }
    b->standing[b->standing_count++] = s;
    err = sl_log_load(b->options.logs[w->log], w->block, s->loan.data, &size_bytes);
    s->used_bytes = (size_t)(size_bytes + 7) / 8 * 8;
    if (err == 0)
        err = list_messages(b, s, size_bytes);
    if (err < 0 || s->count == 0)
        put_away(b, b->standing_count - 1);
    return err;
}

/* Going on. ------------------------------------------------------------------------------------ */

static bool comes_before(const struct standing *a, const struct standing *b)
{
    uint64_t x = a->messages[a->at].receive_ns, y = b->messages[b->at].receive_ns;
    if (x != y)
        return x < y;
    return a->log != b->log ? a->log < b->log : a->block < b->block;
}

static unsigned first_standing(const struct play_blocks *b)
{
    unsigned first = 0;
    for (unsigned i = 1; i < b->standing_count; i++)
        if (comes_before(b->standing[i], b->standing[first]))
            first = i;
    return first;
}

int play_blocks_next(struct play_blocks *b, struct play_item *ret_item)
{
    for (; b->waiting_at < b->waiting_count; b->waiting_at++) {
        const struct waiting *w = &b->waiting[b->waiting_at];
        const struct sl_log_block *block = &b->options.logs[w->log]->blocks[w->block];
        if (ends_before(b, block) || block->message_count == 0)
            continue;
        if (b->standing_count > 0) {
            const struct standing *s = b->standing[first_standing(b)];
            if (s->messages[s->at].receive_ns < w->first_ns)
                break;
        }
        int err = load(b, w);
        if (err < 0)
            return err;
    }
    if (b->standing_count == 0)
        return 0;
    struct standing *s = b->standing[first_standing(b)];
    *ret_item = (struct play_item){
        .log = s->log,
        .message = s->messages[s->at],
        .loan = &s->loan,
        .used_bytes = &s->used_bytes,
    };
    return 1;
}

void play_blocks_pass(struct play_blocks *b)
{
    unsigned first = first_standing(b);
    if (++b->standing[first]->at == b->standing[first]->count)
        put_away(b, first);
}
