/* SPDX-License-Identifier: Apache-2.0 */
/* livox_frames.c - which frame a packet belongs to, and when a frame is done.
 *
 * From the general to the particular: push takes a packet; push_next follows the clock and cuts;
 * push_late finds the frame of what was overtaken; place writes rows; close_frame hands on.
 */
#include "drivers/lidar/livox_frames.h"

#include <assert.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/uncached/stream.h"

#define AHEAD_NS       SL_NS_PER_S /* more is left out by nothing but a clock that was set */
#define STAMP_NOISE_NS SL_NS_PER_S /* stamps do not go back by the noise of arrival times */
#define S_PER_NS       1e-9
#define ROW_BYTES      ((size_t)LIVOX_POINTS * LIDAR_POINT_BYTES)
/* Beyond what a period holds by the data sheet: the clock's drift, packets across both cuts, more
 * returns than one. */
#define ROWS_MARGIN_DIVISOR 8
#define ROWS_MARGIN         4

size_t livox_frame_bytes_max(const struct livox_model *model, uint64_t period_ns)
{
    double points = model->points_per_s * ((double)period_ns * S_PER_NS);
    size_t rows = (size_t)(points / LIVOX_POINTS) + 1;
    return (rows + rows / ROWS_MARGIN_DIVISOR + ROWS_MARGIN) * ROW_BYTES;
}

void livox_frames_init(struct livox_frames *frames, const struct livox_model *model,
                       const struct livox_frames_options *options,
                       const struct lidar_frame_sink *sink, struct lidar_counts *counts,
                       const struct lidar_list_kernel *kernel)
{
    memset(frames, 0, sizeof *frames);
    frames->options = *options;
    frames->sink = *sink;
    frames->counts = counts;
    lidar_list_init(&frames->list, kernel, &options->points, options->unwanted_tags, model->lines);
}

static struct livox_frame *current_frame(struct livox_frames *f)
{
    return &f->frames[f->current];
}

static struct livox_frame *older_frame(struct livox_frames *f)
{
    return &f->frames[f->current ^ 1];
}

static uint64_t start_of(const struct livox_frames *f, const struct livox_frame *frame)
{
    return frame->period * f->options.period_ns;
}

/* Closing. */

uint64_t livox_frames_stamp_ns(const struct livox_frames *f, enum livox_clock source,
                               uint64_t sensor_ns, enum lidar_clock_kind *ret_kind)
{
    if (f->options.stamp == LIDAR_STAMP_SENSOR && source != LIVOX_CLOCK_FREE) {
        bool is_ptp = source == LIVOX_CLOCK_PTP;
        int64_t utc_ns = (int64_t)sensor_ns - (is_ptp ? f->options.ptp_ahead_ns : 0);
        *ret_kind = is_ptp ? LIDAR_CLOCK_PTP : LIDAR_CLOCK_GPS;
        return utc_ns > 0 ? (uint64_t)utc_ns : 0;
    }
    return lidar_clock_stamp_ns(&f->clock, f->options.stamp, (int64_t)sensor_ns, ret_kind);
}

static uint64_t next_stamp(struct livox_frames *f, uint64_t stamp_ns)
{
    if (stamp_ns <= f->last_stamp_ns && f->last_stamp_ns - stamp_ns < STAMP_NOISE_NS)
        stamp_ns = f->last_stamp_ns + 1;
    f->last_stamp_ns = stamp_ns;
    return stamp_ns;
}

static void close_frame(struct livox_frames *f, struct livox_frame *frame, unsigned partial)
{
    if (!frame->is_open)
        return;
    frame->is_open = false;
    if (!frame->has_room)
        return; /* it was counted when no room was to be had */
    if (frame->rows == 0) {
        f->sink.discard(f->sink.context, frame->room.handle);
        return;
    }
    sl_stream_fence();
    partial |= frame->partial;
    struct lidar_frame_info info = {
        .sensor_ns = (int64_t)start_of(f, frame),
        .host_first_ns = frame->host_first_ns,
        .host_last_ns = frame->host_last_ns,
        .width = frame->width,
        .height = frame->rows,
        .returns = 1,
        .columns = frame->packets + frame->gap,
        .missing = frame->gap,
        .valid = frame->valid,
        .filtered = frame->filtered,
        .partial = partial,
        .size_bytes = (size_t)frame->rows * frame->width * LIDAR_POINT_BYTES,
    };
    info.stamp_ns =
        next_stamp(f, livox_frames_stamp_ns(f, f->source, start_of(f, frame), &info.clock));
    lidar_count(f->counts, LIDAR_FRAMES);
    if (partial)
        lidar_count(f->counts, LIDAR_FRAMES_PARTIAL);
    if (partial & LIDAR_PARTIAL_OVERFLOW)
        lidar_count(f->counts, LIDAR_FRAMES_OVERFLOW);
    if (partial & LIDAR_PARTIAL_OVERDUE)
        lidar_count(f->counts, LIDAR_FRAMES_OVERDUE);
    f->sink.close(f->sink.context, frame->room.handle, &info);
}

static void end_frames(struct livox_frames *f, unsigned partial)
{
    close_frame(f, older_frame(f), 0);
    close_frame(f, current_frame(f), partial);
}

static void restart(struct livox_frames *f, enum lidar_count why)
{
    lidar_count(f->counts, why);
    end_frames(f, LIDAR_PARTIAL_END);
    lidar_clock_restart(&f->clock);
    f->has_begun = false;
}

/* Opening. */

static bool borrow_room(struct livox_frames *f, struct livox_frame *frame)
{
    if (f->sink.open(f->sink.context, &frame->room) < 0)
        return false;
    assert((uintptr_t)frame->room.data % LIDAR_ROOM_ALIGNMENT == 0);
    frame->rows_max =
        (unsigned)(frame->room.capacity_bytes / ((size_t)frame->width * LIDAR_POINT_BYTES));
    if (frame->rows_max > 0)
        return true;
    f->sink.discard(f->sink.context, frame->room.handle);
    return false;
}

/* In the place of the current one, which is closed. */
static void begin_frame(struct livox_frames *f, const struct livox_packet *packet, unsigned partial)
{
    struct livox_frame *frame = current_frame(f);
    memset(frame, 0, sizeof *frame);
    frame->is_open = true;
    frame->period = packet->stamp_ns / f->options.period_ns;
    frame->width = packet->count;
    frame->partial = partial;
    frame->has_room = borrow_room(f, frame);
    if (!frame->has_room)
        lidar_count(f->counts, LIDAR_FRAMES_DROPPED);
}

/* The period is over, `gap` packets before this one are missing, some of them maybe of the new one.
 * What is missing of the old one is waited for a moment. */
static void cut(struct livox_frames *f, const struct livox_packet *packet, unsigned gap,
                uint64_t host_ns)
{
    struct livox_frame *done = current_frame(f);
    uint64_t into_ns = packet->stamp_ns % f->options.period_ns;
    uint64_t lost_after = f->step_ns > 0 ? into_ns / f->step_ns : 0;
    if (lost_after > gap)
        lost_after = gap;
    done->gap += gap - (unsigned)lost_after;
    close_frame(f, older_frame(f), 0);
    if (done->gap == 0)
        close_frame(f, done, 0);
    done->overtaken_ns = host_ns;
    f->current ^= 1;
    begin_frame(f, packet, 0);
    current_frame(f)->gap = (unsigned)lost_after;
}

/* Placing. */

static void write_row(struct livox_frames *f, struct livox_frame *frame,
                      const struct livox_packet *packet, unsigned from, unsigned count)
{
    double since_ns = (double)(int64_t)(packet->stamp_ns - start_of(f, frame));
    double step_s = packet->interval_ns * S_PER_NS / packet->count;
    struct lidar_list_job job = {
        .points = packet->points + (size_t)from * lidar_list_stride[packet->type],
        .type = packet->type,
        .count = count,
        .time_s = since_ns * S_PER_NS + from * step_s,
        .step_s = step_s,
    };
    uint8_t *to =
        (uint8_t *)frame->room.data + (size_t)frame->rows * frame->width * LIDAR_POINT_BYTES;
    lidar_list_decode(&f->list, &job, to, frame->width);
    frame->valid += job.valid;
    frame->filtered += job.filtered;
    frame->rows++;
}

/* A packet that is longer than its frame's first one takes several rows. False if there is no room
 * for them. */
static bool place(struct livox_frames *f, struct livox_frame *frame,
                  const struct livox_packet *packet, uint64_t host_ns)
{
    unsigned rows = (packet->count + frame->width - 1) / frame->width;
    if (frame->has_room && frame->rows + rows > frame->rows_max)
        return false;
    frame->packets++;
    if (frame->host_first_ns == 0)
        frame->host_first_ns = host_ns;
    frame->host_last_ns = host_ns;
    for (unsigned from = 0; frame->has_room && from < packet->count; from += frame->width) {
        unsigned left = packet->count - from;
        write_row(f, frame, packet, from, left < frame->width ? left : frame->width);
    }
    return true;
}

static bool is_known(const struct livox_frames *f, uint64_t stamp_ns)
{
    for (unsigned i = 0; i < LIVOX_RECENT; i++) {
        if (f->recent[i] == stamp_ns + 1)
            return true;
    }
    return false;
}

static void remember(struct livox_frames *f, uint64_t stamp_ns)
{
    f->recent[f->recent_next] = stamp_ns + 1; /* 0 = none */
    f->recent_next = (f->recent_next + 1) % LIVOX_RECENT;
}

/* Packets that are missing before this one: by their numbers, or by the time where these began
 * again. */
static unsigned gap_before(struct livox_frames *f, const struct livox_packet *packet)
{
    uint64_t passed_ns = packet->stamp_ns - f->newest_ns;
    uint16_t step = (uint16_t)(packet->number - f->newest_number);
    if (step == 1)
        f->step_ns = passed_ns;
    uint64_t by_time = f->step_ns > 0 ? (passed_ns + f->step_ns / 2) / f->step_ns : 1;
    uint64_t steps = packet->number > f->newest_number || step == 1 ? step : by_time;
    return steps > 1 ? (unsigned)(steps - 1) : 0;
}

static void push_next(struct livox_frames *f, const struct livox_packet *packet, uint64_t host_ns)
{
    if (!f->has_begun) {
        uint64_t into_ns = packet->stamp_ns % f->options.period_ns;
        begin_frame(f, packet, into_ns > packet->interval_ns ? LIDAR_PARTIAL_START : 0);
    } else {
        unsigned gap = gap_before(f, packet);
        f->counts->count[LIDAR_GAP] += gap;
        if (!current_frame(f)->is_open)
            begin_frame(f, packet, LIDAR_PARTIAL_START);
        else if (packet->stamp_ns / f->options.period_ns != current_frame(f)->period)
            cut(f, packet, gap, host_ns);
        else
            current_frame(f)->gap += gap;
    }
    f->has_begun = true;
    f->source = packet->clock;
    f->newest_ns = packet->stamp_ns;
    f->newest_number = packet->number;
    f->late_run = 0;
    f->last_host_ns = host_ns;
    remember(f, packet->stamp_ns);
    older_frame(f)->packets_since++;
    if (!place(f, current_frame(f), packet, host_ns)) {
        end_frames(f, LIDAR_PARTIAL_END | LIDAR_PARTIAL_OVERFLOW);
        begin_frame(f, packet, LIDAR_PARTIAL_START);
        (void)place(f, current_frame(f), packet, host_ns);
    }
}

static void push_late(struct livox_frames *f, const struct livox_packet *packet, uint64_t host_ns)
{
    f->late_run++;
    if (is_known(f, packet->stamp_ns)) {
        lidar_count(f->counts, LIDAR_DUPLICATE);
        return;
    }
    uint64_t period = packet->stamp_ns / f->options.period_ns;
    for (unsigned i = 0; i < 2; i++) {
        struct livox_frame *frame = &f->frames[i];
        if (!frame->is_open || frame->period != period || !place(f, frame, packet, host_ns))
            continue;
        frame->gap -= frame->gap > 0;
        remember(f, packet->stamp_ns);
        lidar_count(f->counts, LIDAR_REORDERED);
        return;
    }
    lidar_count(f->counts, LIDAR_LATE);
}

void livox_frames_push(struct livox_frames *f, const struct livox_packet *packet, uint64_t host_ns)
{
    lidar_count(f->counts, LIDAR_PACKETS);
    int64_t step_ns = (int64_t)(packet->stamp_ns - f->newest_ns);
    if (f->has_begun && packet->clock != f->source)
        restart(f, LIDAR_RESTART_MODE);
    else if (f->has_begun && step_ns > (int64_t)AHEAD_NS)
        restart(f, LIDAR_RESTART_AHEAD);
    else if (f->has_begun && (step_ns < -LIDAR_REORDER_NS || f->late_run >= LIDAR_LATE_RUN_MAX))
        restart(f, LIDAR_RESTART_BACK);
    if (f->has_begun && step_ns <= 0) {
        push_late(f, packet, host_ns);
    } else {
        lidar_clock_observe(&f->clock, (int64_t)packet->stamp_ns + packet->interval_ns, host_ns);
        push_next(f, packet, host_ns);
    }
    struct livox_frame *older = older_frame(f);
    if (older->is_open && (older->gap == 0 || older->packets_since > LIDAR_LATE_PACKETS))
        close_frame(f, older, 0);
}

/* Time and ends. */

static bool is_overdue(uint64_t since_ns, uint64_t wait_ns, uint64_t now_ns)
{
    return since_ns != 0 && now_ns >= since_ns && now_ns - since_ns >= wait_ns;
}

void livox_frames_deadline(struct livox_frames *f, uint64_t now_ns)
{
    if (is_overdue(older_frame(f)->overtaken_ns, LIDAR_LATE_WAIT_NS, now_ns))
        close_frame(f, older_frame(f), 0);
    if (current_frame(f)->is_open && is_overdue(f->last_host_ns, LIDAR_OVERDUE_NS, now_ns))
        end_frames(f, LIDAR_PARTIAL_END | LIDAR_PARTIAL_OVERDUE);
}

uint64_t livox_frames_due_ns(const struct livox_frames *f)
{
    uint64_t due_ns = UINT64_MAX;
    const struct livox_frame *older = &f->frames[f->current ^ 1];
    if (f->frames[f->current].is_open && f->last_host_ns != 0)
        due_ns = f->last_host_ns + LIDAR_OVERDUE_NS;
    if (older->is_open && older->overtaken_ns != 0 &&
        older->overtaken_ns + LIDAR_LATE_WAIT_NS < due_ns)
        due_ns = older->overtaken_ns + LIDAR_LATE_WAIT_NS;
    return due_ns;
}

void livox_frames_flush(struct livox_frames *f)
{
    end_frames(f, LIDAR_PARTIAL_END);
    f->has_begun = false;
}

void livox_frames_discard(struct livox_frames *f)
{
    for (unsigned i = 0; i < 2; i++) {
        struct livox_frame *frame = &f->frames[i];
        if (frame->is_open && frame->has_room)
            f->sink.discard(f->sink.context, frame->room.handle);
        frame->is_open = false;
    }
}
