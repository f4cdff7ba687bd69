/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - how much memory may still be taken, and what says so.
 *
 * Allocating beyond a memory cgroup's limit does not fail: it ends in a kill. So sizes are compared
 * first. What a limit has left counts page cache that the kernel can drop, as MemAvailable does.
 *
 * Threads: any. Reads small files of /proc and /sys at each call; only sl_memory_limits_check lets
 * one look serve for the small sizes of the next tenth of a second.
 */
#ifndef SL_UNCACHED_LIMITS_H
#define SL_UNCACHED_LIMITS_H

#include <stdint.h>

#define SL_MEMORY_LIMIT_TEXT_MAX 192

struct sl_memory_limits {
    uint64_t available_bytes;                 /* the least of all limits */
    char narrowest[SL_MEMORY_LIMIT_TEXT_MAX]; /* which one that is, for a sentence */
    uint64_t machine_bytes;                   /* MemAvailable */
    uint64_t cgroup_bytes;                    /* the tightest cgroup; UINT64_MAX = none limits */
    char cgroup[SL_MEMORY_LIMIT_TEXT_MAX];    /* which one, as in `narrowest`; "" = none */
    uint64_t huge_page_bytes;                 /* of one; 0 = the kernel has none */
    uint64_t huge_bytes;                      /* in huge pages that are free or may be made */
    uint64_t file_bytes;                      /* RLIMIT_FSIZE, for one region; UINT64_MAX = none */
    uint64_t lock_bytes;                      /* RLIMIT_MEMLOCK; UINT64_MAX = none */
    uint64_t lock_all_bytes; /* to what a process may raise that; UINT64_MAX also by CAP_IPC_LOCK */
};

/* What may be taken now. Files that are missing or unreadable limit nothing. Does not fail. */
void sl_memory_available(struct sl_memory_limits *ret_limits);

/* The same with /proc and /sys (and the mount points that mountinfo names) looked for below `root`,
 * "" being the machine's own. */
void sl_memory_available_below(const char *root, struct sl_memory_limits *ret_limits);

/* 0, or -ENOMEM with a sentence: `what` wants so much, so much is left, by which limit, what to do.
 */
int sl_memory_limits_check(const char *what, uint64_t size_bytes);

/* The same for huge pages, which are set aside and count in no other limit but RLIMIT_FSIZE. */
int sl_memory_limits_check_huge(const char *what, uint64_t size_bytes);

#endif
