/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - on what something was measured: a figure without its machine says nothing.
 *
 * Read from /proc, /sys and uname; what cannot be seen is "?" or 0. Any thread; no errors.
 */
#ifndef SL_TOOLS_MACHINE_H
#define SL_TOOLS_MACHINE_H

#include "tools/json.h"

#define SL_MACHINE_TEXT_MAX 160

struct sl_machine {
    char cpu[SL_MACHINE_TEXT_MAX];
    char kernel[SL_MACHINE_TEXT_MAX];
    char governor[32];
    char caches[SL_MACHINE_TEXT_MAX]; /* "L1d 48 kB, L2 2 MB, L3 36 MB": what core 0 sees */
    unsigned cores;                   /* this process may use */
    unsigned cores_online;
    uint64_t memory_bytes;
};

void sl_machine_read(struct sl_machine *ret_machine);
void sl_machine_print(const struct sl_machine *machine, FILE *to);
void sl_machine_json(const struct sl_machine *machine, struct sl_json *json); /* keys machine_... */

#endif
