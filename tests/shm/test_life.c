/* SPDX-License-Identifier: Apache-2.0 */
/* test_life.c - opening, closing, and what outlives what. */
#include "core/shm/layout.h"
#include "tests/shm/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void names_are_checked(void **state)
{
    (void)state;
    char *long_topic = long_text(SL_TOPIC_MAX, '/');
    char *long_type = long_text(SL_TYPE_MAX, 't');
    const struct {
        const char *topic, *type;
        bool is_fine;
    } cases[] = {
        {"/a", "t", true},         {"/a/b_c/1", "a/msg/B", true},
        {"/" TYPE, TYPE, true},    {NULL, TYPE, false},
        {"", TYPE, false},         {"/", TYPE, false},
        {"a", TYPE, false},        {"/a b", TYPE, false},
        {"/a\n", TYPE, false},     {"/a\x7f", TYPE, false},
        {long_topic, TYPE, false}, {"/a", NULL, false},
        {"/a", "", false},         {"/a", "a b", false},
        {"/a", long_type, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_publisher_options o = {.topic = cases[i].topic, .type = cases[i].type};
        struct sl_publisher *p = NULL;
        int err = sl_publisher_open(&o, &p);
        if (err != (cases[i].is_fine ? 0 : -EINVAL))
            fail_msg("case %zu: %d", i, err);
        sl_publisher_close(p);
    }
    long_topic[SL_TOPIC_MAX - 1] = '\0'; /* the longest that fits */
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.topic = long_topic});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.topic = long_topic});
    assert_int_equal(reader_status_of(s).publishers, 1);
    sl_subscriber_close(s);
    sl_publisher_close(p);
    free(long_topic);
    free(long_type);
}

static void topics_of_one_beginning_are_told_apart(void **state)
{
    (void)state;
    char *topic = long_text(100, '/');
    struct sl_publisher *a = publisher_of(
        (struct sl_publisher_options){.topic = topic, .slot_size = SLOT_SIZE, .retain = 1});
    topic[99] = 'y';
    struct sl_publisher *b = publisher_of(
        (struct sl_publisher_options){.topic = topic, .slot_size = SLOT_SIZE, .retain = 1});
    assert_ok(publish(a, 1, 10));
    assert_ok(publish(b, 2, 10));
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.topic = topic});
    assert_int_equal(reader_status_of(s).publishers, 1);
    assert_int_equal(take_and_release(s), 2);
    sl_subscriber_close(s);
    sl_publisher_close(a);
    sl_publisher_close(b);
    free(topic);
}

static void frames_outlive_their_subscriber(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_frame f[3];
    for (uint64_t i = 0; i < 3; i++) {
        assert_ok(publish(p, i, SLOT_SIZE));
        take(s, &f[i]);
    }
    sl_subscriber_close(s);
    for (uint64_t i = 0; i < 200; i++)
        assert_ok(publish(p, 100 + i, SLOT_SIZE));
    assert_int_equal(status_of(p).slots_held, 3);
    for (int i = 0; i < 3; i++) {
        check_frame(&f[i]);
        assert_int_equal(sl_frame_check(&f[i]), 0);
        sl_frame_release(&f[i]);
    }
    await(status_of(p).subscribers == 0);
    assert_int_equal(status_of(p).slots_held, 0);
    sl_publisher_close(p);
}

static void frames_outlive_their_publisher(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_ok(publish(p, 1, SLOT_SIZE));
    struct sl_frame f;
    take(s, &f);
    sl_publisher_close(p);
    check_frame(&f);
    assert_int_equal(sl_frame_check(&f), 0);
    sl_subscriber_close(s);
    check_frame(&f);
    sl_frame_release(&f);
}

/* Waiting looks at who has gone, and leaves them. */
static void an_inline_body_outlives_its_publisher_until_the_next_take(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.inline_max = 64});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    unsigned char body[64];
    pattern_fill(body, sizeof body, 7);
    assert_ok(sl_publisher_publish_inline(p, body, sizeof body, &(struct sl_message){0}));
    struct sl_frame f;
    assert_ok(sl_subscriber_take(s, &f));
    sl_publisher_close(p);
    await((sl_subscriber_wait(s, SL_NS_PER_MS), reader_status_of(s).publishers == 0));
    assert_int_equal(f.body_length, sizeof body);
    assert_int_equal(pattern_check(f.body, f.body_length, 7), -1);
    sl_frame_release(&f);
    sl_subscriber_close(s);
}

static void messages_of_a_publisher_that_closed_are_read_to_the_end(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 20});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 2});
    for (uint64_t i = 1; i <= 10; i++)
        assert_ok(publish(p, i, 100));
    sl_publisher_close(p);
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(take_and_release(s), i);
    struct sl_frame f;
    assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == 0));
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
}

/* ---- Releases by other threads ----------------------------------------------------------------*/

struct relay {
    pthread_t thread;
    struct sl_frame frame[16];
    atomic_uint filled, freed;
    unsigned count;
};

static void *release_frames(void *context)
{
    struct relay *r = context;
    for (unsigned i = 0; i < r->count; i++) {
        while (atomic_load(&r->filled) == i)
            look_again_soon();
        check_frame(&r->frame[i % 16]);
        assert_int_equal(sl_frame_check(&r->frame[i % 16]), 0);
        sl_frame_release(&r->frame[i % 16]);
        atomic_fetch_add(&r->freed, 1);
    }
    return NULL;
}

static void other_threads_may_release(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .quota = 8, .slot_count = 40});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 8});
    struct relay relay[2] = {{.count = 300}, {.count = 300}};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&relay[i].thread, NULL, release_frames, &relay[i]), 0);
    for (uint64_t i = 0; i < 600; i++) {
        struct relay *r = &relay[i % 2];
        unsigned place = atomic_load(&r->filled);
        await(place - atomic_load(&r->freed) < 4); /* they free it before they count */
        assert_ok(publish(p, i, 1000));
        assert_int_equal(take(s, &r->frame[place % 16]), i);
        atomic_fetch_add(&r->filled, 1);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(relay[i].thread, NULL);
    assert_int_equal(reader_status_of(s).held, 0);
    assert_int_equal(lost_in_all(s), 0);
    assert_int_equal(status_of(p).slots_held, 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void last_release_in_another_thread_ends_the_mapping(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
        struct relay relay = {.count = 3};
        for (uint64_t i = 0; i < 3; i++) {
            assert_ok(publish(p, i, 100));
            take(s, &relay.frame[i]);
        }
        assert_int_equal(pthread_create(&relay.thread, NULL, release_frames, &relay), 0);
        atomic_fetch_add(&relay.filled, 3);
        sl_subscriber_close(s); /* while they are released */
        sl_publisher_close(p);
        pthread_join(relay.thread, NULL);
        assert_int_equal(count_mappings(), 0);
    }
}

/* ---- Again and again --------------------------------------------------------------------------*/

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define CYCLES 300
#else
#define CYCLES 2000
#endif

/* Each opening over iceoryx asks RouDi, and is answered in milliseconds. */
static unsigned cycles(void)
{
    return is_over_iceoryx() ? CYCLES / 10 : CYCLES;
}

static void opening_and_closing_leaves_nothing(void **state)
{
    (void)state;
    unsigned fds = count_fds();
    struct sl_publisher *other = NULL;
    for (uint64_t i = 0; i < cycles(); i++) {
        if (i == cycles() / 10) /* from here on the service thread stays */
            other = publisher_of((struct sl_publisher_options){.topic = "/other"});
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.slot_size = 64, .slot_count = 4});
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.history = 1});
        if (i % 3 == 0)
            assert_true(sl_subscriber_fd(s) >= 0);
        if (i % 2) {
            assert_ok(publish(p, i, 64));
            assert_int_equal(take_and_release(s), i);
        }
        if (i % 5 == 0) {
            sl_publisher_close(p);
            sl_subscriber_close(s);
        } else {
            sl_subscriber_close(s);
            sl_publisher_close(p);
        }
        if (i % 100 == 0 && !other) {
            assert_int_equal(count_fds(), fds);
            assert_int_equal(count_mappings(), 0);
            assert_int_equal(count_sockets(), 0);
        }
    }
    sl_publisher_close(other);
    assert_int_equal(count_fds(), fds);
}

static void *open_and_close(void *context)
{
    struct sl_publisher_options publisher = {
        .topic = TOPIC, .type = TYPE, .slot_size = 64, .slot_count = 8};
    struct sl_subscriber_options subscriber = {.topic = TOPIC};
    for (unsigned i = 0; i < cycles() / 20; i++) {
        struct sl_publisher *p = NULL;
        struct sl_subscriber *s = NULL;
        struct sl_frame f;
        assert_ok(sl_publisher_open(&publisher, &p));
        assert_ok(sl_subscriber_open(&subscriber, &s));
        assert_ok(publish(p, 1, 64));
        while (sl_subscriber_take(s, &f) == 0)
            sl_frame_release(&f);
        if (context)
            sl_publisher_close(p);
        sl_subscriber_close(s);
        if (!context)
            sl_publisher_close(p);
    }
    return NULL;
}

static void threads_open_and_close_at_the_same_time(void **state)
{
    (void)state;
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&thread[i], NULL, open_and_close, i % 2 ? (void *)thread : NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(count_sockets(), 0);
}

static void hundreds_of_topics_at_once(void **state)
{
    (void)state;
    enum {
        TOPICS = 120,
        ROUNDS = 3
    };
    for (int round = 0; round < ROUNDS; round++) {
        struct sl_publisher *p[TOPICS];
        char topic[32];
        for (int i = 0; i < TOPICS; i++) {
            snprintf(topic, sizeof topic, "/t/%d/%d", round, i);
            p[i] = publisher_of((struct sl_publisher_options){.topic = topic, .slot_size = 64});
            assert_ok(publish(p[i], (uint64_t)i, 8));
        }
        for (int i = 0; i < TOPICS; i++) {
            snprintf(topic, sizeof topic, "/t/%d/%d", round, i);
            struct sl_subscriber *s =
                subscriber_of((struct sl_subscriber_options){.topic = topic, .history = 1});
            assert_int_equal(take_and_release(s), i);
            sl_subscriber_close(s);
        }
        for (int i = 0; i < TOPICS; i++)
            sl_publisher_close(p[i]);
    }
    assert_int_equal(count_sockets(), 0);
}

/* Everything that an end can be made of, on a topic of its own. */
static void use_a_topic(unsigned number)
{
    char topic[32];
    snprintf(topic, sizeof topic, "/use/%u", number);
    struct sl_pool *pool = NULL;
    struct sl_publisher *p[2] = {0};
    struct sl_subscriber *s[3] = {0};
    struct sl_frame held[3];
    if (number % 2)
        must(sl_pool_create(&(struct sl_pool_options){.slot_size = 64, .slot_count = 16}, &pool));
    for (int i = 0; i < 2; i++) {
        struct sl_publisher_options o = {.topic = topic,
                                         .type = TYPE,
                                         .pool = pool,
                                         .slot_size = 64,
                                         .slot_count = 16,
                                         .lossless = i == 1,
                                         .retain = number % 3,
                                         .lease_ns = number % 5 ? 0 : 1000000000,
                                         .relay = number % 7 == 0};
        must(open_publisher(&o, &p[i]));
    }
    for (int i = 0; i < 3; i++) {
        struct sl_subscriber_options o = {.topic = topic,
                                          .policy = i == 1 ? SL_LATEST : SL_KEEP_LAST,
                                          .history = 1,
                                          .visitor = i == 2,
                                          .wake_batch = (uint32_t)i};
        must(open_subscriber(&o, &s[i]));
        if ((number + (unsigned)i) % 4 == 0)
            must(sl_subscriber_fd(s[i]));
    }
    for (int i = 0; i < 2; i++)
        must(publish(p[i], number, 64));
    for (int i = 0; i < 3; i++) {
        must(sl_subscriber_wait(s[i], PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        must(sl_subscriber_take(s[i], &held[i]));
    }
    for (unsigned i = 0; i < 5; i++) { /* in any order; frames are let go between and after */
        unsigned which = (i + number) % 5;
        if (which < 2)
            sl_publisher_close(p[which]);
        else
            sl_subscriber_close(s[which - 2]);
        if (i > 1)
            sl_frame_release(&held[i - 2]);
    }
    sl_pool_destroy(pool);
}

static unsigned count_lines(const char *path)
{
    unsigned count = 0;
    char line[512];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        count++;
    if (file)
        fclose(file);
    return count;
}

#ifdef __SANITIZE_THREAD__
#define MAPS_MORE 8 /* its runtime's, now and then; there are more topics than that */
#else
#define MAPS_MORE 0
#endif

/* In a process of its own, where nothing else allocates. What the allocator keeps for later, and
 * the statistics of the libraries, may differ by a little, once; a byte that is lost with each
 * topic comes to more. */
static int use_topics(uint64_t count)
{
    struct left {
        size_t bytes;
        unsigned maps, fds, segments, files;
    } left[2];
    for (unsigned round = 0, number = 0; round < 2; round++) {
        for (unsigned i = 0; i < (round == 0 ? 210 : count); i++)
            use_a_topic(number++);
        left[round] = (struct left){
            .bytes = mallinfo2().uordblks,
            .maps = count_lines("/proc/self/maps"),
            .fds = count_fds(),
            .segments = count_mappings(),
            .files = count_sockets(),
        };
    }
    fprintf(stderr, "%zu bytes, %u mappings, %u descriptors; then %zu, %u, %u\n", left[0].bytes,
            left[0].maps, left[0].fds, left[1].bytes, left[1].maps, left[1].fds);
    /* iceoryx's ends go a little later than we close them: two or three more may wait for that. */
    size_t late_bytes = is_over_iceoryx() ? 8192 : 0;
    must(left[1].bytes <= left[0].bytes + count * 8 + late_bytes ? 0 : -ENOMEM);
    must(left[1].maps <= left[0].maps + count / 5 + MAPS_MORE ? 0 : -ENOMEM);
    must(left[1].fds == left[0].fds ? 0 : -EMFILE);
    must(left[1].segments == 0 && left[1].files == 0 ? 0 : -ENOTEMPTY);
    return 0;
}

static void thousands_of_topics_leave_nothing(void **state)
{
    (void)state;
    struct child child = child_start("use-topics", cycles() / 2);
    assert_int_equal(child_end(&child), 0);
}

/* So many descriptors as the system lets us have: a topic takes 11, both of its ends together. */
static unsigned topics_that_fit(unsigned wanted)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur / 12 < wanted ? (unsigned)(limit.rlim_cur / 12) : wanted;
}

static void a_thousand_topics_at_once(void **state)
{
    (void)state;
    if (is_not_for_iceoryx("a host has 512 publishers"))
        return;
    static struct sl_publisher *p[CYCLES / 2];
    static struct sl_subscriber *s[CYCLES / 2];
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    unsigned count = topics_that_fit(CYCLES / 2);
    char topic[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(topic, sizeof topic, "/thousand/%u", i);
        p[i] = publisher_of((struct sl_publisher_options){.topic = topic, .retain = 1});
        s[i] = subscriber_of((struct sl_subscriber_options){.topic = topic});
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned char body[16];
        pattern_fill(body, sizeof body, i);
        struct sl_message m = {.stamp_ns = i};
        assert_ok(sl_publisher_publish_inline(p[i], body, sizeof body, &m));
    }
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(sl_wait(s, count, PATIENCE_MS * (int64_t)SL_NS_PER_MS), i);
        assert_int_equal(take_and_release(s[i]), i);
    }
    assert_int_equal(sl_wait(s, count, 1000000), -ETIMEDOUT);
    for (unsigned i = 0; i < count; i++) {
        sl_subscriber_close(s[i]);
        sl_publisher_close(p[i]);
    }
    setrlimit(RLIMIT_NOFILE, &before);
}

static void status_counts_what_happened(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .slot_count = 2, .quota = 2, .inline_max = 64});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_frame f[2];
    for (uint64_t i = 0; i < 2; i++) {
        assert_ok(publish(p, i, 1000));
        take(s, &f[i]);
    }
    assert_int_equal(publish(p, 2, 1000), -EAGAIN);
    assert_ok(sl_publisher_publish_inline(p, "1234", 4, &(struct sl_message){0}));
    struct sl_publisher_status ps = status_of(p);
    assert_int_equal(ps.published, 3);
    assert_int_equal(ps.bytes, 2004);
    assert_int_equal(ps.refused, 1);
    assert_int_equal(ps.subscribers, 1);
    assert_int_equal(ps.slots, 2);
    assert_int_equal(ps.slots_held, 2);
    assert_int_equal(ps.slots_loaned, 0);
    struct sl_subscriber_status ss = reader_status_of(s);
    assert_int_equal(ss.publishers, 1);
    assert_int_equal(ss.held, 2);
    assert_int_equal(ss.taken, 2);
    assert_true(ss.latency_max_ns >= ss.latency_p50_ns && ss.latency_max_ns > 0);
    assert_string_equal(ss.refusal, "");
    assert_string_equal(sl_loss_name(SL_LOSS_OVERRUN), "overrun");
    assert_string_equal(sl_loss_name((enum sl_loss)99), "unknown");
    sl_frame_release(&f[0]);
    sl_frame_release(&f[1]);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static unsigned count_inotify(void)
{
    unsigned count = 0;
    char target[64];
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        count += strcmp(target, "anon_inode:inotify") == 0;
    }
    closedir(folder);
    return count;
}

/* The kernel is late to end a process that has one. */
static void only_subscribers_take_an_inotify_instance(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    assert_int_equal(count_inotify(), 0);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_subscriber *second = subscriber_of((struct sl_subscriber_options){0});
    assert_int_equal(count_inotify(), 1);
    sl_subscriber_close(second);
    sl_subscriber_close(s);
    sl_publisher_close(p);
    assert_int_equal(count_inotify(), 0);
}

/* What a program that uses the bus starts gets nothing of it. */
static void no_descriptor_outlives_exec(void **state)
{
    (void)state;
    unsigned seen = 0;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_frame f;
    assert_ok(publish(p, 1, 100));
    take(s, &f);
    for (int fd = 3; fd < 1024; fd++) {
        char path[64], target[128] = "";
        int flags = fcntl(fd, F_GETFD);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (flags < 0 || readlink(path, target, sizeof target - 1) < 0)
            continue;
        bool is_ours = strstr(target, "sluice") || strstr(target, shm_root()) ||
                       strstr(target, "socket:") || strstr(target, "anon_inode:");
        if (is_ours && !(flags & FD_CLOEXEC))
            fail_msg("descriptor %d, %s", fd, target);
        seen += is_ours;
    }
    assert_true(seen >= 8);
    sl_frame_release(&f);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"use-topics", use_topics}, {0}};
    int ran = role_main(argc, argv, roles);
    if (ran >= 0)
        return ran;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(names_are_checked),
        TEST(topics_of_one_beginning_are_told_apart),
        TEST(frames_outlive_their_subscriber),
        TEST(frames_outlive_their_publisher),
        TEST(an_inline_body_outlives_its_publisher_until_the_next_take),
        TEST(messages_of_a_publisher_that_closed_are_read_to_the_end),
        TEST(other_threads_may_release),
        TEST(last_release_in_another_thread_ends_the_mapping),
        TEST(opening_and_closing_leaves_nothing),
        TEST(threads_open_and_close_at_the_same_time),
        TEST(hundreds_of_topics_at_once),
        TEST(thousands_of_topics_leave_nothing),
        TEST(a_thousand_topics_at_once),
        TEST(status_counts_what_happened),
        TEST(only_subscribers_take_an_inotify_instance),
        TEST(no_descriptor_outlives_exec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
