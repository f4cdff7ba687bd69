/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lidar/veth.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN_NAMESPACE "/proc/thread-self/ns/net"

void veth_shell(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static void enter(int fd)
{
    if (setns(fd, CLONE_NEWNET) < 0)
        fail_msg("entering a network namespace: %s", strerror(errno));
}

void veth_enter_sensors(const struct veth *veth)
{
    enter(veth->sensor_fd);
}

void veth_leave(const struct veth *veth)
{
    enter(veth->host_fd);
}

static int new_namespace(int *ret_fd, char *ret_reason, size_t reason_size)
{
    if (unshare(CLONE_NEWNET) < 0) {
        int err = errno;
        snprintf(ret_reason, reason_size, "no network namespace may be made (%s)", strerror(err));
        return -err;
    }
    *ret_fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? -errno : 0;
}

static void set_up_sensors(void)
{
    veth_shell("ip link set lo up && ip link set " VETH_SENSOR_INTERFACE " up");
    for (unsigned i = 2; i < 6; i++) {
        char command[128];
        snprintf(command, sizeof command, "ip addr add 10.77.0.%u/24 dev " VETH_SENSOR_INTERFACE,
                 i);
        veth_shell(command);
    }
    veth_shell("ip addr add " VETH_SENSOR6 "/64 dev " VETH_SENSOR_INTERFACE " nodad");
}

static int join_them(const struct veth *veth, char *ret_reason, size_t reason_size)
{
    char command[256];
    snprintf(command, sizeof command,
             "ip link add " VETH_HOST_INTERFACE
             " numrxqueues 2 numtxqueues 2 type veth peer name " VETH_SENSOR_INTERFACE
             " numrxqueues 2 numtxqueues 2"
             " netns /proc/%d/fd/%d",
             (int)getpid(), veth->sensor_fd);
    if (system(command) != 0) {
        snprintf(ret_reason, reason_size, "no veth: %s", command);
        return -ENOTSUP;
    }
    veth_enter_sensors(veth);
    set_up_sensors();
    veth_leave(veth);
    veth_shell("ip link set lo up && ip link set " VETH_HOST_INTERFACE " up && "
               "ip addr add " VETH_HOST "/24 dev " VETH_HOST_INTERFACE " && "
               "ip addr add " VETH_HOST6 "/64 dev " VETH_HOST_INTERFACE " nodad");
    return 0;
}

int veth_open(struct veth *ret_veth, char *ret_reason, size_t reason_size)
{
    struct veth veth = {.sensor_fd = -1, .host_fd = -1, .frame_fd = -1};
    snprintf(ret_reason, reason_size, "no network namespace to be had");
    veth.original_fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    int err = veth.original_fd < 0 ? -errno : 0;
    if (err == 0)
        err = new_namespace(&veth.sensor_fd, ret_reason, reason_size);
    if (err == 0)
        err = new_namespace(&veth.host_fd, ret_reason, reason_size);
    if (err == 0)
        err = join_them(&veth, ret_reason, reason_size);
    if (err < 0) {
        veth_close(&veth);
        return err;
    }
    *ret_veth = veth;
    return 0;
}

void veth_close(struct veth *veth)
{
    if (veth->sensor_fd >= 0) /* otherwise it never left, and may not be let in again */
        enter(veth->original_fd);
    if (veth->original_fd >= 0)
        close(veth->original_fd);
    if (veth->host_fd >= 0)
        close(veth->host_fd);
    if (veth->sensor_fd >= 0)
        close(veth->sensor_fd);
    if (veth->frame_fd >= 0)
        close(veth->frame_fd);
    *veth = (struct veth){-1, -1, -1, -1};
}

int veth_sensor_socket(const struct veth *veth, int family, const char *address)
{
    veth_enter_sensors(veth);
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    veth_leave(veth);
    assert_true(fd >= 0);
    if (address) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    }
    return fd;
}

void veth_send(int fd, const char *address, uint16_t port, const void *bytes, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
    assert_int_equal(sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof to), size);
}

size_t veth_make_frame(uint8_t *frame, const uint16_t *tags, unsigned tag_count, uint16_t port,
                       const void *payload, size_t size)
{
    uint8_t *at = frame + 12;
    memset(frame, 0xff, 6);
    memcpy(frame + 6, "\2\0\0\0\0\1", 6);
    for (unsigned i = 0; i < tag_count; i++, at += 4)
        memcpy(at, (const uint8_t[]){(uint8_t)(tags[i] >> 8), (uint8_t)tags[i], 0, 5}, 4);
    memcpy(at, "\x08\0", 2);
    uint8_t *ip = at + 2, *udp = ip + 20;
    size_t total = 20 + 8 + size;
    memcpy(ip, (const uint8_t[]){0x45,
                                 0,
                                 (uint8_t)(total >> 8),
                                 (uint8_t)total,
                                 0,
                                 1,
                                 0,
                                 0,
                                 64,
                                 17,
                                 0,
                                 0,
                                 10,
                                 77,
                                 0,
                                 2,
                                 10,
                                 99,
                                 0,
                                 1},
           20);
    memcpy(udp,
           (const uint8_t[]){9, 9, (uint8_t)(port >> 8), (uint8_t)port, (uint8_t)((8 + size) >> 8),
                             (uint8_t)(8 + size), 0, 0},
           8);
    memcpy(udp + 8, payload, size);
    return (size_t)(udp + 8 + size - frame);
}

static void open_frame_socket(struct veth *veth)
{
    veth_enter_sensors(veth);
    veth->frame_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_ifindex = (int)if_nametoindex(VETH_SENSOR_INTERFACE)};
    veth_leave(veth);
    assert_true(veth->frame_fd >= 0);
    assert_int_equal(bind(veth->frame_fd, (struct sockaddr *)&to, sizeof to), 0);
}

void veth_send_frame(struct veth *veth, const void *frame, size_t size)
{
    if (veth->frame_fd < 0)
        open_frame_socket(veth);
    assert_int_equal(send(veth->frame_fd, frame, size, 0), size);
}
