/* SPDX-License-Identifier: Apache-2.0 */
/* cloud.h - a small cloud of which everything is known: a wall 4 m ahead from y = -3 to 3 m, one
 * point 3 m to the right (y = -3, x = 0), and one invalid point. Fields as the lidar driver has
 * them. */
#ifndef SL_TESTS_TOOLS_CLOUD_H
#define SL_TESTS_TOOLS_CLOUD_H

#include "core/frame/pointcloud2.h"

#define TEST_CLOUD_STEP  22u
#define TEST_CLOUD_ROWS  61u /* columns of the wall, every 10 cm */
#define TEST_CLOUD_WIDTH 4u  /* heights of the wall */
#define TEST_CLOUD_BYTES ((TEST_CLOUD_ROWS + 1) * TEST_CLOUD_WIDTH * TEST_CLOUD_STEP)
#define TEST_CLOUD_VALID (TEST_CLOUD_ROWS * TEST_CLOUD_WIDTH + 3)

/* Fills `data` (TEST_CLOUD_BYTES) and describes it. */
void test_cloud(struct sl_pointcloud2 *ret_cloud, int64_t stamp_ns, uint8_t *data);

#endif
