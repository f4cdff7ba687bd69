/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/machine.h"

#include "tools/tool.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CPU0 "/sys/devices/system/cpu/cpu0"

/* The first line of a small file; "" if there is none. */
static bool first_line(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "re");
    to[0] = '\0';
    if (!file)
        return false;
    bool got = fgets(to, (int)size, file) != NULL;
    fclose(file);
    to[strcspn(to, "\n")] = '\0';
    return got;
}

/* x86 says "model name", arm64 names no model at all. */
static void read_cpu(char to[SL_MACHINE_TEXT_MAX])
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(to, SL_MACHINE_TEXT_MAX, "?");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        snprintf(to, SL_MACHINE_TEXT_MAX, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

static void read_caches(char to[SL_MACHINE_TEXT_MAX])
{
    size_t used = 0;
    to[0] = '\0';
    for (int i = 0; i < 8 && used < SL_MACHINE_TEXT_MAX; i++) {
        char path[96], level[8], type[24], size[24];
        snprintf(path, sizeof path, CPU0 "/cache/index%d/level", i);
        if (!first_line(path, level, sizeof level))
            break;
        snprintf(path, sizeof path, CPU0 "/cache/index%d/type", i);
        first_line(path, type, sizeof type);
        snprintf(path, sizeof path, CPU0 "/cache/index%d/size", i);
        first_line(path, size, sizeof size);
        if (strcmp(type, "Instruction") == 0)
            continue;
        used +=
            (size_t)snprintf(to + used, SL_MACHINE_TEXT_MAX - used, "%sL%s%s %s", used ? ", " : "",
                             level, strcmp(type, "Data") == 0 ? "d" : "", size);
    }
    if (!to[0])
        snprintf(to, SL_MACHINE_TEXT_MAX, "?");
}

void sl_machine_read(struct sl_machine *ret_machine)
{
    struct sl_machine *m = ret_machine;
    struct utsname name;
    cpu_set_t allowed;
    *m = (struct sl_machine){0};
    read_cpu(m->cpu);
    read_caches(m->caches);
    snprintf(m->kernel, sizeof m->kernel, "?");
    if (uname(&name) == 0)
        snprintf(m->kernel, sizeof m->kernel, "%s %s %s", name.sysname, name.release, name.machine);
    if (!first_line(CPU0 "/cpufreq/scaling_governor", m->governor, sizeof m->governor))
        snprintf(m->governor, sizeof m->governor, "?");
    long online = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    m->cores_online = online > 0 ? (unsigned)online : 0;
    m->cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (unsigned)CPU_COUNT(&allowed)
                                                                   : m->cores_online;
    m->memory_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void sl_machine_print(const struct sl_machine *m, FILE *to)
{
    char memory[SL_SHOW_MAX];
    fprintf(to, "machine   %s, %u of %u cores, %s\n", m->cpu, m->cores, m->cores_online, m->caches);
    fprintf(to, "          %s, governor %s, memory %s\n", m->kernel, m->governor,
            sl_show_bytes((double)m->memory_bytes, memory, sizeof memory));
}

void sl_machine_json(const struct sl_machine *m, struct sl_json *json)
{
    sl_json_text(json, "machine_cpu", m->cpu);
    sl_json_count(json, "machine_cores", m->cores);
    sl_json_count(json, "machine_cores_online", m->cores_online);
    sl_json_text(json, "machine_caches", m->caches);
    sl_json_text(json, "machine_kernel", m->kernel);
    sl_json_text(json, "machine_governor", m->governor);
    sl_json_count(json, "machine_memory_bytes", m->memory_bytes);
}
