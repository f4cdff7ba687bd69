/* SPDX-License-Identifier: Apache-2.0 */
/* decoder.h - from a sensor's datagrams to frames: the one thing that a driver talks to.
 *
 * Datagrams of data, of telemetry and of an IMU go into the same lidar_decoder_push, in the order
 * in which they came, from whatever source. A Velodyne's first few data packets are kept until they
 * have told the sensor's model (three suffice, at most VELODYNE_IDENTIFY_PACKETS are kept) and are
 * then decoded like all others: nothing of them is lost. A Hesai's packets tell
 * it each for itself. An Ouster's metadata tells all.
 *
 * Pure: no socket, clock or shared memory inside; memory for frames is lent by the sink.
 *
 * Life:    create -> push, deadline ... -> flush (the stream has ended well) -> destroy
 * Owner:   the caller; the sink must outlive it. Nothing is allocated after create.
 * Threads: one at a time.
 * Errors:  a sensor that cannot be decoded, or that is not the configured one. Everything else that
 *          bytes can do wrong is counted.
 */
#ifndef SL_DRIVERS_LIDAR_DECODER_H
#define SL_DRIVERS_LIDAR_DECODER_H

#include "core/capture/datagram.h"
#include "drivers/lidar/assembly.h"
#include "drivers/lidar/counts.h"
#include "drivers/lidar/fix.h"
#include "drivers/lidar/velodyne.h"
#include "drivers/lidar/velodyne_hdl64.h"

/* A measurement of a lidar's IMU, in the axes of the points. */
struct lidar_imu {
    uint64_t stamp_ns; /* as a frame's */
    enum lidar_clock_kind clock;
    uint64_t host_ns;       /* arrival; 0 = not known */
    double acceleration[3]; /* m/s^2, with gravity */
    double rate[3];         /* rad/s */
};

struct lidar_imu_sink {
    void *context;
    void (*take)(void *context, const struct lidar_imu *imu); /* NULL = nobody asks */
};

struct ouster_metadata;
struct ouster_pixel_sink;

struct lidar_ouster_config {
    const struct ouster_metadata *metadata; /* the sensor is this Ouster; NULL = it is none */
    bool uses_signal;                       /* intensity is the signal, where there is one */
    bool checks_crc;                        /* leave out packets whose checksum is wrong */
    struct lidar_imu_sink imu;
    const struct ouster_pixel_sink *pixels; /* copied; NULL = nobody wants them as they are */
};

struct livox_model;

struct lidar_livox_config {
    const struct livox_model *model; /* the sensor is this Livox; NULL = it is none */
    uint64_t period_ns;              /* of a frame */
    uint8_t unwanted_tags;           /* bits of a point's tag that make it a hole */
    bool checks_crc;                 /* leave out packets whose checksum is wrong */
    struct lidar_imu_sink imu;
};

struct lidar_decoder_config {
    const struct lidar_model *model; /* NULL = what the packets tell */
    /* The sensor's own angles, and what else was measured of it. NULL: of an HDL-64E, packets carry
     * it, and those before it is complete are counted as unidentified; of others, the table's. */
    const struct velodyne_calibration *calibration;
    size_t room_bytes; /* that the sink lends for a frame; 0 = whatever it takes */
    /* Its clock, set by PTP, is ahead of UTC; 37 s where that counts TAI. Not a Velodyne's. */
    int64_t ptp_ahead_ns;
    bool is_ptp; /* sets the clock of a Hesai or RoboSense, whose packets do not tell; else GPS */
    struct lidar_assembly_options frames;
    struct lidar_ouster_config ouster;
    struct lidar_livox_config livox;
    struct lidar_fix_sink fix; /* what its GPS receiver tells, where its packets carry that */
    enum lidar_simd simd;      /* that kernels may need at most */
};

enum lidar_note {
    LIDAR_NOTE_CLOCK,  /* stamps may be ahead of UTC */
    LIDAR_NOTE_ANGLES, /* they are not this sensor's */
    LIDAR_NOTE_MODEL,  /* packets come of a model that is not known */
    LIDAR_NOTES,
};

struct lidar_decoder;

/* -EINVAL with sl_error_text() for a configuration that makes no sense, -ENOTSUP if this processor
 * has not what `simd` asks for, -ENOMEM. */
int lidar_decoder_create(const struct lidar_decoder_config *config,
                         const struct lidar_frame_sink *sink, struct lidar_decoder **ret_decoder);

/* One datagram. Returns 0, or, at every call from then on, with sl_error_text() set by the first:
 * -EPROTONOSUPPORT: the packets come from a sensor that has to be named, because they do not tell
 * it from another one, or because its turns need more room than there is.
 * -EPROTO: they come from nothing we know, or not from the configured model. */
int lidar_decoder_push(struct lidar_decoder *decoder, const struct sl_datagram *datagram);

/* Might this datagram, which was pushed and not decoded, be a data packet that was only kept? */
bool lidar_decoder_is_candidate(const struct lidar_decoder *decoder,
                                const struct sl_datagram *datagram);

/* For people: "Velodyne"; "VLP-16", NULL as long as it is not told. */
const char *lidar_decoder_vendor(const struct lidar_decoder *decoder);
const char *lidar_decoder_product(const struct lidar_decoder *decoder);

/* What a Velodyne's packets told, NULL as long as they have not. A configured Puck LITE stays one,
 * though its packets are a VLP-16's. */
const struct lidar_model *lidar_decoder_model(const struct lidar_decoder *decoder);

/* What the last telemetry said; NULL if none has come. */
const struct velodyne_telemetry *lidar_decoder_telemetry(const struct lidar_decoder *decoder);

/* What a person should know though it is no error, in one line; NULL = nothing of that kind, or not
 * yet. */
const char *lidar_decoder_note(const struct lidar_decoder *decoder, enum lidar_note which);

/* What its kernels are written for; LIDAR_SIMD_AUTO as long as the product is not told. */
enum lidar_simd lidar_decoder_simd(const struct lidar_decoder *decoder);

const struct lidar_counts *lidar_decoder_counts(const struct lidar_decoder *decoder);

/* Live input only: close what is overdue at `now_ns`, a time of the clock that stamps the
 * datagrams. */
void lidar_decoder_deadline(struct lidar_decoder *decoder, uint64_t now_ns);

/* When there is something to do for it; UINT64_MAX = never. */
uint64_t lidar_decoder_due_ns(const struct lidar_decoder *decoder);

/* The stream has ended: hand on what there is. A stream that was too short to tell its model gives
 * -ENODATA, with sl_error_text(), unless a model was configured: then that is believed. */
int lidar_decoder_flush(struct lidar_decoder *decoder);

/* Give borrowed rooms back and free everything. NULL is right. */
void lidar_decoder_destroy(struct lidar_decoder *decoder);

#endif
