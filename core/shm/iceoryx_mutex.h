/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx_mutex.h - iceoryx's mutexes in shared memory, and what becomes of one whose owner dies.
 *
 * iceoryx 2.0 has a mutex (iox::posix::mutex) in each publisher, held while it hands a message
 * over, and one in each subscriber's queue, held for a moment of that. RouDi makes them and takes
 * them, too. As it makes them, one that is killed with its lock leaves it locked for ever. As
 * libsluice_roudi.so makes them (roudi_library.c), the kernel hands the lock on, and the next to
 * take it is told so; it must not take that for a failure, as iceoryx would, which then aborts.
 *
 * That next one may go on with what the mutex guards: a publisher's list of queues, which only
 * RouDi writes, so no client leaves it half-written; and, in a queue, a pointer that Sluice does
 * not use. Chunks are not guarded by it: a word that names one is written after the chunk's count
 * of owners has grown, and cleared before it shrinks. So who dies in between leaves a chunk (576
 * bytes) or a place of his own queue that nobody has any more, and none that two have.
 *
 * Of a RouDi that was killed with a lock the list may be half-written: for some nanoseconds a queue
 * is counted that is not yet named. A sender goes on with that, where it stood still for ever.
 *
 * The names are those of Debian's libiceoryx_hoofs.so.2. A definition in a program or a preloaded
 * library comes before the library's own.
 */
#ifndef SL_SHM_ICEORYX_MUTEX_H
#define SL_SHM_ICEORYX_MUTEX_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#define SL_ICEORYX_MUTEX_LOCK     "_ZN3iox5posix5mutex4lockEv"
#define SL_ICEORYX_MUTEX_TRY_LOCK "_ZN3iox5posix5mutex8try_lockEv"
#define SL_ICEORYX_MUTEX_INIT     "_ZN3iox5posix5mutexC1Eb"

/* What pthread_mutex_lock or _trylock gave: is the mutex ours now? */
static inline bool sl_iceoryx_mutex_is_ours(pthread_mutex_t *mutex, int err)
{
    return err == 0 || (err == EOWNERDEAD && pthread_mutex_consistent(mutex) == 0);
}

#endif
