/* SPDX-License-Identifier: Apache-2.0 */
/* test_pieces.c - pools with a descriptor a slot, from the option to the frame: read in place,
 * asked for in pieces, and refused where either side does not keep to that. The pieces are sealed
 * memfds; where dma-bufs are meant, the kernel's two answers about those are ours. */
#include "core/shm/layout.h"
#include "core/shm/link.h"
#include "core/shm/stats.h"
#include "tests/shm/impostor.h"
#include "tests/uncached/pieces.h"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static int pieces_setup(void **state)
{
    sl_memory_set_own_provider(&pieces_provider);
    return shm_setup(state);
}

static int pieces_teardown(void **state)
{
    sl_memory_set_own_provider(NULL);
    return shm_teardown(state);
}

static struct sl_publisher *publisher_of_pieces(uint32_t slots)
{
    return publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .slot_count = slots, .memory = "pieces"});
}

/* ---- Frames -----------------------------------------------------------------------------------*/

#define MANY 300 /* descriptors: three messages of them */

static int read_frames(uint64_t count)
{
    struct sl_subscriber *s = NULL;
    struct sl_frame f;
    must(sl_subscriber_open(&(struct sl_subscriber_options){.topic = TOPIC}, &s));
    say(1);
    for (uint64_t i = 0; i < count; i++) {
        int err;
        while ((err = sl_subscriber_take(s, &f)) == -EAGAIN)
            must(sl_subscriber_wait(s, PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        must(err);
        if (pattern_check(f.body, f.body_length, f.stamp_ns) >= 0 || f.stamp_ns != i + 1 ||
            sl_link_memory_kind(f.link) != SL_MEMORY_WB)
            role_failed(__LINE__, "content", (int)i);
        sl_frame_release(&f);
        say(f.stamp_ns);
    }
    sl_subscriber_close(s);
    return 0;
}

static int role_read(uint64_t count)
{
    return read_frames(count);
}

static void every_slot_is_read_in_place_by_another_process(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of_pieces(MANY);
    struct child reader = child_start("read", 2 * MANY);
    assert_int_equal(child_hear(&reader), 1);
    await(status_of(p).subscribers == 1);
    for (uint64_t i = 1; i <= 2 * MANY; i++) {
        assert_ok(publish(p, i, SLOT_SIZE));
        assert_int_equal(child_hear(&reader), i);
    }
    assert_int_equal(child_end(&reader), 0);
    sl_publisher_close(p);
}

static void frames_outlive_their_publisher(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of_pieces(6);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_frame f;
    assert_ok(publish(p, 7, SLOT_SIZE));
    assert_int_equal(take(s, &f), 7);
    sl_publisher_close(p);
    check_frame(&f);
    assert_ok(sl_frame_check(&f));
    sl_frame_release(&f);
    sl_subscriber_close(s);
}

static int note_view(void *context, const struct sl_stats_view *view)
{
    if (view->kind == SL_STATS_PUBLISHER)
        *(struct sl_stats_view *)context = *view;
    return 0;
}

static void what_a_pool_is_made_of_stands_in_the_statistics(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of_pieces(6);
    struct sl_stats_watch *watch = calloc(1, sizeof *watch);
    struct sl_stats_view view = {0};
    assert_non_null(watch);
    assert_ok(sl_stats_watch_open(NULL, watch));
    assert_ok(sl_stats_watch_refresh(watch, PATIENCE_MS));
    assert_ok(sl_stats_each(watch, note_view, &view));
    assert_string_equal(view.memory, "pieces");
    assert_int_equal(view.memory_kind, SL_MEMORY_WB);
    assert_int_equal(view.memory_flags, SL_STATS_PINNABLE);
    assert_int_equal(view.page_size, 4096);
    sl_stats_watch_close(watch);
    free(watch);
    sl_publisher_close(p);
}

/* ---- Choices ----------------------------------------------------------------------------------*/

static void next_choice_is_taken_and_told(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .memory = "dma-heap:nowhere", .fallback = "bar:ff:1f.7/0,pieces"});
    assert_has(sl_error_text(), "topic " TOPIC ": its slots lie in pieces, since dma-heap:nowhere "
                                "is not to be had (");
    assert_has(sl_error_text(), "and bar:ff:1f.7/0 is not to be had (");
    sl_publisher_close(p);
    p = publisher_of_pieces(6);
    assert_string_equal(sl_error_text(), "");
    sl_publisher_close(p);

    struct sl_pool *pool = NULL;
    struct sl_pool_options o = {
        .slot_size = SLOT_SIZE, .slot_count = 4, .memory = "bar:ff:1f.7/0", .fallback = "memfd"};
    assert_ok(sl_pool_create(&o, &pool));
    assert_has(sl_error_text(), "its slots lie in memfd, since bar:ff:1f.7/0 is not");
    sl_pool_destroy(pool);
}

static void refuse(struct sl_publisher_options o, int err, const char *words)
{
    struct sl_publisher *p = NULL;
    o.topic = TOPIC;
    o.type = TYPE;
    o.slot_size = o.slot_size ? o.slot_size : SLOT_SIZE;
    int got = sl_publisher_open(&o, &p);
    if (got != err || !strstr(sl_error_text(), words))
        fail_msg("%d, %s", got, sl_error_text());
    assert_null(p);
}

static void choices_that_cannot_be_are_refused(void **state)
{
    (void)state;
    refuse((struct sl_publisher_options){.memory = "peaces"}, -EINVAL,
           "no memory of kind 'peaces'");
    refuse((struct sl_publisher_options){.memory = "memfd", .fallback = "vgen"}, -EINVAL,
           "did you mean 'vgem'?");
    refuse((struct sl_publisher_options){.fallback = "memfd,"}, -EINVAL, "is no kind");
    refuse((struct sl_publisher_options){.memory = "bar:1"}, -EINVAL, "is no BAR");
    refuse((struct sl_publisher_options){.memory = "memfd", .huge_pages = true}, -EINVAL,
           "not both");
    refuse((struct sl_publisher_options){.memory = "bar:ff:1f.7/0"}, -ENODEV,
           "no PCI device 0000:ff:1f.7");
    refuse((struct sl_publisher_options){.memory = "bar:ff:1f.7/0", .fallback = "dma-heap:nowhere"},
           -ENODEV, "dma-heap:nowhere is not to be had");
    refuse((struct sl_publisher_options){.memory = "pieces", .slot_count = 2000}, -EINVAL,
           "give 1 to 1024 slots");
    refuse((struct sl_publisher_options){.memory = "pieces",
                                         .slot_size = UINT32_MAX - 8192,
                                         .slot_count = 1000},
           -ENOMEM, "MiB are left");
}

/* ---- Hostile subscribers ----------------------------------------------------------------------*/

static void knock(struct intruder *in)
{
    *in = (struct intruder){.fd = intruder_knock(), .ledger_memory = SL_MEMORY_NONE};
    struct sl_hello hello;
    sl_hello_init(&hello, SL_HELLO_SUBSCRIBE);
    snprintf(hello.topic, sizeof hello.topic, "%s", TOPIC);
    assert_ok(sl_hello_send(in->fd, &hello));
    await_readable(in->fd);
    assert_ok(sl_welcome_receive(in->fd, &in->welcome, in->fds));
    assert_int_equal(in->welcome.status, 0);
    assert_int_equal(in->welcome.fd_count, 3);
    assert_int_equal(in->welcome.slot_fds, MANY);
}

static void leave(struct intruder *in)
{
    close(in->fd);
    for (unsigned i = 0; i < in->welcome.fd_count; i++)
        close(in->fds[i]);
}

static uint32_t fetch(struct intruder *in, uint32_t first)
{
    struct sl_slots_message m;
    int fds[SL_SLOTS_FDS];
    assert_ok(sl_slots_ask(in->fd, first));
    await_readable(in->fd);
    assert_ok(sl_slots_receive(in->fd, &m, fds));
    assert_int_equal(m.first, first);
    for (uint32_t i = 0; i < m.count; i++)
        close(fds[i]);
    return m.count;
}

static void slots_are_given_once_each_and_in_order(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of_pieces(MANY);
    static const uint32_t wrong[][2] = {{0, 1},   {0, UINT32_MAX}, {1, 0}, {1, 129},
                                        {1, 256}, {3, 300},        {3, 0}};
    for (size_t n = 0; n < sizeof wrong / sizeof *wrong; n++) {
        struct intruder in;
        uint32_t got = 0;
        knock(&in);
        for (uint32_t i = 0; i < wrong[n][0]; i++)
            got += fetch(&in, got);
        assert_int_equal(got, wrong[n][0] == 3 ? MANY : wrong[n][0] * SL_SLOTS_FDS);
        assert_ok(sl_slots_ask(in.fd, wrong[n][1]));
        await(status_of(p).subscribers == 0); /* sent away */
        leave(&in);
    }
    /* Nor for who says something else. */
    struct intruder in;
    struct sl_slots_message m = {.magic = SL_MAGIC, .version = 1, .kind = SL_HELLO_SLOTS};
    knock(&in);
    assert_int_equal(send(in.fd, &m, sizeof m, MSG_NOSIGNAL), sizeof m);
    await(status_of(p).subscribers == 0);
    leave(&in);
    sl_publisher_close(p);
}

static void who_does_not_ask_hinders_nobody(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of_pieces(MANY);
    struct intruder in;
    knock(&in);
    fetch(&in, 0);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    for (uint64_t i = 1; i <= 2 * MANY; i++) {
        assert_ok(publish(p, i, 64));
        assert_int_equal(take_and_release(s), i);
    }
    leave(&in);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* ---- Hostile publishers -----------------------------------------------------------------------*/

/* An impostor whose pool has a descriptor a slot. */
static int piece[IMPOSTOR_SLOTS];
static int spare_fd;

static int sealed_piece(off_t size, int seals)
{
    int fd = memfd_create("piece", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fallocate(fd, 0, 0, size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void pieces_of(struct impostor *i)
{
    impostor_appear(i);
    impostor_meet(i);
    impostor_segments(i);
    i->welcome.slot_fds = IMPOSTOR_SLOTS;
    i->welcome.fd_count = 3;
    for (int n = 0; n < IMPOSTOR_SLOTS; n++)
        piece[n] = sealed_piece(SLOT_SIZE, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
    spare_fd = -1;
}

static void leave_pieces(struct impostor *i)
{
    impostor_leave(i);
    for (int n = 0; n < IMPOSTOR_SLOTS; n++)
        close(piece[n]);
    if (spare_fd >= 0)
        close(spare_fd);
}

static uint32_t hear_question(struct impostor *i)
{
    uint32_t first;
    await_readable(i->fd);
    assert_ok(sl_slots_hear(i->fd, &first));
    return first;
}

static void send_no_slots(struct impostor *i)
{
    assert_ok(sl_slots_send(i->fd, 0, piece, 0));
}
static void send_too_many(struct impostor *i)
{
    int fds[] = {piece[0], piece[1], piece[2], piece[3], piece[0]};
    assert_ok(sl_slots_send(i->fd, 0, fds, 5));
}
static void send_the_most(struct impostor *i)
{
    int fds[SL_SLOTS_FDS];
    for (int n = 0; n < SL_SLOTS_FDS; n++)
        fds[n] = piece[0];
    assert_ok(sl_slots_send(i->fd, 0, fds, SL_SLOTS_FDS));
}
static void send_others_first(struct impostor *i)
{
    assert_ok(sl_slots_send(i->fd, 2, piece + 2, 2));
}
static void send_some_twice(struct impostor *i)
{
    assert_ok(sl_slots_send(i->fd, 0, piece, 2));
    assert_int_equal(hear_question(i), 2);
    assert_ok(sl_slots_send(i->fd, 0, piece, 2));
}
static void send_a_pipe(struct impostor *i)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[1]);
    spare_fd = ends[0];
    int fds[] = {piece[0], spare_fd, piece[2], piece[3]};
    assert_ok(sl_slots_send(i->fd, 0, fds, 4));
}
static void send_an_unsealed_one(struct impostor *i)
{
    spare_fd = sealed_piece(SLOT_SIZE, 0);
    int fds[] = {piece[0], piece[1], piece[2], spare_fd};
    assert_ok(sl_slots_send(i->fd, 0, fds, 4));
}
static void send_a_writable_one(struct impostor *i)
{
    spare_fd = sealed_piece(SLOT_SIZE, F_SEAL_SHRINK | F_SEAL_GROW);
    int fds[] = {spare_fd, piece[1], piece[2], piece[3]};
    assert_ok(sl_slots_send(i->fd, 0, fds, 4));
}
static void send_a_short_one(struct impostor *i)
{
    spare_fd = sealed_piece(64, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
    int fds[] = {piece[0], piece[1], piece[2], spare_fd};
    assert_ok(sl_slots_send(i->fd, 0, fds, 4));
}
static void send_a_welcome_again(struct impostor *i)
{
    impostor_answer(i);
}
static void send_bytes(struct impostor *i)
{
    assert_int_equal(send(i->fd, "wake", 4, MSG_NOSIGNAL), 4);
}

static const struct {
    const char *what, *says;
    void (*tell)(struct impostor *impostor);
} lies[] = {
    {"no slots", "slots 0 from 0 on, 4 are wanted from 0 on", send_no_slots},
    {"too many", "slots 5 from 0 on", send_too_many},
    {"the most", "slots 128 from 0 on", send_the_most},
    {"others first", "slots 2 from 2 on", send_others_first},
    {"some twice", "slots 2 from 0 on, 2 are wanted from 2 on", send_some_twice},
    {"a pipe", "slot 1: shared memory: what the peer sent is no memfd", send_a_pipe},
    {"an unsealed one", "slot 3: shared memory: its size is not sealed", send_an_unsealed_one},
    {"a writable one", "slot 0: shared memory: it is not sealed against", send_a_writable_one},
    {"a short one", "slot 3: shared memory: 64 bytes long", send_a_short_one},
    {"a welcome again", "", send_a_welcome_again},
    {"bytes", "too short", send_bytes},
};

static void wait_for_refusal(struct sl_subscriber *s, const char *what, const char *says)
{
    struct sl_frame f;
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_MS * SL_NS_PER_MS;
    do /* the thread that hung up tells us next */
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    while (!strstr(reader_status_of(s).refusal, says) && sl_clock_monotonic_ns() < until_ns);
    if (!strstr(reader_status_of(s).refusal, says))
        fail_msg("%s: '%s'", what, reader_status_of(s).refusal);
    assert_int_equal(reader_status_of(s).publishers, 0);
}

static void each_lie_about_slots_is_found_out(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 4});
    struct sl_frame f;
    struct impostor i;
    unsigned fds = count_fds();
    for (size_t n = 0; n < sizeof lies / sizeof *lies; n++) {
        pieces_of(&i);
        impostor_answer(&i);
        assert_int_equal(hear_question(&i), 0);
        lies[n].tell(&i);
        await_hang_up(i.fd);
        wait_for_refusal(s, lies[n].what, lies[n].says);
        leave_pieces(&i);
        await(count_fds() == fds);
    }
    /* Who goes away in the middle is no liar, and leaves nothing. */
    pieces_of(&i);
    impostor_answer(&i);
    assert_int_equal(hear_question(&i), 0);
    assert_ok(sl_slots_send(i.fd, 0, piece, 3));
    assert_int_equal(hear_question(&i), 3);
    leave_pieces(&i);
    await(count_fds() == fds);
    /* The one that does not lie is read, however few come at a time. */
    pieces_of(&i);
    impostor_answer(&i);
    for (uint32_t n = 0; n < IMPOSTOR_SLOTS; n++) {
        assert_int_equal(hear_question(&i), n);
        assert_ok(sl_slots_send(i.fd, n, piece + n, 1));
    }
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == 1));
    leave_pieces(&i);
    sl_subscriber_close(s);
}

static void handle_of_nothing(struct sl_welcome *w)
{
    w->pool_handle = SL_MEMORY_HANDLES;
}
static void memfd_as_dmabuf(struct sl_welcome *w)
{
    w->pool_handle = SL_MEMORY_DMABUF;
    w->slot_fds = 0;
    w->fd_count = 4;
}
static void memfd_as_bar(struct sl_welcome *w)
{
    w->pool_handle = SL_MEMORY_SYSFS;
    w->slot_fds = 0;
    w->fd_count = 4;
}
static void bar_of_pieces(struct sl_welcome *w)
{
    w->pool_handle = SL_MEMORY_SYSFS;
}
static void pool_of_the_kernels_memory(struct sl_welcome *w)
{
    w->pool_handle = SL_MEMORY_PHYSICAL;
    w->slot_fds = 0;
    w->pool_offset = 0x100000;
}
static void pool_with_an_offset(struct sl_welcome *w)
{
    w->pool_offset = 4096;
}
static void fewer_pieces_than_slots(struct sl_welcome *w)
{
    w->slot_fds = 3;
}
static void a_pool_and_pieces(struct sl_welcome *w)
{
    w->fd_count = 4;
}
static void flags_of_later(struct sl_welcome *w)
{
    w->pool_flags = 0x80;
}
static void caches_of_a_memfd(struct sl_welcome *w)
{
    w->pool_flags = SL_WELCOME_SYNC;
}
static void slots_of_odd_bytes(struct sl_welcome *w)
{
    w->slot_size = 5000;
    w->pool_bytes = 4 * 5000;
}

/* The kernel's answer who the other end is. */
static bool pretend_user;
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    int err = __real_getsockopt(fd, level, name, value, size);
    if (pretend_user && err == 0 && level == SOL_SOCKET && name == SO_PEERCRED)
        ((struct ucred *)value)->uid = 1000;
    return err;
}

static void an_address_is_believed_of_root_only(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct impostor i;
    unsigned fds = count_fds();
    pretend_user = true;
    pieces_of(&i);
    pool_of_the_kernels_memory(&i.welcome);
    impostor_answer(&i);
    await_hang_up(i.fd);
    wait_for_refusal(s, "an address", "in a reserved range, of a publisher () that is not root");
    pretend_user = false;
    leave_pieces(&i);
    await(count_fds() == fds);
    sl_subscriber_close(s);
}

static void each_lie_about_a_pools_memory_is_found_out(void **state)
{
    (void)state;
    static void (*const spoil[])(struct sl_welcome *) = {
        handle_of_nothing,
        memfd_as_dmabuf,
        memfd_as_bar,
        bar_of_pieces,
        pool_of_the_kernels_memory,
        pool_with_an_offset,
        fewer_pieces_than_slots,
        a_pool_and_pieces,
        flags_of_later,
        caches_of_a_memfd,
        slots_of_odd_bytes,
    };
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 4});
    unsigned fds = count_fds();
    for (size_t n = 0; n < sizeof spoil / sizeof *spoil; n++) {
        struct impostor i;
        pieces_of(&i);
        spoil[n](&i.welcome);
        impostor_answer(&i);
        await_hang_up(i.fd); /* nothing is asked for */
        wait_for_refusal(s, "a welcome", "");
        leave_pieces(&i);
        await(count_fds() == fds);
    }
    sl_subscriber_close(s);
}

/* ---- Limits -----------------------------------------------------------------------------------*/

static void descriptors_without_room_are_told_and_do_not_stay(void **state)
{
    (void)state;
    SKIP_EMULATED("descriptors that do not fit stay in qemu");
    struct sl_publisher *p = publisher_of_pieces(MANY);
    /* What a process opens once for all its subscribers is open. */
    struct sl_subscriber *other = subscriber_of((struct sl_subscriber_options){.topic = "/other"});
    struct sl_subscriber *s = NULL;
    unsigned fds = count_fds();
    struct rlimit usual, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    int next = dup(0);
    assert_true(next > 0);
    close(next);
    low = (struct rlimit){(rlim_t)next + 50, usual.rlim_max}; /* for the first message of three */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int err = sl_subscriber_open(&(struct sl_subscriber_options){.topic = TOPIC}, &s);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(err, -EMFILE);
    assert_has(sl_error_text(), "raise its limit (ulimit -n");
    await(status_of(p).subscribers == 0);
    await(count_fds() == fds);
    sl_subscriber_close(other);
    sl_publisher_close(p);
}

/* ---- Caches -----------------------------------------------------------------------------------*/

/* Pieces that call themselves dma-bufs, as do these two answers of the kernel. */
#define SYNCS_MAX 64
static long pretend_magic; /* of a file system; 0 = as it is */
static struct {
    uint64_t flags;
    ino_t file;
} syncs[SYNCS_MAX];
static unsigned sync_count;

int __real_fstatfs64(int fd, struct statfs *facts);
int __wrap_fstatfs64(int fd, struct statfs *facts);
int __wrap_fstatfs64(int fd, struct statfs *facts)
{
    int err = __real_fstatfs64(fd, facts);
    if (pretend_magic && err == 0)
        facts->f_type = pretend_magic;
    return err;
}

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    if (request != DMA_BUF_IOCTL_SYNC)
        return __real_ioctl(fd, request, argument);
    struct stat facts;
    assert_int_equal(fstat(fd, &facts), 0);
    assert_true(sync_count < SYNCS_MAX);
    syncs[sync_count].flags = ((struct dma_buf_sync *)argument)->flags;
    syncs[sync_count++].file = facts.st_ino;
    return 0;
}

static int create_synced(const struct sl_memory_config *config, const char *argument, void *at,
                         struct sl_memory *memory)
{
    int err = pieces_create(config, argument, at, memory);
    memory->handle = SL_MEMORY_DMABUF;
    memory->needs_sync = true;
    return err;
}

static void expect_syncs(const uint64_t *flags, unsigned count)
{
    assert_int_equal(sync_count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(syncs[i].flags, flags[i]);
        assert_int_equal(syncs[i].file, syncs[0].file); /* of one slot, at both ends */
    }
    sync_count = 0;
}

static void caches_are_told_before_and_after_each_access(void **state)
{
    (void)state;
    static const struct sl_memory_provider provider = {
        .name = "synced", .argument = "", .is_each_slot = true, .create = create_synced};
    enum {
        BEGIN_WRITE = DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE,
        END_WRITE = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE,
        BEGIN_READ = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
        END_READ = DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ,
    };
    sl_memory_set_own_provider(&provider);
    pretend_magic = DMA_BUF_MAGIC;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 6, .memory = "synced"});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_frame f;
    sync_count = 0;

    assert_ok(publish(p, 1, 100));
    assert_int_equal(take_and_release(s), 1);
    expect_syncs((const uint64_t[]){BEGIN_WRITE, END_WRITE, BEGIN_READ, END_READ}, 4);

    struct sl_loan loan;
    assert_ok(sl_publisher_loan(p, &loan));
    sl_publisher_discard(p, &loan);
    expect_syncs((const uint64_t[]){BEGIN_WRITE, END_WRITE}, 2);

    assert_ok(sl_publisher_loan(p, &loan)); /* a message that is not inside it */
    assert_int_equal(
        sl_publisher_publish(p, &loan, &(struct sl_message){.body_length = 2 * SLOT_SIZE}),
        -EINVAL);
    expect_syncs((const uint64_t[]){BEGIN_WRITE, END_WRITE}, 2);

    assert_ok(sl_publisher_loan(p, &loan)); /* one slot, two messages */
    pattern_fill(loan.data, 100, 5);
    struct sl_message m = {.stamp_ns = 5, .body_length = 100, .more = true};
    assert_ok(sl_publisher_publish(p, &loan, &m));
    m.more = false;
    assert_ok(sl_publisher_publish(p, &loan, &m));
    expect_syncs((const uint64_t[]){BEGIN_WRITE, END_WRITE, BEGIN_WRITE, END_WRITE}, 4);
    assert_int_equal(take(s, &f), 5);
    sl_frame_release(&f);
    expect_syncs((const uint64_t[]){BEGIN_READ, END_READ}, 2);

    sl_subscriber_close(s);
    sl_publisher_close(p);
    pretend_magic = 0;
}

/* ---- A device that is pulled out
 * ----------------------------------------------------------------*/

#define DEVICE "sys/bus/pci/devices/0000:00:04.0"

static bool is_pulled_out; /* then the kernel lets nothing of the device's files be read */
ssize_t __real_pread64(int fd, void *to, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *to, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *to, size_t size, off_t offset)
{
    if (!is_pulled_out)
        return __real_pread64(fd, to, size, offset);
    errno = ENODEV;
    return -1;
}

static void put_file(const char *root, const char *name, const char *text, off_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/" DEVICE "/%s", root, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(size > 0 ? truncate(path, size) : 0, 0);
}

/* A device of files, with a BAR of 64 kB. */
static void put_device(char root[64])
{
    char command[160];
    snprintf(root, 64, "/tmp/sluice-bar-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(command, sizeof command, "mkdir -p %s/" DEVICE, root);
    assert_int_equal(system(command), 0);
    put_file(root, "resource", "0x00000000fe000000 0x00000000fe00ffff 0x000000000014220c\n", 0);
    put_file(root, "resource0", "", 65536);
    put_file(root, "resource0_wc", "", 65536);
}

static void device_that_is_pulled_out_is_told_at_both_ends(void **state)
{
    (void)state;
    char root[64], command[96];
    struct sl_loan loan;
    struct sl_frame f, g;
    put_device(root);
    sl_memory_root = root;
    pretend_magic = SYSFS_MAGIC;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .slot_count = 8, .memory = "bar:00:04.0/0"});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_ok(publish(p, 1, SLOT_SIZE));
    assert_ok(publish(p, 2, SLOT_SIZE));
    assert_int_equal(take(s, &f), 1);
    assert_ok(sl_frame_check(&f));

    is_pulled_out = true;
    assert_int_equal(sl_publisher_loan(p, &loan), -ENODEV);
    assert_has(sl_error_text(), "topic " TOPIC ": bar:00:04.0/0: memory: its device is gone");
    assert_int_equal(status_of(p).slots_loaned, 0);
    assert_int_equal(sl_subscriber_take(s, &g), -ENODEV);
    assert_int_equal(sl_subscriber_take(s, &g), -EAGAIN); /* told once */
    assert_int_equal(reader_status_of(s).publishers, 0);
    assert_int_equal(sl_frame_check(&f), -ENODEV);
    sl_frame_release(&f);
    is_pulled_out = false;

    sl_subscriber_close(s);
    sl_publisher_close(p);
    pretend_magic = 0;
    sl_memory_root = "";
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pieces_setup, pieces_teardown)

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"read", role_read}, {NULL, NULL}};
    int status = role_main(argc, argv, roles);
    if (status >= 0)
        return status;
    const struct CMUnitTest tests[] = {
        TEST(every_slot_is_read_in_place_by_another_process),
        TEST(frames_outlive_their_publisher),
        TEST(what_a_pool_is_made_of_stands_in_the_statistics),
        TEST(next_choice_is_taken_and_told),
        TEST(choices_that_cannot_be_are_refused),
        TEST(slots_are_given_once_each_and_in_order),
        TEST(who_does_not_ask_hinders_nobody),
        TEST(each_lie_about_slots_is_found_out),
        TEST(each_lie_about_a_pools_memory_is_found_out),
        TEST(an_address_is_believed_of_root_only),
        TEST(descriptors_without_room_are_told_and_do_not_stay),
        TEST(caches_are_told_before_and_after_each_access),
        TEST(device_that_is_pulled_out_is_told_at_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
