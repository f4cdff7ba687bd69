/* SPDX-License-Identifier: Apache-2.0 */
/* source_sim.c - the simulated sensor as a source: packets become due when the real one would send
 * them. */
#include "drivers/lidar/source.h"

#include "core/base/error.h"
#include "drivers/lidar/sim/sim.h"
#include "drivers/lidar/source_ops.h"

#include <errno.h>
#include <stdlib.h>

/* Where the packets say they come from: the sensor's factory address, and broadcast. */
static const uint8_t sensor_address[4] = {192, 168, 1, 201};
static const uint8_t broadcast_address[4] = {255, 255, 255, 255};

struct sim_source {
    struct lidar_source base;
    struct lidar_sim *sim;
    struct lidar_pace pace;
    uint16_t data_port, telemetry_port;
    struct lidar_sim_packet next; /* made, not given yet */
    bool has_next;
    struct lidar_sim_packet given[LIDAR_SOURCE_BATCH_MAX];
};

static struct sim_source *sim_of(const struct lidar_source *source)
{
    return (struct sim_source *)source;
}

static bool look_ahead(struct sim_source *source)
{
    if (!source->has_next)
        source->has_next = lidar_sim_next(source->sim, &source->next) > 0;
    return source->has_next;
}

static struct sl_endpoint endpoint(const uint8_t address[4], uint16_t port)
{
    return (struct sl_endpoint){
        .address = {address[0], address[1], address[2], address[3]}, .port = port, .family = 4};
}

static int receive(struct lidar_source *base, struct sl_datagram *batch, unsigned max)
{
    struct sim_source *source = sim_of(base);
    if (!look_ahead(source))
        return -ENODATA;
    unsigned count = 0;
    while (count < max && look_ahead(source) &&
           lidar_pace_reached(&source->pace, source->next.due_ns)) {
        struct lidar_sim_packet *packet = &source->given[count];
        *packet = source->next;
        source->has_next = false;
        uint16_t port = packet->telemetry ? source->telemetry_port : source->data_port;
        batch[count++] = (struct sl_datagram){
            .bytes = packet->bytes,
            .size_bytes = packet->size_bytes,
            .time_ns = lidar_sim_start_utc_ns(source->sim) + packet->due_ns,
            .source = endpoint(sensor_address, port),
            .destination = endpoint(broadcast_address, port),
        };
    }
    return (int)count;
}

static uint64_t due_ns(struct lidar_source *base)
{
    struct sim_source *source = sim_of(base);
    /* At the end the caller shall come and hear of it. */
    return look_ahead(source) ? lidar_pace_due_ns(&source->pace, source->next.due_ns)
                              : LIDAR_SOURCE_DUE_NOW;
}

static void refresh(const struct lidar_source *base, struct lidar_source_stats *stats)
{
    struct lidar_sim_counts counts;
    lidar_sim_counts(sim_of(base)->sim, &counts);
    stats->simulated_losses = counts.lost;
}

static void close_source(struct lidar_source *base)
{
    lidar_sim_destroy(sim_of(base)->sim);
    free(base);
}

static const struct lidar_source_ops sim_ops = {
    .kind = "sim",
    .receive = receive,
    .due_ns = due_ns,
    .refresh = refresh,
    .close = close_source,
};

int lidar_source_open_sim(const struct lidar_sim_source_config *config,
                          struct lidar_source **ret_source)
{
    if (!(config->rate >= 0))
        return sl_error(-EINVAL, "simulated lidar: rate %g; give 1 for real time, 0 for no waiting",
                        config->rate);
    struct sim_source *source = calloc(1, sizeof *source);
    if (!source)
        return sl_error(-ENOMEM, "no memory for a simulated lidar");
    source->base.ops = &sim_ops;
    source->pace = (struct lidar_pace){.rate = config->rate, .now_ns = config->now_ns};
    int err = lidar_sim_create(config->sim, &source->sim);
    if (err < 0) {
        free(source);
        return err;
    }
    source->data_port =
        config->data_port ? config->data_port : lidar_sim_data_port(config->sim->model);
    source->telemetry_port = config->telemetry_port ? config->telemetry_port
                                                    : lidar_sim_telemetry_port(config->sim->model);
    *ret_source = &source->base;
    return 0;
}
