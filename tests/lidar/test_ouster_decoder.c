/* SPDX-License-Identifier: Apache-2.0 */
/* test_ouster_decoder.c - datagrams of an Ouster sorted, doubted and turned, without a recording.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "drivers/lidar/ouster_frames.h"
#include "tests/lidar/frames.h"

#define BEAMS   16
#define COLUMNS 4
#define PACKETS 4 /* a turn */
#define SERIAL  122200000001
#define BYTES   (32 + COLUMNS * (12 + BEAMS * 4) + 32)

static struct ouster_metadata metadata;
static struct lidar_decoder_config config;
static struct lidar_decoder *decoder;
static struct frames kept;
static struct lidar_imu taken[4];
static unsigned taken_count;

static void take(void *context, const struct lidar_imu *imu)
{
    assert_ptr_equal(context, taken);
    taken[taken_count++ % 4] = *imu;
}

static int set_up(void **state)
{
    static const double identity[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    (void)state;
    memset(&metadata, 0, sizeof metadata);
    memset(&config, 0, sizeof config);
    taken_count = 0;
    strcpy(metadata.product, "OS-1-16");
    metadata.serial = SERIAL;
    metadata.turns_hz = 10;
    metadata.window_last = COLUMNS * PACKETS - 1;
    memcpy(metadata.beam_to_lidar, identity, sizeof identity);
    memcpy(metadata.lidar_to_sensor, identity, sizeof identity);
    memcpy(metadata.imu_to_sensor, identity, sizeof identity);
    assert_int_equal(ouster_imu_format_init(&metadata.imu, true, 1), 0);
    config.ouster.metadata = &metadata;
    config.ouster.imu = (struct lidar_imu_sink){taken, take};
    return ouster_format_init(&metadata.format, ouster_profile_find("RNG15_RFL8_NIR8"), false,
                              BEAMS, COLUMNS, COLUMNS * PACKETS);
}

static void start(void)
{
    frames_init(&kept, ouster_frame_bytes(&metadata));
    struct lidar_frame_sink sink = frames_sink(&kept);
    assert_int_equal(lidar_decoder_create(&config, &sink, &decoder), 0);
}

static void stop(void)
{
    lidar_decoder_destroy(decoder);
    frames_finish(&kept);
}

static void make_packet(unsigned n, uint8_t bytes[BYTES])
{
    struct ouster_crc crc;
    memset(bytes, 0, BYTES);
    bytes[0] = 1;
    sl_put_le16(bytes + 2, (uint16_t)(n / PACKETS));
    sl_put_le32(bytes + 7, (uint32_t)SERIAL);
    bytes[11] = (uint8_t)(SERIAL >> 32);
    for (unsigned i = 0; i < COLUMNS; i++) {
        uint8_t *column = bytes + 32 + i * (12 + BEAMS * 4);
        sl_put_le64(column, UINT64_C(6250000) * (n * COLUMNS + i));
        sl_put_le16(column + 8, (uint16_t)(n % PACKETS * COLUMNS + i));
        sl_put_le16(column + 10, 1);
    }
    ouster_crc_init(&crc);
    sl_put_le64(bytes + BYTES - 8, ouster_crc64(&crc, bytes, BYTES - 8));
}

static int push(const uint8_t *bytes, uint32_t size, uint32_t flags)
{
    struct sl_datagram datagram = {
        .bytes = bytes, .size_bytes = size, .flags = flags, .time_ns = 1000000000};
    return lidar_decoder_push(decoder, &datagram);
}

static uint64_t count_of(enum lidar_count which)
{
    return lidar_decoder_counts(decoder)->count[which];
}

static void packets_with_a_wrong_checksum_are_left_out_on_request(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    for (unsigned checks = 0; checks < 2; checks++) {
        config.ouster.checks_crc = checks;
        start();
        for (unsigned n = 0; n < PACKETS; n++) {
            make_packet(n, bytes);
            bytes[50] ^= n == 2; /* a range */
            assert_int_equal(push(bytes, BYTES, 0), 0);
        }
        assert_int_equal(count_of(LIDAR_BAD_CRC), checks);
        assert_int_equal(count_of(LIDAR_PACKETS), PACKETS - checks);
        assert_int_equal(kept.closed, !checks);
        assert_int_equal(lidar_decoder_flush(decoder), 0);
        assert_int_equal(kept.closed, 1);
        stop();
    }
}

static void what_is_cut_off_or_of_another_kind_is_counted(void **state)
{
    (void)state;
    uint8_t bytes[BYTES + 1] = {0};
    start();
    assert_null(lidar_decoder_product(decoder));
    make_packet(0, bytes);
    push(bytes, BYTES, SL_DATAGRAM_TRUNCATED);
    push(bytes, BYTES - 1, 0);
    push(bytes, BYTES + 1, 0);
    bytes[0] = 3;
    push(bytes, BYTES, 0);
    assert_int_equal(count_of(LIDAR_BAD_SHORT), 2);
    assert_int_equal(count_of(LIDAR_BAD_LONG), 1);
    assert_int_equal(count_of(LIDAR_BAD_FLAG), 1);
    assert_null(lidar_decoder_product(decoder));
    make_packet(0, bytes);
    push(bytes, BYTES, 0);
    assert_string_equal(lidar_decoder_product(decoder), "OS-1-16");
    assert_string_equal(lidar_decoder_vendor(decoder), "Ouster");
    assert_null(lidar_decoder_model(decoder));
    assert_null(lidar_decoder_telemetry(decoder));
    stop();
}

/* Once one packet was right, others are another sensor's at the same port. */
static void another_sensor_is_an_error_until_this_one_is_heard(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    make_packet(0, bytes);
    bytes[7] ^= 1;
    start();
    int err = 0;
    unsigned pushed = 0;
    while (err == 0 && pushed++ < 1000)
        err = push(bytes, BYTES, 0);
    assert_int_equal(err, -EPROTO);
    assert_int_equal(pushed, 32);
    assert_non_null(strstr(sl_error_text(), "122200000001"));
    assert_non_null(strstr(sl_error_text(), "122200000000"));
    assert_int_equal(push(bytes, BYTES, 0), -EPROTO);
    assert_int_equal(lidar_decoder_flush(decoder), -EPROTO);
    stop();
    start();
    make_packet(0, bytes);
    assert_int_equal(push(bytes, BYTES, 0), 0);
    bytes[7] ^= 1;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(push(bytes, BYTES, 0), 0);
    assert_int_equal(count_of(LIDAR_OTHER_MODEL), 100);
    stop();
}

/* The other one, heard first, has the same frames and columns, but sees nothing. */
static void two_sensors_at_one_port_are_told_apart_by_serial_number(void **state)
{
    (void)state;
    enum {
        TURNS = 3
    };
    uint8_t bytes[BYTES];
    start();
    for (unsigned n = 0; n < TURNS * PACKETS; n++) {
        make_packet(n, bytes);
        bytes[7] ^= 1;
        assert_int_equal(push(bytes, BYTES, 0), 0);
        bytes[7] ^= 1;
        for (unsigned i = 0; i < COLUMNS * BEAMS; i++)
            sl_put_le16(bytes + 32 + i / BEAMS * (12 + BEAMS * 4) + 12 + i % BEAMS * 4, 500);
        assert_int_equal(push(bytes, BYTES, 0), 0);
    }
    assert_int_equal(count_of(LIDAR_OTHER_MODEL), TURNS * PACKETS);
    assert_int_equal(count_of(LIDAR_PACKETS), TURNS * PACKETS);
    assert_int_equal(count_of(LIDAR_DUPLICATE), 0);
    assert_int_equal(kept.closed, TURNS);
    for (unsigned i = 0; i < TURNS; i++) {
        assert_int_equal(kept.kept[i].info.partial, 0);
        assert_int_equal(kept.kept[i].info.valid, PACKETS * COLUMNS * BEAMS);
    }
    stop();
}

static void the_imu_is_turned_into_the_axes_of_the_points(void **state)
{
    (void)state;
    /* the points are turned a quarter to the left, and moved, which turns nothing */
    static const float left[12] = {0, -1, 0, 5, 1, 0, 0, 5, 0, 0, 1, 5};
    uint8_t bytes[48] = {0};
    float g = 1, rate = 90;
    memcpy(bytes + 24, &g, 4);    /* 1 g along x */
    memcpy(bytes + 40, &rate, 4); /* 90 degrees a second about y */
    for (unsigned turned = 0; turned < 2; turned++) {
        config.frames.block.has_extrinsics = turned;
        memcpy(config.frames.block.extrinsics, left, sizeof left);
        start();
        assert_int_equal(push(bytes, 48, 0), 0);
        assert_int_equal(count_of(LIDAR_IMU), 1);
        assert_int_equal(taken_count, turned + 1);
        const struct lidar_imu *imu = &taken[turned];
        assert_true(fabs(imu->acceleration[turned] - 9.80665) < 1e-9);
        assert_true(fabs(imu->acceleration[!turned]) < 1e-9);
        assert_true(fabs(imu->rate[!turned] - (turned ? -1 : 1) * M_PI / 2) < 1e-9);
        assert_true(imu->host_ns == 1000000000);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(packets_with_a_wrong_checksum_are_left_out_on_request),
        TEST(what_is_cut_off_or_of_another_kind_is_counted),
        TEST(another_sensor_is_an_error_until_this_one_is_heard),
        TEST(two_sensors_at_one_port_are_told_apart_by_serial_number),
        TEST(the_imu_is_turned_into_the_axes_of_the_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
