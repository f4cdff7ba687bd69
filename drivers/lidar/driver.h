/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - the program `lidar`.
 *
 * Life, owner, threads, errors: see core/node/runtime.h.
 */
#ifndef SL_DRIVERS_LIDAR_DRIVER_H
#define SL_DRIVERS_LIDAR_DRIVER_H

#include "core/node/runtime.h"

extern const struct sl_program lidar_program;

#endif
