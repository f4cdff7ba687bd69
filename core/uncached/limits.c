/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - MemAvailable, and the limits of cgroup v2 and v1 from ours up to the root.
 *
 * Formats: proc(5) for meminfo, self/cgroup and self/mountinfo; the kernel's
 * admin-guide/cgroup-v2 (memory.max, memory.current, memory.stat) and cgroup-v1/memory
 * (memory.limit_in_bytes, memory.usage_in_bytes, memory.stat).
 */
#include "core/uncached/limits.h"

#include "core/base/capability.h"
#include "core/base/clock.h"
#include "core/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LEVELS_MAX     32 /* cgroups from ours to the root; deeper trees are looked at this far */
#define LINE_MAX_BYTES 4096

/* What the two versions call the same things. */
struct names {
    const char *filesystem; /* in mountinfo */
    const char *limit;
    const char *usage;
    const char *inactive_file; /* in memory.stat, with what lies below */
    const char *active_file;
};

static const struct names version_2 = {"cgroup2", "memory.max", "memory.current", "inactive_file",
                                       "active_file"};
static const struct names version_1 = {"cgroup", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                       "total_inactive_file", "total_active_file"};

static FILE *open_below(const char *root, const char *folder, const char *file)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s/%s", root, folder, file);
    return n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
}

/* A file of one number; "max" and what cannot be read are no limit. */
static bool read_number(const char *root, const char *folder, const char *file,
                        uint64_t *ret_number)
{
    FILE *stream = open_below(root, folder, file);
    if (!stream)
        return false;
    bool found = fscanf(stream, "%" SCNu64, ret_number) == 1;
    fclose(stream);
    return found;
}

/* The number behind `key` in a file of "key number" or "key: number" lines; 0 if it is not there.
 */
static uint64_t read_key(const char *root, const char *folder, const char *file, const char *key)
{
    FILE *stream = open_below(root, folder, file);
    if (!stream)
        return 0;
    char line[LINE_MAX_BYTES];
    size_t length = strlen(key);
    uint64_t number = 0;
    while (fgets(line, sizeof line, stream)) {
        if (strncmp(line, key, length) == 0 && (line[length] == ' ' || line[length] == ':')) {
            sscanf(line + length + 1, "%" SCNu64, &number);
            break;
        }
    }
    fclose(stream);
    return number;
}

static void narrow(struct sl_memory_limits *limits, uint64_t bytes, const char *format,
                   const char *name, const char *place)
{
    if (bytes >= limits->available_bytes)
        return;
    limits->available_bytes = bytes;
    snprintf(limits->narrowest, sizeof limits->narrowest, format, name, place);
}

/* What one cgroup has left. Of the page cache, what was not used lately goes at once and half of
 * the rest without pain; memory of shared segments is not in these two figures. */
static void look_at_cgroup(const char *root, const char *folder, const struct names *names,
                           struct sl_memory_limits *limits)
{
    uint64_t limit, usage;
    if (!read_number(root, folder, names->limit, &limit) ||
        !read_number(root, folder, names->usage, &usage))
        return;
    uint64_t cache = read_key(root, folder, "memory.stat", names->inactive_file) +
                     read_key(root, folder, "memory.stat", names->active_file) / 2;
    uint64_t used = usage > cache ? usage - cache : 0;
    uint64_t left = limit > used ? limit - used : 0;
    /* v1 writes "no limit" as the largest multiple of a page */
    if (limit > (uint64_t)INT64_MAX / 2)
        return;
    if (left < limits->cgroup_bytes) {
        limits->cgroup_bytes = left;
        snprintf(limits->cgroup, sizeof limits->cgroup, "%s of cgroup %s", names->limit, folder);
    }
    narrow(limits, left, "%s of cgroup %s", names->limit, folder);
}

/* Our cgroup's path in the hierarchy: "0::/a/b" is v2, "4:memory:/a/b" is v1's memory. */
static bool read_own_path(const char *root, const struct names *names, char *path, size_t size)
{
    FILE *stream = open_below(root, "/proc/self", "cgroup");
    if (!stream)
        return false;
    char line[LINE_MAX_BYTES];
    bool found = false;
    while (!found && fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *own = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!own)
            continue;
        *own++ = '\0';
        controllers++;
        if (names == &version_2) {
            found = controllers[0] == '\0';
        } else {
            char *state = NULL;
            for (char *c = strtok_r(controllers, ",", &state); c && !found;
                 c = strtok_r(NULL, ",", &state))
                found = strcmp(c, "memory") == 0;
        }
        if (found)
            found = (size_t)snprintf(path, size, "%s", own) < size;
    }
    fclose(stream);
    return found;
}

/* One line of mountinfo: "36 35 98:0 /root /mount/point rw,... shared:1 - cgroup cgroup rw,memory".
 * Takes the line apart in place. */
static bool is_memory_mount(char *line, const struct names *names, char **ret_inside,
                            char **ret_point)
{
    char *tail = strstr(line, " - ");
    if (!tail)
        return false;
    *tail = '\0';
    char type[32], options[1024];
    if (sscanf(tail + 3, "%31s %*s %1023s", type, options) != 2 ||
        strcmp(type, names->filesystem) != 0)
        return false;
    if (names == &version_1) {
        char *state = NULL, *option = strtok_r(options, ",", &state);
        while (option && strcmp(option, "memory") != 0)
            option = strtok_r(NULL, ",", &state);
        if (!option)
            return false;
    }
    char *state = NULL, *field = strtok_r(line, " ", &state);
    for (int i = 0; field && i < 3; i++)
        field = strtok_r(NULL, " ", &state);
    *ret_inside = field;
    *ret_point = field ? strtok_r(NULL, " ", &state) : NULL;
    return *ret_point != NULL;
}

/* Where the hierarchy is mounted, and which part of it. */
static bool find_mount(const char *root, const struct names *names, char *inside, char *point,
                       size_t size)
{
    FILE *stream = open_below(root, "/proc/self", "mountinfo");
    if (!stream)
        return false;
    char line[LINE_MAX_BYTES];
    bool found = false;
    while (!found && fgets(line, sizeof line, stream)) {
        char *in, *at;
        line[strcspn(line, "\n")] = '\0';
        if (is_memory_mount(line, names, &in, &at))
            found = (size_t)snprintf(inside, size, "%s", in) < size &&
                    (size_t)snprintf(point, size, "%s", at) < size;
    }
    fclose(stream);
    return found;
}

/* Our folder below the mount point. In a container the mount shows only a part of the hierarchy, or
 * a path that is not ours to see: then the mount's own folder is the best there is. */
static void join_own_folder(const char *inside, const char *own, char *folder, size_t size)
{
    size_t skip = strcmp(inside, "/") == 0 ? 0 : strlen(inside);
    if (strncmp(own, inside, skip) != 0 || (own[skip] != '/' && own[skip] != '\0') ||
        strstr(own, "/.."))
        return;
    size_t used = strlen(folder);
    if (strcmp(own + skip, "/") != 0 && used + strlen(own + skip) < size)
        snprintf(folder + used, size - used, "%s", own + skip);
}

static void look_at_hierarchy(const char *root, const struct names *names,
                              struct sl_memory_limits *limits)
{
    char inside[PATH_MAX], point[PATH_MAX], own[PATH_MAX], folder[PATH_MAX];
    if (!find_mount(root, names, inside, point, sizeof point) ||
        !read_own_path(root, names, own, sizeof own))
        return;
    memcpy(folder, point, sizeof folder);
    join_own_folder(inside, own, folder, sizeof folder);
    for (int level = 0; level < LEVELS_MAX; level++) {
        look_at_cgroup(root, folder, names, limits);
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= strlen(point) || !slash)
            return;
        *slash = '\0';
    }
}

static uint64_t resource_limit(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

static uint64_t lock_all_limit(void)
{
    struct rlimit limit;
    if (sl_capability_has(CAP_IPC_LOCK) || getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
        limit.rlim_max == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_max;
}

/* Free ones less those promised already; and surplus ones, as far as the administrator allows. */
static void look_at_huge_pages(const char *root, struct sl_memory_limits *limits)
{
    uint64_t free = read_key(root, "/proc", "meminfo", "HugePages_Free");
    uint64_t reserved = read_key(root, "/proc", "meminfo", "HugePages_Rsvd");
    uint64_t surplus = read_key(root, "/proc", "meminfo", "HugePages_Surp");
    uint64_t more = 0;
    read_number(root, "/proc/sys/vm", "nr_overcommit_hugepages", &more);
    limits->huge_page_bytes = read_key(root, "/proc", "meminfo", "Hugepagesize") * 1024;
    uint64_t pages =
        (free > reserved ? free - reserved : 0) + (more > surplus ? more - surplus : 0);
    limits->huge_bytes = pages * limits->huge_page_bytes;
}

void sl_memory_available_below(const char *root, struct sl_memory_limits *ret_limits)
{
    struct sl_memory_limits limits = {
        .available_bytes = UINT64_MAX,
        .machine_bytes = read_key(root, "/proc", "meminfo", "MemAvailable") * 1024,
        .cgroup_bytes = UINT64_MAX,
        .file_bytes = resource_limit(RLIMIT_FSIZE),
        .lock_bytes = resource_limit(RLIMIT_MEMLOCK),
        .lock_all_bytes = lock_all_limit(),
    };
    look_at_huge_pages(root, &limits);
    if (limits.machine_bytes == 0) /* no /proc */
        limits.machine_bytes = UINT64_MAX;
    narrow(&limits, limits.machine_bytes, "%s of %s", "free memory", "the machine");
    narrow(&limits, limits.file_bytes, "%s (%s)", "RLIMIT_FSIZE", "ulimit -f");
    look_at_hierarchy(root, &version_2, &limits);
    look_at_hierarchy(root, &version_1, &limits);
    *ret_limits = limits;
}

void sl_memory_available(struct sl_memory_limits *ret_limits)
{
    sl_memory_available_below("", ret_limits);
}

/* A look takes half a millisecond, several times what a small segment takes, and an end that opens
 * makes a handful of them. So a look serves for a tenth of a second, up to a small part of what it
 * found, all that is granted together. */
enum {
    LOOK_SERVES_MS = 100,
    LOOK_PART = 64,
};
static _Atomic uint64_t looked_ns, granted_bytes, may_grant_bytes;

static bool last_look_grants(uint64_t size_bytes)
{
    if (sl_clock_monotonic_ns() - atomic_load(&looked_ns) > LOOK_SERVES_MS * SL_NS_PER_MS)
        return false;
    uint64_t most = atomic_load(&may_grant_bytes);
    return size_bytes <= most && atomic_fetch_add(&granted_bytes, size_bytes) + size_bytes <= most;
}

int sl_memory_limits_check(const char *what, uint64_t size_bytes)
{
    if (last_look_grants(size_bytes))
        return 0;
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    if (size_bytes <= limits.available_bytes) {
        atomic_store(&granted_bytes, 0);
        atomic_store(&may_grant_bytes, (limits.available_bytes - size_bytes) / LOOK_PART);
        atomic_store(&looked_ns, sl_clock_monotonic_ns());
        return 0;
    }
    const double mib = 1024 * 1024;
    return sl_error(
        -ENOMEM,
        "%s wants %.1f MiB of memory, but %.1f MiB are left (%s); take fewer or smaller "
        "slots, end something else, or raise that limit",
        what, (double)size_bytes / mib, (double)limits.available_bytes / mib, limits.narrowest);
}

int sl_memory_limits_check_huge(const char *what, uint64_t size_bytes)
{
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    const double mib = 1024 * 1024;
    if (size_bytes > limits.file_bytes)
        return sl_error(-ENOMEM, "%s wants %.1f MiB, RLIMIT_FSIZE (ulimit -f) allows %.1f MiB",
                        what, (double)size_bytes / mib, (double)limits.file_bytes / mib);
    if (size_bytes <= limits.huge_bytes)
        return 0;
    uint64_t missing = (size_bytes - limits.huge_bytes) / limits.huge_page_bytes;
    return sl_error(-ENOMEM,
                    "%s wants %.1f MiB of huge pages, but %.1f MiB are left; set %" PRIu64
                    " more aside (sysctl vm.nr_hugepages), or do without huge pages",
                    what, (double)size_bytes / mib, (double)limits.huge_bytes / mib, missing);
}
