/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx.c - what we found in Debian's iceoryx 2.0.3, and why the code is as it is:
 *
 * - iox_runtime_init without RouDi waits for 60 s and then terminates the process; with a stopped
 *   RouDi it does the same. Opening an end waits for RouDi's answer for ever. So RouDi is looked at
 *   before each such call, and the call runs in a thread that we wait for with a bound.
 * - Debian builds it with assertions: what its authors call severe (no publisher left, a wrong
 *   answer) ends the process by abort(), after which the code would go on with a null pointer. So
 *   in our threads its error handler does not return: the thread says what was wrong, and stays.
 * - Closing asks RouDi nothing: a flag is set in shared memory, and RouDi frees the end within 0.1
 *   s. Whoever opens and closes faster than that runs out of ends.
 * - A receiver that is killed while it takes leaves a queue in which a sender would be caught.
 * - A sender that is killed while it hands over leaves its mutex locked, for which RouDi waits.
 * - Everything else that iceoryx says to RouDi goes through iceoryx_proxy.c.
 */
#include "core/shm/iceoryx.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/failpoint.h"
#include "core/shm/iceoryx_mutex.h"
#include "core/shm/iceoryx_proxy.h"
#include "core/shm/roudi.h"

#include <assert.h>
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iceoryx_binding_c/config.h>
#include <iceoryx_binding_c/enums.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>

#ifdef SLUICE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define NAME_MAX_CHARS 100 /* of a runtime, and of each part of a service */
#define EXIT_MS        500 /* that RouDi has to sign us off when we exit */
#define SWEEP_MS       300 /* within which RouDi surely frees what was closed */
#define CLOSED_MAX     64  /* ends that may wait for that */
#define EMPTY_MS       100 /* before an empty pool is asked again: iceoryx writes a line on stderr */

enum state {
    STATE_NEW,
    STATE_STARTING,
    STATE_STARTED,
    STATE_BROKEN
};

/* A call that asks RouDi, and the end that came of it. Who waits owns it, or, having given up, its
 * thread. */
struct job {
    enum {
        JOB_START,
        JOB_SENDER,
        JOB_RECEIVER
    } kind;
    char instance[17];
    char event[NAME_MAX_CHARS + 1];
    iox_pub_storage_t pub_storage;
    iox_sub_storage_t sub_storage;
    iox_pub_t pub;
    iox_sub_t sub;
    bool is_done, is_abandoned;
    int err;
    char text[256];
    struct job *next; /* of those that are left alone */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state state;
    struct job *running; /* one at a time: RouDi's answers do not say to what */
    uint64_t roudi;
    int place;  /* the lock file */
    int folder; /* where it lies */
    char place_file[48];
    char name[NAME_MAX_CHARS + 1];
    uint64_t closed_ns[CLOSED_MAX];
    unsigned closed;
} iox = {.lock = PTHREAD_MUTEX_INITIALIZER, .place = -1, .folder = -1};

static _Thread_local struct job *job_of_thread;

struct sl_iceoryx_sender {
    struct job *job;
    iox_pub_t pub;
    struct sl_parcel *parcel; /* the chunk at hand */
    uint64_t empty_ns;        /* when the pool was last found empty */
    uint32_t size;
    uint32_t inline_max;
};

struct sl_iceoryx_receiver {
    struct job *job;
    iox_sub_t sub;
    uint32_t size;
    uint32_t inline_max;
};

bool sl_iceoryx_is_there(void)
{
    return true;
}

/* ---- Errors of iceoryx -----------------------------------------------------------------------*/

static int errno_of(const char *text)
{
    static const struct {
        const char *part;
        int err;
    } known[] = {
        {"PUBLISHER_LIST_FULL", -ENOSPC},        {"SUBSCRIBER_LIST_FULL", -ENOSPC},
        {"NO_WRITABLE_SHM_SEGMENT", -EACCES},    {"SAME_NAME_STILL_RUNNING", -EBUSY},
        {"COULD_NOT_ACQUIRE_FILE_LOCK", -EBUSY}, {"REG_ROUDI_NOT_AVAILABLE", -ETIMEDOUT},
        {"INVALID_RESPONSE", -ENOENT},           {"WRONG_IPC_MESSAGE_RESPONSE", -ENOENT},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(text, known[i].part))
            return known[i].err;
    return -EIO;
}

static void finish_job(struct job *job);

/* iox::ErrorHandler::reactOnErrorLevel, which logs and then aborts, terminates or returns. The C
 * binding has no way to set a handler; the program's definition comes before the library's. */
enum error_level {
    ERROR_FATAL,
    ERROR_SEVERE,
    ERROR_MODERATE
};
#define REACT_SYMBOL "_ZN3iox12ErrorHandler17reactOnErrorLevelENS_10ErrorLevelEPKc"
__attribute__((visibility("default"))) void
sl_iceoryx_react(uint32_t level, const char *text) __asm__(REACT_SYMBOL);

void sl_iceoryx_react(uint32_t level, const char *text)
{
    struct job *job = job_of_thread;
    if (!job) {
        void (*original)(uint32_t, const char *) =
            (void (*)(uint32_t, const char *))dlsym(RTLD_NEXT, REACT_SYMBOL);
        if (original)
            original(level, text);
        return;
    }
    if (level == ERROR_MODERATE)
        return;
    pthread_mutex_lock(&iox.lock);
    snprintf(job->text, sizeof job->text, "%s", text ? text : "");
    job->err = errno_of(job->text);
    if (job->kind == JOB_START)
        iox.state = STATE_BROKEN; /* it holds the guard of the one runtime */
    job_of_thread = NULL;
    finish_job(job);
    pthread_mutex_unlock(&iox.lock);
    for (;;) /* iceoryx cannot go on from here */
        pause();
}

/* ---- The dead --------------------------------------------------------------------------------*/

/* A queue of iceoryx has as many numbered places as it holds descriptors; a receiver takes what is
 * in a place, then gives its number back. Who is killed between the two takes the number along, and
 * the next to send into that queue once it has filled tries for ever to take the oldest "if it is
 * full": a place short, it never is. He does so with his publisher's mutex locked, for which RouDi
 * then waits, and he lives, so nobody hands it on. (iceoryx's own source knows it:
 * lockfree_queue.inl, pushImpl.) So in our processes the oldest goes without that condition. If its
 * receiver has taken another meanwhile, one goes needlessly, and is read by the ring. These are
 * iox::concurrent::IndexQueue<256, uint64_t>::popIfSizeIsAtLeast and ::pop; the program's
 * definition comes before the library's. */
#define INDEX_QUEUE "_ZN3iox10concurrent10IndexQueueILm256EmE"
__attribute__((visibility("default"))) bool
sl_iceoryx_take_oldest(void *queue, uint64_t least,
                       uint64_t *ret_index) __asm__(INDEX_QUEUE "18popIfSizeIsAtLeastEmRm");
bool iceoryx_pop(void *queue, uint64_t *ret_index) __asm__(INDEX_QUEUE "3popERm");

bool sl_iceoryx_take_oldest(void *queue, uint64_t least, uint64_t *ret_index)
{
    (void)least;
    return iceoryx_pop(queue, ret_index);
}
static_assert(SL_ICEORYX_QUEUE == 256, "a queue of another size has another name");

/* A RouDi with our library (roudi_library.c) has mutexes that the kernel hands on when their owner
 * dies: RouDi itself, for a sender of ours. iceoryx would take that for an error, and abort. */
__attribute__((visibility("default"))) bool
sl_iceoryx_lock(pthread_mutex_t *mutex) __asm__(SL_ICEORYX_MUTEX_LOCK);

bool sl_iceoryx_lock(pthread_mutex_t *mutex)
{
    bool is_locked = sl_iceoryx_mutex_is_ours(mutex, pthread_mutex_lock(mutex));
    SL_FAIL_POINT(ICEORYX_LOCKED);
    return is_locked;
}

/* ---- Calls that ask RouDi --------------------------------------------------------------------*/

/* With the lock held. */
static void finish_job(struct job *job)
{
    iox.running = NULL;
    job->is_done = true;
    pthread_cond_broadcast(&iox.changed);
    if (job->is_abandoned)
        free(job);
}

static void leave(void);

static int run_start(void)
{
    iox_set_loglevel(Iceoryx_LogLevel_Off); /* what matters, we say ourselves */
    iox_runtime_init(iox.name);
    int err = sl_iceoryx_proxy_start(iox.name, iox.place);
    if (err == 0 && atexit(leave) != 0) /* runs before the runtime's own */
        err = sl_error(-ENOMEM, "iceoryx: no memory for a function at exit");
    return err;
}

static void run_sender(struct job *job)
{
    iox_pub_options_t options;
    iox_pub_options_init(&options);
    options.historyCapacity = 0;
    options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_DISCARD_OLDEST_DATA;
    job->pub = iox_pub_init(&job->pub_storage, "sluice", job->instance, job->event, &options);
}

static void run_receiver(struct job *job)
{
    iox_sub_options_t options;
    iox_sub_options_init(&options);
    options.queueCapacity = SL_ICEORYX_QUEUE;
    options.historyRequest = 0;
    options.queueFullPolicy = QueueFullPolicy_DISCARD_OLDEST_DATA;
    job->sub = iox_sub_init(&job->sub_storage, "sluice", job->instance, job->event, &options);
}

/* With the lock held. */
static void close_end(const struct job *job)
{
    if (sl_iceoryx_proxy_is_given_up())
        return;
    if (job->pub)
        iox_pub_deinit(job->pub);
    if (job->sub)
        iox_sub_deinit(job->sub);
    if (job->pub || job->sub)
        iox.closed_ns[iox.closed++ % CLOSED_MAX] = sl_clock_monotonic_ns();
}

static void *run_job(void *argument)
{
    struct job *job = argument;
    int err = 0;
    job_of_thread = job;
    if (job->kind == JOB_START)
        err = run_start();
    else if (job->kind == JOB_SENDER)
        run_sender(job);
    else
        run_receiver(job);
    job_of_thread = NULL;
    pthread_mutex_lock(&iox.lock);
    job->err = err;
    if (err < 0)
        snprintf(job->text, sizeof job->text, "%s", sl_error_text());
    if (job->kind == JOB_START)
        iox.state = err < 0 ? STATE_BROKEN : STATE_STARTED;
    if (job->is_abandoned)
        close_end(job);
    finish_job(job);
    pthread_mutex_unlock(&iox.lock);
    return NULL;
}

/* A machine that is busy beyond measure may give RouDi longer; nobody waits for ever. */
static unsigned patience_ms(void)
{
    const char *text = getenv("SLUICE_ROUDI_PATIENCE_MS");
    unsigned long ms = text ? strtoul(text, NULL, 10) : 0;
    return ms < SL_ICEORYX_PATIENCE_MS       ? SL_ICEORYX_PATIENCE_MS
           : ms > SL_ICEORYX_PATIENCE_MAX_MS ? SL_ICEORYX_PATIENCE_MAX_MS
                                             : (unsigned)ms;
}

static struct timespec deadline(void)
{
    uint64_t ns = sl_clock_monotonic_ns() + patience_ms() * SL_NS_PER_MS;
    return (struct timespec){.tv_sec = (time_t)(ns / SL_NS_PER_S),
                             .tv_nsec = (long)(ns % SL_NS_PER_S)};
}

static void prepare_condition(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&iox.changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static int begin(struct job *job)
{
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals are the program's; iceoryx's own thread inherits this */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, &detached, run_job, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    if (err == 0)
        iox.running = job;
    return err ? sl_error(-err, "iceoryx: no thread: %s", strerror(err)) : 0;
}

static int timed_out(void)
{
    return sl_error(-ETIMEDOUT,
                    "iceoryx: RouDi does not answer within %u ms; `sluice doctor` tells why and "
                    "what to do",
                    patience_ms());
}

/* With the lock held. Ends when the job has, or at `until`; at once if RouDi still owes the answer
 * that somebody has given up waiting for. On failure the job is not the caller's any more. */
static int do_job(struct job *job, const struct timespec *until)
{
    if (iox.running && iox.running->is_abandoned) {
        free(job);
        return timed_out();
    }
    while (iox.running)
        if (pthread_cond_timedwait(&iox.changed, &iox.lock, until) == ETIMEDOUT) {
            free(job);
            return timed_out();
        }
    int err = begin(job);
    if (err < 0) {
        free(job);
        return err;
    }
    while (!job->is_done)
        if (pthread_cond_timedwait(&iox.changed, &iox.lock, until) == ETIMEDOUT && !job->is_done) {
            job->is_abandoned = true;
            return timed_out();
        }
    if (job->err == 0)
        return 0;
    switch (err = job->err) {
    case -ENOSPC:
        sl_error(err, "iceoryx: RouDi has no %s left for this host (%u in all); close some",
                 job->kind == JOB_SENDER ? "publisher" : "subscriber",
                 job->kind == JOB_SENDER ? iox_cfg_max_publishers() : iox_cfg_max_subscribers());
        break;
    case -ENOENT:
        sl_error(err, "iceoryx: RouDi died meanwhile; start it again, then this process");
        break;
    default:
        sl_error(err, "iceoryx: %s", job->text);
    }
    free(job);
    return err;
}

/* ---- The process -----------------------------------------------------------------------------*/

/* At exit, before the runtime's destructor, which asks RouDi to sign us off, and destroys the mutex
 * that a thread holds which is still waiting for an answer. */
static void leave(void)
{
    if (sl_iceoryx_proxy_is_child()) /* the lock may have been held when it was forked */
        return;
    struct timespec until = deadline();
    uint64_t roudi;
    pthread_mutex_lock(&iox.lock);
    bool is_well = !iox.running && !sl_iceoryx_proxy_is_given_up() &&
                   sl_roudi_identify(&roudi) == 0 && roudi == iox.roudi;
    if (iox.running)
        sl_iceoryx_proxy_answer();
    while (iox.running && pthread_cond_timedwait(&iox.changed, &iox.lock, &until) == 0)
        ;
    pthread_mutex_unlock(&iox.lock);
    sl_iceoryx_proxy_leave(is_well ? EXIT_MS : 0);
    unlinkat(iox.folder, iox.place_file, 0);
}

/* Is the name held by somebody whom our lock file does not keep out (a forked child of a dead
 * process, a container with another directory)? iceoryx would terminate us. */
static bool is_name_free(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/tmp/%s.lock", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT;
    bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return is_free;
}

/* 1: locked, and still the file of that name; 0: not free. */
static int lock_file(int folder, const char *file, int *ret_fd)
{
    struct stat locked, named;
    int fd = openat(folder, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &locked) < 0 ||
        fstatat(folder, file, &named, AT_SYMLINK_NOFOLLOW) < 0 || locked.st_ino != named.st_ino) {
        close(fd);
        return 0;
    }
    *ret_fd = fd;
    return 1;
}

static void leave_place(void)
{
    close(iox.place);
    close(iox.folder);
    iox.place = iox.folder = -1;
}

/* Lock the first free place. The directory, not its path, is what makes it ours. */
static int take_place(const struct sl_domain *domain)
{
    struct stat st;
    if (fstat(domain->fd, &st) < 0 || (iox.folder = fcntl(domain->fd, F_DUPFD_CLOEXEC, 0)) < 0)
        return sl_error(-errno, "directory %s: %s", domain->path, strerror(errno));
    uint64_t hash = (st.st_ino ^ (uint64_t)st.st_dev << 32) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t limit = iox_cfg_max_process_number();
    unsigned uid = geteuid();
    for (uint32_t k = 0; k < limit; k++) {
        snprintf(iox.place_file, sizeof iox.place_file, "iceoryx.%u.%u.lock", uid, k);
        snprintf(iox.name, sizeof iox.name, "sluice.%u.%08x.%s.%u", uid, (uint32_t)(hash >> 32),
                 domain->name, k);
        int result = lock_file(iox.folder, iox.place_file, &iox.place);
        if (result < 0) {
            close(iox.folder);
            return sl_error(result, "file %s/%s cannot be made: %s", domain->path, iox.place_file,
                            strerror(-result));
        }
        if (result > 0 && is_name_free(iox.name))
            return 0;
        if (result > 0)
            close(iox.place);
    }
    close(iox.folder);
    return sl_error(-EUSERS, "iceoryx: %u processes of domain %s run already, which is its limit",
                    limit, domain->name);
}

/* With the lock held. */
static int start(const struct sl_domain *domain, const struct timespec *until)
{
    uint64_t roudi;
    while (iox.state == STATE_STARTING)
        if (pthread_cond_timedwait(&iox.changed, &iox.lock, until) == ETIMEDOUT)
            return timed_out();
    int err = sl_roudi_identify(&roudi);
    if (err < 0)
        return err;
    if (iox.state == STATE_BROKEN || (iox.state != STATE_NEW && roudi != iox.roudi))
        return sl_error(-ESTALE, "iceoryx: %s; restart this process",
                        iox.state == STATE_BROKEN ? "it could not be started"
                                                  : "another RouDi runs than at our start");
    if (iox.state == STATE_STARTED && sl_iceoryx_proxy_is_given_up())
        return sl_error(-ESTALE, "iceoryx: this process stood still for so long that RouDi, whose "
                                 "monitoring is on, holds it for dead; restart this process, and "
                                 "better RouDi with `-m off`");
    if (iox.state == STATE_STARTED)
        return 0;
    if ((err = take_place(domain)) < 0)
        return err;
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        leave_place();
        return sl_error(-ENOMEM, "iceoryx: no memory");
    }
    job->kind = JOB_START;
    iox.state = STATE_STARTING;
    iox.roudi = roudi;
    if ((err = do_job(job, until)) == 0) {
        free(job);
    } else if (iox.state == STATE_STARTING && !iox.running) { /* not even begun */
        iox.state = STATE_NEW;
        leave_place();
    }
    return err;
}

static int lock_prepared(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (sl_iceoryx_proxy_is_child())
        return sl_error(-EPERM, "iceoryx: not after fork(); start a program of its own");
    pthread_once(&once, prepare_condition);
    pthread_mutex_lock(&iox.lock);
    return 0;
}

int sl_iceoryx_start(const struct sl_domain *domain)
{
    struct timespec until = deadline();
    int err = lock_prepared();
    if (err < 0)
        return err;
    err = start(domain, &until);
    pthread_mutex_unlock(&iox.lock);
    return err;
}

uint64_t sl_iceoryx_roudi(void)
{
    pthread_mutex_lock(&iox.lock);
    uint64_t identity = iox.state == STATE_STARTED ? iox.roudi : 0;
    pthread_mutex_unlock(&iox.lock);
    return identity;
}

/* ---- Ends ------------------------------------------------------------------------------------*/

/* The instance alone is unique; the topic is for people who look with iox-introspection-client.
 * In RouDi's messages a comma would be an end. */
static void write_event(char event[NAME_MAX_CHARS + 1], const char *topic)
{
    size_t i = 0;
    for (; topic[i] && i < NAME_MAX_CHARS; i++) {
        unsigned char c = (unsigned char)topic[i];
        event[i] = isalnum(c) || strchr("/_.-", c) ? (char)c : '_';
    }
    event[i] = '\0';
}

/* Closed ends that RouDi may not have freed yet are few. With the lock held. */
static void wait_for_sweep(void)
{
    uint64_t oldest = iox.closed_ns[iox.closed % CLOSED_MAX];
    uint64_t now = sl_clock_monotonic_ns();
    if (oldest == 0 || now >= oldest + SWEEP_MS * SL_NS_PER_MS)
        return;
    struct timespec pause = {.tv_nsec = (long)(oldest + SWEEP_MS * SL_NS_PER_MS - now)};
    pthread_mutex_unlock(&iox.lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&iox.lock);
}

static int open_end(const struct sl_domain *domain, const char *topic, uint64_t instance, int kind,
                    struct job **ret_job)
{
    struct timespec until = deadline();
    int err = lock_prepared();
    if (err < 0)
        return err;
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        pthread_mutex_unlock(&iox.lock);
        return sl_error(-ENOMEM, "iceoryx: no memory");
    }
    job->kind = kind;
    snprintf(job->instance, sizeof job->instance, "%016" PRIx64, instance);
    write_event(job->event, topic);
    err = start(domain, &until);
    if (err < 0) {
        free(job);
    } else {
        wait_for_sweep();
        if ((err = do_job(job, &until)) == 0)
            *ret_job = job;
    }
    pthread_mutex_unlock(&iox.lock);
    return err < 0 ? sl_error_at(err, "topic %s", topic) : 0;
}

/* In a forked child the end is the parent's, and of one that RouDi gave up it is RouDi's: iceoryx's
 * part of it is left alone. */
static void end_job(struct job *job)
{
    static struct job *left_alone; /* for leak checkers */
    bool is_child = sl_iceoryx_proxy_is_child();
    if (!is_child)
        pthread_mutex_lock(&iox.lock);
    if (is_child || sl_iceoryx_proxy_is_given_up()) {
        job->next = left_alone;
        left_alone = job;
    } else {
        close_end(job);
        free(job);
    }
    if (!is_child)
        pthread_mutex_unlock(&iox.lock);
}

static uint32_t parcel_size(uint32_t inline_max)
{
    return (uint32_t)offsetof(struct sl_parcel, inline_body) + inline_max;
}

int sl_iceoryx_sender_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                           uint32_t inline_max, struct sl_iceoryx_sender **ret_sender)
{
    if (inline_max > SL_INLINE_MAX)
        return sl_error(-EINVAL, "inline_max %u: at most %u", inline_max, SL_INLINE_MAX);
    struct sl_iceoryx_sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return sl_error(-ENOMEM, "iceoryx: no memory");
    int err = open_end(domain, topic, instance, JOB_SENDER, &sender->job);
    if (err < 0) {
        free(sender);
        return err;
    }
    sender->pub = sender->job->pub;
    sender->size = parcel_size(inline_max);
    sender->inline_max = inline_max;
    *ret_sender = sender;
    return 0;
}

/* ThreadSanitizer does not see into the library, whose queues order what is before a chunk's
 * sending and its giving back before what is behind its receiving and its loan: tell it. */
#ifdef SLUICE_TSAN
static void ordered_before(const void *chunk)
{
    __tsan_release((void *)(uintptr_t)chunk);
}
static void ordered_behind(const void *chunk)
{
    __tsan_acquire((void *)(uintptr_t)chunk);
}
#else
static void ordered_before(const void *chunk)
{
    (void)chunk;
}
static void ordered_behind(const void *chunk)
{
    (void)chunk;
}
#endif

static bool loan(struct sl_iceoryx_sender *sender)
{
    void *chunk;
    uint64_t now = sender->empty_ns ? sl_clock_monotonic_ns() : 0;
    if (sender->empty_ns && now < sender->empty_ns + EMPTY_MS * SL_NS_PER_MS)
        return false;
    if (iox_pub_loan_chunk(sender->pub, &chunk, sender->size) != AllocationResult_SUCCESS) {
        sender->empty_ns = sl_clock_monotonic_ns();
        return false;
    }
    ordered_behind(chunk);
    sender->empty_ns = 0;
    sender->parcel = chunk;
    return true;
}

int sl_iceoryx_reserve(struct sl_iceoryx_sender *sender)
{
    if (sl_iceoryx_proxy_is_given_up() || sender->parcel || loan(sender))
        return 0;
    return sl_error(-EAGAIN,
                    "iceoryx: RouDi's memory pool has no chunk of %u bytes left; give it more",
                    sender->size);
}

void sl_iceoryx_send(struct sl_iceoryx_sender *sender, const struct sl_descriptor *d,
                     const struct sl_range *ranges, uint32_t range_count, const void *inline_body)
{
    struct sl_parcel *parcel = sender->parcel;
    sender->parcel = NULL;
    if (sl_iceoryx_proxy_is_given_up())
        return; /* the ring has it */
    assert(parcel && range_count <= SL_RANGES_MAX);
    parcel->d = *d;
    if (d->flags & SL_DESCRIPTOR_GATHER) {
        memset(parcel->range, 0, sizeof parcel->range);
        memcpy(parcel->range, ranges, range_count * sizeof parcel->range[0]);
    }
    if (d->flags & SL_DESCRIPTOR_INLINE) {
        assert(d->body_length <= sender->inline_max);
        memcpy(parcel->inline_body, inline_body, d->body_length);
    }
    ordered_before(parcel);
    iox_pub_publish_chunk(sender->pub, parcel);
}

void sl_iceoryx_sender_close(struct sl_iceoryx_sender *sender)
{
    if (!sender)
        return;
    if (sender->parcel && !sl_iceoryx_proxy_is_child() && !sl_iceoryx_proxy_is_given_up())
        iox_pub_release_chunk(sender->pub, sender->parcel);
    end_job(sender->job);
    free(sender);
}

int sl_iceoryx_receiver_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                             uint32_t inline_max, struct sl_iceoryx_receiver **ret_receiver)
{
    if (inline_max > SL_INLINE_MAX)
        return sl_error(-EINVAL, "inline_max %u: at most %u", inline_max, SL_INLINE_MAX);
    struct sl_iceoryx_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return sl_error(-ENOMEM, "iceoryx: no memory");
    int err = open_end(domain, topic, instance, JOB_RECEIVER, &receiver->job);
    if (err < 0) {
        free(receiver);
        return err;
    }
    receiver->sub = receiver->job->sub;
    receiver->size = parcel_size(inline_max);
    receiver->inline_max = inline_max;
    *ret_receiver = receiver;
    return 0;
}

bool sl_iceoryx_receiver_is_connected(struct sl_iceoryx_receiver *receiver)
{
    return !sl_iceoryx_proxy_is_given_up() &&
           iox_sub_get_subscription_state(receiver->sub) == SubscribeState_SUBSCRIBED;
}

/* What iceoryx 2.0 writes before a payload that is aligned to 8, as all of ours are
 * (mepoo/chunk_header.hpp). The C binding does not show it. */
struct chunk_header {
    uint32_t chunk_size;   /*  0 */
    uint8_t version;       /*  4 */
    uint8_t reserved;      /*  5 */
    uint16_t header_id;    /*  6 */
    uint64_t origin;       /*  8 */
    uint64_t sequence;     /* 16 */
    uint32_t header_size;  /* 24 */
    uint32_t payload_size; /* 28 */
    uint32_t alignment;    /* 32 */
    uint32_t offset;       /* 36 */
};
static_assert(sizeof(struct chunk_header) == 40, "chunk header");

/* Copy, once, what the flags of the copied descriptor say there is. */
static int unpack(const struct sl_iceoryx_receiver *receiver, const struct sl_parcel *parcel,
                  struct sl_descriptor *ret_d, struct sl_range *ret_ranges, void *inline_to)
{
    struct chunk_header header;
    memcpy(&header, (const unsigned char *)parcel - sizeof header, sizeof header);
    if (header.payload_size < receiver->size)
        return sl_error(-EPROTO, "iceoryx: a chunk of %u bytes instead of %u", header.payload_size,
                        receiver->size);
    memcpy(ret_d, &parcel->d, sizeof *ret_d);
    if (ret_d->flags & SL_DESCRIPTOR_GATHER)
        memcpy(ret_ranges, parcel->range, sizeof parcel->range);
    if (ret_d->flags & SL_DESCRIPTOR_INLINE)
        memcpy(inline_to, parcel->inline_body, receiver->inline_max);
    return 1;
}

int sl_iceoryx_receive(struct sl_iceoryx_receiver *receiver, struct sl_descriptor *ret_d,
                       struct sl_range ret_ranges[SL_RANGES_MAX], void *inline_to)
{
    const void *chunk;
    if (sl_iceoryx_proxy_is_given_up() ||
        iox_sub_take_chunk(receiver->sub, &chunk) != ChunkReceiveResult_SUCCESS)
        return 0;
    ordered_behind(chunk);
    int result = unpack(receiver, chunk, ret_d, ret_ranges, inline_to);
    ordered_before(chunk);
    iox_sub_release_chunk(receiver->sub, chunk);
    return result;
}

void sl_iceoryx_receiver_close(struct sl_iceoryx_receiver *receiver)
{
    if (!receiver)
        return;
    end_job(receiver->job);
    free(receiver);
}
