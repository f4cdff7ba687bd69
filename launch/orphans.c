/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 1000 /* each kill may bring the killed one's children */

void sl_orphans_adopt(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1UL);
}

static unsigned kill_children(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    unsigned count = 0;
    int pid;
    while (fscanf(file, "%d", &pid) == 1) {
        kill(pid, SIGKILL);
        count++;
    }
    fclose(file);
    return count;
}

void sl_orphans_kill(const struct sl_domain *domain)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (kill_children() == 0)
            return;
        pid_t pid = waitpid(-1, NULL, 0);
        if (pid < 0 && errno != EINTR)
            return;
        if (pid > 0)
            sl_domain_sweep(domain, pid);
    }
}
