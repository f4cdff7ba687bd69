/* SPDX-License-Identifier: Apache-2.0 */
/* assembly.c - which column belongs to which row of which frame, and when a frame is done.
 *
 * From the general to the particular: push takes a packet; place_next follows the rotation and
 * cuts; place_late finds the place of what was overtaken; place_run writes columns that follow one
 * another; close_frame fills the holes and hands on.
 */
#include "drivers/lidar/assembly.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/mirror.h"

/* How far azimuth may be from where the rate says: after a gap the rate may have changed a little.
 */
#define OFF_COURSE_UNITS 300
#define OFF_COURSE_SHARE 0.125
/* Frames with two returns fix their rows before the turn: by this part more than expected. */
#define ROWS_MARGIN_DIVISOR 32
#define ROWS_MARGIN         2
/* How well a packet's rate tells the time of a blind part. */
#define BLIND_DIVISOR 32
/* Stamps do not go back by the noise of arrival times; by more they do. */
#define STAMP_NOISE_NS SL_NS_PER_S
#define SECONDS_PER_NS 1e-9

size_t lidar_frame_bytes_max(const struct lidar_model *model, unsigned returns)
{
    size_t rows = lidar_model_turn_columns(model) + ROWS_MARGIN;
    return rows * returns * model->lasers * LIDAR_POINT_BYTES;
}

void lidar_assembly_init(struct lidar_assembly *assembly, const struct lidar_model *model,
                         const struct lidar_assembly_options *options,
                         const struct lidar_frame_sink *sink, const struct lidar_clock *clock,
                         struct lidar_counts *counts, const struct lidar_block_kernel *kernel)
{
    memset(assembly, 0, sizeof *assembly);
    assembly->options = *options;
    assembly->sink = *sink;
    assembly->clock = clock;
    assembly->counts = counts;
    assembly->model = model;
    if (!model->mirror) /* its course is cut where it ends */
        assembly->cut_units = fmod(options->cut_angle_deg * 100, LIDAR_AZIMUTH_UNITS);
    if (assembly->cut_units < 0)
        assembly->cut_units += LIDAR_AZIMUTH_UNITS;
    lidar_turn_init(&assembly->turn);
    assembly->block_count = lidar_block_count(model);
    for (unsigned i = 0; i < assembly->block_count; i++)
        lidar_block_init(&assembly->blocks[i], kernel, model, &options->block, i);
}

/* How far after the cut that is in its course, 0 ... 36000. */
static double past_cut(const struct lidar_assembly *a, double units)
{
    double past =
        units - (a->track.is_reversed ? LIDAR_AZIMUTH_UNITS - a->cut_units : a->cut_units);
    while (past < 0)
        past += LIDAR_AZIMUTH_UNITS;
    while (past >= LIDAR_AZIMUTH_UNITS)
        past -= LIDAR_AZIMUTH_UNITS;
    return past;
}

/* Did the rotation come over the cut between these two? Backwards by jitter is no turn. */
static bool is_crossing(double past_before, double past_after)
{
    return past_after < past_before && past_before - past_after > LIDAR_JITTER_UNITS;
}

static struct lidar_frame *current_frame(struct lidar_assembly *a)
{
    return &a->frames[a->current];
}

static struct lidar_frame *older_frame(struct lidar_assembly *a)
{
    return &a->frames[a->current ^ 1];
}

static size_t row_bytes(const struct lidar_assembly *a)
{
    return (size_t)a->model->lasers * LIDAR_POINT_BYTES;
}

/* Row of a time, rounded: may be negative or beyond the frame. */
static int64_t row_of(const struct lidar_assembly *a, const struct lidar_frame *f, int64_t time_ns)
{
    int64_t period_ns = a->model->column_period_ns;
    int64_t since_ns = time_ns - f->newest_ns + period_ns / 2;
    int64_t rows = since_ns >= 0 ? since_ns / period_ns : -((period_ns - 1 - since_ns) / period_ns);
    return f->newest_row + rows;
}

/* Closing. */

static void write_hole(struct lidar_assembly *a, struct lidar_frame *f, unsigned row)
{
    float time_s = (float)((double)row * a->model->column_period_ns * SECONDS_PER_NS);
    for (unsigned i = 0; i < f->returns; i++) {
        size_t at = (size_t)(i * f->rows_max + row) * row_bytes(a);
        uint8_t *to = (uint8_t *)f->room.data + at;
        for (unsigned b = 0; b < a->block_count; b++)
            lidar_block_hole(&a->blocks[b], to + b * LIDAR_BLOCK_BYTES, time_s);
    }
}

static void fill_holes(struct lidar_assembly *a, struct lidar_frame *f, unsigned rows)
{
    for (unsigned word = 0; word * 64 < rows; word++) {
        uint64_t missing = ~f->present[word];
        for (; missing; missing &= missing - 1) {
            unsigned row = word * 64 + (unsigned)__builtin_ctzll(missing);
            if (row < rows)
                write_hole(a, f, row);
        }
    }
}

/* The host's arrival times make a stamp a little better while a frame fills; but after the counter
 * was set, the new time line says nothing of the old one. */
static void update_stamp(const struct lidar_assembly *a, struct lidar_frame *f)
{
    if (f->clock_generation != a->clock->generation)
        return;
    f->stamp_ns = lidar_clock_stamp_ns(a->clock, a->options.stamp, f->start_ns, &f->clock_kind);
    if (a->options.stamp == LIDAR_STAMP_HOST && f->host_first_ns != 0)
        f->stamp_ns = f->host_first_ns - (uint64_t)(f->first_complete_ns - f->start_ns);
}

static uint64_t next_stamp(struct lidar_assembly *a, uint64_t stamp_ns)
{
    if (stamp_ns <= a->last_stamp_ns && a->last_stamp_ns - stamp_ns < STAMP_NOISE_NS)
        stamp_ns = a->last_stamp_ns + 1;
    a->last_stamp_ns = stamp_ns;
    return stamp_ns;
}

static void close_frame(struct lidar_assembly *a, struct lidar_frame *f)
{
    if (!f->is_open)
        return;
    f->is_open = false;
    if (!f->has_room)
        return; /* it was counted when no room was to be had */
    if (f->filled == 0) {
        a->sink.discard(a->sink.context, f->room.handle);
        return;
    }
    unsigned columns = f->columns > f->rows ? f->columns : f->rows;
    unsigned rows = f->returns > 1 ? f->rows_max : columns;
    unsigned height = f->returns * rows;
    fill_holes(a, f, rows);
    sl_stream_fence();
    update_stamp(a, f);
    struct lidar_frame_info info = {
        .stamp_ns = next_stamp(a, f->stamp_ns),
        .clock = f->clock_kind,
        .sensor_ns = f->start_ns,
        .host_first_ns = f->host_first_ns,
        .host_last_ns = f->host_last_ns,
        .width = a->model->lasers,
        .height = height,
        .returns = f->returns,
        .columns = columns,
        .missing = columns - f->filled,
        .valid = f->valid,
        .filtered = f->filtered,
        .partial = f->partial,
        .size_bytes = height * row_bytes(a),
    };
    lidar_count(a->counts, LIDAR_FRAMES);
    if (f->partial)
        lidar_count(a->counts, LIDAR_FRAMES_PARTIAL);
    if (f->partial & LIDAR_PARTIAL_OVERFLOW)
        lidar_count(a->counts, LIDAR_FRAMES_OVERFLOW);
    if (f->partial & LIDAR_PARTIAL_OVERDUE)
        lidar_count(a->counts, LIDAR_FRAMES_OVERDUE);
    a->sink.close(a->sink.context, f->room.handle, &info);
}

/* End both frames, the current one before its time. */
static void end_frames(struct lidar_assembly *a, unsigned partial)
{
    close_frame(a, older_frame(a));
    current_frame(a)->partial |= partial;
    close_frame(a, current_frame(a));
}

static void forget_rotation(struct lidar_assembly *a)
{
    a->has_rotation = false;
    lidar_track_restart(&a->track);
}

static void restart(struct lidar_assembly *a, enum lidar_count why)
{
    lidar_count(a->counts, why);
    end_frames(a, LIDAR_PARTIAL_END);
    forget_rotation(a);
}

/* Beginning. */

static bool borrow_room(struct lidar_assembly *a, struct lidar_frame_room *ret_room)
{
    if (a->sink.open(a->sink.context, ret_room) < 0)
        return false;
    assert((uintptr_t)ret_room->data % LIDAR_ROOM_ALIGNMENT == 0);
    if (ret_room->capacity_bytes >= lidar_model_returns(a->model) * row_bytes(a))
        return true;
    a->sink.discard(a->sink.context, ret_room->handle);
    return false;
}

static unsigned rows_for(const struct lidar_assembly *a, const struct lidar_frame *f,
                         const struct lidar_geometry *g, double past)
{
    size_t rows = LIDAR_FRAME_ROWS_MAX;
    if (f->has_room && f->room.capacity_bytes / row_bytes(a) / f->returns < rows)
        rows = f->room.capacity_bytes / row_bytes(a) / f->returns;
    if (f->returns > 1) {
        double view = (double)a->model->view_share * LIDAR_AZIMUTH_UNITS;
        double to_come = view > 0 ? view : LIDAR_AZIMUTH_UNITS - past;
        double expected = ceil(to_come / g->units_per_column);
        expected += floor(expected / ROWS_MARGIN_DIVISOR) + ROWS_MARGIN;
        if (expected < (double)rows)
            rows = (size_t)expected;
    }
    return (unsigned)rows;
}

/* A frame whose row 0 is `back` columns before `column`. */
static void begin_frame(struct lidar_assembly *a, const struct lidar_packet *packet,
                        const struct lidar_geometry *g, unsigned column, unsigned back,
                        unsigned partial)
{
    struct lidar_frame *f = current_frame(a);
    memset(f, 0, sizeof *f);
    f->is_open = true;
    f->has_room = borrow_room(a, &f->room);
    if (!f->has_room)
        lidar_count(a->counts, LIDAR_FRAMES_DROPPED);
    f->returns = packet->returns;
    f->start_ns = lidar_column_ns(packet, g, column) - (int64_t)back * a->model->column_period_ns;
    f->newest_ns = f->start_ns;
    double past = past_cut(a, lidar_column_units(packet, g, column));
    f->rows_max = rows_for(a, f, g, past - back * g->units_per_column);
    f->partial = partial;
    f->clock_generation = a->clock->generation;
    update_stamp(a, f);
}

/* Columns since the cut, if they fell into a gap of that many. */
static unsigned columns_past_cut(const struct lidar_assembly *a, const struct lidar_packet *packet,
                                 const struct lidar_geometry *g, unsigned column, unsigned gap)
{
    double past = past_cut(a, lidar_column_units(packet, g, column));
    double columns = floor(past / g->units_per_column);
    return columns < gap ? (unsigned)columns : gap;
}

/* The turn is over at `column`. `gap` columns before it did not come, `lost` of them in packets. */
static void cut(struct lidar_assembly *a, const struct lidar_packet *packet,
                const struct lidar_geometry *g, unsigned column, unsigned gap, unsigned lost)
{
    unsigned back = a->model->mirror ? 0 : columns_past_cut(a, packet, g, column, gap);
    struct lidar_frame *done = current_frame(a);
    unsigned lost_after = lost < back ? lost : back;
    done->gap += lost - lost_after;
    int64_t start_ns =
        lidar_column_ns(packet, g, column) - (int64_t)back * a->model->column_period_ns;
    int64_t columns = a->model->mirror ? done->rows : row_of(a, done, start_ns);
    if (columns > done->rows_max) {
        columns = done->rows_max;
        done->partial |= LIDAR_PARTIAL_OVERFLOW;
    }
    done->columns = columns > done->rows ? (unsigned)columns : done->rows;
    done->cut_host_ns = packet->host_ns;
    close_frame(a, older_frame(a));
    a->current ^= 1;
    begin_frame(a, packet, g, column, back, 0);
    current_frame(a)->gap = lost_after;
    if (done->gap == 0)
        close_frame(a, done);
}

/* Placing. */

/* Mark `count` rows (at most 64) as present. Returns a bit for each that was not. */
static uint64_t take_rows(struct lidar_frame *f, unsigned row, unsigned count)
{
    uint64_t mask = count < 64 ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
    unsigned word = row / 64, shift = row % 64;
    uint64_t there = f->present[word] >> shift;
    if (shift > 0)
        there |= f->present[word + 1] << (64 - shift);
    uint64_t taken = ~there & mask;
    f->present[word] |= taken << shift;
    if (shift > 0)
        f->present[word + 1] |= taken >> (64 - shift);
    return taken;
}

/* A run: columns that follow one another in a packet and in a frame. */
struct run {
    struct lidar_frame *frame;
    unsigned column, count; /* in the packet */
    unsigned row;           /* of the first */
    uint64_t wanted;        /* a bit for each column: it is to be written */
};

/* What the blocks of a run have in common, for one return. */
struct lines {
    const struct run *run;
    uint8_t *to;     /* the run's first row */
    double start_s;  /* of its first column, after the frame's */
    double period_s; /* of columns */
    size_t row_bytes;
    unsigned per_block;
    unsigned halves; /* of the block, where it is no more than one column's */
};

/* The two halves of a block are two columns, or the two halves of one. */
static void set_halves(const struct lines *lines, const struct lidar_filter_options *filter,
                       unsigned group, struct lidar_block_job *job)
{
    const struct run *run = lines->run;
    unsigned at = group * lines->per_block - run->column; /* wraps to a huge one before the run */
    for (unsigned half = 0; half < 2; half++) {
        bool is_wanted = at < run->count && (run->wanted >> at & 1);
        double time_s = lines->start_s + at * lines->period_s;
        job->to[half] = is_wanted ? lines->to + at * lines->row_bytes : NULL;
        job->time_s[half] = time_s > 0 ? (float)time_s : 0;
        job->is_left_out[half] = lidar_filter_skips(filter, run->row + at);
        if (lines->per_block == 2)
            at++;
        else if (half >= lines->halves)
            job->to[half] = NULL;
        else if (half == 1 && is_wanted)
            job->to[half] += LIDAR_HALF_BYTES;
    }
}

static void set_turn(const struct lidar_assembly *a, const struct lidar_packet *packet,
                     unsigned group, struct lidar_block_job *job)
{
    if (a->model->mirror)
        lidar_mirror_turn(a->model->mirror, packet->mirror[group], &job->cosine, &job->sine);
    else
        lidar_turn_of(&a->turn, packet->azimuth[group], &job->cosine, &job->sine);
}

/* The jobs of groups that follow one another from `group` on. */
static void decode_jobs(const struct lidar_packet *packet, const struct lidar_geometry *g,
                        struct lidar_block *block, unsigned group, struct lidar_block_job *jobs,
                        unsigned count)
{
    const struct lidar_mirror *mirror = packet->model->mirror;
    int32_t advance = g->is_reversed ? -(int32_t)g->advance : (int32_t)g->advance;
    if (!mirror)
        lidar_block_decode(block, lidar_block_rate(block, advance, g->steps), jobs, count);
    for (unsigned i = 0; mirror && i < count; i++)
        lidar_block_decode(block, lidar_mirror_rate(mirror, packet->mirror[group + i], block),
                           &jobs[i], 1);
}

static bool is_present(const struct lidar_frame *f, unsigned row)
{
    return f->present[row / 64] >> row % 64 & 1;
}

/* Columns without a gap before them. */
static void tell_progress(struct lidar_assembly *a, struct lidar_frame *f)
{
    if (!a->sink.progress)
        return;
    unsigned columns = f->told;
    while (columns < f->rows && is_present(f, columns))
        columns++;
    if (columns == f->told)
        return;
    if (f->told == 0)
        update_stamp(a, f); /* by the first packet's arrival, where that counts */
    f->told = columns;
    sl_stream_fence();
    const struct lidar_frame_progress progress = {
        .stamp_ns = f->stamp_ns,
        .clock = f->clock_kind,
        .host_first_ns = f->host_first_ns,
        .width = a->model->lasers,
        .returns = f->returns,
        .columns = columns,
        .rows = f->rows_max,
    };
    a->sink.progress(a->sink.context, f->room.handle, &progress);
}

/* One block of each of a run's groups. */
static void write_block(struct lidar_assembly *a, const struct lidar_packet *packet,
                        const struct lines *lines, const struct lidar_geometry *g, unsigned which,
                        struct lidar_block *block)
{
    struct lidar_block_job jobs[LIDAR_BLOCKS_MAX];
    const struct run *run = lines->run;
    unsigned first = run->column / lines->per_block;
    unsigned last = (run->column + run->count - 1) / lines->per_block;
    unsigned count = 0;
    for (unsigned group = first; group <= last; group++) {
        struct lidar_block_job *job = &jobs[count++];
        *job = (struct lidar_block_job){.wire = packet->wire[which][group],
                                        .is_dual = packet->returns > 1};
        for (unsigned n = 0; n < which; n++)
            job->equal[n] = packet->wire[n][group];
        if (a->model->firing_orders > 1)
            job->order = packet->order[group];
        set_turn(a, packet, group, job);
        set_halves(lines, &a->options.block.filter, group, job);
    }
    decode_jobs(packet, g, block, first, jobs, count);
    for (unsigned i = 0; i < 2 * count; i++) {
        const struct lidar_block_job *job = &jobs[i / 2];
        if (!job->to[i % 2])
            continue;
        run->frame->valid += job->valid[i % 2];
        if (block->is_filtered)
            run->frame->filtered += job->filtered[i % 2];
    }
}

static void write_run(struct lidar_assembly *a, const struct lidar_packet *packet,
                      const struct lidar_geometry *g, const struct run *run)
{
    const struct lidar_frame *f = run->frame;
    int64_t since_ns = lidar_column_ns(packet, g, run->column) - f->start_ns;
    struct lines lines = {
        .run = run,
        .start_s = (double)since_ns * SECONDS_PER_NS,
        .period_s = a->model->column_period_ns * SECONDS_PER_NS,
        .row_bytes = row_bytes(a),
        .per_block = a->model->columns_per_block,
    };
    for (unsigned which = 0; which < packet->returns; which++) {
        size_t row = which * f->rows_max + run->row;
        for (unsigned i = 0; i < a->block_count; i++) {
            struct lidar_block *block = &a->blocks[i];
            lines.to = (uint8_t *)f->room.data + row * lines.row_bytes + i * LIDAR_BLOCK_BYTES;
            lines.halves = (block->points + LIDAR_HALF_POINTS - 1) / LIDAR_HALF_POINTS;
            write_block(a, packet, &lines, g, which, block);
        }
    }
}

/* Write columns [from, to) of the packet, which must not jump in between, into the frame.
 * Returns how many were new; *ret_fitting is how many have a row in the frame. */
static unsigned place_run(struct lidar_assembly *a, const struct lidar_packet *packet,
                          const struct lidar_geometry *g, struct lidar_frame *f, unsigned from,
                          unsigned to, unsigned *ret_fitting)
{
    int64_t row = row_of(a, f, lidar_column_ns(packet, g, from));
    for (; row < 0 && from < to; row++)
        from++;
    *ret_fitting = 0;
    if (from >= to || row >= f->rows_max)
        return 0;
    unsigned room = f->rows_max - (unsigned)row;
    struct run run = {
        .frame = f,
        .column = from,
        .count = to - from < room ? to - from : room,
        .row = (unsigned)row,
    };
    run.wanted = take_rows(f, run.row, run.count);
    unsigned placed = (unsigned)__builtin_popcountll(run.wanted);
    *ret_fitting = run.count;
    if (placed == 0)
        return 0;
    f->filled += placed;
    if (run.row + run.count > f->rows)
        f->rows = run.row + run.count;
    if (f->host_first_ns == 0) {
        f->host_first_ns = packet->host_ns;
        f->first_complete_ns =
            lidar_column_ns(packet, g, g->column_count - 1) + a->model->column_period_ns;
    }
    f->host_last_ns = packet->host_ns;
    if (f->has_room) {
        write_run(a, packet, g, &run);
        tell_progress(a, f);
    }
    return placed;
}

/* Columns [from, to) that follow the rotation and hold no cut. Where a frame is full the next one
 * begins. */
static void place_on(struct lidar_assembly *a, const struct lidar_packet *packet,
                     const struct lidar_geometry *g, unsigned from, unsigned to)
{
    while (from < to) {
        struct lidar_frame *f = current_frame(a);
        int64_t row = row_of(a, f, lidar_column_ns(packet, g, from));
        int64_t room = row < (int64_t)f->rows_max ? (int64_t)f->rows_max - row : 0;
        unsigned until = to - from <= room ? to : from + (unsigned)room;
        unsigned fitting = 0;
        if (until > from) {
            place_run(a, packet, g, f, from, until, &fitting);
            f->newest_ns = lidar_column_ns(packet, g, until - 1);
            f->newest_row = (unsigned)row + (until - 1 - from);
        }
        from = until;
        if (from < to) {
            end_frames(a, LIDAR_PARTIAL_OVERFLOW);
            begin_frame(a, packet, g, from, 0, LIDAR_PARTIAL_START);
        }
    }
}

/* As place_on, but over the cut if it lies between two of these columns. */
static void place_over_cut(struct lidar_assembly *a, const struct lidar_packet *packet,
                           const struct lidar_geometry *g, unsigned from, unsigned to)
{
    double first = past_cut(a, lidar_column_units(packet, g, from));
    double end = first + (to - from) * g->units_per_column + 2 * LIDAR_JITTER_UNITS;
    if (end >= LIDAR_AZIMUTH_UNITS) {
        double before = first;
        for (unsigned column = from + 1; column < to; column++) {
            double past = past_cut(a, lidar_column_units(packet, g, column));
            if (is_crossing(before, past)) {
                place_on(a, packet, g, from, column);
                cut(a, packet, g, column, 0, 0);
                from = column;
            }
            before = past;
        }
    }
    place_on(a, packet, g, from, to);
}

/* Columns that the packets between the last one and this one would have held. */
static unsigned gap_before(struct lidar_assembly *a, const struct lidar_packet *packet,
                           const struct lidar_geometry *g)
{
    int64_t period_ns = a->model->column_period_ns;
    int64_t gap_ns = packet->time_ns - a->next_ns;
    int64_t packet_ns = (int64_t)g->column_count * period_ns;
    if (gap_ns < packet_ns / 2)
        return 0;
    a->counts->count[LIDAR_GAP] += (uint64_t)((gap_ns + packet_ns / 2) / packet_ns);
    int64_t columns = (gap_ns + period_ns / 2) / period_ns;
    return columns < LIDAR_FRAME_ROWS_MAX ? (unsigned)columns : LIDAR_FRAME_ROWS_MAX;
}

/* The last packet jumped over a blind part and took its time from the rate of a few columns. This
 * one's stamp knows better: it goes on right behind. */
static void settle_jump(struct lidar_assembly *a, const struct lidar_packet *packet)
{
    int64_t off_ns = packet->time_ns - a->next_ns;
    if (a->blind_ns == 0 || llabs(off_ns) > a->blind_ns / BLIND_DIVISOR)
        return;
    current_frame(a)->newest_ns += off_ns;
    a->last_ns += off_ns;
    a->next_ns += off_ns;
}

/* Is the packet's beginning where the rotation must have come to since the last one? */
static bool is_on_course(const struct lidar_assembly *a, double first_units, double expected_units)
{
    double actual = first_units - a->last_units;
    double off = fmod(actual - expected_units, LIDAR_AZIMUTH_UNITS);
    if (off > LIDAR_AZIMUTH_UNITS / 2.0)
        off -= LIDAR_AZIMUTH_UNITS;
    if (off < -LIDAR_AZIMUTH_UNITS / 2.0)
        off += LIDAR_AZIMUTH_UNITS;
    return fabs(off) <= OFF_COURSE_UNITS + OFF_COURSE_SHARE * expected_units;
}

/* From the last packet to this one: over a gap, over the cut, or to a new beginning. */
static void step_to_packet(struct lidar_assembly *a, const struct lidar_packet *packet,
                           const struct lidar_geometry *g)
{
    unsigned gap = 0;
    double first_units = lidar_column_units(packet, g, 0), past = past_cut(a, first_units);
    /* a mirror's sweep ends where it ends, and the next one begins some time later */
    bool is_sweep =
        a->model->mirror && a->has_rotation && is_crossing(past_cut(a, a->last_units), past);
    if (a->has_rotation) {
        settle_jump(a, packet);
        double columns = (double)(packet->time_ns - a->last_ns) / a->model->column_period_ns;
        double expected_units = columns * g->units_per_column;
        gap = is_sweep ? 0 : gap_before(a, packet, g);
        if (expected_units >= LIDAR_AZIMUTH_UNITS)
            restart(a, LIDAR_RESTART_AHEAD);
        else if (!is_on_course(a, first_units, expected_units))
            restart(a, LIDAR_RESTART_ROTATION);
    }
    if (!current_frame(a)->is_open) {
        bool is_at_cut = past < g->units_per_column || (is_sweep && a->has_rotation);
        begin_frame(a, packet, g, 0, 0, is_at_cut ? 0 : LIDAR_PARTIAL_START);
    } else if (is_crossing(past_cut(a, a->last_units), past)) {
        cut(a, packet, g, 0, gap, gap);
    } else {
        current_frame(a)->gap += gap;
    }
}

static void place_next(struct lidar_assembly *a, const struct lidar_packet *packet,
                       const struct lidar_geometry *g)
{
    unsigned last = g->column_count - 1;
    step_to_packet(a, packet, g);
    place_over_cut(a, packet, g, 0, g->jump_column);
    if (g->jump_column < g->column_count) {
        double before = past_cut(a, lidar_column_units(packet, g, g->jump_column - 1));
        double after = past_cut(a, lidar_column_units(packet, g, g->jump_column));
        if (is_crossing(before, after))
            cut(a, packet, g, g->jump_column, (unsigned)(g->jump_ns / a->model->column_period_ns),
                0);
        place_over_cut(a, packet, g, g->jump_column, g->column_count);
    }
    a->has_rotation = true;
    a->last_ns = lidar_column_ns(packet, g, last);
    a->last_units = lidar_column_units(packet, g, last);
    a->next_ns = a->last_ns + a->model->column_period_ns;
    a->blind_ns = g->jump_ns;
    if (!a->model->mirror) /* whose frame is no turn */
        a->turn_ns = (uint64_t)(LIDAR_AZIMUTH_UNITS / g->units_per_column *
                                (double)a->model->column_period_ns);
    a->last_host_ns = packet->host_ns;
    older_frame(a)->packets_since_cut++;
}

/* Into the frame that was open at its time, column by column of one frame. */
static void place_late(struct lidar_assembly *a, const struct lidar_packet *packet,
                       const struct lidar_geometry *g)
{
    unsigned placed = 0, fitting = 0;
    for (unsigned from = 0, to; from < g->column_count; from = to) {
        struct lidar_frame *f = current_frame(a);
        bool is_older = row_of(a, f, lidar_column_ns(packet, g, from)) < 0;
        for (to = from + 1; to < g->column_count && to != g->jump_column; to++) {
            if ((row_of(a, f, lidar_column_ns(packet, g, to)) < 0) != is_older)
                break;
        }
        if (is_older)
            f = older_frame(a);
        if (!f->is_open || f->returns != packet->returns)
            continue;
        unsigned run_fitting = 0;
        unsigned run_placed = place_run(a, packet, g, f, from, to, &run_fitting);
        f->gap -= run_placed < f->gap ? run_placed : f->gap;
        placed += run_placed;
        fitting += run_fitting;
    }
    lidar_count(a->counts, placed > 0    ? LIDAR_REORDERED
                           : fitting > 0 ? LIDAR_DUPLICATE
                                         : LIDAR_LATE);
}

static void begin_step(struct lidar_assembly *a, const struct lidar_packet *packet,
                       enum lidar_clock_step step)
{
    if (step == LIDAR_STEP_BACK)
        restart(a, LIDAR_RESTART_BACK);
    else if (step == LIDAR_STEP_AHEAD)
        restart(a, LIDAR_RESTART_AHEAD);
    else if (step == LIDAR_STEP_NEXT && current_frame(a)->is_open &&
             current_frame(a)->returns != packet->returns)
        restart(a, LIDAR_RESTART_MODE);
}

void lidar_assembly_push(struct lidar_assembly *a, const struct lidar_packet *packet,
                         enum lidar_clock_step step)
{
    struct lidar_geometry geometry;
    bool was_reversed = a->track.is_reversed;
    begin_step(a, packet, step);
    if (!lidar_geometry_of(packet, &a->track, step != LIDAR_STEP_LATE, &geometry)) {
        lidar_count(a->counts, LIDAR_BAD_ROTATION);
        if (step != LIDAR_STEP_LATE) {
            end_frames(a, LIDAR_PARTIAL_END);
            forget_rotation(a);
        }
        return;
    }
    if (a->has_rotation && geometry.is_reversed != was_reversed)
        restart(a, LIDAR_RESTART_ROTATION);
    if (step == LIDAR_STEP_LATE)
        place_late(a, packet, &geometry);
    else
        place_next(a, packet, &geometry);
    struct lidar_frame *older = older_frame(a);
    if (older->is_open && (older->gap == 0 || older->packets_since_cut > LIDAR_LATE_PACKETS))
        close_frame(a, older);
}

/* Time and ends. */

static bool is_overdue(uint64_t since_ns, uint64_t wait_ns, uint64_t now_ns)
{
    return since_ns != 0 && now_ns >= since_ns && now_ns - since_ns >= wait_ns;
}

/* A sensor that sends a part of each turn is silent for the rest of it. */
static uint64_t overdue_ns(const struct lidar_assembly *a)
{
    return a->turn_ns > LIDAR_OVERDUE_NS ? a->turn_ns : LIDAR_OVERDUE_NS;
}

/* A mirror's sweep is over, and nothing more of this frame will come. */
static bool is_swept(const struct lidar_assembly *a)
{
    return a->model->mirror && a->has_rotation && a->frames[a->current].is_open &&
           a->last_units >= a->model->mirror->fields * LIDAR_MIRROR_SWEPT;
}

void lidar_assembly_deadline(struct lidar_assembly *a, uint64_t now_ns)
{
    struct lidar_frame *older = older_frame(a);
    if (older->is_open && is_overdue(older->cut_host_ns, LIDAR_LATE_WAIT_NS, now_ns))
        close_frame(a, older);
    if (is_swept(a) && is_overdue(a->last_host_ns, LIDAR_LATE_WAIT_NS, now_ns))
        end_frames(a, 0);
    if (current_frame(a)->is_open && is_overdue(a->last_host_ns, overdue_ns(a), now_ns)) {
        end_frames(a, LIDAR_PARTIAL_END | LIDAR_PARTIAL_OVERDUE);
        forget_rotation(a);
    }
}

uint64_t lidar_assembly_due_ns(const struct lidar_assembly *a)
{
    uint64_t due_ns = UINT64_MAX;
    const struct lidar_frame *older = &a->frames[a->current ^ 1];
    if (a->frames[a->current].is_open && a->last_host_ns != 0)
        due_ns = a->last_host_ns + (is_swept(a) ? LIDAR_LATE_WAIT_NS : overdue_ns(a));
    if (older->is_open && older->cut_host_ns != 0 &&
        older->cut_host_ns + LIDAR_LATE_WAIT_NS < due_ns)
        due_ns = older->cut_host_ns + LIDAR_LATE_WAIT_NS;
    return due_ns;
}

void lidar_assembly_flush(struct lidar_assembly *a)
{
    end_frames(a, LIDAR_PARTIAL_END);
    forget_rotation(a);
}

void lidar_assembly_discard(struct lidar_assembly *a)
{
    for (unsigned i = 0; i < 2; i++) {
        struct lidar_frame *f = &a->frames[i];
        if (f->is_open && f->has_room)
            a->sink.discard(a->sink.context, f->room.handle);
        f->is_open = false;
    }
    a->has_rotation = false;
}
