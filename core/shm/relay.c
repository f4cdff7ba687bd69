/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/relay.h"

#include "core/base/error.h"
#include "core/shm/wake.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/* The thread is awake and will look; must look again; sleeps. Whoever rings puts RUNG, the thread
 * itself the others: AWAKE before it looks, ASLEEP only in place of AWAKE. */
enum {
    AWAKE,
    RUNG,
    ASLEEP
};

static pthread_mutex_t lifetime = PTHREAD_MUTEX_INITIALIZER; /* of the thread; it never takes it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;     /* of the list, and while it looks */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    struct sl_relay *first;
    pthread_t thread;
    bool stop;
    _Atomic uint32_t state;
} relays;

static void look_at_all(void)
{
    for (struct sl_relay *r = relays.first; r; r = r->next)
        /* Taken away before the look: what is rung after this, is due again. */
        if (atomic_exchange(&r->is_due, false))
            r->told = sl_slots_wake(r->slots, r->channel, r->told);
}

static void *run(void *unused)
{
    (void)unused;
    for (bool stop = false; !stop;) {
        atomic_exchange(&relays.state, AWAKE);
        pthread_mutex_lock(&lock);
        look_at_all();
        stop = relays.stop;
        pthread_mutex_unlock(&lock);
        uint32_t expected = AWAKE;
        if (!stop && atomic_compare_exchange_strong(&relays.state, &expected, ASLEEP))
            sl_sleep_private(&relays.state, ASLEEP);
    }
    return NULL;
}

static void ring_bell(void)
{
    if (atomic_exchange(&relays.state, RUNG) == ASLEEP)
        sl_wake_private(&relays.state);
}

void sl_relay_ring(struct sl_relay *relay)
{
    /* Still due from before: the thread has yet to take that away, and looks at the head after. */
    if (!atomic_exchange(&relay->is_due, true))
        ring_bell();
}

/* Life. ---------------------------------------------------------------------------------------- */

static void lock_both(void)
{
    pthread_mutex_lock(&lifetime);
    pthread_mutex_lock(&lock);
}

static void unlock_both(void)
{
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&lifetime);
}

/* A forked child has no such thread, and the publishers that it inherited are not for use. */
static void begin_anew_in_child(void)
{
    relays.first = NULL;
    pthread_mutex_init(&lock, NULL);
    pthread_mutex_init(&lifetime, NULL);
}

static void follow_forks(void)
{
    pthread_atfork(lock_both, unlock_both, begin_anew_in_child);
}

static int start(void)
{
    relays.stop = false;
    /* Signals are the program's business. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&relays.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        return sl_error(-err, "the relay thread cannot be started: %s", strerror(err));
    pthread_setname_np(relays.thread, "sluice-relay");
    return 0;
}

int sl_relay_add(struct sl_relay *relay)
{
    pthread_once(&once, follow_forks);
    pthread_mutex_lock(&lifetime);
    int err = relays.first ? 0 : start();
    if (err == 0) {
        pthread_mutex_lock(&lock);
        relay->next = relays.first;
        relays.first = relay;
        pthread_mutex_unlock(&lock);
    }
    pthread_mutex_unlock(&lifetime);
    return err;
}

void sl_relay_remove(struct sl_relay *relay)
{
    lock_both();
    struct sl_relay **at = &relays.first;
    while (*at != relay)
        at = &(*at)->next;
    *at = relay->next;
    bool last = !relays.first;
    relays.stop = last;
    pthread_mutex_unlock(&lock);
    if (last) {
        ring_bell();
        pthread_join(relays.thread, NULL);
    }
    pthread_mutex_unlock(&lifetime);
}
