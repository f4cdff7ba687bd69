/* SPDX-License-Identifier: Apache-2.0 */
/* definition.c - a message's definition, and behind the first 0 a body of it, as ROS 1 and as CDR.
 */
#include "rosbag_compat/definition.h"
#include "core/frame/walk.h"
#include "rosbag_compat/ros1_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* In pieces it is the same body as in one. */
static void compare_pieces(const struct sl_schema *schema, const uint8_t *body, size_t size)
{
    struct sl_buffer whole = {0}, own = {0}, joined = {0};
    struct sl_cdr_pieces pieces;
    int one = sl_ros1_to_cdr(schema, body, size, SIZE_MAX, &whole, &pieces);
    if (sl_ros1_to_cdr(schema, body, size, 4, &own, &pieces) != one)
        abort();
    for (unsigned i = 0; one == 0 && i < pieces.count; i++) {
        const struct sl_cdr_piece *piece = &pieces.piece[i];
        sl_buffer_put(&joined, (piece->in_place ? body : own.bytes) + piece->offset,
                      piece->size_bytes);
    }
    if (one == 0 && (joined.size_bytes != whole.size_bytes ||
                     memcmp(joined.bytes, whole.bytes, whole.size_bytes) != 0))
        abort();
    sl_buffer_finish(&whole);
    sl_buffer_finish(&own);
    sl_buffer_finish(&joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const uint8_t *zero = size_bytes ? memchr(bytes, 0, size_bytes) : NULL;
    size_t text_size = zero ? (size_t)(zero - bytes) : size_bytes;
    const uint8_t *body = zero ? zero + 1 : bytes + size_bytes;
    size_t body_size = size_bytes - text_size - (zero ? 1 : 0);
    struct sl_definition *definition;
    struct sl_buffer cdr = {0};
    if (sl_definition_parse("p/T", (const char *)bytes, text_size, &definition) < 0)
        return 0;
    const struct sl_schema *schema = sl_definition_schema(definition);
    sl_message_walk(schema, body, body_size, NULL, NULL);
    /* what was made of a ROS 1 body is a CDR body, whatever it holds */
    if (sl_definition_to_cdr(schema, body, body_size, &cdr) == 0 &&
        sl_message_walk(schema, cdr.bytes, cdr.size_bytes, NULL, NULL) < 0)
        abort();
    compare_pieces(schema, body, body_size);
    sl_buffer_finish(&cdr);
    sl_definition_destroy(definition);
    return 0;
}
