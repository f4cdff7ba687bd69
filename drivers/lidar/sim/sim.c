/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - the stream of packets: when which one is made, and what goes wrong on the way. */
#include "drivers/lidar/sim/sim.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/vlp16.h"

#include <errno.h>
#include <stdlib.h>

/* Packets that one firing may set free: itself, itself again, one that was held back, telemetry. */
#define QUEUE_MAX 4u

struct lidar_sim {
    struct lidar_sim_config config;
    struct lidar_sim_random noise, faults;
    struct lidar_sim_counts counts;
    struct lidar_sim_packet queue[QUEUE_MAX];
    unsigned queued, taken;
    struct lidar_sim_packet held; /* back, until its successor is out */
    bool holding;
};

void lidar_sim_config_default(struct lidar_sim_config *ret_config)
{
    *ret_config = (struct lidar_sim_config){
        .model = LIDAR_SIM_VLP16,
        .return_mode = LIDAR_SIM_STRONGEST,
        .rotation_hz = 10,
        .range_max_m = 100,
        .gps = true,
        .telemetry_every = 5,
    };
    lidar_scene_default(&ret_config->scene);
}

static bool is_share(double value)
{
    return value >= 0 && value <= 1;
}

static int check(const struct lidar_sim_config *config)
{
    if (!(config->rotation_hz >= LIDAR_SIM_HZ_MIN && config->rotation_hz <= LIDAR_SIM_HZ_MAX))
        return sl_error(-EINVAL, "simulated lidar: rotation of %g Hz; it turns at %g to %g Hz",
                        config->rotation_hz, LIDAR_SIM_HZ_MIN, LIDAR_SIM_HZ_MAX);
    if (config->model != LIDAR_SIM_VLP16 && config->model != LIDAR_SIM_HIRES)
        return sl_error(-EINVAL, "simulated lidar: model %d is not known", (int)config->model);
    if (config->return_mode != LIDAR_SIM_STRONGEST && config->return_mode != LIDAR_SIM_LAST &&
        config->return_mode != LIDAR_SIM_DUAL)
        return sl_error(-EINVAL, "simulated lidar: return mode 0x%02x; use 0x37, 0x38 or 0x39",
                        (unsigned)config->return_mode);
    if (config->scene.box_count > LIDAR_SCENE_BOXES_MAX)
        return sl_error(-EINVAL, "simulated lidar: %u boxes; at most %u fit into a scene",
                        config->scene.box_count, LIDAR_SCENE_BOXES_MAX);
    if (!is_share(config->faults.loss) || !is_share(config->faults.reorder) ||
        !is_share(config->faults.duplicate))
        return sl_error(-EINVAL, "simulated lidar: loss, reorder and duplicate are shares, 0 to 1");
    if (!(config->range_max_m > 0) || !(config->range_noise_m >= 0))
        return sl_error(-EINVAL,
                        "simulated lidar: range %g m and noise %g m; give range above 0, "
                        "noise not below",
                        config->range_max_m, config->range_noise_m);
    if (!(config->start_azimuth_deg >= 0 && config->start_azimuth_deg <= 360))
        return sl_error(-EINVAL, "simulated lidar: start azimuth %g; give 0 to 360 degrees",
                        config->start_azimuth_deg);
    return 0;
}

int lidar_sim_create(const struct lidar_sim_config *config, struct lidar_sim **ret_sim)
{
    int err = check(config);
    if (err < 0)
        return err;
    struct lidar_sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        return sl_error(-ENOMEM, "simulated lidar: no memory");
    sim->config = *config;
    if (sim->config.start_utc_ns == 0)
        sim->config.start_utc_ns = sl_clock_realtime_ns();
    /* Two streams, so that noise does not change which packets are lost. */
    sim->noise.state = config->seed;
    sim->faults.state = ~config->seed;
    *ret_sim = sim;
    return 0;
}

static void enqueue(struct lidar_sim *sim, const struct lidar_sim_packet *packet, uint64_t due_ns)
{
    struct lidar_sim_packet *to = &sim->queue[sim->queued++];
    *to = *packet;
    if (to->due_ns < due_ns)
        to->due_ns = due_ns; /* what is late comes when it comes */
}

/* The same number of draws for every packet, so that one fault's share does not move the others'.
 */
static void pass_on(struct lidar_sim *sim, const struct lidar_sim_packet *packet)
{
    const struct lidar_sim_faults *faults = &sim->config.faults;
    const bool lost = lidar_sim_uniform(&sim->faults) < faults->loss;
    const bool late = lidar_sim_uniform(&sim->faults) < faults->reorder;
    const bool twice = lidar_sim_uniform(&sim->faults) < faults->duplicate;
    if (lost) {
        sim->counts.lost++;
        return;
    }
    if (late && !sim->holding) {
        sim->counts.reordered++;
        sim->held = *packet;
        sim->holding = true;
        return;
    }
    enqueue(sim, packet, 0);
    if (twice) {
        sim->counts.duplicated++;
        enqueue(sim, packet, 0);
    }
    if (sim->holding) {
        enqueue(sim, &sim->held, packet->due_ns);
        sim->holding = false;
    }
}

static bool ended(const struct lidar_sim *sim)
{
    return sim->config.data_packets_max && sim->counts.data >= sim->config.data_packets_max;
}

static void make_telemetry(struct lidar_sim *sim, uint64_t at_ns)
{
    struct lidar_sim_packet packet = {.size_bytes = LIDAR_SIM_TELEMETRY_BYTES,
                                      .telemetry = true,
                                      .first_ns = at_ns,
                                      .due_ns = at_ns};
    lidar_sim_write_telemetry(&sim->config, at_ns, packet.bytes);
    enqueue(sim, &packet, 0);
    sim->counts.telemetry++;
}

static void make(struct lidar_sim *sim)
{
    const uint64_t length_ns = lidar_sim_packet_ns(sim->config.return_mode);
    struct lidar_sim_packet packet = {.size_bytes = LIDAR_SIM_DATA_BYTES,
                                      .first_ns = sim->counts.data * length_ns,
                                      .due_ns = (sim->counts.data + 1) * length_ns};
    lidar_sim_write_data(&sim->config, packet.first_ns, &sim->noise, packet.bytes);
    sim->counts.data++;
    pass_on(sim, &packet);
    if (sim->config.telemetry_every && sim->counts.data % sim->config.telemetry_every == 0)
        make_telemetry(sim, packet.due_ns);
}

int lidar_sim_next(struct lidar_sim *sim, struct lidar_sim_packet *ret_packet)
{
    while (sim->taken == sim->queued) {
        sim->taken = sim->queued = 0;
        if (!ended(sim)) {
            make(sim);
        } else if (sim->holding) {
            sim->holding = false;
            enqueue(sim, &sim->held, 0);
        } else {
            return 0;
        }
    }
    *ret_packet = sim->queue[sim->taken++];
    return 1;
}

uint64_t lidar_sim_start_utc_ns(const struct lidar_sim *sim)
{
    return sim->config.start_utc_ns;
}

void lidar_sim_counts(const struct lidar_sim *sim, struct lidar_sim_counts *ret_counts)
{
    *ret_counts = sim->counts;
}

void lidar_sim_destroy(struct lidar_sim *sim)
{
    free(sim);
}
