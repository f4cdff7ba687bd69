/* SPDX-License-Identifier: Apache-2.0 */
/* livox_decoder.c - Livox's sensors as a family: points to frames, samples of the IMU to whoever
 * asks. */
#include <string.h>

#include "drivers/lidar/family.h"
#include "drivers/lidar/livox_frames.h"

struct livox_decoder {
    struct lidar_livox_config config;
    struct lidar_block_options points; /* where the sensor stands */
    struct lidar_counts counts;
    bool is_told; /* a packet has come */
    struct livox_crc crc;
    struct livox_frames frames;
};

static bool livox_fits(const struct lidar_decoder_config *config)
{
    return config->livox.model != NULL;
}

static int livox_open(void *state, const struct lidar_decoder_config *config,
                      const struct lidar_frame_sink *sink)
{
    struct livox_decoder *d = state;
    const struct livox_frames_options options = {
        .period_ns = config->livox.period_ns,
        .stamp = config->frames.stamp,
        .ptp_ahead_ns = config->ptp_ahead_ns,
        .unwanted_tags = config->livox.unwanted_tags,
        .points = config->frames.block,
    };
    d->config = config->livox;
    d->points = config->frames.block;
    livox_crc_init(&d->crc);
    livox_frames_init(&d->frames, d->config.model, &options, sink, &d->counts,
                      lidar_list_kernel_for(config->simd));
    return 0;
}

/* To the frame of the points; the IMU's axes are theirs. */
static void turn(const struct lidar_block_options *points, const double from[3], double to[3])
{
    for (unsigned i = 0; i < 3; i++) {
        const float *row = points->extrinsics + (size_t)4 * i;
        to[i] = !points->has_extrinsics ? from[i]
                                        : (double)row[0] * from[0] + (double)row[1] * from[1] +
                                              (double)row[2] * from[2];
    }
}

static void take_imu(struct livox_decoder *d, const struct livox_packet *packet, uint64_t host_ns)
{
    struct lidar_imu imu = {.host_ns = host_ns};
    if (!d->config.imu.take)
        return;
    imu.stamp_ns = livox_frames_stamp_ns(&d->frames, packet->clock, packet->stamp_ns, &imu.clock);
    turn(&d->points, packet->acceleration, imu.acceleration);
    turn(&d->points, packet->rate, imu.rate);
    d->config.imu.take(d->config.imu.context, &imu);
}

static int livox_push(void *state, const struct sl_datagram *datagram)
{
    struct livox_decoder *d = state;
    struct livox_packet packet;
    if (datagram->flags & SL_DATAGRAM_TRUNCATED) {
        lidar_count(&d->counts, LIDAR_BAD_SHORT);
        return 0;
    }
    enum lidar_count verdict = livox_packet_parse(datagram->bytes, datagram->size_bytes, &packet);
    bool is_one = verdict == LIDAR_PACKETS || verdict == LIDAR_IMU;
    if (is_one && d->config.checks_crc &&
        !livox_is_intact(&d->crc, datagram->bytes, datagram->size_bytes))
        verdict = LIDAR_BAD_CRC;
    if (verdict == LIDAR_PACKETS) {
        d->is_told = true;
        livox_frames_push(&d->frames, &packet, datagram->time_ns); /* counts it */
        return 0;
    }
    lidar_count(&d->counts, verdict);
    if (verdict == LIDAR_IMU)
        take_imu(d, &packet, datagram->time_ns);
    return 0;
}

static bool livox_is_candidate(const void *state, const struct sl_datagram *datagram)
{
    (void)state;
    (void)datagram;
    return false; /* none is kept */
}

static const char *livox_product(const void *state)
{
    const struct livox_decoder *d = state;
    return d->is_told ? d->config.model->name : NULL;
}

static enum lidar_simd livox_simd(const void *state)
{
    const struct livox_decoder *d = state;
    return d->frames.list.kernel->simd;
}

static const struct lidar_counts *livox_counts(const void *state)
{
    const struct livox_decoder *d = state;
    return &d->counts;
}

static void livox_deadline(void *state, uint64_t now_ns)
{
    struct livox_decoder *d = state;
    livox_frames_deadline(&d->frames, now_ns);
}

static uint64_t livox_due_ns(const void *state)
{
    const struct livox_decoder *d = state;
    return livox_frames_due_ns(&d->frames);
}

static int livox_flush(void *state)
{
    struct livox_decoder *d = state;
    livox_frames_flush(&d->frames);
    return 0;
}

static void livox_discard(void *state)
{
    struct livox_decoder *d = state;
    livox_frames_discard(&d->frames);
}

const struct lidar_family lidar_livox_family = {
    .vendor = "Livox",
    .state_size = (sizeof(struct livox_decoder) + LIDAR_STATE_ALIGNMENT - 1) /
                  LIDAR_STATE_ALIGNMENT * LIDAR_STATE_ALIGNMENT,
    .fits = livox_fits,
    .open = livox_open,
    .push = livox_push,
    .is_candidate = livox_is_candidate,
    .product = livox_product,
    .simd = livox_simd,
    .counts = livox_counts,
    .deadline = livox_deadline,
    .due_ns = livox_due_ns,
    .flush = livox_flush,
    .discard = livox_discard,
};
