/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h - going through a body by its schema, member after member.
 *
 * Life:    a walk is one call; nothing is kept or allocated.
 * Owner:   body, schema and visitor are the caller's; texts that a visit shows point into the body.
 * Threads: any; a walk runs in its caller.
 * Errors:  -EBADMSG with a sentence that names the member and the byte.
 */
#ifndef SL_FRAME_WALK_H
#define SL_FRAME_WALK_H

#include "core/frame/cdr.h"
#include "core/frame/schema.h"

enum sl_visit_what {
    SL_VISIT_VALUE,         /* a number, bool or string */
    SL_VISIT_MESSAGE_BEGIN, /* its members follow */
    SL_VISIT_MESSAGE_END,
    SL_VISIT_LIST_BEGIN, /* an array or a sequence; its first elements follow */
    SL_VISIT_LIST_END,
};

struct sl_visit {
    enum sl_visit_what what;
    const struct sl_member *member; /* NULL: the body's own message */
    unsigned depth;                 /* messages around it; a member of the body's message has 1 */
    bool in_list;                   /* it is an element; `index` says which */
    uint32_t index;
    uint32_t count;          /* of a list: elements there are */
    uint32_t shown;          /* of a list: those that are visited */
    union {                  /* of a value, by member->kind */
        uint64_t number_u;   /* BOOL (0, 1), U8, U16, U32, U64 */
        int64_t number_i;    /* I8, I16, I32, I64 */
        double real;         /* F32, F64 */
        struct sl_text text; /* STRING */
    };
};

struct sl_visitor {
    void (*visit)(void *state, const struct sl_visit *visit);
    void *state;
    /* Elements of each list that are visited; the others are checked and passed over (numbers at
     * no cost). UINT32_MAX: all. */
    uint32_t list_max;
};

/* Walk through a body. `visitor` NULL only checks that the body is such a message. What follows the
 * last member is not looked at; `ret_used` (or NULL) tells where that is. A broken body is visited
 * up to the member that is broken. */
int sl_message_walk(const struct sl_schema *schema, const void *body, size_t size,
                    const struct sl_visitor *visitor, size_t *ret_used);

#endif
