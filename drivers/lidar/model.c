/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - what follows from a model's table. */
#include "drivers/lidar/model.h"

#include <math.h>

#include "core/base/clock.h"

/* The motor is held to a percent or so of what was set; a 32nd is safe. */
#define TURN_MARGIN_DIVISOR 32
#define NS_PER_US           1000.0f

void lidar_model_rings(const struct lidar_model *model, uint8_t ret_ring[LIDAR_LASERS_MAX])
{
    for (unsigned laser = 0; laser < model->lasers; laser++) {
        unsigned rank = 0;
        for (unsigned other = 0; other < model->lasers; other++)
            rank += model->vertical_deg[other] < model->vertical_deg[laser] ||
                    (other < laser && model->vertical_deg[other] == model->vertical_deg[laser]);
        ret_ring[laser] = (uint8_t)rank;
    }
}

uint32_t lidar_model_firing_ns(const struct lidar_model *model, unsigned order, unsigned laser)
{
    if (model->firing_us) {
        float us = model->firing_us[order * model->lasers + laser];
        return (uint32_t)lroundf((us - model->firing_first_us) * NS_PER_US);
    }
    unsigned firing = laser / model->lasers_per_firing;
    if (model->firings_before_pause > 0)
        firing += firing / model->firings_before_pause;
    return firing * model->firing_step_ns;
}

struct lidar_model lidar_model_tune(const struct lidar_model *model, uint32_t column_period_ns)
{
    struct lidar_model tuned = *model;
    tuned.column_period_ns = column_period_ns;
    if (model->steps_per_column > 0)
        tuned.firing_step_ns = column_period_ns / model->steps_per_column;
    return tuned;
}

unsigned lidar_model_turn_columns(const struct lidar_model *model)
{
    double turn_ns = (double)SL_NS_PER_S / (double)model->rotation_min_hz;
    double share = model->view_share > 0 ? (double)model->view_share : 1;
    double columns = ceil(share * turn_ns / model->column_period_ns);
    return (unsigned)columns + (unsigned)columns / TURN_MARGIN_DIVISOR;
}
