/* SPDX-License-Identifier: Apache-2.0 */
/* log_crew.h - what `sluice bench record` and `sluice bench play` share: a folder for logs, frames
 * of shared memory, and figures made of rounds. Threads: one. Errors: -errno with sl_error_text().
 */
#ifndef SL_BENCH_LOG_CREW_H
#define SL_BENCH_LOG_CREW_H

#include "tests/bench/log_bench.h"

#include <limits.h>
#include <stddef.h>
#include <sys/uio.h>

/* A new folder inside the given one, and the one log that stands in it at a time. */
struct log_place {
    char folder[PATH_MAX];
    char log[PATH_MAX + 16];
};
int log_place_make(struct log_place *place, const char *within);
void log_place_settle(const struct log_place *place); /* nothing of before waits for the disk */
int log_place_check(const struct log_place *place, uint64_t bytes_min); /* is the log so large? */
void log_place_remove(struct log_place *place);                         /* and the log */

/* Frames in a memfd, shared and populated, as a pool's are. */
struct log_memory {
    unsigned char *bytes;
    unsigned frames;
    uint64_t frame_bytes;
};
int log_memory_map(struct log_memory *memory, unsigned frames, uint64_t frame_bytes);
void log_memory_unmap(struct log_memory *memory);
void *log_memory_frame(const struct log_memory *memory, unsigned number); /* they come in turn */

uint64_t log_user_ns(void); /* that this process has used */

/* One measurement of one round. */
struct log_sample {
    uint64_t wall_ns, user_ns;
};
double log_rate(const struct log_sample *samples, unsigned rounds, uint64_t amount); /* a second */
/* Of all rounds together: the kernel counts it by its tick, of which one round has few. */
double log_user_s_per_gb(const struct log_sample *samples, unsigned rounds, uint64_t bytes);
/* Median over the rounds of rate / the same round's rate of the raw. */
double log_ratio(const struct log_sample *samples, const struct log_sample *raw, unsigned rounds);

#endif
