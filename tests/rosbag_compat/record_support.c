/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/rosbag_compat/record_support.h"

#include "tests/rosbag_compat/support.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void nap_us(long us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

void await_subscribers(struct sl_publisher *p, unsigned count)
{
    struct sl_publisher_status status = {0};
    for (int i = 0; i < LIMIT_MS && status.subscribers != count; i++) {
        assert_fine(sl_publisher_status(p, &status));
        nap_us(1000);
    }
    assert_int_equal(status.subscribers, count);
}

void await_read(struct sl_publisher *p)
{
    struct sl_publisher_status status = {.unread = 1};
    for (int i = 0; i < LIMIT_MS && status.unread > 0; i++) {
        assert_fine(sl_publisher_status(p, &status));
        nap_us(1000);
    }
    assert_int_equal(status.unread, 0);
}

int tell_into(const char *path)
{
    int kept = dup(STDERR_FILENO), fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(kept >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    return kept;
}

void tell_as_before(int kept)
{
    dup2(kept, STDERR_FILENO);
    close(kept);
}

const char *mount_disk(unsigned long flags, const char *options)
{
    static char folder[256];
    snprintf(folder, sizeof folder, "%s", harness_path("disk"));
    assert_true(mkdir(folder, 0700) == 0 || errno == EEXIST);
    if (mount("none", folder, "tmpfs", flags, options) < 0) {
        print_message("SKIP: no tmpfs may be mounted\n");
        skip();
    }
    return folder;
}

void unmount_disk(void)
{
    assert_int_equal(umount(harness_path("disk")), 0);
}

int disk_teardown(void **state)
{
    umount2(harness_path("disk"), MNT_DETACH);
    return harness_teardown(state);
}
