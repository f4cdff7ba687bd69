/* SPDX-License-Identifier: Apache-2.0 */
/* findings.h - what is wrong in a census, in sentences: who loses messages and why, who holds
 * slots, who is late, stopped or dead.
 *
 * Pure: a census in, sentences out, the worst first.
 * Threads: any.
 */
#ifndef SL_TOOLS_FINDINGS_H
#define SL_TOOLS_FINDINGS_H

#include "tools/census.h"

#define SL_FINDINGS_MAX     32
#define SL_FINDING_TEXT_MAX 200

struct sl_finding {
    double weight; /* the larger the worse */
    char text[SL_FINDING_TEXT_MAX];
};

struct sl_findings {
    struct sl_finding finding[SL_FINDINGS_MAX];
    unsigned count;
};

void sl_findings_make(const struct sl_census *census, struct sl_findings *ret_findings);

#endif
