/* SPDX-License-Identifier: Apache-2.0 */
/* pollution_flow.c - the place for whole flows of driver, bus and reader beside a victim process:
 * none is measured yet. */
#include "tests/bench/pollution_bench.h"

int pollution_flow_run(const struct sl_bench_pollution_options *options,
                       struct sl_bench_pollution_flow *ret_result)
{
    (void)options;
    *ret_result = (struct sl_bench_pollution_flow){0};
    return 0;
}
