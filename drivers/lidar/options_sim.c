/* SPDX-License-Identifier: Apache-2.0 */
/* options_sim.c - which sensor is simulated, and how. */
#include "drivers/lidar/family.h"
#include "drivers/lidar/options_parts.h"

#include <errno.h>
#include <string.h>

#include "core/base/error.h"

int lidar_options_sim_config(const struct lidar_options *o, struct lidar_sim_config *ret_sim)
{
    static const enum lidar_sim_return returns[] = {LIDAR_SIM_STRONGEST, LIDAR_SIM_LAST,
                                                    LIDAR_SIM_DUAL};
    lidar_sim_config_of((enum lidar_sim_model)(o->sim_model - 1), ret_sim);
    ret_sim->return_mode = returns[o->sim_return];
    ret_sim->rotation_hz = o->sim_rpm / 60;
    ret_sim->is_counterclockwise = o->sim_is_counterclockwise;
    ret_sim->range_noise_m = o->sim_noise_m;
    ret_sim->data_packets_max = (uint64_t)o->sim_packets;
    ret_sim->seed = (uint64_t)o->sim_seed;
    int err = lidar_sim_faults_parse(o->sim_faults, &ret_sim->faults);
    if (ret_sim->faults.wrap_s > 0)
        ret_sim->gps = false; /* as the metadata shall say */
    return err < 0 ? sl_error_at(err, "option --sim-faults") : 0;
}

static int find_choice(const char *const *choices, const char *name)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], name) == 0)
            return i;
    }
    return -1;
}

/* The simulated sensor that --model means. */
static const char *sim_name_of(const struct lidar_options *o)
{
    const char *name = lidar_model_choices[o->model];
    bool is_vlp16 = o->model == 0 || strcmp(name, "puck-lite") == 0; /* but for its weight */
    return is_vlp16 ? "vlp-16" : name;
}

int lidar_options_match_sim(struct lidar_options *o)
{
    const char *model = sim_name_of(o), *sim = lidar_sim_choices[o->sim_model];
    if (o->model > 0 && o->sim_model > 0 && strcmp(model, sim) != 0)
        return sl_error(-EINVAL, "option --sim-model: %s, but --model says %s", sim, model);
    int chosen = o->sim_model > 0 ? o->sim_model : find_choice(lidar_sim_choices, model);
    if (chosen < 0)
        return sl_error(-EINVAL,
                        "option --model: no %s is simulated; vlp-16, puck-hi-res, os1-64, xt32 "
                        "and mid-360 are (--sim-model)",
                        model);
    o->sim_model = chosen;
    if (o->model == 0 && o->sim_model > LIDAR_SIM_HIRES + 1) {
        int named = find_choice(lidar_model_choices, lidar_sim_choices[o->sim_model]);
        o->model = named > 0 ? named : 0;
    }
    return 0;
}
