/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - slots filled by the decoder become messages. */
#include "drivers/lidar/publish.h"

#include <errno.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/pointcloud2.h"
#include "core/uncached/stream.h"

#define PAGE_BYTES       4096u
#define PREFIX_MAX       1024u /* bytes: stamp, frame_id, six fields */
#define SUFFIX_BYTES     4u    /* is_dense and what pads it */
#define SLICE_SIDE_BYTES 640u  /* of a slice beside its slot: both of these, with any frame_id */
#define WAIT_NS          ((int64_t)(50 * SL_NS_PER_MS))

/* The cloud that all frames are; size and stamp are a frame's own. */
static void describe_cloud(struct sl_text frame_id, struct sl_pointcloud2 *ret_cloud)
{
    static const struct {
        const char *name;
        uint32_t offset;
        enum sl_point_type type;
    } fields[] = {
        {"x", LIDAR_POINT_X, SL_POINT_FLOAT32},
        {"y", LIDAR_POINT_Y, SL_POINT_FLOAT32},
        {"z", LIDAR_POINT_Z, SL_POINT_FLOAT32},
        {"intensity", LIDAR_POINT_INTENSITY, SL_POINT_FLOAT32},
        {"ring", LIDAR_POINT_RING, SL_POINT_UINT16},
        {"time", LIDAR_POINT_TIME, SL_POINT_FLOAT32},
    };
    ret_cloud->stamp_ns = 0;
    ret_cloud->frame_id = frame_id;
    ret_cloud->height = ret_cloud->width = 0;
    ret_cloud->field_count = sizeof fields / sizeof *fields;
    ret_cloud->is_bigendian = false;
    ret_cloud->is_dense = false;
    ret_cloud->point_step = LIDAR_POINT_BYTES;
    ret_cloud->row_step = ret_cloud->data_size = 0;
    ret_cloud->data = NULL;
    for (unsigned i = 0; i < ret_cloud->field_count; i++)
        ret_cloud->fields[i] = (struct sl_point_field){.name = sl_text(fields[i].name),
                                                       .offset = fields[i].offset,
                                                       .count = 1,
                                                       .datatype = (uint8_t)fields[i].type};
}

static uint32_t points_offset(struct sl_text frame_id)
{
    struct sl_pointcloud2 cloud;
    describe_cloud(frame_id, &cloud);
    size_t prefix = sl_pointcloud2_prefix_size(&cloud);
    return (uint32_t)((prefix + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
}

static uint32_t packets_offset(struct sl_text frame_id)
{
    return (uint32_t)lidar_packet_form_prefix_size(frame_id);
}

uint64_t lidar_publish_points_slot_bytes(const char *frame_id, size_t cloud_bytes)
{
    return points_offset(sl_text(frame_id)) + (uint64_t)cloud_bytes + SUFFIX_BYTES;
}

uint64_t lidar_publish_form_slot_bytes(const struct lidar_packet_form *form, const char *frame_id,
                                       unsigned packets, size_t packet_bytes)
{
    return packets_offset(sl_text(frame_id)) + (uint64_t)packets * form->stride(packet_bytes);
}

uint64_t lidar_publish_packets_slot_bytes(const char *frame_id, unsigned packets)
{
    return lidar_publish_form_slot_bytes(&lidar_packet_form_velodyne, frame_id, packets, 0);
}

void lidar_publish_init(struct lidar_publish *p, const struct lidar_publish_config *config)
{
    memset(p, 0, sizeof *p);
    p->config = *config;
    p->frame_id = sl_text(config->frame_id);
    p->points_offset = points_offset(p->frame_id);
    p->packets_offset = packets_offset(p->frame_id);
    p->form = config->form ? config->form : &lidar_packet_form_velodyne;
}

int lidar_publish_loan(const struct lidar_patience *patience, struct sl_publisher *from,
                       struct sl_loan *ret_loan)
{
    while (patience->may_wait && sl_publisher_wait(from, WAIT_NS) == -ETIMEDOUT)
        if (!patience->may_wait(patience->context))
            return -EAGAIN;
    return sl_publisher_loan(from, ret_loan);
}

static int loan(struct lidar_publish *p, struct sl_publisher *from, struct sl_loan *ret_loan)
{
    int err = lidar_publish_loan(&p->config.patience, from, ret_loan);
    if (err < 0 && err != -EAGAIN)
        p->failure = err;
    return err;
}

/* Points: the decoder's sink. */

/* Called when a turn begins. If there was one before, the packet that is being pushed holds the
 * cut. */
static int open_frame(void *context, struct lidar_frame_room *ret_room)
{
    struct lidar_publish *p = context;
    struct lidar_open_frame *f = p->frame[0].is_open ? &p->frame[1] : &p->frame[0];
    p->is_cut |= p->has_turn;
    p->has_turn = true;
    p->newest = NULL;
    int err = f->is_open ? -EAGAIN : loan(p, p->config.points, &f->loan);
    if (err < 0)
        return err;
    f->is_open = true;
    f->sliced = f->slices = 0;
    p->newest = f;
    *ret_room = (struct lidar_frame_room){
        .data = (uint8_t *)f->loan.data + p->points_offset,
        .capacity_bytes = f->loan.data_size - p->points_offset - SUFFIX_BYTES,
        .handle = f,
    };
    return 0;
}

/* The turn has ended and none has begun: the scan has to end as well. */
static void note_end(struct lidar_publish *p, const struct lidar_open_frame *f)
{
    if (f != p->newest)
        return; /* it only waited for late packets */
    p->is_over = true;
    p->has_turn = false;
    p->newest = NULL;
}

enum sl_clock lidar_publish_clock_of(enum lidar_clock_kind kind, uint64_t host_ns)
{
    static const enum sl_clock clocks[] = {
        [LIDAR_CLOCK_FREE_RUNNING] = SL_CLOCK_ANCHORED,
        [LIDAR_CLOCK_GPS] = SL_CLOCK_GPS,
        [LIDAR_CLOCK_HOST] = SL_CLOCK_HOST,
        [LIDAR_CLOCK_PTP] = SL_CLOCK_PTP_UTC,
        [LIDAR_CLOCK_FITTED] = SL_CLOCK_FITTED,
    };
    bool is_utc = kind == LIDAR_CLOCK_GPS || kind == LIDAR_CLOCK_PTP;
    return is_utc || host_ns != 0 ? clocks[kind] : SL_CLOCK_SENSOR;
}

enum sl_clock lidar_publish_clock(const struct lidar_frame_info *info)
{
    return lidar_publish_clock_of(info->clock, info->host_first_ns);
}

/* The cloud of so many rows and rings. */
static void size_cloud(const struct lidar_publish *p, uint64_t stamp_ns, uint32_t width,
                       uint32_t height, struct sl_pointcloud2 *ret_cloud)
{
    describe_cloud(p->frame_id, ret_cloud);
    ret_cloud->stamp_ns = (int64_t)stamp_ns;
    ret_cloud->height = height;
    ret_cloud->width = width;
    ret_cloud->row_step = width * LIDAR_POINT_BYTES;
    ret_cloud->data_size = height * ret_cloud->row_step;
}

/* Made beside the slot, then written there once and in order, as memory that is not cached wants
 * it. Readers begin with these few bytes: where there is a cache, they stay in it. */
static int write_around(const struct lidar_publish *p, const struct lidar_frame_info *info,
                        uint8_t *slot, struct sl_message *ret_message)
{
    struct sl_pointcloud2 cloud;
    size_cloud(p, info->stamp_ns, info->width, info->height, &cloud);
    size_t prefix = sl_pointcloud2_prefix_size(&cloud);
    uint8_t *points = slot + p->points_offset;
    uint8_t before[PREFIX_MAX], after[SUFFIX_BYTES];
    int err = sl_pointcloud2_write_prefix(&cloud, before, sizeof before);
    if (err == 0)
        err = sl_pointcloud2_write_suffix(&cloud, after, sizeof after);
    if (err == 0) {
        memcpy(points - prefix, before, prefix);
        memcpy(points + info->size_bytes, after, sl_pointcloud2_suffix_room(&cloud));
        sl_stream_fence();
    }
    *ret_message = (struct sl_message){
        .stamp_ns = info->stamp_ns,
        .clock = lidar_publish_clock(info),
        .flags = info->partial ? SL_MESSAGE_PARTIAL : 0,
        .body_offset = p->points_offset - (uint32_t)prefix,
        .body_length = (uint32_t)sl_pointcloud2_body_size(&cloud),
        .data_offset = p->points_offset,
        .data_length = (uint32_t)info->size_bytes,
    };
    return err;
}

/* Slices. */

unsigned lidar_publish_slices_max(unsigned columns, unsigned slice_columns)
{
    return columns / slice_columns + 2; /* what is left over; and none may be begun in vain */
}

uint32_t lidar_publish_slices_side_bytes(unsigned slices)
{
    return slices * SLICE_SIDE_BYTES;
}

/* The next `columns` of a frame; `more` of it will come. */
static int publish_slice(struct lidar_publish *p, struct lidar_open_frame *f,
                         const struct lidar_frame_progress *frame, unsigned columns,
                         unsigned partial, bool more)
{
    struct sl_pointcloud2 cloud;
    uint32_t row_bytes = frame->width * LIDAR_POINT_BYTES, length = columns * row_bytes;
    uint32_t at = f->slices * SLICE_SIDE_BYTES;
    uint32_t first = p->points_offset + f->sliced * row_bytes;
    uint8_t *side = (uint8_t *)f->loan.side + at;
    size_cloud(p, f->stamp_ns, frame->width, frame->returns * columns, &cloud);
    size_t prefix = sl_pointcloud2_prefix_size(&cloud);
    int err = sl_pointcloud2_write_prefix(&cloud, side, SLICE_SIDE_BYTES - SUFFIX_BYTES);
    if (err == 0)
        err = sl_pointcloud2_write_suffix(&cloud, side + prefix, SUFFIX_BYTES);
    f->slices++;
    f->sliced += columns;
    if (err < 0) {
        if (!more)
            sl_publisher_discard(p->config.points, &f->loan);
        return err;
    }
    struct sl_range ranges[SL_RANGES_MAX] = {{SL_AREA_SIDE, at, (uint32_t)prefix}};
    uint32_t count = 1;
    for (unsigned i = 0; i < frame->returns; i++)
        ranges[count++] =
            (struct sl_range){SL_AREA_SLOT, first + i * frame->rows * row_bytes, length};
    ranges[count++] = (struct sl_range){SL_AREA_SIDE, at + (uint32_t)prefix,
                                        (uint32_t)sl_pointcloud2_suffix_room(&cloud)};
    const struct sl_message message = {
        .stamp_ns = f->stamp_ns,
        .clock = f->clock,
        .flags = partial ? SL_MESSAGE_PARTIAL : 0,
        .data_offset = frame->returns == 1 ? first : 0,
        .data_length = frame->returns == 1 ? length : 0,
        .ranges = ranges,
        .range_count = count,
        .more = more,
    };
    err = sl_publisher_publish(p->config.points, &f->loan, &message);
    p->counts.slices += err == 0;
    return err;
}

/* Is there room beside the slot for another one, and for the last? */
static bool may_slice(const struct lidar_open_frame *f)
{
    return (uint64_t)(f->slices + 2) * SLICE_SIDE_BYTES <= f->loan.side_size;
}

static void take_progress(void *context, void *handle, const struct lidar_frame_progress *progress)
{
    struct lidar_publish *p = context;
    struct lidar_open_frame *f = handle;
    if (f->slices == 0) {
        f->stamp_ns = progress->stamp_ns;
        f->clock = lidar_publish_clock_of(progress->clock, progress->host_first_ns);
    }
    while (progress->columns - f->sliced >= p->config.slice_columns && may_slice(f))
        if (publish_slice(p, f, progress, p->config.slice_columns, 0, true) < 0)
            p->counts.unpublishable++;
}

/* What was not handed on yet, in slices too; holes have been filled in. */
static int publish_rest(struct lidar_publish *p, struct lidar_open_frame *f,
                        const struct lidar_frame_info *info)
{
    const struct lidar_frame_progress all = {
        .stamp_ns = info->stamp_ns,
        .clock = info->clock,
        .host_first_ns = info->host_first_ns,
        .width = info->width,
        .returns = info->returns,
        .columns = info->columns,
        .rows = info->height / info->returns,
    };
    take_progress(p, f, &all);
    if (info->columns > f->sliced)
        return publish_slice(p, f, &all, info->columns - f->sliced, info->partial, false);
    sl_publisher_discard(p->config.points, &f->loan);
    return 0;
}

/* Points: the end of a turn. */

static int publish_frame(struct lidar_publish *p, struct lidar_open_frame *f,
                         const struct lidar_frame_info *info)
{
    struct sl_message message;
    bool has_slices = p->config.slice_columns > 0;
    if (!has_slices && write_around(p, info, f->loan.data, &message) < 0) {
        sl_publisher_discard(p->config.points, &f->loan);
        return -EINVAL;
    }
    if (p->config.look)
        p->config.look(p->config.looker, info, lidar_publish_clock(info),
                       (const uint8_t *)f->loan.data + p->points_offset);
    return has_slices ? publish_rest(p, f, info)
                      : sl_publisher_publish(p->config.points, &f->loan, &message);
}

static void close_frame(void *context, void *handle, const struct lidar_frame_info *info)
{
    struct lidar_publish *p = context;
    struct lidar_open_frame *f = handle;
    note_end(p, f);
    f->is_open = false;
    if (publish_frame(p, f, info) < 0) {
        p->counts.unpublishable++;
        return;
    }
    p->published_ns = sl_clock_monotonic_ns();
    if (p->received_ns != 0)
        sl_histogram_add(&p->delay, p->published_ns - p->received_ns);
    p->clock = info->clock;
    p->counts.frames++;
    p->counts.points += (uint64_t)info->height * info->width;
    p->counts.returns += info->valid;
    p->counts.filtered += info->filtered;
}

static void discard_frame(void *context, void *handle)
{
    struct lidar_publish *p = context;
    struct lidar_open_frame *f = handle;
    note_end(p, f);
    f->is_open = false;
    sl_publisher_discard(p->config.points, &f->loan);
}

struct lidar_frame_sink lidar_publish_sink(struct lidar_publish *p)
{
    return (struct lidar_frame_sink){
        .context = p,
        .open = open_frame,
        .close = close_frame,
        .discard = discard_frame,
        .progress = p->config.slice_columns > 0 ? take_progress : NULL,
    };
}

/* Packets. */

static void publish_scan(struct lidar_publish *p, bool at_cut)
{
    struct lidar_open_scan *s = &p->scan;
    const struct sl_message message = {
        .stamp_ns = s->first_ns,
        .clock = s->first_ns ? SL_CLOCK_HOST : SL_CLOCK_UNKNOWN,
        .flags = at_cut && s->began_at_cut ? 0 : SL_MESSAGE_PARTIAL,
        .body_length = p->packets_offset + s->packets_size,
        .data_offset = p->packets_offset,
        .data_length = s->packets_size,
    };
    uint8_t prefix[PREFIX_MAX];
    if (s->has_slot && p->form->write_prefix((int64_t)s->first_ns, p->frame_id, s->packet_count,
                                             s->packets_size, prefix, sizeof prefix) < 0) {
        sl_publisher_discard(p->config.packets, &s->loan);
    } else if (s->has_slot) {
        memcpy(s->loan.data, prefix, p->packets_offset);
        sl_stream_fence();
        if (sl_publisher_publish(p->config.packets, &s->loan, &message) == 0) {
            p->counts.scans++;
            p->counts.scan_packets += s->packet_count;
        }
    }
    *s = (struct lidar_open_scan){.began_at_cut = at_cut};
}

static bool has_room(const struct lidar_publish *p, size_t stride)
{
    const struct lidar_open_scan *s = &p->scan;
    return p->packets_offset + (uint64_t)s->next_at + stride <= s->loan.data_size;
}

static void begin_scan(struct lidar_publish *p, uint64_t first_ns)
{
    struct lidar_open_scan *s = &p->scan;
    s->first_ns = first_ns;
    s->packet_count = s->packets_size = s->next_at = 0;
    s->has_slot = loan(p, p->config.packets, &s->loan) == 0;
    s->is_refused = !s->has_slot;
    p->counts.scans_dropped += s->is_refused;
}

static void append(struct lidar_publish *p, const struct sl_datagram *packet)
{
    struct lidar_open_scan *s = &p->scan;
    size_t stride = p->form->stride(packet->size_bytes);
    if (s->has_slot && !has_room(p, stride)) /* a turn that does not end */
        publish_scan(p, false);
    if (!s->has_slot && !s->is_refused)
        begin_scan(p, packet->time_ns);
    if (!s->has_slot)
        return;
    uint8_t *to = (uint8_t *)s->loan.data + p->packets_offset + s->next_at;
    uint8_t written[LIDAR_PACKET_STRIDE_MAX];
    if (stride > sizeof written || !has_room(p, stride) || p->form->write(packet, written) < 0) {
        p->counts.unpublishable++;
        return;
    }
    sl_stream_copy(to, written, stride);
    s->packets_size = s->next_at + (uint32_t)p->form->size(packet->size_bytes);
    s->next_at += (uint32_t)stride;
    s->packet_count++;
}

void lidar_publish_packet(struct lidar_publish *p, const struct sl_datagram *packet)
{
    if (p->config.packets) {
        if (p->is_cut)
            append(p, packet);
        if (p->is_cut || p->is_over)
            publish_scan(p, p->is_cut);
        if (!p->is_cut)
            append(p, packet);
    }
    p->is_cut = p->is_over = false;
}

void lidar_publish_settle(struct lidar_publish *p)
{
    if (p->config.packets && p->is_over)
        publish_scan(p, false);
    p->is_cut = p->is_over = false;
}

void lidar_publish_end(struct lidar_publish *p)
{
    if (p->config.packets)
        publish_scan(p, false);
    p->is_cut = p->is_over = p->has_turn = false;
}

void lidar_publish_drop(struct lidar_publish *p)
{
    for (unsigned i = 0; i < LIDAR_FRAMES_OPEN_MAX; i++)
        if (p->frame[i].is_open)
            sl_publisher_discard(p->config.points, &p->frame[i].loan);
    if (p->scan.has_slot)
        sl_publisher_discard(p->config.packets, &p->scan.loan);
    memset(p->frame, 0, sizeof p->frame);
    p->scan = (struct lidar_open_scan){0};
}
