/* SPDX-License-Identifier: Apache-2.0 */
/* bus_crew.h - what the measurements of `sluice bench bus` share: processes that are pinned, meet,
 * wait with patience, and figures made of samples.
 *
 * A measurement is two processes on two processors, forked from one that itself opens nothing of
 * the bus (handles and the service thread do not survive a fork). They speak by memory that was
 * shared before.
 *
 * Life:    bus_begin -> bus_run_pair -> the figures are read from what is shared -> bus_end
 * Threads: one a process, unless a measurement starts some.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_BUS_CREW_H
#define SL_BENCH_BUS_CREW_H

#include "core/base/clock.h"
#include "core/shm/domain.h"
#include "tests/bench/bus_bench.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BUS_LINE       64
#define BUS_PATIENCE_S 20  /* for one message */
#define BUS_OPENING_S  120 /* for a side to open all that it needs */
#define BUS_ROUNDS_MAX 101
#define BUS_TYPE       "bench/msg/Bytes"

/* Processes. ----------------------------------------------------------------------------------- */

/* What each measurement has. */
struct bus_run {
    const struct sl_bench_bus_options *options;
    char domain[SL_DOMAIN_MAX];
    unsigned rounds, iterations;
    void *shared; /* zeroed memory, shared with the processes */
    size_t shared_size;
};
/* `share`: so many round trips take as long as one iteration of this measurement. */
int bus_begin(struct bus_run *run, const struct sl_bench_bus_options *options, unsigned share,
              size_t shared_size);
void bus_end(struct bus_run *run); /* also of one that could not begin */

/* Run work(context, 0) and work(context, 1) in two processes, each on a processor of its own out of
 * those that this one may use. The first that fails ends the other, and its sentence is told. */
int bus_run_pair(int (*work)(void *context, int side), void *context);

/* Threads that a side starts from here on may run on any processor, and from there on its own. */
void bus_roam(void);
void bus_pin(int side);

/* Both sides come here; neither goes on before the other has come. Not for what is timed. */
struct bus_meeting {
    _Alignas(128) _Atomic uint32_t come[2];
};
int bus_meet(struct bus_meeting *meeting, int side);

/* "/bench/NAME_NUMBER" */
struct bus_topic {
    char name[64];
};
struct bus_topic bus_topic(const char *name, unsigned number);

/* Wait until so many subscribers are attached; until the subscriber sees a publisher. */
int bus_await_subscribers(struct sl_publisher *publisher, unsigned count);
int bus_await_publisher(struct sl_subscriber *subscriber);

/* Patience. Waiting for ever is for benches that nobody watches. ---------------------------------
 */

struct bus_patience {
    unsigned looks;
    unsigned limit_s; /* 0 = BUS_PATIENCE_S */
    uint64_t until_ns;
};

#define BUS_LOOKS 16384u /* before the processor is offered to others: some 100 us */

bool bus_patience_ask(struct bus_patience *patience);

/* Between two looks of one that spins. True: it has waited for long enough. */
static inline bool bus_is_worn_out(struct bus_patience *patience)
{
    return ++patience->looks % BUS_LOOKS == 0 && bus_patience_ask(patience);
}

int bus_no_answer(const char *where); /* the error for it */

void bus_spin_ns(uint64_t ns);

/* Payload: its first and last line are written and checked. --------------------------------------
 */

static inline void bus_mark_line(void *line, uint64_t value)
{
    for (int i = 0; i < BUS_LINE / 8; i++)
        memcpy((unsigned char *)line + 8 * i, &value, 8);
}

static inline bool bus_line_is(const void *line, uint64_t value)
{
    bool same = true;
    for (int i = 0; i < BUS_LINE / 8; i++) {
        uint64_t word;
        memcpy(&word, (const unsigned char *)line + 8 * i, 8);
        same &= word == value;
    }
    return same;
}

static inline void bus_mark(void *payload, uint64_t size, uint64_t value)
{
    bus_mark_line(payload, value);
    if (size > BUS_LINE)
        bus_mark_line((unsigned char *)payload + size - BUS_LINE, value);
}

static inline bool bus_is_marked(const void *payload, uint64_t size, uint64_t value)
{
    return bus_line_is(payload, value) &&
           (size <= BUS_LINE ||
            bus_line_is((const unsigned char *)payload + size - BUS_LINE, value));
}

/* Loan, mark `size` bytes, publish; the value is the stamp, too. */
int bus_publish(struct sl_publisher *publisher, uint64_t size, uint64_t value);

/* Figures. ------------------------------------------------------------------------------------- */

struct bus_samples {
    uint32_t *ns;
    unsigned count, room;
};
int bus_samples_init(struct bus_samples *samples, unsigned room);
void bus_samples_finish(struct bus_samples *samples);

static inline void bus_sample(struct bus_samples *samples, uint64_t ns)
{
    if (samples->count < samples->room)
        samples->ns[samples->count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

struct bus_figures {
    double p50_ns, p99_ns, mean_ns;
};
/* What was sampled, which is forgotten. */
struct bus_figures bus_conclude(struct bus_samples *samples);

/* Over rounds of one measurement, by each figure apart. */
struct bus_figures bus_median_figures(const struct bus_figures *rounds, unsigned count,
                                      unsigned stride);
double bus_median(double *values, unsigned count);
/* Of rounds[i].p50 / others[i].p50. */
double bus_median_ratio(const struct bus_figures *rounds, const struct bus_figures *others,
                        unsigned count, unsigned stride);

#endif
