/* SPDX-License-Identifier: Apache-2.0 */
#include "core/node/process.h"

#include "core/base/capability.h"
#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Processors ------------------------------------------------------------------------------------*/

static int bad_cpus(const char *list)
{
    return sl_error(-EINVAL, "option --cpus: '%s' is no list of processors such as 0,2-3", list);
}

static const char *read_cpu(const char *at, unsigned long *ret_cpu)
{
    char *end;
    if (*at < '0' || *at > '9')
        return NULL;
    *ret_cpu = strtoul(at, &end, 10);
    return *ret_cpu < CPU_SETSIZE ? end : NULL;
}

static int parse_cpus(const char *list, cpu_set_t *ret_set)
{
    CPU_ZERO(ret_set);
    const char *at = list;
    for (;;) {
        unsigned long first, last;
        at = read_cpu(at, &first);
        last = first;
        if (at && *at == '-')
            at = read_cpu(at + 1, &last);
        if (!at || last < first)
            return bad_cpus(list);
        for (unsigned long cpu = first; cpu <= last; cpu++)
            CPU_SET(cpu, ret_set);
        if (*at == '\0')
            return 0;
        if (*at++ != ',')
            return bad_cpus(list);
    }
}

int sl_process_check_cpus(const char *list)
{
    cpu_set_t set, usable, both;
    int err = parse_cpus(list, &set);
    if (err < 0)
        return err;
    if (sched_getaffinity(0, sizeof usable, &usable) < 0)
        return 0; /* more processors than the set holds: setting it will tell */
    CPU_AND(&both, &set, &usable);
    if (CPU_COUNT(&both) == 0)
        return sl_error(-EINVAL, "option --cpus: none of %s can be used here; there are %d", list,
                        CPU_COUNT(&usable));
    return 0;
}

int sl_process_set_cpus(const char *list)
{
    cpu_set_t set;
    int err = parse_cpus(list, &set);
    if (err < 0)
        return err;
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        return sl_error(-errno, "option --cpus: %s: %s", list, strerror(errno));
    return 0;
}

/* Scheduling ------------------------------------------------------------------------------------*/

static const struct {
    const char *name;
    int policy;
    int has_priority;
} policies[] = {{"other", SCHED_OTHER, 0},
                {"batch", SCHED_BATCH, 0},
                {"idle", SCHED_IDLE, 0},
                {"fifo", SCHED_FIFO, 1},
                {"rr", SCHED_RR, 1}};

static int parse_sched(const char *text, int *ret_policy, int *ret_priority)
{
    size_t length = strcspn(text, ":");
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        if (strlen(policies[i].name) != length || strncmp(policies[i].name, text, length) != 0)
            continue;
        char *end = (char *)text + length;
        long priority = 0;
        if (policies[i].has_priority && text[length] == ':')
            priority = strtol(text + length + 1, &end, 10);
        if (*end != '\0' || priority < policies[i].has_priority || priority > 99)
            break;
        *ret_policy = policies[i].policy;
        *ret_priority = (int)priority;
        return 0;
    }
    return sl_error(-EINVAL,
                    "option --sched: '%s' is none of: other, batch, idle, fifo:N, rr:N (N 1 to 99)",
                    text);
}

int sl_process_check_sched(const char *text)
{
    int policy, priority;
    return parse_sched(text, &policy, &priority);
}

int sl_process_set_sched(const char *text)
{
    int policy, priority;
    int err = parse_sched(text, &policy, &priority);
    if (err < 0)
        return err;
    struct sched_param param = {.sched_priority = priority};
    if (sched_setscheduler(0, policy, &param) == 0)
        return 0;
    return sl_error(
        -errno, "option --sched: %s: %s; raise the limit rtprio (ulimit -r) or give CAP_SYS_NICE",
        text, strerror(errno));
}

int sl_process_check_nice(int64_t nice, const char *policy_text)
{
    int policy = SCHED_OTHER, priority = 0;
    int err = policy_text ? parse_sched(policy_text, &policy, &priority) : 0;
    if (err < 0)
        return err;
    if (nice < SL_PROCESS_NICE_MIN || nice > SL_PROCESS_NICE_MAX)
        return sl_error(-EINVAL, "option --nice: %" PRId64 " is out of range; give %d to %d", nice,
                        SL_PROCESS_NICE_MIN, SL_PROCESS_NICE_MAX);
    if (policy != SCHED_OTHER && policy != SCHED_BATCH)
        return sl_error(-EINVAL,
                        "option --nice: it counts for the scheduling other and batch, not for %s; "
                        "leave one of them out",
                        policy_text);
    return 0;
}

int sl_process_set_nice(int64_t nice)
{
    int err = sl_process_check_nice(nice, NULL);
    if (err < 0)
        return err;
    if (setpriority(PRIO_PROCESS, 0, (int)nice) == 0)
        return 0;
    return sl_error(-errno,
                    "option --nice: %" PRId64 ": %s; raise the limit nice (ulimit -e %" PRId64
                    ") or give CAP_SYS_NICE",
                    nice, strerror(errno), 20 - nice);
}

/* Memory and parents ----------------------------------------------------------------------------*/

int sl_process_lock_memory(void)
{
    struct rlimit limit;
    bool is_limited = true;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &limit);
        is_limited = limit.rlim_max != RLIM_INFINITY && !sl_capability_has(CAP_IPC_LOCK);
    }
    /* With a limit, locking what comes later would make a later mmap fail. */
    if (mlockall(is_limited ? MCL_CURRENT : MCL_CURRENT | MCL_FUTURE) == 0)
        return 0;
    return sl_error(-errno,
                    "option --mlock: %s; raise the limit memlock (ulimit -l, now %llu kB) or give "
                    "CAP_IPC_LOCK",
                    strerror(errno), (unsigned long long)limit.rlim_cur / 1024);
}

int sl_process_die_with(int parent, int signal)
{
    prctl(PR_SET_PDEATHSIG, (unsigned long)signal);
    /* It may have died before that; then somebody else is the parent now. */
    return getppid() == parent ? 0 : -ESRCH;
}
