/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.h - the node `dds_bridge`, see bridge.c. Life, threads and errors are the runtime's. */
#ifndef SL_NODES_DDS_BRIDGE_BRIDGE_H
#define SL_NODES_DDS_BRIDGE_BRIDGE_H

#include "core/node/runtime.h"

extern const struct sl_program bridge_program;

#endif
