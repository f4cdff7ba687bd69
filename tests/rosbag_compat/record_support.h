/* SPDX-License-Identifier: Apache-2.0 */
/* record_support.h - what the tests of the recorder as a process share. What goes wrong fails the
 * test. */
#ifndef SL_TESTS_ROSBAG_COMPAT_RECORD_SUPPORT_H
#define SL_TESTS_ROSBAG_COMPAT_RECORD_SUPPORT_H

#include "core/shm/sluice.h"

void nap_us(long us);
void await_subscribers(struct sl_publisher *p, unsigned count);
/* Until those who want every message have taken all of them. */
void await_read(struct sl_publisher *p);

/* What a child says goes into a file from here on, until it is given up. */
int tell_into(const char *path);
void tell_as_before(int kept);

/* Mount a file system of the test's own, by flags and options of a tmpfs; skips the test where none
 * may be mounted. Returns its folder. */
const char *mount_disk(unsigned long flags, const char *options);
void unmount_disk(void);
/* In place of harness_teardown: a test that failed has left it mounted. */
int disk_teardown(void **state);

#endif
