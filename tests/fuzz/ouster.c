/* SPDX-License-Identifier: Apache-2.0 */
/* ouster.c - a stream of packets, well-formed or not, through an Ouster's frames.
 *
 * Input: 8 bytes of configuration, then records
 *      kind u8 | value u16 | ...
 *      kind % 8 = 0..2  the next packet of a made-up sensor
 *                 3     that packet with one byte changed: place = value, and the next byte is the
 *                       value
 *                 4     value is added to the number of the next packet (signed)
 *                 5     the sensor's stamps move by value ms (signed); an odd one starts it again
 *                 6     a datagram of value % 4096 bytes out of the input, as it stands, as a lidar
 *                       and as an IMU packet
 *                 7     time passes: deadline; or the stream ends (value odd)
 */
#include "drivers/lidar/ouster_frames.h"
#include "tests/fuzz/lidar.h"

#define RECORDS_MAX 4096
#define HOST_NS     UINT64_C(1700000000000000000)

/* Every byte was written: rings and times are right everywhere. */
static void check_frame(const void *context, const uint8_t *data,
                        const struct lidar_frame_info *info)
{
    const struct ouster_metadata *metadata = context;
    unsigned beams = metadata->format.beams;
    CHECK(info->width == beams);
    CHECK(info->size_bytes == (size_t)info->height * beams * LIDAR_POINT_BYTES);
    CHECK(info->columns == ouster_window_columns(metadata));
    CHECK(info->missing < info->columns);
    CHECK(info->valid <= info->height * beams);
    for (size_t i = 0; i < (size_t)info->height * beams; i++) {
        const uint8_t *point = data + i * LIDAR_POINT_BYTES;
        float time;
        memcpy(&time, point + LIDAR_POINT_TIME, sizeof time);
        CHECK(sl_get_le16(point + LIDAR_POINT_RING) == i % beams && time >= 0 && time < 3);
    }
}

struct stream {
    struct input in;
    struct ouster_metadata metadata;
    struct ouster_frames *frames;
    uint64_t stamp_ns, host_ns;
    uint32_t packet; /* number since the beginning */
    uint32_t init_id;
};

static void push(struct stream *s, const uint8_t *bytes, size_t size)
{
    static struct ouster_imu_packet imu;
    struct ouster_packet packet;
    uint8_t *copy = exact_copy(bytes, size);
    if (ouster_packet_parse(&s->metadata.format, copy, size, &packet) == LIDAR_PACKETS)
        (void)ouster_frames_push(s->frames, &packet, s->host_ns);
    if (ouster_imu_parse(&s->metadata.imu, copy, size, &imu) == LIDAR_IMU)
        CHECK(imu.count >= 1 && imu.count <= OUSTER_IMU_SAMPLES_MAX);
    free(copy);
}

static void push_made(struct stream *s, bool is_changed, unsigned place)
{
    static uint8_t bytes[OUSTER_PACKET_BYTES_MAX];
    const struct ouster_format *f = &s->metadata.format;
    unsigned packets = f->frame_columns / f->columns;
    uint32_t turn = s->packet / packets, index = s->packet % packets;
    uint64_t column_ns = UINT64_C(1000000000) / s->metadata.turns_hz / f->frame_columns;
    memset(bytes, 0x11, f->packet_bytes);
    if (!f->profile->is_legacy) {
        memset(bytes, 0, 32);
        bytes[0] = 1;
        if (f->is_fusa) {
            sl_put_le32(bytes + 4, turn);
            bytes[1] = (uint8_t)s->init_id;
        } else {
            sl_put_le16(bytes + 2, (uint16_t)turn);
            bytes[4] = (uint8_t)s->init_id;
        }
    }
    for (unsigned i = 0; i < f->columns; i++) {
        uint8_t *column = bytes + f->header_bytes + (size_t)i * f->column_bytes;
        unsigned id = index * f->columns + i;
        sl_put_le64(column, s->stamp_ns + i * column_ns);
        sl_put_le16(column + 8, (uint16_t)id);
        sl_put_le16(column + 10, f->profile->is_legacy ? (uint16_t)turn : 1);
    }
    if (is_changed)
        bytes[place % f->packet_bytes] = (uint8_t)take(&s->in);
    push(s, bytes, f->packet_bytes);
    s->packet++;
    s->stamp_ns += f->columns * column_ns;
    s->host_ns += f->columns * column_ns;
}

static void record(struct stream *s)
{
    unsigned kind = take(&s->in), value = take_two(&s->in);
    switch (kind % 8) {
    case 3:
        push_made(s, true, value);
        break;
    case 4:
        s->packet += (uint32_t)(int16_t)value;
        break;
    case 5:
        s->stamp_ns += (uint64_t)((int64_t)(int16_t)value * 1000000);
        s->init_id += value & 1;
        break;
    case 6: {
        size_t size;
        const uint8_t *bytes = take_bytes(&s->in, value % 4096, &size);
        push(s, bytes, size);
        break;
    }
    case 7:
        s->host_ns += value * UINT64_C(100000);
        if (value % 2)
            ouster_frames_flush(s->frames);
        else
            ouster_frames_deadline(s->frames, s->host_ns);
        CHECK(ouster_frames_due_ns(s->frames) > s->host_ns);
        break;
    default:
        push_made(s, false, 0);
    }
}

/* Pictures: a turn is begun before its pixels come, and these are all there. */
static bool is_begun[2];
static volatile unsigned seen;

static void begin_turn(void *context, unsigned turn)
{
    (void)context;
    is_begun[turn] = true;
}

static void read_pixels(void *context, unsigned turn, unsigned measurement_id,
                        const uint8_t *pixels)
{
    const struct stream *s = context;
    const struct ouster_format *format = &s->metadata.format;
    CHECK(is_begun[turn] && measurement_id < format->frame_columns);
    for (unsigned i = 0; i < format->beams * format->profile->pixel_bytes; i++)
        seen += pixels[i];
}

static void close_turn(void *context, unsigned turn, const struct lidar_frame_info *info)
{
    (void)context;
    CHECK(is_begun[turn] && info->valid + info->filtered <= info->width * info->height);
    is_begun[turn] = false;
}

static bool configure(struct stream *s, struct ouster_frames_options *options)
{
    struct ouster_metadata *m = &s->metadata;
    static const double identity[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    unsigned profiles = 0, flags = take(&s->in);
    while (ouster_profiles[profiles].name)
        profiles++;
    unsigned profile = take(&s->in), beams = 16 * (1 + take(&s->in) % 3),
             columns = 1 + take(&s->in) % 16;
    unsigned frame_columns = columns * (1 + take(&s->in) % 8);
    if (ouster_format_init(&m->format, &ouster_profiles[profile % profiles], flags & 1, beams,
                           columns, frame_columns) < 0 ||
        ouster_imu_format_init(&m->imu, flags & 2, 1 + flags / 64) < 0)
        return false;
    m->window_first = (uint16_t)(take(&s->in) % frame_columns);
    m->window_last = (uint16_t)(take(&s->in) % frame_columns);
    m->turns_hz = flags & 4 ? 20 : 10;
    m->clock = (flags >> 3) % 3;
    memcpy(m->beam_to_lidar, identity, sizeof identity);
    memcpy(m->lidar_to_sensor, identity, sizeof identity);
    options->stamp = flags & 32 ? LIDAR_STAMP_HOST : flags & 4 ? LIDAR_STAMP_FITTED : 0;
    if (flags & 8)
        options->points.filter = (struct lidar_filter_options){
            .window_count = 1,
            .windows = {{-100, 90}},
            .has_box = true,
            .box_min_m = {-2, -2, -2},
            .box_max_m = {9, 9, 9},
            .every_nth = 1 + flags % 3,
        };
    options->pixels = (struct ouster_pixel_sink){s, begin_turn, read_pixels, close_turn};
    options->uses_signal = flags & 64;
    return true;
}

static uint64_t decode(const uint8_t *bytes, size_t size_bytes, enum lidar_simd simd)
{
    static struct ouster_frames frames;
    static struct lidar_counts counts;
    struct stream s = {.in = {bytes, bytes + size_bytes},
                       .frames = &frames,
                       .stamp_ns = UINT64_C(5000000000),
                       .host_ns = HOST_NS};
    struct ouster_frames_options options = {0};
    if (!configure(&s, &options))
        return 0;
    struct rooms rooms = {.check = check_frame, .context = &s.metadata};
    rooms.refuse_one_in = take(&s.in);
    rooms.bytes = ouster_frame_bytes(&s.metadata);
    rooms_make(&rooms);
    struct lidar_frame_sink sink = rooms_sink(&rooms);
    ouster_frames_init(&frames, &s.metadata, &options, &sink, &counts,
                       lidar_column_kernel_for(simd));
    for (unsigned i = 0; i < RECORDS_MAX && s.in.at < s.in.end; i++)
        record(&s);
    ouster_frames_discard(&frames);
    rooms_end(&rooms);
    return rooms.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    compare_kernels(decode, bytes, size_bytes);
    return 0;
}
