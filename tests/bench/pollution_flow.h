/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_flow.h - the three processes of a flow that is measured: a driver and a reader, each on
 * a processor of its own, and a victim that shares the processor of one of them.
 *
 *   pollution_flow.c         rounds of phases: nobody, empty frames, cached, streamed; the figures
 *   pollution_flow_driver.c  a camera and a lidar, as their drivers' programs are made of
 *   pollution_flow_victim.c  passes over its memory, timed by its own processor time
 *
 * They speak by a board in shared memory. The driver names a phase, the victim answers when it
 * counts for it, and again, with what it found, when the driver has named the next.
 *
 * Threads: one a process, and the bus's own.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_POLLUTION_FLOW_H
#define SL_BENCH_POLLUTION_FLOW_H

#include "drivers/lidar/flow.h"
#include "drivers/pattern/writer.h"
#include "tests/bench/bus_crew.h"
#include "tests/bench/pollution_bench.h"
#include "tests/bench/pollution_victim.h"

#define FLOW_TOPIC "/bench/flow"

/* What driver and reader do in a phase. */
enum flow_way {
    FLOW_NOBODY, /* nothing: the victim is alone */
    FLOW_EMPTY,  /* frames come and go, and nobody touches them: what scheduling costs */
    FLOW_CACHED, /* plain stores, plain loads */
    FLOW_STREAM,
    FLOW_WAYS
};

struct flow_kind {
    const char *name;
    uint32_t width, height; /* of rgb8 pictures; 0 = a VLP-16 */
    double rate_hz;         /* of pictures or turns */
    unsigned frames;        /* of a phase */
    bool is_quick;          /* measured where only little is */
    bool is_huge;           /* slots in huge pages: without them page tables pass the caches too */
};

/* What its pool takes. */
uint64_t flow_pool_bytes(const struct flow_kind *kind);

/* A process's frames, so that the victim knows which of its passes they came into. */
struct flow_marks {
    _Alignas(128) _Atomic uint32_t begun;
    _Atomic uint32_t ended;
};

static inline void flow_begin(struct flow_marks *marks)
{
    atomic_fetch_add_explicit(&marks->begun, 1, memory_order_relaxed);
}

static inline void flow_end(struct flow_marks *marks)
{
    atomic_fetch_add_explicit(&marks->ended, 1, memory_order_relaxed);
}

/* What a victim found in one phase; processor time of its own. */
struct flow_found {
    double pass_ns;        /* the median of the passes that no frame came near */
    double mean_ns;        /* of all passes */
    double slowdown_ratio; /* what a frame costs: a pass and what the passes at a frame took longer
                              than pass_ns, in pass_ns; the median over the frames, 0 = none came */
};

struct flow_tally {
    uint64_t bytes, ns; /* written, or read, in so much time */
};

struct flow_board {
    struct bus_meeting meeting;
    struct flow_marks marks[2];         /* of the driver, of the reader */
    _Alignas(128) _Atomic uint32_t way; /* enum flow_way */
    _Atomic uint32_t phase;             /* named by the driver; 0 = none */
    _Atomic uint32_t answered;          /* the phase that the victim counts for */
    _Atomic bool is_over;
    struct flow_found found; /* of the phase before the one that is answered */
    struct flow_tally tally[2][FLOW_WAYS];
    struct flow_found round[POLLUTION_ROUNDS_MAX][FLOW_WAYS];
};

/* The driver. ---------------------------------------------------------------------------------- */

struct flow_driver {
    const struct flow_kind *kind;
    struct flow_board *board;
    struct sl_publisher *publisher;
    uint64_t next_ns; /* when a picture is due */
    struct pattern_writer camera;
    int capture_fd;
    struct lidar_source *source;
    struct lidar_flow lidar;
};

/* `driver` is zeroed. */
int flow_driver_open(struct flow_driver *driver, const struct flow_kind *kind, const char *domain,
                     struct flow_board *board);
/* Before a phase: be in time, and have a few frames done that way. */
int flow_driver_settle(struct flow_driver *driver, enum flow_way way);
/* When the next frame is due: publish it that way. */
int flow_driver_frame(struct flow_driver *driver, enum flow_way way);
void flow_driver_close(struct flow_driver *driver);

/* The victim. ---------------------------------------------------------------------------------- */

/* Passes over half of a second-level cache, beside the driver (0) or the reader (1), until it is
 * over. */
int flow_victim_run(struct flow_board *board, unsigned side);

#endif
