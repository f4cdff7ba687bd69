/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - the driver `pattern`, see pattern.c. Life, threads and errors are the runtime's. */
#ifndef SL_DRIVERS_PATTERN_PATTERN_H
#define SL_DRIVERS_PATTERN_PATTERN_H

#include "core/node/runtime.h"

extern const struct sl_program pattern_program;

#endif
