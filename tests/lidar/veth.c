/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lidar/veth.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
             "ip link add " VETH_HOST_INTERFACE " type veth peer name " VETH_SENSOR_INTERFACE
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
    struct veth veth = {.sensor_fd = -1, .host_fd = -1};
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
    if (veth->original_fd >= 0) {
        enter(veth->original_fd);
        close(veth->original_fd);
    }
    if (veth->host_fd >= 0)
        close(veth->host_fd);
    if (veth->sensor_fd >= 0)
        close(veth->sensor_fd);
    *veth = (struct veth){-1, -1, -1};
}
