/* SPDX-License-Identifier: Apache-2.0 */
/* source_address.h - addresses and interfaces of this machine, and sentences about what is wrong
 * with them.
 *
 * Life:    plain values.
 * Threads: any.
 * Errors:  -errno with sl_error_text(); see each.
 */
#ifndef SL_DRIVERS_LIDAR_SOURCE_ADDRESS_H
#define SL_DRIVERS_LIDAR_SOURCE_ADDRESS_H

#include "core/capture/datagram.h"

#include <stdbool.h>
#include <sys/socket.h>

#define LIDAR_ADDRESS_TEXT_MAX 80 /* "[v6 address%interface]:port" */

/* Read an IPv4 or IPv6 address (a scope such as fe80::1%eth0 is taken) without a port.
 * -EINVAL if it is none; `what` begins the sentence. */
int lidar_address_parse(const char *what, const char *text, struct sockaddr_storage *ret_address);

/* Read "address:port", "[v6]:port", or an address alone with the port given here. -EINVAL. */
int lidar_address_parse_with_port(const char *what, const char *text, uint16_t port,
                                  struct sockaddr_storage *ret_address);

void lidar_address_set_port(struct sockaddr_storage *address, uint16_t port);
uint16_t lidar_address_port(const struct sockaddr_storage *address);
socklen_t lidar_address_size(const struct sockaddr_storage *address);
bool lidar_address_is_multicast(const struct sockaddr_storage *address);
const char *lidar_address_text(const struct sockaddr_storage *address,
                               char text[LIDAR_ADDRESS_TEXT_MAX]);
struct sl_endpoint lidar_address_endpoint(const struct sockaddr_storage *address);

/* Index of an interface, or -ENODEV with the names that there are. */
int lidar_interface_index(const char *name);

/* -EADDRNOTAVAIL with the addresses that this machine has. */
int lidar_address_not_local(const char *text);

/* -EADDRINUSE with the program that holds the port, as far as this user may see it. */
int lidar_port_in_use(const struct sockaddr_storage *address);

#endif
