/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - on which processors, how urgently, and in which memory a process runs.
 *
 * The check functions read the text only; the others apply it to the calling process. The launcher
 * uses them too, for programs that are not built on the runtime.
 *
 * Threads: the calling one, and those that it makes afterwards.
 * Errors:  -EINVAL for the text; -EPERM, -ENOMEM with what to do about it.
 */
#ifndef SL_NODE_PROCESS_H
#define SL_NODE_PROCESS_H

#include <stdint.h>

/* "0,2-3": numbers of processors. -EINVAL also if none of them can be used here. */
int sl_process_check_cpus(const char *list);
int sl_process_set_cpus(const char *list);

/* "other", "batch", "idle", "fifo:N" or "rr:N" with N from 1 to 99. */
int sl_process_check_sched(const char *policy);
int sl_process_set_sched(const char *policy);

/* The share of a processor, from -20 (the most) to 19. It counts under "other" and "batch" only:
 * -EINVAL beside another `policy` (NULL = other). Under -20 the kernel lets who wakes run at once,
 * beside those that are never done too. */
#define SL_PROCESS_NICE_MIN (-20)
#define SL_PROCESS_NICE_MAX 19
int sl_process_check_nice(int64_t nice, const char *policy);
int sl_process_set_nice(int64_t nice);

/* Keep what is mapped now in memory, and what comes later where there is no limit. */
int sl_process_lock_memory(void);

/* Die by `signal` when the parent does. 0, or -ESRCH if `parent` is not the parent any more. */
int sl_process_die_with(int parent, int signal);

#endif
