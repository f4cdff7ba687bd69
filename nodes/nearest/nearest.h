/* SPDX-License-Identifier: Apache-2.0 */
/* nearest.h - the node `nearest`, see nearest.c. Life, threads and errors are the runtime's. */
#ifndef SL_NODES_NEAREST_NEAREST_H
#define SL_NODES_NEAREST_NEAREST_H

#include "core/node/runtime.h"

extern const struct sl_program nearest_program;

#endif
