/* SPDX-License-Identifier: Apache-2.0 */
/* faults.c - the list as text, and a clock that is wrong. */
#include "drivers/lidar/sim/faults.h"

#include "core/base/error.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9
#define AT_S     1.0

static const struct fault {
    const char *name;
    size_t offset;
    double min, max;
} table[] = {
    {"loss", offsetof(struct lidar_sim_faults, loss), 0, 1},
    {"burst", offsetof(struct lidar_sim_faults, burst), 0, 10000},
    {"reorder", offsetof(struct lidar_sim_faults, reorder), 0, 1},
    {"duplicate", offsetof(struct lidar_sim_faults, duplicate), 0, 1},
    {"corrupt", offsetof(struct lidar_sim_faults, corrupt), 0, 1},
    {"at", offsetof(struct lidar_sim_faults, at_s), 0, 1e6},
    {"jump", offsetof(struct lidar_sim_faults, jump_s), -1e6, 1e6},
    {"stuck", offsetof(struct lidar_sim_faults, stuck_s), 0, 3600},
    {"restart", offsetof(struct lidar_sim_faults, restart_s), 0, 3600},
    {"drift", offsetof(struct lidar_sim_faults, drift_ppm), -1e5, 1e5},
    {"wrap", offsetof(struct lidar_sim_faults, wrap_s), 0, 3599},
    {"speed", offsetof(struct lidar_sim_faults, speed), -10, 10},
};
#define FAULTS (sizeof table / sizeof *table)
#define FAULT_NAMES \
    "loss, burst, reorder, duplicate, corrupt, at, jump, stuck, restart, drift, wrap, speed"

static int check(const struct fault *fault, double value)
{
    if (value >= fault->min && value <= fault->max)
        return 0;
    return sl_error(-EINVAL, "fault %s=%g: give %g to %g", fault->name, value, fault->min,
                    fault->max);
}

/* "name=value" of that length. */
static int parse_one(const char *text, size_t length, struct lidar_sim_faults *faults)
{
    for (const struct fault *fault = table; fault < table + FAULTS; fault++) {
        size_t name = strlen(fault->name);
        if (length <= name || strncmp(text, fault->name, name) != 0 || text[name] != '=')
            continue;
        char *end = NULL;
        double value = strtod(text + name + 1, &end);
        if (end == text + name + 1 || end != text + length)
            return sl_error(-EINVAL, "fault %.*s: no number behind the =", (int)length, text);
        memcpy((char *)faults + fault->offset, &value, sizeof value);
        return check(fault, value);
    }
    return sl_error(-EINVAL, "fault \"%.*s\" is not NAME=NUMBER with a name of: " FAULT_NAMES,
                    (int)length, text);
}

int lidar_sim_faults_parse(const char *text, struct lidar_sim_faults *ret_faults)
{
    struct lidar_sim_faults faults = {.at_s = AT_S};
    while (*text) {
        size_t length = strcspn(text, ",");
        int err = parse_one(text, length, &faults);
        if (err < 0)
            return err;
        text += length;
        if (*text == ',' && *++text == '\0')
            return sl_error(-EINVAL, "faults: nothing stands behind the last comma");
    }
    *ret_faults = faults;
    return 0;
}

int lidar_sim_faults_check(const struct lidar_sim_faults *faults)
{
    for (const struct fault *fault = table; fault < table + FAULTS; fault++) {
        double value;
        memcpy(&value, (const char *)faults + fault->offset, sizeof value);
        int err = check(fault, value);
        if (err < 0)
            return err;
    }
    return 0;
}

int64_t lidar_sim_faults_clock_ns(const struct lidar_sim_faults *faults, uint64_t at_ns)
{
    double off_ns = (double)at_ns * 1e-6 * faults->drift_ppm;
    double since_ns = (double)at_ns - faults->at_s * NS_PER_S;
    if (since_ns >= 0) {
        off_ns += faults->jump_s * NS_PER_S;
        if (since_ns < faults->stuck_s * NS_PER_S)
            off_ns -= since_ns;
    }
    return llround(off_ns);
}
