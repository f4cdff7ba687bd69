/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - how a bench tells its figures: a table with machine and command, or one flat JSON
 * object.
 *
 * Life:    sl_bench_begin -> figures ... -> sl_bench_end
 * Threads: one.
 */
#ifndef SL_TOOLS_BENCH_H
#define SL_TOOLS_BENCH_H

#include "core/base/options.h"
#include "tools/json.h"

struct sl_bench {
    bool as_json;
    struct sl_json json;
};

/* The options of each bench. */
extern struct sl_bench_given {
    bool json;
} sl_bench_given;
extern const struct sl_option sl_bench_options[];
#define SL_TABLE_BENCH                                  \
    {                                                   \
        "Options", sl_bench_options, 1, &sl_bench_given \
    }

/* Which parts --only names ("a,c"; NULL = all), as bits in the order of `names`, which end with
 * NULL. -EINVAL. */
int sl_bench_choose(const char *only, const char *const *names, unsigned *ret_chosen);

/* Prints the machine and the command line. */
void sl_bench_begin(struct sl_bench *bench, const char *command);
/* `key` ends in its unit ("native_p50_ns"), a ratio in _ratio. `bar` is what it is compared with,
 * in words ("at least 0.5"), or NULL; JSON leaves it out. */
void sl_bench_figure(struct sl_bench *bench, const char *key, double value, const char *bar);
void sl_bench_text(struct sl_bench *bench, const char *key, const char *text);
void sl_bench_end(struct sl_bench *bench);

#endif
