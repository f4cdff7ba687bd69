/* SPDX-License-Identifier: Apache-2.0 */
/* test_lies.c - publishers that speak another version, send wrong segments, or fill their ring, or
 * a queue of iceoryx's, with anything: what a subscriber must not believe. */
#include "core/shm/iceoryx.h"
#include "core/shm/layout.h"
#include "tests/shm/impostor.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define OTHER_VERSION 4
static_assert(OTHER_VERSION != SL_PROTOCOL_VERSION, "another one");

/* ---- Other versions ---------------------------------------------------------------------------*/

static void subscriber_of_another_version_is_told(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    int fd = intruder_knock();
    struct {
        struct sl_hello hello;
        char more[100]; /* of a later version */
    } hello = {0};
    sl_hello_init(&hello.hello, SL_HELLO_SUBSCRIBE);
    hello.hello.version = OTHER_VERSION;
    assert_int_equal(send(fd, &hello, sizeof hello, 0), sizeof hello);
    await_readable(fd);
    struct sl_welcome w;
    int fds[SL_WELCOME_FDS];
    assert_ok(sl_welcome_receive(fd, &w, fds));
    assert_int_equal(w.status, -EPROTONOSUPPORT);
    assert_has(w.text, "version 4");
    assert_has(w.text, "version");
    assert_int_equal(w.fd_count, 0);
    close(fd);
    assert_int_equal(status_of(p).subscribers, 0);
    sl_publisher_close(p);
}

static void *answer_with_another_version(void *context)
{
    struct impostor *i = context;
    impostor_meet(i);
    struct {
        struct sl_welcome welcome;
        char more[8];
    } welcome = {0};
    sl_welcome_init(&welcome.welcome, SL_HELLO_SUBSCRIBE);
    welcome.welcome.version = OTHER_VERSION;
    send(i->fd, &welcome, sizeof welcome, MSG_NOSIGNAL);
    return NULL;
}

static void publisher_of_another_version_is_told_of(void **state)
{
    (void)state;
    struct impostor i;
    impostor_appear(&i);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_with_another_version, &i), 0);
    struct sl_subscriber_options o = {.topic = TOPIC};
    struct sl_subscriber *s = NULL;
    assert_int_equal(sl_subscriber_open(&o, &s), -EPROTONOSUPPORT);
    assert_has(sl_error_text(), "version 4");
    assert_null(s);
    pthread_join(thread, NULL);
    impostor_leave(&i);
}

/* ---- Wrong welcomes ---------------------------------------------------------------------------*/

struct lie {
    const char *what, *says;
    void (*tell)(struct impostor *impostor);
};

static int other_fd; /* what a lie gives instead; closed after the case */

static int raw_memfd(uint64_t size, unsigned seals)
{
    int fd = memfd_create("raw", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    if (seals)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return other_fd = fd;
}

static void ring_version(struct impostor *i)
{
    i->map.ring->header.version = OTHER_VERSION;
}
static void control_version(struct impostor *i)
{
    ((struct sl_control *)(void *)i->control.base)->header.version = OTHER_VERSION;
}
static void ring_magic(struct impostor *i)
{
    i->map.ring->header.magic = 0;
}
static void ring_of_no_entries(struct impostor *i)
{
    i->map.ring->entry_count = 0;
}
static void ring_of_odd_entries(struct impostor *i)
{
    i->map.ring->entry_count = 15;
}
static void ring_of_too_many_entries(struct impostor *i)
{
    i->map.ring->entry_count = 4096;
}
static void ring_stride(struct impostor *i)
{
    i->map.ring->entry_stride = 1 << 20;
}
static void ring_offsets(struct impostor *i)
{
    i->map.ring->words_offset = UINT64_MAX - 64;
}
static void ring_words(struct impostor *i)
{
    i->map.ring->word_count = 100000;
}
static void ring_inline(struct impostor *i)
{
    i->map.ring->inline_max = 4000;
}
static void word_outside(struct impostor *i)
{
    i->welcome.word_index = 4;
}
static void ledger_magic(struct impostor *i)
{
    sl_ledger_at(i->ledger.base, 0)->header.magic = 1;
}
static void more_slots_than_the_ledger(struct impostor *i)
{
    i->welcome.slot_count = 60000;
    i->welcome.slot_size = 0;
}
static void control_of_more_slots(struct impostor *i)
{
    ((struct sl_control *)(void *)i->control.base)->slot_count = 400;
}
static void sides_outside(struct impostor *i)
{
    ((struct sl_control *)(void *)i->control.base)->sides_offset = 1 << 30;
}
static void side_too_large(struct impostor *i)
{
    i->welcome.side_size = 65536;
    ((struct sl_control *)(void *)i->control.base)->side_size = 65536;
}
static void slots_larger_than_the_pool(struct impostor *i)
{
    i->welcome.slot_size = 1 << 20;
    ((struct sl_control *)(void *)i->control.base)->slot_size = 1 << 20;
}
static void pool_announced_larger(struct impostor *i)
{
    i->welcome.pool_bytes *= 2;
}
static void pool_of_petabytes(struct impostor *i)
{
    i->welcome.slot_size = UINT64_C(1) << 50;
    i->welcome.pool_bytes = UINT64_C(1) << 52;
}
static void descriptor_missing(struct impostor *i)
{
    i->welcome.fd_count = 3;
}
static void none_at_all(struct impostor *i)
{
    i->welcome.fd_count = 0;
}
static void no_slots_but_a_pool(struct impostor *i)
{
    i->welcome.slot_count = 0;
}
static void topic_of_somebody_else(struct impostor *i)
{
    strcpy(i->welcome.topic, "/other");
}
static void text_without_end(struct impostor *i)
{
    memset(i->welcome.text, 'x', sizeof i->welcome.text);
}
static void status_of_success(struct impostor *i)
{
    i->welcome.status = 1;
}
static void text_that_steers(struct impostor *i)
{
    i->welcome.status = -EPERM;
    strcpy(i->welcome.text, "a\033[2Jb");
}
static void welcome_of_another_size(struct impostor *i)
{
    i->welcome.size++;
}
static void device_as_ring(struct impostor *i)
{
    i->fds[0] = other_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
}
static void pipe_as_pool(struct impostor *i)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[1]);
    i->fds[3] = other_fd = ends[0];
}
static void unsealed_ring(struct impostor *i)
{
    i->fds[0] = raw_memfd(i->ring.size_bytes, 0);
}
static void ring_that_others_may_write(struct impostor *i)
{
    i->fds[0] = raw_memfd(i->ring.size_bytes, F_SEAL_SHRINK | F_SEAL_GROW);
}
static void pool_of_holes(struct impostor *i)
{
    i->fds[3] = raw_memfd(i->pool.size_bytes, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
}
static void short_control(struct impostor *i)
{
    i->fds[2] = raw_memfd(64, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
}
static void shrinking_ledger(struct impostor *i)
{
    i->fds[1] = raw_memfd(i->ledger.size_bytes, F_SEAL_GROW);
}
static void pool_as_ledger(struct impostor *i)
{
    i->fds[1] = i->pool.fd;
    i->welcome.ledger_bytes = i->pool.size_bytes;
}
static void ledger_as_ring(struct impostor *i)
{
    i->fds[0] = i->ledger.fd;
    i->welcome.ring_bytes = i->ledger.size_bytes;
}

static const struct lie lies[] = {
    {"ring of another version", "version 4", ring_version},
    {"pool of another version", "version 4", control_version},
    {"ring without magic", "no ring", ring_magic},
    {"ring of no entries", "does not fit", ring_of_no_entries},
    {"ring of 15 entries", "does not fit", ring_of_odd_entries},
    {"ring of too many entries", "does not fit", ring_of_too_many_entries},
    {"ring of wide entries", "does not fit", ring_stride},
    {"ring of wide inline", "does not fit", ring_inline},
    {"ring of many words", "does not fit", ring_words},
    {"ring with parts elsewhere", "offsets", ring_offsets},
    {"word line outside", "word line", word_outside},
    {"ledger without magic", "ledger", ledger_magic},
    {"more slots than the ledger has", "", more_slots_than_the_ledger},
    {"control of more slots", "does not fit", control_of_more_slots},
    {"side areas outside", "does not fit", sides_outside},
    {"side areas too large", "does not fit", side_too_large},
    {"slots larger than the pool", "slots", slots_larger_than_the_pool},
    {"pool announced larger", "announced", pool_announced_larger},
    {"pool of petabytes", "", pool_of_petabytes},
    {"a descriptor is missing", "segments", descriptor_missing},
    {"no descriptors", "segments", none_at_all},
    {"no slots but a pool", "segments", no_slots_but_a_pool},
    {"topic of somebody else", "welcome", topic_of_somebody_else},
    {"text without end", "range", text_without_end},
    {"status above zero", "range", status_of_success},
    {"text that steers a terminal", "a?[2Jb", text_that_steers},
    {"welcome of another size", "range", welcome_of_another_size},
    {"device as ring", "memfd", device_as_ring},
    {"pipe as pool", "memfd", pipe_as_pool},
    {"unsealed ring", "sealed", unsealed_ring},
    {"ring that others may write", "sealed", ring_that_others_may_write},
    {"pool of holes", "there", pool_of_holes},
    {"short control", "announced", short_control},
    {"shrinking ledger", "sealed", shrinking_ledger},
    {"pool as ledger", "", pool_as_ledger},
    {"ledger as ring", "", ledger_as_ring},
};

static void each_lie_of_a_publisher_is_found_out(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 4});
    struct sl_frame f;
    unsigned fds = count_fds();
    for (size_t n = 0; n < sizeof lies / sizeof *lies; n++) {
        struct impostor i;
        other_fd = -1;
        impostor_appear(&i);
        impostor_meet(&i);
        impostor_segments(&i);
        lies[n].tell(&i);
        impostor_answer(&i);
        await_hang_up(i.fd);
        uint64_t until_ns = sl_clock_monotonic_ns() + SL_NS_PER_S;
        do /* the thread that hung up tells us next */
            assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
        while (!strstr(reader_status_of(s).refusal, lies[n].says) &&
               sl_clock_monotonic_ns() < until_ns);
        if (!strstr(reader_status_of(s).refusal, lies[n].says))
            fail_msg("%s: '%s'", lies[n].what, reader_status_of(s).refusal);
        assert_int_equal(reader_status_of(s).publishers, 0);
        impostor_leave(&i);
        if (other_fd >= 0)
            close(other_fd);
        await(count_fds() == fds);
    }
    /* The one that does not lie is read. */
    struct impostor i;
    impostor_appear(&i);
    impostor_meet(&i);
    impostor_segments(&i);
    impostor_answer(&i);
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == 1));
    impostor_leave(&i);
    sl_subscriber_close(s);
}

static int send_fds(int fd, const void *bytes, size_t size, unsigned count)
{
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 200)];
    } control = {0};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (unsigned i = 0; i < count; i++)
        memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    return (int)sendmsg(fd, &m, MSG_NOSIGNAL);
}

static void flood_of_descriptors_does_not_stay(void **state)
{
    (void)state;
    SKIP_EMULATED("descriptors that do not fit stay in qemu");
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct impostor i;
    unsigned fds = count_fds();
    static const unsigned counts[] = {1, 5, 200};
    for (int n = 0; n < 3; n++) { /* a welcome with descriptors that nobody asked for */
        impostor_appear(&i);
        impostor_meet(&i);
        impostor_segments(&i);
        assert_true(send_fds(i.fd, &i.welcome, sizeof i.welcome, counts[n]) > 0);
        await_hang_up(i.fd);
        impostor_leave(&i);
        assert_int_equal(count_fds(), fds);
    }
    sl_subscriber_close(s);

    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    fds = count_fds();
    struct sl_hello hello;
    sl_hello_init(&hello, SL_HELLO_SUBSCRIBE);
    for (int n = 0; n < 3; n++) { /* a hello with them, of a topic that it does not have */
        int fd = intruder_knock();
        assert_true(send_fds(fd, &hello, sizeof hello, counts[n]) > 0);
        await_readable(fd);
        close(fd);
        await(count_fds() == fds);
    }
    sl_publisher_close(p);
}

/* A hello that is right, and messages after it: descriptors that come with them are not taken. */
static void descriptors_that_come_uninvited_do_not_stay(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    unsigned fds = count_fds();
    struct sl_hello hello;
    sl_hello_init(&hello, SL_HELLO_SUBSCRIBE);
    strcpy(hello.topic, TOPIC);
    int fd = intruder_knock();
    assert_true(send_fds(fd, &hello, sizeof hello, 200) > 0);
    await(status_of(p).subscribers == 1);
    assert_true(send_fds(fd, "more", 4, 200) > 0);
    await(status_of(p).subscribers == 0);
    close(fd);
    await(count_fds() == fds);
    sl_publisher_close(p);

    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_true(sl_subscriber_fd(s) >= 0);
    struct impostor i;
    struct sl_frame f;
    impostor_appear(&i);
    impostor_meet(&i);
    impostor_segments(&i);
    impostor_answer(&i);
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == 1));
    fds = count_fds();
    for (int n = 0; n < 100; n++) {
        assert_true(send_fds(i.fd, "w", 1, 100) > 0);
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    }
    assert_int_equal(count_fds(), fds);
    assert_int_equal(reader_status_of(s).publishers, 1);
    sl_subscriber_close(s);
    impostor_leave(&i);
}

/* ---- Wild rings -------------------------------------------------------------------------------*/

/* Where the subscriber has mapped a segment: the second mapping of that name, ours was made first.
 */
struct place {
    uintptr_t start, end;
    void *guard[2]; /* no access, before and behind it */
};

static struct place find_subscribers(const char *segment, const void *ours)
{
    char line[512];
    struct place place = {.guard = {MAP_FAILED, MAP_FAILED}};
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (!place.start && fgets(line, sizeof line, maps)) {
        char *rest;
        uintptr_t start = strtoull(line, &rest, 16);
        if (strstr(line, segment) && start != (uintptr_t)ours)
            place.start = start, place.end = strtoull(rest + 1, NULL, 16);
    }
    fclose(maps);
    assert_true(place.start > 0);
    return place;
}

/* Whoever reads beside it ends with SIGSEGV, unless something else of the process lies there. */
static void guard(struct place *place)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t at[] = {place->start - page, place->end};
    for (int n = 0; n < 2; n++)
        place->guard[n] = mmap((void *)at[n], page, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static void unguard(struct place *place)
{
    for (int n = 0; n < 2; n++)
        if (place->guard[n] != MAP_FAILED)
            munmap(place->guard[n], (size_t)sysconf(_SC_PAGESIZE));
}

static bool lies_in(const struct place *place, const void *start, size_t length)
{
    return (uintptr_t)start >= place->start && length <= place->end - place->start &&
           (uintptr_t)start - place->start <= place->end - place->start - length;
}

static uint64_t read_all(const struct sl_frame *f)
{
    uint64_t sum = 0;
    for (unsigned r = 0; r < f->range_count; r++)
        for (size_t b = 0; b < f->range[r].length; b++)
            sum += ((const unsigned char *)f->range[r].start)[b];
    for (size_t b = 0; b < f->data_length; b++)
        sum += ((const unsigned char *)f->data)[b];
    return sum;
}

static void attach_impostor(struct impostor *i, struct sl_subscriber *s)
{
    struct sl_frame f;
    impostor_appear(i);
    impostor_meet(i);
    impostor_segments(i);
    impostor_answer(i);
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == 1));
}

/* What a subscriber has mapped of an impostor, with guards around it. */
struct places {
    struct place ring, control, pool;
};

static struct places guard_all(const struct impostor *i)
{
    struct places p = {
        .ring = find_subscribers("sluice-ring", i->ring.base),
        .control = find_subscribers("sluice-control", i->control.base),
        .pool = find_subscribers("sluice-pool", i->pool.base),
    };
    guard(&p.ring);
    guard(&p.control);
    guard(&p.pool);
    return p;
}

static void unguard_all(struct places *p)
{
    unguard(&p->ring);
    unguard(&p->control);
    unguard(&p->pool);
}

/* Read it to the last byte, wherever it says that it is; that is in the pool or beside it. */
static uint64_t read_inside(const struct places *p, const struct sl_frame *f)
{
    if (f->link) { /* else inline: a copy of the subscriber's own */
        for (unsigned r = 0; r < f->range_count; r++)
            assert_true(lies_in(&p->pool, f->range[r].start, f->range[r].length) ||
                        lies_in(&p->control, f->range[r].start, f->range[r].length));
        assert_true(!f->data || lies_in(&p->pool, f->data, f->data_length));
    }
    return read_all(f);
}

static void descriptors_that_point_outside_are_counted(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct impostor i;
    attach_impostor(&i, s);
    const uint32_t in = SL_DESCRIPTOR_INLINE, gather = SL_DESCRIPTOR_GATHER,
                   shared = SL_DESCRIPTOR_SHARED;
    const struct sl_range fine = {SL_AREA_SLOT, 0, 8};
    const struct sl_range large = {SL_AREA_SLOT, 0, SLOT_SIZE};
    const struct sl_range behind = {SL_AREA_SLOT, SLOT_SIZE, 8};
    const struct sl_range side_behind = {SL_AREA_SIDE, IMPOSTOR_SIDE - 4, 8};
    const struct sl_range no_area = {7, 0, 8};
    const struct {
        struct sl_descriptor d;
        struct sl_range range;
        bool is_fine;
    } cases[] = {
        {{.body_length = 8}, fine, true},
        {{.pool = 1, .body_length = 8}, fine, false},
        {{.slot = IMPOSTOR_SLOTS, .body_length = 8}, fine, false},
        {{.slot = UINT32_MAX, .body_length = 8}, fine, false},
        {{.slot = 3, .body_length = SLOT_SIZE}, fine, true},
        {{.slot = 3, .body_length = SLOT_SIZE + 1}, fine, false},
        {{.body_offset = SLOT_SIZE, .body_length = 1}, fine, false},
        {{.body_offset = UINT32_MAX, .body_length = UINT32_MAX}, fine, false},
        {{.data_offset = 4000, .data_length = 97}, fine, false},
        {{.data_offset = UINT32_MAX, .data_length = 1}, fine, false},
        {{.flags = gather, .body_length = 8}, fine, true},
        {{.flags = gather, .body_length = 9}, fine, false},
        {{.flags = gather, .body_length = 8, .slot = 9}, fine, false},
        {{.flags = gather, .body_length = 8}, behind, false},
        {{.flags = gather, .body_length = 8}, side_behind, false},
        {{.flags = gather, .body_length = 8}, no_area, false},
        {{.flags = gather | shared, .body_length = SLOT_SIZE, .slot = 77}, large, false},
        {{.flags = in, .body_length = 64}, fine, true},
        {{.flags = in, .body_length = 65}, fine, false},
        {{.flags = in, .body_length = UINT32_MAX}, fine, false},
        {{.flags = in, .body_offset = 1, .body_length = 8}, fine, false},
        {{.flags = in, .body_length = 8, .data_offset = 8, .data_length = 1}, fine, false},
        {{.flags = in | gather, .body_length = SLOT_SIZE}, large, false},
        {{.flags = in | gather, .body_length = 8, .slot = 1 << 20}, {SL_AREA_SIDE, 0, 8}, false},
    };
    static const unsigned char inline_body[64];
    uint64_t invalid = 0;
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct sl_descriptor d = cases[n].d;
        d.seq = n + 1;
        /* sl_ring_write copies no more than this from the body */
        uint32_t length = d.body_length;
        if (d.flags & in && length > 64)
            d.flags &= ~in;
        struct sl_ring_payload payload = {inline_body, &cases[n].range, 1};
        sl_ring_write(&i.map, &d, &payload);
        sl_ring_move_head(&i.map, d.seq);
        if (d.flags != cases[n].d.flags) {
            struct sl_entry *e = (void *)(i.map.entries + (d.seq & i.map.mask) * i.map.stride);
            uint64_t word = atomic_load(&e->word[3]);
            atomic_store(&e->word[3], word | (uint64_t)in << 32);
        }
        struct sl_frame f;
        int err = sl_subscriber_take(s, &f);
        if (err != (cases[n].is_fine ? 0 : -EAGAIN))
            fail_msg("case %zu: %d", n, err);
        if (err == 0) {
            read_all(&f);
            sl_frame_release(&f);
        }
        invalid += !cases[n].is_fine;
        assert_int_equal(reader_status_of(s).lost[SL_LOSS_INVALID], invalid);
    }
    sl_subscriber_close(s);
    impostor_leave(&i);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WILD_ROUNDS 20000
#else
#define WILD_ROUNDS 100000
#endif

static void random_words_in_the_ring_are_survived(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 4});
    struct impostor i;
    attach_impostor(&i, s);
    struct places places = guard_all(&i);
    uint64_t taken = 0, sum = 0, seq = 0;
    for (int round = 0; round < WILD_ROUNDS; round++) {
        struct sl_entry *e = (void *)(i.map.entries + ((seq + 1) & i.map.mask) * i.map.stride);
        seq++;
        for (int w = 0; w < 7; w++)
            atomic_store(&e->word[w], wild_word());
        if (round % 4) { /* flags and slot that have a chance */
            atomic_store(&e->word[2], (random_word() % 5) << 32);
            atomic_store(&e->word[3], (random_word() & 0x70) << 32);
        }
        struct sl_gather *g = &i.map.gathers[seq & i.map.mask];
        for (int r = 0; r < SL_RANGES_MAX; r++) {
            atomic_store(&g->range[r][0], wild_word());
            atomic_store(&g->range[r][1], wild_word());
        }
        atomic_store(&e->state, seq << 1 | 1);
        if (round % 1000 == 999) { /* jumps */
            seq += random_word() % 40;
            e = (void *)(i.map.entries + (seq & i.map.mask) * i.map.stride);
            atomic_store(&e->state, seq << 1 | 1);
        }
        atomic_store(&i.map.ring->head, round % 50 == 7 ? wild_word() % (1 << 20) : seq);
        for (uint32_t slot = 0; slot < IMPOSTOR_SLOTS; slot++)
            atomic_store(
                &((_Atomic uint64_t *)(void *)(i.control.base + sizeof(struct sl_control)))[slot],
                wild_word());
        struct sl_frame f;
        for (int n = 0; n < 3 && sl_subscriber_take(s, &f) == 0; n++) {
            taken++;
            sum += read_inside(&places, &f);
            sl_frame_release(&f);
        }
        /* if a head from the future has carried it away, follow */
        uint64_t cursor = atomic_load(&sl_ledger_at(i.ledger.base, 0)->cursor);
        if (cursor > seq && cursor < UINT64_C(1) << 40)
            seq = cursor;
    }
    print_message("%llu of %d messages were readable (%llu)\n", (unsigned long long)taken,
                  WILD_ROUNDS, (unsigned long long)sum);
    assert_true(taken > 100);
    assert_int_equal(reader_status_of(s).held, 0);
    unguard_all(&places);
    sl_subscriber_close(s);
    impostor_leave(&i);
}

/* An honest word of the slot's, for the descriptors that come by a queue. */
static void set_slot_word(struct impostor *i, uint32_t slot, uint32_t generation)
{
    _Atomic uint64_t *states = (void *)(i->control.base + sizeof(struct sl_control));
    atomic_store(&states[slot], (uint64_t)generation << 1 | 1);
}

static void send_by_queue(struct impostor *i, struct sl_iceoryx_sender *sender,
                          const struct sl_descriptor *d, const struct sl_range *ranges)
{
    static const unsigned char inline_body[64];
    assert_ok(sl_iceoryx_reserve(sender));
    sl_iceoryx_send(sender, d, ranges, SL_RANGES_MAX, inline_body);
    sl_ring_move_head(&i->map, d->seq);
}

/* The ring has nothing here: what is taken has come by iceoryx. */
static void random_descriptors_in_a_queue_are_survived(void **state)
{
    (void)state;
    if (!is_over_iceoryx()) /* no queue */
        return;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 4});
    struct impostor i;
    struct sl_iceoryx_sender *sender;
    struct sl_frame f;
    struct sl_range ranges[SL_RANGES_MAX] = {{0}};
    attach_impostor(&i, s);
    assert_ok(sl_iceoryx_sender_open(&i.domain, TOPIC, i.welcome.instance, 64, &sender));
    struct places places = guard_all(&i);
    struct sl_descriptor d = {.generation = 1, .body_length = 8};
    set_slot_word(&i, 0, 1);
    await((d.seq++, send_by_queue(&i, sender, &d, ranges), sl_subscriber_take(s, &f) == 0));
    sl_frame_release(&f);
    uint64_t taken = 0, sum = 0;
    for (int round = 0; round < WILD_ROUNDS; round++) {
        uint64_t seq = d.seq + 1;
        uint64_t *words = (uint64_t *)(void *)&d;
        for (size_t w = 0; w < sizeof d / sizeof *words; w++)
            words[w] = wild_word();
        for (int r = 0; r < SL_RANGES_MAX; r++)
            ranges[r] = (struct sl_range){(uint32_t)wild_word() % 3, (uint32_t)wild_word(),
                                          (uint32_t)wild_word()};
        if (round % 4) { /* a chance */
            d.pool = 0;
            d.slot = (uint32_t)random_word() % (IMPOSTOR_SLOTS + 1);
            d.generation = (uint32_t)random_word() % 4;
            d.flags = (uint32_t)random_word() & 0x70;
            d.body_offset = (uint32_t)random_word() % SLOT_SIZE;
            d.body_length = (uint32_t)random_word() % SLOT_SIZE;
            d.data_offset = (uint32_t)random_word() % 100;
            d.data_length = (uint32_t)random_word() % SLOT_SIZE;
        }
        if (d.flags & SL_DESCRIPTOR_INLINE) /* our own sender copies it */
            d.body_length %= 65;
        d.seq = seq;
        set_slot_word(&i, (uint32_t)round % IMPOSTOR_SLOTS, (uint32_t)random_word() % 4);
        send_by_queue(&i, sender, &d, ranges);
        if (round % 100 == 99) /* once more */
            send_by_queue(&i, sender, &d, ranges);
        for (int n = 0; n < 3 && sl_subscriber_take(s, &f) == 0; n++) {
            taken++;
            sum += read_inside(&places, &f);
            sl_frame_release(&f);
        }
    }
    print_message("%llu of %d messages were readable (%llu)\n", (unsigned long long)taken,
                  WILD_ROUNDS, (unsigned long long)sum);
    assert_true(taken > 100);
    assert_int_equal(reader_status_of(s).held, 0);
    assert_true(reader_status_of(s).lost[SL_LOSS_INVALID] > 100);
    unguard_all(&places);
    sl_subscriber_close(s);
    sl_iceoryx_sender_close(sender);
    impostor_leave(&i);
}

static atomic_bool moving;

/* Stores to the entries around the reader's cursor, for as long as it moves. */
static void *scribble(void *context)
{
    const struct impostor *i = context;
    const struct sl_ledger *ledger = sl_ledger_at(i->ledger.base, 0);
    _Atomic uint64_t *states = (void *)(i->control.base + sizeof(struct sl_control));
    uint64_t random = 1;
    while (atomic_load(&moving)) {
        uint64_t seq = atomic_load(&ledger->cursor) + 1;
        struct sl_entry *e = (void *)(i->map.entries + (seq & i->map.mask) * i->map.stride);
        struct sl_gather *g = &i->map.gathers[seq & i->map.mask];
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t word = random >> 33;
        atomic_store(&e->word[word % 7], word % 5 ? word % 4096 << 32 | word % 64 : random);
        atomic_store(&e->word[2], word % 6 << 32); /* slot: two do not exist */
        atomic_store(&e->word[3], (word & 0x70) << 32);
        atomic_store(&g->range[word % SL_RANGES_MAX][word % 2], word % 3 ? word % 4096 : random);
        atomic_store(&states[word % IMPOSTOR_SLOTS], word);
        atomic_store(&e->state, seq << 1 | (word % 8 != 0));
        atomic_store(&i->map.ring->head, seq + word % 3);
    }
    return NULL;
}

static void words_that_change_while_they_are_read_are_survived(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 4});
    struct impostor i;
    attach_impostor(&i, s);
    struct places places = guard_all(&i);
    uint64_t taken = 0, sum = 0;
    pthread_t thread;
    atomic_store(&moving, true);
    assert_int_equal(pthread_create(&thread, NULL, scribble, &i), 0);
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_MS * SL_NS_PER_MS;
    for (int round = 0; round < WILD_ROUNDS || taken < 100; round++) {
        struct sl_frame f;
        assert_true(sl_clock_monotonic_ns() < until_ns);
        if (sl_subscriber_take(s, &f) < 0)
            continue;
        taken++;
        sum += read_inside(&places, &f);
        sl_frame_release(&f);
    }
    atomic_store(&moving, false);
    pthread_join(thread, NULL);
    print_message("%llu messages were readable (%llu)\n", (unsigned long long)taken,
                  (unsigned long long)sum);
    assert_int_equal(reader_status_of(s).held, 0);
    unguard_all(&places);
    sl_subscriber_close(s);
    impostor_leave(&i);
}

static void *move_head(void *context)
{
    _Atomic uint64_t *head = context;
    while (atomic_load(&moving))
        atomic_fetch_add(head, 1);
    return NULL;
}

static void head_that_never_stands_still_does_not_hold_the_process(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct impostor i;
    impostor_appear(&i);
    impostor_meet(&i);
    impostor_segments(&i);
    atomic_store(&moving, true);
    pthread_t thread[2];
    for (int n = 0; n < 2; n++)
        assert_int_equal(pthread_create(&thread[n], NULL, move_head, &i.map.ring->head), 0);
    impostor_answer(&i);
    struct sl_frame f;
    for (int n = 0; n < 1000; n++)
        sl_subscriber_take(s, &f);
    await((sl_subscriber_take(s, &f),
           reader_status_of(s).publishers > 0 || strlen(reader_status_of(s).refusal) > 0));
    for (int n = 0; n < 1000; n++)
        assert_int_not_equal(sl_subscriber_take(s, &f), 0);
    atomic_store(&moving, false);
    for (int n = 0; n < 2; n++)
        pthread_join(thread[n], NULL);
    sl_subscriber_close(s);
    impostor_leave(&i);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(subscriber_of_another_version_is_told),
        TEST(publisher_of_another_version_is_told_of),
        TEST(each_lie_of_a_publisher_is_found_out),
        TEST(flood_of_descriptors_does_not_stay),
        TEST(descriptors_that_come_uninvited_do_not_stay),
        TEST(descriptors_that_point_outside_are_counted),
        TEST(random_words_in_the_ring_are_survived),
        TEST(random_descriptors_in_a_queue_are_survived),
        TEST(words_that_change_while_they_are_read_are_survived),
        TEST(head_that_never_stands_still_does_not_hold_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
