/* SPDX-License-Identifier: Apache-2.0 */
/* test_publish.c - what the writing end promises: loans, bounds, pieces, shared slots. */
#include "core/shm/layout.h"
#include "core/shm/publisher.h"
#include "core/shm/sizes.h"
#include "core/shm/subscriber.h"
#include "tests/shm/support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void publish_consumes_the_loan(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_loan loan;
    assert_ok(sl_publisher_loan(p, &loan));
    assert_int_equal(status_of(p).slots_loaned, 1);
    struct sl_loan copy = loan;
    struct sl_message m = {.body_length = 8};
    memset(loan.data, 0, 8);
    assert_ok(sl_publisher_publish(p, &loan, &m));
    assert_null(loan.data);
    assert_int_equal(sl_publisher_publish(p, &loan, &m), -EINVAL);
    assert_has(sl_error_text(), "no loan");
    assert_int_equal(sl_publisher_publish(p, &copy, &m), -EINVAL);
    sl_publisher_discard(p, &copy);
    struct sl_publisher_status s = status_of(p);
    assert_int_equal(s.published, 1);
    assert_int_equal(s.slots_loaned, 0);
    sl_publisher_close(p);
}

static void publish_consumes_the_loan_on_failure(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_message outside = {.body_length = SLOT_SIZE + 1};
    for (int i = 0; i < 100; i++) { /* more often than there are slots */
        struct sl_loan loan;
        assert_ok(sl_publisher_loan(p, &loan));
        assert_int_equal(sl_publisher_publish(p, &loan, &outside), -EINVAL);
        assert_null(loan.data);
    }
    assert_has(sl_error_text(), "not inside its slot");
    assert_int_equal(status_of(p).slots_loaned, 0);
    assert_int_equal(status_of(p).published, 0);
    sl_publisher_close(p);
}

static void old_copy_of_a_loan_does_not_publish_the_next_one(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 1});
    struct sl_loan first, second;
    struct sl_message m = {.body_length = 8};
    assert_ok(sl_publisher_loan(p, &first));
    memset(first.data, 0, 8);
    struct sl_loan copy = first;
    assert_ok(sl_publisher_publish(p, &first, &m));
    assert_ok(sl_publisher_loan(p, &second));
    assert_int_equal(second.slot, copy.slot);
    assert_int_equal(sl_publisher_publish(p, &copy, &m), -EINVAL);
    copy = (struct sl_loan){.data = second.data, .slot = copy.slot, .generation = copy.generation};
    sl_publisher_discard(p, &copy);
    assert_int_equal(status_of(p).slots_loaned, 1);
    assert_ok(sl_publisher_publish(p, &second, &m));
    sl_publisher_close(p);
}

static void discarded_loans_come_back(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 4});
    struct sl_loan loan[5];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            assert_ok(sl_publisher_loan(p, &loan[i]));
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < i; k++)
                assert_int_not_equal(loan[i].slot, loan[k].slot);
        assert_int_equal(sl_publisher_loan(p, &loan[4]), -EAGAIN);
        assert_has(sl_error_text(), "all 4 slots");
        for (int i = 0; i < 4; i++)
            sl_publisher_discard(p, &loan[i]);
        sl_publisher_discard(p, &loan[0]); /* again: nothing happens */
        assert_int_equal(status_of(p).slots_loaned, 0);
    }
    assert_int_equal(status_of(p).refused, 10);
    sl_publisher_close(p);
}

static void open_loans_end_with_their_publisher(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_loan loan;
    assert_ok(sl_publisher_loan(p, &loan));
    sl_publisher_close(p);
    sl_publisher_close(NULL);
}

static void slots_are_page_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of(
        (struct sl_publisher_options){.slot_size = 5000, .slot_count = 6, .side_size = 100});
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct sl_loan loan[6];
    for (int i = 0; i < 6; i++) {
        assert_ok(sl_publisher_loan(p, &loan[i]));
        assert_int_equal((uintptr_t)loan[i].data % page, 0);
        assert_int_equal((uintptr_t)loan[i].side % 64, 0);
        assert_true(loan[i].data_size >= 5000);
        assert_true(loan[i].side_size >= 100);
        pattern_fill(loan[i].data, loan[i].data_size, (uint64_t)i);
        pattern_fill(loan[i].side, loan[i].side_size, (uint64_t)i + 100);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pattern_check(loan[i].data, loan[i].data_size, (uint64_t)i), -1);
        assert_int_equal(pattern_check(loan[i].side, loan[i].side_size, (uint64_t)i + 100), -1);
        sl_publisher_discard(p, &loan[i]);
    }
    sl_publisher_close(p);
}

/* Of the machine's own memory; a device has as much as it has. */
static void large_slots_are_an_odd_number_of_pages_apart(void **state)
{
    (void)state;
    static const struct {
        const char *memory, *fallback;
        unsigned asked, given; /* pages */
    } cases[] = {
        {NULL, NULL, 2, 2},
        {NULL, NULL, 14, 14},
        {NULL, NULL, 15, 15},
        {NULL, NULL, 16, 17},
        {NULL, NULL, 17, 17},
        {NULL, NULL, 256, 257},
        {NULL, NULL, 16384, 16385},
        {"vgem", NULL, 256, 257},
        {"reserved:0x10000000+256M", NULL, 256, 256},
        {"memfd", "bar:0000:00:04.0/2", 256, 256},
    };
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sl_pool_options options = {.slot_size = cases[i].asked * page - 1,
                                                .slot_count = 4,
                                                .memory = cases[i].memory,
                                                .fallback = cases[i].fallback};
        struct sl_pool_sizes sizes;
        assert_ok(sl_pool_sizes(&options, &sizes));
        assert_int_equal(sizes.slot_size, cases[i].given * page);
        assert_true(sizes.pool_bytes >= 4 * sizes.slot_size);
    }
}

static void messages_lie_inside_their_slot(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .side_size = 64});
    static const struct sl_range too_far = {SL_AREA_SIDE, 32, 33};
    static const struct sl_range wrong_area = {2, 0, 8};
    static const struct sl_range empty = {SL_AREA_SLOT, 0, 0};
    static const struct sl_range five[5] = {{0, 0, 1}, {0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 1}};
    const struct {
        struct sl_message message;
        int err;
    } cases[] = {
        {{.body_length = SLOT_SIZE}, 0},
        {{.body_offset = SLOT_SIZE}, 0},
        {{.body_offset = SLOT_SIZE, .body_length = 1}, -EINVAL},
        {{.body_offset = UINT32_MAX, .body_length = UINT32_MAX}, -EINVAL},
        {{.body_offset = 1, .body_length = SLOT_SIZE}, -EINVAL},
        {{.data_offset = 4000, .data_length = 96}, 0},
        {{.data_offset = 4000, .data_length = 97}, -EINVAL},
        {{.data_offset = UINT32_MAX, .data_length = 2}, -EINVAL},
        {{.ranges = &too_far, .range_count = 1}, -EINVAL},
        {{.ranges = &wrong_area, .range_count = 1}, -EINVAL},
        {{.ranges = &empty, .range_count = 1}, -EINVAL},
        {{.ranges = five, .range_count = 5}, -EINVAL},
        {{.ranges = five, .range_count = 4}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_loan loan;
        assert_ok(sl_publisher_loan(p, &loan));
        int err = sl_publisher_publish(p, &loan, &cases[i].message);
        if (err != cases[i].err)
            fail_msg("case %zu: %d instead of %d", i, err, cases[i].err);
    }
    sl_publisher_close(p);
}

static void message_arrives_as_it_was_described(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.type = TYPE});
    struct sl_loan loan;
    assert_ok(sl_publisher_loan(p, &loan));
    pattern_fill(loan.data, SLOT_SIZE, 9);
    struct sl_message m = {.stamp_ns = 42,
                           .clock = SL_CLOCK_GPS,
                           .flags = SL_MESSAGE_PARTIAL,
                           .body_offset = 16,
                           .body_length = 1000,
                           .data_offset = 64,
                           .data_length = 512};
    uint64_t before_ns = sl_clock_monotonic_ns();
    const unsigned char *written = loan.data;
    assert_ok(sl_publisher_publish(p, &loan, &m));
    struct sl_frame f;
    assert_ok(sl_subscriber_take(s, &f));
    assert_int_equal(f.seq, 1);
    assert_int_equal(f.stamp_ns, 42);
    assert_int_equal(f.clock, SL_CLOCK_GPS);
    assert_int_equal(f.flags, SL_MESSAGE_PARTIAL);
    assert_int_equal(f.body_length, 1000);
    assert_int_equal(f.data_length, 512);
    assert_ptr_equal(f.data, (const char *)f.body + 48);
    assert_int_equal(f.range_count, 1);
    assert_ptr_equal(f.range[0].start, f.body);
    assert_memory_equal(f.body, written + 16, 1000);
    assert_true(f.publish_ns >= before_ns && f.publish_ns <= sl_clock_monotonic_ns());
    assert_int_equal(f.lost_before, 0);
    assert_int_equal(sl_frame_check(&f), 0);
    assert_int_equal(reader_status_of(s).held, 1);
    sl_frame_release(&f);
    sl_frame_release(&f); /* once is enough; again does nothing */
    assert_int_equal(reader_status_of(s).held, 0);
    assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void inline_messages_need_no_slot(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.inline_max = 448});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    static const size_t lengths[] = {0, 1, 7, 8, 63, 64, 65, 447, 448};
    unsigned char body[449];
    struct sl_loan loan;
    assert_int_equal(sl_publisher_loan(p, &loan), -ENOTSUP);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        pattern_fill(body, lengths[i], i);
        struct sl_message m = {.stamp_ns = i, .data_offset = 0, .data_length = 1};
        assert_ok(sl_publisher_publish_inline(p, body, lengths[i], &m));
        struct sl_frame f;
        assert_ok(sl_subscriber_take(s, &f));
        assert_int_equal(f.body_length, lengths[i]);
        assert_int_equal(f.data_length, lengths[i] > 0); /* data that is not in it is no data */
        check_frame(&f);
        assert_int_equal(reader_status_of(s).held, 0);
        assert_int_equal(sl_frame_check(&f), 0);
        sl_frame_release(&f);
    }
    struct sl_message m = {0};
    assert_int_equal(sl_publisher_publish_inline(p, body, 449, &m), -EMSGSIZE);
    assert_has(sl_error_text(), "449 bytes inline, at most 448");
    for (uint64_t i = 0; i < 1000; i++) { /* many times around the ring */
        pattern_fill(body, 64, i);
        m.stamp_ns = i;
        assert_ok(sl_publisher_publish_inline(p, body, 64, &m));
        assert_int_equal(take_and_release(s), i);
    }
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void inline_and_slots_keep_their_order(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    for (uint64_t i = 0; i < 300; i++) {
        if (i % 3 == 0) {
            assert_ok(publish(p, i, 1000));
        } else {
            unsigned char body[64];
            pattern_fill(body, sizeof body, i);
            struct sl_message m = {.stamp_ns = i};
            assert_ok(sl_publisher_publish_inline(p, body, sizeof body, &m));
        }
        if (i % 5 == 4)
            for (uint64_t k = i - 4; k <= i; k++)
                assert_int_equal(take_and_release(s), k);
    }
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void gathered_body_is_one_text_in_pieces(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .side_size = 256});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    const struct sl_range ranges[] = {{SL_AREA_SIDE, 3, 61},
                                      {SL_AREA_SLOT, 100, 777},
                                      {SL_AREA_SLOT, 2000, 5},
                                      {SL_AREA_SIDE, 255, 1}};
    enum {
        LENGTH = 61 + 777 + 5 + 1
    };
    unsigned char whole[LENGTH];
    for (uint64_t round = 0; round < 200; round++) {
        struct sl_loan loan;
        assert_ok(sl_publisher_loan(p, &loan));
        pattern_fill(whole, LENGTH, round);
        size_t at = 0;
        for (int i = 0; i < 4; i++) {
            unsigned char *area = ranges[i].area == SL_AREA_SIDE ? loan.side : loan.data;
            memcpy(area + ranges[i].offset, whole + at, ranges[i].length);
            at += ranges[i].length;
        }
        struct sl_message m = {
            .ranges = ranges, .range_count = 4, .data_offset = 100, .data_length = 777};
        assert_ok(sl_publisher_publish(p, &loan, &m));
        struct sl_frame f;
        assert_ok(sl_subscriber_take(s, &f));
        assert_null(f.body);
        assert_int_equal(f.body_length, LENGTH);
        assert_int_equal(f.range_count, 4);
        assert_ptr_equal(f.data, f.range[1].start);
        unsigned char copy[LENGTH + 8];
        if (round < 2) /* every offset with every length */
            for (size_t offset = 0; offset <= LENGTH + 1; offset++)
                for (size_t length = 0; length <= LENGTH + 1; length += 1 + length / 7) {
                    size_t left = offset < LENGTH ? LENGTH - offset : 0;
                    size_t want = length < left ? length : left;
                    assert_int_equal(sl_frame_copy(&f, offset, copy, length), want);
                    assert_memory_equal(copy, whole + (offset < LENGTH ? offset : 0), want);
                }
        assert_int_equal(sl_frame_copy(&f, 0, copy, sizeof copy), LENGTH);
        assert_memory_equal(copy, whole, LENGTH);
        assert_int_equal(sl_frame_copy(&f, SIZE_MAX, copy, SIZE_MAX), 0);
        sl_frame_release(&f);
    }
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void contiguous_body_is_copied_from_any_offset(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_ok(publish(p, 5, 1000));
    struct sl_frame f;
    take(s, &f);
    unsigned char whole[1000], copy[1000];
    pattern_fill(whole, sizeof whole, 5);
    for (size_t offset = 0; offset < 1000; offset++) {
        assert_int_equal(sl_frame_copy(&f, offset, copy, 1000), 1000 - offset);
        assert_memory_equal(copy, whole + offset, 1000 - offset);
    }
    sl_frame_release(&f);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

/* Shared slots. -------------------------------------------------------------------------------- */

enum {
    PART = 256,
    PARTS = 8
};

/* One slot with PARTS messages, alternating between the publishers. */
static int publish_parts(struct sl_publisher *const *p, unsigned publishers, uint64_t seed)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(p[0], &loan);
    if (err < 0)
        return err;
    for (uint32_t i = 0; i < PARTS; i++) {
        pattern_fill((char *)loan.data + i * PART, PART, seed + i);
        struct sl_message m = {.stamp_ns = seed + i,
                               .body_offset = i * PART,
                               .body_length = PART,
                               .more = i + 1 < PARTS};
        assert_ok(sl_publisher_publish(p[i % publishers], &loan, &m));
        assert_int_equal(loan.data != NULL, m.more);
    }
    return 0;
}

static void several_messages_stand_in_one_slot(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 3});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 8});
    for (uint64_t round = 0; round < 20; round++) {
        assert_ok(publish_parts(&p, 1, round * PARTS));
        for (uint64_t i = 0; i < PARTS; i++)
            assert_int_equal(take_and_release(s), round * PARTS + i);
    }
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void shared_slot_goes_when_none_of_its_messages_is_held(void **state)
{
    (void)state;
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .slot_count = 1});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 4});
    assert_ok(publish_parts(&p, 1, 0));
    struct sl_frame f[4];
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(take(s, &f[i]), i);
    assert_int_equal(status_of(p).slots_held, 1);
    static const int order[] = {2, 0, 3, 1};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(publish_parts(&p, 1, 100), -EAGAIN);
        check_frame(&f[order[i]]);
        sl_frame_release(&f[order[i]]);
    }
    assert_ok(publish_parts(&p, 1, 100));
    /* What was not taken of the old slot is lost, and counted; then the new one's come. */
    assert_int_equal(take_and_release(s), 100);
    assert_int_equal(reader_status_of(s).lost[SL_LOSS_RECYCLED], 4);
    for (uint64_t i = 1; i < PARTS; i++)
        assert_int_equal(take_and_release(s), 100 + i);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static void messages_of_several_topics_stand_in_one_slot(void **state)
{
    (void)state;
    struct sl_pool *pool;
    assert_ok(
        sl_pool_create(&(struct sl_pool_options){.slot_size = SLOT_SIZE, .slot_count = 2}, &pool));
    struct sl_publisher *p[2];
    struct sl_subscriber *s[2];
    static const char *const topics[] = {"/a", "/b"};
    for (int i = 0; i < 2; i++) {
        p[i] = publisher_of((struct sl_publisher_options){.topic = topics[i], .pool = pool});
        s[i] = subscriber_of((struct sl_subscriber_options){.topic = topics[i]});
    }
    assert_ok(publish_parts(p, 2, 0));
    struct sl_frame held;
    assert_int_equal(take(s[0], &held), 0);
    for (uint64_t round = 0; round < 30; round++) { /* only one slot is left to go round */
        for (uint64_t i = 0; i < PARTS; i += 2)
            assert_int_equal(take_and_release(s[1]), round * PARTS + i + 1);
        assert_ok(publish_parts(p, 2, (round + 1) * PARTS));
        check_frame(&held);
    }
    assert_int_equal(lost_in_all(s[1]), 0);
    sl_frame_release(&held);
    assert_ok(publish_parts(p, 2, 1000));
    assert_ok(publish_parts(p, 2, 2000));
    for (uint64_t i = 0; i < PARTS; i += 2) /* /a was far behind: only the newest slot stands */
        assert_int_equal(take_and_release(s[0]), 2000 + i);
    assert_true(reader_status_of(s[0]).lost[SL_LOSS_RECYCLED] > 0);
    for (int i = 0; i < 2; i++) {
        sl_subscriber_close(s[i]);
        sl_publisher_close(p[i]);
    }
    sl_pool_destroy(pool);
}

static void too_many_topics_in_one_slot_are_refused(void **state)
{
    (void)state;
    enum {
        TOPICS = 17
    };
    struct sl_pool *pool;
    assert_ok(
        sl_pool_create(&(struct sl_pool_options){.slot_size = SLOT_SIZE, .slot_count = 2}, &pool));
    struct sl_publisher *p[TOPICS];
    struct sl_loan loan;
    struct sl_message m = {.body_length = 8, .more = true};
    for (int i = 0; i < TOPICS; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "/t%d", i);
        p[i] = publisher_of((struct sl_publisher_options){.topic = topic, .pool = pool});
    }
    assert_ok(sl_publisher_loan(p[0], &loan));
    for (int i = 0; i < TOPICS; i++)
        assert_int_equal(sl_publisher_publish(p[i], &loan, &m), i < 16 ? 0 : -E2BIG);
    assert_non_null(loan.data);
    sl_publisher_discard(p[0], &loan);
    for (int i = 0; i < TOPICS; i++)
        sl_publisher_close(p[i]);
    sl_pool_destroy(pool);
}

static void frame_stays_whole_when_its_topic_ends_but_not_its_pool(void **state)
{
    (void)state;
    struct sl_pool *pool;
    assert_ok(
        sl_pool_create(&(struct sl_pool_options){.slot_size = SLOT_SIZE, .slot_count = 4}, &pool));
    struct sl_publisher *a =
        publisher_of((struct sl_publisher_options){.topic = "/a", .pool = pool});
    struct sl_publisher *b =
        publisher_of((struct sl_publisher_options){.topic = "/b", .pool = pool});
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.topic = "/a"});
    assert_ok(publish(a, 1, SLOT_SIZE));
    struct sl_frame f;
    assert_int_equal(take(s, &f), 1);
    assert_ok(publish(a, 2, SLOT_SIZE));
    sl_publisher_close(a);
    for (uint64_t i = 0; i < 20; i++)
        assert_ok(publish(b, 100 + i, SLOT_SIZE));
    check_frame(&f);
    struct sl_frame late; /* what it had not taken by then is gone, not torn */
    assert_int_equal(sl_subscriber_take(s, &late), -EAGAIN);
    assert_int_equal(reader_status_of(s).lost[SL_LOSS_RECYCLED], 1);
    sl_frame_release(&f);
    /* ... and afterwards all slots are there again. */
    struct sl_loan loan[4];
    for (int i = 0; i < 4; i++)
        assert_ok(sl_publisher_loan(b, &loan[i]));
    sl_subscriber_close(s);
    sl_publisher_close(b);
    sl_pool_destroy(pool);
}

static void topic_that_ends_leaves_the_others_of_its_slots_alone(void **state)
{
    (void)state;
    struct sl_pool *pool;
    assert_ok(
        sl_pool_create(&(struct sl_pool_options){.slot_size = SLOT_SIZE, .slot_count = 4}, &pool));
    struct sl_publisher *p[2] = {
        publisher_of((struct sl_publisher_options){.topic = "/a", .pool = pool}),
        publisher_of((struct sl_publisher_options){.topic = "/b", .pool = pool}),
    };
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.topic = "/b"});
    assert_ok(publish_parts(p, 2, 0));
    sl_publisher_close(p[0]);
    for (uint64_t i = 1; i < PARTS; i += 2)
        assert_int_equal(take_and_release(s), i);
    assert_int_equal(lost_in_all(s), 0);
    sl_subscriber_close(s);
    sl_publisher_close(p[1]);
    sl_pool_destroy(pool);
}

/* Options. ------------------------------------------------------------------------------------- */

static void options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        struct sl_publisher_options options;
        int err;
        const char *says;
    } cases[] = {
        {{.slot_size = SLOT_SIZE, .quota = 256}, -EINVAL, "quota"},
        {{.slot_size = SLOT_SIZE, .subscribers = 1025}, -EINVAL, "subscribers"},
        {{.inline_max = 449}, -EINVAL, "inline_max"},
        {{.slot_size = SLOT_SIZE, .ring = 48}, -EINVAL, "power of two"},
        {{.slot_size = SLOT_SIZE, .ring = 131072}, -EINVAL, "power of two"},
        {{.slot_size = SLOT_SIZE, .ring = 16, .retain = 17}, -EINVAL, "ring"},
        {{.slot_size = SLOT_SIZE, .ring = 2, .loans = 3}, -EINVAL, "ring"},
        {{.slot_size = SLOT_SIZE, .slot_count = 65537}, -EINVAL, "slot_count"},
        {{.slot_size = SLOT_SIZE, .side_size = 65537}, -EINVAL, "side_size"},
        {{.slot_size = UINT64_C(1) << 40, .slot_count = 1}, -EINVAL, "slot_size"},
        {{.slot_size = UINT64_C(3) << 30, .slot_count = 65536}, -ENOMEM, "MiB"},
        {{.slot_size = SLOT_SIZE, .mode = 0}, 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_publisher_options o = cases[i].options;
        o.topic = TOPIC;
        o.type = TYPE;
        struct sl_publisher *p = NULL;
        int err = sl_publisher_open(&o, &p);
        if (err != cases[i].err)
            fail_msg("case %zu: %d (%s)", i, err, sl_error_text());
        if (err < 0)
            assert_null(p);
        assert_has(sl_error_text(), cases[i].says);
        sl_publisher_close(p);
    }
    assert_int_equal(count_sockets(), 0);
}

static void number_of_slots_follows_from_the_rights_given(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){
        .slot_size = SLOT_SIZE, .loans = 2, .subscribers = 3, .quota = 5, .retain = 7});
    /* 2 loans, 7 retained, 3 * 5 held, 4 visitors, 1 */
    assert_int_equal(status_of(p).slots, 2 + 7 + 15 + 4 + 1);
    struct sl_subscriber *s[3];
    struct sl_frame f[3][5];
    for (int i = 0; i < 3; i++)
        s[i] = subscriber_of((struct sl_subscriber_options){.quota = 5});
    for (uint64_t n = 0; n < 5; n++) {
        assert_ok(publish(p, n, 100));
        for (int i = 0; i < 3; i++)
            assert_int_equal(take(s[i], &f[i][n]), n);
    }
    /* Everybody holds all that he may, and the publisher goes on. */
    for (uint64_t n = 0; n < 500; n++)
        assert_ok(publish(p, n, 100));
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < 5; n++) {
            check_frame(&f[i][n]);
            sl_frame_release(&f[i][n]);
        }
        sl_subscriber_close(s[i]);
    }
    sl_publisher_close(p);
}

/* As if it had published for years. */
static void grow_old(struct sl_publisher *p, uint64_t head, uint32_t generation)
{
    p->channel.head = head;
    atomic_store(&p->channel.ring.ring->head, head);
    for (uint32_t i = 0; i < p->pool->slots.count; i++)
        p->pool->slots.slot[i].generation = generation;
}

static void publish_two_in_one_slot(struct sl_publisher *p, uint64_t seed)
{
    struct sl_loan loan;
    assert_ok(sl_publisher_loan(p, &loan));
    for (unsigned i = 0; i < 2; i++) {
        struct sl_message m = {.stamp_ns = seed + i, .body_length = 1000, .more = i == 0};
        m.body_offset = i * 1024;
        pattern_fill((char *)loan.data + m.body_offset, m.body_length, m.stamp_ns);
        assert_ok(sl_publisher_publish(p, &loan, &m));
    }
}

static void await_queue(struct sl_subscriber *s)
{
    struct sl_frame f;
    assert_int_equal(sl_subscriber_take(s, &f), -EAGAIN);
    assert_int_equal(s->link_count, 1);
    if (is_over_iceoryx())
        await(sl_iceoryx_receiver_is_connected(s->link[0]->reader.inbox->queue));
}

/* The ring's entries, the low half of the sequence, the generations of the slots. */
static void numbers_wrap_and_nothing_is_lost(void **state)
{
    (void)state;
    static const uint64_t heads[] = {UINT32_MAX - 20, (UINT64_C(1) << 62) - 20};
    for (unsigned h = 0; h < sizeof heads / sizeof *heads; h++) {
        struct sl_publisher *p = publisher_of((struct sl_publisher_options){
            .slot_size = SLOT_SIZE, .slot_count = 4, .quota = 1, .ring = 8});
        grow_old(p, heads[h], UINT32_MAX - 5);
        struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){.quota = 1});
        await_queue(s);
        struct sl_frame f;
        for (uint64_t seed = 1; seed <= 80;) {
            uint64_t end = seed + 1 + (seed % 3 == 0);
            if (end - seed == 2)
                publish_two_in_one_slot(p, seed);
            else
                assert_ok(publish(p, seed, 1000));
            for (; seed < end; seed++) {
                assert_int_equal(take(s, &f), seed);
                assert_true(f.seq == heads[h] + seed);
                assert_int_equal(f.lost_before, 0);
                assert_ok(sl_frame_check(&f));
                sl_frame_release(&f);
            }
        }
        assert_true(p->pool->slots.slot[0].generation < 100);
        assert_int_equal(lost_in_all(s), 0);
        if (is_over_iceoryx())
            assert_true(s->link[0]->reader.inbox->received >= 80);
        sl_subscriber_close(s);
        sl_publisher_close(p);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(publish_consumes_the_loan),
        TEST(publish_consumes_the_loan_on_failure),
        TEST(old_copy_of_a_loan_does_not_publish_the_next_one),
        TEST(discarded_loans_come_back),
        TEST(open_loans_end_with_their_publisher),
        TEST(slots_are_page_aligned_and_do_not_overlap),
        TEST(large_slots_are_an_odd_number_of_pages_apart),
        TEST(messages_lie_inside_their_slot),
        TEST(message_arrives_as_it_was_described),
        TEST(inline_messages_need_no_slot),
        TEST(inline_and_slots_keep_their_order),
        TEST(gathered_body_is_one_text_in_pieces),
        TEST(contiguous_body_is_copied_from_any_offset),
        TEST(several_messages_stand_in_one_slot),
        TEST(shared_slot_goes_when_none_of_its_messages_is_held),
        TEST(messages_of_several_topics_stand_in_one_slot),
        TEST(too_many_topics_in_one_slot_are_refused),
        TEST(frame_stays_whole_when_its_topic_ends_but_not_its_pool),
        TEST(topic_that_ends_leaves_the_others_of_its_slots_alone),
        TEST(options_out_of_range_are_refused_by_name),
        TEST(number_of_slots_follows_from_the_rights_given),
        TEST(numbers_wrap_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
