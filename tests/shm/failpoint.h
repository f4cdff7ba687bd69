/* SPDX-License-Identifier: Apache-2.0 */
/* failpoint.h - which fail point of core/shm does what, in this process.
 *
 * Life:    nothing happens at a fail point until one is armed; only the counts go on
 * Threads: arm from one; they are passed by any
 */
#ifndef SL_TESTS_SHM_FAILPOINT_H
#define SL_TESTS_SHM_FAILPOINT_H

#include "core/shm/failpoint.h"

#include <stdbool.h>
#include <stdint.h>

typedef void (*sl_failpoint_act)(enum sl_failpoint point);

/* At the `nth` passing from now on (1 = the next) `act` is called, in the thread that passes. */
void sl_failpoint_arm(enum sl_failpoint point, uint64_t nth, sl_failpoint_act act);
/* How often it was passed so far. */
uint64_t sl_failpoint_passings(enum sl_failpoint point);

/* Acts: SIGKILL, SIGSTOP and abort for the whole process. */
void sl_failpoint_kill(enum sl_failpoint point);
void sl_failpoint_stop(enum sl_failpoint point);
void sl_failpoint_abort(enum sl_failpoint point);

const char *sl_failpoint_name(enum sl_failpoint point);
/* SL_FAIL_POINT_COUNT: no such name. */
enum sl_failpoint sl_failpoint_of(const char *name);
bool sl_failpoint_is_publishers(enum sl_failpoint point);
bool sl_failpoint_is_subscribers(enum sl_failpoint point);
/* Inside of iceoryx: passed only over that. */
bool sl_failpoint_is_iceoryxs(enum sl_failpoint point);
/* Is it passed at each message, or once in the life of a connection? */
bool sl_failpoint_is_often(enum sl_failpoint point);

#endif
