/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/ros1_body.h"

#include "core/base/error.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define GROWTH_MAX        16 /* padding makes no body larger than this many times */
#define GROWTH_FREE_BYTES 65536
#define STRING_SIZE_MIN   4 /* in ROS 1: its length */
#define CUTS_MAX          2 /* lists left in place; more would not fit into the pieces */

struct translation {
    struct sl_reader from;
    struct sl_buffer *to;
    size_t begin;    /* of the buffer: where what is made starts */
    size_t members;  /* the same, behind the encapsulation: alignment counts from there */
    size_t in_place; /* bytes that were left where they are, so far */
    size_t cut_at;   /* end of the buffer at the last cut */
    size_t least_bytes;
    unsigned cuts_left;
    bool drops_numbers; /* of headers */
    unsigned in_list;   /* lists of messages around: nothing is left in place there */
    struct sl_cdr_pieces pieces;
};

/* Types. --------------------------------------------------------------------------------------- */

/* A type without members is nothing in ROS 1, and a byte in CDR. */
static bool is_empty(const struct sl_schema *schema)
{
    return schema->member_count == 1 &&
           strcmp(schema->members[0].name, "structure_needs_at_least_one_member") == 0;
}

static bool has_number(const struct sl_schema *schema)
{
    return schema->member_count == 3 && strcmp(schema->members[0].name, "seq") == 0 &&
           strcmp(schema->name, "std_msgs/Header") == 0;
}

static bool is_integer(enum sl_kind kind)
{
    return kind <= SL_KIND_I64;
}

static bool is_same_type(const struct sl_schema *ros1, const struct sl_schema *ros2);

static bool is_same_member(const struct sl_member *ros1, const struct sl_member *ros2)
{
    if (strcasecmp(ros1->name, ros2->name) != 0 || ros1->shape != ros2->shape ||
        ros1->count != ros2->count)
        return false;
    if (ros1->kind == SL_KIND_MESSAGE || ros2->kind == SL_KIND_MESSAGE)
        return ros1->kind == ros2->kind && is_same_type(ros1->type, ros2->type);
    bool are_integers = is_integer(ros1->kind) && is_integer(ros2->kind);
    return ros1->kind == ros2->kind ||
           (are_integers && sl_kind_size(ros1->kind) == sl_kind_size(ros2->kind));
}

/* Depth is bounded: both are schemas. */
static bool is_same_type(const struct sl_schema *ros1, const struct sl_schema *ros2)
{
    unsigned skipped = has_number(ros1) ? 1 : 0;
    if (ros1 == ros2) /* the log does not define it, and ours was taken: it may have been another */
        return false;
    if (ros1->member_count - skipped != ros2->member_count)
        return false;
    for (unsigned i = 0; i < ros2->member_count; i++)
        if (!is_same_member(&ros1->members[i + skipped], &ros2->members[i]))
            return false;
    return true;
}

const struct sl_schema *sl_ros1_became(const char *type, const struct sl_schema *ros1)
{
    const struct sl_schema *ros2 =
        sl_schema_find(strcmp(type, "tf/tfMessage") == 0 ? "tf2_msgs/msg/TFMessage" : type);
    return ros2 && is_same_type(ros1, ros2) ? ros2 : NULL;
}

/* Bodies. -------------------------------------------------------------------------------------- */

static void pad(struct translation *t, size_t alignment)
{
    while (!t->to->failed && (t->to->size_bytes - t->members + t->in_place) % alignment)
        sl_buffer_u8(t->to, 0);
}

static void put_u32(struct translation *t, uint32_t value)
{
    pad(t, 4);
    sl_buffer_le32(t->to, value);
}

static void add_piece(struct translation *t, bool in_place, size_t offset, size_t size)
{
    if (size > 0 && t->pieces.count < SL_CDR_PIECES_MAX)
        t->pieces.piece[t->pieces.count++] = (struct sl_cdr_piece){in_place, offset, size};
}

/* What was made since the last cut. */
static void end_piece(struct translation *t)
{
    add_piece(t, false, t->cut_at - t->begin, t->to->size_bytes - t->cut_at);
    t->cut_at = t->to->size_bytes;
}

static void leave_in_place(struct translation *t, const uint8_t *values, size_t size)
{
    end_piece(t);
    add_piece(t, true, (size_t)(values - t->from.start), size);
    t->in_place += size;
    t->cuts_left--;
}

static void copy_numbers(struct translation *t, size_t size, size_t count)
{
    const uint8_t *values = sl_reader_take(&t->from, count * size);
    pad(t, count > 0 ? size : 1);
    if (!values || t->to->failed)
        return;
    if (t->cuts_left > 0 && t->in_list == 0 && count * size >= t->least_bytes)
        leave_in_place(t, values, count * size);
    else
        sl_buffer_put(t->to, values, count * size);
}

static void copy_text(struct translation *t)
{
    uint32_t size = sl_reader_le32(&t->from);
    const uint8_t *text = sl_reader_take(&t->from, size);
    put_u32(t, size + 1);
    sl_buffer_put(t->to, text, text ? size : 0);
    sl_buffer_u8(t->to, 0);
}

static void copy_message(struct translation *t, const struct sl_schema *schema);

static void copy_values(struct translation *t, const struct sl_member *member, uint32_t count)
{
    size_t size = sl_kind_size(member->kind);
    if (size > 0) {
        copy_numbers(t, size, count);
        return;
    }
    bool is_list = member->shape != SL_SHAPE_ONE;
    t->in_list += is_list;
    for (uint32_t i = 0; i < count && !t->from.failed && !t->to->failed; i++) {
        if (member->kind == SL_KIND_STRING)
            copy_text(t);
        else
            copy_message(t, member->type);
    }
    t->in_list -= is_list;
}

/* Every element takes a byte at least, or the count cannot be true; those of empty types are as few
 * as any other message has bytes. */
static uint32_t list_count(struct sl_reader *r, const struct sl_member *member)
{
    if (member->shape == SL_SHAPE_ONE)
        return 1;
    uint32_t count = member->shape == SL_SHAPE_ARRAY ? member->count : sl_reader_le32(r);
    size_t least = sl_kind_size(member->kind);
    if (least == 0)
        least = member->kind == SL_KIND_STRING ? STRING_SIZE_MIN : 1;
    bool is_bounded = member->shape == SL_SHAPE_SEQUENCE && member->count > 0;
    if (count > sl_reader_left(r) / least || (is_bounded && count > member->count))
        r->failed = true;
    return r->failed ? 0 : count;
}

static void copy_message(struct translation *t, const struct sl_schema *schema)
{
    /* lists of empty types in lists of empty types: many, and made of nothing */
    if (t->to->size_bytes - t->begin >
        GROWTH_MAX * (size_t)(t->from.end - t->from.start) + GROWTH_FREE_BYTES)
        t->from.failed = true;
    if (is_empty(schema)) {
        sl_buffer_u8(t->to, 0);
        return;
    }
    unsigned first = 0;
    if (t->drops_numbers && has_number(schema)) {
        sl_reader_skip(&t->from, 4);
        first = 1;
    }
    for (unsigned i = first; i < schema->member_count && !t->from.failed && !t->to->failed; i++) {
        const struct sl_member *member = &schema->members[i];
        uint32_t count = list_count(&t->from, member);
        if (member->shape == SL_SHAPE_SEQUENCE)
            put_u32(t, count);
        copy_values(t, member, count);
    }
}

static int translate(struct translation *t, const struct sl_schema *schema, const void *body,
                     size_t size_bytes, struct sl_buffer *to)
{
    static const uint8_t encapsulation[4] = {0, 1, 0, 0};
    t->from = sl_reader(body, size_bytes);
    t->to = to;
    t->begin = t->cut_at = to->size_bytes;
    sl_buffer_put(to, encapsulation, sizeof encapsulation);
    t->members = to->size_bytes;
    copy_message(t, schema);
    if (to->failed)
        return sl_error(-ENOMEM, "no memory for a message");
    if (t->from.failed)
        return sl_error(-EBADMSG, "a body of %zu bytes is no %s", size_bytes, schema->name);
    t->pieces.size_bytes = to->size_bytes - t->begin + t->in_place;
    return 0;
}

int sl_ros1_to_cdr(const struct sl_schema *ros1, const void *body, size_t size_bytes,
                   size_t least_bytes, struct sl_buffer *own, struct sl_cdr_pieces *ret_pieces)
{
    size_t begin = own->size_bytes;
    for (unsigned cuts = CUTS_MAX;; cuts--) {
        struct translation t = {
            .least_bytes = least_bytes, .cuts_left = cuts, .drops_numbers = true};
        int err = translate(&t, ros1, body, size_bytes, own);
        if (err < 0)
            return err;
        bool has_room = t.pieces.count < SL_CDR_PIECES_MAX || t.cut_at == own->size_bytes;
        if (has_room) {
            end_piece(&t);
            *ret_pieces = t.pieces;
            return 0;
        }
        own->size_bytes = begin; /* something stands behind the last list: leave fewer in place */
    }
}

int sl_definition_to_cdr(const struct sl_schema *schema, const void *body, size_t size_bytes,
                         struct sl_buffer *to)
{
    struct translation t = {0};
    return translate(&t, schema, body, size_bytes, to);
}
