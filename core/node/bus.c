/* SPDX-License-Identifier: Apache-2.0 */
#include "core/node/bus.h"

#include <assert.h>

static_assert(SL_BUS_ICEORYX == SL_BUS_NATIVE + 1, "in the order of the words");
const char *const sl_bus_names[] = {"native", "iceoryx", NULL};
