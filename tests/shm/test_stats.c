/* SPDX-License-Identifier: Apache-2.0 */
/* test_stats.c - what tools read of other processes, in place. */
#include "core/shm/handshake.h"
#include "core/shm/stats.h"
#include "tests/shm/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct want {
    enum sl_stats_kind kind;
    const char *topic;
    pid_t pid;
    struct sl_stats_view view;
    unsigned found, rows;
};

static int note_row(void *context, const struct sl_stats_view *view)
{
    struct want *want = context;
    want->rows++;
    if (view->kind == want->kind && strcmp(view->topic, want->topic) == 0 &&
        view->node->pid == want->pid) {
        want->view = *view;
        want->found++;
    }
    return 0;
}

static struct want row_of(struct sl_stats_watch *watch, enum sl_stats_kind kind, const char *topic,
                          pid_t pid)
{
    struct want want = {.kind = kind, .topic = topic, .pid = pid};
    assert_ok(sl_stats_watch_refresh(watch, PATIENCE_MS));
    assert_int_equal(sl_stats_each(watch, note_row, &want), 0);
    return want;
}

static void rows_show_what_publishers_and_subscribers_do(void **state)
{
    (void)state;
    struct sl_stats_watch *watch = malloc(sizeof *watch);
    assert_ok(sl_stats_watch_open(NULL, watch));
    assert_int_equal(row_of(watch, SL_STATS_PUBLISHER, TOPIC, getpid()).rows, 0);
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 9, .quota = 3});
    struct sl_subscriber *s =
        subscriber_of((struct sl_subscriber_options){.type = TYPE, .depth = 2, .quota = 3});
    struct sl_subscriber *tool = subscriber_of((struct sl_subscriber_options){.visitor = true});
    for (uint64_t i = 1; i <= 5; i++)
        assert_ok(publish(p, i, 1000));
    struct sl_frame f;
    take(s, &f);
    struct want w = row_of(watch, SL_STATS_PUBLISHER, TOPIC, getpid());
    assert_int_equal(w.found, 1);
    assert_int_equal(w.rows, 2); /* who looks on is not shown */
    assert_string_equal(w.view.type, TYPE);
    assert_string_equal(w.view.node->name, program_invocation_short_name);
    assert_int_equal(w.view.messages, 5);
    assert_int_equal(w.view.bytes, 5000);
    assert_int_equal(w.view.last_stamp_ns, 5);
    assert_int_equal(w.view.slot_count, 9);
    assert_int_equal(w.view.slot_size, SLOT_SIZE);
    assert_int_equal(w.view.quota, 3);
    assert_int_equal(w.view.peers, 1);
    assert_true(w.view.instance == f.instance);
    w = row_of(watch, SL_STATS_SUBSCRIBER, TOPIC, getpid());
    assert_int_equal(w.found, 1);
    assert_int_equal(w.view.messages, 1);
    assert_int_equal(w.view.lost[SL_LOSS_OVERRUN], 3);
    assert_int_equal(w.view.held, 1);
    assert_int_equal(w.view.peers, 1);
    assert_int_equal(w.view.depth, 2);
    assert_true(w.view.latency_max_ns > 0);
    uint32_t use = w.view.use;
    sl_frame_release(&f);
    sl_subscriber_close(s);
    assert_int_equal(row_of(watch, SL_STATS_SUBSCRIBER, TOPIC, getpid()).found, 0);
    /* The row is used again, and is told apart. */
    s = subscriber_of((struct sl_subscriber_options){0});
    w = row_of(watch, SL_STATS_SUBSCRIBER, TOPIC, getpid());
    assert_int_equal(w.found, 1);
    assert_int_equal(w.view.messages, 0);
    assert_int_not_equal(w.view.use, use);
    sl_subscriber_close(s);
    sl_subscriber_close(tool);
    sl_publisher_close(p);
    assert_int_equal(row_of(watch, SL_STATS_PUBLISHER, TOPIC, getpid()).rows, 0);
    sl_stats_watch_close(watch);
    free(watch);
}

static void more_ends_than_rows_still_work(void **state)
{
    (void)state;
    enum {
        ENDS = SL_STATS_ROWS + 4
    };
    struct sl_subscriber *s[ENDS];
    for (int i = 0; i < ENDS; i++)
        s[i] = subscriber_of((struct sl_subscriber_options){0});
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .subscribers = ENDS});
    assert_ok(publish(p, 4, 100));
    for (int i = 0; i < ENDS; i++)
        assert_int_equal(take_and_release(s[i]), 4);
    for (int i = 0; i < ENDS; i++)
        sl_subscriber_close(s[i]);
    sl_publisher_close(p);
}

static int publish_until_told(uint64_t count)
{
    sl_stats_set_name("counting");
    struct sl_publisher_options o = {.topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE};
    struct sl_publisher *p = NULL;
    must(open_publisher(&o, &p));
    for (uint64_t i = 1; i <= count; i++)
        must(publish(p, i, 10));
    say(1);
    while (hear()) {
        must(publish(p, ++count, 10));
        say(count);
    }
    sl_publisher_close(p);
    return 0;
}

static void other_processes_are_read_in_place(void **state)
{
    (void)state;
    struct child child = child_start("counter", 7);
    child_hear(&child);
    struct sl_stats_watch *watch = malloc(sizeof *watch);
    assert_ok(sl_stats_watch_open(NULL, watch));
    struct want w = row_of(watch, SL_STATS_PUBLISHER, TOPIC, child.pid);
    assert_int_equal(w.found, 1);
    assert_int_equal(w.view.messages, 7);
    assert_string_equal(w.view.node->name, "counting");
    for (uint64_t i = 8; i < 20; i++) { /* no refresh: the page is mapped */
        child_tell(&child, 1);
        assert_int_equal(child_hear(&child), i);
        struct want again = {.kind = SL_STATS_PUBLISHER, .topic = TOPIC, .pid = child.pid};
        assert_int_equal(sl_stats_each(watch, note_row, &again), 0);
        assert_int_equal(again.view.messages, i);
    }
    /* Its end removes it; so does its death. */
    assert_int_equal(child_end(&child), 0);
    await(row_of(watch, SL_STATS_PUBLISHER, TOPIC, child.pid).rows == 0);
    assert_int_equal(count_sockets(), 0);
    child = child_start("counter", 3);
    child_hear(&child);
    assert_int_equal(row_of(watch, SL_STATS_PUBLISHER, TOPIC, child.pid).found, 1);
    child_kill(&child);
    assert_int_equal(row_of(watch, SL_STATS_PUBLISHER, TOPIC, child.pid).rows, 0);
    assert_int_equal(watch->node_count, 0);
    struct sl_domain domain;
    assert_ok(sl_domain_open(NULL, false, &domain));
    sl_domain_sweep(&domain, child.pid);
    sl_domain_close(&domain);
    sl_stats_watch_close(watch);
    free(watch);
}

/* ---- Strangers at the page's door -------------------------------------------------------------*/

static int find_node(void *context, const struct sl_socket_name *name)
{
    if (name->kind == SL_SOCKET_NODE)
        *(struct sl_socket_name *)context = *name;
    return 0;
}

/* They come, and say nothing, or ask and stay; a tool still sees the process. */
static void crowd_at_the_page_hides_nobody(void **state)
{
    (void)state;
    enum {
        CROWD = 100
    };
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_domain domain;
    struct sl_socket_name name = {0};
    struct sl_hello hello;
    int fd[CROWD];
    sl_hello_init(&hello, SL_HELLO_STATS);
    assert_ok(sl_domain_open(NULL, false, &domain));
    assert_ok(sl_domain_list(&domain, find_node, &name));
    for (int i = 0; i < CROWD; i++) {
        await((fd[i] = sl_domain_connect(&domain, name.file)) != -EAGAIN);
        assert_true(fd[i] >= 0);
        if (i % 2)
            assert_ok(sl_hello_send(fd[i], &hello));
    }
    struct sl_stats_watch *watch = malloc(sizeof *watch);
    assert_ok(sl_stats_watch_open(NULL, watch));
    assert_int_equal(row_of(watch, SL_STATS_PUBLISHER, TOPIC, getpid()).found, 1);
    /* The silent ones are not waited for, even if nobody else comes. */
    for (int i = CROWD - 2; i >= 0; i -= 2) {
        char byte;
        await(recv(fd[i], &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
    }
    for (int i = 0; i < CROWD; i++)
        close(fd[i]);
    sl_stats_watch_close(watch);
    free(watch);
    sl_domain_close(&domain);
    sl_publisher_close(p);
}

static uint64_t processor_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * SL_NS_PER_S + (uint64_t)used.tv_nsec;
}

/* Who knocks stays at the door until there is room; the service thread does not turn in circles. */
static void without_descriptors_the_page_waits(void **state)
{
    (void)state;
    SKIP_EMULATED("qemu needs descriptors of its own");
    enum {
        FEW = 256
    };
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_domain domain;
    struct sl_socket_name name = {0};
    struct rlimit usual, low;
    assert_ok(sl_domain_open(NULL, false, &domain));
    assert_ok(sl_domain_list(&domain, find_node, &name));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    low = (struct rlimit){FEW, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int taken[FEW], count = 0;
    while (count < FEW && (taken[count] = dup(0)) >= 0)
        count++;
    assert_true(count > 0);
    close(taken[--count]); /* room for one end of a connection */
    int fd = sl_domain_connect(&domain, name.file);
    uint64_t before_ns = processor_ns();
    usleep(500000);
    uint64_t used_ns = processor_ns() - before_ns;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    while (count > 0)
        close(taken[--count]);
    assert_true(fd >= 0);
    assert_true(used_ns < 200 * SL_NS_PER_MS);
    struct sl_hello hello;
    struct sl_welcome welcome;
    int fds[SL_WELCOME_FDS];
    sl_hello_init(&hello, SL_HELLO_STATS);
    await(sl_hello_send(fd, &hello) == 0);
    await(sl_welcome_receive(fd, &welcome, fds) == 0);
    for (unsigned i = 0; i < welcome.fd_count; i++)
        close(fds[i]);
    close(fd);
    sl_domain_close(&domain);
    sl_publisher_close(p);
}

static const struct role roles[] = {{"counter", publish_until_told}, {NULL, NULL}};

int main(int argc, char **argv)
{
    int role = role_main(argc, argv, roles);
    if (role >= 0)
        return role;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_show_what_publishers_and_subscribers_do),
        TEST(more_ends_than_rows_still_work),
        TEST(other_processes_are_read_in_place),
        TEST(crowd_at_the_page_hides_nobody),
        TEST(without_descriptors_the_page_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
