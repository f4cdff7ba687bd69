/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_frames.c - which frame a packet belongs to, its place in there, and when a frame is done.
 *
 * From the general to the particular: push takes a packet; step finds its frame; place_packet
 * writes its columns; close_frame fills the holes and hands on.
 */
#include "drivers/lidar/ouster_frames.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/uncached/stream.h"

#define PI          3.14159265358979323846
#define NS_PER_S    1e9
#define S_PER_NS    1e-9
#define M_PER_MM    1e-3
#define FRAMES_BACK 2   /* older frame ids are no late packets any more */
#define FRAMES_LOST 100 /* more are not counted packet by packet: the sensor was elsewhere */
#define TURNS_AHEAD 4.0 /* stamps of one frame, or of two in a row, are not further apart */
#define TURNS_BACK  3.0
/* Stamps do not go back by the noise of arrival times; by more they do. */
#define STAMP_NOISE_NS SL_NS_PER_S
#define STAMP_MASK     INT64_C(0x3FFFFFFFFFFFFFFF) /* up to the year 2116; sums do not overflow */
/* A clock that has been set tells a year of this century. */
#define CENTURY_NS INT64_C(946684800000000000)

size_t ouster_frame_bytes(const struct ouster_metadata *metadata)
{
    return (size_t)ouster_window_columns(metadata) * metadata->format.profile->returns *
           metadata->format.beams * LIDAR_POINT_BYTES;
}

/* Beginning. */

static struct lidar_column_bits bits_of(const struct ouster_profile *profile,
                                        enum ouster_field field)
{
    struct ouster_bits bits = profile->field[field];
    return (struct lidar_column_bits){
        .word = bits.offset / 32,
        .shift = bits.offset % 32,
        .scale = bits.scale,
        .mask = (UINT32_C(1) << bits.width) - 1,
    };
}

/* The sensor's own transform and then the caller's, as 3 x 4 in metres. */
static void set_frame(const struct ouster_metadata *metadata,
                      const struct lidar_block_options *options, double to[12])
{
    static const double identity[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    double outer[12];
    for (unsigned i = 0; i < 12; i++)
        outer[i] = options->has_extrinsics ? (double)options->extrinsics[i] : identity[i];
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned at = 0; at < 4; at++) {
            double sum = at == 3 ? outer[4 * row + 3] : 0;
            for (unsigned i = 0; i < 3; i++) {
                double unit = at == 3 ? M_PER_MM : 1;
                sum += outer[4 * row + i] * metadata->lidar_to_sensor[4 * i + at] * unit;
            }
            to[4 * row + at] = sum;
        }
    }
}

static void init_column(struct ouster_frames *f, const struct lidar_column_kernel *kernel)
{
    const struct ouster_metadata *m = &f->metadata;
    const struct ouster_profile *profile = m->format.profile;
    bool has_signal = profile->field[OUSTER_SIGNAL].width > 0 && f->options.uses_signal;
    struct lidar_column_config config = {
        .rows = m->format.beams,
        .pixel_words = profile->pixel_bytes / 4,
        .returns = profile->returns,
        .altitude_deg = m->altitude_deg,
        .azimuth_deg = m->azimuth_deg,
        .origin_x_m = m->beam_to_lidar[3] * M_PER_MM,
        .origin_z_m = m->beam_to_lidar[11] * M_PER_MM,
        .range_min_m = f->options.points.range_min_m,
        .range_max_m = f->options.points.range_max_m,
        .has_extrinsics = f->options.points.has_extrinsics,
        .filter = f->options.points.filter,
    };
    memcpy(config.extrinsics, f->options.points.extrinsics, sizeof config.extrinsics);
    config.range[0] = bits_of(profile, OUSTER_RANGE);
    config.range[1] = bits_of(profile, OUSTER_RANGE2);
    config.intensity[0] = bits_of(profile, has_signal ? OUSTER_SIGNAL : OUSTER_REFLECTIVITY);
    config.intensity[1] = bits_of(profile, has_signal ? OUSTER_SIGNAL2 : OUSTER_REFLECTIVITY2);
    set_frame(m, &f->options.points, config.to_frame);
    lidar_column_init(&f->column, kernel, &config);
}

static void init_window(struct ouster_frames *f)
{
    const struct ouster_format *format = &f->metadata.format;
    unsigned packets = format->frame_columns / format->columns;
    f->rows = ouster_window_columns(&f->metadata);
    f->first_id =
        f->metadata.window_first <= f->metadata.window_last ? f->metadata.window_first : 0;
    for (unsigned packet = 0; packet < packets; packet++) {
        bool is_expected = false;
        for (unsigned i = 0; i < format->columns; i++)
            is_expected |= ouster_window_row(&f->metadata, packet * format->columns + i) >= 0;
        f->place[packet] = is_expected ? (uint16_t)f->expected++ : UINT16_MAX;
    }
}

void ouster_frames_init(struct ouster_frames *frames, const struct ouster_metadata *metadata,
                        const struct ouster_frames_options *options,
                        const struct lidar_frame_sink *sink, struct lidar_counts *counts,
                        const struct lidar_column_kernel *kernel)
{
    memset(frames, 0, sizeof *frames);
    frames->metadata = *metadata;
    frames->options = *options;
    frames->sink = *sink;
    frames->counts = counts;
    unsigned columns = metadata->format.frame_columns;
    frames->period_ns = NS_PER_S / metadata->turns_hz / columns;
    for (unsigned m = 0; m < columns; m++) {
        double te = 2 * PI * (1 - (double)m / columns);
        frames->cosine[m] = cos(te);
        frames->sine[m] = sin(te);
    }
    init_window(frames);
    init_column(frames, kernel);
}

static struct ouster_frame *current_frame(struct ouster_frames *f)
{
    return &f->frames[f->current];
}

static struct ouster_frame *older_frame(struct ouster_frames *f)
{
    return &f->frames[f->current ^ 1];
}

static size_t row_bytes(const struct ouster_frames *f)
{
    return (size_t)f->metadata.format.beams * LIDAR_POINT_BYTES;
}

static uint8_t *row_at(const struct ouster_frames *f, const struct ouster_frame *frame,
                       unsigned which, unsigned row)
{
    return (uint8_t *)frame->room.data + (size_t)(which * f->rows + row) * row_bytes(f);
}

/* Time of a column after the frame's stamp, by the number of columns. */
static double nominal_ns(const struct ouster_frames *f, unsigned measurement_id)
{
    return ((double)measurement_id - f->first_id) * f->period_ns;
}

/* Closing. */

static void write_hole(struct ouster_frames *f, struct ouster_frame *frame, unsigned row,
                       float time_s)
{
    for (unsigned which = 0; which < f->column.returns; which++)
        lidar_column_hole(&f->column, row_at(f, frame, which, row), time_s);
}

static bool has_packet(const struct ouster_frame *frame, unsigned place)
{
    return frame->present[place / 64] >> place % 64 & 1;
}

static void fill_holes(struct ouster_frames *f, struct ouster_frame *frame)
{
    if (frame->packets == f->expected)
        return;
    for (unsigned m = 0; m < f->metadata.format.frame_columns; m++) {
        unsigned place = f->place[m / f->metadata.format.columns];
        int row = ouster_window_row(&f->metadata, m);
        if (row >= 0 && !has_packet(frame, place))
            write_hole(f, frame, (unsigned)row, (float)(nominal_ns(f, m) * S_PER_NS));
    }
}

uint64_t ouster_frames_stamp_ns(const struct ouster_frames *f, int64_t sensor_ns,
                                enum lidar_clock_kind *ret_kind)
{
    enum ouster_clock source = f->metadata.clock;
    if (f->options.stamp == LIDAR_STAMP_SENSOR && source != OUSTER_CLOCK_FREE &&
        sensor_ns > CENTURY_NS) {
        bool is_ptp = source == OUSTER_CLOCK_PTP;
        *ret_kind = is_ptp ? LIDAR_CLOCK_PTP : LIDAR_CLOCK_GPS;
        return (uint64_t)(sensor_ns - (is_ptp ? f->options.ptp_ahead_ns : 0));
    }
    return lidar_clock_stamp_ns(&f->clock, f->options.stamp, sensor_ns, ret_kind);
}

static uint64_t next_stamp(struct ouster_frames *f, uint64_t stamp_ns)
{
    if (stamp_ns <= f->last_stamp_ns && f->last_stamp_ns - stamp_ns < STAMP_NOISE_NS)
        stamp_ns = f->last_stamp_ns + 1;
    f->last_stamp_ns = stamp_ns;
    return stamp_ns;
}

static uint64_t frame_stamp_ns(const struct ouster_frames *f, const struct ouster_frame *frame,
                               enum lidar_clock_kind *ret_kind)
{
    uint64_t stamp_ns = ouster_frames_stamp_ns(f, frame->start_ns, ret_kind);
    if (f->options.stamp == LIDAR_STAMP_HOST && frame->host_first_ns != 0)
        stamp_ns = frame->host_first_ns - (uint64_t)(frame->first_complete_ns - frame->start_ns);
    return stamp_ns;
}

static void close_frame(struct ouster_frames *f, struct ouster_frame *frame, unsigned partial)
{
    if (!frame->is_open)
        return;
    frame->is_open = false;
    if (!frame->has_room)
        return; /* it was counted when no room was to be had */
    fill_holes(f, frame);
    sl_stream_fence();
    partial |= frame->partial;
    if (frame->packets == f->expected)
        partial = 0;
    struct lidar_frame_info info = {
        .sensor_ns = frame->start_ns,
        .host_first_ns = frame->host_first_ns,
        .host_last_ns = frame->host_last_ns,
        .width = f->metadata.format.beams,
        .height = f->rows * f->column.returns,
        .returns = f->column.returns,
        .columns = f->rows,
        .missing = f->rows - frame->columns,
        .valid = frame->valid,
        .filtered = frame->filtered,
        .partial = partial,
        .size_bytes = ouster_frame_bytes(&f->metadata),
    };
    info.stamp_ns = next_stamp(f, frame_stamp_ns(f, frame, &info.clock));
    lidar_count(f->counts, LIDAR_FRAMES);
    if (partial)
        lidar_count(f->counts, LIDAR_FRAMES_PARTIAL);
    if (partial & LIDAR_PARTIAL_OVERDUE)
        lidar_count(f->counts, LIDAR_FRAMES_OVERDUE);
    if (f->options.pixels.close)
        f->options.pixels.close(f->options.pixels.context, (unsigned)(frame - f->frames), &info);
    f->sink.close(f->sink.context, frame->room.handle, &info);
}

static void end_frames(struct ouster_frames *f, unsigned partial)
{
    close_frame(f, older_frame(f), 0);
    close_frame(f, current_frame(f), partial);
}

static void restart(struct ouster_frames *f, enum lidar_count why)
{
    lidar_count(f->counts, why);
    end_frames(f, LIDAR_PARTIAL_END);
    lidar_clock_restart(&f->clock);
    f->has_begun = false;
}

/* Opening. */

static bool borrow_room(struct ouster_frames *f, struct lidar_frame_room *ret_room)
{
    if (f->sink.open(f->sink.context, ret_room) < 0)
        return false;
    assert((uintptr_t)ret_room->data % LIDAR_COLUMN_ALIGNMENT == 0);
    if (ret_room->capacity_bytes >= ouster_frame_bytes(&f->metadata))
        return true;
    f->sink.discard(f->sink.context, ret_room->handle);
    return false;
}

/* A packet with its place in the turn. */
struct placed {
    const struct ouster_packet *packet;
    unsigned first_id; /* measurement id of its first column */
    unsigned place;    /* among the expected packets */
    int64_t stamp_ns;  /* of its first column */
    uint64_t host_ns;
};

static void begin_frame(struct ouster_frames *f, const struct placed *p)
{
    close_frame(f, older_frame(f), 0);
    f->current ^= 1;
    struct ouster_frame *older = older_frame(f), *frame = current_frame(f);
    older->overtaken_ns = p->host_ns;
    memset(frame, 0, sizeof *frame);
    frame->is_open = true;
    frame->has_room = borrow_room(f, &frame->room);
    if (!frame->has_room)
        lidar_count(f->counts, LIDAR_FRAMES_DROPPED);
    frame->id = p->packet->frame_id;
    frame->start_ns = p->stamp_ns - (int64_t)llround(nominal_ns(f, p->first_id));
    frame->host_first_ns = p->host_ns;
    frame->first_complete_ns = p->stamp_ns + (int64_t)(p->packet->format->columns * f->period_ns);
    if (!f->has_begun && p->place > 0)
        frame->partial = LIDAR_PARTIAL_START;
    if (frame->has_room && f->options.pixels.begin)
        f->options.pixels.begin(f->options.pixels.context, f->current);
}

/* Placing. */

/* Where the packet stands in the turn. The columns that the sensor calls invalid need not say. */
static enum lidar_count find_place(const struct ouster_frames *f, struct placed *p)
{
    const struct ouster_format *format = p->packet->format;
    struct ouster_column column;
    bool is_known = false;
    int first_id = 0;
    for (unsigned i = 0; i < format->columns; i++) {
        ouster_packet_column(p->packet, i, &column);
        int id = (int)column.measurement_id - (int)i;
        if (i == 0) {
            first_id = id;
            p->stamp_ns = (int64_t)(column.stamp_ns & STAMP_MASK);
        }
        if (!column.is_valid)
            continue;
        if (is_known && id != first_id)
            return LIDAR_BAD_AZIMUTH;
        if (!is_known)
            p->stamp_ns =
                (int64_t)(column.stamp_ns & STAMP_MASK) - (int64_t)llround(i * f->period_ns);
        is_known = true;
        first_id = id;
    }
    if (first_id < 0 || first_id >= format->frame_columns || first_id % format->columns != 0)
        return LIDAR_BAD_AZIMUTH;
    p->first_id = (unsigned)first_id;
    p->place = f->place[p->first_id / format->columns];
    return p->place < f->expected ? LIDAR_PACKETS : LIDAR_OTHER_MODEL;
}

/* A column's time after the frame's stamp: its own stamp's, if that can be. */
static float time_of(const struct ouster_frames *f, const struct ouster_frame *frame,
                     uint64_t stamp_ns, unsigned measurement_id)
{
    double nominal = nominal_ns(f, measurement_id);
    double since = (double)(int64_t)(stamp_ns - (uint64_t)frame->start_ns);
    double turn_ns = f->period_ns * f->metadata.format.frame_columns;
    if (!(fabs(since - nominal) < turn_ns / 2))
        since = nominal;
    return since > 0 ? (float)(since * S_PER_NS) : 0;
}

static void write_packet(struct ouster_frames *f, struct ouster_frame *frame,
                         const struct placed *p)
{
    struct lidar_column_job jobs[OUSTER_COLUMNS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < p->packet->format->columns; i++) {
        struct ouster_column column;
        unsigned m = p->first_id + i;
        int row = ouster_window_row(&f->metadata, m);
        if (row < 0)
            continue;
        ouster_packet_column(p->packet, i, &column);
        if (!column.is_valid) {
            write_hole(f, frame, (unsigned)row, (float)(nominal_ns(f, m) * S_PER_NS));
            continue;
        }
        if (f->options.pixels.column)
            f->options.pixels.column(f->options.pixels.context, (unsigned)(frame - f->frames), m,
                                     column.pixels);
        struct lidar_column_job *job = &jobs[count++];
        *job = (struct lidar_column_job){
            .pixels = column.pixels,
            .cosine = f->cosine[m],
            .sine = f->sine[m],
            .time_s = time_of(f, frame, column.stamp_ns, m),
            .is_left_out = lidar_filter_skips(&f->options.points.filter, (unsigned)row),
        };
        for (unsigned which = 0; which < f->column.returns; which++)
            job->to[which] = row_at(f, frame, which, (unsigned)row);
    }
    lidar_column_decode(&f->column, jobs, count);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned which = 0; which < f->column.returns; which++) {
            frame->valid += jobs[i].valid[which];
            if (f->column.is_filtered)
                frame->filtered += jobs[i].filtered[which];
        }
    }
}

/* Columns of the packets without a gap before them. The window may begin within the first one. */
static void tell_progress(struct ouster_frames *f, struct ouster_frame *frame)
{
    if (!f->sink.progress)
        return;
    unsigned packets = frame->told;
    while (packets < f->expected && has_packet(frame, packets))
        packets++;
    if (packets == frame->told)
        return;
    frame->told = packets;
    sl_stream_fence();
    unsigned of_packet = f->metadata.format.columns;
    unsigned columns = packets * of_packet - f->first_id % of_packet;
    struct lidar_frame_progress progress = {
        .host_first_ns = frame->host_first_ns,
        .width = f->metadata.format.beams,
        .returns = f->column.returns,
        .columns = columns < f->rows ? columns : f->rows,
        .rows = f->rows,
    };
    progress.stamp_ns = frame_stamp_ns(f, frame, &progress.clock);
    f->sink.progress(f->sink.context, frame->room.handle, &progress);
}

static void place_packet(struct ouster_frames *f, struct ouster_frame *frame,
                         const struct placed *p)
{
    const struct ouster_format *format = p->packet->format;
    if (has_packet(frame, p->place)) {
        lidar_count(f->counts, LIDAR_DUPLICATE);
        return;
    }
    frame->present[p->place / 64] |= UINT64_C(1) << p->place % 64;
    frame->packets++;
    for (unsigned i = 0; i < format->columns; i++)
        frame->columns += ouster_window_row(&f->metadata, p->first_id + i) >= 0;
    if (p->place < frame->next || frame != current_frame(f))
        lidar_count(f->counts, LIDAR_REORDERED); /* and counted as a gap before */
    if (p->place >= frame->next)
        frame->next = p->place + 1;
    frame->host_last_ns = p->host_ns;
    if (frame->has_room) {
        write_packet(f, frame, p);
        tell_progress(f, frame);
    }
}

/* From the newest packet to this one. */

static int32_t frames_ahead(const struct ouster_packet *packet, uint32_t newest_id)
{
    uint32_t ahead = packet->frame_id - newest_id;
    return packet->frame_id_mask == UINT16_MAX ? (int16_t)(uint16_t)ahead : (int32_t)ahead;
}

/* Has the sensor, or its clock, begun anew? LIDAR_COUNTS = no. */
static enum lidar_count find_restart(const struct ouster_frames *f, const struct placed *p,
                                     int32_t ahead)
{
    double turn_ns = f->period_ns * f->metadata.format.frame_columns;
    double step_ns = (double)(p->stamp_ns - f->newest_ns);
    if (p->packet->has_identity && p->packet->init_id != f->init_id)
        return LIDAR_RESTART_SENSOR;
    if (ahead < -FRAMES_BACK || step_ns < -TURNS_BACK * turn_ns)
        return LIDAR_RESTART_BACK;
    if (ahead > FRAMES_LOST || (ahead <= 1 && step_ns > TURNS_AHEAD * turn_ns))
        return LIDAR_RESTART_AHEAD;
    return LIDAR_COUNTS;
}

/* Packets that were left out before this one, which is not older than the newest. */
static void count_gap(struct ouster_frames *f, const struct placed *p, int32_t ahead)
{
    uint64_t *gap = &f->counts->count[LIDAR_GAP];
    const struct ouster_frame *frame = current_frame(f);
    if (!f->has_begun)
        return;
    if (ahead == 0) {
        if (p->place > frame->next)
            *gap += p->place - frame->next;
        return;
    }
    *gap += f->expected - frame->next + p->place;
    *gap += (uint64_t)(ahead - 1) * f->expected;
}

static void place_next(struct ouster_frames *f, const struct placed *p, int32_t ahead)
{
    count_gap(f, p, ahead);
    if (ahead > 0 || !f->has_begun)
        begin_frame(f, p);
    f->has_begun = true;
    f->newest_id = p->packet->frame_id;
    f->init_id = p->packet->init_id;
    if (ahead > 0 || p->stamp_ns > f->newest_ns)
        f->newest_ns = p->stamp_ns;
    struct ouster_frame *frame = current_frame(f), *older = older_frame(f);
    older->packets_since++;
    if (frame->is_open)
        place_packet(f, frame, p);
    else /* closed because it was whole, or overdue */
        lidar_count(f->counts, frame->packets == f->expected ? LIDAR_DUPLICATE : LIDAR_LATE);
}

static void place_late(struct ouster_frames *f, const struct placed *p)
{
    struct ouster_frame *older = older_frame(f);
    if (older->is_open && older->id == p->packet->frame_id)
        place_packet(f, older, p);
    else
        lidar_count(f->counts, LIDAR_LATE);
}

static void close_finished(struct ouster_frames *f)
{
    struct ouster_frame *older = older_frame(f), *frame = current_frame(f);
    bool is_whole = frame->is_open && frame->packets == f->expected;
    if (older->packets == f->expected || older->packets_since > LIDAR_LATE_PACKETS || is_whole)
        close_frame(f, older, 0);
    if (is_whole)
        close_frame(f, frame, 0);
}

enum lidar_count ouster_frames_push(struct ouster_frames *f, const struct ouster_packet *packet,
                                    uint64_t host_ns)
{
    struct placed p = {.packet = packet, .host_ns = host_ns};
    enum lidar_count verdict = find_place(f, &p);
    lidar_count(f->counts, verdict);
    if (verdict != LIDAR_PACKETS)
        return verdict;
    int32_t ahead = f->has_begun ? frames_ahead(packet, f->newest_id) : 0;
    if (f->has_begun) {
        enum lidar_count why = find_restart(f, &p, ahead);
        if (why != LIDAR_COUNTS) {
            restart(f, why);
            ahead = 0;
        }
    }
    if (!f->has_begun)
        f->newest_ns = p.stamp_ns;
    double packet_ns = packet->format->columns * f->period_ns;
    lidar_clock_observe(&f->clock, p.stamp_ns + (int64_t)packet_ns, host_ns);
    f->last_host_ns = host_ns;
    if (ahead < 0)
        place_late(f, &p);
    else
        place_next(f, &p, ahead);
    close_finished(f);
    return LIDAR_PACKETS;
}

/* Time and ends. */

/* When the rest of the current frame should have come: its last column's time, a packet, and what a
 * network may take. */
static uint64_t current_due_ns(const struct ouster_frames *f)
{
    const struct ouster_metadata *m = &f->metadata;
    const struct ouster_frame *frame = &f->frames[f->current];
    if (!frame->is_open || f->last_host_ns == 0)
        return UINT64_MAX;
    unsigned last_id =
        m->window_first <= m->window_last ? m->window_last : m->format.frame_columns - 1u;
    double left_ns = nominal_ns(f, last_id + 1) - (double)(f->newest_ns - frame->start_ns);
    double packet_ns = m->format.columns * f->period_ns;
    if (!(left_ns > 0))
        left_ns = 0;
    return f->last_host_ns + (uint64_t)(left_ns + packet_ns) + LIDAR_LATE_WAIT_NS;
}

static uint64_t older_due_ns(const struct ouster_frames *f)
{
    const struct ouster_frame *older = &f->frames[f->current ^ 1];
    if (!older->is_open || older->overtaken_ns == 0)
        return UINT64_MAX;
    return older->overtaken_ns + LIDAR_LATE_WAIT_NS;
}

void ouster_frames_deadline(struct ouster_frames *f, uint64_t now_ns)
{
    if (now_ns >= older_due_ns(f))
        close_frame(f, older_frame(f), 0);
    if (now_ns >= current_due_ns(f))
        end_frames(f, LIDAR_PARTIAL_END | LIDAR_PARTIAL_OVERDUE);
}

uint64_t ouster_frames_due_ns(const struct ouster_frames *f)
{
    uint64_t current_ns = current_due_ns(f), older_ns = older_due_ns(f);
    return current_ns < older_ns ? current_ns : older_ns;
}

void ouster_frames_flush(struct ouster_frames *f)
{
    end_frames(f, LIDAR_PARTIAL_END);
    f->has_begun = false;
}

void ouster_frames_discard(struct ouster_frames *f)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ouster_frame *frame = &f->frames[i];
        if (frame->is_open && frame->has_room)
            f->sink.discard(f->sink.context, frame->room.handle);
        frame->is_open = false;
    }
    f->has_begun = false;
}
