/* SPDX-License-Identifier: Apache-2.0 */
/* block_decoder.c - sorts datagrams into data and telemetry, finds the model, keeps time, feeds
 * frames: the family of sensors whose packets are blocks of one azimuth.
 */
#include "drivers/lidar/family.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"

#define TUNED_SHARE 0.1

struct kept_packet {
    uint64_t host_ns;
    uint8_t bytes[VELODYNE_DATA_BYTES];
};

struct block_decoder {
    struct lidar_decoder_config config;
    const struct lidar_block_kernel *kernel;
    struct lidar_frame_sink sink;
    const struct lidar_model *model; /* NULL = not told yet */
    struct lidar_model tuned;        /* that one, where it has to be measured */
    uint8_t product_id;              /* that the packets carry, once the model is told */
    int error;                       /* of the identification, kept */
    struct velodyne_identify identify;
    struct velodyne_status status;           /* of an HDL-64E ... */
    struct velodyne_calibration calibration; /* ... and what it has told */
    struct kept_packet kept[VELODYNE_IDENTIFY_PACKETS];
    unsigned kept_count;
    bool has_telemetry;
    struct velodyne_telemetry telemetry;
    struct lidar_fix_news fix_news;
    struct lidar_clock clock;
    struct lidar_counts counts;
    struct lidar_assembly assembly;
};

static bool fits_all(const struct lidar_decoder_config *config)
{
    (void)config;
    return true;
}

static int block_open(void *state, const struct lidar_decoder_config *config,
                      const struct lidar_frame_sink *sink)
{
    struct block_decoder *d = state;
    d->kernel = lidar_block_kernel_for(config->simd);
    d->config = *config;
    d->sink = *sink;
    return 0;
}

static enum lidar_count parse(const struct block_decoder *d, const uint8_t *bytes,
                              struct lidar_packet *ret_packet)
{
    if (d->model->must_be_calibrated)
        return velodyne_hdl64_parse(d->model, bytes, ret_packet);
    if (velodyne_data_product_id(bytes) != d->product_id)
        return LIDAR_OTHER_MODEL;
    return velodyne_data_parse(d->model, bytes, ret_packet);
}

static void decode(struct block_decoder *d, const uint8_t *bytes, uint64_t host_ns)
{
    struct lidar_packet packet;
    enum lidar_count verdict = parse(d, bytes, &packet);
    lidar_count(&d->counts, verdict);
    if (verdict != LIDAR_PACKETS)
        return;
    int64_t columns = lidar_model_columns(d->model, packet.returns);
    packet.host_ns = host_ns;
    enum lidar_clock_step step = lidar_clock_data(
        &d->clock, packet.stamp_us, host_ns, columns * d->model->column_period_ns, &packet.time_ns);
    packet.time_ns += lidar_model_first_ns(d->model, packet.group_count);
    lidar_assembly_push(&d->assembly, &packet, step);
}

/* As long as the sensor's firmware really makes a column. */
static const struct lidar_model *tune(struct block_decoder *d, const struct lidar_model *model)
{
    uint32_t step_us = velodyne_identify_step_us(&d->identify);
    if (model->steps_per_column == 0 || step_us == 0)
        return model;
    unsigned returns = velodyne_data_returns(d->kept[0].bytes);
    uint64_t step_ns = (uint64_t)step_us * SL_NS_PER_US;
    double period_ns = (double)step_ns / lidar_model_columns(model, returns);
    if (fabs(period_ns / model->column_period_ns - 1) > TUNED_SHARE)
        return model; /* packets were lost, or two returns became one, just then */
    d->tuned = lidar_model_tune(model, (uint32_t)period_ns);
    return &d->tuned;
}

/* The model is known: decode what was kept. */
static void begin(struct block_decoder *d, const struct lidar_model *model, uint8_t product_id)
{
    model = tune(d, model);
    d->model = model;
    d->product_id = product_id;
    lidar_assembly_init(&d->assembly, model, &d->config.frames, &d->sink, &d->clock, &d->counts,
                        d->kernel);
    for (unsigned i = 0; i < d->kept_count; i++)
        decode(d, d->kept[i].bytes, d->kept[i].host_ns);
    d->kept_count = 0;
}

static void keep(struct block_decoder *d, const uint8_t *bytes, uint64_t host_ns)
{
    if (d->kept_count == VELODYNE_IDENTIFY_PACKETS) {
        lidar_count(&d->counts, LIDAR_UNIDENTIFIED);
        return;
    }
    struct kept_packet *kept = &d->kept[d->kept_count++];
    kept->host_ns = host_ns;
    memcpy(kept->bytes, bytes, VELODYNE_DATA_BYTES);
}

/* The packets' model against what was configured. */
static int check_told(const struct block_decoder *d, const struct lidar_model *told)
{
    const struct lidar_model *configured = d->config.model;
    if (configured && !velodyne_models_agree(told, configured))
        return sl_error(-EPROTO, "the configured model is %s, but the packets come from a %s",
                        configured->name, told->name);
    if (!configured && told->must_be_named)
        return sl_error(-EPROTONOSUPPORT,
                        "packets come from a %s, or from another model with its product id and "
                        "other angles; name the model",
                        told->name);
    size_t needed = lidar_frame_bytes_max(told, 1);
    if (!configured && d->config.room_bytes > 0 && needed > d->config.room_bytes)
        return sl_error(-EPROTONOSUPPORT,
                        "packets come from a %s, whose turns take up to %zu bytes; there is room "
                        "for %zu: name the model, so that slots are made for it",
                        told->name, needed, d->config.room_bytes);
    return 0;
}

static int identify(struct block_decoder *d, const uint8_t *bytes, uint64_t host_ns)
{
    const struct lidar_model *told = NULL;
    int err = velodyne_identify(&d->identify, bytes, &told);
    keep(d, bytes, host_ns);
    if (err == -EAGAIN)
        return 0;
    if (err == 0)
        err = check_told(d, told);
    else if (d->config.model)
        err = sl_error_at(err, "the configured model is %s", d->config.model->name);
    if (err < 0) {
        d->counts.count[LIDAR_UNIDENTIFIED] += d->kept_count;
        d->kept_count = 0;
        d->error = err;
        return err;
    }
    begin(d, d->config.model ? d->config.model : told, velodyne_data_product_id(bytes));
    return 0;
}

/* An HDL-64E: its packets tell no model, but its calibration. */
static void push_hdl64(struct block_decoder *d, const struct sl_datagram *datagram)
{
    const struct lidar_model *model = d->config.model;
    enum lidar_count verdict = velodyne_hdl64_check(datagram->bytes, datagram->size_bytes);
    if (verdict != LIDAR_PACKETS) {
        lidar_count(&d->counts, verdict);
        return;
    }
    if (!d->model && d->config.calibration)
        begin(d, &d->config.calibration->model, 0);
    else if (!d->model && velodyne_status_push(&d->status, datagram->bytes, model, &d->calibration))
        begin(d, &d->calibration.model, 0);
    if (d->model)
        decode(d, datagram->bytes, datagram->time_ns);
    else
        lidar_count(&d->counts, LIDAR_UNIDENTIFIED);
}

/* A damaged or another sentence says nothing of the lock, which holds for a while without news. */
static void follow_gps(struct block_decoder *d, const struct velodyne_telemetry *telemetry)
{
    bool is_locked = telemetry->pps == VELODYNE_PPS_LOCKED;
    bool has_news = telemetry->sentence.is_rmc && !telemetry->sentence.is_damaged;
    if (!is_locked || has_news)
        lidar_clock_gps(&d->clock, telemetry->stamp_us, is_locked && telemetry->sentence.has_utc,
                        telemetry->sentence.utc_ns);
}

/* Before the first data packet nothing is known of its time. */
static void tell_fix(struct block_decoder *d, const struct velodyne_telemetry *telemetry,
                     uint64_t host_ns)
{
    struct lidar_fix when = {.host_ns = host_ns};
    if (!d->clock.is_started)
        return;
    when.stamp_ns =
        lidar_clock_stamp_ns(&d->clock, d->config.frames.stamp,
                             lidar_clock_place_ns(&d->clock, telemetry->stamp_us), &when.clock);
    if (when.clock == LIDAR_CLOCK_HOST && host_ns != 0)
        when.stamp_ns = host_ns;
    lidar_fix_tell(&d->fix_news, &d->config.fix, telemetry->text, telemetry->text_length, &when);
}

static void read_telemetry(struct block_decoder *d, const struct sl_datagram *datagram)
{
    struct velodyne_telemetry telemetry;
    enum lidar_count verdict =
        velodyne_telemetry_parse(datagram->bytes, datagram->size_bytes, &telemetry);
    lidar_count(&d->counts, verdict);
    if (verdict != LIDAR_TELEMETRY)
        return;
    if (telemetry.sentence.is_damaged)
        lidar_count(&d->counts, LIDAR_BAD_SENTENCE);
    d->has_telemetry = true;
    follow_gps(d, &telemetry);
    tell_fix(d, &telemetry, datagram->time_ns);
    telemetry.text = NULL; /* the datagram goes */
    d->telemetry = telemetry;
}

/* Half a data packet may be as long as a telemetry packet, but does not begin like one. */
static bool is_telemetry(const struct sl_datagram *datagram)
{
    return datagram->size_bytes == VELODYNE_TELEMETRY_BYTES && datagram->bytes[0] != 0xFF;
}

static int block_push(void *state, const struct sl_datagram *datagram)
{
    struct block_decoder *d = state;
    if (d->error < 0)
        return d->error;
    if (datagram->flags & SL_DATAGRAM_TRUNCATED) {
        lidar_count(&d->counts, LIDAR_BAD_SHORT);
        return 0;
    }
    if (is_telemetry(datagram)) {
        read_telemetry(d, datagram);
        return 0;
    }
    if (d->config.model && d->config.model->must_be_calibrated) {
        push_hdl64(d, datagram);
        return 0;
    }
    enum lidar_count verdict = velodyne_data_check(datagram->bytes, datagram->size_bytes);
    if (verdict != LIDAR_PACKETS) {
        lidar_count(&d->counts, verdict);
        return 0;
    }
    if (!d->model)
        return identify(d, datagram->bytes, datagram->time_ns);
    decode(d, datagram->bytes, datagram->time_ns);
    return 0;
}

/* As long as the sensor is not told, whatever looks like a data packet is one. */
static bool block_is_candidate(const void *state, const struct sl_datagram *datagram)
{
    const struct block_decoder *d = state;
    return !d->model && !(datagram->flags & SL_DATAGRAM_TRUNCATED) &&
           velodyne_data_check(datagram->bytes, datagram->size_bytes) == LIDAR_PACKETS;
}

static const struct lidar_model *block_model(const void *state)
{
    const struct block_decoder *d = state;
    return d->model;
}

static const char *block_product(const void *state)
{
    const struct lidar_model *model = block_model(state);
    return model ? model->name : NULL;
}

static const struct velodyne_telemetry *block_telemetry(const void *state)
{
    const struct block_decoder *d = state;
    return d->has_telemetry ? &d->telemetry : NULL;
}

static enum lidar_simd block_simd(const void *state)
{
    const struct block_decoder *d = state;
    return d->assembly.blocks[0].kernel->simd;
}

static const struct lidar_counts *block_counts(const void *state)
{
    const struct block_decoder *d = state;
    return &d->counts;
}

static void block_deadline(void *state, uint64_t now_ns)
{
    struct block_decoder *d = state;
    if (d->model)
        lidar_assembly_deadline(&d->assembly, now_ns);
}

static uint64_t block_due_ns(const void *state)
{
    const struct block_decoder *d = state;
    return d->model ? lidar_assembly_due_ns(&d->assembly) : UINT64_MAX;
}

static int block_flush(void *state)
{
    struct block_decoder *d = state;
    if (d->error < 0)
        return d->error;
    if (!d->model && d->config.model && d->config.model->must_be_calibrated &&
        d->counts.count[LIDAR_UNIDENTIFIED] > 0)
        return sl_error(-ENODATA,
                        "the packets of an %s mean nothing without its calibration: none was "
                        "given, and the stream ended before they told all of it",
                        d->config.model->name);
    if (!d->model && d->kept_count > 0) {
        uint8_t product_id = velodyne_data_product_id(d->kept[d->kept_count - 1].bytes);
        if (!d->config.model || d->config.model->product_id != product_id)
            return sl_error(
                -ENODATA,
                "the stream ended after %u packets, too few to tell the sensor's model; "
                "name it",
                d->kept_count);
        begin(d, d->config.model, product_id);
    }
    if (d->model)
        lidar_assembly_flush(&d->assembly);
    return 0;
}

static void block_discard(void *state)
{
    struct block_decoder *d = state;
    if (d->model)
        lidar_assembly_discard(&d->assembly);
}

const struct lidar_family lidar_block_family = {
    .vendor = "Velodyne",
    .state_size = sizeof(struct block_decoder),
    .fits = fits_all,
    .open = block_open,
    .push = block_push,
    .is_candidate = block_is_candidate,
    .product = block_product,
    .model = block_model,
    .telemetry = block_telemetry,
    .simd = block_simd,
    .counts = block_counts,
    .deadline = block_deadline,
    .due_ns = block_due_ns,
    .flush = block_flush,
    .discard = block_discard,
};
