/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - the stream of packets: when which one is made, and what goes wrong on the way. */
#include "drivers/lidar/sim/sim.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/sensor.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Packets that one firing may set free: itself, itself again, one that was held back, telemetry. */
#define QUEUE_MAX 4u
#define HOUR_US   UINT64_C(3600000000)
#define US_PER_S  1e6

struct lidar_sim {
    struct lidar_sim_config config;
    const struct lidar_sim_sensor *sensor;
    struct lidar_sim_random noise, faults, damage;
    struct lidar_sim_moment moment; /* of the next packet */
    unsigned losing;                /* packets still to be lost of a burst */
    struct lidar_sim_counts counts;
    struct lidar_sim_packet queue[QUEUE_MAX];
    unsigned queued, taken;
    struct lidar_sim_packet held; /* back, until its successor is out */
    bool holding;
};

const char *const lidar_sim_model_names[] = {"vlp-16", "puck-hi-res", "os1-64",
                                             "xt32",   "mid-360",     NULL};
static const struct lidar_sim_sensor *const sensors[LIDAR_SIM_MODELS] = {
    [LIDAR_SIM_VLP16] = &lidar_sim_vlp16,   [LIDAR_SIM_HIRES] = &lidar_sim_vlp16,
    [LIDAR_SIM_OS1_64] = &lidar_sim_os1_64, [LIDAR_SIM_XT32] = &lidar_sim_xt32,
    [LIDAR_SIM_MID360] = &lidar_sim_mid360,
};

void lidar_sim_config_of(enum lidar_sim_model model, struct lidar_sim_config *ret_config)
{
    *ret_config = (struct lidar_sim_config){
        .model = model,
        .return_mode = LIDAR_SIM_STRONGEST,
        .rotation_hz = 10,
        .range_max_m = 100,
        .gps = true,
        .telemetry_every = sensors[model]->telemetry_every,
    };
    lidar_scene_default(&ret_config->scene);
}

void lidar_sim_config_default(struct lidar_sim_config *ret_config)
{
    lidar_sim_config_of(LIDAR_SIM_VLP16, ret_config);
}

uint16_t lidar_sim_data_port(enum lidar_sim_model model)
{
    return sensors[model]->data_port;
}

uint16_t lidar_sim_telemetry_port(enum lidar_sim_model model)
{
    return sensors[model]->telemetry_port;
}

static int check(const struct lidar_sim_config *config)
{
    if ((unsigned)config->model >= LIDAR_SIM_MODELS)
        return sl_error(-EINVAL, "simulated lidar: model %d is not known", (int)config->model);
    if (!(config->rotation_hz >= LIDAR_SIM_HZ_MIN && config->rotation_hz <= LIDAR_SIM_HZ_MAX))
        return sl_error(-EINVAL, "simulated lidar: rotation of %g Hz; it turns at %g to %g Hz",
                        config->rotation_hz, LIDAR_SIM_HZ_MIN, LIDAR_SIM_HZ_MAX);
    if (config->return_mode != LIDAR_SIM_STRONGEST && config->return_mode != LIDAR_SIM_LAST &&
        config->return_mode != LIDAR_SIM_DUAL)
        return sl_error(-EINVAL, "simulated lidar: return mode 0x%02x; use 0x37, 0x38 or 0x39",
                        (unsigned)config->return_mode);
    if (config->scene.box_count > LIDAR_SCENE_BOXES_MAX)
        return sl_error(-EINVAL, "simulated lidar: %u boxes; at most %u fit into a scene",
                        config->scene.box_count, LIDAR_SCENE_BOXES_MAX);
    if (!(config->range_max_m > 0) || !(config->range_noise_m >= 0))
        return sl_error(-EINVAL,
                        "simulated lidar: range %g m and noise %g m; give range above 0, "
                        "noise not below",
                        config->range_max_m, config->range_noise_m);
    if (!(config->start_azimuth_deg >= 0 && config->start_azimuth_deg <= 360))
        return sl_error(-EINVAL, "simulated lidar: start azimuth %g; give 0 to 360 degrees",
                        config->start_azimuth_deg);
    const struct lidar_sim_sensor *sensor = sensors[config->model];
    if ((config->is_counterclockwise || config->faults.speed < 0) && !sensor->can_reverse)
        return sl_error(-EINVAL,
                        "simulated lidar: no %s turns counterclockwise; vlp-16, puck-hi-res and "
                        "xt32 do",
                        lidar_sim_model_names[config->model]);
    int err = lidar_sim_faults_check(&config->faults);
    return err == 0 && sensor->check ? sensor->check(config) : err;
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
    sim->sensor = sensors[config->model];
    if (sim->config.start_utc_ns == 0)
        sim->config.start_utc_ns = sl_clock_realtime_ns();
    if (!sim->sensor->write_telemetry)
        sim->config.telemetry_every = 0;
    if (config->faults.wrap_s > 0) {
        sim->config.gps = false;
        sim->config.free_running_start_us =
            (uint32_t)(HOUR_US - (uint64_t)llround(config->faults.wrap_s * US_PER_S));
    }
    /* Streams of their own, so that noise does not change which packets are lost. */
    sim->noise.state = config->seed;
    sim->faults.state = ~config->seed;
    sim->damage.state = config->seed ^ HOUR_US;
    *ret_sim = sim;
    return 0;
}

int lidar_sim_metadata(const struct lidar_sim_config *config, char **ret_text)
{
    char *text = NULL;
    size_t size = 0;
    int err = check(config);
    if (err < 0)
        return err;
    if (!sensors[config->model]->write_metadata) {
        *ret_text = NULL;
        return 0;
    }
    FILE *file = open_memstream(&text, &size);
    if (file)
        sensors[config->model]->write_metadata(config, file);
    if (!file || fclose(file) != 0) {
        free(text);
        return sl_error(-ENOMEM, "simulated lidar: no memory");
    }
    *ret_text = text;
    return 0;
}

uint64_t lidar_sim_sensor_ns(const struct lidar_sim_config *config,
                             const struct lidar_sim_moment *moment, uint64_t at_ns)
{
    int64_t clock_ns = (int64_t)at_ns + lidar_sim_faults_clock_ns(&config->faults, at_ns);
    if (config->gps)
        clock_ns += (int64_t)config->start_utc_ns;
    else if (moment->generation > 0)
        clock_ns -= (int64_t)moment->on_ns;
    else
        clock_ns += (int64_t)config->free_running_start_us * (int64_t)SL_NS_PER_US;
    return clock_ns > 0 ? (uint64_t)clock_ns : 0;
}

double lidar_sim_azimuth(const struct lidar_sim_config *config, uint64_t at_ns)
{
    double turns = lidar_sim_turns(config, at_ns);
    if (config->is_counterclockwise)
        turns = 2 * config->start_azimuth_deg / 360 - turns;
    turns -= floor(turns);
    return turns < 1 ? turns : 0; /* just before 0 a difference is rounded up to 1 */
}

static void enqueue(struct lidar_sim *sim, const struct lidar_sim_packet *packet, uint64_t due_ns)
{
    struct lidar_sim_packet *to = &sim->queue[sim->queued++];
    *to = *packet;
    if (to->due_ns < due_ns)
        to->due_ns = due_ns; /* what is late comes when it comes */
}

/* One of its bytes becomes another one. */
static void damage(struct lidar_sim *sim, struct lidar_sim_packet *packet)
{
    unsigned at = (unsigned)(lidar_sim_uniform(&sim->damage) * packet->size_bytes);
    packet->bytes[at] ^= (uint8_t)(1 + (unsigned)(lidar_sim_uniform(&sim->damage) * UINT8_MAX));
    packet->corrupt = true;
    sim->counts.corrupted++;
}

static bool is_lost(struct lidar_sim *sim, bool begins)
{
    const double burst = sim->config.faults.burst;
    if (sim->losing > 0)
        sim->losing--;
    else if (begins)
        sim->losing = burst > 1 ? (unsigned)burst - 1 : 0;
    else
        return false;
    sim->counts.lost++;
    return true;
}

/* The same number of draws for every packet, so that one fault's share does not move the others'.
 */
static void pass_on(struct lidar_sim *sim, struct lidar_sim_packet *packet)
{
    const struct lidar_sim_faults *faults = &sim->config.faults;
    const bool lost = lidar_sim_uniform(&sim->faults) < faults->loss;
    const bool late = lidar_sim_uniform(&sim->faults) < faults->reorder;
    const bool twice = lidar_sim_uniform(&sim->faults) < faults->duplicate;
    const bool corrupt = lidar_sim_uniform(&sim->damage) < faults->corrupt;
    if (is_lost(sim, lost))
        return;
    if (corrupt)
        damage(sim, packet);
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
    struct lidar_sim_packet packet = {.telemetry = true, .first_ns = at_ns, .due_ns = at_ns};
    packet.size_bytes =
        sim->sensor->write_telemetry(&sim->config, &sim->moment, at_ns, packet.bytes);
    enqueue(sim, &packet, 0);
    sim->counts.telemetry++;
}

/* Is it the time to be switched off, and on again? */
static void restart(struct lidar_sim *sim)
{
    const struct lidar_sim_faults *faults = &sim->config.faults;
    const uint64_t at_ns = (uint64_t)(faults->at_s * 1e9);
    if (!(faults->restart_s > 0) || sim->moment.generation > 0 ||
        sim->sensor->start_ns(&sim->config, &sim->moment) < at_ns)
        return;
    sim->moment = (struct lidar_sim_moment){.on_ns = at_ns + (uint64_t)(faults->restart_s * 1e9),
                                            .generation = 1};
}

static void make(struct lidar_sim *sim)
{
    restart(sim);
    struct lidar_sim_packet packet = {.first_ns =
                                          sim->sensor->start_ns(&sim->config, &sim->moment)};
    packet.size_bytes =
        sim->sensor->write_data(&sim->config, &sim->moment, &sim->noise, packet.bytes);
    sim->moment.index++;
    packet.due_ns = sim->sensor->start_ns(&sim->config, &sim->moment);
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
