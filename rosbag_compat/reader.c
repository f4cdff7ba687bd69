/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/reader.h"

#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A block whose time has come: its messages in order, and its bytes unless they were let go. */
struct active {
    uint32_t log, block;
    struct sl_log_message *messages;
    uint32_t count, at;
    uint8_t *bytes;
    size_t size_bytes, room_bytes;
};

struct damage {
    uint64_t count;
    char first[160];
};

struct sl_log_reader {
    struct sl_log *const *logs;
    struct sl_log_reader_options options;
    bool **wanted; /* by log and topic */
    unsigned log_count;
    struct sl_log_place *waiting; /* blocks whose time has not come */
    size_t waiting_count, waiting_at;
    struct active **heap; /* the next message's is the first */
    size_t heap_count, heap_room;
    uint64_t loaded_bytes;
    void *body; /* of a decompressed message */
    size_t body_room;
    struct damage blocks, bodies;
};

static int no_memory(void)
{
    return sl_error(-ENOMEM, "no memory to read a log");
}

static void note(struct damage *damage)
{
    if (damage->count++ == 0)
        snprintf(damage->first, sizeof damage->first, "%s", sl_error_text());
}

/* The heap --------------------------------------------------------------------------------------*/

static struct sl_log_place next_of(const struct active *a)
{
    return (struct sl_log_place){a->messages[a->at].receive_ns, a->log, a->block};
}

static bool comes_before(const struct active *a, const struct active *b)
{
    const struct sl_log_place x = next_of(a), y = next_of(b);
    return sl_log_compare_places(&x, &y) < 0;
}

static void swap(struct sl_log_reader *r, size_t a, size_t b)
{
    struct active *kept = r->heap[a];
    r->heap[a] = r->heap[b];
    r->heap[b] = kept;
}

static void sink_first(struct sl_log_reader *r)
{
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < r->heap_count; child++)
            if (comes_before(r->heap[child], r->heap[least]))
                least = child;
        if (least == i)
            return;
        swap(r, i, least);
        i = least;
    }
}

static int push(struct sl_log_reader *r, struct active *active)
{
    if (r->heap_count == r->heap_room) {
        size_t room = r->heap_room ? 2 * r->heap_room : 16;
        struct active **fresh = realloc(r->heap, room * sizeof *fresh);
        if (!fresh)
            return no_memory();
        r->heap = fresh;
        r->heap_room = room;
    }
    r->heap[r->heap_count] = active;
    for (size_t i = r->heap_count++; i > 0 && comes_before(r->heap[i], r->heap[(i - 1) / 2]);
         i = (i - 1) / 2)
        swap(r, i, (i - 1) / 2);
    return 0;
}

/* Blocks ----------------------------------------------------------------------------------------*/

static void let_go(struct sl_log_reader *r, struct active *active)
{
    r->loaded_bytes -= active->room_bytes;
    free(active->bytes);
    active->bytes = NULL;
    active->room_bytes = 0;
}

static void free_active(struct sl_log_reader *r, struct active *active)
{
    let_go(r, active);
    free(active->messages);
    free(active);
}

static int load(struct sl_log_reader *r, struct active *active)
{
    struct sl_log *log = r->logs[active->log];
    size_t room = (size_t)log->blocks[active->block].size_bytes;
    active->bytes = malloc(room ? room : 1);
    if (!active->bytes)
        return no_memory();
    active->room_bytes = room;
    r->loaded_bytes += room;
    return sl_log_load(log, active->block, active->bytes, &active->size_bytes);
}

/* Others give way, the one whose turn is last first. */
static void make_room(struct sl_log_reader *r, const struct active *in_use)
{
    for (size_t i = r->heap_count; i-- > 0 && r->loaded_bytes > r->options.memory_bytes;)
        if (r->heap[i] != in_use && r->heap[i]->bytes)
            let_go(r, r->heap[i]);
}

static bool is_wanted(const struct sl_log_reader *r, uint32_t log, const struct sl_log_message *m)
{
    return r->wanted[log][m->topic] && m->receive_ns >= r->options.first_ns &&
           m->receive_ns <= r->options.last_ns;
}

static int add_message(struct active *active, uint32_t *room, const struct sl_log_message *m)
{
    if (active->count == *room) {
        uint32_t more = *room ? 2 * *room : 16;
        struct sl_log_message *fresh = realloc(active->messages, more * sizeof *fresh);
        if (!fresh)
            return no_memory();
        active->messages = fresh;
        *room = more;
    }
    active->messages[active->count++] = *m;
    return 0;
}

static int list_messages(struct sl_log_reader *r, struct active *active)
{
    struct sl_log_message m;
    size_t at = 0;
    uint32_t room = 0;
    int result;
    bool is_sorted = true;
    while ((result = sl_log_walk(r->logs[active->log], active->block, active->bytes,
                                 active->size_bytes, &at, &m)) == 1) {
        if (!is_wanted(r, active->log, &m))
            continue;
        if (active->count > 0 && m.receive_ns < active->messages[active->count - 1].receive_ns)
            is_sorted = false;
        int err = add_message(active, &room, &m);
        if (err)
            return err;
    }
    if (!is_sorted)
        qsort(active->messages, active->count, sizeof m, sl_log_compare_messages);
    return result;
}

static int activate(struct sl_log_reader *r, const struct sl_log_place *w)
{
    struct active *active = calloc(1, sizeof *active);
    if (!active)
        return no_memory();
    active->log = w->log;
    active->block = w->block;
    int err = load(r, active);
    bool is_bad = err == -EBADMSG && r->options.takes_damaged;
    if (is_bad)
        note(&r->blocks);
    if (!err || is_bad)
        err = list_messages(r, active);
    if (err == -EBADMSG && r->options.takes_damaged) {
        if (!is_bad)
            note(&r->blocks);
        err = 0;
    }
    if (err || active->count == 0) {
        free_active(r, active);
        return err;
    }
    err = push(r, active);
    if (err)
        free_active(r, active);
    else
        make_room(r, active);
    return err;
}

/* Everything whose first message may be the next. */
static int activate_due(struct sl_log_reader *r)
{
    while (r->waiting_at < r->waiting_count) {
        const struct sl_log_place *w = &r->waiting[r->waiting_at];
        const struct active *first = r->heap_count > 0 ? r->heap[0] : NULL;
        if (first && w->time_ns > first->messages[first->at].receive_ns)
            return 0;
        r->waiting_at++;
        int err = activate(r, w);
        if (err)
            return err;
    }
    return 0;
}

/* Messages --------------------------------------------------------------------------------------*/

static int give_body(struct sl_log_reader *r, const struct active *active, struct sl_log_item *item)
{
    const struct sl_log *log = r->logs[active->log];
    const struct sl_log_message *m = &item->message;
    item->body = active->bytes + m->offset;
    item->body_bytes = m->size_bytes;
    if (log->body_compression == SL_COMPRESSION_NONE || r->options.keeps_compressed)
        return 0;
    size_t size;
    int err = sl_log_decompress_body(log, m, item->body, &r->body, &r->body_room, &size);
    if (err)
        return err;
    item->body = r->body;
    item->body_bytes = size;
    return 0;
}

/* The first message of the heap is the one that was given: the next takes its place. */
static void pass(struct sl_log_reader *r)
{
    struct active *first = r->heap[0];
    if (++first->at == first->count) {
        r->heap[0] = r->heap[--r->heap_count];
        free_active(r, first);
    }
    sink_first(r);
}

static int give(struct sl_log_reader *r, struct sl_log_item *ret_item)
{
    struct active *active = r->heap[0];
    int err = 0;
    if (!active->bytes) {
        err = load(r, active);
        if (err == -EBADMSG && r->options.takes_damaged)
            err = 0; /* noted when it was read first */
        make_room(r, active);
    }
    struct sl_log_item item = {.log = active->log, .message = active->messages[active->at]};
    if (!err)
        err = give_body(r, active, &item);
    if (!err)
        *ret_item = item;
    return err;
}

int sl_log_reader_next(struct sl_log_reader *r, struct sl_log_item *ret_item)
{
    for (;;) {
        /* what was given before is passed over only now: its body had to stay */
        if (r->heap_count > 0 && r->heap[0]->at < r->heap[0]->count &&
            r->heap[0]->messages[r->heap[0]->at].topic == SL_LOG_NO_TOPIC)
            pass(r);
        int err = activate_due(r);
        if (err)
            return err;
        if (r->heap_count == 0)
            return 0;
        err = give(r, ret_item);
        struct active *first = r->heap[0];
        first->messages[first->at].topic = SL_LOG_NO_TOPIC;
        if (!err)
            return 1;
        if (err != -EBADMSG || !r->options.takes_damaged)
            return err;
        note(&r->bodies);
    }
}

uint64_t sl_log_reader_damage(const struct sl_log_reader *r, const char **ret_reason)
{
    *ret_reason = r->blocks.first;
    return r->blocks.count;
}

uint64_t sl_log_reader_left_out(const struct sl_log_reader *r, const char **ret_reason)
{
    *ret_reason = r->bodies.first;
    return r->bodies.count;
}

/* Opening ---------------------------------------------------------------------------------------*/

/* A small file cannot ask for much by blocks that become large, all at the same time. */
static uint64_t usual_memory(const struct sl_log_reader *r)
{
    uint64_t stored = 0;
    for (unsigned i = 0; i < r->log_count; i++)
        for (uint32_t b = 0; b < r->logs[i]->block_count; b++) {
            const struct sl_log_block *block = &r->logs[i]->blocks[b];
            stored += block->compression ? block->stored_bytes : block->size_bytes;
        }
    uint64_t max = sl_decompressed_max(SL_COMPRESSION_ZSTD, stored);
    return max < SL_LOG_READER_MEMORY_BYTES ? max : SL_LOG_READER_MEMORY_BYTES;
}

static int list_blocks(struct sl_log_reader *r)
{
    size_t count = 0;
    for (unsigned i = 0; i < r->log_count; i++)
        count += r->logs[i]->block_count;
    r->waiting = calloc(count + 1, sizeof *r->waiting);
    if (!r->waiting)
        return no_memory();
    for (uint32_t i = 0; i < r->log_count; i++) {
        for (uint32_t b = 0; b < r->logs[i]->block_count; b++) {
            const struct sl_log_block *block = &r->logs[i]->blocks[b];
            if (block->message_count > 0 && block->first_ns <= r->options.last_ns &&
                block->last_ns >= r->options.first_ns)
                r->waiting[r->waiting_count++] = (struct sl_log_place){block->first_ns, i, b};
        }
    }
    qsort(r->waiting, r->waiting_count, sizeof *r->waiting, sl_log_compare_places);
    return 0;
}

static int list_wanted(struct sl_log_reader *r)
{
    r->wanted = calloc(r->log_count + 1, sizeof *r->wanted);
    if (!r->wanted)
        return no_memory();
    for (unsigned i = 0; i < r->log_count; i++) {
        const struct sl_log *log = r->logs[i];
        r->wanted[i] = calloc(log->topic_count + 1, sizeof **r->wanted);
        if (!r->wanted[i])
            return no_memory();
        for (uint32_t t = 0; t < log->topic_count; t++)
            r->wanted[i][t] =
                !r->options.wants || r->options.wants(r->options.wants_state, &log->topics[t]);
    }
    return 0;
}

int sl_log_reader_create(struct sl_log *const *logs, unsigned count,
                         const struct sl_log_reader_options *options,
                         struct sl_log_reader **ret_reader)
{
    struct sl_log_reader *r = calloc(1, sizeof *r);
    if (!r)
        return no_memory();
    r->logs = logs;
    r->log_count = count;
    r->options = *options;
    if (!r->options.last_ns)
        r->options.last_ns = UINT64_MAX;
    if (!r->options.memory_bytes)
        r->options.memory_bytes = usual_memory(r);
    int err = list_wanted(r);
    if (!err)
        err = list_blocks(r);
    if (err) {
        sl_log_reader_destroy(r);
        return err;
    }
    *ret_reader = r;
    return 0;
}

void sl_log_reader_destroy(struct sl_log_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->heap_count; i++)
        free_active(r, r->heap[i]);
    for (unsigned i = 0; r->wanted && i < r->log_count; i++)
        free(r->wanted[i]);
    free(r->wanted);
    free(r->waiting);
    free(r->heap);
    free(r->body);
    free(r);
}
