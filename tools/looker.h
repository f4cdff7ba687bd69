/* SPDX-License-Identifier: Apache-2.0 */
/* looker.h - a visitor on one topic: how hz, delay, echo and snapshot read.
 *
 * It waits for a topic that is not there yet, says so once, and gives up by --timeout; it ends with
 * --duration or Ctrl-C. A visitor holds one frame at most and does not count as a subscriber.
 *
 * Life:    open -> next (0 = ended) -> use the frame -> sl_frame_release -> close
 * Threads: one.
 * Errors:  -errno with sl_error_text(); -ETIMEDOUT names the topics that are there.
 */
#ifndef SL_TOOLS_LOOKER_H
#define SL_TOOLS_LOOKER_H

#include "core/shm/sluice.h"
#include "tools/tool.h"

#define SL_LOOKER_TYPES 8 /* publishers whose type is remembered */

struct sl_looker {
    const char *topic;
    struct sl_subscriber *subscriber;
    uint64_t start_ns, end_ns; /* end_ns 0 = none */
    uint64_t timeout_ns;       /* 0 = none */
    uint64_t tell_ns;          /* when to tell that there is nothing; 0 = told */
    bool quiet;                /* tell nothing while waiting */
    uint64_t frames;
    struct {
        uint64_t instance;
        char type[SL_TYPE_MAX];
    } types[SL_LOOKER_TYPES];
    unsigned type_next;
};

/* Reads sl_scope and sl_span (not $SLUICE_BUS: native always works);
 * `default_timeout_ns` holds where --timeout was not given. It begins with up to `history` messages
 * of before. */
int sl_looker_open(struct sl_looker *looker, const char *topic, enum sl_policy policy,
                   uint32_t history, uint64_t default_timeout_ns);

/* The next frame: 1, or 0 if `until_ns` (CLOCK_MONOTONIC; 0 = none) passed or it is over. */
int sl_looker_next(struct sl_looker *looker, uint64_t until_ns, struct sl_frame *ret_frame);
bool sl_looker_over(const struct sl_looker *looker);

/* Every frame to `on_frame`, up to `count` (0 = no end), and `on_line` each period, and at the end
 * if frames came since: `is_new` tells whether any did. 0 when it is over, or an error. */
int sl_looker_lines(struct sl_looker *looker, uint64_t period_ns, uint64_t count,
                    void (*on_frame)(void *context, const struct sl_frame *frame),
                    void (*on_line)(void *context, bool is_new), void *context);

/* The type of a frame's publisher, "?" if it is gone already. */
const char *sl_looker_type(struct sl_looker *looker, const struct sl_frame *frame);

/* A frame's body in one piece. SL_LOOKER_GLANCE: where it stands, for those who look at a few bytes
 * of it; gathered bodies are brought together. SL_LOOKER_COPY: copied out, past the caches if it is
 * large, for those who go through all of it, and more than once. Copies are in `*scratch` (grown as
 * needed; the caller frees it). -EFBIG: a copy of more than SL_LOOKER_COPY_MAX. */
#define SL_LOOKER_COPY_MAX (256u << 20)
enum sl_looker_reading {
    SL_LOOKER_GLANCE,
    SL_LOOKER_COPY
};
int sl_looker_body(const struct sl_frame *frame, enum sl_looker_reading reading, void **scratch,
                   const void **ret_body);

void sl_looker_close(struct sl_looker *looker);

#endif
