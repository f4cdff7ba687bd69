/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bus_roudi.h"

#include "core/base/error.h"
#include "launch/output.h"
#include "launch/roudi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* As a launch of two programs whose topics nobody knows: room for more ends than the bench opens
 * (each side a publisher and a subscriber on five lanes). */
static const struct sl_plan_node side = {
    .name = "bench", .exec = "sluice", .is_plain = true, .bus = SL_BUS_ICEORYX};

static struct sl_roudi_host host;
static bool is_open;

/* What RouDi says is for launches; here only figures are told. */
static void mute(int saved[2])
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        saved[i] = fcntl(STDOUT_FILENO + i, F_DUPFD_CLOEXEC, 3);
        if (nowhere >= 0 && saved[i] >= 0)
            dup2(nowhere, STDOUT_FILENO + i);
    }
    if (nowhere >= 0)
        close(nowhere);
}

static void unmute(const int saved[2])
{
    for (int i = 0; i < 2; i++) {
        if (saved[i] < 0)
            continue;
        dup2(saved[i], STDOUT_FILENO + i);
        close(saved[i]);
    }
}

int bus_roudi_open(void)
{
    int saved[2];
    struct sl_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return sl_error(-ENOMEM, "no memory to start RouDi");
    plan->node[0] = plan->node[1] = side;
    plan->node_count = 2;
    sl_output_open(0, false, SL_LOG_WARN);
    sl_roudi_init(&host);
    is_open = true;
    int err = sl_roudi_check(plan);
    mute(saved);
    if (err == 0)
        err = sl_roudi_open(&host, plan, -1);
    unmute(saved);
    free(plan);
    if (err < 0)
        bus_roudi_close();
    return err;
}

void bus_roudi_close(void)
{
    int saved[2];
    if (!is_open)
        return;
    mute(saved);
    sl_roudi_close(&host);
    unmute(saved);
    is_open = false;
}
