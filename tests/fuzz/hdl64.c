/* SPDX-License-Identifier: Apache-2.0 */
/* hdl64.c - an HDL-64E's calibration, from a file and from packets, and packets with it.
 *
 * Input: kind u8, then for kind % 2 = 0 a YAML file; else two bytes a packet: its status.
 */
#include "drivers/lidar/decoder.h"
#include "tests/fuzz/lidar.h"

#define ROOM_BYTES ((size_t)64 * 64 * 22)

static void check_frame(const void *context, const uint8_t *data,
                        const struct lidar_frame_info *info)
{
    (void)context;
    (void)data;
    CHECK(info->width == 64);
}

static uint64_t push_packets(const struct velodyne_calibration *calibration, const uint8_t *bytes,
                             size_t count, enum lidar_simd simd)
{
    struct rooms rooms = {.bytes = ROOM_BYTES, .check = check_frame};
    const struct lidar_frame_sink sink = rooms_sink(&rooms);
    const struct lidar_decoder_config config = {
        .model = velodyne_model_find("hdl-64e-s3"), .calibration = calibration, .simd = simd};
    struct lidar_decoder *decoder = NULL;
    rooms_make(&rooms);
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
    rooms_end(&rooms);
    return rooms.sum;
}

static uint64_t decode(const uint8_t *bytes, size_t size_bytes, enum lidar_simd simd)
{
    static const uint8_t some[200] = {'1', 'U', '2', 'N', 5, 9};
    static struct velodyne_calibration calibration;
    if (size_bytes == 0)
        return 0;
    if (bytes[0] % 2 == 1)
        return push_packets(NULL, bytes + 1, (size_bytes - 1) / 2, simd);
    const char *text = (const char *)bytes + 1;
    if (velodyne_calibration_read(velodyne_model_find("hdl-64e-s2"), "fuzz", text, size_bytes - 1,
                                  &calibration) == 0)
        return push_packets(&calibration, some, sizeof some / 2, simd);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    compare_kernels(decode, bytes, size_bytes);
    return 0;
}
