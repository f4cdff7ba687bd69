/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/imu.h"

int sl_imu_read(const void *body, size_t size, struct sl_imu *ret_imu)
{
    struct sl_cdr_reader r;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    struct sl_imu imu;
    sl_header_read(&r, &imu.stamp_ns, &imu.frame_id);
    sl_cdr_f64s(&r, imu.orientation, 4);
    sl_cdr_f64s(&r, imu.orientation_covariance, 9);
    sl_cdr_f64s(&r, imu.angular_velocity, 3);
    sl_cdr_f64s(&r, imu.angular_velocity_covariance, 9);
    sl_cdr_f64s(&r, imu.linear_acceleration, 3);
    sl_cdr_f64s(&r, imu.linear_acceleration_covariance, 9);
    err = sl_message_read_result(&r, SL_TYPE_IMU);
    if (err < 0)
        return err;
    *ret_imu = imu;
    return 0;
}

int sl_imu_write(const struct sl_imu *imu, void *to, size_t room, size_t *ret_size)
{
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    int err = sl_header_write(&w, imu->stamp_ns, imu->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_f64s(&w, imu->orientation, 4);
    sl_cdr_put_f64s(&w, imu->orientation_covariance, 9);
    sl_cdr_put_f64s(&w, imu->angular_velocity, 3);
    sl_cdr_put_f64s(&w, imu->angular_velocity_covariance, 9);
    sl_cdr_put_f64s(&w, imu->linear_acceleration, 3);
    sl_cdr_put_f64s(&w, imu->linear_acceleration_covariance, 9);
    err = sl_message_write_result(&w, SL_TYPE_IMU);
    if (err < 0)
        return err;
    *ret_size = sl_cdr_written(&w);
    return 0;
}

int sl_navsatfix_read(const void *body, size_t size, struct sl_navsatfix *ret_fix)
{
    struct sl_cdr_reader r;
    int err = sl_cdr_read(body, size, &r);
    if (err < 0)
        return err;
    struct sl_navsatfix fix;
    sl_header_read(&r, &fix.stamp_ns, &fix.frame_id);
    fix.status = (int8_t)sl_cdr_u8(&r);
    fix.service = sl_cdr_u16(&r);
    fix.latitude = sl_cdr_f64(&r);
    fix.longitude = sl_cdr_f64(&r);
    fix.altitude = sl_cdr_f64(&r);
    sl_cdr_f64s(&r, fix.position_covariance, 9);
    fix.position_covariance_type = sl_cdr_u8(&r);
    err = sl_message_read_result(&r, SL_TYPE_NAVSATFIX);
    if (err < 0)
        return err;
    *ret_fix = fix;
    return 0;
}

int sl_navsatfix_write(const struct sl_navsatfix *fix, void *to, size_t room, size_t *ret_size)
{
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    int err = sl_header_write(&w, fix->stamp_ns, fix->frame_id);
    if (err < 0)
        return err;
    sl_cdr_put_u8(&w, (uint8_t)fix->status);
    sl_cdr_put_u16(&w, fix->service);
    sl_cdr_put_f64(&w, fix->latitude);
    sl_cdr_put_f64(&w, fix->longitude);
    sl_cdr_put_f64(&w, fix->altitude);
    sl_cdr_put_f64s(&w, fix->position_covariance, 9);
    sl_cdr_put_u8(&w, fix->position_covariance_type);
    err = sl_message_write_result(&w, SL_TYPE_NAVSATFIX);
    if (err < 0)
        return err;
    *ret_size = sl_cdr_written(&w);
    return 0;
}
