/* SPDX-License-Identifier: Apache-2.0 */
/* writer.h - frames of the test pattern into loaned slots.
 *
 * A picture is a sensor_msgs/msg/Image whose pixels stand at a page boundary, with the prefix
 * right-justified before them; plain bytes stand from the slot's beginning. The pattern is made
 * piece by piece in the nearest cache and goes from there into the slot once: streamed past the
 * caches, or, to compare, by plain stores.
 *
 * Life:    pattern_writer_init fills a writer in the caller's memory, zeroed before; nothing to
 *          free.
 * Owner:   the publisher stays the caller's.
 * Threads: the publishing one.
 * Errors:  0 or -errno with sl_error_text().
 */
#ifndef SL_DRIVERS_PATTERN_WRITER_H
#define SL_DRIVERS_PATTERN_WRITER_H

#include "core/base/histogram.h"
#include "core/frame/image.h"
#include "core/frame/pattern.h"
#include "core/shm/sluice.h"

#include <stdbool.h>

#define PATTERN_FRAME_ID_MAX 255
#define PATTERN_PIECE_BYTES  8192 /* made at a time: a part of the first-level cache */

/* What is published. */
struct pattern_content {
    uint32_t encoding;      /* enum sl_pattern_encoding */
    uint32_t width, height; /* pixels */
    uint64_t size_bytes;    /* SL_PATTERN_BYTES: given; pictures: what follows */
    const char *frame_id;   /* at most PATTERN_FRAME_ID_MAX bytes; must outlive the rest */
};

/* The type of its messages, and what a slot must hold. Fills in the size of a picture. -EINVAL: it
 * cannot be (pattern.h). */
int pattern_content_complete(struct pattern_content *content);
const char *pattern_content_type(const struct pattern_content *content);
uint64_t pattern_content_slot_bytes(const struct pattern_content *content);

struct pattern_writer_config {
    struct sl_publisher *publisher;
    struct pattern_content content; /* completed */
    uint64_t key;                   /* tells publishers apart */
    bool is_cached;                 /* write through the caches */
    /* NULL = never wait for a slot. Else: is it worth waiting on? Asked some times a second. */
    bool (*may_wait)(void *context);
    void *context;
};

struct pattern_counts {
    uint64_t frames, bytes; /* published; bytes of data */
    uint64_t refused;       /* frames without a slot: left out */
    uint64_t writing_ns;    /* spent on making and writing data */
};

struct pattern_writer {
    struct pattern_writer_config config;
    uint64_t sequence; /* of the next frame; those that were left out have one too */
    struct pattern_counts counts;
    _Alignas(64) uint8_t piece[PATTERN_PIECE_BYTES];
    struct sl_pattern_maker maker;
};

void pattern_writer_init(struct pattern_writer *writer, const struct pattern_writer_config *config);

/* Loan, write, publish one frame of that stamp (CLOCK_REALTIME, ns). -EAGAIN: there was no slot; it
 * is left out, and counted. */
int pattern_write(struct pattern_writer *writer, uint64_t stamp_ns);

#endif
