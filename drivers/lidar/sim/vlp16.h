/* SPDX-License-Identifier: Apache-2.0 */
/* vlp16.h - how long a simulated VLP-16's packets take, for those who look at them.
 *
 * Life, owner, threads, errors: none.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_VLP16_H
#define SL_DRIVERS_LIDAR_SIM_VLP16_H

#include "drivers/lidar/sim/sim.h"

/* How long one data packet of this return mode measures. */
uint64_t lidar_sim_packet_ns(enum lidar_sim_return return_mode);

#endif
