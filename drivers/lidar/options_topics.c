/* SPDX-License-Identifier: Apache-2.0 */
/* options_topics.c - what is published, and how large a slot must be. */
#include "drivers/lidar/options_parts.h"

#include "core/frame/message.h"
#include "drivers/lidar/ouster_frames.h"
#include "drivers/lidar/publish.h"
#include "drivers/lidar/publish_fix.h"
#include "drivers/lidar/publish_imu.h"
#include "drivers/lidar/publish_transforms.h"
#include "drivers/lidar/source_xdp.h"

#define SLICE_RING_MAX     65536
#define SLOTS_SPARE        8 /* visitors, the next one */
#define SCAN_SPARE_PACKETS 4 /* beyond a turn at the slowest: the ends of the turn, a stutter */

size_t lidar_options_cloud_bytes(const struct lidar_options *o)
{
    size_t most = 0;
    if (o->is_ouster)
        return ouster_frame_bytes(&o->metadata);
    if (lidar_options_livox(o))
        return livox_frame_bytes_max(lidar_options_livox(o), (uint64_t)o->frame_period_ns);
    if (lidar_options_model(o))
        return lidar_frame_bytes_max(lidar_options_model(o), (unsigned)o->returns);
    for (const struct lidar_model *const *model = velodyne_models; *model; model++) {
        size_t bytes = lidar_frame_bytes_max(*model, (unsigned)o->returns);
        if (bytes > most && lidar_options_awaits(o, *model))
            most = bytes;
    }
    return most;
}

/* The most columns that a slot has room for, of any model that may come. */
static unsigned columns_max(const struct lidar_options *o)
{
    unsigned most = 0;
    if (o->is_ouster)
        return o->metadata.format.frame_columns;
    if (lidar_options_model(o))
        return lidar_model_turn_columns(lidar_options_model(o));
    for (const struct lidar_model *const *model = velodyne_models; *model; model++)
        if (lidar_options_awaits(o, *model) && lidar_model_turn_columns(*model) > most)
            most = lidar_model_turn_columns(*model);
    return most;
}

/* Room beside each slot, and descriptors for all the slices that slots may hold. */
static void add_slices(const struct lidar_options *o, struct sl_publisher_options *topic)
{
    unsigned slices = lidar_publish_slices_max(columns_max(o), (unsigned)o->slice_columns);
    uint32_t slots = topic->loans + topic->subscribers * topic->quota + SLOTS_SPARE;
    topic->side_size = lidar_publish_slices_side_bytes(slices);
    topic->ring = 2;
    while (topic->ring < slots * slices && topic->ring < SLICE_RING_MAX)
        topic->ring *= 2;
}

void lidar_options_points(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "points",
        .type = SL_TYPE_POINTCLOUD2,
        .slot_size = lidar_publish_points_slot_bytes(o->frame_id, lidar_options_cloud_bytes(o)),
        .loans = LIDAR_FRAMES_OPEN_MAX,
    };
    sl_publishing_apply(&o->publishing, ret_topic);
    if (o->slice_columns > 0)
        add_slices(o, ret_topic);
}

const struct lidar_packet_form *lidar_options_packet_form(const struct lidar_options *o)
{
    return lidar_options_is_hesai(o) ? &lidar_packet_form_nebula : &lidar_packet_form_velodyne;
}

static unsigned turn_packets(const struct lidar_options *o, const struct lidar_model *model)
{
    unsigned returns = (unsigned)o->returns, most = lidar_model_returns(model);
    unsigned columns = lidar_model_columns(model, returns < most ? returns : most);
    return lidar_model_turn_columns(model) / columns + SCAN_SPARE_PACKETS;
}

static uint64_t packets_slot_bytes(const struct lidar_options *o)
{
    if (lidar_options_is_hesai(o))
        return lidar_publish_form_slot_bytes(&lidar_packet_form_nebula, o->frame_id,
                                             turn_packets(o, lidar_options_model(o)),
                                             hesai_data_bytes_max(lidar_options_model(o)));
    unsigned most = 0;
    for (const struct lidar_model *const *model = velodyne_models; *model; model++) {
        unsigned packets = turn_packets(o, *model);
        if (packets > most && lidar_options_awaits(o, *model))
            most = packets;
    }
    return lidar_publish_packets_slot_bytes(o->frame_id, most);
}

void lidar_options_packets(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "packets",
        .type = lidar_options_packet_form(o)->type,
        .slot_size = packets_slot_bytes(o),
        .loans = 1,
    };
    sl_publishing_apply(&o->publishing, ret_topic);
    if (o->source == LIDAR_FROM_XDP)
        lidar_xdp_topic(o->receive_buffer_bytes, ret_topic);
}

void lidar_options_raw(const struct lidar_options *o, unsigned index,
                       struct sl_subscriber_options *ret_topic)
{
    *ret_topic = (struct sl_subscriber_options){
        .topic = o->topics.text[index],
        .policy = o->publishing.block ? SL_LOSSLESS : SL_KEEP_LAST,
        .quota = 1,
    };
}

void lidar_options_image(const struct lidar_options *o, enum lidar_image image,
                         struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = lidar_image_kinds[image].topic,
        .type = SL_TYPE_IMAGE,
        .slot_size = lidar_image_slot_bytes(&o->metadata, image, o->frame_id),
        .loans = 1,
    };
    sl_publishing_apply(&o->publishing, ret_topic);
}

void lidar_options_scan(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "scan",
        .type = SL_TYPE_LASER_SCAN,
        .slot_size = lidar_publish_scan_bytes(&o->scan),
        .loans = 1,
    };
    sl_publishing_apply(&o->publishing, ret_topic);
}

void lidar_options_transforms(struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "/tf_static",
        .type = SL_TYPE_TRANSFORMS,
        .slot_size = LIDAR_TRANSFORMS_BYTES_MAX,
        .slot_count = 2,
        .retain = 1,
    };
}

void lidar_options_imu(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "imu",
        .type = SL_TYPE_IMU,
        .subscribers = (uint32_t)o->publishing.subscribers,
        .inline_max = (uint32_t)lidar_publish_imu_bytes(o->frame_id),
    };
}

void lidar_options_fix(const struct lidar_options *o, struct sl_publisher_options *ret_topic)
{
    *ret_topic = (struct sl_publisher_options){
        .topic = "fix",
        .type = SL_TYPE_NAVSATFIX,
        .subscribers = (uint32_t)o->publishing.subscribers,
        .inline_max = (uint32_t)lidar_publish_fix_bytes(o->frame_id),
    };
}
