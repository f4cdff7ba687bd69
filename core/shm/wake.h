/* SPDX-License-Identifier: Apache-2.0 */
/* wake.h - sleeping and waking: futex words in shared memory, and connections for epoll.
 *
 * Threads: any.
 */
#ifndef SL_SHM_WAKE_H
#define SL_SHM_WAKE_H

#include <stdatomic.h>
#include <stdint.h>

#define SL_WAKE_WORDS_MAX 128 /* of futex_waitv */

/* Count the word up and wake who sleeps on it. One system call. */
void sl_wake_futex(_Atomic uint32_t *word);
/* Wake who sleeps on a word that this process may only read. */
void sl_wake_futex_unchanged(const _Atomic uint32_t *word);
/* The same within this process: sleep while the word is `value`, and wake who does. */
void sl_sleep_private(const _Atomic uint32_t *word, uint32_t value);
void sl_wake_private(const _Atomic uint32_t *word);
/* One message on the connection; never blocks, never raises a signal. A full queue is fine: then
 * the other end is readable already. */
void sl_wake_connection(int fd);

/* How many words one sleep takes, as far as is known: 1 once the kernel has refused futex_waitv. */
unsigned sl_sleep_words_max(void);

/* Sleep until one of the words is not `value` any more, is woken, or the deadline (CLOCK_MONOTONIC;
 * 0 = none) has passed. Returns 0, -ETIMEDOUT, -EINTR, or -ENOSYS (more words than
 * sl_sleep_words_max, or refused for another reason: wait in another way). May return 0 for no
 * reason. */
int sl_sleep_futex(const _Atomic uint32_t *const *words, const uint32_t *values, unsigned count,
                   uint64_t deadline_ns);

#endif
