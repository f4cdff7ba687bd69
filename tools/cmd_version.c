/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_version.c - sluice version. */
#include "core/shm/layout.h"
#include "tools/tool.h"

#include <stdio.h>

static const struct sl_command command = {
    .name = "sluice version",
    .summary = "The version of Sluice and of its protocol",
    .example = "sluice version",
};

static int run(void)
{
    printf("sluice %s, protocol %u\n", sl_version(), SL_PROTOCOL_VERSION);
    return 0;
}

const struct sl_tool sl_tool_version = {.name = "version", .command = &command, .run = run};
