/* SPDX-License-Identifier: Apache-2.0 */
/* send.h - the simulated sensor on the network, or in a capture file.
 *
 * Life:    one call each; both return when the work is done or `stop` is set.
 * Owner:   everything stays the caller's.
 * Threads: the calling one only; `stop` may be set from a signal handler or another thread.
 * Errors:  -errno with sl_error_text(); nothing is printed.
 */
#ifndef SL_DRIVERS_LIDAR_SIM_SEND_H
#define SL_DRIVERS_LIDAR_SIM_SEND_H

#include "drivers/lidar/sim/sim.h"

#include <stdatomic.h>

struct lidar_sim_send_config {
    struct lidar_sim_config sim; /* sim.data_packets_max limits the number */
    const char *to; /* "address:port", "[v6]:port"; without port the sensor's own; may be a group */
    uint16_t telemetry_port; /* 0 = the sensor's own */
    const char *interface;   /* that multicast leaves by, or NULL */
    double rate;             /* 1 = real time, 2 = twice as fast; above 0 */
    uint64_t duration_ns;    /* of the simulation's clock; 0 = no limit */
    const atomic_int *stop;  /* not 0 = end soon: within one packet's time; or NULL */
};

struct lidar_sim_send_result {
    struct lidar_sim_counts counts;
    uint64_t sent;        /* datagrams */
    uint64_t sent_bytes;  /* of payload */
    uint64_t refused;     /* the system had no room for them (send queue full) */
    uint64_t late_max_ns; /* how far behind its time the latest packet left */
    uint64_t elapsed_ns;  /* of the simulation's clock */
};

/* Send in real time, each packet when the sensor would. `ret_result` may be NULL; it is filled on
 * failure too. -EINVAL for the address, the rate or the sim's config; -ENODEV for the interface;
 * -ENETUNREACH, -EACCES and the like as the network gives them. */
int lidar_sim_send(const struct lidar_sim_send_config *config,
                   struct lidar_sim_send_result *ret_result);

struct lidar_sim_capture_config {
    struct lidar_sim_config sim;
    uint64_t duration_ns;    /* of the simulation's clock; 0 = until sim.data_packets_max */
    uint16_t data_port;      /* 0 = the sensor's own */
    uint16_t telemetry_port; /* 0 = the sensor's own */
    const atomic_int *stop;
};

/* Write a capture of the sensor (Ethernet, IPv4, nanoseconds) as fast as possible. One of the two
 * limits must be given (-EINVAL). -errno as open, write and close give it. */
int lidar_sim_capture(const struct lidar_sim_capture_config *config, const char *path,
                      struct lidar_sim_send_result *ret_result);

#endif
