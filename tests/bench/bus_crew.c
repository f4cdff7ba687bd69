/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bus_crew.h"

#include "core/base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS_DEFAULT = 11,
    ITERATIONS_DEFAULT = 20000,
    ITERATIONS_MIN = 10,
    SENTENCE_MAX = 400,
    MEETING_PAUSE_NS = 200000, /* the other side may take long: do not heat its neighbour */
};

/* Processes. ----------------------------------------------------------------------------------- */

static void *map_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    sl_error(-ENOMEM, "no memory for the bench");
    return NULL;
}

int bus_begin(struct bus_run *run, const struct sl_bench_bus_options *options, unsigned share,
              size_t shared_size)
{
    *run = (struct bus_run){
        .options = options,
        .rounds = options->rounds ? options->rounds : ROUNDS_DEFAULT,
        .iterations = (options->iterations ? options->iterations : ITERATIONS_DEFAULT) / share,
        .shared_size = shared_size,
    };
    if (run->iterations < ITERATIONS_MIN)
        run->iterations = ITERATIONS_MIN;
    if (run->rounds > BUS_ROUNDS_MAX)
        return sl_error(-EINVAL, "%u rounds; give at most %d", run->rounds, BUS_ROUNDS_MAX);
    if (options->domain)
        snprintf(run->domain, sizeof run->domain, "%s", options->domain);
    else
        snprintf(run->domain, sizeof run->domain, "bench-%d", (int)getpid());
    run->shared = map_shared(shared_size);
    return run->shared ? 0 : -ENOMEM;
}

/* The processes are gone; what one that was killed left, and iceoryx's locks, go with it. */
static void remove_domain(const struct sl_domain *domain)
{
    int fd = openat(domain->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    if (!folder && fd >= 0)
        close(fd);
    while (folder && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(domain->fd, entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(domain->path);
}

void bus_end(struct bus_run *run)
{
    struct sl_domain own;
    char sentence[SL_ERROR_TEXT_MAX]; /* of what went wrong before */
    if (run->shared)
        munmap(run->shared, run->shared_size);
    run->shared = NULL;
    if (run->options->domain || !run->domain[0])
        return;
    snprintf(sentence, sizeof sentence, "%s", sl_error_text());
    if (sl_domain_open(run->domain, false, &own) == 0) {
        remove_domain(&own);
        sl_domain_close(&own);
    }
    sl_error(0, "%s", sentence);
}

static cpu_set_t allowed; /* to this process when it began the pair */

/* The side's processor: the first or the second of those that are allowed. */
void bus_pin(int side)
{
    cpu_set_t one;
    int nth = CPU_COUNT(&allowed) > side ? side : 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || nth-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

void bus_roam(void)
{
    sched_setaffinity(0, sizeof allowed, &allowed);
}

/* What a child leaves behind. */
struct outcome {
    int err;
    char sentence[SENTENCE_MAX];
};

static pid_t start(int (*work)(void *, int), void *context, int side, struct outcome *outcome)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    bus_pin(side);
    int err = work(context, side);
    if (err < 0) {
        snprintf(outcome->sentence, sizeof outcome->sentence, "%s", sl_error_text());
        outcome->err = err;
    }
    _exit(err < 0);
}

/* Which of the two ends first? 0 if the kernel does not tell: then side 1 is asked after it. */
static int first_to_end(const pid_t pids[2])
{
    struct pollfd ends[2];
    if (pids[0] == 0 || pids[1] == 0)
        return pids[0] == 0;
    for (int i = 0; i < 2; i++)
        ends[i] = (struct pollfd){.fd = (int)syscall(SYS_pidfd_open, pids[i], 0), .events = POLLIN};
    while (ends[0].fd >= 0 && ends[1].fd >= 0 && poll(ends, 2, -1) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < 2; i++)
        if (ends[i].fd >= 0)
            close(ends[i].fd);
    return ends[0].revents == 0 && ends[1].revents != 0;
}

/* When one fails, the other has nobody to speak with. */
static int await_pair(pid_t pids[2], const struct outcome *outcome)
{
    int err = 0;
    for (int left = 2; left > 0; left--) {
        int side = first_to_end(pids), status = 0;
        while (waitpid(pids[side], &status, 0) < 0 && errno == EINTR)
            ;
        pids[side] = 0;
        if (status == 0 || err < 0)
            continue;
        err = outcome[side].err < 0
                  ? sl_error(outcome[side].err, "%s", outcome[side].sentence)
                  : sl_error(-ECHILD, "a process of the bench ended with status %#x",
                             (unsigned)status);
        if (left == 2)
            kill(pids[!side], SIGKILL);
    }
    return err;
}

int bus_run_pair(int (*work)(void *context, int side), void *context)
{
    struct outcome *outcome = map_shared(2 * sizeof *outcome);
    if (!outcome)
        return -ENOMEM;
    pid_t pids[2] = {0};
    int err = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        CPU_ZERO(&allowed); /* then nobody is pinned */
    for (int side = 0; side < 2 && err == 0; side++) {
        pids[side] = start(work, context, side, &outcome[side]);
        if (pids[side] < 0)
            err = sl_error(-errno, "no process for the bench: %s", strerror(errno));
    }
    if (err == 0) {
        err = await_pair(pids, outcome);
    } else if (pids[0] > 0) {
        kill(pids[0], SIGKILL);
        waitpid(pids[0], NULL, 0);
    }
    munmap(outcome, 2 * sizeof *outcome);
    return err;
}

int bus_meet(struct bus_meeting *meeting, int side)
{
    struct bus_patience patience = {.limit_s = BUS_OPENING_S};
    const struct timespec pause = {.tv_nsec = MEETING_PAUSE_NS};
    uint32_t turn = atomic_fetch_add(&meeting->come[side], 1) + 1;
    while ((int32_t)(atomic_load(&meeting->come[!side]) - turn) < 0)
        if (bus_is_worn_out(&patience))
            return bus_no_answer("meeting");
        else if (patience.looks >= BUS_LOOKS)
            nanosleep(&pause, NULL);
    return 0;
}

struct bus_topic bus_topic(const char *name, unsigned number)
{
    struct bus_topic topic;
    snprintf(topic.name, sizeof topic.name, "/bench/%s_%u", name, number);
    return topic;
}

int bus_await_subscribers(struct sl_publisher *publisher, unsigned count)
{
    struct bus_patience patience = {.limit_s = BUS_OPENING_S};
    struct sl_publisher_status status = {0};
    for (;;) {
        sl_publisher_status(publisher, &status);
        if (status.subscribers >= count)
            return 0;
        if (bus_patience_ask(&patience))
            return sl_error(-ETIMEDOUT, "only %u of %u subscribers attached", status.subscribers,
                            count);
    }
}

int bus_await_publisher(struct sl_subscriber *subscriber)
{
    struct bus_patience patience = {.limit_s = BUS_OPENING_S};
    for (;;) {
        struct sl_subscriber_status status = {0};
        struct sl_frame frame = {0};
        /* taking lets it see who came */
        if (sl_subscriber_take(subscriber, &frame) == 0)
            sl_frame_release(&frame);
        sl_subscriber_status(subscriber, &status);
        if (status.publishers > 0)
            return 0;
        if (bus_patience_ask(&patience))
            return sl_error(-ETIMEDOUT, "no publisher was found%s%s", *status.refusal ? ": " : "",
                            status.refusal);
    }
}

/* Patience. ------------------------------------------------------------------------------------ */

bool bus_patience_ask(struct bus_patience *patience)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (patience->until_ns == 0)
        patience->until_ns =
            now_ns + (patience->limit_s ? patience->limit_s : BUS_PATIENCE_S) * SL_NS_PER_S;
    sched_yield(); /* the other side may stand behind us, on a machine with one processor */
    return now_ns > patience->until_ns;
}

int bus_no_answer(const char *where)
{
    return sl_error(-ETIMEDOUT, "%s: the other process does not answer", where);
}

void bus_spin_ns(uint64_t ns)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + ns;
    while (sl_clock_monotonic_ns() < until_ns)
        ;
}

/* Payload. ------------------------------------------------------------------------------------- */

int bus_publish(struct sl_publisher *publisher, uint64_t size, uint64_t value)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(publisher, &loan);
    if (err < 0)
        return err;
    bus_mark(loan.data, size, value);
    const struct sl_message message = {.stamp_ns = value, .body_length = (uint32_t)size};
    return sl_publisher_publish(publisher, &loan, &message);
}

/* Figures. ------------------------------------------------------------------------------------- */

int bus_samples_init(struct bus_samples *samples, unsigned room)
{
    *samples = (struct bus_samples){.room = room, .ns = calloc(room, sizeof *samples->ns)};
    return samples->ns ? 0 : sl_error(-ENOMEM, "no memory for %u samples", room);
}

void bus_samples_finish(struct bus_samples *samples)
{
    free(samples->ns);
    samples->ns = NULL;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bus_figures bus_conclude(struct bus_samples *samples)
{
    struct bus_figures figures = {0};
    unsigned count = samples->count;
    uint64_t sum = 0;
    samples->count = 0;
    if (count == 0)
        return figures;
    for (unsigned i = 0; i < count; i++)
        sum += samples->ns[i];
    qsort(samples->ns, count, sizeof *samples->ns, compare_u32);
    figures.mean_ns = (double)sum / count;
    figures.p50_ns = samples->ns[count / 2];
    figures.p99_ns = samples->ns[(uint64_t)count * 99 / 100];
    return figures;
}

double bus_median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare_double);
    return values[count / 2];
}

struct bus_figures bus_median_figures(const struct bus_figures *rounds, unsigned count,
                                      unsigned stride)
{
    double p50[BUS_ROUNDS_MAX], p99[BUS_ROUNDS_MAX], mean[BUS_ROUNDS_MAX];
    for (unsigned i = 0; i < count; i++) {
        p50[i] = rounds[i * stride].p50_ns;
        p99[i] = rounds[i * stride].p99_ns;
        mean[i] = rounds[i * stride].mean_ns;
    }
    return (struct bus_figures){.p50_ns = bus_median(p50, count),
                                .p99_ns = bus_median(p99, count),
                                .mean_ns = bus_median(mean, count)};
}

double bus_median_ratio(const struct bus_figures *rounds, const struct bus_figures *others,
                        unsigned count, unsigned stride)
{
    double ratio[BUS_ROUNDS_MAX];
    for (unsigned i = 0; i < count; i++) {
        double other = others[i * stride].p50_ns;
        ratio[i] = other > 0 ? rounds[i * stride].p50_ns / other : 0;
    }
    return bus_median(ratio, count);
}
