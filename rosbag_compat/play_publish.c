/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/play_publish.h"

#include "core/base/error.h"
#include "core/frame/image.h"
#include "core/frame/message.h"
#include "core/frame/pointcloud2.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IN_PLACE_BYTES  512 /* shorter lists are made anew with what is around them */
#define SPARE_ALIGNMENT 8
#define SPARE_SHARE     8 /* a part of a log may be so many times what is made around it */
#define SPARE_LEAST     65536
#define DECOMPRESSED    4 /* messages that are compressed by themselves may become so large */

uint64_t play_publish_spare_bytes(const struct play_way *way, uint64_t largest_bytes)
{
    if (way->compression != SL_COMPRESSION_NONE)
        return DECOMPRESSED * largest_bytes;
    return way->ros1 ? SPARE_LEAST + largest_bytes / SPARE_SHARE : 0;
}

void play_publisher_finish(struct play_publisher *p)
{
    sl_buffer_finish(&p->own);
}

/* What it says. -------------------------------------------------------------------------------- */

/* Of those known types that begin with a header, its stamp; else when it was sent. */
static uint64_t stamp_of(const struct play_out *out, const uint8_t *body, uint64_t size,
                         uint64_t sent_ns)
{
    const struct sl_schema *type = out->schema;
    struct sl_cdr_reader r;
    if (!type || type->member_count == 0 || !type->members[0].type ||
        strcmp(type->members[0].type->name, "std_msgs/msg/Header") != 0 ||
        sl_cdr_read(body, size, &r) < 0)
        return sent_ns;
    int64_t stamp_ns = sl_stamp_read(&r);
    return r.bytes.failed || stamp_ns < 0 ? sent_ns : (uint64_t)stamp_ns;
}

/* Where its pixels or points are, for those who want nothing else. */
static void find_data(const char *type, const uint8_t *body, uint64_t size, struct sl_message *m)
{
    struct sl_pointcloud2 cloud;
    struct sl_image image;
    const uint8_t *data = NULL;
    uint32_t length = 0;
    if (strcmp(type, SL_TYPE_POINTCLOUD2) == 0 && sl_pointcloud2_read(body, size, &cloud) == 0) {
        data = cloud.data;
        length = cloud.data_size;
    } else if (strcmp(type, SL_TYPE_IMAGE) == 0 && sl_image_read(body, size, &image) == 0) {
        data = image.data;
        length = image.data_size;
    }
    if (data) {
        m->data_offset = m->body_offset + (uint32_t)(data - body);
        m->data_length = length;
    }
}

/* The same of a gathered body: the list that stayed in place. */
static void name_data(const char *type, const struct sl_range *list, struct sl_message *m)
{
    if (strcmp(type, SL_TYPE_POINTCLOUD2) == 0 || strcmp(type, SL_TYPE_IMAGE) == 0) {
        m->data_offset = list->offset;
        m->data_length = list->length;
    }
}

static struct sl_message message_of(const struct play_out *out, const uint8_t *body, uint64_t size,
                                    const struct play_item *item)
{
    return (struct sl_message){
        .stamp_ns = stamp_of(out, body, size, item->message.publish_ns),
        .clock = SL_CLOCK_HOST,
        /* its block is put away behind the last one: a failure may be tried again */
        .more = true,
    };
}

static int reject(struct play_publisher *p, const struct play_out *out)
{
    if (p->rejected++ == 0)
        snprintf(p->reason, sizeof p->reason, "%s: %s", out->name, sl_error_text());
    return 0;
}

static bool goes_inline(const struct play_publisher *p, size_t size)
{
    return !p->uses_slots && size <= PLAY_INLINE_BYTES;
}

/* Bytes in one piece. -------------------------------------------------------------------------- */

/* In a slot that is no other message's. */
static int publish_alone(struct play_out *out, struct sl_loan *loan, size_t size,
                         const struct sl_message *message)
{
    struct sl_message m = *message;
    m.more = false;
    m.body_offset = m.data_offset = m.data_length = 0;
    m.body_length = (uint32_t)size;
    m.range_count = 0;
    find_data(out->type, loan->data, size, &m);
    return sl_publisher_publish(out->publisher, loan, &m);
}

/* Too many topics in one slot: this message takes one of its own. */
static int publish_copy(struct play_out *out, const uint8_t *body, size_t size,
                        const struct sl_message *message)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(out->publisher, &loan);
    if (err < 0)
        return err;
    memcpy(loan.data, body, size);
    return publish_alone(out, &loan, size, message);
}

/* What stands in the slot of its block. */
static int publish_here(const struct play_publisher *p, struct play_out *out,
                        const struct play_item *item, size_t offset, size_t size)
{
    const uint8_t *body = (const uint8_t *)item->loan->data + offset;
    struct sl_message m = message_of(out, body, size, item);
    m.body_offset = (uint32_t)offset;
    m.body_length = (uint32_t)size;
    if (size > 0 && goes_inline(p, size))
        return sl_publisher_publish_inline(out->publisher, body, size, &m);
    find_data(out->type, body, size, &m);
    int err = sl_publisher_publish(out->publisher, item->loan, &m);
    return err == -E2BIG ? publish_copy(out, body, size, &m) : err;
}

/* Compressed by itself. ------------------------------------------------------------------------ */

static int decompress_alone(const struct play_way *way, const struct play_item *item)
{
    const uint8_t *from = (const uint8_t *)item->loan->data + item->message.offset;
    struct sl_loan loan;
    size_t size;
    int err = sl_publisher_loan(way->out->publisher, &loan);
    if (err < 0)
        return err;
    err = sl_decompress(way->compression, from, (size_t)item->message.size_bytes, loan.data,
                        (size_t)loan.data_size, &size);
    if (err < 0) {
        sl_publisher_discard(way->out->publisher, &loan);
        return err == -EFBIG ? sl_error(err, "a message becomes larger than a slot") : err;
    }
    struct sl_message m = message_of(way->out, loan.data, size, item);
    return publish_alone(way->out, &loan, size, &m);
}

static int publish_decompressed(const struct play_publisher *p, const struct play_way *way,
                                const struct play_item *item)
{
    uint8_t *slot = item->loan->data;
    const uint8_t *from = slot + item->message.offset;
    size_t from_bytes = (size_t)item->message.size_bytes, size;
    size_t room = (size_t)item->loan->data_size - *item->used_bytes;
    if (sl_decompressed_said(way->compression, from, from_bytes) > room)
        return decompress_alone(way, item);
    int err =
        sl_decompress(way->compression, from, from_bytes, slot + *item->used_bytes, room, &size);
    if (err == -EFBIG)
        return decompress_alone(way, item);
    if (err == 0 && (err = publish_here(p, way->out, item, *item->used_bytes, size)) == 0)
        *item->used_bytes += size;
    return err;
}

/* ROS 1's as ROS 2's. -------------------------------------------------------------------------- */

static int gather_alone(const struct play_publisher *p, struct play_out *out,
                        const struct play_item *item, const struct sl_cdr_pieces *pieces,
                        const struct sl_message *m)
{
    const uint8_t *body = (const uint8_t *)item->loan->data + item->message.offset;
    struct sl_loan loan;
    int err = sl_publisher_loan(out->publisher, &loan);
    if (err < 0)
        return err;
    if (pieces->size_bytes > loan.data_size) {
        sl_publisher_discard(out->publisher, &loan);
        return sl_error(-EFBIG, "a message of ROS 1 becomes larger than a slot");
    }
    uint8_t *to = loan.data;
    for (unsigned i = 0; i < pieces->count; i++) {
        const struct sl_cdr_piece *piece = &pieces->piece[i];
        memcpy(to, (piece->in_place ? body : p->own.bytes) + piece->offset, piece->size_bytes);
        to += piece->size_bytes;
    }
    return publish_alone(out, &loan, pieces->size_bytes, m);
}

/* What was made stands at the slot's free end; the rest where it was read to. */
static int gather_here(struct play_out *out, const struct play_item *item,
                       const struct sl_cdr_pieces *pieces, const struct sl_message *message)
{
    struct sl_range ranges[SL_CDR_PIECES_MAX];
    struct sl_message m = *message;
    m.ranges = ranges;
    m.range_count = pieces->count;
    for (unsigned i = pieces->count; i-- > 0;) {
        const struct sl_cdr_piece *piece = &pieces->piece[i];
        uint64_t from = piece->in_place ? item->message.offset : *item->used_bytes;
        ranges[i] = (struct sl_range){SL_AREA_SLOT, (uint32_t)(from + piece->offset),
                                      (uint32_t)piece->size_bytes};
        if (piece->in_place)
            name_data(out->type, &ranges[i], &m);
    }
    return sl_publisher_publish(out->publisher, item->loan, &m);
}

static int publish_gathered(struct play_publisher *p, struct play_out *out,
                            const struct play_item *item, const struct sl_cdr_pieces *pieces)
{
    const struct sl_message m = message_of(out, p->own.bytes, p->own.size_bytes, item);
    uint8_t *slot = item->loan->data;
    size_t own = sl_cdr_aligned(p->own.size_bytes, SPARE_ALIGNMENT);
    if (goes_inline(p, pieces->size_bytes))
        return sl_publisher_publish_inline(out->publisher, p->own.bytes, p->own.size_bytes, &m);
    if (own > item->loan->data_size - *item->used_bytes)
        return gather_alone(p, out, item, pieces, &m);
    memcpy(slot + *item->used_bytes, p->own.bytes, p->own.size_bytes);
    int err = pieces->count == 1 ? publish_here(p, out, item, *item->used_bytes, p->own.size_bytes)
                                 : gather_here(out, item, pieces, &m);
    if (err == -E2BIG)
        return gather_alone(p, out, item, pieces, &m);
    if (err == 0)
        *item->used_bytes += own;
    return err;
}

static int publish_translated(struct play_publisher *p, const struct play_way *way,
                              const struct play_item *item)
{
    const uint8_t *body = (const uint8_t *)item->loan->data + item->message.offset;
    size_t size = (size_t)item->message.size_bytes;
    size_t least = size <= PLAY_INLINE_BYTES ? SIZE_MAX : IN_PLACE_BYTES;
    struct sl_cdr_pieces pieces;
    sl_buffer_clear(&p->own);
    int err = sl_ros1_to_cdr(sl_definition_schema(way->ros1), body, size, least, &p->own, &pieces);
    if (err < 0)
        return err;
    return publish_gathered(p, way->out, item, &pieces);
}

int play_publish(struct play_publisher *p, const struct play_way *way, const struct play_item *item)
{
    int err;
    if (way->ros1)
        err = publish_translated(p, way, item);
    else if (way->compression != SL_COMPRESSION_NONE)
        err = publish_decompressed(p, way, item);
    else
        err = publish_here(p, way->out, item, (size_t)item->message.offset,
                           (size_t)item->message.size_bytes);
    if (err == -EBADMSG || err == -EFBIG)
        return reject(p, way->out);
    way->out->messages += err == 0;
    return err;
}
