/* SPDX-License-Identifier: Apache-2.0 */
/* hesai.c - a stream of datagrams, well-formed or not, through check, parse, clock and frames; and
 * correction files.
 *
 * Input: kind u8, then for kind % 8 = 7 a correction file; else records
 *      what u8 | value u16 | ...
 *      what % 4 = 0  the next packet of a made-up sensor
 *               1    that packet with the byte at `value` changed to the next one
 *               2    the stamp moves by value * 64 us, signed; the azimuth's step is the next byte
 *               3    a datagram of value % 1400 bytes out of the input, as it stands
 */
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/assembly.h"
#include "tests/fuzz/lidar.h"

#define RECORDS_MAX 2048
#define PACKET_MAX  1400
#define ROOM_BYTES  ((size_t)200 * 64 * 22)

/* Where the parts of a packet are, apart from the parser. */
static const struct made {
    uint8_t header[12];
    unsigned header_bytes, azimuth_at, block, blocks, mode_at, microseconds_at, size, period_us;
} made[] = {
    {{0xEE, 0xFF, 6, 1, 0, 0, 32, 8, 0, 4}, 12, 0, 130, 8, 10, 19, 1080, 50},
    {{0xEE, 0xFF, 6, 1, 0, 0, 16, 8, 0, 4}, 12, 0, 66, 8, 10, 19, 568, 50},
    {{0xEE, 0xFF, 6, 1, 0, 0, 32, 6, 0, 5}, 12, 0, 130, 6, 10, 19, 820, 50},
    {{0xEE, 0xFF, 3, 1, 0, 0, 64, 4, 0, 4}, 12, 0, 258, 4, 16, 12, 1072, 167},
    {{0xEE, 0xFF, 64, 6, 0, 4, 0, 0}, 8, 0, 194, 6, 14, 10, 1198, 56},
    {{0}, 0, 2, 124, 10, 14, 10, 1262, 56},
};

struct stream {
    struct input in;
    const struct made *made;
    uint8_t mode;
    double stamp_us, azimuth, step;
    bool is_begun;
    enum lidar_simd simd;
    const struct lidar_model *model;
    struct lidar_clock clock;
    struct lidar_counts counts;
    struct lidar_assembly assembly;
    struct rooms rooms;
};

static void push_parsed(struct stream *s, const uint8_t *bytes, size_t size)
{
    const struct lidar_model *told = NULL;
    struct lidar_packet packet;
    if (hesai_data_check(bytes, size, &told) != LIDAR_PACKETS)
        return;
    if (!s->is_begun) {
        const struct lidar_assembly_options options = {0};
        const struct lidar_frame_sink sink = rooms_sink(&s->rooms);
        s->is_begun = true;
        s->model = told;
        lidar_assembly_init(&s->assembly, told, &options, &sink, &s->clock, &s->counts,
                            lidar_block_kernel_for(s->simd));
    }
    if (told != s->model || hesai_data_parse(told, bytes, size, &packet) != LIDAR_PACKETS)
        return;
    CHECK(packet.stamp_us < UINT32_C(3600000000));
    packet.host_ns = 0;
    enum lidar_clock_step step =
        lidar_clock_data(&s->clock, packet.stamp_us, 0, 0, &packet.time_ns);
    packet.time_ns += lidar_model_first_ns(told, packet.group_count);
    lidar_assembly_push(&s->assembly, &packet, step);
}

static void push(struct stream *s, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = exact_copy(bytes, size);
    push_parsed(s, copy, size);
    free(copy);
}

static void push_made(struct stream *s, bool is_changed, unsigned place)
{
    const struct made *m = s->made;
    uint8_t bytes[PACKET_MAX];
    unsigned returns = s->mode == 0x3D ? 3 : s->mode >= 0x39 ? 2 : 1;
    memset(bytes, 0x11, sizeof bytes);
    memcpy(bytes, m->header, m->header_bytes);
    for (unsigned i = 0; i < m->blocks; i++) {
        uint8_t *block = bytes + m->header_bytes + i * m->block;
        double azimuth = s->azimuth + s->step * (i / returns);
        if (m->azimuth_at > 0)
            sl_put_le16(block, 0xEEFF);
        sl_put_le16(block + m->azimuth_at, (uint16_t)((uint32_t)azimuth % 36000));
    }
    uint8_t *tail = bytes + m->header_bytes + m->blocks * m->block;
    tail[m->mode_at] = s->mode;
    sl_put_le32(tail + m->microseconds_at, (uint32_t)s->stamp_us);
    if (is_changed)
        bytes[place % m->size] = (uint8_t)take(&s->in);
    push(s, bytes, m->size);
    s->azimuth += s->step * (m->blocks / returns);
    s->azimuth -= s->azimuth >= 36000 ? 36000 : 0;
    s->stamp_us += m->period_us * (m->blocks / returns);
    s->stamp_us -= s->stamp_us >= 1e6 ? 1e6 : 0;
}

static void record(struct stream *s)
{
    unsigned what = take(&s->in), value = take_two(&s->in);
    switch (what % 4) {
    case 2:
        s->stamp_us += (double)(int16_t)value * 64;
        while (s->stamp_us < 0)
            s->stamp_us += 1e6;
        s->step = take(&s->in);
        break;
    case 3: {
        size_t size;
        const uint8_t *bytes = take_bytes(&s->in, value % PACKET_MAX, &size);
        push(s, bytes, size);
        break;
    }
    default:
        push_made(s, what % 4 == 1, value);
    }
}

static void read_correction(const uint8_t *bytes, size_t size, unsigned kind)
{
    struct lidar_model model;
    if (hesai_correction_read(hesai_models[kind / 8 % 6], (const char *)bytes, size, &model) < 0)
        return;
    for (unsigned i = 0; i < model.lasers; i++)
        CHECK(model.vertical_deg[i] >= -90 && model.vertical_deg[i] <= 90);
}

static uint64_t decode(const uint8_t *bytes, size_t size_bytes, enum lidar_simd simd)
{
    static const uint8_t modes[] = {0x37, 0x39, 0x3B, 0x3D};
    if (size_bytes == 0)
        return 0;
    unsigned kind = bytes[0];
    if (kind % 8 == 7) {
        read_correction(bytes + 1, size_bytes - 1, kind);
        return 0;
    }
    struct stream *s = aligned_alloc(64, (sizeof *s + 63) / 64 * 64);
    CHECK(s);
    memset(s, 0, sizeof *s);
    s->in = (struct input){bytes + 1, bytes + size_bytes};
    s->made = &made[kind % 8 % (sizeof made / sizeof *made)];
    s->mode = modes[kind / 8 % 4];
    s->step = 18;
    s->simd = simd;
    s->rooms = (struct rooms){.bytes = ROOM_BYTES, .check = check_rings};
    rooms_make(&s->rooms);
    for (unsigned i = 0; i < RECORDS_MAX && s->in.at < s->in.end; i++)
        record(s);
    if (s->is_begun && kind & 0x80)
        lidar_assembly_flush(&s->assembly);
    if (s->is_begun)
        lidar_assembly_discard(&s->assembly);
    uint64_t sum = s->rooms.sum;
    rooms_end(&s->rooms);
    free(s);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    compare_kernels(decode, bytes, size_bytes);
    return 0;
}
