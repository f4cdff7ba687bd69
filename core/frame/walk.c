/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/walk.h"

#include "core/base/error.h"
#include "core/frame/place.h"

#include <errno.h>

/* What the smallest element of a list takes: bounds a count that cannot be true. */
#define STRING_SIZE_MIN  4
#define MESSAGE_SIZE_MIN 1

struct walk {
    struct sl_cdr_reader r;
    const struct sl_visitor *visitor; /* NULL while nothing is to be shown */
    const struct sl_schema *root;
    const struct sl_place *place;
    unsigned depth;
    size_t size;
};

static bool walk_message(struct walk *w, const struct sl_schema *schema, struct sl_visit visit);

static void show(struct walk *w, struct sl_visit visit, enum sl_visit_what what)
{
    if (!w->visitor)
        return;
    visit.what = what;
    visit.depth = w->depth;
    w->visitor->visit(w->visitor->state, &visit);
}

static bool broken(const struct walk *w)
{
    char place[SL_PLACE_TEXT_SIZE];
    sl_error(-EBADMSG, "%s: %s is broken at byte %zu of a body of %zu", w->root->name,
             sl_place_text(w->place, place), SL_CDR_HEADER_SIZE + sl_reader_offset(&w->r.bytes),
             w->size);
    return false;
}

static bool walk_value(struct walk *w, struct sl_visit visit)
{
    struct sl_cdr_reader *r = &w->r;
    switch (visit.member->kind) {
    case SL_KIND_BOOL:
        visit.number_u = sl_cdr_u8(r) != 0;
        break;
    case SL_KIND_U8:
        visit.number_u = sl_cdr_u8(r);
        break;
    case SL_KIND_I8:
        visit.number_i = (int8_t)sl_cdr_u8(r);
        break;
    case SL_KIND_U16:
        visit.number_u = sl_cdr_u16(r);
        break;
    case SL_KIND_I16:
        visit.number_i = (int16_t)sl_cdr_u16(r);
        break;
    case SL_KIND_U32:
        visit.number_u = sl_cdr_u32(r);
        break;
    case SL_KIND_I32:
        visit.number_i = (int32_t)sl_cdr_u32(r);
        break;
    case SL_KIND_U64:
        visit.number_u = sl_cdr_u64(r);
        break;
    case SL_KIND_I64:
        visit.number_i = (int64_t)sl_cdr_u64(r);
        break;
    case SL_KIND_F32:
        visit.real = sl_cdr_f32(r);
        break;
    case SL_KIND_F64:
        visit.real = sl_cdr_f64(r);
        break;
    case SL_KIND_STRING:
        visit.text = sl_cdr_text(r);
        break;
    case SL_KIND_MESSAGE:
        return walk_message(w, visit.member->type, visit);
    }
    if (r->bytes.failed)
        return broken(w);
    show(w, visit, SL_VISIT_VALUE);
    return true;
}

/* Numbers need no look: they are passed over in one step. */
static bool skip_numbers(struct walk *w, enum sl_kind kind, uint32_t count)
{
    size_t size = sl_kind_size(kind);
    sl_cdr_align(&w->r, size);
    return sl_reader_skip(&w->r.bytes, count * size) || broken(w);
}

static uint32_t list_count(struct walk *w, const struct sl_member *member)
{
    if (member->shape == SL_SHAPE_ARRAY)
        return member->count;
    size_t element = sl_kind_size(member->kind);
    if (element == 0)
        element = member->kind == SL_KIND_STRING ? STRING_SIZE_MIN : MESSAGE_SIZE_MIN;
    uint32_t count = sl_cdr_count(&w->r, element);
    if (member->count > 0 && count > member->count)
        w->r.bytes.failed = true;
    return count;
}

static bool walk_elements(struct walk *w, struct sl_place *place, const struct sl_visit *list)
{
    const struct sl_member *member = list->member;
    struct sl_visit visit = {.member = member, .in_list = true};
    for (uint32_t i = 0; i < list->count; i++) {
        if (i == list->shown) {
            w->visitor = NULL;
            if (sl_kind_size(member->kind) > 0)
                return skip_numbers(w, member->kind, list->count - i);
        }
        place->index = i;
        visit.index = i;
        if (!walk_value(w, visit))
            return false;
    }
    return true;
}

static bool walk_list(struct walk *w, struct sl_place *place, const struct sl_member *member)
{
    const struct sl_visitor *visitor = w->visitor;
    struct sl_visit list = {.member = member, .count = list_count(w, member)};
    if (w->r.bytes.failed)
        return broken(w);
    uint32_t list_max = visitor ? visitor->list_max : 0;
    list.shown = list.count < list_max ? list.count : list_max;
    show(w, list, SL_VISIT_LIST_BEGIN);
    bool whole = walk_elements(w, place, &list);
    w->visitor = visitor;
    if (whole)
        show(w, list, SL_VISIT_LIST_END);
    return whole;
}

static bool walk_member(struct walk *w, const struct sl_member *member)
{
    struct sl_place place = {w->place, member->name, SL_PLACE_NO_INDEX};
    w->place = &place;
    bool whole = member->shape == SL_SHAPE_ONE ? walk_value(w, (struct sl_visit){.member = member})
                                               : walk_list(w, &place, member);
    w->place = place.outer;
    return whole;
}

static bool walk_message(struct walk *w, const struct sl_schema *schema, struct sl_visit visit)
{
    show(w, visit, SL_VISIT_MESSAGE_BEGIN);
    w->depth++;
    for (unsigned i = 0; i < schema->member_count; i++)
        if (!walk_member(w, &schema->members[i]))
            return false;
    w->depth--;
    show(w, visit, SL_VISIT_MESSAGE_END);
    return true;
}

int sl_message_walk(const struct sl_schema *schema, const void *body, size_t size,
                    const struct sl_visitor *visitor, size_t *ret_used)
{
    struct walk w = {.visitor = visitor, .root = schema, .size = size};
    int err = sl_cdr_read(body, size, &w.r);
    if (err < 0)
        return sl_error_at(err, "%s", schema->name);
    if (!walk_message(&w, schema, (struct sl_visit){0}))
        return -EBADMSG;
    if (ret_used)
        *ret_used = SL_CDR_HEADER_SIZE + sl_reader_offset(&w.r.bytes);
    return 0;
}
