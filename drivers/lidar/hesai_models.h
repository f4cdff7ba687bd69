/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_models.h - the tables of hesai_models_128.c, for the list in hesai_models.c.
 *
 * Life, owner, threads, errors: as model.h says.
 */
#ifndef SL_DRIVERS_LIDAR_HESAI_MODELS_H
#define SL_DRIVERS_LIDAR_HESAI_MODELS_H

#include "drivers/lidar/hesai.h"

extern const struct lidar_model hesai_qt128, hesai_pandar128, hesai_ot128, hesai_at128;

#endif
