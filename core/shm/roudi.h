/* SPDX-License-Identifier: Apache-2.0 */
/* roudi.h - iceoryx's daemon from outside: is one there, which one, how does it run, does it still?
 *
 * Only looks: starts nothing, sends nothing, leaves nothing, never waits for its answer. What it
 * tells may be old when it is read; a daemon that is stopped (SIGSTOP) counts as there.
 *
 * Owner:   the caller's memory
 * Threads: any
 * Errors:  -ENOENT none runs, -EACCES one does, but we may not talk to it; the sentence says what
 *          to do
 */
#ifndef SL_SHM_ROUDI_H
#define SL_SHM_ROUDI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sl_roudi {
    pid_t pid;          /* 0: it runs in another pid namespace */
    uint64_t identity;  /* never 0, never the same after a restart */
    bool is_monitoring; /* declares stopped processes dead; true if it cannot be seen */
};

/* Looks through /proc: a millisecond or two; 20 ms if RouDi is another user's, or has another name.
 */
int sl_roudi_find(struct sl_roudi *ret_roudi);
/* Which one it is, and no more: some microseconds. */
int sl_roudi_identify(uint64_t *ret_identity);

/* How it stands. Two of its threads do all that others wait for, and each looks up every 100 ms,
 * asked or not: one that has not done so for SL_ROUDI_STILL_MS, and does not wait for a processor
 * either, will answer nobody. */
enum sl_roudi_health {
    SL_ROUDI_WELL,    /* or it cannot be seen: in another pid namespace, or behind hidepid */
    SL_ROUDI_STOPPED, /* by SIGSTOP or a debugger */
    SL_ROUDI_STUCK    /* it waits for a lock of a process that is stopped or was killed */
};
#define SL_ROUDI_STILL_MS 600
#define SL_ROUDI_PULSE_MS 150 /* a look as often as this sees each stand-still within 0.8 s */

struct sl_roudi_pulse { /* zero before the first look */
    uint64_t beats[2];
    uint64_t seen_ns[2]; /* CLOCK_MONOTONIC: the last look at which it had beaten since */
};

/* One look, some 100 us; the verdict rests on those before. */
enum sl_roudi_health sl_roudi_look(pid_t pid, struct sl_roudi_pulse *pulse);
/* Looks until it has been seen to be well, 0.2 s, or not to be. */
enum sl_roudi_health sl_roudi_examine(pid_t pid);
/* Ends "RouDi (process N) ...": what it does, and what is to be done. NULL of SL_ROUDI_WELL. */
const char *sl_roudi_trouble(enum sl_roudi_health health);
const char *sl_roudi_remedy(enum sl_roudi_health health);

#endif
