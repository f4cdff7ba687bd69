/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_record.c - sluice record: the recorder, which launch files start as a node, as a sub-command.
 */
#include "rosbag_compat/record.h"
#include "tools/tool.h"

const struct sl_tool sl_tool_record = {.name = "record", .program = &record_program};
