/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.c - what the tests of the tools look at: a real publisher of known messages.
 *
 * Usage: tools_publisher cloud|gathered|image|bytes|bad TOPIC [HZ]
 *
 *   cloud     a wall 4 m ahead, 6 m wide, and one point 3 m to the right; one invalid point
 *   gathered  the same, its prefix and suffix beside the slot
 *   image     4 x 3, bgr8: blue, green, red, white columns
 *   bytes     a type that nobody knows
 *   bad       says it is a cloud, and is not
 *
 * Prints "ready" when its first message is published; ends by SIGTERM or SIGINT. */
#include "core/base/clock.h"
#include "core/frame/image.h"
#include "core/frame/pointcloud2.h"
#include "core/shm/sluice.h"
#include "tests/tools/cloud.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_SIZE 65536u
#define DATA_AT   4096u
#define SIDE_SIZE 1024u

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static int make_cloud(struct sl_loan *loan, struct sl_message *message, bool gathered,
                      struct sl_range ranges[3])
{
    struct sl_pointcloud2 cloud;
    uint8_t *data = (uint8_t *)loan->data + DATA_AT;
    test_cloud(&cloud, (int64_t)message->stamp_ns, data);
    size_t prefix = sl_pointcloud2_prefix_size(&cloud);
    uint8_t *before = gathered ? loan->side : data - prefix;
    uint8_t *after = gathered ? (uint8_t *)loan->side + SIDE_SIZE / 2 : data + cloud.data_size;
    if (sl_pointcloud2_write_prefix(&cloud, before, prefix) < 0 ||
        sl_pointcloud2_write_suffix(&cloud, after, sl_pointcloud2_suffix_room(&cloud)) < 0)
        return -1;
    message->data_offset = DATA_AT;
    message->data_length = cloud.data_size;
    if (gathered) {
        ranges[0] = (struct sl_range){SL_AREA_SIDE, 0, (uint32_t)prefix};
        ranges[1] = (struct sl_range){SL_AREA_SLOT, DATA_AT, cloud.data_size};
        ranges[2] = (struct sl_range){SL_AREA_SIDE, SIDE_SIZE / 2, 1};
        message->ranges = ranges;
        message->range_count = 3;
    } else {
        message->body_offset = (uint32_t)(DATA_AT - prefix);
        message->body_length = (uint32_t)sl_pointcloud2_body_size(&cloud);
    }
    return 0;
}

static int make_image(struct sl_loan *loan, struct sl_message *message)
{
    static const uint8_t columns[4][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
    struct sl_image image = {.stamp_ns = (int64_t)message->stamp_ns,
                             .frame_id = sl_text("camera"),
                             .height = 3,
                             .width = 4,
                             .encoding = sl_text("bgr8"),
                             .step = 12,
                             .data_size = 36};
    uint8_t *data = (uint8_t *)loan->data + DATA_AT;
    for (int row = 0; row < 3; row++)
        memcpy(data + row * 12, columns, sizeof columns);
    size_t prefix = sl_image_prefix_size(&image);
    message->body_offset = (uint32_t)(DATA_AT - prefix);
    message->body_length = (uint32_t)sl_image_body_size(&image);
    message->data_offset = DATA_AT;
    message->data_length = image.data_size;
    return sl_image_write_prefix(&image, data - prefix, prefix);
}

static int make_bytes(struct sl_loan *loan, struct sl_message *message)
{
    for (int i = 0; i < 600; i++)
        ((uint8_t *)loan->data)[i] = (uint8_t)i;
    message->body_length = 600;
    return 0;
}

static int publish(struct sl_publisher *publisher, const char *kind)
{
    struct sl_message message = {.stamp_ns = sl_clock_realtime_ns(), .clock = SL_CLOCK_HOST};
    struct sl_range ranges[3];
    struct sl_loan loan;
    if (sl_publisher_loan(publisher, &loan) < 0)
        return 0; /* every slot is held: the next one then */
    int err = strcmp(kind, "cloud") == 0      ? make_cloud(&loan, &message, false, ranges)
              : strcmp(kind, "gathered") == 0 ? make_cloud(&loan, &message, true, ranges)
              : strcmp(kind, "image") == 0    ? make_image(&loan, &message)
                                              : make_bytes(&loan, &message);
    return err < 0 ? err : sl_publisher_publish(publisher, &loan, &message);
}

static const char *type_of(const char *kind)
{
    if (strcmp(kind, "image") == 0)
        return SL_TYPE_IMAGE;
    return strcmp(kind, "bytes") == 0 ? "example/msg/Bytes" : SL_TYPE_POINTCLOUD2;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    double hz = argc > 3 ? atof(argv[3]) : 20;
    const struct sl_publisher_options options = {
        .topic = argv[2], .type = type_of(argv[1]), .slot_size = SLOT_SIZE, .side_size = SIDE_SIZE};
    struct sl_publisher *publisher;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (sl_publisher_open(&options, &publisher) < 0) {
        fprintf(stderr, "publisher: %s\n", sl_error_text());
        return 1;
    }
    int err = 0;
    struct timespec period = {(time_t)(1 / hz), (long)(fmod(1 / hz, 1) * 1e9)};
    for (int i = 0; err >= 0 && !stopped; i++) {
        err = publish(publisher, argv[1]);
        if (i == 0) {
            puts("ready");
            fflush(stdout);
        }
        nanosleep(&period, NULL);
    }
    if (err < 0)
        fprintf(stderr, "publisher: %s\n", sl_error_text());
    sl_publisher_close(publisher);
    return err < 0;
}
