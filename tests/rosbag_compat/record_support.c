/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/rosbag_compat/record_support.h"

#include "tests/tools/harness.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

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
