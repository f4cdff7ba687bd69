/* SPDX-License-Identifier: Apache-2.0 */
/* frames.c - frames of an interface, well-formed or not, to the datagrams that are wanted.
 *
 * Input: config u8 (bit 0: one sender only, bits 1 and 2: link type), then records
 *      milliseconds since the last one u8 | size u16 | that many bytes
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/capture/link.h"
#include "drivers/lidar/source_frames.h"

#define PORT 2368
#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct lidar_frames *frames, const struct sl_datagram *d)
{
    uint8_t sum = 0;
    CHECK(d->destination.port == PORT || d->destination.port == PORT + 1);
    CHECK(d->size_bytes <= SL_DATAGRAM_MAX_BYTES);
    if (frames->has_sender)
        CHECK(memcmp(d->source.address, frames->sender.address, 4) == 0);
    for (uint32_t i = 0; i < d->size_bytes; i++)
        sum = (uint8_t)(sum + d->bytes[i]); /* all of it may be read */
    __asm__ volatile("" ::"r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t links[] = {SL_LINK_ETHERNET, SL_LINK_RAW, SL_LINK_SLL2, SL_LINK_NULL};
    struct lidar_frames frames;
    struct lidar_source_stats stats = {0};
    struct sl_datagram datagram;
    struct sl_reader r = sl_reader(data, size);
    uint8_t config = sl_reader_u8(&r);
    const struct lidar_interface_config wanted = {.interface = "fuzz",
                                                  .sender = config & 1 ? "10.0.0.1" : NULL,
                                                  .ports = {PORT, PORT + 1},
                                                  .port_count = 2};
    uint64_t time_ns = SL_NS_PER_S, records = 0, taken = 0;
    CHECK(lidar_frames_open(&frames, &wanted) == 0);
    for (;;) {
        time_ns += sl_reader_u8(&r) * SL_NS_PER_MS;
        uint32_t length = sl_reader_le16(&r);
        if (length > sl_reader_left(&r))
            length = (uint32_t)sl_reader_left(&r);
        if (r.failed)
            break;
        /* Of its own, so that a byte too far is seen. */
        uint8_t *bytes = malloc(length ? length : 1);
        CHECK(bytes);
        memcpy(bytes, sl_reader_take(&r, length), length);
        const struct sl_capture_record record = {.bytes = bytes,
                                                 .captured_bytes = length,
                                                 .original_bytes = length,
                                                 .link_type = links[config >> 1 & 3],
                                                 .time_ns = time_ns};
        records++;
        if (lidar_frames_take(&frames, &record, &stats, &datagram)) {
            check(&frames, &datagram);
            taken++;
        }
        free(bytes);
    }
    lidar_frames_stats(&frames, &stats);
    CHECK(taken + stats.foreign <= records);
    lidar_frames_close(&frames);
    return 0;
}
