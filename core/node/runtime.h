/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.h - what every driver and node is built on.
 *
 * A program is one `const struct sl_program` and a main of one line. Its options come from one
 * table, its publishers and subscribers from helpers that know the common options (domain,
 * remapping), and one loop owns waiting, signals, timers and readiness:
 *
 *     open(state) -> ready is told to the launcher -> work(state) whenever something it waits for
 * is ready -> close(state)
 *
 * Ready means: open() is done, and every publisher that has slots could loan one.
 *
 * Life:    sl_program_main runs all of it and returns the exit status.
 * Threads: everything here is the main thread's. SIGINT, SIGTERM and SIGHUP are blocked before
 * open(), so that threads made there do not take them. Errors:  open and work return -errno with
 * sl_error_text(); the runtime logs it in one line, calls close, and exits with 1 (2 for wrong
 * options). SIGINT, SIGTERM and SIGHUP end the loop with 0, unless close() loses something.
 */
#ifndef SL_NODE_RUNTIME_H
#define SL_NODE_RUNTIME_H

#include "core/base/log.h"
#include "core/base/options.h"
#include "core/shm/counters.h"
#include "core/shm/sluice.h"

struct sl_runtime;

#define SL_RUNTIME_ENDS_MAX   32 /* publishers of one process, and subscribers */
#define SL_RUNTIME_SHEETS_MAX SL_STATS_SHEETS

#define SL_CLOSE_LIMIT_S 30

struct sl_program {
    const char *name; /* of the executable: "lidar" */
    const char *summary;
    const char *details; /* for --help, or NULL */
    const char *example;
    const struct sl_option *options;
    unsigned option_count;
    size_t state_size; /* of the struct that the options' offsets refer to; zeroed before use */

    int (*open)(void *state, struct sl_runtime *runtime);
    /* Its part that calls sl_runtime_publish and sl_runtime_subscribe, for every topic that these
     * options ask for (or sl_runtime_expect), and does nothing else: `sluice plan` has it called
     * alone. Then nothing is opened, and the handles that it gets are NULL. NULL: the topics cannot
     * be told before. */
    int (*topics)(void *state, struct sl_runtime *runtime);
    /* Do what can be done without waiting. Returns how much was done: above 0 it is called again
     * soon, at 0 after the loop has waited; -ECANCELED = finished well, end with exit status 0;
     * else -errno. */
    int (*work)(void *state, struct sl_runtime *runtime);
    /* Also after an open() that failed half-way: what it did not reach is still zero. What it
     * cannot bring to an end goes to sl_runtime_fail. May be NULL. */
    void (*close)(void *state, struct sl_runtime *runtime);
    /* Seconds that it may take to end after a signal; then it is taken to be stuck and ends by
     * SIGALRM. 0: SL_CLOSE_LIMIT_S. */
    unsigned close_limit_s;
};

int sl_program_main(const struct sl_program *program, int argc, char **argv);

/* The options that every program has, for those who tell of them; they refer to no memory. */
struct sl_option_table sl_program_common_options(void);

/* ---- for open, work and close ------------------------------------------------------------------
 * The common options, in every program's --help: --name, --domain, --remap FROM:=TO (repeated),
 * --bus native|iceoryx, --log-level, --cpus LIST, --sched fifo:N|rr:N|other, --nice N, --mlock,
 * --huge-pages, --memory, --memory-fallback, --slots, --slot-size, --spin, --stats-period. */

const char *sl_runtime_name(const struct sl_runtime *runtime);

/* Was this option of the program given, rather than left at its default? */
bool sl_runtime_given(const struct sl_runtime *runtime, const char *option);

/* Open with the program's domain and bus; `topic` is taken through the remapping, a relative topic
 * ("points") is put under the node's name ("/lidar/points"). What is opened here is closed by the
 * runtime after close(). options->topic is the unmapped name. -EMFILE beyond SL_RUNTIME_ENDS_MAX.
 * A publisher that comes later and refuses the subscriber is logged as a warning. */
int sl_runtime_publish(struct sl_runtime *runtime, const struct sl_publisher_options *options,
                       struct sl_publisher **ret_publisher);
int sl_runtime_subscribe(struct sl_runtime *runtime, const struct sl_subscriber_options *options,
                         struct sl_subscriber **ret_subscriber);

/* In `topics` alone, for what is opened later, when it is found; it opens nothing. */
struct sl_expected {
    const char *topic;       /* as for sl_runtime_subscribe; or NULL, and */
    const char *pattern;     /* a regular expression (POSIX, extended) that matches whole names */
    enum sl_policy policy;   /* as in struct sl_subscriber_options */
    uint32_t quota;          /* of each topic */
    uint32_t retained_quota; /* of one that retains messages; 0 = the next, or as any other */
    uint32_t more_than_retained; /* so many more than it retains; 0 = as any other */
};
int sl_runtime_expect(struct sl_runtime *runtime, const struct sl_expected *expected);

/* Counters of the program's own (core/shm/counters.h), in its domain: for `sluice top`, and for the
 * log every --stats-period. Closed by the runtime after close(). -EMFILE beyond
 * SL_RUNTIME_SHEETS_MAX. */
int sl_runtime_count(struct sl_runtime *runtime, const char *title, const char *const *names,
                     struct sl_counters **ret_counters);

/* The same naming for those who open by themselves: `topic` under the node's name and remapped.
 * -EINVAL if it becomes no topic's name. */
int sl_runtime_topic(const struct sl_runtime *runtime, const char *topic,
                     char ret_name[SL_TOPIC_MAX]);
/* The domain's name as sluice.h takes it: NULL = its default. */
const char *sl_runtime_domain(const struct sl_runtime *runtime);
/* What --bus says, as sluice.h takes it. */
enum sl_bus sl_runtime_bus(const struct sl_runtime *runtime);

/* Wake the loop when `fd` is readable. Not owned; unwatch before closing it. What is no descriptor
 * but why there is none (-errno, told) is handed back. */
int sl_runtime_watch(struct sl_runtime *runtime, int fd);
void sl_runtime_unwatch(struct sl_runtime *runtime, int fd);

/* Wake the loop at that time (CLOCK_MONOTONIC, ns), once; 0 = no longer. One timer; call it anew
 * from each work(). Due times are kept within a few microseconds where the timer slack allows. */
void sl_runtime_wake_at(struct sl_runtime *runtime, uint64_t monotonic_ns);

/* End the loop after this work(), with exit status 0. */
void sl_runtime_stop(struct sl_runtime *runtime);
/* In close(): logs the sentence of `err` and makes the exit status 1, however the loop ended. */
void sl_runtime_fail(struct sl_runtime *runtime, int err);
/* Is the loop to end? Looks for signals, so an open() that takes long can ask now and then. */
bool sl_runtime_stopping(struct sl_runtime *runtime);

#endif
