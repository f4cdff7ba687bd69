/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.h - the node `monitor`, see monitor.c. Life, threads and errors are the runtime's. */
#ifndef SL_NODES_MONITOR_MONITOR_H
#define SL_NODES_MONITOR_MONITOR_H

#include "core/node/runtime.h"

extern const struct sl_program monitor_program;

#endif
