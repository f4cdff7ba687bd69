/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h - `sluice launch FILE`: starts the processes of a launch file and looks after them.
 *
 * Life:    sl_launch_main runs all of it.
 * Threads: one; it blocks SIGINT, SIGTERM, SIGHUP and SIGCHLD and adopts orphans of its children.
 * Errors:  they are printed. The exit status: 0 all ended well, or were stopped by a signal or the
 *          duration; 1 a node failed, or the domain could not be used; 2 a wrong launch file or
 * wrong arguments.
 */
#ifndef SL_LAUNCH_LAUNCH_H
#define SL_LAUNCH_LAUNCH_H

#include "core/base/options.h"

int sl_launch_main(int argc, char **argv);

/* For help, man page and completion. Its table's state is the launcher's own. */
extern const struct sl_command sl_launch_command;

#endif
