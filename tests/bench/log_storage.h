/* SPDX-License-Identifier: Apache-2.0 */
/* log_storage.h - librosbag_storage, which reads ROS 1 bags for ROS, in a process of its own
 * (rosbag_storage_reader.cpp): C++ with exceptions and a tail of libraries, so no part of sluice.
 *
 * Threads: one. Errors: -errno with sl_error_text().
 */
#ifndef SL_BENCH_LOG_STORAGE_H
#define SL_BENCH_LOG_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Was it built? */
bool log_storage_is_here(void);
/* Have it read `bag` on the processors that the caller may use, and check that it saw so much.
 * `ret_wall_ns`: from the first message to the last. */
int log_storage_read(const char *bag, uint64_t messages, uint64_t bytes, uint64_t *ret_wall_ns);

#endif
