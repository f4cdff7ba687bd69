/* SPDX-License-Identifier: Apache-2.0 */
/* memory_memfd.c - cacheable memory behind an anonymous file that takes seals, in small pages or
 * huge ones. */
#include "core/base/error.h"
#include "core/uncached/limits.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define THP_FOLDER "/sys/kernel/mm/transparent_hugepage"

static int seals_of(enum sl_memory_sharing sharing)
{
    /* SEAL: a receiver must not be able to add F_SEAL_WRITE to a ledger, or anything to anything.
     */
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return sharing == SL_MEMORY_LEDGER ? seals : seals | F_SEAL_FUTURE_WRITE;
}

static int failed(const struct sl_memory_config *config, const char *step)
{
    int err = errno;
    return sl_error(err, "memory of %s, %llu bytes: %s: %s", config->name,
                    (unsigned long long)config->size_bytes, step, strerror(err));
}

static int make_file(const struct sl_memory_config *config, uint64_t size_bytes, unsigned flags,
                     struct sl_memory *memory)
{
    char name[SL_MEMORY_NAME_MAX];
    snprintf(name, sizeof name, "sluice %s", config->name);
    memory->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (memory->fd < 0)
        return failed(config, "memfd_create");
    return ftruncate(memory->fd, (off_t)size_bytes) < 0 ? failed(config, "ftruncate") : 0;
}

/* All pages, now: the first frame must not pay for them, and what is missing must be an error here
 * rather than a signal later. */
static int allocate(const struct sl_memory_config *config, uint64_t size_bytes, int fd)
{
    int err;
    do {
        err = fallocate(fd, 0, 0, (off_t)size_bytes);
    } while (err < 0 && errno == EINTR);
    return err < 0 ? failed(config, "fallocate") : 0;
}

static int seal(const struct sl_memory_config *config, struct sl_memory *memory)
{
    memory->can_pin = true;
    /* After mapping: FUTURE_WRITE lets this mapping go on writing, and none that comes later. */
    return fcntl(memory->fd, F_ADD_SEALS, seals_of(config->sharing)) < 0
               ? failed(config, "F_ADD_SEALS")
               : 0;
}

static int create_plain(const struct sl_memory_config *config, void *place,
                        struct sl_memory *memory)
{
    uint64_t size_bytes = sl_memory_round(config->size_bytes);
    int err = sl_memory_limits_check(config->name, size_bytes);
    if (err == 0)
        err = make_file(config, size_bytes, 0, memory);
    if (err == 0)
        err = allocate(config, size_bytes, memory->fd);
    if (err == 0)
        err = sl_memory_map(config, memory->fd, 0, size_bytes, place, memory);
    return err == 0 ? seal(config, memory) : err;
}

/* Huge pages that were set aside
 * -----------------------------------------------------------------*/

static int round_huge(const char *argument, uint64_t size_bytes, uint64_t *ret_bytes)
{
    (void)argument;
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    uint64_t page = limits.huge_page_bytes;
    if (page == 0)
        return sl_error(-ENODEV, "huge pages: this kernel has none");
    *ret_bytes = (size_bytes + page - 1) / page * page;
    return 0;
}

static int create_huge(const struct sl_memory_config *config, const char *argument, void *place,
                       struct sl_memory *memory)
{
    uint64_t size_bytes = 0;
    int err = round_huge(argument, config->size_bytes, &size_bytes);
    if (err == 0)
        err = sl_memory_limits_check_huge(config->name, size_bytes);
    if (err == 0)
        err = make_file(config, size_bytes, MFD_HUGETLB, memory);
    if (err == 0)
        err = allocate(config, size_bytes, memory->fd);
    if (err == 0)
        err = sl_memory_map(config, memory->fd, 0, size_bytes, place, memory);
    if (err < 0)
        return err;
    struct stat facts;
    if (fstat(memory->fd, &facts) == 0)
        memory->page_size_bytes = (uint32_t)facts.st_blksize;
    return seal(config, memory);
}

static int look_huge(char *ret_text, size_t size)
{
    struct sl_memory_limits limits;
    sl_memory_available(&limits);
    if (limits.huge_page_bytes == 0)
        return sl_error(-ENODEV, "this kernel has no huge pages (CONFIG_HUGETLBFS)");
    if (limits.huge_bytes == 0)
        return sl_error(-ENODEV, "no huge page is free; set some aside (sysctl vm.nr_hugepages)");
    snprintf(ret_text, size, "%" PRIu64 " pages of %" PRIu64 " kB are free",
             limits.huge_bytes / limits.huge_page_bytes, limits.huge_page_bytes / 1024);
    return 0;
}

/* Huge pages that the kernel makes where it can
 * --------------------------------------------------*/

/* Of one of them; 0 = this kernel makes none. */
static uint64_t transparent_page(void)
{
    uint64_t page = 0;
    char path[128];
    snprintf(path, sizeof path, "%s" THP_FOLDER "/hpage_pmd_size", sl_memory_root);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%" SCNu64, &page) != 1)
        page = 0;
    if (file)
        fclose(file);
    return page;
}

/* "always within_size advise [never] deny force" -> "never" */
static void read_setting(char word[16])
{
    char path[128], line[128] = "";
    snprintf(word, 16, "nothing");
    snprintf(path, sizeof path, "%s" THP_FOLDER "/shmem_enabled", sl_memory_root);
    FILE *file = fopen(path, "re");
    if (file && fgets(line, sizeof line, file) && strchr(line, '['))
        sscanf(strchr(line, '[') + 1, "%15[a-z_]", word);
    if (file)
        fclose(file);
}

static int round_transparent(uint64_t size_bytes, uint64_t *ret_bytes)
{
    uint64_t page = transparent_page();
    *ret_bytes = page ? (size_bytes + page - 1) / page * page : sl_memory_round(size_bytes);
    return 0;
}

/* How much of our mapping at `base` the kernel maps by huge pages, as smaps tells. */
static uint64_t measure_transparent(const uint8_t *base, uint64_t size_bytes)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    bool is_ours = false;
    uint64_t total_kb = 0;
    while (file && fgets(line, sizeof line, file)) {
        uint64_t from, to, kb;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &from, &to) == 2)
            is_ours = from >= (uintptr_t)base && to <= (uintptr_t)base + size_bytes;
        else if (is_ours && sscanf(line, "ShmemPmdMapped: %" SCNu64 " kB", &kb) == 1)
            total_kb += kb;
    }
    if (file)
        fclose(file);
    return total_kb * 1024;
}

/* Where a huge page can begin: what is too much at either end goes back. */
static void *aligned_place(uint64_t size_bytes, uint64_t page)
{
    uint8_t *wide = mmap(NULL, size_bytes + page, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (wide == MAP_FAILED)
        return NULL;
    uint64_t before = (page - (uintptr_t)wide % page) % page;
    if (before > 0)
        munmap(wide, before);
    munmap(wide + before + size_bytes, page - before);
    return wide + before;
}

/* What was got is measured, and told where it is not what was asked for. */
static void tell_transparent(const struct sl_memory_config *config, uint64_t page,
                             struct sl_memory *memory)
{
    char setting[16];
    uint64_t huge_bytes = measure_transparent(memory->base, memory->size_bytes);
    if (page > 0 && huge_bytes == memory->size_bytes) {
        memory->page_size_bytes = (uint32_t)page;
        return;
    }
    read_setting(setting);
    sl_error(0,
             "memory of %s: %.1f of %.1f MiB are in transparent huge pages (%s/shmem_enabled says "
             "%s; advise lets those have them who ask)",
             config->name, (double)huge_bytes / (1 << 20), (double)memory->size_bytes / (1 << 20),
             THP_FOLDER, setting);
}

static int create_transparent(const struct sl_memory_config *config, struct sl_memory *memory)
{
    uint64_t size_bytes = 0, page = transparent_page();
    int err = round_transparent(config->size_bytes, &size_bytes);
    if (err == 0)
        err = sl_memory_limits_check(config->name, size_bytes);
    if (err == 0)
        err = make_file(config, size_bytes, 0, memory);
    if (err < 0)
        return err;
    void *place = page ? aligned_place(size_bytes, page) : NULL;
    void *base = mmap(place, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | (place ? MAP_FIXED : 0), memory->fd, 0);
    if (base == MAP_FAILED) {
        err = failed(config, "mmap");
        if (place)
            munmap(place, size_bytes);
        return err;
    }
    memory->base = base;
    memory->size_bytes = size_bytes;
    memory->page_size_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
    memory->is_writable = true;
    /* By the mapping, which may have huge pages; by the file comes what that left out. */
    if (madvise(base, size_bytes, MADV_HUGEPAGE) == 0)
        madvise(base, size_bytes, MADV_POPULATE_WRITE);
    err = allocate(config, size_bytes, memory->fd);
    if (err == 0) /* a plain second look: touched, so that every page is mapped */
        for (uint64_t at = 0; at < size_bytes; at += memory->page_size_bytes)
            __asm__ volatile("" : : "r"(*(memory->base + at)));
    if (err == 0)
        err = seal(config, memory);
    if (err == 0)
        tell_transparent(config, page, memory);
    return err;
}

/* ---------------------------------------------------------------------------------------------- */

static int check(const char *argument)
{
    if (strcmp(argument, "huge") == 0 || strcmp(argument, "thp") == 0)
        return 0;
    return sl_error(-EINVAL,
                    "memory memfd: there is no '%.32s'; give memfd, memfd:huge or "
                    "memfd:thp",
                    argument);
}

static int round_memfd(const char *argument, uint64_t size_bytes, uint64_t *ret_bytes)
{
    if (strcmp(argument, "huge") == 0)
        return round_huge("", size_bytes, ret_bytes);
    if (strcmp(argument, "thp") == 0)
        return round_transparent(size_bytes, ret_bytes);
    *ret_bytes = sl_memory_round(size_bytes);
    return 0;
}

static int create(const struct sl_memory_config *config, const char *argument, void *place,
                  struct sl_memory *memory)
{
    if (strcmp(argument, "huge") == 0)
        return create_huge(config, "", place, memory);
    if (strcmp(argument, "thp") == 0)
        return create_transparent(config, memory);
    return create_plain(config, place, memory);
}

static int look(char *ret_text, size_t size)
{
    char setting[16];
    read_setting(setting);
    snprintf(ret_text, size, "always there; memfd:thp where shmem_enabled (%s) lets it", setting);
    return 0;
}

const struct sl_memory_provider sl_memory_memfd = {
    .name = "memfd",
    .argument = "[:huge|:thp]",
    .help = "cacheable memory of the machine; huge pages set aside, or made where the kernel can",
    .check = check,
    .round = round_memfd,
    .look = look,
    .create = create,
};

const struct sl_memory_provider sl_memory_hugetlb = {
    .name = "hugetlb",
    .argument = "",
    .help = "the same in huge pages that were set aside (sysctl vm.nr_hugepages)",
    .round = round_huge,
    .look = look_huge,
    .create = create_huge,
};
