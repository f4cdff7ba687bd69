/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/play_blocks.h"

#include "core/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A block that stands in a slot, or is to be read into it. */
struct standing {
    struct play_part part;
    struct sl_log_place from;
    struct sl_loan loan;
    uint32_t at; /* the next of its messages */
    size_t used_bytes;
    bool is_ready; /* the publishing thread has seen that it was read, and has found messages in it
                    */
};

struct play_blocks {
    struct play_blocks_options options;
    struct sl_log_place *waiting; /* blocks whose time has not come, in order */
    size_t waiting_count, waiting_at;
    struct standing **standing; /* few: looked through for the first */
    unsigned standing_count;
    bool has_no_slot; /* to read ahead; until one is put away */
    uint64_t damaged;
    char damage[PLAY_REASON_BYTES]; /* of the first one */
    struct play_reader *reader;
};

static bool ends_before(const struct play_blocks *b, const struct sl_log_block *block)
{
    return block->last_ns < b->options.reading.first_ns ||
           (b->options.reading.last_ns && block->first_ns > b->options.reading.last_ns);
}

/* Life. ---------------------------------------------------------------------------------------- */

int play_blocks_create(const struct play_blocks_options *options, struct play_blocks **ret_blocks)
{
    struct play_blocks *b = calloc(1, sizeof *b);
    const struct sl_log_set *set = options->reading.set;
    size_t count = 0, at = 0;
    for (unsigned l = 0; l < set->count; l++)
        count += set->logs[l]->block_count;
    if (b) {
        b->options = *options;
        b->waiting = calloc(count + 1, sizeof *b->waiting);
        b->standing = calloc(options->slots + 1, sizeof(struct standing *));
    }
    if (!b || !b->waiting || !b->standing) {
        play_blocks_destroy(b);
        return sl_error(-ENOMEM, "no memory for the index of a log");
    }
    int err = play_reader_create(&options->reading, &b->reader);
    if (err < 0) {
        play_blocks_destroy(b);
        return err;
    }
    for (uint32_t l = 0; l < set->count; l++)
        for (uint32_t i = 0; i < set->logs[l]->block_count; i++)
            b->waiting[at++] = (struct sl_log_place){set->logs[l]->blocks[i].first_ns, l, i};
    b->waiting_count = count;
    qsort(b->waiting, count, sizeof *b->waiting, sl_log_compare_places);
    *ret_blocks = b;
    return 0;
}

static void put_away(struct play_blocks *b, unsigned index)
{
    struct standing *s = b->standing[index];
    sl_publisher_discard(b->options.publisher, &s->loan);
    free(s->part.messages);
    free(s);
    b->standing[index] = b->standing[--b->standing_count];
    b->has_no_slot = false;
}

void play_blocks_rewind(struct play_blocks *b, uint64_t first_ns)
{
    play_reader_call_off(b->reader, first_ns);
    while (b->standing_count > 0)
        put_away(b, 0);
    b->waiting_at = 0;
    b->options.reading.first_ns = first_ns;
}

void play_blocks_destroy(struct play_blocks *b)
{
    if (!b)
        return;
    play_reader_destroy(b->reader);
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
static const struct sl_log_place *next_waiting(struct play_blocks *b)
{
    for (; b->waiting_at < b->waiting_count; b->waiting_at++) {
        const struct sl_log_place *w = &b->waiting[b->waiting_at];
        const struct sl_log_block *block = &b->options.reading.set->logs[w->log]->blocks[w->block];
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
    s->part = (struct play_part){.log = s->from.log, .block = s->from.block, .slot = s->loan.data};
    play_reader_ask(b->reader, &s->part);
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

static struct sl_log_place next_of(const struct standing *s)
{
    return (struct sl_log_place){s->part.messages[s->at].receive_ns, s->from.log, s->from.block};
}

static bool comes_before(const struct standing *a, const struct standing *b)
{
    const struct sl_log_place x = next_of(a), y = next_of(b);
    return sl_log_compare_places(&x, &y) < 0;
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
    return !ready || first_ns <= ready->part.messages[ready->at].receive_ns;
}

/* It was read. One without a wanted message goes at once. */
static int accept(struct play_blocks *b, unsigned index)
{
    struct standing *s = b->standing[index];
    if (s->part.is_damaged && b->damaged++ == 0)
        snprintf(b->damage, sizeof b->damage, "%s", s->part.reason);
    if (s->part.err < 0)
        return sl_error(s->part.err, "%s", s->part.reason);
    s->used_bytes = (s->part.end + 7) / 8 * 8;
    s->is_ready = s->part.count > 0;
    if (!s->is_ready)
        put_away(b, index);
    return 0;
}

/* Wait for one that must be there before `ready` may be the next: 1; 0: there is none. */
static int await(struct play_blocks *b, const struct standing *ready)
{
    for (unsigned i = 0; i < b->standing_count; i++) {
        struct standing *s = b->standing[i];
        if (s->is_ready || !may_come_before(s->from.time_ns, ready))
            continue;
        play_reader_wait(b->reader, &s->part);
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
        const struct sl_log_place *w = err == 0 ? next_waiting(b) : NULL;
        if (err == 0 && !(w && may_come_before(w->time_ns, ready)))
            break;
        if (w && (err = place_next(b)) < 0)
            return err;
    }
    if (!ready)
        return 0;
    *ret_item = (struct play_item){
        .log = ready->from.log,
        .message = ready->part.messages[ready->at],
        .loan = &ready->loan,
        .used_bytes = &ready->used_bytes,
    };
    return 1;
}

void play_blocks_pass(struct play_blocks *b)
{
    unsigned index;
    struct standing *first = first_ready(b, &index);
    if (++first->at == first->part.count)
        put_away(b, index);
}
