/* SPDX-License-Identifier: Apache-2.0 */
/* ros1bag.c - any bytes as a ROS 1 bag. The seeds are made by tests/rosbag_compat/make_seeds.c. */
#include "tests/fuzz/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    log_fuzz(sl_ros1_open, bytes, size_bytes);
    return 0;
}
