/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h - is this machine fit for sensor frames? Each thing that is looked at gives one finding:
 * how it stands, and what to do about it, as a line to type or to put into a file.
 *
 * What counts is what the user who asks may do: limits and capabilities are this process's.
 *
 * Life:    sl_doctor_examine fills a struct sl_doctor; nothing is kept, nothing is changed.
 * Threads: one.
 * Errors:  none; what cannot be looked at is left out, or is a finding.
 */
#ifndef SL_TOOLS_DOCTOR_H
#define SL_TOOLS_DOCTOR_H

#include <stdbool.h>

enum sl_doctor_level {
    SL_DOCTOR_OK,
    SL_DOCTOR_WARNING, /* works, but frames may be lost or late */
    SL_DOCTOR_PROBLEM  /* something will not work */
};
extern const char *const sl_doctor_level_names[]; /* "ok", "warning", "problem" */

#define SL_DOCTOR_FINDINGS 48
#define SL_DOCTOR_TEXT_MAX 320

struct sl_doctor_finding {
    enum sl_doctor_level level;
    const char *subject; /* "memory", "memlock", ... */
    char text[SL_DOCTOR_TEXT_MAX];
    char advice[SL_DOCTOR_TEXT_MAX]; /* "" where nothing is to be done */
};

struct sl_doctor {
    struct sl_doctor_finding finding[SL_DOCTOR_FINDINGS];
    unsigned count;
    enum sl_doctor_level worst;
};

/* /proc and /sys are looked for below `root`, "" being the machine's own. `domain` as in sluice.h.
 */
void sl_doctor_examine(const char *root, const char *domain, struct sl_doctor *ret_doctor);

/* Add a finding; for the parts of the examination (doctor_*.c). `advice` NULL = none. */
struct sl_doctor_finding *sl_doctor_add(struct sl_doctor *doctor, enum sl_doctor_level level,
                                        const char *subject, const char *advice, const char *format,
                                        ...) __attribute__((format(printf, 5, 6)));

/* doctor_domain.c: RouDi, for bus: iceoryx; the directory and what is in it. */
void sl_doctor_iceoryx(struct sl_doctor *doctor);
void sl_doctor_domain(const char *domain, struct sl_doctor *doctor);

#endif
