/* SPDX-License-Identifier: Apache-2.0 */
/* The CDR reader and writer, stamps, and bodies in pieces. */
#include "core/frame/body.h"
#include "core/frame/cdr.h"
#include "core/frame/message.h"
#include "tests/frame/exact.h"

#include <errno.h>

/* u8 1, u16 2, u8 3, u32 4, u8 5, f64 1.0, string "ab", u64 6, f32 -2.0; offsets after the header:
 * 0; 2; 4; 8; 12; 16; 24 to 31; 32; 40. */
static const uint8_t little[] = {
    0, 1, 0, 0,                          /* encapsulation */
    1, 0, 2, 0,                          /* u8, gap, u16 */
    3, 0, 0, 0,                          /* u8, gap */
    4, 0, 0, 0,                          /* u32 */
    5, 0, 0, 0,                          /* u8, gap */
    0, 0, 0, 0,    0,   0,   0xf0, 0x3f, /* f64 */
    3, 0, 0, 0,    'a', 'b', 0,    0,    /* string, gap */
    6, 0, 0, 0,    0,   0,   0,    0,    /* u64 */
    0, 0, 0, 0xc0,                       /* f32 */
};
static const uint8_t big[] = {
    0,    0,    0, 0,                 /* encapsulation */
    1,    0,    0, 2,                 /* u8, gap, u16 */
    3,    0,    0, 0,                 /* u8, gap */
    0,    0,    0, 4,                 /* u32 */
    5,    0,    0, 0,                 /* u8, gap */
    0x3f, 0xf0, 0, 0, 0,   0,   0, 0, /* f64 */
    0,    0,    0, 3, 'a', 'b', 0, 0, /* string, gap */
    0,    0,    0, 0, 0,   0,   0, 6, /* u64 */
    0xc0, 0,    0, 0,                 /* f32 */
};

static void expect_values(const uint8_t *body, size_t size, bool big_endian)
{
    struct sl_cdr_reader r;
    assert_int_equal(sl_cdr_read(body, size, &r), 0);
    assert_int_equal(r.big_endian, big_endian);
    assert_int_equal(sl_cdr_u8(&r), 1);
    assert_int_equal(sl_cdr_u16(&r), 2);
    assert_int_equal(sl_cdr_u8(&r), 3);
    assert_int_equal(sl_cdr_u32(&r), 4);
    assert_int_equal(sl_cdr_u8(&r), 5);
    assert_true(sl_cdr_f64(&r) == 1.0);
    assert_true(sl_text_is(sl_cdr_text(&r), "ab"));
    assert_int_equal(sl_cdr_u64(&r), 6);
    assert_true(sl_cdr_f32(&r) == -2.0f);
    assert_false(r.bytes.failed);
    assert_int_equal(sl_reader_left(&r.bytes), 0);
}

static void values_are_read_in_either_byte_order(void **state)
{
    (void)state;
    expect_values(little, sizeof little, false);
    expect_values(big, sizeof big, true);
}

static void options_of_the_header_do_not_matter(void **state)
{
    (void)state;
    uint8_t body[sizeof little];
    memcpy(body, little, sizeof body);
    body[2] = 0xff;
    body[3] = 3; /* three bytes of padding, as some writers say */
    expect_values(body, sizeof body, false);
}

static void other_encapsulations_are_refused(void **state)
{
    (void)state;
    struct sl_cdr_reader r;
    static const uint8_t heads[][4] = {
        {0, 2, 0, 0}, {0, 3, 0, 0}, {1, 1, 0, 0}, {0, 7, 0, 0}, {0xff, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        assert_int_equal(sl_cdr_read(heads[i], 4, &r), -EBADMSG);
    for (size_t size = 0; size < SL_CDR_HEADER_SIZE; size++)
        assert_int_equal(sl_cdr_read(little, size, &r), -EBADMSG);
    assert_int_equal(sl_cdr_read(NULL, 0, &r), -EBADMSG);
}

static void writer_makes_the_bytes_of_the_rules(void **state)
{
    (void)state;
    uint8_t body[sizeof little];
    memset(body, 0xaa, sizeof body);
    struct sl_cdr_writer w = sl_cdr_write(body, sizeof body);
    sl_cdr_put_u8(&w, 1);
    sl_cdr_put_u16(&w, 2);
    sl_cdr_put_u8(&w, 3);
    sl_cdr_put_u32(&w, 4);
    sl_cdr_put_u8(&w, 5);
    sl_cdr_put_f64(&w, 1.0);
    sl_cdr_put_text(&w, sl_text("ab"));
    sl_cdr_put_u64(&w, 6);
    sl_cdr_put_f32(&w, -2.0f);
    assert_false(w.bytes.failed);
    assert_int_equal(sl_cdr_written(&w), sizeof little);
    assert_memory_equal(body, little, sizeof little);
}

static void writer_stops_at_the_end_of_its_room(void **state)
{
    (void)state;
    enum {
        WHOLE = 4 + 8 + 4 + 4
    };
    for (size_t room = 0; room < WHOLE; room++) {
        uint8_t *body = exact_copy(little, room);
        struct sl_cdr_writer w = sl_cdr_write(body, room);
        sl_cdr_put_u8(&w, 1);
        sl_cdr_put_u32(&w, 2);
        sl_cdr_put_text(&w, sl_text("cd3"));
        assert_true(w.bytes.failed);
        free(body);
    }
}

static void text_with_a_nul_is_not_written(void **state)
{
    (void)state;
    uint8_t body[64];
    struct sl_cdr_writer w = sl_cdr_write(body, sizeof body);
    sl_cdr_put_text(&w, (struct sl_text){"a\0b", 3});
    assert_true(w.bytes.failed);
}

static struct sl_text read_text(const uint8_t *body, size_t size, bool *ret_failed)
{
    struct sl_cdr_reader r;
    assert_int_equal(sl_cdr_read(body, size, &r), 0);
    struct sl_text text = sl_cdr_text(&r);
    *ret_failed = r.bytes.failed;
    return text;
}

static void text_needs_its_nul_and_its_bytes(void **state)
{
    (void)state;
    bool failed;
    static const uint8_t empty[] = {0, 1, 0, 0, 1, 0, 0, 0, 0};
    assert_int_equal(read_text(empty, sizeof empty, &failed).size, 0);
    assert_false(failed);
    static const uint8_t not_even_a_nul[] = {0, 1, 0, 0, 0, 0, 0, 0};
    assert_int_equal(read_text(not_even_a_nul, sizeof not_even_a_nul, &failed).size, 0);
    assert_false(failed);
    static const uint8_t no_nul[] = {0, 1, 0, 0, 2, 0, 0, 0, 'a', 'b'};
    read_text(no_nul, sizeof no_nul, &failed);
    assert_true(failed);
    static const uint8_t too_long[] = {0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 'a', 0};
    read_text(too_long, sizeof too_long, &failed);
    assert_true(failed);
}

static void count_beyond_the_bytes_left_fails(void **state)
{
    (void)state;
    static const uint8_t body[] = {0, 1, 0, 0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct sl_cdr_reader r;
    assert_int_equal(sl_cdr_read(body, sizeof body, &r), 0);
    assert_int_equal(sl_cdr_count(&r, 3), 3);
    assert_int_equal(sl_cdr_read(body, sizeof body, &r), 0);
    assert_int_equal(sl_cdr_count(&r, 4), 0);
    assert_true(r.bytes.failed);
}

static void stamps_are_split_within_a_messages_range(void **state)
{
    (void)state;
    int32_t sec = -7;
    uint32_t nanosec = 7;
    assert_int_equal(sl_stamp_split(INT64_C(1500000000000000123), &sec, &nanosec), 0);
    assert_int_equal(sec, 1500000000);
    assert_int_equal(nanosec, 123);
    assert_int_equal(sl_stamp_split(INT64_C(2147483647999999999), &sec, &nanosec), 0);
    assert_int_equal(sec, INT32_MAX);
    assert_int_equal(nanosec, 999999999);
    assert_int_equal(sl_stamp_split(INT64_C(2147483648000000000), &sec, &nanosec), -ERANGE);
    assert_int_equal(sl_stamp_split(-1, &sec, &nanosec), -ERANGE);
    assert_int_equal(sl_stamp_split(INT64_MIN, &sec, &nanosec), -ERANGE);
    assert_int_equal(sec, INT32_MAX); /* untouched */
    assert_true(sl_stamp_join(1500000000, 123) == INT64_C(1500000000000000123));
    assert_true(sl_stamp_join(-1, 0) == -INT64_C(1000000000));
    assert_true(sl_stamp_join(INT32_MIN, UINT32_MAX) == -INT64_C(2147483643705032705));
}

static void pieces_of_a_body_count_as_one(void **state)
{
    (void)state;
    static const char whole[] = "abcdefgh";
    struct sl_body body = {.count = 4, .ranges = {{"abc", 3}, {"", 0}, {"defg", 4}, {"h", 1}}};
    size_t size;
    assert_int_equal(sl_body_size(&body, &size), 0);
    assert_int_equal(size, 8);
    for (size_t offset = 0; offset <= 8; offset++) {
        for (size_t length = 0; offset + length <= 8; length++) {
            char copy[8];
            assert_int_equal(sl_body_copy(&body, offset, copy, length), length);
            assert_memory_equal(copy, whole + offset, length);
            struct sl_body part;
            assert_int_equal(sl_body_slice(&body, offset, length, &part), 0);
            assert_int_equal(sl_body_copy(&part, 0, copy, sizeof copy), length);
            assert_memory_equal(copy, whole + offset, length);
        }
    }
    struct sl_body part;
    assert_int_equal(sl_body_slice(&body, 5, 4, &part), -ERANGE);
    assert_int_equal(sl_body_slice(&body, SIZE_MAX, 2, &part), -ERANGE);
    assert_int_equal(sl_body_copy(&body, 9, &part, 1), 0);
}

static void impossible_lists_of_pieces_are_refused(void **state)
{
    (void)state;
    size_t size;
    struct sl_body body = {.count = 5};
    assert_int_equal(sl_body_size(&body, &size), -EINVAL);
    body = (struct sl_body){.count = 2, .ranges = {{"", SIZE_MAX}, {"", 1}}};
    assert_int_equal(sl_body_size(&body, &size), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_in_either_byte_order),
        cmocka_unit_test(options_of_the_header_do_not_matter),
        cmocka_unit_test(other_encapsulations_are_refused),
        cmocka_unit_test(writer_makes_the_bytes_of_the_rules),
        cmocka_unit_test(writer_stops_at_the_end_of_its_room),
        cmocka_unit_test(text_with_a_nul_is_not_written),
        cmocka_unit_test(text_needs_its_nul_and_its_bytes),
        cmocka_unit_test(count_beyond_the_bytes_left_fails),
        cmocka_unit_test(stamps_are_split_within_a_messages_range),
        cmocka_unit_test(pieces_of_a_body_count_as_one),
        cmocka_unit_test(impossible_lists_of_pieces_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
