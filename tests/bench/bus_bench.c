/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bus_bench.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/sluice.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS_DEFAULT = 7,
    ROUNDS_MAX = 101,
    ITERATIONS_DEFAULT = 20000,
    CROWD_MAX = 16,
    LINE = 64,
    PATIENCE_S = 10, /* for one message */
    SMALL_POOL_BYTES = 1 << 20,
    SLOTS_OF_SMALL = 32, /* about what a publisher of 8 subscribers has by default */
    SLOTS_OF_LARGE = 12, /* 0.8 GB, mapped by 18 subscribers */
};

static const uint64_t payloads[SL_BENCH_BUS_SIZES] = {64, 4096, 1 << 20, 64 << 20};
static const unsigned crowds[SL_BENCH_BUS_CROWDS] = {0, CROWD_MAX};

/* The raw cache lines, and the child's word that it is ready. */
struct shared {
    _Alignas(128) _Atomic uint64_t line[2];
    _Alignas(128) _Atomic uint64_t back;
    /* What the limit with payload writes and reads: two lines a message, slots used in turn. */
    _Alignas(128) unsigned char payload[2][SLOTS_OF_SMALL][2 * LINE];
};

/* One process's ends of one measurement. */
struct ends {
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
    struct sl_subscriber *crowd[CROWD_MAX]; /* on our own topic: attached, never reading */
};

struct bench {
    int side; /* 0 parent throws first, 1 child answers */
    unsigned iterations;
    struct shared *shared;
    struct ends ends[SL_BENCH_BUS_SIZES][SL_BENCH_BUS_CROWDS];
    uint32_t *sample_ns;
};

/* Waiting for ever is for benches that nobody watches: give up after PATIENCE_S. */
struct patience {
    unsigned looks;
    uint64_t until_ns;
};

static bool is_worn_out(struct patience *p)
{
    if (++p->looks % (1u << 20) != 0)
        return false;
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (p->until_ns == 0)
        p->until_ns = now_ns + PATIENCE_S * SL_NS_PER_S;
    return now_ns > p->until_ns;
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

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare_double);
    return values[count / 2];
}

/* Round trips to one-way quantiles. */
static void summarize(struct bench *b, double *ret_p50_ns, double *ret_p99_ns)
{
    qsort(b->sample_ns, b->iterations, sizeof *b->sample_ns, compare_u32);
    *ret_p50_ns = b->sample_ns[b->iterations / 2] / 2.0;
    *ret_p99_ns = b->sample_ns[(uint64_t)b->iterations * 99 / 100] / 2.0;
}

static void mark_line(unsigned char *line, uint64_t value)
{
    for (int i = 0; i < LINE / 8; i++)
        memcpy(line + 8 * i, &value, 8);
}

static bool line_is(const unsigned char *line, uint64_t value)
{
    bool same = true;
    for (int i = 0; i < LINE / 8; i++) {
        uint64_t word;
        memcpy(&word, line + 8 * i, 8);
        same &= word == value;
    }
    return same;
}

/* Raw. ----------------------------------------------------------------------------------------- */

/* A word to and fro; with payload, two lines are written before it is stored and checked after it
 * is seen, as the bus's messages are: no way of handing payload over can be quicker. */
static int throw_raw(struct bench *b, bool with_payload)
{
    _Atomic uint64_t *mine = b->side == 0 ? &b->shared->line[0] : &b->shared->back;
    _Atomic uint64_t *theirs = b->side == 0 ? &b->shared->back : &b->shared->line[0];
    uint64_t base = atomic_load(mine);
    bool whole = true;
    for (uint64_t i = base + 1; i <= base + b->iterations; i++) {
        unsigned char *out = b->shared->payload[b->side][i % SLOTS_OF_SMALL];
        const unsigned char *in = b->shared->payload[!b->side][i % SLOTS_OF_SMALL];
        struct patience patience = {0};
        uint64_t start_ns = sl_clock_monotonic_ns();
        if (b->side == 0) {
            if (with_payload) {
                mark_line(out, i);
                mark_line(out + LINE, i);
            }
            atomic_store_explicit(mine, i, memory_order_release);
        }
        while (atomic_load_explicit(theirs, memory_order_acquire) != i)
            if (is_worn_out(&patience))
                return sl_error(-ETIMEDOUT, "the other process does not answer");
        if (with_payload)
            whole &= line_is(in, i) && line_is(in + LINE, i);
        if (b->side == 1) {
            if (with_payload) {
                mark_line(out, i);
                mark_line(out + LINE, i);
            }
            atomic_store_explicit(mine, i, memory_order_release);
        }
        b->sample_ns[i - base - 1] = (uint32_t)(sl_clock_monotonic_ns() - start_ns);
    }
    return whole ? 0 : sl_error(-EIO, "the raw payload is not what was written");
}

/* The bus. ------------------------------------------------------------------------------------- */

static int throw_one(struct sl_publisher *publisher, uint64_t payload, uint64_t value)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(publisher, &loan);
    if (err < 0)
        return err;
    mark_line(loan.data, value);
    mark_line((unsigned char *)loan.data + payload - LINE, value);
    const struct sl_message message = {.stamp_ns = value, .body_length = (uint32_t)payload};
    return sl_publisher_publish(publisher, &loan, &message);
}

/* The frame stays held: an answer goes out before the question is put away. */
static int catch_one(struct sl_subscriber *subscriber, uint64_t payload, uint64_t value,
                     struct sl_frame *ret_frame)
{
    struct patience patience = {0};
    int err;
    while ((err = sl_subscriber_take(subscriber, ret_frame)) == -EAGAIN)
        if (is_worn_out(&patience))
            return sl_error(-ETIMEDOUT, "the other process does not answer");
    if (err < 0)
        return err;
    const unsigned char *body = ret_frame->body;
    bool whole = line_is(body, value) && line_is(body + payload - LINE, value);
    return whole ? 0
                 : sl_error(-EIO, "message %llu is not what was sent", (unsigned long long)value);
}

static int throw_native(struct bench *b, const struct ends *ends, uint64_t payload)
{
    struct sl_frame frame = {0};
    int err = 0;
    for (unsigned i = 0; i < b->iterations && err == 0; i++) {
        uint64_t start_ns = sl_clock_monotonic_ns();
        if (b->side == 0) {
            err = throw_one(ends->publisher, payload, i);
            sl_frame_release(&frame);
        }
        if (err == 0)
            err = catch_one(ends->subscriber, payload, i, &frame);
        if (err == 0 && b->side == 1) {
            err = throw_one(ends->publisher, payload, i);
            sl_frame_release(&frame);
        }
        b->sample_ns[i] = (uint32_t)(sl_clock_monotonic_ns() - start_ns);
    }
    sl_frame_release(&frame);
    return err;
}

static void topic_of(char *to, size_t size, int side, uint64_t payload, unsigned crowd)
{
    snprintf(to, size, "/bench/%s_%llu_%u", side == 0 ? "ping" : "pong",
             (unsigned long long)payload, crowd);
}

static int open_publisher(struct bench *b, const char *domain, int s, int c)
{
    char topic[64];
    topic_of(topic, sizeof topic, b->side, payloads[s], crowds[c]);
    const struct sl_publisher_options options = {
        .topic = topic,
        .type = "bench/msg/Bytes",
        .domain = domain,
        .slot_size = payloads[s],
        .slot_count = payloads[s] > SMALL_POOL_BYTES ? SLOTS_OF_LARGE : SLOTS_OF_SMALL,
        .subscribers = CROWD_MAX + 1,
        .quota = 1,
    };
    return sl_publisher_open(&options, &b->ends[s][c].publisher);
}

static int open_subscriber(const char *domain, int side, int s, int c, struct sl_subscriber **ret)
{
    char topic[64];
    topic_of(topic, sizeof topic, side, payloads[s], crowds[c]);
    const struct sl_subscriber_options options = {.topic = topic, .domain = domain, .quota = 1};
    return sl_subscriber_open(&options, ret);
}

/* Publishers first on both sides, then everybody attaches to what is there. */
static int open_ends(struct bench *b, const char *domain)
{
    int err = 0;
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++)
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++)
            if ((err = open_publisher(b, domain, s, c)) < 0)
                return err;
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++) {
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++) {
            struct ends *e = &b->ends[s][c];
            if ((err = open_subscriber(domain, !b->side, s, c, &e->subscriber)) < 0)
                return err;
            for (unsigned i = 0; i < crowds[c]; i++)
                if ((err = open_subscriber(domain, b->side, s, c, &e->crowd[i])) < 0)
                    return err;
        }
    }
    return 0;
}

/* Nobody throws before the other side has attached: wait for the count of subscribers. */
static int await_attached(const struct bench *b)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_S * SL_NS_PER_S;
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++) {
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++) {
            struct sl_publisher_status status = {0};
            while (status.subscribers < 1 + crowds[c]) {
                sl_publisher_status(b->ends[s][c].publisher, &status);
                if (sl_clock_monotonic_ns() > until_ns)
                    return sl_error(-ETIMEDOUT, "only %u subscribers attached", status.subscribers);
                sched_yield();
            }
        }
    }
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++) {
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++) {
            struct sl_subscriber_status status = {0};
            while (status.publishers < 1) {
                struct sl_frame frame;
                sl_subscriber_take(b->ends[s][c].subscriber, &frame); /* lets it see who came */
                sl_subscriber_status(b->ends[s][c].subscriber, &status);
                if (sl_clock_monotonic_ns() > until_ns)
                    return sl_error(-ETIMEDOUT, "no publisher was found");
            }
        }
    }
    return 0;
}

static void close_ends(struct bench *b)
{
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++) {
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++) {
            struct ends *e = &b->ends[s][c];
            for (unsigned i = 0; i < CROWD_MAX; i++)
                sl_subscriber_close(e->crowd[i]);
            sl_subscriber_close(e->subscriber);
            sl_publisher_close(e->publisher);
        }
    }
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* All measurements of one round, in the same order on both sides. */
struct round {
    double raw_p50_ns, raw_p99_ns;
    double payload_p50_ns, payload_p99_ns; /* raw, with payload */
    double p50_ns[SL_BENCH_BUS_SIZES][SL_BENCH_BUS_CROWDS];
    double p99_ns[SL_BENCH_BUS_SIZES][SL_BENCH_BUS_CROWDS];
};

static int run_round(struct bench *b, struct round *r)
{
    int err = throw_raw(b, false);
    if (err < 0)
        return err;
    summarize(b, &r->raw_p50_ns, &r->raw_p99_ns);
    if ((err = throw_raw(b, true)) < 0)
        return err;
    summarize(b, &r->payload_p50_ns, &r->payload_p99_ns);
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++) {
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++) {
            if ((err = throw_native(b, &b->ends[s][c], payloads[s])) < 0)
                return err;
            summarize(b, &r->p50_ns[s][c], &r->p99_ns[s][c]);
        }
    }
    return 0;
}

static int run_side(struct bench *b, const char *domain, unsigned rounds, struct round *round)
{
    pin(b->side);
    int err = open_ends(b, domain);
    if (err == 0)
        err = await_attached(b);
    struct round warm;
    if (err == 0)
        err = run_round(b, &warm);
    for (unsigned i = 0; i < rounds && err == 0; i++)
        err = run_round(b, &round[i]);
    close_ends(b);
    return err;
}

static void conclude(struct round *round, unsigned rounds, struct sl_bench_bus_result *to)
{
    double v[ROUNDS_MAX];
#define MEDIAN_OF(expression)                 \
    ({                                        \
        for (unsigned i = 0; i < rounds; i++) \
            v[i] = (expression);              \
        median(v, rounds);                    \
    })
    to->raw_p50_ns = MEDIAN_OF(round[i].raw_p50_ns);
    to->raw_p99_ns = MEDIAN_OF(round[i].raw_p99_ns);
    to->raw_payload_p50_ns = MEDIAN_OF(round[i].payload_p50_ns);
    for (int s = 0; s < SL_BENCH_BUS_SIZES; s++) {
        for (int c = 0; c < SL_BENCH_BUS_CROWDS; c++) {
            to->native[s][c].payload_bytes = payloads[s];
            to->native[s][c].crowd = crowds[c];
            to->native[s][c].p50_ns = MEDIAN_OF(round[i].p50_ns[s][c]);
            to->native[s][c].p99_ns = MEDIAN_OF(round[i].p99_ns[s][c]);
            to->native[s][c].raw_payload_ratio =
                MEDIAN_OF(round[i].p50_ns[s][c] / round[i].payload_p50_ns);
            to->native[s][c].raw_ratio = MEDIAN_OF(round[i].p50_ns[s][c] / round[i].raw_p50_ns);
        }
    }
#undef MEDIAN_OF
}

int sl_bench_bus(const struct sl_bench_bus_options *options, struct sl_bench_bus_result *ret_result)
{
    unsigned rounds = options->rounds ? options->rounds : ROUNDS_DEFAULT;
    if (rounds > ROUNDS_MAX)
        return sl_error(-EINVAL, "%u rounds; give at most %d", rounds, ROUNDS_MAX);
    char own_domain[32];
    snprintf(own_domain, sizeof own_domain, "bench-%d", (int)getpid());
    const char *domain = options->domain ? options->domain : own_domain;
    struct bench b = {.iterations = options->iterations ? options->iterations : ITERATIONS_DEFAULT};
    b.shared =
        mmap(NULL, sizeof *b.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    b.sample_ns = calloc(b.iterations, sizeof *b.sample_ns);
    struct round *round = calloc(rounds, sizeof *round);
    if (b.shared == MAP_FAILED || !b.sample_ns || !round)
        return sl_error(-ENOMEM, "no memory for the bench");
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    pid_t child = fork();
    if (child < 0)
        return sl_error(-errno, "no child: %s", strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        b.side = 1;
        int err = run_side(&b, domain, rounds, round);
        if (err < 0)
            fprintf(stderr, "bench: %s\n", sl_error_text());
        _exit(err < 0);
    }
    int err = run_side(&b, domain, rounds, round);
    if (err < 0)
        kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    sched_setaffinity(0, sizeof before, &before);
    if (err == 0 && status != 0)
        err = sl_error(-ECHILD, "the other process of the bench failed");
    if (err == 0)
        conclude(round, rounds, ret_result);
    munmap(b.shared, sizeof *b.shared);
    free(b.sample_ns);
    free(round);
    return err;
}
