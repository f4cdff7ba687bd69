/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - what /proc tells of a process. Pure but for the reading; any thread. */
#ifndef SL_TOOLS_PROCESS_H
#define SL_TOOLS_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct sl_process {
    char state;      /* R S D T t Z X I, as in proc(5) */
    uint64_t cpu_ns; /* user and system, all threads */
    uint64_t rss_bytes;
};

/* 0, -ESRCH if there is none, -EACCES, -EBADMSG if /proc says something else than documented. */
int sl_process_read(pid_t pid, struct sl_process *ret_process);

#endif
