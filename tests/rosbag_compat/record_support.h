/* SPDX-License-Identifier: Apache-2.0 */
/* record_support.h - what the tests of the recorder as a process share. What goes wrong fails the
 * test. */
#ifndef SL_TESTS_ROSBAG_COMPAT_RECORD_SUPPORT_H
#define SL_TESTS_ROSBAG_COMPAT_RECORD_SUPPORT_H

/* Mount a file system of the test's own, by flags and options of a tmpfs; skips the test where none
 * may be mounted. Returns its folder. */
const char *mount_disk(unsigned long flags, const char *options);
void unmount_disk(void);
/* In place of harness_teardown: a test that failed has left it mounted. */
int disk_teardown(void **state);

#endif
