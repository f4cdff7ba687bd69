/* SPDX-License-Identifier: Apache-2.0 */
/* core/shm/iceoryx.h against a real RouDi, which dies, stops and comes again. Runs inside
 * tests/with_roudi.sh --bare. A process has one runtime for its life, so each test's ends are in
 * processes of their own; what they write on stderr must be nothing. */
#include "core/base/error.h"
#include "core/shm/iceoryx.h"
#include "core/shm/roudi.h"
#include "tests/shm/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTANCE   UINT64_C(0x0123456789abcdef)
#define INLINE     64
#define WORDS_FILE "/tmp/iceoryx.words" /* what the roles write on stderr */
/* The bound is 1 s; the machine may be busy. */
#define LATE_MS 4000

static pid_t roudi_pid;

static void stop_roudi(void)
{
    if (roudi_pid > 0) {
        kill(roudi_pid, SIGKILL);
        waitpid(roudi_pid, NULL, 0);
    }
    roudi_pid = 0;
}

static void start_roudi(void)
{
    const char *config = getenv("SLUICE_ROUDI_CONFIG");
    assert_non_null(config);
    stop_roudi();
    roudi_pid = fork();
    if (roudi_pid == 0) {
        int log = open("/tmp/roudi.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(log, 1);
        dup2(log, 2);
        execlp("iox-roudi", "iox-roudi", "-m", "off", "-c", config, (char *)NULL);
        _exit(127);
    }
    struct sl_roudi roudi;
    await(sl_roudi_find(&roudi) == 0 && roudi.pid == roudi_pid);
}

static int setup(void **state)
{
    start_roudi();
    unlink(WORDS_FILE);
    return shm_setup(state);
}

static int teardown(void **state)
{
    int result = shm_teardown(state);
    stop_roudi();
    return result;
}

/* ---- Roles -----------------------------------------------------------------------------------*/

static struct sl_domain domain;

static void begin_role(void)
{
    int words = open(WORDS_FILE, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(words, 2);
    close(words);
    must(sl_domain_open(NULL, true, &domain));
}

static struct sl_descriptor descriptor_of(uint64_t seq)
{
    return (struct sl_descriptor){.seq = seq, .slot = (uint32_t)seq, .stamp_ns = ~seq};
}

static void send_plain(struct sl_iceoryx_sender *sender, uint64_t seq)
{
    struct sl_descriptor d = descriptor_of(seq);
    must(sl_iceoryx_reserve(sender));
    sl_iceoryx_send(sender, &d, NULL, 0, NULL);
}

static void check(bool is_so, int line)
{
    if (!is_so)
        role_failed(line, "it is not so", 0);
}
#define check(is_so) check(is_so, __LINE__)

static void receive_plain(struct sl_iceoryx_receiver *receiver, uint64_t seq)
{
    struct sl_descriptor d = {0}, expected = descriptor_of(seq);
    struct sl_range ranges[SL_RANGES_MAX];
    unsigned char body[INLINE];
    int got = sl_iceoryx_receive(receiver, &d, ranges, body);
    check(got == 1 && memcmp(&d, &expected, sizeof d) == 0);
}

static void open_pair(uint64_t instance, struct sl_iceoryx_sender **ret_sender,
                      struct sl_iceoryx_receiver **ret_receiver)
{
    must(sl_iceoryx_sender_open(&domain, TOPIC, instance, INLINE, ret_sender));
    must(sl_iceoryx_receiver_open(&domain, TOPIC, instance, INLINE, ret_receiver));
    for (int i = 0; !sl_iceoryx_receiver_is_connected(*ret_receiver); i++) {
        check(i < 100000);
        look_again_soon();
    }
}

static bool is_empty(struct sl_iceoryx_receiver *receiver)
{
    struct sl_descriptor d;
    struct sl_range ranges[SL_RANGES_MAX];
    unsigned char body[INLINE];
    return sl_iceoryx_receive(receiver, &d, ranges, body) == 0;
}

static int run_exchange(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    check(is_empty(receiver));
    for (uint64_t seq = 1; seq <= 10; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 1; seq <= 10; seq++)
        receive_plain(receiver, seq);
    check(is_empty(receiver));
    /* more than the queue holds: the oldest are gone, the sender never waits */
    for (uint64_t seq = 1; seq <= SL_ICEORYX_QUEUE + 100; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 101; seq <= SL_ICEORYX_QUEUE + 100; seq++)
        receive_plain(receiver, seq);
    check(is_empty(receiver));
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    sl_domain_close(&domain);
    return 0;
}

static int run_bodies(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    struct sl_range ranges[SL_RANGES_MAX] = {{0, 1, 2}, {1, 3, 4}, {0, 5, 6}};
    struct sl_range got_ranges[SL_RANGES_MAX];
    unsigned char body[INLINE], got_body[INLINE];
    struct sl_descriptor d = descriptor_of(1), got;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    d.flags = SL_DESCRIPTOR_GATHER;
    must(sl_iceoryx_reserve(sender));
    must(sl_iceoryx_reserve(sender)); /* one chunk is enough */
    sl_iceoryx_send(sender, &d, ranges, 3, NULL);
    check(sl_iceoryx_receive(receiver, &got, got_ranges, got_body) == 1);
    check(memcmp(&got, &d, sizeof d) == 0 && memcmp(got_ranges, ranges, sizeof ranges) == 0);
    d.flags = SL_DESCRIPTOR_INLINE;
    d.body_length = INLINE;
    pattern_fill(body, sizeof body, 7);
    must(sl_iceoryx_reserve(sender));
    sl_iceoryx_send(sender, &d, NULL, 0, body);
    check(sl_iceoryx_receive(receiver, &got, got_ranges, got_body) == 1);
    check(memcmp(&got, &d, sizeof d) == 0 && pattern_check(got_body, sizeof got_body, 7) == -1);
    sl_iceoryx_receiver_close(receiver);
    /* A receiver that is promised more than the sender's chunks hold believes the chunks. */
    must(sl_iceoryx_receiver_open(&domain, TOPIC, INSTANCE, SL_INLINE_MAX, &receiver));
    for (int i = 0; !sl_iceoryx_receiver_is_connected(receiver); i++) {
        check(i < 100000);
        look_again_soon();
    }
    send_plain(sender, 2);
    unsigned char large[SL_INLINE_MAX];
    check(sl_iceoryx_receive(receiver, &got, got_ranges, large) == -EPROTO);
    check(sl_iceoryx_receive(receiver, &got, got_ranges, large) == 0);
    sl_iceoryx_receiver_close(receiver);
    must(sl_iceoryx_reserve(sender)); /* closing with a chunk at hand */
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* Open, say so, hear what became of RouDi, and go on. The argument is what opening then returns. */
static int run_trouble(uint64_t expected)
{
    struct sl_iceoryx_sender *sender, *second;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    say(1);
    hear();
    for (uint64_t seq = 1; seq <= 3; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 1; seq <= 3; seq++)
        receive_plain(receiver, seq);
    uint64_t start = sl_clock_monotonic_ns();
    int err = sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &second);
    check(err == -(int)expected);
    say(sl_clock_monotonic_ns() - start);
    hear();
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* Only start; say how it went. */
static int run_start(uint64_t expected)
{
    begin_role();
    int err = sl_iceoryx_start(&domain);
    check(err == -(int)expected);
    check((sl_iceoryx_roudi() != 0) == (err == 0));
    say(1);
    if (hear()) {
        must(sl_iceoryx_start(&domain));
        say(2);
        hear();
    }
    return 0;
}

static const struct role roles[] = {
    {"exchange", run_exchange}, {"bodies", run_bodies}, {"trouble", run_trouble},
    {"start", run_start},       {NULL, NULL},
};

/* ---- Tests -----------------------------------------------------------------------------------*/

static uint64_t ms_since(uint64_t start_ns)
{
    return (sl_clock_monotonic_ns() - start_ns) / SL_NS_PER_MS;
}

/* The role ends by itself, well, soon, and without a word from iceoryx. */
static void end_well(struct child *child)
{
    uint64_t start = sl_clock_monotonic_ns();
    int status = child_end(child);
    char words[2000] = "";
    FILE *file = fopen(WORDS_FILE, "re");
    if (file) {
        words[fread(words, 1, sizeof words - 1, file)] = '\0';
        fclose(file);
    }
    if (status != 0 || words[0])
        fail_msg("exit status %d, words: %s", status, words);
    assert_true(ms_since(start) < LATE_MS);
}

static void parcels_come_in_order_and_the_oldest_go(void **state)
{
    (void)state;
    struct child child = child_start("exchange", 0);
    end_well(&child);
}

static void bodies_and_sizes(void **state)
{
    (void)state;
    struct child child = child_start("bodies", 0);
    end_well(&child);
}

static void no_roudi_is_told_at_once(void **state)
{
    (void)state;
    stop_roudi();
    struct child child = child_start("start", ENOENT);
    uint64_t start = sl_clock_monotonic_ns();
    assert_int_equal(child_hear(&child), 1);
    assert_true(ms_since(start) < LATE_MS);
    start_roudi(); /* and it can be started later */
    child_tell(&child, 1);
    assert_int_equal(child_hear(&child), 2);
    end_well(&child);
}

static void trouble(int expected, void (*make_trouble)(void))
{
    struct child child = child_start("trouble", (uint64_t)expected);
    assert_int_equal(child_hear(&child), 1);
    make_trouble();
    child_tell(&child, 1);
    assert_true(child_hear(&child) / SL_NS_PER_MS < LATE_MS);
    end_well(&child);
}

static void a_dead_roudi_hurts_no_open_end(void **state)
{
    (void)state;
    trouble(ENOENT, stop_roudi);
}

static void another_roudi_is_told(void **state)
{
    (void)state;
    trouble(ESTALE, start_roudi);
}

static void suspend_roudi(void)
{
    kill(roudi_pid, SIGSTOP);
}

static void a_stopped_roudi_hangs_nobody(void **state)
{
    (void)state;
    trouble(ETIMEDOUT, suspend_roudi);
}

static void a_stopped_roudi_is_told_at_the_start(void **state)
{
    (void)state;
    suspend_roudi();
    struct child child = child_start("start", ETIMEDOUT);
    uint64_t start = sl_clock_monotonic_ns();
    assert_int_equal(child_hear(&child), 1);
    assert_true(ms_since(start) < LATE_MS);
    kill(roudi_pid, SIGCONT); /* and the start succeeds after all */
    child_tell(&child, 1);
    assert_int_equal(child_hear(&child), 2);
    end_well(&child);
}

int main(int argc, char **argv)
{
    int status = role_main(argc, argv, roles);
    if (status >= 0)
        return status;
    if (!sl_iceoryx_is_there()) {
        printf("SKIP: built without iceoryx\n");
        return 77;
    }
    if (!getenv("SLUICE_ROUDI_CONFIG")) {
        printf("run it by tests/with_roudi.sh --bare\n");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parcels_come_in_order_and_the_oldest_go, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_and_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(no_roudi_is_told_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_roudi_hurts_no_open_end, setup, teardown),
        cmocka_unit_test_setup_teardown(another_roudi_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_roudi_hangs_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_roudi_is_told_at_the_start, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
