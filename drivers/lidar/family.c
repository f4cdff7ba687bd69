/* SPDX-License-Identifier: Apache-2.0 */
/* family.c - decoder.h's calls, handed to the family that fits the configuration. */
#include "drivers/lidar/family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

#define FULL_TURN_DEG 360.0

const struct lidar_family *const lidar_families[] = {&lidar_ouster_family,    &lidar_hesai_family,
                                                     &lidar_robosense_family, &lidar_livox_family,
                                                     &lidar_block_family,     NULL};

const char *const lidar_model_choices[] = {
    "auto",    "vlp-16",  "puck-lite",  "puck-hi-res", "hdl-32e",   "vlp-32a",  "vlp-32b",
    "vlp-32c", "vls-128", "hdl-64e-s2", "hdl-64e-s3",  "pandar40p", "pandar64", "qt64",
    "xt32",    "xt16",    "xt32m2x",    "qt128",       "pandar128", "ot128",    "at128",
    "rs-16",   "helios",  "helios-16p", "hap",         "mid-360",   NULL};

struct lidar_decoder {
    const struct lidar_family *family;
    _Alignas(LIDAR_STATE_ALIGNMENT) uint8_t state[];
};

static int check_config(const struct lidar_decoder_config *config)
{
    const struct lidar_block_options *block = &config->frames.block;
    double cut = config->frames.cut_angle_deg;
    if (!(cut >= 0 && cut <= FULL_TURN_DEG))
        return sl_error(-EINVAL, "cut angle %g: must be 0 to 360 degrees", cut);
    if (!(block->range_min_m >= 0))
        return sl_error(-EINVAL, "minimum range %g m: must not be negative",
                        (double)block->range_min_m);
    if (!(block->range_max_m >= 0) ||
        (block->range_max_m > 0 && block->range_max_m < block->range_min_m))
        return sl_error(-EINVAL, "maximum range %g m: must be above the minimum of %g m",
                        (double)block->range_max_m, (double)block->range_min_m);
    return lidar_filter_check(&block->filter, 0);
}

int lidar_decoder_create(const struct lidar_decoder_config *config,
                         const struct lidar_frame_sink *sink, struct lidar_decoder **ret_decoder)
{
    int err = check_config(config);
    if (err == 0)
        err = lidar_simd_check(config->simd);
    if (err < 0)
        return err;
    const struct lidar_family *const *family = lidar_families;
    while (!(*family)->fits(config))
        family++;
    size_t size = sizeof(struct lidar_decoder) + (*family)->state_size;
    struct lidar_decoder *d = aligned_alloc(LIDAR_STATE_ALIGNMENT, size);
    if (!d)
        return sl_error(-ENOMEM, "lidar decoder: no memory");
    memset(d, 0, size);
    d->family = *family;
    err = d->family->open(d->state, config, sink);
    if (err < 0) {
        free(d);
        return err;
    }
    *ret_decoder = d;
    return 0;
}

int lidar_decoder_push(struct lidar_decoder *d, const struct sl_datagram *datagram)
{
    return d->family->push(d->state, datagram);
}

bool lidar_decoder_is_candidate(const struct lidar_decoder *d, const struct sl_datagram *datagram)
{
    return d->family->is_candidate(d->state, datagram);
}

const char *lidar_decoder_vendor(const struct lidar_decoder *d)
{
    return d->family->vendor;
}

const char *lidar_decoder_product(const struct lidar_decoder *d)
{
    return d->family->product(d->state);
}

const struct lidar_model *lidar_decoder_model(const struct lidar_decoder *d)
{
    return d->family->model ? d->family->model(d->state) : NULL;
}

const struct velodyne_telemetry *lidar_decoder_telemetry(const struct lidar_decoder *d)
{
    return d->family->telemetry ? d->family->telemetry(d->state) : NULL;
}

const char *lidar_decoder_note(const struct lidar_decoder *d, enum lidar_note which)
{
    return d->family->note ? d->family->note(d->state, which) : NULL;
}

enum lidar_simd lidar_decoder_simd(const struct lidar_decoder *d)
{
    return lidar_decoder_product(d) ? d->family->simd(d->state) : LIDAR_SIMD_AUTO;
}

const struct lidar_counts *lidar_decoder_counts(const struct lidar_decoder *d)
{
    return d->family->counts(d->state);
}

void lidar_decoder_deadline(struct lidar_decoder *d, uint64_t now_ns)
{
    d->family->deadline(d->state, now_ns);
}

uint64_t lidar_decoder_due_ns(const struct lidar_decoder *d)
{
    return d->family->due_ns(d->state);
}

int lidar_decoder_flush(struct lidar_decoder *d)
{
    return d->family->flush(d->state);
}

void lidar_decoder_destroy(struct lidar_decoder *d)
{
    if (!d)
        return;
    d->family->discard(d->state);
    free(d);
}
