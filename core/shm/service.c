/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/service.h"

#include "core/base/clock.h"
#include "core/base/error.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t closing =
    PTHREAD_MUTEX_INITIALIZER; /* one thread ends the service at a time */
static pthread_cond_t changed; /* CLOCK_MONOTONIC; made with the first thread */
static pthread_once_t changed_once = PTHREAD_ONCE_INIT;

static struct {
    unsigned users;
    bool stop;
    pthread_t thread;
    int epoll_fd;
    struct sl_watch bell; /* an eventfd: look at `stop` and the retries again */
    struct sl_watch inotify;
    struct sl_watch *watches;
    struct sl_directory_watch *directories;
    struct sl_retry *retries;
} service = {.epoll_fd = -1, .bell = {.fd = -1}, .inotify = {.fd = -1}};

static void close_descriptors(void)
{
    int *fds[] = {&service.epoll_fd, &service.bell.fd, &service.inotify.fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

static void init_changed(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* A forked child has no thread, and the handles that it inherited are not for use. Its copies of
 * our connections would make our death a secret, so they go; then it may begin anew. */
static void begin_anew_in_child(void)
{
    for (struct sl_watch *w = service.watches; w; w = w->next)
        close(w->fd);
    service.bell.fd = service.inotify.fd = -1; /* were among them */
    close_descriptors();
    service.users = 0;
    service.watches = NULL;
    service.directories = NULL;
    service.retries = NULL;
    pthread_mutex_unlock(&lock);        /* this thread's, since before the fork */
    pthread_mutex_init(&closing, NULL); /* perhaps that of a thread which is not here */
    init_changed();
}

static void make_changed(void)
{
    init_changed();
    /* Nobody changes the lists while the process is copied. */
    pthread_atfork(sl_service_lock, sl_service_unlock, begin_anew_in_child);
}

void sl_service_lock(void)
{
    pthread_mutex_lock(&lock);
}

void sl_service_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void sl_service_wait_change(uint64_t deadline_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ns / SL_NS_PER_S),
        .tv_nsec = (long)(deadline_ns % SL_NS_PER_S),
    };
    pthread_cond_timedwait(&changed, &lock, &until);
}

void sl_service_changed(void)
{
    pthread_cond_broadcast(&changed);
}

/* Watching. ------------------------------------------------------------------------------------ */

int sl_service_watch(struct sl_watch *watch, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    if (epoll_ctl(service.epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return sl_error(-errno, "descriptor %d cannot be waited for: %s", watch->fd,
                        strerror(errno));
    watch->previous = NULL;
    watch->next = service.watches;
    if (watch->next)
        watch->next->previous = watch;
    service.watches = watch;
    return 0;
}

void sl_service_unwatch(struct sl_watch *watch)
{
    bool listed = watch->previous || watch->next || service.watches == watch;
    if (!listed || watch->fd < 0)
        return;
    epoll_ctl(service.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    *(watch->previous ? &watch->previous->next : &service.watches) = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    watch->next = watch->previous = NULL;
}

static void ring_bell(void)
{
    uint64_t one = 1;
    ssize_t written = write(service.bell.fd, &one, sizeof one);
    (void)written;
}

static void bell_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    uint64_t count;
    ssize_t got = read(watch->fd, &count, sizeof count);
    (void)got;
}

static void inotify_ready(struct sl_watch *watch, uint32_t epoll_events);

/* Only for who looks for publishers: at its closing the kernel waits for a worker of its own, which
 * on a busy machine is late, and with it the news that the process is dead. */
static int open_inotify(void)
{
    if (service.inotify.fd >= 0)
        return 0;
    service.inotify =
        (struct sl_watch){.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .ready = inotify_ready};
    if (service.inotify.fd < 0)
        return sl_error(-errno, "directories cannot be watched: %s%s", strerror(errno),
                        errno == EMFILE ? " (raise fs.inotify.max_user_instances)" : "");
    int err = sl_service_watch(&service.inotify, EPOLLIN);
    if (err < 0) {
        close(service.inotify.fd);
        service.inotify.fd = -1;
    }
    return err;
}

int sl_service_watch_directory(struct sl_directory_watch *watch, const struct sl_domain *domain)
{
    char path[32];
    int err = open_inotify();
    if (err < 0)
        return err;
    snprintf(path, sizeof path, "/proc/self/fd/%d", domain->fd);
    watch->wd = inotify_add_watch(service.inotify.fd, path, IN_MOVED_TO);
    if (watch->wd < 0)
        return sl_error(-errno, "directory %s cannot be watched: %s%s", domain->path,
                        strerror(errno),
                        errno == ENOSPC ? " (raise fs.inotify.max_user_watches)" : "");
    watch->next = service.directories;
    service.directories = watch;
    return 0;
}

void sl_service_unwatch_directory(struct sl_directory_watch *watch)
{
    bool shared = false;
    for (struct sl_directory_watch **at = &service.directories; *at;) {
        if (*at == watch) {
            *at = watch->next;
            continue;
        }
        shared |= (*at)->wd == watch->wd;
        at = &(*at)->next;
    }
    if (!shared && watch->wd >= 0)
        inotify_rm_watch(service.inotify.fd, watch->wd);
    watch->wd = -1;
}

static void tell_directories(const struct inotify_event *event)
{
    struct sl_socket_name name;
    bool overflow = event->mask & IN_Q_OVERFLOW;
    if (!overflow && (event->len == 0 || !sl_socket_name_parse(event->name, &name)))
        return;
    for (struct sl_directory_watch *w = service.directories; w;) {
        struct sl_directory_watch *next = w->next;
        if (overflow || w->wd == event->wd)
            w->appeared(w, overflow ? NULL : &name);
        w = next;
    }
}

static void inotify_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    union {
        struct inotify_event align;
        char bytes[8192];
    } buffer;
    ssize_t size = read(watch->fd, buffer.bytes, sizeof buffer.bytes);
    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const void *)(buffer.bytes + at);
        tell_directories(event);
        at += (ssize_t)(sizeof *event + event->len);
    }
}

void sl_service_retry(struct sl_retry *retry, uint64_t due_ns)
{
    retry->due_ns = due_ns;
    retry->next = service.retries;
    service.retries = retry;
    ring_bell();
}

void sl_service_cancel_retry(struct sl_retry *retry)
{
    for (struct sl_retry **at = &service.retries; *at; at = &(*at)->next) {
        if (*at == retry) {
            *at = retry->next;
            return;
        }
    }
}

/* Run one retry that is due; the milliseconds until the next one is, -1 = none. */
static int run_retries(void)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    uint64_t first_ns = UINT64_MAX;
    for (struct sl_retry *r = service.retries; r; r = r->next) {
        if (r->due_ns <= now_ns) {
            sl_service_cancel_retry(r);
            r->run(r);
            return 0;
        }
        if (r->due_ns < first_ns)
            first_ns = r->due_ns;
    }
    return first_ns == UINT64_MAX ? -1 : (int)((first_ns - now_ns) / SL_NS_PER_MS) + 1;
}

static void *run(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!service.stop) {
        int timeout_ms = run_retries();
        pthread_mutex_unlock(&lock);
        struct epoll_event event;
        /* One at a time: a callback may end the watch of the next event. */
        int count = epoll_wait(service.epoll_fd, &event, 1, timeout_ms);
        pthread_mutex_lock(&lock);
        /* Waiting and locking are two steps: was the watch ended between them? The kernel knows. */
        if (count == 1 && !service.stop && epoll_wait(service.epoll_fd, &event, 1, 0) == 1) {
            struct sl_watch *watch = event.data.ptr;
            watch->ready(watch, event.events);
        }
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Life. ---------------------------------------------------------------------------------------- */

static void stop_waiting(void)
{
    sl_service_unwatch(&service.bell);
    sl_service_unwatch(&service.inotify);
    close_descriptors();
}

static int start_thread(void)
{
    /* Signals are the program's business. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&service.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        return sl_error(-err, "the service thread cannot be started: %s", strerror(err));
    pthread_setname_np(service.thread, "sluice");
    return 0;
}

static int start(void)
{
    pthread_once(&changed_once, make_changed);
    service.stop = false;
    service.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    service.bell =
        (struct sl_watch){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = bell_ready};
    int err;
    if (service.epoll_fd < 0 || service.bell.fd < 0)
        err = sl_error(-errno, "no descriptors for the service thread: %s", strerror(errno));
    else if ((err = sl_service_watch(&service.bell, EPOLLIN)) == 0)
        err = start_thread();
    if (err < 0)
        stop_waiting();
    return err;
}

/* Opening while the last one closes waits for the end of the old thread. */
int sl_service_acquire(void)
{
    pthread_mutex_lock(&closing);
    pthread_mutex_lock(&lock);
    int err = service.users == 0 ? start() : 0;
    if (err == 0)
        service.users++;
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&closing);
    return err;
}

/* The thread keeps the lock only between two waits, and takes it to end. */
void sl_service_release(void)
{
    pthread_mutex_lock(&closing);
    pthread_mutex_lock(&lock);
    if (service.users == 1) {
        service.stop = true;
        ring_bell();
        pthread_mutex_unlock(&lock);
        pthread_join(service.thread, NULL);
        pthread_mutex_lock(&lock);
        stop_waiting();
    }
    service.users--;
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&closing);
}
