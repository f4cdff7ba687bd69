/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - the machine: memory, limits, the kernel's settings.
 *
 * Formats: proc(5), sched(7), inotify(7), the kernel's admin-guide/sysctl (vm, net, kernel),
 * admin-guide/pm/cpufreq (scaling_governor), admin-guide/mm/hugetlbpage. */
#include "tools/doctor.h"

#include "core/base/capability.h"
#include "core/base/error.h"
#include "core/uncached/limits.h"
#include "core/uncached/memory.h"
#include "core/uncached/stream.h"
#include "drivers/lidar/simd.h"
#include "tools/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define MIB (UINT64_C(1) << 20)

/* What is too little. A lidar takes some 110 MiB with its default of 8 subscribers. */
#define MEMORY_WARN_BYTES    (512 * MIB)
#define MEMORY_PROBLEM_BYTES (128 * MIB)
#define LOCK_WARN_BYTES      (256 * MIB)
#define DESCRIPTORS_WARN     1024
#define MAPS_WARN            65530 /* the kernel's default */
#define INOTIFY_WARN_PERCENT 80
#define PRIORITY_WARN        10 /* below it, launch files' fifo:10 fails */
#define NICE_LIMIT_ALL       40 /* RLIMIT_NICE counts from 19 = 1 to -20 = 40 */

/* A VLP-16 with two returns: 1508 packets of 1206 bytes a second; the kernel charges a packet its
 * buffer, two pages at most with usual drivers. Somebody held up for a turn must lose none. */
#define LIDAR_PACKETS_S    1508
#define LIDAR_CHARGE_BYTES 4352
#define LIDAR_WARN_MS      200
#define LIDAR_WANTED_BYTES (UINT64_C(32) << 20) /* what the driver asks for */

const char *const sl_doctor_level_names[] = {"ok", "warning", "problem", NULL};

struct sl_doctor_finding *sl_doctor_add(struct sl_doctor *doctor, enum sl_doctor_level level,
                                        const char *subject, const char *advice, const char *format,
                                        ...)
{
    static struct sl_doctor_finding beyond; /* more than there is room for: told by nobody */
    struct sl_doctor_finding *f =
        doctor->count < SL_DOCTOR_FINDINGS ? &doctor->finding[doctor->count++] : &beyond;
    f->level = level;
    f->subject = subject;
    snprintf(f->advice, sizeof f->advice, "%s", advice ? advice : "");
    va_list args;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    if (level > doctor->worst)
        doctor->worst = level;
    return f;
}

/* Small files -----------------------------------------------------------------------------------*/

struct examination {
    const char *root;
    struct sl_doctor *doctor;
};

static FILE *open_file(const struct examination *e, const char *path)
{
    char full[PATH_MAX];
    int n = snprintf(full, sizeof full, "%s%s", e->root, path);
    return n > 0 && (size_t)n < sizeof full ? fopen(full, "re") : NULL;
}

static bool read_text(const struct examination *e, const char *path, char *to, size_t size)
{
    FILE *file = open_file(e, path);
    to[0] = '\0';
    if (!file)
        return false;
    bool got = fgets(to, (int)size, file) != NULL;
    fclose(file);
    to[strcspn(to, "\n")] = '\0';
    return got;
}

static bool read_number(const struct examination *e, const char *path, int64_t *ret_value)
{
    char text[64];
    return read_text(e, path, text, sizeof text) && sl_parse_int(text, ret_value) == 0;
}

/* A line "Key:  123 kB" of /proc/meminfo, as it stands there; -1 if it is not there. */
static int64_t meminfo(const struct examination *e, const char *key)
{
    char line[256];
    size_t length = strlen(key);
    int64_t value = -1;
    FILE *file = open_file(e, "/proc/meminfo");
    while (file && value < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            value = strtoll(line + length + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static const char *memory(uint64_t bytes, char to[SL_SHOW_MAX])
{
    return bytes == UINT64_MAX ? "no limit" : sl_show_memory((double)bytes, to, SL_SHOW_MAX);
}

static uint64_t limit_of(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_max;
}

/* Memory ----------------------------------------------------------------------------------------*/

static void examine_memory(const struct examination *e)
{
    struct sl_memory_limits limits;
    char left[SL_SHOW_MAX];
    sl_memory_available_below(e->root, &limits);
    uint64_t bytes =
        limits.machine_bytes < limits.cgroup_bytes ? limits.machine_bytes : limits.cgroup_bytes;
    bool by_cgroup = limits.cgroup_bytes < limits.machine_bytes;
    enum sl_doctor_level level = bytes < MEMORY_PROBLEM_BYTES ? SL_DOCTOR_PROBLEM
                                 : bytes < MEMORY_WARN_BYTES  ? SL_DOCTOR_WARNING
                                                              : SL_DOCTOR_OK;
    sl_doctor_add(e->doctor, level, "memory",
                  level == SL_DOCTOR_OK ? NULL
                  : by_cgroup
                      ? "raise that limit, or end something else in that cgroup"
                      : "end something else; sluice plan FILE tells what a launch file takes",
                  "%s may be taken (%s)", memory(bytes, left),
                  by_cgroup ? limits.cgroup : "free memory of the machine");

    int64_t policy;
    if (read_number(e, "/proc/sys/vm/overcommit_memory", &policy) && policy == 2)
        sl_doctor_add(e->doctor, SL_DOCTOR_WARNING, "overcommit",
                      "sysctl -w vm.overcommit_memory=0",
                      "vm.overcommit_memory is 2: pools may be refused while memory is free");
}

static void examine_swap(const struct examination *e)
{
    int64_t total = meminfo(e, "SwapTotal"), left = meminfo(e, "SwapFree");
    char text[2][SL_SHOW_MAX];
    if (total < 0)
        return;
    if (total == 0) {
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "swap", NULL, "none: frames stay in memory");
        return;
    }
    uint64_t used = left >= 0 && left < total ? (uint64_t)(total - left) * 1024 : 0;
    sl_doctor_add(e->doctor, SL_DOCTOR_WARNING, "swap",
                  "mlock: true for nodes in the launch file, or swapoff -a",
                  "%s, %s of it in use: frames may be written to a disk and read back",
                  memory((uint64_t)total * 1024, text[0]), memory(used, text[1]));
}

static void examine_hugepages(const struct examination *e)
{
    int64_t total = meminfo(e, "HugePages_Total"), left = meminfo(e, "HugePages_Free"),
            size = meminfo(e, "Hugepagesize");
    char text[SL_SHOW_MAX];
    if (total < 0 || size < 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "hugepages", NULL, "this kernel has none");
    else if (total == 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "hugepages", NULL,
                      "none are set aside, and none are needed");
    else
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "hugepages", NULL,
                      "%" PRId64 " of %" PRId64 " are free, %s each", left, total,
                      memory((uint64_t)size * 1024, text));
}

/* Kinds of pool memory beside the machine's own. That one is not here is no fault of the machine's:
 * who asks for it is told then. */
static void examine_pools(const struct examination *e)
{
    const char *usual = sl_memory_root;
    sl_memory_root = e->root;
    for (unsigned i = 0; sl_memory_providers[i]; i++) {
        const struct sl_memory_provider *p = sl_memory_providers[i];
        char text[SL_DOCTOR_TEXT_MAX];
        if (p == &sl_memory_memfd || p == &sl_memory_hugetlb)
            continue;
        if (p->look(text, sizeof text) == 0)
            sl_doctor_add(e->doctor, SL_DOCTOR_OK, "pools", NULL, "%s%s: %s", p->name, p->argument,
                          text);
        else
            sl_doctor_add(e->doctor, SL_DOCTOR_OK, "pools", NULL, "%s%s is not here: %s", p->name,
                          p->argument, sl_error_text());
    }
    sl_memory_root = usual;
}

static void examine_memlock(const struct examination *e)
{
    char text[SL_SHOW_MAX];
    uint64_t bytes = limit_of(RLIMIT_MEMLOCK);
    if (sl_capability_has(CAP_IPC_LOCK))
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "memlock", NULL,
                      "any memory may be locked (CAP_IPC_LOCK)");
    else
        sl_doctor_add(
            e->doctor, bytes < LOCK_WARN_BYTES ? SL_DOCTOR_WARNING : SL_DOCTOR_OK, "memlock",
            bytes < LOCK_WARN_BYTES
                ? "/etc/security/limits.d/sluice.conf: '* hard memlock unlimited', and log "
                  "in anew; for a service LimitMEMLOCK=infinity"
                : NULL,
            "a process may lock %s: %s", memory(bytes, text),
            bytes < LOCK_WARN_BYTES ? "nodes with mlock: true fail" : "enough for pools");
}

/* Processor -------------------------------------------------------------------------------------*/

static void examine_nice(const struct examination *e)
{
    uint64_t most = sl_capability_has(CAP_SYS_NICE) ? NICE_LIMIT_ALL : limit_of(RLIMIT_NICE);
    if (most >= NICE_LIMIT_ALL)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "nice", NULL, "any nice value may be had");
    else
        sl_doctor_add(e->doctor, SL_DOCTOR_WARNING, "nice",
                      "/etc/security/limits.d/sluice.conf: '* hard nice -20', and log in anew; for "
                      "a service LimitNICE=-20",
                      "nice values below %d may not be had: nodes with nice: -20 fail",
                      most > 20 ? 20 - (int)most : 0); /* 0 is what it is started with */
    int64_t autogroup = 0;
    if (read_number(e, "/proc/sys/kernel/sched_autogroup_enabled", &autogroup) && autogroup != 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "nice", NULL,
                      "it counts among the processes of a session; other sessions have their share "
                      "all the same (kernel.sched_autogroup_enabled is 1)");
}

static void examine_priority(const struct examination *e)
{
    uint64_t most = limit_of(RLIMIT_RTPRIO);
    bool is_free = sl_capability_has(CAP_SYS_NICE);
    bool is_low = !is_free && most < PRIORITY_WARN;
    if (is_free)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "priority", NULL,
                      "any real-time priority may be had (CAP_SYS_NICE)");
    else
        sl_doctor_add(e->doctor, is_low ? SL_DOCTOR_WARNING : SL_DOCTOR_OK, "priority",
                      is_low ? "/etc/security/limits.d/sluice.conf: '* hard rtprio 50', and log in "
                               "anew; for a service LimitRTPRIO=50"
                             : NULL,
                      "real-time priorities up to %" PRIu64 " may be had%s",
                      most == UINT64_MAX ? 99 : most,
                      is_low ? ": nodes with sched: fifo:N fail" : "");

    int64_t runtime_us, period_us = 1000000;
    if (!read_number(e, "/proc/sys/kernel/sched_rt_runtime_us", &runtime_us))
        return;
    read_number(e, "/proc/sys/kernel/sched_rt_period_us", &period_us);
    if (runtime_us == 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_PROBLEM, "real-time",
                      "sysctl -w kernel.sched_rt_runtime_us=950000",
                      "kernel.sched_rt_runtime_us is 0: no process may be real-time");
    else if (runtime_us < 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_WARNING, "real-time",
                      "sysctl -w kernel.sched_rt_runtime_us=950000",
                      "kernel.sched_rt_runtime_us is -1: a real-time node that does not stop takes "
                      "its processor for good");
    else
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "real-time", NULL,
                      "real-time processes may have %" PRId64 "%% of a processor",
                      period_us > 0 ? runtime_us * 100 / period_us : 100);
}

/* Which governors there are, and of how many processors it is another one than "performance". */
static void examine_governor(const struct examination *e)
{
    unsigned seen = 0, slow = 0;
    char path[PATH_MAX], name[32], first[32] = "";
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu", e->root);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strncmp(entry->d_name, "cpu", 3) != 0 || entry->d_name[3] < '0' ||
            entry->d_name[3] > '9')
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/%.32s/cpufreq/scaling_governor",
                 entry->d_name);
        if (!read_text(e, path, name, sizeof name))
            continue;
        seen++;
        if (strcmp(name, "performance") == 0)
            continue;
        slow++;
        snprintf(first, sizeof first, "%s", name);
    }
    if (folder)
        closedir(folder);
    if (seen == 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "governor", NULL,
                      "none here: the firmware or the host sets the clock");
    else if (slow == 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "governor", NULL, "performance, on %u processors",
                      seen);
    else
        sl_doctor_add(e->doctor, SL_DOCTOR_WARNING, "governor",
                      "cpupower frequency-set -g performance",
                      "%s on %u of %u processors: the clock rises only after the load came", first,
                      slow, seen);
}

/* What points are made with, and written past the caches. */
static void examine_simd(const struct examination *e)
{
    char list[LIDAR_SIMD_LIST_MAX];
    lidar_simd_list(list);
    sl_doctor_add(e->doctor, SL_DOCTOR_OK, "simd", NULL, "%s; past the caches by %s", list,
                  sl_stream_variant());
}

static void examine_clock(const struct examination *e)
{
    char name[32];
    if (!read_text(e, "/sys/devices/system/clocksource/clocksource0/current_clocksource", name,
                   sizeof name))
        return;
    bool is_slow = strcmp(name, "hpet") == 0 || strcmp(name, "acpi_pm") == 0 ||
                   strcmp(name, "jiffies") == 0 || strcmp(name, "refined-jiffies") == 0;
    sl_doctor_add(
        e->doctor, is_slow ? SL_DOCTOR_WARNING : SL_DOCTOR_OK, "clock",
        is_slow ? "look into dmesg why tsc was given up; boot with tsc=reliable if it can "
                  "be trusted"
                : NULL,
        "%s%s", name,
        is_slow ? ": each reading of the time is a system call and takes a microsecond" : "");
}

/* Kernel ----------------------------------------------------------------------------------------*/

static void examine_futex(const struct examination *e)
{
    /* no waiters is an error of its own, but only of a kernel that knows the call */
    bool is_there = syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno != ENOSYS;
    if (is_there)
        sl_doctor_add(e->doctor, SL_DOCTOR_OK, "futex_waitv", NULL,
                      "there: waiting for many topics is one call");
    else
        sl_doctor_add(e->doctor, SL_DOCTOR_WARNING, "futex_waitv", "use Linux 5.16 or newer",
                      "not there: waiting for many topics takes a poll of all of them");
}

static void examine_maps(const struct examination *e)
{
    int64_t most;
    if (!read_number(e, "/proc/sys/vm/max_map_count", &most))
        return;
    bool is_low = most < MAPS_WARN;
    sl_doctor_add(e->doctor, is_low ? SL_DOCTOR_WARNING : SL_DOCTOR_OK, "mappings",
                  is_low ? "sysctl -w vm.max_map_count=65530" : NULL,
                  "a process may have %" PRId64 ", a subscription takes 4", most);
}

static void examine_descriptors(const struct examination *e)
{
    uint64_t most = limit_of(RLIMIT_NOFILE);
    bool is_low = most < DESCRIPTORS_WARN;
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    sl_doctor_add(
        e->doctor, is_low || limit.rlim_cur < DESCRIPTORS_WARN ? SL_DOCTOR_WARNING : SL_DOCTOR_OK,
        "descriptors",
        is_low ? "/etc/security/limits.d/sluice.conf: '* hard nofile 65536', and log in "
                 "anew; for a service LimitNOFILE=65536"
        : limit.rlim_cur < DESCRIPTORS_WARN ? "ulimit -n 4096"
                                            : NULL,
        "a process may have %" PRIu64 ", a subscription takes 6", (uint64_t)limit.rlim_cur);
}

static void examine_sockets(const struct examination *e)
{
    int64_t most, usual = 0;
    char text[2][SL_SHOW_MAX];
    if (!read_number(e, "/proc/sys/net/core/rmem_max", &most))
        return;
    read_number(e, "/proc/sys/net/core/rmem_default", &usual);
    /* the kernel doubles what is asked for */
    uint64_t hold_ms = 2 * (uint64_t)most * 1000 / ((uint64_t)LIDAR_PACKETS_S * LIDAR_CHARGE_BYTES);
    bool is_free = sl_capability_has(CAP_NET_ADMIN);
    bool is_low = !is_free && hold_ms < LIDAR_WARN_MS;
    sl_doctor_add(e->doctor, is_low ? SL_DOCTOR_WARNING : SL_DOCTOR_OK, "sockets",
                  is_low ? "sysctl -w net.core.rmem_max=33554432, and that as a line "
                           "'net.core.rmem_max = 33554432' in /etc/sysctl.d/sluice.conf"
                         : NULL,
                  "net.core.rmem_max %s holds %" PRIu64
                  " ms of a lidar's packets (VLP-16, two returns)%s; by default a socket has %s",
                  memory((uint64_t)most, text[0]), hold_ms,
                  is_free  ? ", and the driver may exceed it (CAP_NET_ADMIN)"
                  : is_low ? ": a driver that is held up longer loses some"
                           : "",
                  memory((uint64_t)usual, text[1]));
}

/* inotify ---------------------------------------------------------------------------------------*/

struct inotify_use {
    uint64_t instances, watches;
};

/* Lines "inotify wd:1 ino:..." of one descriptor. */
static uint64_t count_watches(const struct examination *e, const char *pid, const char *fd)
{
    char path[96], line[256];
    snprintf(path, sizeof path, "/proc/%.16s/fdinfo/%.16s", pid, fd);
    FILE *file = open_file(e, path);
    uint64_t count = 0;
    while (file && fgets(line, sizeof line, file))
        count += strncmp(line, "inotify ", 8) == 0;
    if (file)
        fclose(file);
    return count;
}

static void count_process(const struct examination *e, const char *pid, struct inotify_use *use)
{
    char path[PATH_MAX], target[64];
    struct stat facts;
    snprintf(path, sizeof path, "%s/proc/%.16s", e->root, pid);
    if (stat(path, &facts) < 0 || facts.st_uid != geteuid())
        return;
    snprintf(path, sizeof path, "%s/proc/%.16s/fd", e->root, pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (strcmp(target, "anon_inode:inotify") != 0)
            continue;
        use->instances++;
        use->watches += count_watches(e, pid, entry->d_name);
    }
    if (folder)
        closedir(folder);
}

/* What this user's processes have now; those of another pid namespace are not seen. */
static void count_inotify(const struct examination *e, struct inotify_use *ret_use)
{
    char path[PATH_MAX];
    *ret_use = (struct inotify_use){0};
    snprintf(path, sizeof path, "%s/proc", e->root);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            count_process(e, entry->d_name, ret_use);
    if (folder)
        closedir(folder);
}

static void judge_inotify(const struct examination *e, const char *what, const char *sysctl,
                          uint64_t used, uint64_t raised)
{
    char path[96], advice[160];
    int64_t most;
    snprintf(path, sizeof path, "/proc/sys/fs/inotify/%s", sysctl);
    if (!read_number(e, path, &most) || most <= 0)
        return;
    enum sl_doctor_level level = used >= (uint64_t)most ? SL_DOCTOR_PROBLEM
                                 : used * 100 >= (uint64_t)most * INOTIFY_WARN_PERCENT
                                     ? SL_DOCTOR_WARNING
                                     : SL_DOCTOR_OK;
    snprintf(advice, sizeof advice,
             "sysctl -w fs.inotify.%s=%" PRIu64 ", and that as a line in /etc/sysctl.d/sluice.conf",
             sysctl, raised > (uint64_t)most * 4 ? raised : (uint64_t)most * 4);
    sl_doctor_add(e->doctor, level, "inotify", level == SL_DOCTOR_OK ? NULL : advice,
                  "%" PRIu64 " of %" PRId64 " %s of this user are in use%s", used, most, what,
                  level == SL_DOCTOR_OK ? "" : "; a process that subscribes takes one");
}

static void examine_inotify(const struct examination *e)
{
    struct inotify_use use;
    count_inotify(e, &use);
    judge_inotify(e, "instances", "max_user_instances", use.instances, 1024);
    judge_inotify(e, "watches", "max_user_watches", use.watches, 65536);
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0)
        sl_doctor_add(e->doctor, SL_DOCTOR_PROBLEM, "inotify",
                      errno == EMFILE ? "sysctl -w fs.inotify.max_user_instances=1024" : NULL,
                      "no process can subscribe: inotify_init1: %s", strerror(errno));
    else
        close(fd);
}

/* ---------------------------------------------------------------------------------------------- */

void sl_doctor_examine(const char *root, const char *domain, struct sl_doctor *ret_doctor)
{
    static void (*const parts[])(const struct examination *) = {
        examine_memory, examine_swap,     examine_hugepages,   examine_pools,   examine_memlock,
        examine_nice,   examine_priority, examine_governor,    examine_simd,    examine_clock,
        examine_futex,  examine_maps,     examine_descriptors, examine_sockets, examine_inotify,
    };
    const struct examination e = {.root = root, .doctor = ret_doctor};
    *ret_doctor = (struct sl_doctor){0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        parts[i](&e);
    sl_doctor_iceoryx(ret_doctor);
    sl_doctor_domain(domain, ret_doctor);
}
