/* SPDX-License-Identifier: Apache-2.0 */
/* test_fix.c - a GPS receiver's sentences read, and handed on by each kind of sensor that has them.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "drivers/lidar/nmea.h"
#include "drivers/lidar/ouster_frames.h"
#include "drivers/lidar/robosense.h"
#include "tests/lidar/frames.h"
#include "tests/lidar/robosense_made.h"

#define RMC           "GPRMC,081802.25,A,3649.7478558,N,00224.4542928,W,0.034,212.5,210116,0.0,E,A"
#define RMC_UTC_MS    INT64_C(1453364282250) /* by date(1) */
#define RMC_LATITUDE  (36 + 49.7478558 / 60)
#define RMC_LONGITUDE (-(2 + 24.4542928 / 60))
#define START_NS      UINT64_C(1709208007000000000)

static char text[256];

static size_t make_sentence(const char *body)
{
    uint8_t sum = 0;
    for (const char *at = body; *at; at++)
        sum ^= (uint8_t)*at;
    return (size_t)snprintf(text, sizeof text, "$%s*%02X\r\n", body, sum);
}

static struct nmea_sentence parse(const char *body)
{
    struct nmea_sentence sentence;
    nmea_parse(text, make_sentence(body), &sentence);
    return sentence;
}

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void places_and_times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        double latitude_deg, longitude_deg, altitude_m;
        enum nmea_fix fix;
    } cases[] = {
        {RMC, RMC_LATITUDE, RMC_LONGITUDE, NAN, NMEA_FIX},
        {"GNRMC,000000,A,4807.038,S,18000.000,E,,,010100,,", -48.1173, 180, NAN, NMEA_FIX},
        {"GPRMC,000000,A,0000,N,00000.,W,,,010100,,", 0, 0, NAN, NMEA_FIX},
        {"GPGGA,081802,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,", 48.1173, 11 + 31.0 / 60,
         592.3, NMEA_FIX},
        {"GPGGA,081802,4807.038,N,01131.000,E,2,08,0.9,-5.5,M,,M,,", 48.1173, 11 + 31.0 / 60, NAN,
         NMEA_FIX_BY_SATELLITE},
        {"GPGGA,081802,4807.038,N,01131.000,E,4,08,0.9,,M,,M,,", 48.1173, 11 + 31.0 / 60, NAN,
         NMEA_FIX_BY_GROUND},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nmea_sentence s = parse(cases[i].body);
        assert_true(s.has_position && !s.is_damaged);
        assert_int_equal(s.fix, cases[i].fix);
        assert_true(is_near(s.latitude_deg, cases[i].latitude_deg));
        assert_true(is_near(s.longitude_deg, cases[i].longitude_deg));
        assert_int_equal(isnan(s.altitude_m), isnan(cases[i].altitude_m));
        assert_true(isnan(s.altitude_m) || is_near(s.altitude_m, cases[i].altitude_m));
    }
    assert_true(parse(RMC).utc_ns == RMC_UTC_MS * 1000000);
}

static void what_is_no_place_is_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "GPRMC,081802,V,3649.7,N,00224.4,W,,,210116,,", /* the receiver says so */
        "GPRMC,081802,A,3660.0,N,00224.4,W,,,210116,,", /* minutes */
        "GPRMC,081802,A,9000.1,N,00224.4,W,,,210116,,",
        "GPRMC,081802,A,3649.7,N,18000.1,W,,,210116,,",
        "GPRMC,081802,A,3649.7,E,00224.4,W,,,210116,,",
        "GPRMC,081802,A,-3649.7,N,00224.4,W,,,210116,,",
        "GPRMC,081802,A,36x9.7,N,00224.4,W,,,210116,,",
        "GPRMC,081802,A,36.49.7,N,00224.4,W,,,210116,,",
        "GPRMC,081802,A,,,,,,,210116,,",
        "GPRMC,081802,A,3649.74785581234567,N,00224.4,W,,,210116,,", /* longer than any */
        "GPGGA,081802,4807.038,N,01131.000,E,0,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,081802,4807.038,N,01131.000,E,6,08,0.9,545.4,M,46.9,M,,", /* estimated */
        "GPGGA,081802,4807.038,N",
        "GPZDA,081802,21,01,2016,,",
        "PGRMC,081802",
    };
    for (unsigned i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct nmea_sentence s = parse(bodies[i]);
        assert_false(s.has_position);
        assert_int_equal(s.fix, NMEA_NO_FIX);
    }
    struct nmea_sentence s;
    size_t length = make_sentence(RMC);
    for (size_t cut = 0; cut < length - 2; cut++) { /* nothing beyond its end is looked at */
        nmea_parse(text, cut, &s);
        assert_true(s.is_damaged && !s.has_position);
    }
    text[20] ^= 1;
    nmea_parse(text, length, &s);
    assert_true(s.is_damaged && !s.has_position && !s.has_utc);
}

/* Through the decoders. */

static struct lidar_fix taken[8];
static unsigned taken_count;
static struct frames kept;
static struct lidar_decoder *decoder;

static void take(void *context, const struct lidar_fix *fix)
{
    assert_ptr_equal(context, taken);
    taken[taken_count++ % 8] = *fix;
}

static void start(struct lidar_decoder_config *config, size_t room_bytes)
{
    struct lidar_frame_sink sink = frames_sink(&kept);
    taken_count = 0;
    config->fix = (struct lidar_fix_sink){taken, take};
    frames_init(&kept, room_bytes);
    assert_int_equal(lidar_decoder_create(config, &sink, &decoder), 0);
}

static void stop(void)
{
    lidar_decoder_destroy(decoder);
    frames_finish(&kept);
}

static void push(const uint8_t *bytes, uint32_t size, uint64_t host_ns)
{
    const struct sl_datagram datagram = {.bytes = bytes, .size_bytes = size, .time_ns = host_ns};
    assert_int_equal(lidar_decoder_push(decoder, &datagram), 0);
}

static void push_position(const char *body, uint32_t stamp_us, uint64_t host_ns)
{
    uint8_t bytes[512] = {0};
    sl_put_le32(bytes + 198, stamp_us);
    bytes[202] = 2; /* locked */
    memcpy(bytes + 206, text, make_sentence(body));
    push(bytes, sizeof bytes, host_ns);
}

static void a_velodyne_tells_each_sentence_once(void **state)
{
    (void)state;
    static const enum lidar_clock_choice choices[] = {LIDAR_STAMP_SENSOR, LIDAR_STAMP_HOST};
    for (unsigned i = 0; i < 2; i++) {
        struct lidar_decoder_config config = {.frames.stamp = choices[i]};
        struct fake_sensor sensor = fake_vlp16();
        sensor.host_start_ns = START_NS;
        sensor.start_us =
            1082.4e6; /* the same place in the hour as the sentence, and 0.15 s more */
        start(&config, 4 << 20);
        push_position(RMC, 1082300000, START_NS); /* before all data: of no time */
        assert_int_equal(taken_count, 0);
        for (unsigned n = 0; n < 8; n++) {
            fake_push(&sensor, n, decoder);
            push_position(RMC, 1082400000 + n * 1328, START_NS + n * 1328000);
        }
        push_position("GPRMC,081803,V,,,,,,,210116,,", 1083000000, START_NS + 600000000);
        push_position("GPGSV,1,1,00", 1083100000, START_NS + 700000000);
        assert_int_equal(taken_count, 2);
        assert_int_equal(taken[0].fix, NMEA_FIX);
        assert_true(is_near(taken[0].latitude_deg, RMC_LATITUDE));
        assert_true(is_near(taken[0].longitude_deg, RMC_LONGITUDE));
        assert_true(isnan(taken[0].altitude_m));
        assert_int_equal(taken[1].fix, NMEA_NO_FIX);
        assert_true(isnan(taken[1].latitude_deg) && isnan(taken[1].longitude_deg));
        if (i == 0) { /* GPS: the time that the sentence is of */
            assert_int_equal(taken[0].clock, LIDAR_CLOCK_GPS);
            assert_true(taken[0].stamp_ns == (uint64_t)RMC_UTC_MS * 1000000);
        } else { /* the packet's arrival */
            assert_int_equal(taken[0].clock, LIDAR_CLOCK_HOST);
            assert_in_range(taken[0].stamp_ns - START_NS, 0, 8 * 1328000);
        }
        stop();
    }
}

static void a_helios_tells_it_with_its_angles(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    struct lidar_decoder_config config = {.model = robosense_model_find(sensors[2].name)};
    start(&config, 8 << 20);
    make_packet(&sensors[2], 0, bytes);
    push(bytes, BYTES, START_NS);
    make_info(&sensors[2], bytes);
    push(bytes, BYTES, START_NS); /* 0xFF where the sentence would be */
    assert_int_equal(taken_count, 0);
    memset(bytes + 382, 0, 86);
    memcpy(bytes + 382, text, make_sentence(RMC));
    push(bytes, BYTES, START_NS);
    push(bytes, BYTES, START_NS + 1000000000);
    assert_int_equal(taken_count, 1);
    assert_true(is_near(taken[0].latitude_deg, RMC_LATITUDE));
    assert_int_equal(taken[0].clock, LIDAR_CLOCK_GPS);
    stop();
}

static void an_ouster_tells_it_with_its_imu(void **state)
{
    (void)state;
    static const double identity[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    static struct ouster_metadata metadata = {.turns_hz = 10, .window_last = 15};
    uint8_t bytes[132 + 36 + 32] = {2};
    struct lidar_decoder_config config = {.ouster.metadata = &metadata};
    memcpy(metadata.beam_to_lidar, identity, sizeof identity);
    memcpy(metadata.lidar_to_sensor, identity, sizeof identity);
    memcpy(metadata.imu_to_sensor, identity, sizeof identity);
    metadata.clock = OUSTER_CLOCK_PTP;
    config.ptp_ahead_ns = INT64_C(37000000000);
    assert_int_equal(ouster_imu_format_init(&metadata.imu, false, 1), 0);
    assert_int_equal(ouster_format_init(&metadata.format, ouster_profile_find("RNG15_RFL8_NIR8"),
                                        false, 16, 4, 16),
                     0);
    start(&config, 1 << 20);
    sl_put_le64(bytes + 32, START_NS + UINT64_C(37000000000));
    sl_put_le16(bytes + 132 + 10, 1);
    push(bytes, sizeof bytes, START_NS); /* no sentence */
    assert_int_equal(taken_count, 0);
    memcpy(bytes + 40, text, make_sentence(RMC));
    push(bytes, sizeof bytes, START_NS + 5);
    push(bytes, sizeof bytes, START_NS + 6);
    assert_int_equal(taken_count, 1);
    assert_int_equal(taken[0].clock, LIDAR_CLOCK_PTP);
    assert_true(taken[0].stamp_ns == START_NS);
    assert_true(taken[0].host_ns == START_NS + 5);
    assert_true(is_near(taken[0].longitude_deg, RMC_LONGITUDE));
    memset(bytes + 40, 'A', 92); /* no end anywhere */
    push(bytes, sizeof bytes, START_NS + 7);
    assert_int_equal(taken_count, 1);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_and_times_are_read),
        cmocka_unit_test(what_is_no_place_is_none),
        cmocka_unit_test(a_velodyne_tells_each_sentence_once),
        cmocka_unit_test(a_helios_tells_it_with_its_angles),
        cmocka_unit_test(an_ouster_tells_it_with_its_imu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
