/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_play.c - sluice play: the player, which launch files start as a node, as a sub-command. */
#include "rosbag_compat/play.h"
#include "tools/tool.h"

const struct sl_tool sl_tool_play = {.name = "play", .program = &play_program};
