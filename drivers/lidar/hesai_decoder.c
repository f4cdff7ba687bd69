/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_decoder.c - Hesai's sensors as a family: every packet tells its model and its time, frames
 * are those of all block sensors.
 *
 * A sensor that nobody has set counts from some date of its own, and its packets do not say whether
 * it was set. So its date is believed if it is that of the host within a minute, once what PTP is
 * ahead of UTC is taken off. Else the counter is taken for a free-running one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "drivers/lidar/family.h"
#include "drivers/lidar/hesai.h"

struct hesai_decoder {
    struct lidar_decoder_config config;
    struct lidar_frame_sink sink;
    const struct lidar_block_kernel *kernel;
    const struct lidar_model *model; /* with its own angles, where there is a file of them */
    struct lidar_model adapted;      /* to what packets tell of the sensor's settings */
    unsigned variant;
    bool is_told; /* a packet of that model has come */
    int error;    /* another model, kept */
    char stranger[LIDAR_NOTE_BYTES];
    struct lidar_clock clock;
    struct lidar_counts counts;
    struct lidar_assembly assembly;
};

static bool hesai_fits(const struct lidar_decoder_config *config)
{
    return config->model && hesai_model_find(config->model->name);
}

/* Frames of the sensor as it is set. */
static void begin(struct hesai_decoder *d, unsigned variant)
{
    d->variant = variant;
    d->adapted = hesai_model_adapt(d->model, variant);
    lidar_assembly_init(&d->assembly, &d->adapted, &d->config.frames, &d->sink, &d->clock,
                        &d->counts, d->kernel);
}

/* As the packet says that it is: after another one the frames begin anew. */
static void follow_settings(struct hesai_decoder *d, const struct sl_datagram *datagram)
{
    unsigned variant = hesai_data_variant(datagram->bytes, datagram->size_bytes);
    if (variant == d->variant)
        return;
    if (d->assembly.has_rotation)
        lidar_count(&d->counts, LIDAR_RESTART_MODE);
    lidar_assembly_flush(&d->assembly);
    begin(d, variant);
}

static int hesai_open(void *state, const struct lidar_decoder_config *config,
                      const struct lidar_frame_sink *sink)
{
    struct hesai_decoder *d = state;
    d->kernel = lidar_block_kernel_for(config->simd);
    d->config = *config;
    d->sink = *sink;
    d->clock.ahead_ns = config->ptp_ahead_ns;
    d->clock.is_ptp = config->is_ptp;
    d->model = config->calibration ? &config->calibration->model : config->model;
    if (config->model == hesai_models[HESAI_AT128] && !d->model->mirror)
        return sl_error(-EINVAL,
                        "the packets of an AT128 mean nothing without its correction file");
    begin(d, 0);
    return 0;
}

static void follow_clock(struct hesai_decoder *d, const struct sl_datagram *datagram)
{
    struct hesai_time time = hesai_data_time(datagram->bytes, datagram->size_bytes);
    lidar_clock_date(&d->clock, time.stamp_us, time.has_date, time.utc_ns, datagram->time_ns);
}

static int check_model(struct hesai_decoder *d, const struct lidar_model *told)
{
    if (hesai_models_agree(told, d->model)) {
        d->is_told = true;
        return 0;
    }
    if (d->is_told) {
        lidar_count(&d->counts, LIDAR_OTHER_MODEL);
        return 1;
    }
    lidar_count(&d->counts, LIDAR_UNIDENTIFIED);
    d->error = sl_error(-EPROTO, "the configured model is %s, but the packets come from a %s",
                        d->model->name, told->name);
    return d->error;
}

static void decode(struct hesai_decoder *d, const struct sl_datagram *datagram)
{
    struct lidar_packet packet;
    follow_settings(d, datagram);
    const struct lidar_model *model = &d->adapted;
    enum lidar_count verdict =
        hesai_data_parse(model, datagram->bytes, datagram->size_bytes, &packet);
    lidar_count(&d->counts, verdict);
    if (verdict != LIDAR_PACKETS)
        return;
    int64_t columns = lidar_model_columns(model, packet.returns);
    int64_t duration_ns = model->stamps_last_column ? 0 : columns * model->column_period_ns;
    packet.host_ns = datagram->time_ns;
    enum lidar_clock_step step = lidar_clock_data(&d->clock, packet.stamp_us, datagram->time_ns,
                                                  duration_ns, &packet.time_ns);
    if (step != LIDAR_STEP_LATE)
        follow_clock(d, datagram);
    packet.time_ns += lidar_model_first_ns(model, packet.group_count);
    lidar_assembly_push(&d->assembly, &packet, step);
}

/* The first one; who sends it may be another sensor than the one that is meant. */
static void note_stranger(struct hesai_decoder *d, const uint8_t *bytes)
{
    char what[LIDAR_NOTE_BYTES / 2];
    if (d->stranger[0])
        return;
    hesai_data_describe(bytes, what, sizeof what);
    snprintf(d->stranger, sizeof d->stranger,
             "the configured model is %s, but packets come from a Hesai of another kind, which is "
             "not known: %s",
             d->model->name, what);
}

static int hesai_push(void *state, const struct sl_datagram *datagram)
{
    struct hesai_decoder *d = state;
    const struct lidar_model *told = NULL;
    if (d->error < 0)
        return d->error;
    if (datagram->flags & SL_DATAGRAM_TRUNCATED) {
        lidar_count(&d->counts, LIDAR_BAD_SHORT);
        return 0;
    }
    enum lidar_count verdict = hesai_data_check(datagram->bytes, datagram->size_bytes, &told);
    if (verdict == LIDAR_OTHER_MODEL)
        note_stranger(d, datagram->bytes);
    if (verdict != LIDAR_PACKETS) {
        lidar_count(&d->counts, verdict);
        return 0;
    }
    int err = check_model(d, told);
    if (err == 0)
        decode(d, datagram);
    return err < 0 ? err : 0;
}

static bool hesai_is_candidate(const void *state, const struct sl_datagram *datagram)
{
    (void)state;
    (void)datagram;
    return false; /* none is kept */
}

static const char *hesai_product(const void *state)
{
    const struct hesai_decoder *d = state;
    return d->is_told ? d->model->name : NULL;
}

static const struct lidar_model *hesai_model(const void *state)
{
    const struct hesai_decoder *d = state;
    return d->is_told ? d->model : NULL;
}

static const char *hesai_note(const void *state, enum lidar_note which)
{
    const struct hesai_decoder *d = state;
    bool is_ahead = d->clock.seems_tai && d->config.frames.stamp == LIDAR_STAMP_SENSOR;
    if (which == LIDAR_NOTE_CLOCK)
        return is_ahead ? lidar_clock_tai_note : NULL;
    return which == LIDAR_NOTE_MODEL && d->stranger[0] ? d->stranger : NULL;
}

static enum lidar_simd hesai_simd(const void *state)
{
    const struct hesai_decoder *d = state;
    return d->assembly.blocks[0].kernel->simd;
}

static const struct lidar_counts *hesai_counts(const void *state)
{
    const struct hesai_decoder *d = state;
    return &d->counts;
}

static void hesai_deadline(void *state, uint64_t now_ns)
{
    struct hesai_decoder *d = state;
    lidar_assembly_deadline(&d->assembly, now_ns);
}

static uint64_t hesai_due_ns(const void *state)
{
    const struct hesai_decoder *d = state;
    return lidar_assembly_due_ns(&d->assembly);
}

static int hesai_flush(void *state)
{
    struct hesai_decoder *d = state;
    if (d->error < 0)
        return d->error;
    lidar_assembly_flush(&d->assembly);
    return 0;
}

static void hesai_discard(void *state)
{
    struct hesai_decoder *d = state;
    lidar_assembly_discard(&d->assembly);
}

const struct lidar_family lidar_hesai_family = {
    .vendor = "Hesai",
    .state_size = sizeof(struct hesai_decoder),
    .fits = hesai_fits,
    .open = hesai_open,
    .push = hesai_push,
    .is_candidate = hesai_is_candidate,
    .product = hesai_product,
    .model = hesai_model,
    .note = hesai_note,
    .simd = hesai_simd,
    .counts = hesai_counts,
    .deadline = hesai_deadline,
    .due_ns = hesai_due_ns,
    .flush = hesai_flush,
    .discard = hesai_discard,
};
