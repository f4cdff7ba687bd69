/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/log_crew.h"

#include "core/base/error.h"
#include "tests/bench/bus_crew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder. ---------------------------------------------------------------------------------- */

int log_place_make(struct log_place *place, const char *within)
{
    if (snprintf(place->folder, sizeof place->folder, "%s/sluice-bench-XXXXXX", within) >=
        (int)sizeof place->folder)
        return sl_error(-ENAMETOOLONG, "option --folder: %.60s...: too long", within);
    if (!mkdtemp(place->folder))
        return sl_error(-errno, "option --folder: no logs can be written in %s: %s", within,
                        strerror(errno));
    snprintf(place->log, sizeof place->log, "%s/log.mcap", place->folder);
    return 0;
}

void log_place_settle(const struct log_place *place)
{
    int fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    syncfs(fd);
    close(fd);
}

int log_place_check(const struct log_place *place, uint64_t bytes_min)
{
    struct stat st;
    if (stat(place->log, &st) < 0)
        return sl_error(-errno, "%s: %s", place->log, strerror(errno));
    return (uint64_t)st.st_size >= bytes_min
               ? 0
               : sl_error(-EIO, "%s is smaller than what went into it", place->log);
}

void log_place_remove(struct log_place *place)
{
    unlink(place->log);
    rmdir(place->folder);
}

/* Memory. -------------------------------------------------------------------------------------- */

int log_memory_map(struct log_memory *memory, unsigned frames, uint64_t frame_bytes)
{
    size_t size = frames * frame_bytes;
    int fd = memfd_create("bench", MFD_CLOEXEC);
    void *bytes = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    int err =
        bytes == MAP_FAILED ? sl_error(-errno, "no memory for frames: %s", strerror(errno)) : 0;
    if (fd >= 0)
        close(fd);
    if (err < 0)
        return err;
    *memory = (struct log_memory){bytes, frames, frame_bytes};
    return 0;
}

void log_memory_unmap(struct log_memory *memory)
{
    munmap(memory->bytes, memory->frames * memory->frame_bytes);
}

void *log_memory_frame(const struct log_memory *memory, unsigned number)
{
    return memory->bytes + number % memory->frames * memory->frame_bytes;
}

/* Figures. ------------------------------------------------------------------------------------- */

uint64_t log_user_ns(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (uint64_t)used.ru_utime.tv_sec * SL_NS_PER_S +
           (uint64_t)used.ru_utime.tv_usec * SL_NS_PER_US;
}

double log_rate(const struct log_sample *samples, unsigned rounds, uint64_t amount)
{
    double values[BUS_ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++)
        values[i] = (double)amount * 1e9 / (double)(samples[i].wall_ns + 1);
    return bus_median(values, rounds);
}

double log_user_s_per_gb(const struct log_sample *samples, unsigned rounds, uint64_t bytes)
{
    uint64_t user_ns = 0;
    for (unsigned i = 0; i < rounds; i++)
        user_ns += samples[i].user_ns;
    return (double)user_ns / (double)(rounds * bytes); /* ns a byte is s a GB */
}

double log_ratio(const struct log_sample *samples, const struct log_sample *raw, unsigned rounds)
{
    double values[BUS_ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++)
        values[i] = (double)raw[i].wall_ns / (double)(samples[i].wall_ns + 1);
    return bus_median(values, rounds);
}
