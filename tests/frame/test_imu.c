/* SPDX-License-Identifier: Apache-2.0 */
/* sensor_msgs/msg/Imu and NavSatFix. */
#include "core/frame/imu.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"

#include <assert.h>
#include <errno.h>

static const uint8_t one[8] = {0, 0, 0, 0, 0, 0, 0xf0, 0x3f};         /* 1.0 */
static const uint8_t minus_half[8] = {0, 0, 0, 0, 0, 0, 0xe0, 0xbf};  /* -0.5 */
static const uint8_t gravity[8] = {0, 0, 0, 0, 0, 0xa0, 0x23, 0x40};  /* 9.8125 */
static const uint8_t latitude[8] = {0, 0, 0, 0, 0, 0x40, 0x4a, 0x40}; /* 52.5 */

/* Offsets in the body: frame_id at 12 to 19; 8-byte numbers count from 4: orientation at 20,
 * covariance 52, angular velocity 124, covariance 148, acceleration 220, covariance 244, end 316.
 */
#define IMU_SIZE 316

static void make_imu_bytes(uint8_t body[IMU_SIZE])
{
    static const uint8_t start[] = {
        0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 'i', 'm', 'u', 0,
    };
    memset(body, 0, IMU_SIZE);
    memcpy(body, start, sizeof start);
    memcpy(body + 20 + 24, one, 8);        /* orientation.w */
    memcpy(body + 52 + 64, minus_half, 8); /* orientation_covariance[8] */
    memcpy(body + 124 + 8, minus_half, 8); /* angular_velocity.y */
    memcpy(body + 148, one, 8);            /* angular_velocity_covariance[0] */
    memcpy(body + 220 + 16, gravity, 8);   /* linear_acceleration.z */
    memcpy(body + 244 + 32, one, 8);       /* linear_acceleration_covariance[4] */
}

static void imu_is_read_and_written_by_the_rules(void **state)
{
    (void)state;
    uint8_t bytes[IMU_SIZE];
    make_imu_bytes(bytes);
    struct sl_imu imu;
    assert_int_equal(sl_imu_read(bytes, sizeof bytes, &imu), 0);
    assert_int_equal(imu.stamp_ns, 1000000002);
    assert_true(sl_text_is(imu.frame_id, "imu"));
    assert_true(imu.orientation[3] == 1.0 && imu.orientation_covariance[8] == -0.5);
    assert_true(imu.angular_velocity[1] == -0.5 && imu.angular_velocity_covariance[0] == 1.0);
    assert_true(imu.linear_acceleration[2] == 9.8125);
    assert_true(imu.linear_acceleration_covariance[4] == 1.0);
    assert_true(imu.orientation[0] == 0.0 && imu.linear_acceleration_covariance[8] == 0.0);

    uint8_t written[IMU_SIZE];
    size_t size = 0;
    memset(written, 0xaa, sizeof written);
    assert_int_equal(sl_imu_write(&imu, written, sizeof written, &size), 0);
    assert_int_equal(size, IMU_SIZE);
    assert_memory_equal(written, bytes, IMU_SIZE);
    for (size_t room = 0; room < IMU_SIZE; room++)
        assert_int_equal(sl_imu_write(&imu, written, room, &size), -ENOSPC);
    imu.stamp_ns = INT64_MIN;
    assert_int_equal(sl_imu_write(&imu, written, sizeof written, &size), -ERANGE);
}

/* Where the numbers start differs with the length of frame_id, in steps of 8. */
static void imu_numbers_stay_aligned_for_any_frame_id(void **state)
{
    (void)state;
    static const char name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop";
    for (size_t frame_size = 0; frame_size <= 40; frame_size++) {
        struct sl_imu imu = {.frame_id = {name, frame_size}, .orientation = {0.25, 0, 0, 1}};
        uint8_t body[512];
        size_t size = 0;
        assert_int_equal(sl_imu_write(&imu, body, sizeof body, &size), 0);
        /* stamp 8, size 4, text, NUL; up to the next 8; 37 numbers */
        assert_int_equal(size, 4 + (12 + frame_size + 1 + 7) / 8 * 8 + 37 * 8);
        struct sl_imu read;
        assert_int_equal(sl_imu_read(body, size, &read), 0);
        assert_true(read.orientation[0] == 0.25 && read.orientation[3] == 1.0);
        size_t used = 0;
        assert_int_equal(sl_message_walk(sl_schema_find(SL_TYPE_IMU), body, size, NULL, &used), 0);
        assert_int_equal(used, size);
    }
}

static const uint8_t big_endian_fix[] = {
    0,    0,    0,    0,                   /*   0 encapsulation */
    0,    0,    0,    1, 0,   0,   0,   2, /*   4 sec, nanosec */
    0,    0,    0,    4, 'g', 'p', 's', 0, /*  12 frame_id */
    0xff, 0,    0,    9, 0,   0,   0,   0, /*  20 status -1, gap, service 9, gap to 28 */
    0x40, 0x4a, 0x40, 0, 0,   0,   0,   0, /*  28 latitude 52.5 */
    0xbf, 0xe0, 0,    0, 0,   0,   0,   0, /*  36 longitude -0.5 */
    0x3f, 0xf0, 0,    0, 0,   0,   0,   0, /*  44 altitude 1.0 */
    0x3f, 0xf0, 0,    0, 0,   0,   0,   0, /*  52 position_covariance[0], 8 zeros */
    0,    0,    0,    0, 0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,    0,    0,    0, 0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,    0,    0,    0, 0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, /* type at 124 */
};
#define FIX_SIZE 125
static_assert(sizeof big_endian_fix == FIX_SIZE, "counted by hand");

static void expect_fix(const struct sl_navsatfix *fix)
{
    assert_int_equal(fix->stamp_ns, 1000000002);
    assert_true(sl_text_is(fix->frame_id, "gps"));
    assert_int_equal(fix->status, SL_NAVSAT_NO_FIX);
    assert_int_equal(fix->service, SL_NAVSAT_GPS | SL_NAVSAT_GALILEO);
    assert_true(fix->latitude == 52.5 && fix->longitude == -0.5 && fix->altitude == 1.0);
    assert_true(fix->position_covariance[0] == 1.0 && fix->position_covariance[8] == 0.0);
    assert_int_equal(fix->position_covariance_type, SL_NAVSAT_COVARIANCE_DIAGONAL_KNOWN);
}

static void fix_is_read_in_either_byte_order(void **state)
{
    (void)state;
    struct sl_navsatfix fix;
    assert_int_equal(sl_navsatfix_read(big_endian_fix, FIX_SIZE, &fix), 0);
    expect_fix(&fix);

    uint8_t bytes[FIX_SIZE] = {0, 1, 0, 0, 1,   0,   0,   0, 2,    0, 0, 0,
                               4, 0, 0, 0, 'g', 'p', 's', 0, 0xff, 0, 9, 0};
    memcpy(bytes + 28, latitude, 8);
    memcpy(bytes + 36, minus_half, 8);
    memcpy(bytes + 44, one, 8);
    memcpy(bytes + 52, one, 8);
    bytes[124] = 2;
    assert_int_equal(sl_navsatfix_read(bytes, FIX_SIZE, &fix), 0);
    expect_fix(&fix);

    uint8_t written[FIX_SIZE];
    size_t size = 0;
    memset(written, 0xaa, sizeof written);
    assert_int_equal(sl_navsatfix_write(&fix, written, sizeof written, &size), 0);
    assert_int_equal(size, FIX_SIZE);
    assert_memory_equal(written, bytes, FIX_SIZE);
    for (size_t room = 0; room < FIX_SIZE; room++)
        assert_int_equal(sl_navsatfix_write(&fix, written, room, &size), -ENOSPC);
}

static void messages_that_are_cut_anywhere_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[IMU_SIZE];
    make_imu_bytes(bytes);
    for (size_t size = 0; size < IMU_SIZE; size++) {
        uint8_t *body = exact_copy(bytes, size);
        struct sl_imu imu;
        assert_int_equal(sl_imu_read(body, size, &imu), -EBADMSG);
        free(body);
    }
    for (size_t size = 0; size < FIX_SIZE; size++) {
        uint8_t *body = exact_copy(big_endian_fix, size);
        struct sl_navsatfix fix;
        assert_int_equal(sl_navsatfix_read(body, size, &fix), -EBADMSG);
        free(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imu_is_read_and_written_by_the_rules),
        cmocka_unit_test(imu_numbers_stay_aligned_for_any_frame_id),
        cmocka_unit_test(fix_is_read_in_either_byte_order),
        cmocka_unit_test(messages_that_are_cut_anywhere_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
