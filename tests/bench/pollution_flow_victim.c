/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/pollution_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/error.h"
#include "tests/bench/pollution_victim.h"

#define PASSES_MAX   (1u << 17) /* of a phase: some seconds */
#define PASSES_AFTER 2          /* that a frame may still be felt in, behind the one it ended in */
#define PASSES_QUIET 16         /* that no frame came near, at least, to tell what a pass takes */

struct pass {
    float ns;
    uint32_t begun, ended; /* frames, at its end */
};

struct log {
    struct pass *pass;
    unsigned count;
    double *numbers; /* scratch, as many */
    bool *is_near;
};

/* Own processor time: what others take while this process waits is none of it. */
static uint64_t own_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * SL_NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct pass make_pass(struct pollution_victim *victim, const struct flow_marks *marks)
{
    uint64_t begin_ns = own_ns();
    pollution_victim_pass_ns(victim);
    return (struct pass){
        .ns = (float)(own_ns() - begin_ns),
        .begun = atomic_load_explicit(&marks->begun, memory_order_relaxed),
        .ended = atomic_load_explicit(&marks->ended, memory_order_relaxed),
    };
}

/* From the pass in which a frame began to the last in which its end can be felt. */
static void find_near(const struct log *log)
{
    unsigned after = 0;
    for (unsigned i = 0; i < log->count; i++) {
        const struct pass *p = &log->pass[i];
        bool is_new = i > 0 && p->begun != log->pass[i - 1].begun;
        bool is_ending = i > 0 && p->ended != log->pass[i - 1].ended;
        if (is_new || is_ending || p->begun != p->ended)
            after = PASSES_AFTER + 1;
        log->is_near[i] = after > 0;
        after -= after > 0;
    }
}

static double median_of(const struct log *log, bool quiet_only)
{
    unsigned count = 0;
    for (unsigned i = 0; i < log->count; i++)
        if (!quiet_only || !log->is_near[i])
            log->numbers[count++] = log->pass[i].ns;
    if (quiet_only && count < PASSES_QUIET)
        return 0;
    return count > 0 ? pollution_quantile(log->numbers, count, 2) : 0;
}

/* What each frame took of the victim, in passes. */
static double slowdown_of(const struct log *log, double pass_ns)
{
    unsigned events = 0;
    for (unsigned i = 1; i < log->count;) {
        double excess_ns = 0;
        uint32_t before = log->pass[i - 1].begun;
        if (!log->is_near[i]) {
            i++;
            continue;
        }
        for (; i < log->count && log->is_near[i]; i++)
            excess_ns += log->pass[i].ns - pass_ns;
        uint32_t frames = log->pass[i - 1].begun - before;
        if (frames > 0)
            log->numbers[events++] = 1 + excess_ns / pass_ns / frames;
    }
    return events > 0 ? pollution_quantile(log->numbers, events, 2) : 0;
}

static struct flow_found conclude(struct log *log)
{
    struct flow_found found = {0};
    find_near(log);
    for (unsigned i = 0; i < log->count; i++)
        found.mean_ns += log->pass[i].ns / log->count;
    found.pass_ns = median_of(log, true);
    if (found.pass_ns == 0)
        found.pass_ns = median_of(log, false);
    if (found.pass_ns > 0)
        found.slowdown_ratio = slowdown_of(log, found.pass_ns);
    log->count = 0;
    return found;
}

static void chase(struct flow_board *board, const struct flow_marks *marks,
                  struct pollution_victim *victim, struct log *log)
{
    uint32_t phase = 0;
    while (!atomic_load(&board->is_over)) {
        uint32_t named = atomic_load(&board->phase);
        if (named != phase) {
            board->found = conclude(log);
            make_pass(victim, marks); /* the log was in its way */
            phase = named;
            atomic_store(&board->answered, phase);
        }
        struct pass pass = make_pass(victim, marks);
        if (phase > 0 && log->count < PASSES_MAX)
            log->pass[log->count++] = pass;
    }
}

int flow_victim_run(struct flow_board *board, unsigned side)
{
    struct pollution_victim victim = {0};
    struct log log = {.pass = calloc(PASSES_MAX, sizeof *log.pass),
                      .numbers = calloc(PASSES_MAX, sizeof *log.numbers),
                      .is_near = calloc(PASSES_MAX, sizeof *log.is_near)};
    int err = log.pass && log.numbers && log.is_near
                  ? pollution_pin(side)
                  : sl_error(-ENOMEM, "pollution bench: no memory for a log");
    if (err == 0)
        err = pollution_victim_init(&victim, pollution_cache_bytes(2) / 2);
    if (err == 0)
        chase(board, &board->marks[side], &victim, &log);
    pollution_victim_finish(&victim);
    free(log.pass);
    free(log.numbers);
    free(log.is_near);
    return err;
}
