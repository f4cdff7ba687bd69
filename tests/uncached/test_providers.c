/* SPDX-License-Identifier: Apache-2.0 */
/* test_providers.c - memory of devices on a machine that has none: what is missing is named, what
 * cannot be is refused, and files in a folder stand for a BAR and for /dev/mem. The real ones are
 * in tests/vm. */
#include "core/base/error.h"
#include "core/uncached/memory.h"

#include "tests/emulated.h"
#include "tests/uncached/pieces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE   4096u
#define DEVICE "/sys/bus/pci/devices/0000:00:04.0"

/* A machine of files ----------------------------------------------------------------------------*/

static char machine[64];

static char *place(const char *path)
{
    static char full[256];
    assert_true((size_t)snprintf(full, sizeof full, "%s%s", machine, path) < sizeof full);
    for (char *slash = full + strlen(machine) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    return full;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(place(path), "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* A file of zeros, all there. */
static void put_bytes(const char *path, off_t size)
{
    int fd = open(place(path), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static unsigned count_fds(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static unsigned fds_before;

static int make_machine(void **state)
{
    (void)state;
    snprintf(machine, sizeof machine, "/tmp/sluice-providers-XXXXXX");
    if (!mkdtemp(machine))
        return -1;
    sl_memory_root = machine;
    fds_before = count_fds();
    return 0;
}

static int remove_machine(void **state)
{
    (void)state;
    char command[128];
    sl_memory_root = "";
    sl_memory_set_own_provider(NULL);
    unsigned left = count_fds();
    snprintf(command, sizeof command, "rm -r '%s'", machine);
    return system(command) == 0 && left == fds_before ? 0 : -1; /* nothing may leak */
}

static int make(const char *kind, uint64_t size, struct sl_memory *memory)
{
    struct sl_memory_config config = {.provider = kind, .name = "test", .size_bytes = size};
    return sl_memory_create(&config, memory);
}

static void refused(const char *kind, uint64_t size, int err, const char *words)
{
    struct sl_memory memory = SL_MEMORY_NONE;
    int got = make(kind, size, &memory);
    if (got != err || !strstr(sl_error_text(), words))
        fail_msg("%s: %d, %s", kind, got, sl_error_text());
    assert_null(memory.base);
    assert_int_equal(memory.fd, -1);
}

/* What is missing -------------------------------------------------------------------------------*/

static void what_the_machine_lacks_is_named(void **state)
{
    (void)state;
    refused("vgem", PAGE, -ENODEV, "modprobe vgem");
    refused("dma-heap:system", PAGE, -ENODEV, "/dev/dma_heap: a kernel with CONFIG_DMABUF_HEAPS");
    refused("bar:0000:00:04.0/2", PAGE, -ENODEV,
            "no PCI device 0000:00:04.0; BARs that can be "
            "mapped: none");
    refused("reserved:0x10000000+16M", PAGE, -ENODEV, "/dev/mem: a kernel with CONFIG_DEVMEM");
    char text[128];
    static const char *const kinds[] = {"vgem", "dma-heap:x", "bar:00:04.0/2", "reserved:0+4k"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_int_equal(sl_memory_look(kinds[i], text, sizeof text), -ENODEV);
    assert_int_equal(sl_memory_look("memfd", text, sizeof text), 0);
}

static void a_card_of_vgem_is_known_by_its_device(void **state)
{
    (void)state;
    place("/sys/class/drm/card0/x");
    place("/sys/class/drm/card1/x");
    assert_int_equal(
        symlink("../../../pci0000:00/0000:00:02.0", place("/sys/class/drm/card0/device")), 0);
    refused("vgem", PAGE, -ENODEV, "modprobe vgem");
    assert_int_equal(symlink("../../../vgem", place("/sys/class/drm/card1/device")), 0);
    refused("vgem", PAGE, -ENODEV, "the card of vgem is card1, but there is no");
    put("/dev/dri/card1", "");
    refused("vgem", PAGE, -ENOTTY, "/dev/dri/card1");
}

static void heaps_that_are_there_are_named(void **state)
{
    (void)state;
    put("/dev/dma_heap/system", "");
    refused("dma-heap:linux,cma", PAGE, -ENODEV, "there are: system");
    refused("dma-heap:system", PAGE, SLUICE_EMULATED ? -ENOSYS : -ENOTTY,
            "heap system gives no 4096 bytes");
}

static void kinds_are_told_apart_by_their_text(void **state)
{
    (void)state;
    static const char *const fine[] = {"memfd",
                                       "memfd:huge",
                                       "memfd:thp",
                                       "hugetlb",
                                       "vgem",
                                       "dma-heap:linux,cma",
                                       "bar:00:04.0/2",
                                       "bar:0001:ff:1f.7/5",
                                       "bar:00:04.0/0/wc",
                                       "bar:00:04.0/0/uc",
                                       "reserved:0x10000000+16M",
                                       "reserved:4096+4k"};
    static const char *const wrong[] = {"memfd:",
                                        "memfd:small",
                                        "hugetlb:1",
                                        "vgem:0",
                                        "dma-heap",
                                        "dma-heap:",
                                        "dma-heap:../x",
                                        "bar:",
                                        "bar:00:04.0",
                                        "bar:00:04.0/6",
                                        "bar:00:04.8/0",
                                        "bar:00:04.0/2/wb",
                                        "bar:00:20.0/2",
                                        "bar:0000:00:04.0",
                                        "reserved:0x1000",
                                        "reserved:+4k",
                                        "reserved:1000+4k",
                                        "reserved:0x1000+0",
                                        "reserved:0x1000+5000",
                                        "reserved:-4096+4k",
                                        "reserved:0xfffffffffffff000+8k"};
    static const char *const none[] = {"", "memf", "memfdx", "vgen", "Memfd", ":huge", "bar "};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (sl_memory_check(fine[i]) != 0)
            fail_msg("%s: %s", fine[i], sl_error_text());
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sl_memory_check(wrong[i]) != -EINVAL || sl_error_text()[0] == '\0')
            fail_msg("%s is no error", wrong[i]);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (sl_memory_check(none[i]) != -ENOENT)
            fail_msg("%s is a kind", none[i]);
    assert_false(sl_memory_is_ram("bar:00:04.0/2"));
    assert_false(sl_memory_is_ram("reserved:4096+4k"));
    assert_true(sl_memory_is_ram("vgem"));
    assert_true(sl_memory_is_ram(NULL));
}

/* A BAR -----------------------------------------------------------------------------------------*/

/* BAR 0 of ports, BAR 1 of 64 kB, BAR 2 of 64 kB that is prefetchable. */
static void put_device(bool enabled)
{
    put(DEVICE "/resource", "0x000000000000c000 0x000000000000c0ff 0x0000000000040101\n"
                            "0x00000000febf0000 0x00000000febfffff 0x0000000000040200\n"
                            "0x00000000fe000000 0x00000000fe00ffff 0x000000000014220c\n");
    put_bytes(DEVICE "/resource1", 65536);
    put_bytes(DEVICE "/resource2", 65536);
    put_bytes(DEVICE "/resource2_wc", 65536);
    put(DEVICE "/config", enabled ? "\x86\x80\x11\x11\x02 \n" : "\x86\x80\x11\x11\x01 \n");
    put(DEVICE "/numa_node", "-1\n");
}

static void bars_that_cannot_be_are_refused_with_those_that_can(void **state)
{
    (void)state;
    put_device(false);
    refused("bar:00:04.0/2", PAGE, -ENODEV, "is not enabled; echo 1 > ");
    put_device(true);
    refused("bar:00:05.0/2", PAGE, -ENODEV,
            "no PCI device 0000:00:05.0; BARs that can be mapped: 0000:00:04.0/1 (0.1 MiB), "
            "0000:00:04.0/2 (0.1 MiB, prefetchable)");
    refused("bar:00:04.0/0", PAGE, -ENODEV, "BAR 0 of 0000:00:04.0 is no memory");
    refused("bar:00:04.0/4", PAGE, -ENODEV,
            "has no BAR 4 that can be mapped; it has: 0000:00:04.0/1");
    refused("bar:00:04.0/1/wc", PAGE, -ENODEV, "not prefetchable");
    refused("bar:00:04.0/2", 65537, -ENOMEM, "there are 0.1 MiB; take fewer or smaller slots");
    char text[256];
    assert_int_equal(sl_memory_look("bar:00:04.0/2", text, sizeof text), 0);
    assert_non_null(strstr(text, "2 BARs: 0000:00:04.0/1"));
}

static void a_bar_is_mapped_by_the_file_that_is_wished_for(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *file;
    } cases[] = {{"bar:00:04.0/2", "/resource2_wc"},
                 {"bar:0000:00:04.0/2/wc", "/resource2_wc"},
                 {"bar:00:04.0/2/uc", "/resource2"},
                 {"bar:00:04.0/1", "/resource1"}};
    put_device(true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_memory memory;
        char path[256], link[64];
        assert_int_equal(make(cases[i].kind, 5000, &memory), 0);
        assert_int_equal(memory.size_bytes, 2 * PAGE);
        assert_int_equal(memory.handle, SL_MEMORY_SYSFS);
        assert_true(memory.is_writable && memory.needs_care && !memory.is_dmabuf);
        snprintf(link, sizeof link, "/proc/self/fd/%d", memory.fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        assert_true(n > 0);
        path[n] = '\0';
        assert_string_equal(strrchr(path, '/'), cases[i].file);
        memory.base[0] = 7;
        /* What is handed over can be written by nobody. */
        assert_ptr_equal(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0),
                         MAP_FAILED);
        assert_int_equal(errno, EACCES);
        sl_memory_close(&memory);
    }
}

static void pools_share_a_bar_and_keep_apart(void **state)
{
    (void)state;
    struct sl_memory first, second, third;
    put_device(true);
    assert_int_equal(make("bar:00:04.0/2", 32768, &first), 0);
    assert_int_equal(make("bar:00:04.0/2/uc", 16384, &second), 0); /* the other file, same memory */
    assert_int_equal(first.offset, 0);
    assert_int_equal(second.offset, 32768);
    refused("bar:00:04.0/2", 32768, -EBUSY, "other pools have too much of them");
    /* A reader's descriptor keeps the place of a publisher that is gone. */
    int reader = dup(first.fd);
    sl_memory_close(&first);
    refused("bar:00:04.0/2", 32768, -EBUSY, "readers hold frames");
    close(reader);
    assert_int_equal(make("bar:00:04.0/2", 32768, &third), 0);
    assert_int_equal(third.offset, 0);
    sl_memory_close(&third);
    sl_memory_close(&second);
}

static void a_device_that_is_gone_is_told_before_it_is_touched(void **state)
{
    (void)state;
    struct sl_memory memory;
    int ends[2];
    put_device(true);
    assert_int_equal(make("bar:00:04.0/2", PAGE, &memory), 0);
    assert_int_equal(sl_memory_enter(&memory, 0, true), 0);
    sl_memory_leave(&memory, 0, true);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0); /* cannot be read at an offset, as what is gone */
    assert_true(dup2(ends[0], memory.fd) >= 0);
    assert_int_equal(sl_memory_enter(&memory, 0, true), -ENODEV);
    assert_non_null(strstr(sl_error_text(), "its device is gone"));
    sl_memory_close(&memory);
    close(ends[0]);
    close(ends[1]);
}

/* A reserved range ------------------------------------------------------------------------------*/

#define RANGE "reserved:0x10000+64k"

static void put_memory(void)
{
    put("/proc/iomem", "00000000-00000fff : Reserved\n"
                       "00001000-0000ffff : System RAM\n"
                       "  00002000-00002fff : Kernel code\n"
                       "00010000-0001ffff : Reserved\n"
                       "00020000-0003ffff : System RAM\n");
    put_bytes("/dev/mem", 0x40000);
}

/* Without the right to see it, or without the file. */
static void memory_is_not_taken_where_the_kernel_hides_its_own(void **state)
{
    (void)state;
    put_memory();
    put("/proc/iomem", "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n");
    refused(RANGE, PAGE, -EPERM, "does not show which memory is the kernel's own");
    put("/proc/iomem", "");
    refused(RANGE, PAGE, -EPERM, "be root with CAP_SYS_ADMIN");
}

static void memory_that_the_kernel_uses_is_refused(void **state)
{
    (void)state;
    put_memory();
    refused("reserved:0x2000+4k", PAGE, -EPERM, "is the kernel's own memory (0x1000-0xffff in ");
    refused("reserved:0x1f000+8k", PAGE, -EPERM, "memmap=SIZE$ADDRESS");
    refused("reserved:0xf000+8k", PAGE, -EPERM, "is the kernel's own memory");
    refused(RANGE, 65537, -ENOMEM, "there are 0.1 MiB");
    struct sl_memory memory;
    assert_int_equal(make(RANGE, 65536, &memory), 0);
    assert_int_equal(memory.handle, SL_MEMORY_PHYSICAL);
    assert_int_equal(memory.offset, 0x10000);
    refused(RANGE, PAGE, -EBUSY, "other pools");
    sl_memory_close(&memory);
}

static struct sl_memory_offer offer_of(const struct sl_memory *memory)
{
    return (struct sl_memory_offer){.handle = memory->handle,
                                    .size_bytes = memory->size_bytes,
                                    .slot_bytes = memory->slot_bytes,
                                    .offset = memory->offset,
                                    .needs_sync = memory->needs_sync};
}

static void a_reader_opens_a_reserved_range_by_itself(void **state)
{
    (void)state;
    struct sl_memory writer, reader, successor;
    put_memory();
    assert_int_equal(make(RANGE, 32768, &writer), 0);
    writer.base[32767] = 42;
    struct sl_memory_offer offer = offer_of(&writer);
    assert_int_equal(sl_memory_expect(&offer, &reader), 0);
    assert_int_equal(sl_memory_add(&reader, -1), 1);
    assert_int_equal(reader.base[32767], 42);
    assert_false(reader.is_writable);
    sl_memory_close(&writer);
    /* What it may still hold is not written over. */
    assert_int_equal(make(RANGE, 32768, &successor), 0);
    assert_int_equal(successor.offset, 0x18000);
    sl_memory_close(&successor);
    sl_memory_close(&reader);
    assert_int_equal(make(RANGE, 65536, &successor), 0);
    sl_memory_close(&successor);

    offer.offset = 0x2000; /* an address that he should not read */
    assert_int_equal(sl_memory_expect(&offer, &reader), 0);
    assert_int_equal(sl_memory_add(&reader, -1), -EPERM);
    sl_memory_close(&reader);
    assert_int_equal(unlink(place("/dev/mem")), 0);
    offer = (struct sl_memory_offer){
        .handle = SL_MEMORY_PHYSICAL, .offset = 0x10000, .size_bytes = PAGE};
    assert_int_equal(sl_memory_expect(&offer, &reader), 0);
    assert_int_equal(sl_memory_add(&reader, -1), -EACCES);
    sl_memory_close(&reader);
}

/* A descriptor a slot ---------------------------------------------------------------------------*/

#define SLOTS 5

static void make_pieces(struct sl_memory *memory)
{
    sl_memory_set_own_provider(&pieces_provider);
    struct sl_memory_config config = {.provider = "pieces",
                                      .name = "test",
                                      .size_bytes = SLOTS * 2 * PAGE,
                                      .slot_bytes = 2 * PAGE};
    if (sl_memory_create(&config, memory) < 0)
        fail_msg("%s", sl_error_text());
}

static void pieces_are_one_region_at_both_ends(void **state)
{
    (void)state;
    struct sl_memory writer, reader;
    make_pieces(&writer);
    assert_int_equal(writer.piece_count, SLOTS);
    assert_int_equal(writer.fd, -1);
    assert_int_equal(writer.kind, SL_MEMORY_WB);
    assert_false(writer.needs_care);
    for (uint64_t i = 0; i < writer.size_bytes; i++)
        writer.base[i] = (uint8_t)(i * 7 + i / PAGE);
    struct sl_memory_offer offer = offer_of(&writer);
    assert_int_equal(sl_memory_expect(&offer, &reader), 0);
    for (unsigned i = 0; i < SLOTS; i++)
        assert_int_equal(sl_memory_add(&reader, dup(writer.piece_fd[i])), i == SLOTS - 1);
    assert_int_equal(sl_memory_add(&reader, writer.piece_fd[0]), -EPROTO); /* one too many */
    assert_memory_equal(reader.base, writer.base, writer.size_bytes);
    assert_int_equal(reader.kind, SL_MEMORY_WB);
    assert_int_equal(mprotect(reader.base, PAGE, PROT_READ | PROT_WRITE), -1);
    sl_memory_close(&writer);
    assert_int_equal(reader.base[PAGE], (uint8_t)(PAGE * 7 + 1)); /* outlives its maker */
    sl_memory_close(&reader);
    assert_null(reader.piece_fd);
}

static void slots_that_are_no_pieces_are_refused(void **state)
{
    (void)state;
    sl_memory_set_own_provider(&pieces_provider);
    static const struct {
        uint64_t size, slot;
    } cases[] = {{5000, 5000},
                 {3 * PAGE, 2 * PAGE},
                 {PAGE, 2 * PAGE},
                 {(SL_MEMORY_PIECES_MAX + 1) * (uint64_t)PAGE, PAGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_memory memory = SL_MEMORY_NONE;
        struct sl_memory_config config = {.provider = "pieces",
                                          .name = "test",
                                          .size_bytes = cases[i].size,
                                          .slot_bytes = cases[i].slot};
        assert_int_equal(sl_memory_create(&config, &memory), -EINVAL);
        assert_non_null(strstr(sl_error_text(), "give 1 to 1024 slots of whole pages"));
    }
}

static void offers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct sl_memory_offer offers[] = {
        {.handle = SL_MEMORY_HANDLES, .size_bytes = PAGE},
        {.handle = SL_MEMORY_SEALED},
        {.handle = SL_MEMORY_SEALED, .size_bytes = PAGE, .offset = PAGE},
        {.handle = SL_MEMORY_SEALED, .size_bytes = PAGE, .needs_sync = true},
        {.handle = SL_MEMORY_SEALED, .size_bytes = 3 * PAGE, .slot_bytes = 2 * PAGE},
        {.handle = SL_MEMORY_DMABUF, .size_bytes = 5000, .slot_bytes = 5000},
        {.handle = SL_MEMORY_DMABUF, .size_bytes = 2000ull * PAGE, .slot_bytes = PAGE},
        {.handle = SL_MEMORY_SYSFS, .size_bytes = 2 * PAGE, .slot_bytes = PAGE},
        {.handle = SL_MEMORY_SYSFS, .size_bytes = PAGE, .offset = 5},
        {.handle = SL_MEMORY_PHYSICAL, .size_bytes = 2 * PAGE, .slot_bytes = PAGE},
        {.handle = SL_MEMORY_PHYSICAL, .size_bytes = UINT64_MAX - 4095, .offset = 8192},
    };
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        struct sl_memory memory = SL_MEMORY_NONE;
        if (sl_memory_expect(&offers[i], &memory) != -EPROTO)
            fail_msg("offer %zu is taken", i);
        assert_null(memory.base);
    }
}

static int sealed_memfd(off_t size)
{
    int fd = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0 && ftruncate(fd, size) == 0 && fallocate(fd, 0, 0, size) == 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE), 0);
    return fd;
}

static void descriptors_of_another_sort_are_refused(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int small = sealed_memfd(PAGE), fine = sealed_memfd(2 * PAGE);
    int sys = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const struct {
        uint32_t handle;
        int fd, err;
        const char *words;
    } cases[] = {
        {SL_MEMORY_SEALED, ends[0], -EPROTO, "no memfd"},
        {SL_MEMORY_SEALED, small, -EPROTO, "announced with 8192"},
        {SL_MEMORY_SEALED, -1, -EBADF, "descriptor"},
        {SL_MEMORY_DMABUF, fine, -EPROTO, "no dma-buf"},
        {SL_MEMORY_DMABUF, ends[0], -EPROTO, "no dma-buf"},
        {SL_MEMORY_DMABUF, sys, -EPROTO, "no dma-buf"},
        {SL_MEMORY_SYSFS, fine, -EPROTO, "no BAR"},
        {SL_MEMORY_SYSFS, file, -EPROTO, "no BAR"},
        {SL_MEMORY_SYSFS, ends[0], -EPROTO, "no BAR"},
        {SL_MEMORY_SYSFS, sys, -EPROTO, "BAR"}, /* a file of sysfs, too short */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool in_pieces = cases[i].handle != SL_MEMORY_SYSFS;
        struct sl_memory_offer offer = {.handle = cases[i].handle,
                                        .size_bytes = 4 * PAGE,
                                        .slot_bytes = in_pieces ? 2 * PAGE : 0};
        struct sl_memory memory;
        assert_int_equal(sl_memory_expect(&offer, &memory), 0);
        int err = sl_memory_add(&memory, cases[i].fd);
        if (err != cases[i].err || !strstr(sl_error_text(), cases[i].words))
            fail_msg("case %zu: %d, %s", i, err, sl_error_text());
        sl_memory_close(&memory); /* half-built; the descriptor stays ours */
        assert_true(cases[i].fd < 0 || fcntl(cases[i].fd, F_GETFD) >= 0);
    }
    close(ends[0]);
    close(ends[1]);
    close(small);
    close(fine);
    close(file);
    if (sys >= 0)
        close(sys);
}

/* Huge pages ------------------------------------------------------------------------------------*/

static void transparent_huge_pages_are_told_of_where_they_are_not_got(void **state)
{
    (void)state;
    SKIP_EMULATED("smaps of the emulator");
    struct sl_memory memory;
    sl_memory_root = "";
    assert_int_equal(make("memfd:thp", 3 << 20, &memory), 0);
    if (memory.page_size_bytes == PAGE) {
        assert_non_null(strstr(sl_error_text(), "MiB are in transparent huge pages"));
        assert_non_null(strstr(sl_error_text(), "shmem_enabled says"));
    } else {
        assert_string_equal(sl_error_text(), "");
        assert_int_equal((uintptr_t)memory.base % memory.page_size_bytes, 0);
        assert_int_equal(memory.size_bytes % memory.page_size_bytes, 0);
    }
    uint64_t rounded;
    assert_int_equal(sl_memory_round_for("memfd:thp", 3 << 20, &rounded), 0);
    assert_int_equal(rounded, memory.size_bytes);
    memory.base[memory.size_bytes - 1] = 1;
    assert_true(fcntl(memory.fd, F_GET_SEALS) & F_SEAL_FUTURE_WRITE);
    sl_memory_close(&memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_machine, remove_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_machine_lacks_is_named),
        TEST(a_card_of_vgem_is_known_by_its_device),
        TEST(heaps_that_are_there_are_named),
        TEST(kinds_are_told_apart_by_their_text),
        TEST(bars_that_cannot_be_are_refused_with_those_that_can),
        TEST(a_bar_is_mapped_by_the_file_that_is_wished_for),
        TEST(pools_share_a_bar_and_keep_apart),
        TEST(a_device_that_is_gone_is_told_before_it_is_touched),
        TEST(memory_is_not_taken_where_the_kernel_hides_its_own),
        TEST(memory_that_the_kernel_uses_is_refused),
        TEST(a_reader_opens_a_reserved_range_by_itself),
        TEST(pieces_are_one_region_at_both_ends),
        TEST(slots_that_are_no_pieces_are_refused),
        TEST(offers_that_cannot_be_are_refused),
        TEST(descriptors_of_another_sort_are_refused),
        TEST(transparent_huge_pages_are_told_of_where_they_are_not_got),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
