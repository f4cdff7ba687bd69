/* SPDX-License-Identifier: Apache-2.0 */
/* test_robosense_captures.c - a real RS-Helios-5515, all of whose points are computed once more.
 *
 * Its 544th packet is the sensor's own: the angles there are below, as they were read off it by
 * hand. (The capture's name says 16P; both packets say otherwise.)
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>

#include "core/base/bytes.h"
#include "drivers/lidar/robosense.h"
#include "tests/lidar/captures.h"

#define CAPTURE     "derived/nebula_helios16P_rosbag2_2023_08_03-11_02_46_0.pcap"
#define DATA        750
#define BEFORE_INFO 543
#define COLUMNS     (DATA * 12)
#define LASERS      32
#define RADIANS     (3.14159265358979323846 / 180)
#define LENS_M      0.03498
#define PERIOD_US   55.56

/* clang-format off */
static const double type_deg[LASERS] = {
    15, 13, 11, 9, 7, 5.5, 4, 2.67, 1.33, 0, -1.33, -2.67, -4, -5.33, -6.67, -8, -10, -16, -13, -19,
    -22, -28, -25, -31, -34, -37, -40, -43, -46, -49, -52, -55};
static const double own_deg[LASERS] = {
    14.94, 13.03, 10.92, 8.9, 6.96, 5.46, 3.98, 2.67, 1.33, 0, -1.33, -2.67, -3.96, -5.23, -6.63,
    -8.01, -9.94, -15.97, -12.9, -18.98, -21.92, -27.87, -24.96, -30.95, -33.89, -37.09, -39.95,
    -43.11, -46.1, -49.13, -51.9, -53.7};
static const double aside_deg[LASERS] = {
    -4.05, 3.61, -4, 3.58, -3.97, 3.56, -3.96, 3.55, -3.95, 3.55, -3.95, 3.55, -3.96, 3.56, -3.97,
    3.57, -3.99, 3.64, -4.02, 3.68, -4.17, 3.86, -4.24, 3.95, -4.5, 4.12, -4.74, 4.36, -5.01, 4.59,
    -5.3, 4.78};
static const double firing_us[LASERS] = {
    0, 1.57, 3.15, 4.72, 6.3, 7.87, 9.45, 11.36, 13.26, 15.17, 17.08, 18.99, 20.56, 22.14, 23.71,
    25.29, 26.53, 29.01, 27.77, 30.25, 31.49, 33.98, 32.73, 35.22, 36.46, 37.7, 38.94, 40.18, 41.42,
    42.67, 43.91, 45.15};
/* clang-format on */

static struct frames frames;
static uint8_t packets[DATA][1248];
static unsigned packet_count;

static void keep(void *context, const struct sl_datagram *datagram)
{
    (void)context;
    if (datagram->bytes[0] != 0x55 || packet_count == DATA)
        return;
    assert_int_equal(datagram->size_bytes, 1248);
    memcpy(packets[packet_count++], datagram->bytes, 1248);
}

static unsigned ring_of(unsigned laser)
{
    unsigned rank = 0;
    for (unsigned i = 0; i < LASERS; i++)
        rank += own_deg[i] < own_deg[laser];
    return rank;
}

static void check_point(const struct point *p, const uint8_t *packet, unsigned block,
                        unsigned laser, bool is_own)
{
    const uint8_t *at = packet + 42 + block * 100;
    double first = sl_get_be16(packet + 44), last = sl_get_be16(packet + 1144);
    double rate = (last - first + (last < first ? 36000 : 0)) / 11 / PERIOD_US;
    unsigned raw = sl_get_be16(at + 4 + laser * 3);
    double r = raw * 0.0025, v = (is_own ? own_deg : type_deg)[laser] * RADIANS;
    double h = (sl_get_be16(at + 2) + rate * firing_us[laser]) / 100 * RADIANS;
    double aside = h + aside_deg[laser] * RADIANS;
    assert_int_equal(point_is_hole(p), raw == 0);
    if (raw == 0)
        return;
    double tolerance_m = 2e-5 + r * 1e-6;
    assert_true(p->intensity == at[6 + laser * 3]);
    assert_true(fabs((double)p->x - r * cos(v) * cos(aside) - LENS_M * cos(h)) < tolerance_m);
    assert_true(fabs((double)p->y + r * cos(v) * sin(aside) + LENS_M * sin(h)) < tolerance_m);
    assert_true(fabs((double)p->z - r * sin(v)) < tolerance_m);
}

static void every_point_is_where_the_formula_says(void **state)
{
    (void)state;
    const struct lidar_decoder_config config = {.model = robosense_model_find("helios")};
    room_bytes = (size_t)4200 * LASERS * 22;
    each_packet(CAPTURE, keep, NULL);
    assert_int_equal(packet_count, DATA);
    struct run run = decode(CAPTURE, &config, &frames);
    assert_int_equal(run.error, 0);
    no_loss(&run);
    assert_int_equal(count_of(&run, LIDAR_PACKETS), DATA);
    assert_int_equal(count_of(&run, LIDAR_TELEMETRY), 1);
    assert_null(lidar_decoder_note(run.decoder, LIDAR_NOTE_ANGLES));
    /* six turns in pieces, one of which ends where the sensor tells its angles */
    assert_int_equal(frames.closed, 7);
    unsigned column = 0;
    for (unsigned i = 0; i < frames.closed; i++) {
        const struct kept_frame *frame = &frames.kept[i];
        assert_int_equal(frame->info.missing, 0);
        assert_int_equal(frame->info.clock, LIDAR_CLOCK_FREE_RUNNING); /* it is in 2017 */
        for (unsigned row = 0; row < frame->info.height; row++, column++) {
            for (unsigned laser = 0; laser < LASERS; laser++) {
                struct point p = frame_point(frame, row, ring_of(laser));
                check_point(&p, packets[column / 12], column % 12, laser,
                            column / 12 >= BEFORE_INFO);
            }
        }
    }
    assert_int_equal(column, COLUMNS);
    finish(&run, &frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_is_where_the_formula_says),
    };
    return captures_missing("robosense") ? 77 : cmocka_run_group_tests(tests, NULL, NULL);
}
