/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx_proxy.h - stands between iceoryx's runtime in this process and RouDi.
 *
 * The runtime sends to RouDi and waits for the answer without a bound, complains on stderr three
 * times a second when RouDi is gone, and says goodbye from exit(), also in a forked child, where
 * RouDi then clears away what is the parent's. So its socket to RouDi is replaced by one that leads
 * to a thread of ours, which passes everything on, never blocks, and answers when RouDi cannot.
 *
 * Life:    sl_iceoryx_proxy_start once, when the runtime has registered; until the process ends
 * Owner:   the process
 * Threads: one of its own; the functions from any
 * Errors:  as named
 */
#ifndef SL_SHM_ICEORYX_PROXY_H
#define SL_SHM_ICEORYX_PROXY_H

#include <stdbool.h>

/* `place`: a locked file of the caller's, which a forked child lets go. -EIO: the runtime is not
 * what we know (its sockets were not found); else as of the system. */
int sl_iceoryx_proxy_start(const char *runtime_name, int place);
/* Has RouDi heard nothing for so long (this process was stopped) that it may have declared us dead?
 * Then it has freed, and perhaps given to others, what this process used of iceoryx: no end may be
 * touched any more, not even to be closed. Once true, for good. */
bool sl_iceoryx_proxy_is_given_up(void);
/* Answer in RouDi's place, now: whoever waits for it gets an answer that is none. */
void sl_iceoryx_proxy_answer(void);
/* From now on the process ends: whoever waits for RouDi waits at most `patience_ms`. */
void sl_iceoryx_proxy_leave(unsigned patience_ms);
/* Are we a forked child of the process that started it? */
bool sl_iceoryx_proxy_is_child(void);

#endif
