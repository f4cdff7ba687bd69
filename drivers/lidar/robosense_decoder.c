/* SPDX-License-Identifier: Apache-2.0 */
/* robosense_decoder.c - RoboSense's sensors as a family: points, and what the sensor says of
 * itself.
 *
 * Angles are the type's until the sensor has told its own, or those of a file, which outdo both.
 * When they change, the turn that was begun ends: no frame has points of two calibrations. The same
 * when one return becomes two.
 *
 * Of 16 lasers, the packets do not tell how many returns they carry. How far the sensor turns in a
 * packet, and from one packet to the next one, does; where that is not known, what the sensor told
 * of itself a second ago. The first packet is kept until the second one.
 *
 * The date in the packets is believed as a Hesai's is: if it is the host's within a minute.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/family.h"
#include "drivers/lidar/robosense.h"

#define HOUR_US       UINT32_C(3600000000)
#define STEP_US_MAX   20000 /* less than half a turn */
#define HALF_TURN     (LIDAR_AZIMUTH_UNITS / 2)
#define BLOCKS        12
#define ANGLES_WAIT_S 3 /* of points: then a person is told that their angles are the type's */

struct robosense_decoder {
    struct lidar_decoder_config config;
    struct lidar_model type; /* the configured one, with the best angles that are known */
    bool has_file;           /* of these angles */
    bool has_angles;         /* of this very sensor */
    struct robosense_sensor sensor;
    unsigned returns;      /* that the sensor was made for; 0 = nothing was begun */
    unsigned told_returns; /* by the sensor; 0 = not yet */
    bool is_told;          /* a packet of that model has come */
    int error;             /* another model, kept */
    char stranger[LIDAR_NOTE_BYTES];
    const struct lidar_block_kernel *kernel;
    struct lidar_frame_sink sink;
    struct lidar_clock clock;
    struct lidar_fix_news fix_news;
    struct lidar_counts counts;
    bool has_kept;
    uint64_t kept_host_ns;
    uint8_t kept[ROBOSENSE_PACKET_BYTES];
    struct robosense_turned turned; /* the packet before, kept or not */
    struct lidar_assembly assembly;
};

static bool robosense_fits(const struct lidar_decoder_config *config)
{
    return config->model && robosense_model_find(config->model->name);
}

static int robosense_open(void *state, const struct lidar_decoder_config *config,
                          const struct lidar_frame_sink *sink)
{
    struct robosense_decoder *d = state;
    d->kernel = lidar_block_kernel_for(config->simd);
    d->config = *config;
    d->clock.ahead_ns = config->ptp_ahead_ns;
    d->clock.is_ptp = config->is_ptp;
    d->sink = *sink;
    d->has_file = config->calibration != NULL;
    d->has_angles = d->has_file;
    d->type = d->has_file ? config->calibration->model : *config->model;
    return 0;
}

/* Frames of a sensor as it is known now. */
static void begin(struct robosense_decoder *d, unsigned returns, float unit_m)
{
    if (d->returns > 0)
        lidar_assembly_flush(&d->assembly);
    d->returns = returns;
    robosense_sensor_init(&d->sensor, &d->type, returns, unit_m);
    lidar_assembly_init(&d->assembly, &d->sensor.model, &d->config.frames, &d->sink, &d->clock,
                        &d->counts, d->kernel);
}

static void decode(struct robosense_decoder *d, const uint8_t *bytes, uint64_t host_ns,
                   unsigned returns)
{
    struct lidar_packet packet;
    float unit_m = robosense_data_unit_m(&d->type, bytes);
    if (d->returns > 0 && d->returns != returns)
        lidar_count(&d->counts, LIDAR_RESTART_MODE);
    if (d->returns != returns || d->sensor.model.range_unit_m != unit_m)
        begin(d, returns, unit_m);
    robosense_data_parse(&d->sensor, returns, bytes, &packet);
    lidar_count(&d->counts, LIDAR_PACKETS);
    int64_t duration_ns = packet.group_count * (int64_t)lidar_model_group_ns(&d->sensor.model);
    struct robosense_time time = robosense_data_time(&d->type, bytes);
    packet.host_ns = host_ns;
    enum lidar_clock_step step =
        lidar_clock_data(&d->clock, packet.stamp_us, host_ns, duration_ns, &packet.time_ns);
    if (step != LIDAR_STEP_LATE)
        lidar_clock_date(&d->clock, time.stamp_us, time.has_date, time.utc_ns, host_ns);
    lidar_assembly_push(&d->assembly, &packet, step);
}

static void decode_kept(struct robosense_decoder *d, unsigned returns)
{
    if (d->has_kept)
        decode(d, d->kept, d->kept_host_ns, returns);
    d->has_kept = false;
}

/* How long a block takes, by the rate of rotation between two packets: as long as its two columns,
 * or as long as the one that it holds twice. 0 = it is neither, so a blind part is in between, or
 * the packets are not in order. */
static unsigned returns_by_rate(struct robosense_decoder *d, const uint8_t *bytes)
{
    struct robosense_turned now = robosense_data_turned(&d->type, bytes), before = d->turned;
    d->turned = now;
    uint32_t step_us = (now.stamp_us + HOUR_US - before.stamp_us) % HOUR_US;
    uint32_t step = (now.first + LIDAR_AZIMUTH_UNITS - before.first) % LIDAR_AZIMUTH_UNITS;
    uint32_t advance = now.advance;
    if (step_us == 0 || step_us > STEP_US_MAX || step == 0)
        return 0;
    if (advance > HALF_TURN && step > HALF_TURN) { /* counterclockwise */
        advance = LIDAR_AZIMUTH_UNITS - advance;
        step = LIDAR_AZIMUTH_UNITS - step;
    }
    double block_us = (double)advance / (BLOCKS - 1) * step_us / step;
    double share = block_us * (double)SL_NS_PER_US / (double)lidar_model_group_ns(&d->type);
    if (fabs(share - 1) < 0.15)
        return 1;
    return fabs(share - 0.5) < 0.08 ? 2 : 0;
}

static void keep(struct robosense_decoder *d, const struct sl_datagram *datagram)
{
    d->has_kept = true;
    d->kept_host_ns = datagram->time_ns;
    memcpy(d->kept, datagram->bytes, ROBOSENSE_PACKET_BYTES);
}

/* A packet of the configured model. */
static void push_data(struct robosense_decoder *d, const struct sl_datagram *datagram)
{
    bool is_first = !d->is_told;
    d->is_told = true;
    unsigned returns = robosense_data_returns(&d->type, datagram->bytes);
    if (returns == 0) {
        unsigned told = returns_by_rate(d, datagram->bytes);
        if (told == 0)
            told = d->told_returns > 0 ? d->told_returns : d->returns;
        returns = is_first ? 0 : told;
    }
    if (returns == 0 && d->has_kept) {
        decode_kept(d, 1); /* two of which nothing is known */
        returns = d->returns;
    }
    if (returns == 0) {
        keep(d, datagram);
        return;
    }
    decode_kept(d, returns);
    decode(d, datagram->bytes, datagram->time_ns, returns);
}

static int check_model(struct robosense_decoder *d, const struct lidar_model *told)
{
    if (strcmp(told->name, d->type.name) == 0)
        return 0;
    if (d->is_told) {
        lidar_count(&d->counts, LIDAR_OTHER_MODEL);
        return 1;
    }
    lidar_count(&d->counts, LIDAR_UNIDENTIFIED);
    d->error = sl_error(-EPROTO, "the configured model is %s, but the packets come from a %s",
                        d->type.name, told->name);
    return d->error;
}

static void use_angles(struct robosense_decoder *d, const struct robosense_info *info)
{
    bool is_new = !d->has_angles;
    for (unsigned i = 0; i < d->type.lasers; i++) {
        is_new |= d->type.vertical_deg[i] != info->vertical_deg[i] ||
                  d->type.azimuth_offset_deg[i] != -info->azimuth_deg[i];
        d->type.vertical_deg[i] = info->vertical_deg[i];
        d->type.azimuth_offset_deg[i] = -info->azimuth_deg[i];
    }
    d->has_angles = true;
    if (is_new && d->returns > 0)
        begin(d, d->returns, d->sensor.model.range_unit_m);
}

/* The receiver's seconds are those of the points' stamps where these are its. */
static void tell_fix(struct robosense_decoder *d, const struct robosense_info *info,
                     uint64_t host_ns)
{
    struct lidar_fix when = {.stamp_ns = host_ns, .host_ns = host_ns, .clock = LIDAR_CLOCK_HOST};
    if (!info->nmea || !d->clock.is_started)
        return;
    if (d->config.frames.stamp == LIDAR_STAMP_SENSOR && d->clock.has_gps)
        when.clock = LIDAR_CLOCK_GPS;
    lidar_fix_tell(&d->fix_news, &d->config.fix, info->nmea, info->nmea_length, &when);
}

static void read_info(struct robosense_decoder *d, const struct sl_datagram *datagram)
{
    struct robosense_info info;
    enum lidar_count verdict =
        robosense_info_parse(&d->type, datagram->bytes, datagram->size_bytes, &info);
    lidar_count(&d->counts, verdict);
    if (verdict != LIDAR_TELEMETRY)
        return;
    d->told_returns = info.returns;
    tell_fix(d, &info, datagram->time_ns);
    if (info.has_angles && !d->has_file)
        use_angles(d, &info);
}

/* The first one; who sends it may be another sensor than the one that is meant. */
static void note_stranger(struct robosense_decoder *d, const uint8_t *bytes)
{
    char what[LIDAR_NOTE_BYTES / 2];
    if (d->stranger[0])
        return;
    robosense_data_describe(bytes, what, sizeof what);
    snprintf(
        d->stranger, sizeof d->stranger,
        "the configured model is %s, but packets come from a RoboSense of another kind, which is "
        "not known: %s",
        d->type.name, what);
}

static int robosense_push(void *state, const struct sl_datagram *datagram)
{
    struct robosense_decoder *d = state;
    const struct lidar_model *told = NULL;
    if (d->error < 0)
        return d->error;
    if (datagram->flags & SL_DATAGRAM_TRUNCATED) {
        lidar_count(&d->counts, LIDAR_BAD_SHORT);
        return 0;
    }
    if (robosense_is_info(datagram->bytes, datagram->size_bytes)) {
        read_info(d, datagram);
        return 0;
    }
    enum lidar_count verdict = robosense_data_check(datagram->bytes, datagram->size_bytes, &told);
    if (verdict == LIDAR_OTHER_MODEL)
        note_stranger(d, datagram->bytes);
    if (verdict != LIDAR_PACKETS) {
        lidar_count(&d->counts, verdict);
        return 0;
    }
    int err = check_model(d, told);
    if (err == 0)
        push_data(d, datagram);
    return err < 0 ? err : 0;
}

static bool robosense_is_candidate(const void *state, const struct sl_datagram *datagram)
{
    (void)state;
    (void)datagram;
    return false; /* there is no topic of its packets */
}

static const char *robosense_product(const void *state)
{
    const struct robosense_decoder *d = state;
    return d->is_told ? d->type.name : NULL;
}

static const struct lidar_model *robosense_model(const void *state)
{
    const struct robosense_decoder *d = state;
    return d->is_told ? &d->type : NULL;
}

static const char *angles_note(const struct robosense_decoder *d)
{
    uint64_t waited_ns = d->counts.count[LIDAR_PACKETS] * BLOCKS * lidar_model_group_ns(&d->type);
    if (d->has_angles || waited_ns < ANGLES_WAIT_S * SL_NS_PER_S)
        return NULL;
    return "the sensor has not told its own angles (DIFOP): points have those of its type; is "
           "--telemetry-port its port?";
}

static const char *robosense_note(const void *state, enum lidar_note which)
{
    const struct robosense_decoder *d = state;
    bool is_ahead = d->clock.seems_tai && d->config.frames.stamp == LIDAR_STAMP_SENSOR;
    if (which == LIDAR_NOTE_CLOCK)
        return is_ahead ? lidar_clock_tai_note : NULL;
    if (which == LIDAR_NOTE_MODEL)
        return d->stranger[0] ? d->stranger : NULL;
    return which == LIDAR_NOTE_ANGLES ? angles_note(d) : NULL;
}

static enum lidar_simd robosense_simd(const void *state)
{
    const struct robosense_decoder *d = state;
    return d->assembly.blocks[0].kernel->simd;
}

static const struct lidar_counts *robosense_counts(const void *state)
{
    const struct robosense_decoder *d = state;
    return &d->counts;
}

static void robosense_deadline(void *state, uint64_t now_ns)
{
    struct robosense_decoder *d = state;
    if (d->returns > 0)
        lidar_assembly_deadline(&d->assembly, now_ns);
}

static uint64_t robosense_due_ns(const void *state)
{
    const struct robosense_decoder *d = state;
    return d->returns > 0 ? lidar_assembly_due_ns(&d->assembly) : UINT64_MAX;
}

static int robosense_flush(void *state)
{
    struct robosense_decoder *d = state;
    if (d->error < 0)
        return d->error;
    decode_kept(d, d->told_returns > 0 ? d->told_returns : 1);
    if (d->returns > 0)
        lidar_assembly_flush(&d->assembly);
    return 0;
}

static void robosense_discard(void *state)
{
    struct robosense_decoder *d = state;
    if (d->returns > 0)
        lidar_assembly_discard(&d->assembly);
}

const struct lidar_family lidar_robosense_family = {
    .vendor = "RoboSense",
    .state_size = (sizeof(struct robosense_decoder) + LIDAR_STATE_ALIGNMENT - 1) /
                  LIDAR_STATE_ALIGNMENT * LIDAR_STATE_ALIGNMENT,
    .fits = robosense_fits,
    .open = robosense_open,
    .push = robosense_push,
    .is_candidate = robosense_is_candidate,
    .product = robosense_product,
    .model = robosense_model,
    .note = robosense_note,
    .simd = robosense_simd,
    .counts = robosense_counts,
    .deadline = robosense_deadline,
    .due_ns = robosense_due_ns,
    .flush = robosense_flush,
    .discard = robosense_discard,
};
