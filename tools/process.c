/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* /proc/PID/stat, proc(5): the name in brackets may itself hold brackets and spaces, so counting
 * begins after the last ')'. Field 3 is the state, 14 and 15 the times, 24 the resident pages. */
int sl_process_read(pid_t pid, struct sl_process *ret_process)
{
    char path[48], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    ssize_t length = read(fd, text, sizeof text - 1);
    int err = length < 0 ? -errno : 0;
    close(fd);
    if (err < 0)
        return err;
    text[length] = '\0';
    const char *rest = strrchr(text, ')');
    char state;
    uint64_t user, system;
    int64_t pages;
    if (!rest || sscanf(rest + 1,
                        " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                        " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNd64,
                        &state, &user, &system, &pages) != 4)
        return -EBADMSG;
    uint64_t tick_ns = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    ret_process->state = state;
    ret_process->cpu_ns = (user + system) * tick_ns;
    ret_process->rss_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    return 0;
}
