/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/pattern/writer.h"

#include <errno.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/uncached/stream.h"

#define PAGE_BYTES UINT64_C(4096)
#define WAIT_NS    ((int64_t)(50 * SL_NS_PER_MS))
#define PREFIX_MAX 512 /* bytes: stamp, frame_id, encoding and some numbers */

/* What it is ------------------------------------------------------------------------------------*/

static struct sl_image image_of(const struct pattern_content *content, uint64_t stamp_ns)
{
    uint32_t step = content->height ? (uint32_t)(content->size_bytes / content->height) : 0;
    return (struct sl_image){
        .stamp_ns = (int64_t)stamp_ns,
        .frame_id = sl_text(content->frame_id),
        .height = content->height,
        .width = content->width,
        .encoding = sl_text(sl_pattern_encodings[content->encoding]),
        .step = step,
        .data_size = (uint32_t)content->size_bytes,
    };
}

static bool is_picture(const struct pattern_content *content)
{
    return content->encoding != SL_PATTERN_BYTES;
}

/* Where the data stands in a slot. */
static uint32_t data_offset(const struct pattern_content *content)
{
    if (!is_picture(content))
        return 0;
    const struct sl_image image = image_of(content, 0);
    return (uint32_t)((sl_image_prefix_size(&image) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
}

int pattern_content_complete(struct pattern_content *content)
{
    uint32_t step;
    if (!is_picture(content)) {
        content->width = content->height = 0;
        return 0;
    }
    return sl_pattern_measure(content->encoding, content->width, content->height, &step,
                              &content->size_bytes);
}

const char *pattern_content_type(const struct pattern_content *content)
{
    return is_picture(content) ? SL_TYPE_IMAGE : SL_TYPE_PATTERN;
}

uint64_t pattern_content_slot_bytes(const struct pattern_content *content)
{
    return data_offset(content) + content->size_bytes;
}

/* One frame -------------------------------------------------------------------------------------*/

void pattern_writer_init(struct pattern_writer *w, const struct pattern_writer_config *config)
{
    w->config = *config;
    w->sequence = 1;
    w->counts = (struct pattern_counts){0};
}

static int loan(const struct pattern_writer *w, struct sl_loan *ret_loan)
{
    const struct pattern_writer_config *c = &w->config;
    while (c->may_wait && sl_publisher_wait(c->publisher, WAIT_NS) == -ETIMEDOUT)
        if (!c->may_wait(c->context))
            return -EAGAIN;
    return sl_publisher_loan(c->publisher, ret_loan);
}

/* Small frames stay in the cache, where there is one. */
static void write_data(struct pattern_writer *w, uint8_t *to)
{
    uint64_t size = w->config.content.size_bytes;
    bool is_streamed = !w->config.is_cached && sl_stream_pays(size, SL_MEMORY_WB);
    for (uint64_t at = 0; at < size; at += sizeof w->piece) {
        size_t part = size - at < sizeof w->piece ? (size_t)(size - at) : sizeof w->piece;
        sl_pattern_make(&w->maker, at, w->piece, part);
        if (is_streamed)
            sl_stream_copy(to + at, w->piece, part);
        else
            memcpy(to + at, w->piece, part);
    }
}

/* The message's prefix, right before the data. Made beside the slot, then written once and in
 * order; readers begin with it, so it stays cached where there is a cache. Returns its size, or an
 * error.
 */
static int write_prefix(const struct pattern_content *content, uint64_t stamp_ns, uint8_t *data)
{
    if (!is_picture(content))
        return 0;
    uint8_t prefix[PREFIX_MAX];
    const struct sl_image image = image_of(content, stamp_ns);
    size_t size = sl_image_prefix_size(&image);
    int err = sl_image_write_prefix(&image, prefix, sizeof prefix);
    if (err < 0)
        return err;
    memcpy(data - size, prefix, size);
    return (int)size;
}

static int fill_slot(struct pattern_writer *w, uint64_t stamp_ns, uint8_t *slot,
                     struct sl_message *ret_message)
{
    const struct pattern_content *content = &w->config.content;
    const struct sl_pattern pattern = {
        .key = w->config.key,
        .sequence = w->sequence,
        .stamp_ns = stamp_ns,
        .size_bytes = content->size_bytes,
        .encoding = content->encoding,
        .width = content->width,
        .height = content->height,
    };
    uint32_t offset = data_offset(content);
    int err = sl_pattern_begin(&w->maker, &pattern);
    if (err < 0)
        return err;
    uint64_t begin_ns = sl_clock_monotonic_ns();
    write_data(w, slot + offset);
    int prefix = write_prefix(content, stamp_ns, slot + offset);
    sl_stream_fence();
    w->counts.writing_ns += sl_clock_monotonic_ns() - begin_ns;
    *ret_message = (struct sl_message){
        .stamp_ns = stamp_ns,
        .clock = SL_CLOCK_HOST,
        .body_offset = offset - (uint32_t)prefix,
        .body_length = (uint32_t)(content->size_bytes + (unsigned)prefix),
        .data_offset = offset,
        .data_length = (uint32_t)content->size_bytes,
    };
    return prefix < 0 ? prefix : 0;
}

int pattern_write(struct pattern_writer *w, uint64_t stamp_ns)
{
    struct sl_loan slot;
    struct sl_message message;
    int err = loan(w, &slot);
    if (err == -EAGAIN)
        w->counts.refused++;
    if (err == 0) {
        err = fill_slot(w, stamp_ns, slot.data, &message);
        if (err < 0)
            sl_publisher_discard(w->config.publisher, &slot);
        else
            err = sl_publisher_publish(w->config.publisher, &slot, &message);
    }
    w->sequence++;
    if (err < 0)
        return err;
    w->counts.frames++;
    w->counts.bytes += w->config.content.size_bytes;
    return 0;
}
