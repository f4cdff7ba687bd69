/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx_proxy.c - what we rely on in iceoryx 2.0 (seen with strace): the runtime has two AF_UNIX
 * datagram sockets, one bound to /tmp/<its name>, one connected to /tmp/roudi; messages are text,
 * "<type>,<more>,"; any answer ends a wait. */
#include "core/shm/iceoryx_proxy.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/roudi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
#define RETRY_MS    20
#define SILENT_MS   1000 /* RouDi gives up who is silent for 1500 */
#define KEEP_ALIVE  "17,"
#define ANSWER      "19," /* "you are signed off"; to any other question a wrong answer */
#define ROUDI_PATH  "/tmp/roudi"

static struct {
    int sender, receiver, lock; /* the runtime's */
    int place;                  /* the caller's lock */
    int inner;                  /* the other end of what now is `sender` */
    int roudi;                  /* what was `sender` */
    int self;                   /* connected to `receiver` */
    int wake;
    char lock_path[128];
    _Atomic bool is_child;
    _Atomic bool is_watched; /* RouDi declares dead who does not write to it */
    _Atomic bool is_given_up;
    _Atomic uint64_t word_ns;  /* when RouDi was last told that we live */
    _Atomic uint64_t leave_ns; /* CLOCK_MONOTONIC; 0 = not yet */
    /* The thread's own. */
    char message[MESSAGE_MAX]; /* a question that RouDi had no room for */
    size_t message_length;     /* 0 = none */
    bool has_answered;
} proxy = {.sender = -1,
           .receiver = -1,
           .lock = -1,
           .place = -1,
           .inner = -1,
           .roudi = -1,
           .self = -1,
           .wake = -1};

bool sl_iceoryx_proxy_is_child(void)
{
    return atomic_load(&proxy.is_child);
}

static void answer(int to)
{
    send(to, ANSWER, sizeof ANSWER, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sl_iceoryx_proxy_answer(void)
{
    if (proxy.self >= 0)
        answer(proxy.self);
}

/* Whoever notices first makes it so: a word that comes too late does not undo it. */
bool sl_iceoryx_proxy_is_given_up(void)
{
    if (!atomic_load(&proxy.is_watched))
        return false;
    if (!atomic_load(&proxy.is_given_up) &&
        sl_clock_monotonic_ns() - atomic_load(&proxy.word_ns) > SILENT_MS * SL_NS_PER_MS)
        atomic_store(&proxy.is_given_up, true);
    return atomic_load(&proxy.is_given_up);
}

/* 0, -EAGAIN: no room at RouDi; anything else: it is gone. */
static int pass_on(const char *message, size_t length)
{
    return send(proxy.roudi, message, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void take_message(void)
{
    char message[MESSAGE_MAX];
    ssize_t length = recv(proxy.inner, message, sizeof message, MSG_DONTWAIT);
    if (length <= 0)
        return;
    bool is_word = strncmp(message, KEEP_ALIVE, sizeof KEEP_ALIVE - 1) == 0;
    if (is_word && sl_iceoryx_proxy_is_given_up())
        return;
    uint64_t now_ns = sl_clock_monotonic_ns();
    int err = pass_on(message, (size_t)length);
    if (err == 0 && is_word)
        atomic_store(&proxy.word_ns, now_ns);
    if (err == 0 || is_word)
        return;
    if (err != -EAGAIN) {
        answer(proxy.self);
    } else {
        memcpy(proxy.message, message, (size_t)length);
        proxy.message_length = (size_t)length;
    }
}

static void retry(void)
{
    int err = pass_on(proxy.message, proxy.message_length);
    if (err == -EAGAIN)
        return;
    if (err < 0)
        answer(proxy.self);
    proxy.message_length = 0;
}

/* Here and not at the start, which would be slowed by it. */
static void look_who_watches(void)
{
    struct sl_roudi roudi;
    if (sl_roudi_find(&roudi) == 0)
        atomic_store(&proxy.is_watched, roudi.is_monitoring);
}

static void *run(void *unused)
{
    (void)unused;
    look_who_watches();
    for (;;) {
        uint64_t leave_ns = atomic_load(&proxy.leave_ns);
        if (leave_ns && !proxy.has_answered && sl_clock_monotonic_ns() >= leave_ns) {
            answer(proxy.self);
            proxy.has_answered = true;
        }
        bool hurries = (leave_ns && !proxy.has_answered) || proxy.message_length;
        struct pollfd fds[] = {{.fd = proxy.inner, .events = POLLIN},
                               {.fd = proxy.wake, .events = POLLIN}};
        poll(fds, 2, hurries ? RETRY_MS : -1);
        if (fds[0].revents)
            take_message();
        uint64_t count;
        if (fds[1].revents && read(proxy.wake, &count, sizeof count) < 0)
            continue;
        if (proxy.message_length)
            retry();
    }
    return NULL;
}

/* A forked child's runtime removed it at its exit; ours would complain. */
static void restore_lock(void)
{
    int fd = open(proxy.lock_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd);
}

void sl_iceoryx_proxy_leave(unsigned patience_ms)
{
    if (proxy.wake < 0 || sl_iceoryx_proxy_is_child())
        return;
    restore_lock();
    atomic_store(&proxy.leave_ns, sl_clock_monotonic_ns() + patience_ms * SL_NS_PER_MS);
    uint64_t one = 1;
    if (write(proxy.wake, &one, sizeof one) < 0)
        return; /* full: it is awake */
}

/* The locks are the parent's too; they shall end with it. */
static void drop_locks(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0)
        return;
    if (proxy.lock >= 0)
        dup3(nothing, proxy.lock, O_CLOEXEC);
    if (proxy.place >= 0)
        dup3(nothing, proxy.place, O_CLOEXEC);
    close(nothing);
}

/* In a forked child: its runtime shall neither reach RouDi nor hear it. Both sockets lead to us
 * now, where the one answer that it will wait for, at its exit, lies ready. */
static void become_child(void)
{
    int said[2], heard[2];
    atomic_store(&proxy.is_child, true);
    drop_locks();
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, said) < 0)
        return;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, heard) < 0)
        return;
    answer(heard[1]);
    dup3(said[0], proxy.sender, O_CLOEXEC);
    dup3(heard[0], proxy.receiver, O_CLOEXEC);
    dup3(said[1], proxy.inner, O_CLOEXEC); /* stays open, or sending would fail */
    dup3(heard[1], proxy.self, O_CLOEXEC);
    close(said[0]);
    close(said[1]);
    close(heard[0]);
    close(heard[1]);
    close(proxy.roudi);
    proxy.roudi = -1;
}

static bool leads_to(const struct sockaddr_un *address, socklen_t size, const char *path)
{
    return size > offsetof(struct sockaddr_un, sun_path) && address->sun_family == AF_UNIX &&
           strncmp(address->sun_path, path, size - offsetof(struct sockaddr_un, sun_path)) == 0;
}

/* Which descriptors are the runtime's? Also shuts them, and its lock, off from programs that this
 * one executes: iceoryx does not. */
static void find_descriptors(const char *bound, const char *lock)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        int fd = atoi(entry->d_name);
        struct sockaddr_un here = {0}, there = {0};
        socklen_t here_size = sizeof here, there_size = sizeof there;
        char link[256];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        bool is_ours = false;
        if (length > 0 && (size_t)length == strlen(lock) && memcmp(link, lock, strlen(lock)) == 0) {
            proxy.lock = fd;
            is_ours = true;
        } else if (getsockname(fd, (struct sockaddr *)&here, &here_size) == 0) {
            if (leads_to(&here, here_size, bound)) {
                proxy.receiver = fd;
                is_ours = true;
            } else if (getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 &&
                       leads_to(&there, there_size, ROUDI_PATH)) {
                proxy.sender = fd;
                is_ours = true;
            }
        }
        if (is_ours)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    closedir(folder);
}

static int connect_self(const char *bound)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if ((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", bound) >=
        sizeof address.sun_path)
        return -1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int start_thread(void)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, &detached, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return -err;
}

int sl_iceoryx_proxy_start(const char *runtime_name, int place)
{
    char bound[128];
    int pair[2];
    snprintf(bound, sizeof bound, "/tmp/%s", runtime_name);
    snprintf(proxy.lock_path, sizeof proxy.lock_path, "/tmp/%s.lock", runtime_name);
    find_descriptors(bound, proxy.lock_path);
    if (proxy.sender < 0 || proxy.receiver < 0)
        return sl_error(-EIO, "iceoryx: its runtime is another than the one we know (2.0)");
    if ((proxy.self = connect_self(bound)) < 0 ||
        (proxy.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
        (proxy.roudi = fcntl(proxy.sender, F_DUPFD_CLOEXEC, 0)) < 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        return sl_error(-errno, "iceoryx: no descriptors for its runtime: %s", strerror(errno));
    proxy.inner = pair[1];
    proxy.place = place;
    atomic_store(&proxy.word_ns, sl_clock_monotonic_ns()); /* it has just registered us */
    int err = start_thread();
    if (err == 0 && (err = -pthread_atfork(NULL, NULL, become_child)) == 0 &&
        dup3(pair[0], proxy.sender, O_CLOEXEC) < 0)
        err = -errno;
    close(pair[0]);
    return err < 0 ? sl_error(err, "iceoryx: no thread for its runtime: %s", strerror(-err)) : 0;
}
