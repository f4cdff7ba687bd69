/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - what follows from a model's table. */
#include "drivers/lidar/model.h"

#include <math.h>

#include "core/base/clock.h"

/* The motor is held to a percent or so of what was set; a 32nd is safe. */
#define TURN_MARGIN_DIVISOR 32

void lidar_model_rings(const struct lidar_model *model, uint8_t ret_ring[LIDAR_LASERS_MAX])
{
    for (unsigned laser = 0; laser < model->lasers; laser++) {
        unsigned rank = 0;
        for (unsigned other = 0; other < model->lasers; other++)
            rank += model->vertical_deg[other] < model->vertical_deg[laser];
        ret_ring[laser] = (uint8_t)rank;
    }
}

unsigned lidar_model_turn_columns(const struct lidar_model *model)
{
    double turn_ns = (double)SL_NS_PER_S / (double)model->rotation_min_hz;
    double columns = ceil(turn_ns / model->column_period_ns);
    return (unsigned)columns + (unsigned)columns / TURN_MARGIN_DIVISOR;
}
