/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of messages: walked, printed, read as each typed message, whole and in pieces.
 *
 * Input: one byte that selects a type of the schema, and the body. */
#include "core/frame/image.h"
#include "core/frame/imu.h"
#include "core/frame/laser_scan.h"
#include "core/frame/nebula_packets.h"
#include "core/frame/pointcloud2.h"
#include "core/frame/print.h"
#include "core/frame/transforms.h"
#include "core/frame/velodyne_scan.h"
#include "core/frame/walk.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* Whatever is read is added up here, so that no read is left out. */
static volatile uint64_t seen;

static const struct sl_schema *select_schema(uint8_t number)
{
    size_t count = 0;
    while (sl_schema_at(count))
        count++;
    return sl_schema_at(number % count);
}

static void print(const struct sl_schema *schema, const uint8_t *body, size_t size)
{
    static FILE *nowhere; /* opened once: the target runs thousands of times a second */
    if (!nowhere && !(nowhere = fopen("/dev/null", "w")))
        abort();
    sl_message_print_yaml(schema, body, size, SL_PRINT_ALL, nowhere);
    sl_message_print_yaml(schema, body, size, 2, nowhere);
    sl_message_print_json(schema, body, size, SL_PRINT_ALL, nowhere);
    sl_message_print_json(schema, body, size, 0, nowhere);
}

/* Every value of the first, the last and one middle point. */
static void look_at_points(const struct sl_pointcloud2 *cloud)
{
    if (cloud->width == 0 || cloud->height == 0)
        return;
    uint32_t rows[] = {0, cloud->height / 2, cloud->height - 1};
    uint32_t columns[] = {0, cloud->width / 2, cloud->width - 1};
    for (int p = 0; p < 3; p++)
        for (uint32_t f = 0; f < cloud->field_count; f++)
            seen += sl_pointcloud2_value(cloud, &cloud->fields[f], rows[p], columns[p]) > 0;
}

static void look_at_text(struct sl_text text)
{
    for (size_t i = 0; i < text.size; i++)
        seen += (uint8_t)text.at[i];
}

/* The whole cloud and the same in three pieces must be told alike. */
static void read_cloud(const uint8_t *body, size_t size)
{
    struct sl_pointcloud2 cloud;
    int err = sl_pointcloud2_read(body, size, &cloud);
    if (err == 0) {
        look_at_points(&cloud);
        look_at_text(cloud.frame_id);
        for (uint32_t f = 0; f < cloud.field_count; f++)
            look_at_text(cloud.fields[f].name);
    }
    size_t first = size / 3;
    size_t second = size / 2;
    struct sl_body pieces = {
        .count = 3,
        .ranges = {{body, first}, {body + first, second - first}, {body + second, size - second}}};
    uint8_t *scratch = malloc(size > 0 ? size : 1);
    if (!scratch)
        return;
    struct sl_pointcloud2 again;
    struct sl_body data;
    int again_err = sl_pointcloud2_read_gather(&pieces, scratch, size, &again, &data);
    if (err != again_err || (err == 0 && again.data_size != cloud.data_size))
        abort();
    free(scratch);
}

static void read_small(const uint8_t *body, size_t size)
{
    struct sl_camera_info info;
    struct sl_imu imu;
    struct sl_navsatfix fix;
    uint8_t written[8192];
    size_t written_size;
    if (sl_camera_info_read(body, size, &info) == 0)
        sl_camera_info_write(&info, written, sizeof written, &written_size);
    if (sl_imu_read(body, size, &imu) == 0)
        sl_imu_write(&imu, written, sizeof written, &written_size);
    if (sl_navsatfix_read(body, size, &fix) == 0)
        sl_navsatfix_write(&fix, written, sizeof written, &written_size);
}

static void read_image_and_scan(const uint8_t *body, size_t size)
{
    struct sl_image image;
    if (sl_image_read(body, size, &image) == 0) {
        look_at_text(image.encoding);
        for (uint32_t i = 0; i < image.data_size; i++)
            seen += image.data[i];
    }
    struct sl_velodyne_scan scan;
    if (sl_velodyne_scan_read(body, size, &scan) == 0) {
        for (uint32_t p = 0; p < scan.packet_count; p++) {
            struct sl_velodyne_packet packet = sl_velodyne_scan_packet(&scan, p);
            seen += packet.bytes[0] + packet.bytes[SL_VELODYNE_PACKET_SIZE - 1];
        }
    }
    struct sl_nebula_packets packets;
    if (sl_nebula_packets_read(body, size, &packets) == 0) {
        size_t at = 0;
        for (uint32_t p = 0; p < packets.packet_count; p++) {
            struct sl_nebula_packet packet = sl_nebula_packets_next(&packets, &at);
            for (uint32_t i = 0; i < packet.size; i++)
                seen += packet.bytes[i];
        }
    }
}

static void read_laser_scan(const uint8_t *body, size_t size)
{
    struct sl_laser_scan scan;
    int walked = sl_message_walk(sl_schema_find(SL_TYPE_LASER_SCAN), body, size, NULL, NULL);
    int err = sl_laser_scan_read(body, size, &scan);
    if ((walked == 0) != (err == 0))
        abort();
    for (uint32_t i = 0; err == 0 && i < scan.range_count; i++)
        seen += sl_laser_scan_range(&scan, i) > 0;
    for (uint32_t i = 0; err == 0 && i < scan.intensity_count; i++)
        seen += sl_laser_scan_intensity(&scan, i) > 0;
}

static void read_transforms(const uint8_t *body, size_t size)
{
    struct sl_transform transforms[8];
    uint8_t written[8192];
    size_t written_size;
    int walked = sl_message_walk(sl_schema_find(SL_TYPE_TRANSFORMS), body, size, NULL, NULL);
    int count = sl_transforms_read(body, size, 8, transforms);
    if ((walked == 0) != (count >= 0))
        abort();
    unsigned kept = count < 0 ? 0 : count < 8 ? (unsigned)count : 8;
    for (unsigned i = 0; i < kept; i++)
        look_at_text(transforms[i].child_frame_id);
    if (kept > 0)
        sl_transforms_write(transforms, kept, written, sizeof written, &written_size);
}

/* A typed reader that accepts a body must not see what the schema does not. */
static void compare_with_schema(const uint8_t *body, size_t size)
{
    struct sl_imu imu;
    int walked = sl_message_walk(sl_schema_find(SL_TYPE_IMU), body, size, NULL, NULL);
    if ((walked == 0) != (sl_imu_read(body, size, &imu) == 0))
        abort();
    struct sl_velodyne_scan scan;
    walked = sl_message_walk(sl_schema_find(SL_TYPE_VELODYNE_SCAN), body, size, NULL, NULL);
    if ((walked == 0) != (sl_velodyne_scan_read(body, size, &scan) == 0))
        abort();
    struct sl_nebula_packets packets;
    walked = sl_message_walk(sl_schema_find(SL_TYPE_NEBULA_PACKETS), body, size, NULL, NULL);
    if ((walked == 0) != (sl_nebula_packets_read(body, size, &packets) == 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    const uint8_t *body = bytes + 1;
    size_t size = size_bytes - 1;
    print(select_schema(bytes[0]), body, size);
    read_cloud(body, size);
    read_small(body, size);
    read_image_and_scan(body, size);
    read_laser_scan(body, size);
    read_transforms(body, size);
    compare_with_schema(body, size);
    return 0;
}
