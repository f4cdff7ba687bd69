/* SPDX-License-Identifier: Apache-2.0 */
/* veth.h - a machine and its sensors, as two network namespaces joined by a cable (veth).
 *
 *      host, where the test and its drivers run          sensors
 *      lidar0  10.77.0.1  fd77::1          <-------->    sensor0  10.77.0.2 ...  fd77::2
 *
 * Both have an MTU of 1500, so that a larger datagram travels in IP fragments.
 *
 * Life:    veth_open -> veth_enter_sensors, veth_leave ... -> veth_close. The namespaces are the
 *          process's own: nothing stays behind, whatever way it ends.
 * Owner:   the process; it is in the host's namespace from veth_open on, and its children with it.
 * Threads: the one that called veth_open; other threads stay where they were.
 * Errors:  -errno from veth_open, with a reason to print; after it, the test fails.
 */
#ifndef SL_TESTS_LIDAR_VETH_H
#define SL_TESTS_LIDAR_VETH_H

#include <stddef.h>
#include <stdint.h>

#define VETH_HOST_INTERFACE   "lidar0"
#define VETH_SENSOR_INTERFACE "sensor0"
#define VETH_HOST             "10.77.0.1"
#define VETH_SENSOR           "10.77.0.2" /* and .3, .4, .5: each may be a sensor of its own */
#define VETH_HOST6            "fd77::1"
#define VETH_SENSOR6          "fd77::2"

struct veth {
    int original_fd, host_fd, sensor_fd; /* the three namespaces */
    int frame_fd; /* of veth_send_frame: closing one takes the kernel 20 ms */
};

/* -EPERM and the like with `ret_reason` where this machine or user cannot have it. */
int veth_open(struct veth *ret_veth, char *ret_reason, size_t reason_size);
void veth_close(struct veth *veth); /* back where it was */

void veth_enter_sensors(const struct veth *veth);
void veth_leave(const struct veth *veth); /* to the host's side */

/* A UDP socket on the sensors' side, bound to that IPv4 address of theirs unless it is NULL. */
int veth_sensor_socket(const struct veth *veth, int family, const char *address);

/* Over IPv4. */
void veth_send(int fd, const char *address, uint16_t port, const void *bytes, size_t size);

/* A broadcast Ethernet frame by hand, with these VLAN tags' types, UDP over IPv4 from VETH_SENSOR
 * to an address that nobody has. Returns its size: 42 bytes, 4 a tag, and the payload. */
size_t veth_make_frame(uint8_t *ret_frame, const uint16_t *tags, unsigned tag_count, uint16_t port,
                       const void *payload, size_t size);
void veth_send_frame(struct veth *veth, const void *frame, size_t size);

/* system() that must succeed. */
void veth_shell(const char *command);

#endif
