/* SPDX-License-Identifier: Apache-2.0 */
/* log_bench.h - what `sluice bench record` and `sluice bench play` measure. What is compared lies
 * in one run and is interleaved; figures are medians of the rounds.
 *
 *   log_record.c  the recorder, beside plain writing of the same bytes
 *   log_steady.c  the recorder beside publishers that go by the clock
 *   log_play.c    the player, beside plain reading of the same bytes, and beside ROS's own reading
 *                 of bags
 *
 * Recorder and player are the programs, whole, in a process of their own (bus_crew.h).
 *
 * Threads: call from the main thread of a process that has opened nothing of the bus.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_BENCH_LOG_H
#define SL_BENCH_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct sl_bench_log_options {
    unsigned rounds;         /* interleaved repetitions; 0 = 11 */
    uint64_t frame_bytes;    /* of a large message; a multiple of the page */
    unsigned frames;         /* in each log of large messages */
    unsigned small_messages; /* in each log of small ones */
    unsigned steady_s;       /* of publishing by the clock */
    const char *folder;      /* where logs are written, and removed again */
    /* Told before each round, or NULL. */
    void (*progress)(const char *what, unsigned round, unsigned rounds);
};

#define SL_BENCH_SMALL_BYTES 100

/* Bytes are those of messages; a GB is 1e9 of them. Processor time is that of all rounds. */
struct sl_bench_record {
    double raw_bytes_per_s; /* writev of one frame after the other, with the recorder's advice */
    double bytes_per_s;     /* from the first frame's publishing until the file is closed */
    double rate_ratio;      /* median of each round's recorder / raw */
    double user_cpu_s_per_gb;
    double crc_bytes_per_s; /* the same with checksums */
    double crc_user_cpu_s_per_gb;
    double small_messages_per_s; /* of SL_BENCH_SMALL_BYTES, inline, by a publisher that waits */
};

int sl_bench_log_record(const struct sl_bench_log_options *options,
                        struct sl_bench_record *ret_result);

/* Five topics, 120 MB/s in all, of publishers that wait for nobody. */
struct sl_bench_steady {
    double bytes_per_s; /* as published; less than 120 MB/s: the machine was too busy to publish */
    double seconds;
    double lost_messages; /* that were published and are not in the log */
    double user_cpu_s_per_gb;
    double
        peak_bytes; /* resident size of the recorder, the publishers' slots that it maps included */
};

int sl_bench_log_steady(const struct sl_bench_log_options *options,
                        struct sl_bench_steady *ret_result);

struct sl_bench_play {
    double raw_bytes_per_s; /* pread of one frame after the other into shared memory, 200 MB */
    double raw_cached_bytes_per_s; /* the same, 16 MiB */
    double bytes_per_s; /* from the first frame's arrival at a subscriber to the last one's */
    double rate_ratio;  /* median of each round's player / raw */
    double cached_rate_ratio;
    double user_cpu_s_per_gb;
    /* Of a log that is not in the page cache, each past it. */
    double uncached_raw_bytes_per_s;
    double uncached_bytes_per_s;
    double uncached_rate_ratio;
    bool has_storage;            /* librosbag_storage was there, so the next ones are told: */
    double storage_bytes_per_s;  /* a ROS 1 bag read by it, from the first message to the last */
    double bag_read_bytes_per_s; /* the same by our codec, in one process too */
    double storage_read_ratio;   /* median of each round's own reading / librosbag_storage's */
    double bag_bytes_per_s;      /* as bytes_per_s, of that bag */
    double storage_replay_ratio; /* median of each round's player / librosbag_storage's reading */
};

int sl_bench_log_play(const struct sl_bench_log_options *options, struct sl_bench_play *ret_result);

#endif
