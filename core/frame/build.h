/* SPDX-License-Identifier: Apache-2.0 */
/* build.h - a body made from a tree of named values, wherever the tree comes from (a YAML file, a
 * command line).
 *
 * Life:    one call; nothing is kept or allocated.
 * Owner:   tree and room are the caller's; texts must stay until the next call of the same source.
 * Threads: any; a build runs in its caller.
 * Errors:  each with a sentence that names the member:
 *          -ENOENT  "linear_acceleration.w: geometry_msgs/msg/Vector3 has no such member; it has
 *                   x, y, z"
 *          -ERANGE  a number that the member cannot hold
 *          -EINVAL  a value of another shape (text for a number, 3 elements for 9, a member twice)
 *          -ENOSPC  the body does not fit into the room
 */
#ifndef SL_FRAME_BUILD_H
#define SL_FRAME_BUILD_H

#include "core/frame/cdr.h"
#include "core/frame/schema.h"

enum sl_value_shape {
    SL_VALUE_NULL, /* nothing was given: as if it were absent */
    SL_VALUE_SCALAR,
    SL_VALUE_LIST,
    SL_VALUE_MAP,
};

/* A tree of values. Nodes are pointers that only the source understands. */
struct sl_value_source {
    enum sl_value_shape (*shape)(void *state, const void *node);
    /* A scalar's text, as written: "1.5", "true", "velodyne". */
    struct sl_text (*text)(void *state, const void *node);
    /* The next element of a list or value of a map, with the latter's key; NULL after the last.
     * `*cursor` is NULL before the first and the source's own from then on. */
    const void *(*next)(void *state, const void *node, void **cursor, struct sl_text *ret_key);
    void *state;
    const void *root; /* a map, or NULL for a message of zeros */
    /* Stands for the word `now` where a stamp is expected, and for `auto` where a header is (its
     * stamp is now, its frame_id empty). Negative: the words are errors. */
    int64_t now_ns;
};

/* Write the body of a message at `to`. Members that are absent are zero, empty or false. A string
 * takes any scalar as it is written; a bool true or false (yes, no, on, off, 1, 0); whole numbers
 * are decimal or 0x...; reals besides .nan, .inf, -.inf, and NaN, Infinity, -Infinity. */
int sl_message_build(const struct sl_schema *schema, const struct sl_value_source *source, void *to,
                     size_t room, size_t *ret_size);

#endif
