/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay.c - another thread pays for waking: nothing is slept over, whoever comes and goes. */
#include "tests/shm/support.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MESSAGES 3000
#else
#define MESSAGES 20000
#endif

/* Threads of this process that bear the name. */
static unsigned count_threads(const char *name)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[300], text[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(text, sizeof text, file)) {
            text[strcspn(text, "\n")] = '\0';
            count += strcmp(text, name) == 0;
        }
        fclose(file);
    }
    closedir(folder);
    return count;
}

static void relay_lives_as_long_as_a_publisher_that_wants_it(void **state)
{
    (void)state;
    struct sl_publisher *plain = publisher_of((struct sl_publisher_options){.topic = "/plain"});
    assert_int_equal(count_threads("sluice-relay"), 0);
    for (int round = 0; round < 20; round++) {
        struct sl_publisher *a =
            publisher_of((struct sl_publisher_options){.topic = "/a", .relay = true});
        struct sl_publisher *b =
            publisher_of((struct sl_publisher_options){.topic = "/b", .relay = true});
        await(count_threads("sluice-relay") == 1); /* it is named after it was started */
        sl_publisher_close(a);
        assert_int_equal(count_threads("sluice-relay"), 1);
        sl_publisher_close(b);
        await(count_threads("sluice-relay") ==
              0); /* a thread that was joined may still be listed */
    }
    sl_publisher_close(plain);
}

/* ---- Nothing is slept over --------------------------------------------------------------------*/

struct writer {
    struct sl_publisher *publisher;
    int (*prepare)(void);
    int prepared;
    uint64_t messages;
    unsigned pause_ns; /* between messages, at most */
    atomic_bool stop;
};

static void *write_messages(void *context)
{
    struct writer *w = context;
    uint64_t random = 88172645463325252;
    w->prepared = w->prepare ? w->prepare() : 0;
    for (uint64_t seed = 1; seed <= w->messages && !atomic_load(&w->stop); seed++) {
        unsigned char body[8];
        pattern_fill(body, sizeof body, seed);
        struct sl_message m = {.stamp_ns = seed};
        assert_ok(sl_publisher_publish_inline(w->publisher, body, sizeof body, &m));
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t until_ns = sl_clock_monotonic_ns() + random % (w->pause_ns + 1);
        while (sl_clock_monotonic_ns() < until_ns)
            ;
    }
    return NULL;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    return poll(&in, 1, timeout_ms) == 1;
}

/* Sleep until there is something, again and again, up to the last message. */
static void read_all(struct sl_subscriber *s, bool by_fd, uint64_t last)
{
    int fd = by_fd ? sl_subscriber_fd(s) : -1;
    for (uint64_t seed = 0; seed < last;) {
        struct sl_frame f;
        if (by_fd)
            assert_true(is_readable(fd, PATIENCE_MS));
        else
            assert_ok(sl_subscriber_wait(s, PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        while (sl_subscriber_take(s, &f) == 0) {
            check_frame(&f);
            assert_int_equal(f.stamp_ns, ++seed);
        }
    }
}

struct eager_reader {
    struct sl_subscriber *subscriber;
    bool by_fd;
    uint64_t last;
};

static void *read_in_a_thread(void *context)
{
    struct eager_reader *r = context;
    read_all(r->subscriber, r->by_fd, r->last);
    return NULL;
}

static void run_readers(int (*prepare)(void), uint64_t messages, unsigned pause_ns)
{
    struct writer w = {
        .publisher = publisher_of((struct sl_publisher_options){.ring = 65536, .relay = true}),
        .prepare = prepare,
        .messages = messages,
        .pause_ns = pause_ns,
    };
    struct eager_reader reader[3];
    pthread_t thread[3], writer;
    for (int i = 0; i < 3; i++) {
        reader[i] = (struct eager_reader){
            .subscriber = subscriber_of((struct sl_subscriber_options){
                .wake_batch = i == 2 ? 16 : 0, .wake_after_ns = 1000000}),
            .by_fd = i == 1,
            .last = messages,
        };
        assert_int_equal(pthread_create(&thread[i], NULL, read_in_a_thread, &reader[i]), 0);
    }
    assert_int_equal(pthread_create(&writer, NULL, write_messages, &w), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    pthread_join(writer, NULL);
    if (w.prepared < 0)
        print_message("no seccomp here: the writer was not watched\n");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lost_in_all(reader[i].subscriber), 0);
        sl_subscriber_close(reader[i].subscriber);
    }
    sl_publisher_close(w.publisher);
}

static void no_wake_up_is_lost_by_the_relay(void **state)
{
    (void)state;
    run_readers(NULL, MESSAGES, 6000); /* about as long as a wake-up takes */
}

/* From here on this thread's system calls that wake others do nothing: no message on a connection,
 * no wake-up of a futex that is shared between processes. */
static int wake_nobody(void)
{
#define LOAD(field)        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(value)      BPF_STMT(BPF_RET | BPF_K, value)
    struct sock_filter steps[] = {
        LOAD(nr),
        IS(SYS_sendto, 2, 0),
        IS(SYS_futex, 2, 0),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        LOAD(args[1]),
        IS(FUTEX_WAKE, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
        return -errno;
    return 0;
}

static void publishing_thread_wakes_nobody_itself(void **state)
{
    (void)state;
    run_readers(wake_nobody, MESSAGES / 10, 20000);
}

static void message_before_the_end_wakes(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    for (int round = 0; round < 200; round++) {
        struct sl_publisher *p = publisher_of((struct sl_publisher_options){.relay = true});
        struct eager_reader reader = {.subscriber = s, .last = 1};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, read_in_a_thread, &reader), 0);
        struct writer w = {.publisher = p, .messages = 1};
        await(status_of(p).subscribers == 1);
        write_messages(&w);
        sl_publisher_close(p);
        pthread_join(thread, NULL);
    }
    sl_subscriber_close(s);
}

/* ---- While others come and go -----------------------------------------------------------------*/

static void *come_and_go(void *context)
{
    struct writer *w = context;
    for (int i = 0; i < (int)(MESSAGES / 100); i++) {
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
        if (i % 2)
            sl_subscriber_fd(s);
        sl_subscriber_wait(s, 100000);
        struct sl_frame f;
        while (sl_subscriber_take(s, &f) == 0 && !atomic_load(&w->stop))
            check_frame(&f);
        sl_subscriber_close(s);
    }
    return NULL;
}

static void subscribers_and_publishers_may_end_while_it_looks(void **state)
{
    (void)state;
    struct sl_pool *pool = NULL;
    assert_ok(sl_pool_create(&(struct sl_pool_options){.slot_size = 64, .slot_count = 8}, &pool));
    struct writer w = {
        .publisher = publisher_of((struct sl_publisher_options){.pool = pool, .relay = true}),
        .messages = UINT64_MAX,
        .pause_ns = 3000,
    };
    pthread_t writer, others[2];
    assert_int_equal(pthread_create(&writer, NULL, write_messages, &w), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&others[i], NULL, come_and_go, &w), 0);
    for (int i = 0; i < (int)(MESSAGES / 100); i++) { /* of other pools: the list of the relay */
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.topic = "/other", .relay = true});
        unsigned char body[8] = {0};
        assert_ok(sl_publisher_publish_inline(p, body, sizeof body, &(struct sl_message){0}));
        sl_publisher_close(p);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    atomic_store(&w.stop, true);
    pthread_join(writer, NULL);
    sl_publisher_close(w.publisher);
    sl_pool_destroy(pool);
}

#ifndef __SANITIZE_THREAD__ /* it does not let a forked child start threads */
static void forked_child_may_begin_anew(void **state)
{
    (void)state;
    SKIP_EMULATED("threads of a forked child");
    if (is_not_for_iceoryx("a process that was forked off has no part in it"))
        return;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.relay = true});
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sl_publisher_options o = {.topic = "/child", .type = TYPE, .relay = true};
        struct sl_publisher *own = NULL;
        int err = sl_publisher_open(&o, &own);
        if (err == 0)
            err = sl_publisher_publish_inline(own, "1234", 4, &(struct sl_message){0});
        sl_publisher_close(own);
        _exit(err == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct writer w = {.publisher = p, .messages = 10};
    write_messages(&w);
    read_all(s, false, 10);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}
#endif

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(relay_lives_as_long_as_a_publisher_that_wants_it),
        TEST(no_wake_up_is_lost_by_the_relay),
        TEST(publishing_thread_wakes_nobody_itself),
        TEST(message_before_the_end_wakes),
        TEST(subscribers_and_publishers_may_end_while_it_looks),
#ifndef __SANITIZE_THREAD__
        TEST(forked_child_may_begin_anew),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
