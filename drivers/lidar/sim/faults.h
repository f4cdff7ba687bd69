/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h - what goes wrong with a simulated sensor, on request.
 *
 * As text it is a list, "loss=0.01,burst=3,jump=-0.5,at=2". Shares are of the data packets; the
 * rest happens once, `at` seconds after the beginning:
 *
 *      loss=SHARE         left out; burst=N: so many in a row each time
 *      reorder=SHARE      come after the packet that follows them
 *      duplicate=SHARE    come twice
 *      corrupt=SHARE      one byte of them is another one
 *      jump=SECONDS       the sensor's clock is set by that; below 0, back
 *      stuck=SECONDS      so long its stamps stand still
 *      drift=PPM          its clock is so much too fast, from the beginning
 *      wrap=SECONDS       it is no longer set by GPS, and its counters (of the hour, of frames, of
 *                         packets) begin so long before they wrap
 *      restart=SECONDS    it is switched off, and on again after that
 *      speed=FACTOR       it comes to turn so many times as fast, within half a second; below 0,
 *                         the other way
 *
 * Life:    plain values.
 * Owner:   the caller's.
 * Threads: any.
 * Errors:  -EINVAL with sl_error_text().
 */
#ifndef SL_DRIVERS_LIDAR_SIM_FAULTS_H
#define SL_DRIVERS_LIDAR_SIM_FAULTS_H

#include <stdint.h>

/* All zero: nothing goes wrong. */
struct lidar_sim_faults {
    double loss, reorder, duplicate, corrupt; /* 0..1 */
    double burst;                             /* packets of each loss; 0 = 1 */
    double at_s;
    double jump_s, stuck_s, restart_s;
    double drift_ppm;
    double wrap_s; /* 0 = counters begin at 0 */
    double speed;  /* 0 = as before */
};

#define LIDAR_SIM_FAULTS_HELP                                                               \
    "What goes wrong, as loss=0.01,jump=-2,at=5: loss, burst, reorder, duplicate, corrupt " \
    "(shares "                                                                              \
    "of the packets; burst: packets in a row); at so many seconds: jump, stuck, restart "   \
    "(seconds), "                                                                           \
    "speed (factor; below 0: the other way); drift (ppm); wrap (seconds until counters do)"

/* "" = no faults. `at` is 1 if it is not given. */
int lidar_sim_faults_parse(const char *text, struct lidar_sim_faults *ret_faults);

/* Every value in its range? */
int lidar_sim_faults_check(const struct lidar_sim_faults *faults);

/* How far the sensor's clock is from the right time at `at_ns` of the simulation's. */
int64_t lidar_sim_faults_clock_ns(const struct lidar_sim_faults *faults, uint64_t at_ns);

#endif
