/* SPDX-License-Identifier: Apache-2.0 */
/* dds_peer.h - the foreign side of `sluice bench dds`: a program of Cyclone DDS alone, with types
 * that idlc made, and the page by which it is told what to do and tells what came.
 *
 *   dds_bench_peer reader|writer DOMAIN FD      FD: the page's memfd
 *
 * The reader reads clouds on both topics, with a history of all, reliable or best effort. The
 * writer writes to DDS_TYPED, serialising a cloud for each message; a thread of it sleeps on a
 * futex, to compare.
 *
 * A cloud's data begins with a struct dds_mark and ends with its number once more.
 */
#ifndef SL_BENCH_DDS_PEER_H
#define SL_BENCH_DDS_PEER_H

#include <stdatomic.h>
#include <stdint.h>

#define DDS_PEER         "dds_bench_peer"
#define DDS_FRAME_ID     "lidar"
#define DDS_POINT_BYTES  16u /* x, y, z, intensity: float32 */
#define DDS_SAMPLES_MAX  4096u
#define DDS_BUS_TOPIC    "/bench/cloud"
#define DDS_BRIDGED_NAME "rt/bench/cloud"
#define DDS_TYPED_NAME   "rt/bench/typed"

enum dds_lane {
    DDS_BRIDGED,
    DDS_TYPED,
    DDS_LANES
};

enum dds_order {
    DDS_IDLE,
    DDS_FLOOD, /* as fast as it is let */
    DDS_PACE,  /* one each pace_ns */
};

struct dds_mark {
    uint64_t number;
    uint64_t sent_ns; /* CLOCK_MONOTONIC */
};

struct dds_page {
    /* Set before the peers start. */
    uint64_t data_bytes; /* of each cloud */
    uint64_t clouds;     /* that the writer has, and writes in turn */
    uint64_t pace_ns;
    uint64_t best_effort;                /* not 0: then what is lost is no fault */
    _Alignas(64) _Atomic uint32_t order; /* enum dds_order: a futex that the writer sleeps on */
    _Alignas(64) struct {
        _Atomic uint64_t messages;
        _Atomic uint64_t next;    /* number after the last one */
        _Atomic uint64_t wrong;   /* of these, those that were not what was to come */
        _Atomic uint32_t writers; /* matched now */
    } lane[DDS_LANES];
    _Atomic uint64_t written; /* by the writer */
    _Atomic uint32_t readers; /* that the writer has */
    _Atomic uint32_t failed;  /* a peer could not begin, and has said why */
    /* From sending to having: of the lane that is paced, or of the bell. */
    _Alignas(64) _Atomic uint32_t is_timing;
    _Atomic uint32_t sample_count;
    uint32_t sample_ns[DDS_SAMPLES_MAX];
    /* The plain futex: rung at rung_ns. */
    _Alignas(64) _Atomic uint32_t bell;
    _Atomic uint64_t rung_ns;
};

#endif
