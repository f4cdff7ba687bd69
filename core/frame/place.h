/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - where in a message somebody stands, for error sentences: "fields[2].name".
 *
 * Walker and builder are recursive; each level keeps its step on the stack and links it to the one
 * outside. Nothing is formatted until something is wrong. Private to core/frame.
 */
#ifndef SL_FRAME_PLACE_H
#define SL_FRAME_PLACE_H

#include <stdint.h>
#include <stdio.h>

#define SL_PLACE_NO_INDEX  UINT32_MAX
#define SL_PLACE_TEXT_SIZE 256

struct sl_place {
    const struct sl_place *outer; /* NULL: the message itself */
    const char *name;
    uint32_t index; /* in a list, or SL_PLACE_NO_INDEX */
};

static inline size_t sl_place_append(const struct sl_place *place, char *to, size_t at, size_t room)
{
    if (!place)
        return at;
    at = sl_place_append(place->outer, to, at, room);
    int more = snprintf(to + at, room - at, "%s%s", at > 0 ? "." : "", place->name);
    if (more >= 0 && (size_t)more < room - at && place->index != SL_PLACE_NO_INDEX)
        more += snprintf(to + at + more, room - at - (size_t)more, "[%u]", place->index);
    at += more > 0 ? (size_t)more : 0;
    return at < room ? at : room - 1;
}

/* The place as text; "message" for the message itself. Cut if it is longer than the room. */
static inline const char *sl_place_text(const struct sl_place *place, char to[SL_PLACE_TEXT_SIZE])
{
    snprintf(to, SL_PLACE_TEXT_SIZE, "message");
    if (place)
        sl_place_append(place, to, 0, SL_PLACE_TEXT_SIZE);
    return to;
}

#endif
