/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - frames that are held for too long, by the public interface. The book of slots by
 * itself is in test_slots.c. */
#include "tests/shm/support.h"

#define SECOND ((int64_t)SL_NS_PER_S)

enum {
    SLOTS = 3,
    STALE_FRAMES = 60,    /* that the reader waits for */
    LARGE_SIZE = 1 << 18, /* writing it takes a while */
};

static void publisher_gets_on_although_frames_are_kept(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .slot_count = SLOTS, .quota = 8, .lease_ns = 20000000});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 8});
    struct sl_frame f[8];
    for (uint64_t i = 0; i < 8; i++) {
        while (publish(p, i, 1000) == -EAGAIN)
            assert_ok(sl_publisher_wait(p, 10 * SECOND));
        assert_int_equal(take(s, &f[i]), i);
        assert_int_equal(f[i].lost_before, 0);
        assert_ok(sl_frame_check(&f[i]));
    }
    assert_int_equal(status_of(p).expired, 8 - SLOTS);
    assert_int_equal(status_of(p).revoked, 0);
    for (int i = 0; i < 8; i++) {
        if (i < 8 - SLOTS) {
            assert_int_equal(sl_frame_check(&f[i]), -ESTALE);
            assert_has(sl_error_text(), "lease");
        } else {
            assert_ok(sl_frame_check(&f[i])); /* retired perhaps, and whole */
            check_frame(&f[i]);
        }
        sl_frame_release(&f[i]);
    }
    assert_int_equal(status_of(p).slots_held, 0);
    assert_int_equal(reader_status_of(s).held, 0);
    assert_ok(publish(p, 9, 1000));
    assert_int_equal(take_and_release(s), 9);
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void young_frames_are_left_alone(void **state)
{
    (void)state;
    static const int64_t leases[] = {0, 1000 * SECOND};
    for (int i = 0; i < 2; i++) {
        struct sl_publisher *p = publisher_of((struct sl_publisher_options){
            .slot_size = SLOT_SIZE, .slot_count = SLOTS, .lease_ns = leases[i]});
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
        struct sl_frame f[SLOTS];
        for (uint64_t n = 0; n < SLOTS; n++) {
            assert_ok(publish(p, n, 1000));
            take(s, &f[n]);
        }
        assert_int_equal(publish(p, 7, 1000), -EAGAIN);
        assert_int_equal(sl_publisher_wait(p, 50000000), -ETIMEDOUT);
        assert_int_equal(status_of(p).expired, 0);
        for (int n = 0; n < SLOTS; n++) {
            assert_ok(sl_frame_check(&f[n]));
            check_frame(&f[n]);
            sl_frame_release(&f[n]);
        }
        sl_subscriber_close(s);
        sl_publisher_close(p);
    }
    struct sl_publisher *p = NULL;
    struct sl_publisher_options o = {.topic = TOPIC, .type = TYPE, .lease_ns = -1};
    assert_int_equal(sl_publisher_open(&o, &p), -EINVAL);
    assert_has(sl_error_text(), "lease");
}

static int publish_by_lease(uint64_t lease_ns)
{
    struct sl_publisher *p = NULL;
    struct sl_publisher_options o = {.topic = TOPIC,
                                     .type = TYPE,
                                     .slot_size = LARGE_SIZE,
                                     .slot_count = 1,
                                     .quota = 8,
                                     .lease_ns = (int64_t)lease_ns};
    must(open_publisher(&o, &p));
    say(1);
    for (uint64_t seed = 1;; seed++) { /* until it is killed */
        int err;
        while ((err = publish(p, seed, LARGE_SIZE)) == -EAGAIN)
            must(sl_publisher_wait(p, 10 * SECOND));
        must(err);
    }
}

/* Read a frame to its end, again and again, until it is said to be taken back. Never may bytes be
 * wrong, and the check that follows be content. */
static void read_until_stale(const struct sl_frame *f)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_MS * SL_NS_PER_MS;
    for (;;) {
        ssize_t wrong = pattern_check(f->body, f->body_length, f->stamp_ns);
        if (sl_frame_check(f) == -ESTALE)
            return;
        if (wrong >= 0)
            fail_msg("byte %zd of %zu is wrong, and the check is content", wrong, f->body_length);
        assert_true(sl_clock_monotonic_ns() < until_ns);
    }
}

static void torn_frame_is_never_taken_for_whole(void **state)
{
    (void)state;
    struct child child = child_start("publish-by-lease", 500000);
    child_hear(&child);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 8});
    uint64_t last = 0;
    for (int stale = 0; stale < STALE_FRAMES; stale++) {
        struct sl_frame f;
        int err;
        while ((err = sl_subscriber_take(s, &f)) == -EAGAIN)
            assert_ok(sl_subscriber_wait(s, 10 * SECOND));
        assert_ok(err);
        assert_true(f.seq > last);
        last = f.seq;
        read_until_stale(&f);
        sl_frame_release(&f);
    }
    child_kill(&child);
    sl_subscriber_close(s);
    struct sl_domain domain;
    assert_ok(sl_domain_open(NULL, true, &domain));
    sl_domain_sweep(&domain, child.pid);
    sl_domain_close(&domain);
}

int main(int argc, char **argv)
{
    static const struct role roles[] = {{"publish-by-lease", publish_by_lease}, {0}};
    int ran = role_main(argc, argv, roles);
    if (ran >= 0)
        return ran;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(publisher_gets_on_although_frames_are_kept),
        TEST(young_frames_are_left_alone),
        TEST(torn_frame_is_never_taken_for_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
