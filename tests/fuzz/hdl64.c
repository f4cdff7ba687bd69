/* SPDX-License-Identifier: Apache-2.0 */
/* hdl64.c - an HDL-64E's calibration, from a file and from packets, and packets with it.
 *
 * Input: kind u8, then for kind % 2 = 0 a YAML file; else two bytes a packet: its status.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "drivers/lidar/decoder.h"

#define ROOM_BYTES ((size_t)64 * 64 * 22)
#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

static _Alignas(64) uint8_t rooms[2][ROOM_BYTES];
static bool in_use[2];

static int open_room(void *context, struct lidar_frame_room *ret_room)
{
    (void)context;
    for (unsigned i = 0; i < 2; i++) {
        if (in_use[i])
            continue;
        in_use[i] = true;
        *ret_room = (struct lidar_frame_room){rooms[i], ROOM_BYTES, &in_use[i]};
        return 0;
    }
    abort(); /* never more than two */
}

static void discard_room(void *context, void *handle)
{
    (void)context;
    *(bool *)handle = false;
}

static void close_room(void *context, void *handle, const struct lidar_frame_info *info)
{
    CHECK(info->width == 64 && info->size_bytes <= ROOM_BYTES);
    discard_room(context, handle);
}

static void push_packets(const struct velodyne_calibration *calibration, const uint8_t *bytes,
                         size_t count)
{
    const struct lidar_frame_sink sink = {NULL, open_room, close_room, discard_room, NULL};
    const struct lidar_decoder_config config = {.model = velodyne_model_find("hdl-64e-s3"),
                                                .calibration = calibration};
    struct lidar_decoder *decoder = NULL;
    CHECK(lidar_decoder_create(&config, &sink, &decoder) == 0);
    for (size_t n = 0; n < count; n++) {
        uint8_t packet[1206];
        memset(packet, bytes[2 * n], sizeof packet);
        for (unsigned i = 0; i < 12; i++) {
            sl_put_le16(packet + i * 100, i % 2 ? 0xDDFF : 0xEEFF);
            sl_put_le16(packet + i * 100 + 2, (uint16_t)((n * 6 + i / 2) * 21 % 36000));
        }
        sl_put_le32(packet + 1200, (uint32_t)(n * 346));
        memcpy(packet + 1204, bytes + 2 * n, 2);
        struct sl_datagram datagram = {.bytes = packet, .size_bytes = sizeof packet};
        (void)lidar_decoder_push(decoder, &datagram);
    }
    (void)lidar_decoder_flush(decoder);
    lidar_decoder_destroy(decoder);
    CHECK(!in_use[0] && !in_use[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static const uint8_t some[200] = {'1', 'U', '2', 'N', 5, 9};
    static struct velodyne_calibration calibration;
    if (size_bytes == 0)
        return 0;
    if (bytes[0] % 2 == 1) {
        push_packets(NULL, bytes + 1, (size_bytes - 1) / 2);
        return 0;
    }
    const char *text = (const char *)bytes + 1;
    if (velodyne_calibration_read(velodyne_model_find("hdl-64e-s2"), "fuzz", text, size_bytes - 1,
                                  &calibration) == 0)
        push_packets(&calibration, some, sizeof some / 2);
    return 0;
}
