/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - the one thread of a process that answers, finds and notices.
 *
 * It accepts subscribers, answers their hellos, connects to publishers as their sockets appear, and
 * notices hang-ups; no thread that publishes or takes ever does. It exists while anything is open.
 *
 * Life:    sl_service_acquire ... sl_service_release, once for each handle
 * Threads: everything here is done under one lock, which callbacks run under too.
 */
#ifndef SL_SHM_SERVICE_H
#define SL_SHM_SERVICE_H

#include "core/shm/domain.h"

/* A descriptor that the thread waits on. */
struct sl_watch {
    int fd;
    /* Runs in the service thread with the lock held; may unwatch and free itself and others. */
    void (*ready)(struct sl_watch *watch, uint32_t epoll_events);
    struct sl_watch *next, *previous; /* the service's: all that are waited on */
};

/* A directory whose new sockets are told. */
struct sl_directory_watch {
    int wd;
    /* NULL: so much happened that some of it was not told; look for yourself. */
    void (*appeared)(struct sl_directory_watch *watch, const struct sl_socket_name *name);
    struct sl_directory_watch *next;
};

/* Something to try again soon (a full queue). */
struct sl_retry {
    uint64_t due_ns; /* CLOCK_MONOTONIC */
    void (*run)(struct sl_retry *retry);
    struct sl_retry *next;
};

int sl_service_acquire(void);
void sl_service_release(void);

void sl_service_lock(void);
void sl_service_unlock(void);
/* Release the lock until something has changed in the service thread or the deadline has passed. */
void sl_service_wait_change(uint64_t deadline_ns);
void sl_service_changed(void);

/* With the lock held: */
int sl_service_watch(struct sl_watch *watch, uint32_t epoll_events);
void sl_service_unwatch(struct sl_watch *watch); /* does not close the descriptor */
int sl_service_watch_directory(struct sl_directory_watch *watch, const struct sl_domain *domain);
void sl_service_unwatch_directory(struct sl_directory_watch *watch);
void sl_service_retry(struct sl_retry *retry, uint64_t due_ns);
void sl_service_cancel_retry(struct sl_retry *retry);

#endif
