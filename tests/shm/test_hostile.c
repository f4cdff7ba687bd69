/* SPDX-License-Identifier: Apache-2.0 */
/* test_hostile.c - peers that shout, say nothing, or scribble in their ledger. Nobody else is
 * harmed. */
#include "core/shm/layout.h"
#include "tests/shm/impostor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define KNOCKS 200
#else
#define KNOCKS 1500
#endif

static void expect_that_all_is_well(struct sl_publisher *p, struct sl_subscriber *s)
{
    static uint64_t seed = 1000;
    for (int i = 0; i < 100; i++) {
        seed++;
        assert_ok(publish(p, seed, 500));
        assert_int_equal(take_and_release(s), seed);
    }
    assert_int_equal(lost_in_all(s), 0);
}

/* ---- Silence and noise ------------------------------------------------------------------------*/

static void publisher_that_never_answers_is_not_waited_for(void **state)
{
    (void)state;
    struct impostor i;
    impostor_appear(&i);
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .retain = 1});
    assert_ok(publish(p, 5, 10));
    uint64_t start_ns = sl_clock_monotonic_ns();
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    uint64_t took_ns = sl_clock_monotonic_ns() - start_ns;
    assert_true(took_ns < 5 * SL_NS_PER_S);
    assert_int_equal(take_and_release(s), 5); /* the others are there */
    /* When it comes to itself after all, it is read, too. */
    impostor_meet(&i);
    impostor_segments(&i);
    impostor_answer(&i);
    struct sl_frame f;
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == 2));
    sl_subscriber_close(s);
    sl_publisher_close(p);
    impostor_leave(&i);
}

static void closing_does_not_wait_for_a_silent_publisher(void **state)
{
    (void)state;
    struct impostor i;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    impostor_appear(&i);
    impostor_meet(&i);
    sl_subscriber_close(s);
    impostor_leave(&i);
}

static void wrong_hellos_are_refused_or_hung_up_on(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct sl_hello right;
    sl_hello_init(&right, SL_HELLO_SUBSCRIBE);
    strcpy(right.topic, TOPIC);
    for (int n = 0; n < 300; n++) {
        unsigned char bytes[sizeof right + 8] = {0};
        memcpy(bytes, &right, sizeof right);
        size_t size = sizeof right;
        bytes[random_word() % 24] ^= (unsigned char)(1 + random_word() % 255);
        if (n % 3 == 0)
            size = random_word() % sizeof bytes;
        if (n % 5 == 0)
            memset(bytes + 24, 'x', sizeof right - 24);
        int fd = intruder_knock();
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        assert_true(sent == (ssize_t)size);
        if (size > 0)
            await_readable(fd); /* an answer or the end; never silence */
        close(fd);
    }
    await(status_of(p).subscribers == 1);
    expect_that_all_is_well(p, s);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void flood_of_connections_keeps_nobody_out(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *before = subscriber_of((struct sl_subscriber_options){0});
    enum {
        FLOOD = 300
    };
    int fd[FLOOD];
    for (int i = 0; i < FLOOD; i++)
        fd[i] = intruder_knock();
    struct sl_subscriber *after = subscriber_of((struct sl_subscriber_options){0});
    struct sl_frame f;
    await((sl_subscriber_take(after, &f), reader_status_of(after).publishers == 1));
    expect_that_all_is_well(p, before);
    /* Of these, the publisher keeps only a few. */
    assert_true(count_fds() < FLOOD + 120);
    for (int i = 0; i < FLOOD; i++)
        close(fd[i]);
    sl_subscriber_close(after);
    sl_subscriber_close(before);
    sl_publisher_close(p);
}

/* Connects, says something or nothing, and is gone again, as fast as it can. */
static atomic_bool knocking;
static void *knock_and_run(void *context)
{
    _Atomic unsigned *knocks = context;
    struct sl_hello hello;
    sl_hello_init(&hello, SL_HELLO_SUBSCRIBE);
    strcpy(hello.topic, TOPIC);
    struct sl_domain domain;
    struct sl_socket_name name;
    find_publisher(&domain, &name);
    while (atomic_load(&knocking)) {
        int fd = sl_domain_connect(&domain, name.file);
        if (fd < 0)
            continue;
        if (atomic_fetch_add(knocks, 1) % 2)
            sl_hello_send(fd, &hello);
        close(fd);
    }
    sl_domain_close(&domain);
    return NULL;
}

static void those_who_knock_and_run_disturb_nobody(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    unsigned fds = count_fds(), mappings = count_mappings();
    _Atomic unsigned knocks = 0;
    pthread_t thread;
    atomic_store(&knocking, true);
    assert_int_equal(pthread_create(&thread, NULL, knock_and_run, &knocks), 0);
    while (atomic_load(&knocks) < KNOCKS)
        expect_that_all_is_well(p, s);
    atomic_store(&knocking, false);
    pthread_join(thread, NULL);
    await(status_of(p).subscribers == 1 && count_fds() == fds && count_mappings() == mappings);
    struct sl_subscriber *after = subscriber_of((struct sl_subscriber_options){0});
    assert_int_equal(reader_status_of(after).publishers, 1);
    assert_int_equal(status_of(p).subscribers, 2);
    sl_subscriber_close(after);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* Sockets of the topic that listen and never answer. */
enum {
    SILENT = 64 + 21
};
struct silence {
    struct sl_domain domain;
    struct sl_socket_name name[SILENT];
    int fd[SILENT];
};

static void fall_silent(struct silence *silence)
{
    assert_ok(sl_domain_open(NULL, true, &silence->domain));
    for (unsigned i = 0; i < SILENT; i++) {
        sl_socket_name_make(&silence->name[i], SL_SOCKET_PUBLISHER, TOPIC, 0x51e7 + i);
        silence->fd[i] = sl_domain_listen(&silence->domain, &silence->name[i], 0600);
        assert_ok(silence->fd[i]);
    }
}

static void end_silence(struct silence *silence)
{
    for (unsigned i = 0; i < SILENT; i++) {
        sl_domain_unlink(&silence->domain, &silence->name[i]);
        close(silence->fd[i]);
    }
    sl_domain_close(&silence->domain);
}

static void await_publishers(struct sl_subscriber *s, unsigned count)
{
    struct sl_frame f;
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == count));
}

static void silent_publishers_keep_nobody_out(void **state)
{
    (void)state;
    enum {
        LIVING = 8
    };
    static struct silence silence;
    struct sl_publisher *living[LIVING];
    fall_silent(&silence);
    struct sl_subscriber *before = subscriber_of((struct sl_subscriber_options){0});
    living[0] = publisher_of((struct sl_publisher_options){0});
    await_publishers(before, 1); /* although all places were taken when it appeared */
    for (int n = 1; n < LIVING; n++)
        living[n] = publisher_of((struct sl_publisher_options){0});
    await_publishers(before, LIVING);
    struct sl_subscriber *after = subscriber_of((struct sl_subscriber_options){0});
    await_publishers(after, LIVING); /* wherever they stand among the silent ones */
    struct sl_message m = {.stamp_ns = 7, .body_length = 3};
    struct sl_frame f;
    for (int n = 0; n < LIVING; n++) {
        assert_ok(sl_publisher_publish_inline(living[n], "abc", 3, &m));
        assert_ok(sl_subscriber_wait(after, PATIENCE_MS * (int64_t)SL_NS_PER_MS));
        assert_ok(sl_subscriber_take(after, &f));
        assert_int_equal(f.stamp_ns, 7);
    }
    sl_subscriber_close(after);
    sl_subscriber_close(before);
    for (int n = 0; n < LIVING; n++)
        sl_publisher_close(living[n]);
    end_silence(&silence);
}

static void subscriber_that_reads_no_wake_up_holds_nobody(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct intruder in;
    intruder_connect(&in, SL_KEEP_LAST, 1);
    atomic_store(&in.ledger->wake_mode, SL_WAKE_CONNECTION);
    for (uint64_t seed = 1; seed <= 3000; seed++) { /* more than its socket takes */
        atomic_store(&in.ledger->wake_at, seed);
        assert_ok(publish(p, seed, 500));
        assert_int_equal(take_and_release(s), seed);
    }
    assert_int_equal(lost_in_all(s), 0);
    assert_int_equal(status_of(p).subscribers, 2);
    char wake;
    assert_int_equal(recv(in.fd, &wake, 1, MSG_DONTWAIT), 1);
    intruder_leave(&in);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void subscriber_that_talks_on_is_sent_away(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct intruder in;
    intruder_connect(&in, SL_KEEP_LAST, 1);
    assert_int_equal(status_of(p).subscribers, 2);
    for (int i = 0; i < 1000; i++)
        if (send(in.fd, "noise", 5, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE)
            break;
    await(status_of(p).subscribers == 1);
    expect_that_all_is_well(p, s);
    intruder_leave(&in);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void flood_of_wake_ups_does_not_hold_a_reader(void **state)
{
    (void)state;
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_true(sl_subscriber_fd(s) >= 0);
    struct impostor i;
    struct sl_frame f;
    impostor_appear(&i);
    impostor_meet(&i);
    impostor_segments(&i);
    impostor_answer(&i);
    await((sl_subscriber_take(s, &f), reader_status_of(s).publishers == 1));
    for (int n = 0; n < 100; n++) {
        while (send(i.fd, "wake", 4, MSG_DONTWAIT | MSG_NOSIGNAL) == 4)
            ;
        assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    }
    sl_subscriber_close(s);
    impostor_leave(&i);
}

/* ---- Wild ledgers -----------------------------------------------------------------------------*/

static void ledger_full_of_holds_is_revoked(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct intruder in;
    for (int round = 1; round <= 5; round++) {
        intruder_connect(&in, SL_KEEP_LAST, 4);
        memset(in.ledger_memory.base, 0xff, in.ledger_memory.size_bytes);
        expect_that_all_is_well(p, s);
        assert_int_equal(status_of(p).revoked, round);
        intruder_leave(&in);
        await(status_of(p).subscribers == 1);
    }
    assert_int_equal(status_of(p).refused, 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void random_ledger_harms_nobody_else(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .lossless = true, .lossless_timeout_ns = 1000000});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    struct intruder in[2];
    intruder_connect(&in[0], SL_KEEP_LAST, 4);
    intruder_connect(&in[1], SL_LOSSLESS, 4);
    uint64_t seed = 0;
    for (int round = 0; round < 3000; round++) {
        for (int n = 0; n < 2; n++) {
            uint64_t *word = (void *)(in[n].ledger_memory.base + SL_LINE);
            size_t words = (in[n].ledger_memory.size_bytes - SL_LINE) / 8;
            for (int k = 0; k < 4; k++)
                word[random_word() % words] = wild_word();
            atomic_store(&in[n].ledger->cursor, wild_word());
            atomic_store(&in[n].ledger->wake_at, seed + random_word() % 3);
            atomic_store(&in[n].ledger->wake_mode, (uint32_t)wild_word());
        }
        seed++;
        int err;
        while ((err = publish(p, seed, 500)) == -EAGAIN)
            assert_ok(sl_publisher_wait(p, 10 * (int64_t)SL_NS_PER_S));
        assert_int_equal(err, 0);
        assert_int_equal(take_and_release(s), seed);
    }
    assert_int_equal(lost_in_all(s), 0);
    intruder_leave(&in[0]);
    intruder_leave(&in[1]);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* The subscriber's ledger, as its process maps it. */
static struct sl_ledger *find_ledger(void)
{
    char line[512];
    void *start = NULL;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (!start && fgets(line, sizeof line, maps))
        if (strstr(line, "sluice-ledger"))
            start = (void *)(uintptr_t)strtoull(line, NULL, 16);
    fclose(maps);
    assert_non_null(start);
    return start;
}

static void revoked_subscriber_learns_it(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 10, .quota = 2});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 2});
    struct sl_frame f, none;
    assert_ok(publish(p, 1, 100));
    take(s, &f);
    assert_int_equal(sl_frame_check(&f), 0);
    memset((void *)find_ledger()->held, 1, 10); /* as if somebody wrote through a wild pointer */
    for (uint64_t i = 2; i <= 30; i++)
        assert_ok(publish(p, i, 100));
    assert_int_equal(status_of(p).revoked, 1);
    assert_int_equal(sl_frame_check(&f), -ESTALE);
    assert_has(sl_error_text(), "revoked");
    assert_ok(sl_subscriber_wait(s, 0));
    assert_int_equal(sl_subscriber_take(s, &none), -ECONNABORTED);
    assert_has(sl_error_text(), "revoked");
    assert_int_equal(sl_subscriber_take(s, &none), -EAGAIN); /* told once */
    assert_int_equal(sl_frame_check(&f), -ESTALE);
    sl_frame_release(&f);
    assert_int_equal(reader_status_of(s).publishers, 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(publisher_that_never_answers_is_not_waited_for),
        TEST(closing_does_not_wait_for_a_silent_publisher),
        TEST(wrong_hellos_are_refused_or_hung_up_on),
        TEST(flood_of_connections_keeps_nobody_out),
        TEST(those_who_knock_and_run_disturb_nobody),
        TEST(silent_publishers_keep_nobody_out),
        TEST(subscriber_that_reads_no_wake_up_holds_nobody),
        TEST(subscriber_that_talks_on_is_sent_away),
        TEST(flood_of_wake_ups_does_not_hold_a_reader),
        TEST(ledger_full_of_holds_is_revoked),
        TEST(random_ledger_harms_nobody_else),
        TEST(revoked_subscriber_learns_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
