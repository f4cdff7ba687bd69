/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bus_roudi.h"

#include "core/base/error.h"

#include <errno.h>

int bus_roudi_open(void)
{
    return sl_error(-ENOTSUP, "this Sluice was built without it");
}

void bus_roudi_close(void) {}
