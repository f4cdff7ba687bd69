/* SPDX-License-Identifier: Apache-2.0 */
/* core/shm/iceoryx.h against a real RouDi, which dies, stops and comes again. Runs inside
 * tests/with_roudi.sh --bare. A process has one runtime for its life, so each test's ends are in
 * processes of their own; what they write on stderr must be nothing. */
#include "core/base/error.h"
#include "core/shm/iceoryx.h"
#include "core/shm/iceoryx_mutex.h"
#include "core/shm/roudi.h"
#include "tests/shm/support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTANCE   UINT64_C(0x0123456789abcdef)
#define INLINE     64
#define WORDS_FILE "/tmp/iceoryx.words" /* what the roles write on stderr */
#define LOG_FILE   "/tmp/roudi.log"
/* The bound is 1 s; the machine may be busy. iceoryx by itself would take 60 s. */
#define LATE_MS 15000
#define HANGS_S 60

static pid_t roudi_pid;

static void stop_roudi(void)
{
    if (roudi_pid > 0) {
        kill(roudi_pid, SIGKILL);
        waitpid(roudi_pid, NULL, 0);
    }
    roudi_pid = 0;
}

/* Where it may be had: a RouDi that watches gives up who is late on a busy machine, too. */
static void take_precedence(void)
{
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
}

/* `library`: preloaded; "" = none. */
static void start_roudi_as(const char *on_or_off, const char *library)
{
    const char *config = getenv("SLUICE_ROUDI_CONFIG");
    assert_non_null(config);
    stop_roudi();
    roudi_pid = fork();
    if (roudi_pid == 0) {
        int log = open(LOG_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(log, 1);
        dup2(log, 2);
        if (strcmp(on_or_off, "on") == 0)
            take_precedence();
        setenv("LD_PRELOAD", library, 1);
        execlp("iox-roudi", "iox-roudi", "-m", on_or_off, "-c", config, (char *)NULL);
        _exit(127);
    }
    struct sl_roudi roudi;
    await(sl_roudi_find(&roudi) == 0 && roudi.pid == roudi_pid);
}

static void start_roudi(void)
{
    start_roudi_as("off", "");
}

/* RouDi is late on a busy machine; what is not about that waits for it. */
#define PATIENCE_VARIABLE "SLUICE_ROUDI_PATIENCE_MS"

static int setup(void **state)
{
    setenv(PATIENCE_VARIABLE, "20000", 1);
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
    alarm(HANGS_S);
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

/* Stopped for so long that RouDi has freed all it had: the flow goes on without. */
static int run_given_up(uint64_t messages)
{
    struct sl_iceoryx_sender *sender, *second;
    struct sl_iceoryx_receiver *receiver;
    struct sl_publisher *p = NULL;
    struct sl_subscriber *s = NULL;
    struct sl_frame f;
    begin_role();
    take_precedence();
    open_pair(INSTANCE, &sender, &receiver);
    must(sl_iceoryx_reserve(sender)); /* a chunk at hand, which is RouDi's again */
    must(sl_publisher_open(
        &(struct sl_publisher_options){
            .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX},
        &p));
    must(sl_subscriber_open(&(struct sl_subscriber_options){.topic = TOPIC, .bus = SL_BUS_ICEORYX},
                            &s));
    say(1);
    hear();
    for (uint64_t seed = 1; seed <= messages; seed++) {
        must(publish(p, seed, 1000));
        while (sl_subscriber_take(s, &f) == -EAGAIN)
            must(sl_subscriber_wait(s, (int64_t)PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        check(f.stamp_ns == seed && f.lost_before == 0);
        sl_frame_release(&f);
    }
    send_plain(sender, 1);
    check(is_empty(receiver) && !sl_iceoryx_receiver_is_connected(receiver));
    check(sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &second) == -ESTALE);
    check(strstr(sl_error_text(), "monitoring is on") != NULL);
    say(2);
    hear();
    sl_subscriber_close(s);
    sl_publisher_close(p);
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* A subscriber that runs when its publisher comes, and that publisher. */
static int run_late_reader(uint64_t unused)
{
    (void)unused;
    struct sl_subscriber *s = NULL;
    struct sl_subscriber_status status;
    struct sl_frame f;
    begin_role();
    must(sl_subscriber_open(&(struct sl_subscriber_options){.topic = TOPIC, .bus = SL_BUS_ICEORYX},
                            &s));
    say(1);
    hear();
    for (uint64_t seed = 1; seed <= 2; seed++) {
        while (sl_subscriber_take(s, &f) == -EAGAIN)
            must(sl_subscriber_wait(s, (int64_t)PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        check(f.stamp_ns == seed && f.lost_before == 0);
        sl_frame_release(&f);
        say(1 + seed);
    }
    must(sl_subscriber_status(s, &status));
    check(status.publishers == 1);
    hear();
    sl_subscriber_close(s);
    return 0;
}

/* Meets several publishers at once whom iceoryx would have to connect it to. */
static int run_crowded_reader(uint64_t unused)
{
    (void)unused;
    struct sl_subscriber *first = NULL, *s = NULL;
    struct sl_subscriber_options o = {.topic = "/other", .bus = SL_BUS_ICEORYX};
    begin_role();
    must(sl_subscriber_open(&o, &first));
    say(1);
    hear();
    uint64_t start_ns = sl_clock_monotonic_ns();
    o.topic = TOPIC;
    sl_subscriber_open(&o, &s); /* whether it counts as a failure does not matter here */
    say((sl_clock_monotonic_ns() - start_ns) / SL_NS_PER_MS + 1);
    hear();
    sl_subscriber_close(s);
    sl_subscriber_close(first);
    return 0;
}

static int run_crowd_of_writers(uint64_t count)
{
    struct sl_publisher *p[16] = {NULL};
    begin_role();
    for (uint64_t i = 0; i < count; i++)
        must(sl_publisher_open(
            &(struct sl_publisher_options){
                .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX},
            &p[i]));
    say(1);
    hear();
    for (uint64_t i = 0; i < count; i++)
        sl_publisher_close(p[i]);
    return 0;
}

static int run_late_writer(uint64_t unused)
{
    (void)unused;
    struct sl_publisher *p = NULL;
    begin_role();
    must(sl_publisher_open(
        &(struct sl_publisher_options){
            .topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE, .bus = SL_BUS_ICEORYX},
        &p));
    must(publish(p, 1, 1000));
    say(1);
    hear();
    must(publish(p, 2, 1000));
    say(2);
    hear();
    sl_publisher_close(p);
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

/* A pair that stays until it is killed, or told to end. */
static int run_stand(uint64_t instance)
{
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(instance, &sender, &receiver);
    say(instance);
    hear();
    send_plain(sender, 1);
    receive_plain(receiver, 1);
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* iox::posix::mutex::unlock, of the mutexes that iceoryx has in shared memory. The program's comes
 * before the library's: a role that is told to ends in place of the so-many-th. */
static unsigned dies_unlocking;
#define UNLOCK_SYMBOL "_ZN3iox5posix5mutex6unlockEv"
__attribute__((visibility("default"))) bool unlock_mutex(void *mutex) __asm__(UNLOCK_SYMBOL);

bool unlock_mutex(void *mutex)
{
    bool (*original)(void *) = (bool (*)(void *))dlsym(RTLD_NEXT, UNLOCK_SYMBOL);
    if (dies_unlocking > 0 && --dies_unlocking == 0)
        kill(getpid(), SIGKILL);
    return original(mutex);
}

/* Of the queue's places: given back when what was in it has been taken, and, by senders, made
 * known.
 */
static bool dies_with_place;
#define PLACE_SYMBOL "_ZN3iox10concurrent10IndexQueueILm256EmE4pushEm"
__attribute__((visibility("default"))) void give_place(void *queue,
                                                       uint64_t place) __asm__(PLACE_SYMBOL);

void give_place(void *queue, uint64_t place)
{
    void (*original)(void *, uint64_t) = (void (*)(void *, uint64_t))dlsym(RTLD_NEXT, PLACE_SYMBOL);
    if (dies_with_place)
        kill(getpid(), SIGKILL);
    original(queue, place);
}

static int run_die_taking(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    must(sl_iceoryx_receiver_open(&domain, TOPIC, INSTANCE, INLINE, &receiver));
    for (int i = 0; !sl_iceoryx_receiver_is_connected(receiver); i++) {
        check(i < 100000);
        look_again_soon();
    }
    say(1);
    hear();
    dies_with_place = true;
    receive_plain(receiver, 1);
    return 1;
}

/* Sends one, and more than a queue holds after it has heard of the death. */
static int run_send_on(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    begin_role();
    must(sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE, INLINE, &sender));
    say(1);
    hear();
    send_plain(sender, 1);
    say(2);
    hear();
    for (uint64_t seq = 2; seq <= 3 * SL_ICEORYX_QUEUE; seq++)
        send_plain(sender, seq);
    say(3);
    hear();
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* Where a sender is killed: it has locked its publisher's mutex, and taken a place of the queue;
 * has the queue's mutex, too; not any more; and has its own again, for the history. */
enum {
    DIES_WITH_PLACE,
    DIES_WITH_BOTH,
    DIES_DELIVERED,
    DIES_AT_HISTORY,
    DEATHS
};

static int run_die_sending(uint64_t death)
{
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    say(1);
    hear();
    dies_with_place = death == DIES_WITH_PLACE;
    dies_unlocking = (unsigned)death;
    send_plain(sender, 1);
    return 1;
}

/* A child that ends by exit() must take nothing of its parent's along. */
static int run_fork(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender, *other;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(HANGS_S);
        int err = sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &other);
        sl_iceoryx_receiver_close(receiver);
        sl_iceoryx_sender_close(sender);
        exit(err == -EPERM ? 0 : 1);
    }
    int status = -1;
    check(waitpid(pid, &status, 0) == pid && status == 0);
    /* RouDi cleans up in its rounds; when it has made a connection since, it has made one. */
    struct sl_iceoryx_receiver *later;
    must(sl_iceoryx_sender_open(&domain, TOPIC, INSTANCE + 1, INLINE, &other));
    must(sl_iceoryx_receiver_open(&domain, TOPIC, INSTANCE + 1, INLINE, &later));
    for (int i = 0; !sl_iceoryx_receiver_is_connected(later); i++) {
        check(i < 100000);
        look_again_soon();
    }
    for (uint64_t seq = 1; seq <= 10; seq++)
        send_plain(sender, seq);
    for (uint64_t seq = 1; seq <= 10; seq++)
        receive_plain(receiver, seq);
    sl_iceoryx_receiver_close(later);
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(other);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* The lock of its process must not outlive it in a child. */
static int run_survivor(uint64_t unused)
{
    (void)unused;
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(INSTANCE, &sender, &receiver);
    if (fork() == 0) {
        alarm(HANGS_S);
        say((uint64_t)getpid());
        for (;;)
            pause();
    }
    hear();
    return 0;
}

enum {
    PUBLISHERS_MAX = 512,
    SUBSCRIBERS_MAX = 1024
};

/* All that RouDi has, and one more; then, when one is closed, one again. */
static int run_many_senders(uint64_t unused)
{
    (void)unused;
    static struct sl_iceoryx_sender *senders[PUBLISHERS_MAX + 1];
    int count = 0, err = 0;
    begin_role();
    while (count <= PUBLISHERS_MAX &&
           (err = sl_iceoryx_sender_open(&domain, TOPIC, (uint64_t)count, 0, &senders[count])) == 0)
        count++;
    check(err == -ENOSPC && strstr(sl_error_text(), "no publisher left"));
    check(count > PUBLISHERS_MAX - 16); /* RouDi has some for itself */
    sl_iceoryx_sender_close(senders[--count]);
    for (int i = 0; (err = sl_iceoryx_sender_open(&domain, TOPIC, 1000, 0, &senders[count])) < 0;
         i++) {
        check(err == -ENOSPC && i < 50);
        struct timespec pause = {.tv_nsec = 50000000};
        nanosleep(&pause, NULL);
    }
    for (int i = 0; i <= count; i++)
        sl_iceoryx_sender_close(senders[i]);
    return 0;
}

static int run_many_receivers(uint64_t unused)
{
    (void)unused;
    static struct sl_iceoryx_receiver *receivers[SUBSCRIBERS_MAX + 1];
    int count = 0, err = 0;
    begin_role();
    for (int late = 0; count <= SUBSCRIBERS_MAX && late < 10;) {
        err = sl_iceoryx_receiver_open(&domain, TOPIC, 1, 0, &receivers[count]);
        if (err == 0)
            count++;
        else if (err == -ETIMEDOUT) /* a RouDi of a thousand ends may be late on a busy machine */
            late++;
        else
            break;
    }
    check(err == -ENOSPC && strstr(sl_error_text(), "no subscriber left"));
    check(count > SUBSCRIBERS_MAX - 16);
    while (count > 0)
        sl_iceoryx_receiver_close(receivers[--count]);
    return 0;
}

/* One more than iceoryx connects to a sender: it is told by nobody, and harms nobody. */
static int run_crowd(uint64_t limit)
{
    static struct sl_iceoryx_receiver *receivers[SUBSCRIBERS_MAX];
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *elsewhere;
    begin_role();
    must(sl_iceoryx_sender_open(&domain, TOPIC, 1, INLINE, &sender));
    for (uint64_t i = 0; i <= limit; i++)
        must(sl_iceoryx_receiver_open(&domain, TOPIC, 1, INLINE, &receivers[i]));
    uint64_t connected = 0;
    for (int i = 0; connected < limit; i++) {
        check(i < 100000);
        connected = 0;
        for (uint64_t k = 0; k <= limit; k++)
            connected += sl_iceoryx_receiver_is_connected(receivers[k]);
        look_again_soon();
    }
    /* RouDi goes by opening: when it has connected another pair, it is done with these */
    struct sl_iceoryx_sender *other;
    open_pair(2, &other, &elsewhere);
    send_plain(sender, 1);
    uint64_t served = 0;
    for (uint64_t i = 0; i <= limit; i++)
        served += !is_empty(receivers[i]);
    check(served == limit);
    for (uint64_t i = 0; i <= limit; i++)
        sl_iceoryx_receiver_close(receivers[i]);
    sl_iceoryx_receiver_close(elsewhere);
    sl_iceoryx_sender_close(other);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* Many more in all than there can be at a time: RouDi frees what was closed only in its rounds. */
static int run_churn(uint64_t rounds)
{
    enum {
        AT_A_TIME = 450
    };
    static struct sl_iceoryx_sender *senders[AT_A_TIME];
    begin_role();
    for (uint64_t round = 0; round < rounds; round++) {
        for (int i = 0; i < AT_A_TIME; i++)
            must(sl_iceoryx_sender_open(&domain, TOPIC, round * 1000 + (uint64_t)i, INLINE,
                                        &senders[i]));
        must(sl_iceoryx_reserve(senders[0]));
        for (int i = 0; i < AT_A_TIME; i++)
            sl_iceoryx_sender_close(senders[i]);
    }
    return 0;
}

/* Nobody takes from the first; then the pool is empty, and is not when it is closed. */
static int run_empty_pool(uint64_t chunks)
{
    struct sl_iceoryx_sender *sender[2];
    struct sl_iceoryx_receiver *receiver[2];
    begin_role();
    open_pair(1, &sender[0], &receiver[0]);
    open_pair(2, &sender[1], &receiver[1]);
    int err = 0;
    for (uint64_t i = 0; i < chunks && (err = sl_iceoryx_reserve(sender[0])) == 0; i++)
        send_plain(sender[0], i);
    check(err == -EAGAIN && strstr(sl_error_text(), "no chunk"));
    check(sl_iceoryx_reserve(sender[1]) == -EAGAIN);
    receive_plain(receiver[0], 0);
    for (int i = 0; sl_iceoryx_reserve(sender[1]) < 0; i++) {
        check(i < 100000);
        look_again_soon();
    }
    send_plain(sender[1], 7);
    receive_plain(receiver[1], 7);
    for (int i = 0; i < 2; i++) {
        sl_iceoryx_receiver_close(receiver[i]);
        sl_iceoryx_sender_close(sender[i]);
    }
    return 0;
}

static const struct role roles[] = {
    {"exchange", run_exchange},
    {"bodies", run_bodies},
    {"trouble", run_trouble},
    {"given_up", run_given_up},
    {"late_reader", run_late_reader},
    {"late_writer", run_late_writer},
    {"crowded_reader", run_crowded_reader},
    {"crowd_of_writers", run_crowd_of_writers},
    {"start", run_start},
    {"stand", run_stand},
    {"die_sending", run_die_sending},
    {"die_taking", run_die_taking},
    {"send_on", run_send_on},
    {"fork", run_fork},
    {"survivor", run_survivor},
    {"many_senders", run_many_senders},
    {"many_receivers", run_many_receivers},
    {"crowd", run_crowd},
    {"churn", run_churn},
    {"empty_pool", run_empty_pool},
    {NULL, NULL},
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
        while (fgets(words, sizeof words, file))
            if (strstr(words, "False leaks are possible")) /* LeakSanitizer in a forked child */
                words[0] = '\0';
            else
                break;
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
    unsetenv(PATIENCE_VARIABLE);
    trouble(ETIMEDOUT, suspend_roudi);
}

static void a_stopped_roudi_is_told_at_the_start(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
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

/* The second is waited for once, not for each of them. */
static void a_stopped_roudi_is_waited_for_once(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
    struct child writers = child_start("crowd_of_writers", 8);
    assert_int_equal(child_hear(&writers), 1);
    struct child reader = child_start("crowded_reader", 0);
    assert_int_equal(child_hear(&reader), 1);
    suspend_roudi();
    child_tell(&reader, 1);
    uint64_t took_ms = child_hear(&reader) - 1;
    kill(roudi_pid, SIGCONT);
    if (took_ms < 900 || took_ms > 2500)
        fail_msg("opening took %llu ms", (unsigned long long)took_ms);
    child_tell(&reader, 1);
    end_well(&reader);
    child_tell(&writers, 1);
    end_well(&writers);
}

static void die_sending(uint64_t death)
{
    struct child dying = child_start("die_sending", death);
    assert_int_equal(child_hear(&dying), 1);
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL);
    child_tell(&dying, 1);
    assert_int_equal(child_end(&dying), 256 + SIGKILL);
}

/* Why RouDi without our library may hang for good (ARCHITECTURE.md): the next process takes the
 * name of the dead one, whose publisher RouDi then clears away, for which it needs the mutex. */
static void one_killed_with_its_lock_leaves_roudi_stuck_which_is_told(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
    die_sending(DIES_WITH_BOTH);
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL); /* as long as nobody needs it */
    struct child next = child_start("start", ETIMEDOUT);
    assert_int_equal(child_hear(&next), 1);
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_STUCK);
    child_kill(&next);
}

static const char *our_library(void)
{
    const char *library = getenv("SLUICE_ROUDI_LIBRARY");
    assert_true(library && library[0]);
    return library;
}

static void one_killed_with_its_lock_stops_no_roudi_with_our_library(void **state)
{
    (void)state;
    start_roudi_as("off", our_library());
    for (uint64_t death = 0; death < DEATHS; death++) {
        die_sending(death);
        struct child next = child_start("stand", INSTANCE + 1 + death);
        assert_int_equal(child_hear(&next), INSTANCE + 1 + death);
        child_tell(&next, 1);
        end_well(&next);
    }
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL);
}

typedef bool (*lock_function)(pthread_mutex_t *mutex);

/* As RouDi has it from our library, and as this program has it, for when RouDi is the dead one. */
static void a_mutex_of_the_dead_is_locked_as_any_other(void **state)
{
    (void)state;
    void *library = dlopen(our_library(), RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    void (*init)(pthread_mutex_t *, bool) =
        (void (*)(pthread_mutex_t *, bool))dlsym(library, SL_ICEORYX_MUTEX_INIT);
    const lock_function locks[] = {
        (lock_function)dlsym(library, SL_ICEORYX_MUTEX_LOCK),
        (lock_function)dlsym(library, SL_ICEORYX_MUTEX_TRY_LOCK),
        (lock_function)dlsym(RTLD_DEFAULT, SL_ICEORYX_MUTEX_LOCK),
    };
    pthread_mutex_t *mutex =
        mmap(NULL, sizeof *mutex, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(mutex != MAP_FAILED && init);
    init(mutex, true);
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_mutex_lock(mutex);
            kill(getpid(), SIGKILL);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(locks[i](mutex));
        assert_true(locks[i](mutex)); /* as often as one likes */
        assert_int_equal(pthread_mutex_unlock(mutex), 0);
        assert_int_equal(pthread_mutex_unlock(mutex), 0);
    }
    munmap(mutex, sizeof *mutex);
    dlclose(library);
}

static void one_killed_while_it_takes_catches_no_sender(void **state)
{
    (void)state;
    struct child sender = child_start("send_on", 0);
    assert_int_equal(child_hear(&sender), 1);
    struct child dying = child_start("die_taking", 0);
    assert_int_equal(child_hear(&dying), 1);
    child_tell(&sender, 1);
    assert_int_equal(child_hear(&sender), 2);
    child_tell(&dying, 1);
    assert_int_equal(child_end(&dying), 256 + SIGKILL);
    child_tell(&sender, 1);
    assert_int_equal(child_hear(&sender), 3);
    /* RouDi clears the dead one away when the next has its name. */
    struct child next = child_start("stand", INSTANCE + 1);
    assert_int_equal(child_hear(&next), INSTANCE + 1);
    child_tell(&next, 1);
    end_well(&next);
    child_tell(&sender, 1);
    end_well(&sender);
}

static void a_publisher_met_while_roudi_is_late_is_read_by_the_ring(void **state)
{
    (void)state;
    unsetenv(PATIENCE_VARIABLE);
    struct child reader = child_start("late_reader", 0);
    assert_int_equal(child_hear(&reader), 1);
    kill(reader.pid, SIGSTOP);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)reader.pid, &info, WSTOPPED), 0);
    struct child writer = child_start("late_writer", 0);
    assert_int_equal(child_hear(&writer), 1);
    suspend_roudi();
    kill(reader.pid, SIGCONT);
    child_tell(&reader, 1);
    assert_int_equal(child_hear(&reader), 2);
    child_tell(&writer, 1);
    assert_int_equal(child_hear(&writer), 2);
    assert_int_equal(child_hear(&reader), 3);
    child_tell(&reader, 1);
    end_well(&reader);
    child_tell(&writer, 1);
    end_well(&writer);
}

static bool roudi_says(const char *words)
{
    char line[1000];
    bool said = false;
    FILE *log = fopen(LOG_FILE, "re");
    while (log && !said && fgets(line, sizeof line, log))
        said = strstr(line, words);
    if (log)
        fclose(log);
    return said;
}

static void one_that_roudi_gave_up_goes_on_without_it(void **state)
{
    (void)state;
    start_roudi_as("on", "");
    struct child child = child_start("given_up", 300); /* more than the queue would hold */
    assert_int_equal(child_hear(&child), 1);
    assert_int_equal(kill(child.pid, SIGSTOP), 0);
    await(roudi_says("removing it"));
    assert_int_equal(kill(child.pid, SIGCONT), 0);
    child_tell(&child, 1);
    assert_int_equal(child_hear(&child), 2);
    end_well(&child);
}

static bool is_over(const struct child *child)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           info.si_pid == child->pid;
}

static void run_alone(const char *role, uint64_t argument)
{
    struct child child = child_start(role, argument);
    await(is_over(&child));
    end_well(&child);
}

static void the_limit_of_publishers_is_an_error(void **state)
{
    (void)state;
    run_alone("many_senders", 0);
}

static void the_limit_of_subscribers_is_an_error(void **state)
{
    (void)state;
    run_alone("many_receivers", 0);
}

static void the_257th_subscriber_of_a_publisher_gets_nothing(void **state)
{
    (void)state;
    run_alone("crowd", SL_ICEORYX_RECEIVERS_MAX);
}

static void opening_and_closing_never_runs_out(void **state)
{
    (void)state;
    run_alone("churn", 5);
}

static void a_forked_child_ends_alone(void **state)
{
    (void)state;
#ifdef SLUICE_TSAN
    puts("SKIP: ThreadSanitizer joins threads that fork() took away");
    skip(); /* it waits for ever */
#endif
    run_alone("fork", 0);
}

/* Which places of the domain are locked, as a mask. */
static unsigned places(void)
{
    unsigned mask = 0;
    for (unsigned k = 0; k < 8; k++) {
        char path[160];
        snprintf(path, sizeof path, "%s/default/iceoryx.%u.%u.lock", shm_root(),
                 (unsigned)geteuid(), k);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
            mask |= 1u << k;
        if (fd >= 0)
            close(fd);
    }
    return mask;
}

static void the_next_process_takes_a_killed_ones_place(void **state)
{
    (void)state;
    struct child child[3];
    for (unsigned i = 0; i < 3; i++) {
        child[i] = child_start("stand", 10 + i);
        assert_int_equal(child_hear(&child[i]), 10 + i);
        assert_int_equal(places(), (1u << (i + 1)) - 1);
    }
    child_kill(&child[1]);
    assert_int_equal(places(), 5);
    struct child next = child_start("stand", 20);
    assert_int_equal(child_hear(&next), 20);
    assert_int_equal(places(), 7);
    struct child *left[] = {&child[0], &child[2], &next};
    for (int i = 0; i < 3; i++) {
        child_tell(left[i], 1);
        end_well(left[i]);
    }
    assert_int_equal(places(), 0);
}

static void equal_domains_of_two_roots_do_not_meet(void **state)
{
    (void)state;
    char first[80], second[80];
    snprintf(first, sizeof first, "%s", shm_root());
    snprintf(second, sizeof second, "%s/second", shm_root());
    assert_int_equal(mkdir(second, 0700), 0);
    struct child one = child_start("stand", 1);
    assert_int_equal(child_hear(&one), 1);
    setenv("SLUICE_ROOT", second, 1);
    struct child two = child_start("stand", 2);
    assert_int_equal(child_hear(&two), 2);
    setenv("SLUICE_ROOT", first, 1);
    child_tell(&one, 1);
    end_well(&one);
    child_tell(&two, 1);
    end_well(&two);
}

static void a_surviving_child_does_not_keep_the_place(void **state)
{
    (void)state;
    struct child child = child_start("survivor", 0);
    pid_t survivor = (pid_t)child_hear(&child);
    assert_true(survivor > 0);
    child_kill(&child);
    assert_int_equal(places(), 0);
    struct child next = child_start("stand", 5);
    assert_int_equal(child_hear(&next), 5);
    assert_int_equal(places(), 1);
    child_tell(&next, 1);
    end_well(&next);
    kill(survivor, SIGKILL);
}

static void an_empty_pool_is_an_error_until_it_is_not(void **state)
{
    (void)state;
    char small[] = "/tmp/small.toml";
    FILE *file = fopen(small, "we");
    assert_non_null(file);
    enum {
        CHUNKS = 20
    };
    fprintf(file,
            "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\nsize = %u\n"
            "count = %d\n",
            sl_iceoryx_chunk_size(), CHUNKS);
    fclose(file);
    char *config = strdup(getenv("SLUICE_ROUDI_CONFIG"));
    setenv("SLUICE_ROUDI_CONFIG", small, 1);
    start_roudi();
    setenv("SLUICE_ROUDI_CONFIG", config, 1);
    free(config);
    struct child child = child_start("empty_pool", CHUNKS + 1);
    int status = child_end(&child); /* not without words: see iceoryx.h */
    assert_int_equal(status, 0);
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
        cmocka_unit_test_setup_teardown(a_stopped_roudi_is_waited_for_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_killed_with_its_lock_leaves_roudi_stuck_which_is_told,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_killed_with_its_lock_stops_no_roudi_with_our_library,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_mutex_of_the_dead_is_locked_as_any_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_killed_while_it_takes_catches_no_sender, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_publisher_met_while_roudi_is_late_is_read_by_the_ring,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_roudi_gave_up_goes_on_without_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_limit_of_publishers_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(the_limit_of_subscribers_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(the_257th_subscriber_of_a_publisher_gets_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(opening_and_closing_never_runs_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_forked_child_ends_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_process_takes_a_killed_ones_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(equal_domains_of_two_roots_do_not_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(a_surviving_child_does_not_keep_the_place, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_pool_is_an_error_until_it_is_not, setup, teardown),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
