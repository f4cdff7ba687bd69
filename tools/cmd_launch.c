/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_launch.c - sluice launch: the launcher as a sub-command. */
#include "launch/launch.h"
#include "tools/tool.h"

const struct sl_tool sl_tool_launch = {
    .name = "launch", .command = &sl_launch_command, .run_arguments = sl_launch_main};
