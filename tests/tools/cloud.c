/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/cloud.h"

#include <math.h>
#include <string.h>

static void put(uint8_t *data, unsigned row, unsigned column, float x, float y, float z,
                float intensity)
{
    uint8_t *at = data + (row * TEST_CLOUD_WIDTH + column) * TEST_CLOUD_STEP;
    const float values[4] = {x, y, z, intensity}, time = (float)row * 1e-4f;
    uint16_t ring = (uint16_t)column;
    memcpy(at, values, sizeof values);
    memcpy(at + 16, &ring, sizeof ring);
    memcpy(at + 18, &time, sizeof time);
}

void test_cloud(struct sl_pointcloud2 *ret_cloud, int64_t stamp_ns, uint8_t *data)
{
    static const struct sl_point_field fields[] = {
        {{"x", 1}, 0, 1, SL_POINT_FLOAT32},    {{"y", 1}, 4, 1, SL_POINT_FLOAT32},
        {{"z", 1}, 8, 1, SL_POINT_FLOAT32},    {{"intensity", 9}, 12, 1, SL_POINT_FLOAT32},
        {{"ring", 4}, 16, 1, SL_POINT_UINT16}, {{"time", 4}, 18, 1, SL_POINT_FLOAT32}};
    *ret_cloud = (struct sl_pointcloud2){.stamp_ns = stamp_ns,
                                         .frame_id = sl_text("lidar"),
                                         .height = TEST_CLOUD_ROWS + 1,
                                         .width = TEST_CLOUD_WIDTH,
                                         .field_count = 6,
                                         .point_step = TEST_CLOUD_STEP,
                                         .row_step = TEST_CLOUD_STEP * TEST_CLOUD_WIDTH,
                                         .data_size = TEST_CLOUD_BYTES,
                                         .data = data};
    memcpy(ret_cloud->fields, fields, sizeof fields);
    for (unsigned row = 0; row < TEST_CLOUD_ROWS; row++)
        for (unsigned column = 0; column < TEST_CLOUD_WIDTH; column++)
            put(data, row, column, 4, 3 - (float)row * 0.1f, (float)column * 0.5f - 0.5f,
                (float)(row * 4));
    for (unsigned column = 0; column < TEST_CLOUD_WIDTH; column++)
        put(data, TEST_CLOUD_ROWS, column, 0, -3, 0.25f * (float)column, 200);
    put(data, TEST_CLOUD_ROWS, 3, NAN, NAN, NAN, 0);
}
