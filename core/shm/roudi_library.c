/* SPDX-License-Identifier: Apache-2.0 */
/* roudi_library.c - libsluice_roudi.so: preloaded into iox-roudi, it keeps RouDi from waiting for
 * the lock of a client that was killed. Why that is enough, iceoryx_mutex.h says.
 *
 * The three functions are iceoryx's own by name. Only iceoryx's mutexes come here; where the
 * kernel has no robust ones (emulated by qemu-user), they are made as iceoryx makes them.
 */
#include "core/shm/iceoryx_mutex.h"

#include <dlfcn.h>

#define ICEORYX(symbol) __asm__(symbol) __attribute__((visibility("default")))

void sl_roudi_mutex_init(pthread_mutex_t *mutex, bool is_recursive) ICEORYX(SL_ICEORYX_MUTEX_INIT);
bool sl_roudi_mutex_lock(pthread_mutex_t *mutex) ICEORYX(SL_ICEORYX_MUTEX_LOCK);
bool sl_roudi_mutex_try_lock(pthread_mutex_t *mutex) ICEORYX(SL_ICEORYX_MUTEX_TRY_LOCK);

/* A constructor: the mutex is all that the object has. */
void sl_roudi_mutex_init(pthread_mutex_t *mutex, bool is_recursive)
{
    pthread_mutexattr_t wanted;
    pthread_mutexattr_init(&wanted);
    pthread_mutexattr_setpshared(&wanted, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_settype(&wanted,
                              is_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    pthread_mutexattr_setrobust(&wanted, PTHREAD_MUTEX_ROBUST);
    int err = pthread_mutex_init(mutex, &wanted);
    pthread_mutexattr_destroy(&wanted);
    if (err == 0)
        return;
    void (*original)(pthread_mutex_t *, bool) =
        (void (*)(pthread_mutex_t *, bool))dlsym(RTLD_NEXT, SL_ICEORYX_MUTEX_INIT);
    if (original)
        original(mutex, is_recursive);
}

bool sl_roudi_mutex_lock(pthread_mutex_t *mutex)
{
    return sl_iceoryx_mutex_is_ours(mutex, pthread_mutex_lock(mutex));
}

bool sl_roudi_mutex_try_lock(pthread_mutex_t *mutex)
{
    return sl_iceoryx_mutex_is_ours(mutex, pthread_mutex_trylock(mutex));
}
