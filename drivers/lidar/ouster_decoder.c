/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_decoder.c - sorts an Ouster's datagrams into lidar and IMU, holds them against the
 * metadata, feeds frames.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/family.h"
#include "drivers/lidar/ouster_frames.h"

/* So many datagrams, none of which fits the metadata, are enough to say so. */
#define DOUBTS_MAX 32

struct ouster_decoder {
    struct lidar_ouster_config config;
    struct lidar_counts counts;
    bool has_accepted; /* a packet of this sensor */
    unsigned doubts;   /* datagrams before that */
    int error;         /* that came of them, kept */
    double imu_axes[9];
    struct ouster_crc crc;
    struct ouster_imu_packet imu;
    struct lidar_fix_sink fix;
    struct lidar_fix_news fix_news;
    struct ouster_frames frames;
};

/* From the IMU's axes to those of the points. */
static void set_imu_axes(const struct ouster_metadata *metadata,
                         const struct lidar_block_options *points, double axes[9])
{
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned at = 0; at < 3; at++) {
            double sum = points->has_extrinsics ? 0 : metadata->imu_to_sensor[4 * row + at];
            for (unsigned i = 0; points->has_extrinsics && i < 3; i++)
                sum +=
                    (double)points->extrinsics[4 * row + i] * metadata->imu_to_sensor[4 * i + at];
            axes[3 * row + at] = sum;
        }
    }
}

static bool ouster_fits(const struct lidar_decoder_config *config)
{
    return config->ouster.metadata != NULL;
}

static int ouster_open(void *state, const struct lidar_decoder_config *config,
                       const struct lidar_frame_sink *sink)
{
    struct ouster_decoder *d = state;
    struct ouster_frames_options options = {
        .stamp = config->frames.stamp,
        .ptp_ahead_ns = config->ptp_ahead_ns,
        .uses_signal = config->ouster.uses_signal,
        .points = config->frames.block,
    };
    if (config->ouster.pixels)
        options.pixels = *config->ouster.pixels;
    d->config = config->ouster;
    d->fix = config->fix;
    ouster_crc_init(&d->crc);
    set_imu_axes(d->config.metadata, &config->frames.block, d->imu_axes);
    ouster_frames_init(&d->frames, d->config.metadata, &options, sink, &d->counts,
                       lidar_column_kernel_for(config->simd));
    d->config.metadata = &d->frames.metadata; /* the copy lives as long as we do */
    return 0;
}

/* Nothing of this sensor has come. */
static int doubt(struct ouster_decoder *d, const struct sl_datagram *datagram, uint64_t serial)
{
    const struct ouster_metadata *m = d->config.metadata;
    if (d->has_accepted || ++d->doubts < DOUBTS_MAX)
        return 0;
    if (serial != 0)
        d->error = sl_error(-EPROTO,
                            "the metadata is that of the Ouster with serial number %llu, but the "
                            "packets come from number %llu; give that one's",
                            (unsigned long long)m->serial, (unsigned long long)serial);
    else
        d->error = sl_error(
            -EPROTO,
            "by the metadata (%s, %u beams, %s) a packet has %u bytes, but these have %u; was the "
            "sensor configured since, or is it another one's port?",
            m->product[0] ? m->product : "an Ouster", m->format.beams, m->format.profile->name,
            m->format.packet_bytes, datagram->size_bytes);
    return d->error;
}

static bool is_stranger(const struct ouster_decoder *d, bool has_identity, uint64_t serial)
{
    uint64_t own = d->config.metadata->serial;
    return has_identity && own != 0 && serial != 0 && serial != own;
}

static void turn(const double axes[9], const double from[3], double to[3])
{
    for (unsigned i = 0; i < 3; i++)
        to[i] = axes[3 * i] * from[0] + axes[3 * i + 1] * from[1] + axes[3 * i + 2] * from[2];
}

/* How much before the last sample of the packet this one was taken. */
static uint64_t before_last_ns(const struct ouster_imu_packet *imu, unsigned i)
{
    uint64_t before_ns = imu->sample[imu->count - 1].stamp_ns - imu->sample[i].stamp_ns;
    return before_ns < SL_NS_PER_S ? before_ns : 0;
}

static void tell_fix(struct ouster_decoder *d, const struct sl_datagram *datagram)
{
    struct lidar_fix when = {.host_ns = datagram->time_ns};
    if (!d->imu.nmea)
        return;
    when.stamp_ns = ouster_frames_stamp_ns(
        &d->frames, (int64_t)(d->imu.nmea_stamp_ns & INT64_MAX >> 1), &when.clock);
    if (when.clock == LIDAR_CLOCK_HOST && when.host_ns != 0)
        when.stamp_ns = when.host_ns;
    lidar_fix_tell(&d->fix_news, &d->fix, d->imu.nmea, d->imu.nmea_length, &when);
}

static int push_imu(struct ouster_decoder *d, const struct sl_datagram *datagram)
{
    const struct ouster_metadata *m = d->config.metadata;
    enum lidar_count verdict =
        ouster_imu_parse(&m->imu, datagram->bytes, datagram->size_bytes, &d->imu);
    bool is_other = verdict == LIDAR_IMU && is_stranger(d, d->imu.has_identity, d->imu.serial);
    lidar_count(&d->counts, is_other ? LIDAR_OTHER_MODEL : verdict);
    if (is_other)
        return doubt(d, datagram, d->imu.serial);
    if (verdict != LIDAR_IMU)
        return 0;
    d->has_accepted |= d->imu.has_identity;
    tell_fix(d, datagram);
    for (unsigned i = 0; d->config.imu.take && i < d->imu.count; i++) {
        const struct ouster_imu_sample *sample = &d->imu.sample[i];
        struct lidar_imu imu = {.host_ns = datagram->time_ns};
        imu.stamp_ns = ouster_frames_stamp_ns(
            &d->frames, (int64_t)(sample->stamp_ns & INT64_MAX >> 1), &imu.clock);
        if (imu.clock == LIDAR_CLOCK_HOST && imu.host_ns != 0)
            imu.stamp_ns = imu.host_ns - before_last_ns(&d->imu, i);
        turn(d->imu_axes, sample->acceleration, imu.acceleration);
        turn(d->imu_axes, sample->rate, imu.rate);
        d->config.imu.take(d->config.imu.context, &imu);
    }
    return 0;
}

static int push_lidar(struct ouster_decoder *d, const struct sl_datagram *datagram)
{
    struct ouster_packet packet;
    enum lidar_count verdict = ouster_packet_parse(&d->config.metadata->format, datagram->bytes,
                                                   datagram->size_bytes, &packet);
    if (verdict != LIDAR_PACKETS) {
        lidar_count(&d->counts, verdict);
        return doubt(d, datagram, 0);
    }
    if (is_stranger(d, packet.has_identity, packet.serial)) {
        lidar_count(&d->counts, LIDAR_OTHER_MODEL);
        return doubt(d, datagram, packet.serial);
    }
    if (d->config.checks_crc && packet.has_identity &&
        !ouster_is_intact(&d->crc, datagram->bytes, datagram->size_bytes)) {
        lidar_count(&d->counts, LIDAR_BAD_CRC);
        return 0;
    }
    d->has_accepted = true;
    (void)ouster_frames_push(&d->frames, &packet, datagram->time_ns);
    return 0;
}

static int ouster_push(void *state, const struct sl_datagram *datagram)
{
    struct ouster_decoder *d = state;
    if (d->error < 0)
        return d->error;
    if (datagram->flags & SL_DATAGRAM_TRUNCATED) {
        lidar_count(&d->counts, LIDAR_BAD_SHORT);
        return 0;
    }
    if (datagram->size_bytes == d->config.metadata->imu.packet_bytes)
        return push_imu(d, datagram);
    return push_lidar(d, datagram);
}

static bool ouster_is_candidate(const void *state, const struct sl_datagram *datagram)
{
    (void)state;
    (void)datagram;
    return false; /* none is kept */
}

static const char *ouster_product(const void *state)
{
    const struct ouster_decoder *d = state;
    if (!d->has_accepted)
        return NULL;
    return d->config.metadata->product[0] ? d->config.metadata->product : "Ouster";
}

static enum lidar_simd ouster_simd(const void *state)
{
    const struct ouster_decoder *d = state;
    return d->frames.column.kernel->simd;
}

static const struct lidar_counts *ouster_counts(const void *state)
{
    const struct ouster_decoder *d = state;
    return &d->counts;
}

static void ouster_deadline(void *state, uint64_t now_ns)
{
    struct ouster_decoder *d = state;
    ouster_frames_deadline(&d->frames, now_ns);
}

static uint64_t ouster_due_ns(const void *state)
{
    const struct ouster_decoder *d = state;
    return ouster_frames_due_ns(&d->frames);
}

static int ouster_flush(void *state)
{
    struct ouster_decoder *d = state;
    if (d->error < 0)
        return d->error;
    ouster_frames_flush(&d->frames);
    return 0;
}

static void ouster_discard(void *state)
{
    struct ouster_decoder *d = state;
    ouster_frames_discard(&d->frames);
}

const struct lidar_family lidar_ouster_family = {
    .vendor = "Ouster",
    .state_size = (sizeof(struct ouster_decoder) + LIDAR_STATE_ALIGNMENT - 1) /
                  LIDAR_STATE_ALIGNMENT * LIDAR_STATE_ALIGNMENT,
    .fits = ouster_fits,
    .open = ouster_open,
    .push = ouster_push,
    .is_candidate = ouster_is_candidate,
    .product = ouster_product,
    .simd = ouster_simd,
    .counts = ouster_counts,
    .deadline = ouster_deadline,
    .due_ns = ouster_due_ns,
    .flush = ouster_flush,
    .discard = ouster_discard,
};
