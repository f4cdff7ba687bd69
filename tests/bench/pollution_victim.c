/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/pollution_victim.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/uncached/limits.h"
#include "tests/bench/pollution_bench.h"

#define LINE_BYTES       64u
#define HUGE_BYTES       ((size_t)2 << 20)
#define L2_USUAL_BYTES   ((size_t)1 << 20)
#define LAST_USUAL_BYTES ((size_t)32 << 20)
#define ROUNDS_USUAL     15
#define POOL_BYTES       ((size_t)256 << 20)
#define POOL_MIN_BYTES   ((size_t)64 << 20)
#define POOL_QUICK_BYTES ((size_t)8 << 20)
#define CACHES_MAX       8 /* entries of a processor in sysfs that are looked at */

/* Memory. -------------------------------------------------------------------------------------- */

void *pollution_map(size_t size_bytes)
{
    /* aligned to huge pages: map so much more, and give back what is too much */
    size_t size = (size_bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    uint8_t *map = mmap(NULL, size + HUGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        sl_error(-ENOMEM, "pollution bench: %zu bytes of memory: %s", size, strerror(errno));
        return NULL;
    }
    size_t before = (HUGE_BYTES - (uintptr_t)map % HUGE_BYTES) % HUGE_BYTES;
    if (before > 0)
        munmap(map, before);
    munmap(map + before + size, HUGE_BYTES - before);
    madvise(map + before, size, MADV_HUGEPAGE); /* else in small ones: slower, not wrong */
    memset(map + before, 1, size);
    return map + before;
}

void pollution_unmap(void *base, size_t size_bytes)
{
    if (base)
        munmap(base, (size_bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES);
}

/* The chase. ----------------------------------------------------------------------------------- */

/* xorshift64: the same way in every run */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void shuffle(uint32_t *lines, size_t count)
{
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < count; i++)
        lines[i] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = random_next(&random) % (i + 1);
        uint32_t line = lines[i];
        lines[i] = lines[j];
        lines[j] = line;
    }
}

int pollution_victim_init(struct pollution_victim *victim, size_t size_bytes)
{
    size_t count = size_bytes / LINE_BYTES;
    uint32_t *lines = malloc(count * sizeof *lines);
    *victim = (struct pollution_victim){.size_bytes = size_bytes, .step_count = count};
    if (lines)
        victim->base = pollution_map(size_bytes);
    if (!victim->base) {
        free(lines);
        return sl_error(-ENOMEM, "pollution bench: no memory for a victim of %zu bytes",
                        size_bytes);
    }
    shuffle(lines, count);
    uint8_t *base = victim->base;
    for (size_t i = 0; i < count; i++) {
        void *next = base + (size_t)lines[(i + 1) % count] * LINE_BYTES;
        memcpy(base + (size_t)lines[i] * LINE_BYTES, &next, sizeof next);
    }
    victim->at = victim->base;
    free(lines);
    return 0;
}

double pollution_victim_steps_ns(struct pollution_victim *victim, size_t step_count)
{
    void **at = victim->at;
    uint64_t start_ns = sl_clock_monotonic_ns();
    for (size_t i = 0; i < step_count; i++)
        at = *at;
    __asm__ volatile("" : "+r"(at) : : "memory"); /* the way is walked to its end in between */
    uint64_t end_ns = sl_clock_monotonic_ns();
    victim->at = at;
    return (double)(end_ns - start_ns) / (double)step_count;
}

double pollution_victim_pass_ns(struct pollution_victim *victim)
{
    return pollution_victim_steps_ns(victim, victim->step_count);
}

void pollution_victim_finish(struct pollution_victim *victim)
{
    pollution_unmap(victim->base, victim->size_bytes);
    *victim = (struct pollution_victim){0};
}

/* The machine. --------------------------------------------------------------------------------- */

static bool read_text(unsigned index, const char *name, char text[32])
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%u/%s", index, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool got = fgets(text, 32, file) != NULL;
    fclose(file);
    return got;
}

size_t pollution_cache_bytes(unsigned level)
{
    char text[32];
    for (unsigned i = 0; i < CACHES_MAX && read_text(i, "level", text); i++) {
        if (strtoul(text, NULL, 10) != level || !read_text(i, "type", text) ||
            strncmp(text, "Instruction", 11) == 0 || !read_text(i, "size", text))
            continue;
        char *unit;
        size_t size = strtoul(text, &unit, 10);
        size <<= *unit == 'K' ? 10 : *unit == 'M' ? 20 : 0;
        if (size > 0)
            return size;
    }
    return level <= 2 ? L2_USUAL_BYTES : LAST_USUAL_BYTES;
}

static cpu_set_t allowed; /* at the first call; none = not asked yet */

int pollution_pin(unsigned nth)
{
    if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return sl_error(-errno, "pollution bench: which processors? %s", strerror(errno));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || nth-- > 0)
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) < 0)
            return sl_error(-errno, "pollution bench: processor %d: %s", cpu, strerror(errno));
        return 0;
    }
    return sl_error(-ENODEV, "pollution bench: there is no further processor to be had");
}

int pollution_pin_apart(void)
{
    return pollution_pin(1) == 0 ? 0 : pollution_pin(0);
}

void pollution_roam(void)
{
    if (CPU_COUNT(&allowed) > 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
}

uint64_t pollution_switches(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? (uint64_t)(usage.ru_nivcsw + usage.ru_nvcsw) : 0;
}

unsigned pollution_rounds(const struct sl_bench_pollution_options *options)
{
    unsigned rounds = options->rounds ? options->rounds : options->is_quick ? 1 : ROUNDS_USUAL;
    return rounds < POLLUTION_ROUNDS_MAX ? rounds : POLLUTION_ROUNDS_MAX;
}

size_t pollution_pool_bytes(const struct sl_bench_pollution_options *options)
{
    if (options->pool_bytes)
        return options->pool_bytes;
    if (options->is_quick)
        return POOL_QUICK_BYTES;
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    size_t size = POOL_BYTES;
    while (size > POOL_MIN_BYTES && size > limits.available_bytes / 4)
        size /= 2;
    return size;
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

double pollution_quantile(double *numbers, unsigned count, unsigned quarters)
{
    qsort(numbers, count, sizeof *numbers, compare);
    return numbers[(count - 1) * quarters / 4];
}
