/* SPDX-License-Identifier: Apache-2.0 */
/* lidar_latency.h - how long a turn takes from its last packet to those who read it, and what the
 * whole driver costs beside reading and decoding alone.
 *
 * Latency: the simulated sensor (a VLP-16 of 20 turns a second, its time running some times as fast
 * so that enough turns come in a few seconds) sends over loopback from a process of its own; this
 * process receives, decodes and publishes as the driver does; others read. Time begins when the
 * receive call has returned with the packet that completes a turn. "publish" ends when
 * sl_publisher_publish has returned, which is after its release store; "visible" when a reader has
 * taken the frame. Idle, one reader polls on a processor of its own. Loaded, several readers each
 * sleep in sl_subscriber_wait, every one of their frames counts, and a process that never rests
 * stands on each processor; with SCHED_FIFO the driver's thread goes before the readers', and all
 * of them before everything else; with a nice value the driver alone has more of the processors.
 * "arrival" is before all that: the kernel's stamp of that packet.
 *
 * Flow: a capture, read again and again as fast as it goes, through source, decoder and both
 * topics; beside it the same source and decoder into the same number of slots of plain shared
 * memory. In turns; starting is not counted; figures are medians over the pairs.
 *
 * Life:    none.
 * Owner:   the caller's result.
 * Threads: call from the main thread of a process that uses no publisher or subscriber; it forks.
 * Errors:  -errno with sl_error_text(); nothing is printed.
 */
#ifndef SL_BENCH_LIDAR_LATENCY_H
#define SL_BENCH_LIDAR_LATENCY_H

#include <stdint.h>

struct sl_bench_lidar_latency_options {
    unsigned frames;   /* 0 = 600, at most 10000 */
    double rate;       /* of the sensor's time; 0 = 4 */
    unsigned sleepers; /* readers that sleep until they are woken, at most 8; 0 = one that polls */
    int is_loaded;     /* a busy process on each processor */
    int is_fifo;       /* SCHED_FIFO on both ends */
    int is_relayed;    /* sleepers are woken by the publisher's relay */
    int nice;          /* the driver's, relay included, below that of the others; 0 = as they */
};

struct sl_bench_lidar_latency_result {
    unsigned frames; /* that were published, and seen by each reader */
    double turns_per_s;
    double arrival_to_publish_p50_us, arrival_to_publish_p99_us;
    double packet_to_publish_p50_us, packet_to_publish_p99_us;
    double packet_to_visible_p50_us, packet_to_visible_p99_us;
};

/* `options` NULL = the defaults. -EPERM: SCHED_FIFO or that nice value is not permitted
 * (CAP_SYS_NICE, RLIMIT_RTPRIO, RLIMIT_NICE). */
int sl_bench_lidar_latency(const struct sl_bench_lidar_latency_options *options,
                           struct sl_bench_lidar_latency_result *ret_result);

#define SL_BENCH_LIDAR_FLOW_PAIRS 7

struct sl_bench_lidar_flow_options {
    uint64_t bytes; /* of capture that each of the two reads in all; 0 = 1 GB */
};

struct sl_bench_lidar_flow_result {
    uint64_t capture_bytes; /* of the file */
    uint64_t bytes;         /* read by each of the two */
    double capture_flow_bytes_per_s;
    double capture_alone_bytes_per_s;
    double capture_flow_ratio; /* time of the whole driver to time of reading and decoding alone */
};

int sl_bench_lidar_flow(const struct sl_bench_lidar_flow_options *options,
                        struct sl_bench_lidar_flow_result *ret_result);

#endif
