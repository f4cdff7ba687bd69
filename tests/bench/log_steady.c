/* SPDX-License-Identifier: Apache-2.0 */
/* log_steady.c - does the recorder keep up with sensors?
 *
 * A process publishes five topics by the clock, 120 MB/s in all, and waits for nobody; the recorder
 * in another writes them. What was lost is counted in the log, message by message, when both have
 * ended. A publisher's slots hold one second.
 */
#include "tests/bench/bus_crew.h"
#include "tests/bench/log_crew.h"

#include "core/base/error.h"
#include "rosbag_compat/files.h"
#include "rosbag_compat/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TOPICS     5
#define RATE_HZ    60u
#define BODY_BYTES 400000u /* 120 MB/s = 5 * 60 Hz * 400 kB */
#define MARGIN_S   10      /* that a recorder which lost some goes on */

struct shared {
    struct bus_meeting meeting;
    uint64_t wall_ns, user_ns, peak_bytes;
};

struct steady {
    struct bus_run run;
    struct shared *shared;
    struct log_place place;
    unsigned rounds; /* of the clock: one message of each topic */
};

/* Publishing. ---------------------------------------------------------------------------------- */

static int open_all(const struct steady *s, struct sl_publisher **publishers)
{
    int err = 0;
    for (unsigned i = 0; i < TOPICS && err == 0; i++) {
        const struct bus_topic topic = bus_topic("steady", i);
        const struct sl_publisher_options options = {
            .topic = topic.name,
            .type = BUS_TYPE,
            .domain = s->run.domain,
            .slot_size = BODY_BYTES,
            .slot_count = RATE_HZ,
            .subscribers = 1,
        };
        err = sl_publisher_open(&options, &publishers[i]);
    }
    return err;
}

static int publish_by_the_clock(const struct steady *s, struct sl_publisher *const *publishers)
{
    uint64_t start_ns = sl_clock_monotonic_ns();
    int err = 0;
    for (uint64_t n = 0; n < (uint64_t)s->rounds * TOPICS && err == 0; n++) {
        uint64_t due_ns = start_ns + n * SL_NS_PER_S / (RATE_HZ * TOPICS);
        const struct timespec due = {(time_t)(due_ns / SL_NS_PER_S), (long)(due_ns % SL_NS_PER_S)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
            ;
        err = bus_publish(publishers[n % TOPICS], BODY_BYTES, n);
    }
    s->shared->wall_ns = sl_clock_monotonic_ns() - start_ns;
    return err;
}

static int publish(const struct steady *s)
{
    struct sl_publisher *publishers[TOPICS] = {NULL};
    int err = open_all(s, publishers);
    if (err == 0)
        err = bus_meet(&s->shared->meeting, 0);
    for (unsigned i = 0; i < TOPICS && err == 0; i++)
        err = bus_await_subscribers(publishers[i], 1);
    if (err == 0)
        err = publish_by_the_clock(s, publishers);
    if (err == 0)
        err = bus_meet(&s->shared->meeting, 0); /* frames stay until the recorder has ended */
    for (unsigned i = 0; i < TOPICS; i++)
        sl_publisher_close(publishers[i]);
    return err;
}

/* Recording. ----------------------------------------------------------------------------------- */

static int record(const struct steady *s)
{
    char count[32], limit[32];
    struct bus_topic topics[TOPICS];
    char *arguments[TOPICS + 12] = {"record"};
    int argument_count = 1;
    for (unsigned i = 0; i < TOPICS; i++) {
        topics[i] = bus_topic("steady", i);
        arguments[argument_count++] = topics[i].name;
    }
    snprintf(count, sizeof count, "--max-messages=%u", s->rounds * TOPICS);
    snprintf(limit, sizeof limit, "--duration=%us", s->rounds / RATE_HZ + MARGIN_S);
    char *const others[] = {
        count,         limit,  "--output", (char *)s->place.log, "--domain", (char *)s->run.domain,
        "--log-level", "error"};
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        arguments[argument_count++] = others[i];
    int err = bus_meet(&s->shared->meeting, 1);
    if (err < 0)
        return err;
    uint64_t user_ns = log_user_ns();
    int status = sl_program_main(&record_program, argument_count, arguments);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    s->shared->user_ns = log_user_ns() - user_ns;
    s->shared->peak_bytes = (uint64_t)used.ru_maxrss * 1024;
    if (status != 0)
        return sl_error(-EIO, "the recorder ended with status %d", status);
    return bus_meet(&s->shared->meeting, 1);
}

static int run_side(void *context, int side)
{
    return side == 0 ? publish(context) : record(context);
}

/* Counting. ------------------------------------------------------------------------------------ */

static int count_messages(const char *path, uint64_t *ret_messages)
{
    struct sl_log_set set = {0};
    uint64_t messages = 0;
    int err = sl_log_set_add(&set, path, 0);
    if (err < 0)
        return err;
    const struct sl_log *log = set.logs[0];
    for (uint32_t i = 0; i < log->topic_count; i++)
        messages += log->topics[i].message_count;
    sl_log_set_close(&set);
    *ret_messages = messages;
    return 0;
}

int sl_bench_log_steady(const struct sl_bench_log_options *options,
                        struct sl_bench_steady *ret_result)
{
    const struct sl_bench_bus_options bus = {.rounds = 1};
    struct steady s = {.rounds = options->steady_s * RATE_HZ};
    uint64_t published = (uint64_t)s.rounds * TOPICS, recorded = 0;
    int err = log_place_make(&s.place, options->folder);
    if (err < 0)
        return err;
    err = bus_begin(&s.run, &bus, 1, sizeof *s.shared);
    s.shared = s.run.shared;
    if (options->progress)
        options->progress("recording steadily", 0, 1);
    if (err == 0)
        err = bus_run_pair(run_side, &s);
    if (err == 0)
        err = count_messages(s.place.log, &recorded);
    if (err == 0)
        *ret_result = (struct sl_bench_steady){
            .bytes_per_s = (double)published * BODY_BYTES * 1e9 / (double)(s.shared->wall_ns + 1),
            .seconds = (double)s.shared->wall_ns / 1e9,
            .lost_messages = (double)(published - recorded),
            .user_cpu_s_per_gb = (double)s.shared->user_ns / (double)(published * BODY_BYTES),
            .peak_bytes = (double)s.shared->peak_bytes,
        };
    log_place_remove(&s.place);
    bus_end(&s.run);
    return err;
}
