/* SPDX-License-Identifier: Apache-2.0 */
/* test_bytes.c - readers and writers at every boundary. The ranges lie on the heap in their exact
 * size, so that the address sanitizer sees a step too far. */
#include "core/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t pattern[8] = {0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8};

static uint64_t read_le16(struct sl_reader *r)
{
    return sl_reader_le16(r);
}
static uint64_t read_le32(struct sl_reader *r)
{
    return sl_reader_le32(r);
}
static uint64_t read_be16(struct sl_reader *r)
{
    return sl_reader_be16(r);
}
static uint64_t read_be32(struct sl_reader *r)
{
    return sl_reader_be32(r);
}
static uint64_t read_u8(struct sl_reader *r)
{
    return sl_reader_u8(r);
}

static const struct {
    uint64_t (*read)(struct sl_reader *);
    size_t size;
    uint64_t value;
} reads[] = {
    {read_u8, 1, 0x81},         {read_le16, 2, 0x9281},     {read_be16, 2, 0x8192},
    {read_le32, 4, 0xb4a39281}, {read_be32, 4, 0x8192a3b4}, {sl_reader_le64, 8, 0xf8e7d6c5b4a39281},
};

static void each_read_succeeds_or_fails_at_its_exact_size(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof reads / sizeof *reads; i++) {
        for (size_t size = 0; size <= sizeof pattern; size++) {
            uint8_t *bytes = malloc(size ? size : 1);
            memcpy(bytes, pattern, size);
            struct sl_reader r = sl_reader(bytes, size);
            uint64_t value = reads[i].read(&r);
            bool fits = size >= reads[i].size;
            assert_int_equal(r.failed, !fits);
            assert_int_equal(value, fits ? reads[i].value : 0);
            assert_int_equal(sl_reader_offset(&r), fits ? reads[i].size : 0);
            assert_int_equal(sl_reader_left(&r), fits ? size - reads[i].size : 0);
            free(bytes);
        }
    }
}

static void reader_stays_failed(void **state)
{
    (void)state;
    struct sl_reader r = sl_reader(pattern, 3);
    assert_int_equal(sl_reader_le32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(sl_reader_u8(&r), 0); /* would fit */
    assert_null(sl_reader_take(&r, 0));
    assert_false(sl_reader_skip(&r, 1));
    assert_int_equal(sl_reader_left(&r), 0);
}

static void take_and_skip_know_the_end(void **state)
{
    (void)state;
    struct sl_reader r = sl_reader(pattern, sizeof pattern);
    assert_true(sl_reader_skip(&r, 5));
    assert_ptr_equal(sl_reader_take(&r, 3), pattern + 5);
    assert_false(r.failed);
    assert_non_null(sl_reader_take(&r, 0)); /* nothing, at the end, is there */
    assert_false(sl_reader_skip(&r, 1));

    r = sl_reader(pattern, sizeof pattern);
    assert_null(sl_reader_take(&r, SIZE_MAX)); /* no overflow */
    r = sl_reader(NULL, 0);
    assert_int_equal(sl_reader_left(&r), 0);
    assert_int_equal(sl_reader_u8(&r), 0);
    assert_true(r.failed);
    r = sl_reader(NULL, 100); /* no bytes are none, whatever is said of them */
    assert_int_equal(sl_reader_left(&r), 0);
}

static void write_le16(struct sl_writer *w)
{
    sl_writer_le16(w, 0x9281);
}
static void write_le32(struct sl_writer *w)
{
    sl_writer_le32(w, 0xb4a39281);
}
static void write_le64(struct sl_writer *w)
{
    sl_writer_le64(w, 0xf8e7d6c5b4a39281);
}
static void write_u8(struct sl_writer *w)
{
    sl_writer_u8(w, 0x81);
}
static void write_five(struct sl_writer *w)
{
    sl_writer_bytes(w, pattern, 5);
}

static void each_write_succeeds_or_fails_at_its_exact_size(void **state)
{
    (void)state;
    static const struct {
        void (*write)(struct sl_writer *);
        size_t size;
    } writes[] = {
        {write_u8, 1}, {write_le16, 2}, {write_le32, 4}, {write_five, 5}, {write_le64, 8}};
    for (unsigned i = 0; i < sizeof writes / sizeof *writes; i++) {
        for (size_t size = 0; size <= sizeof pattern; size++) {
            uint8_t *bytes = calloc(1, size ? size : 1);
            struct sl_writer w = sl_writer(bytes, size);
            writes[i].write(&w);
            bool fits = size >= writes[i].size;
            assert_int_equal(w.failed, !fits);
            assert_int_equal(sl_writer_offset(&w), fits ? writes[i].size : 0);
            for (size_t at = 0; at < size; at++)
                assert_int_equal(bytes[at], fits && at < writes[i].size ? pattern[at] : 0);
            free(bytes);
        }
    }
}

static void writer_stays_failed_and_writes_no_more(void **state)
{
    (void)state;
    uint8_t bytes[3] = {7, 7, 7};
    struct sl_writer w = sl_writer(bytes, sizeof bytes);
    sl_writer_le32(&w, 0);
    sl_writer_u8(&w, 0); /* would fit */
    sl_writer_zeros(&w, 1);
    assert_true(w.failed);
    assert_int_equal(bytes[0], 7);
    w = sl_writer(bytes, sizeof bytes);
    sl_writer_zeros(&w, 2);
    sl_writer_zeros(&w, 0);
    sl_writer_bytes(&w, NULL, 0);
    assert_false(w.failed);
    assert_int_equal(bytes[1], 0);
    assert_int_equal(bytes[2], 7);
    assert_null(sl_writer_take(&w, SIZE_MAX));
}

static void loads_and_stores_of_either_order_agree(void **state)
{
    (void)state;
    uint8_t b[9]; /* at an odd address too */
    for (int at = 0; at < 2; at++) {
        memcpy(b + at, pattern, 8);
        assert_int_equal(sl_get_be64(b + at), 0x8192a3b4c5d6e7f8);
        assert_int_equal(sl_get_le64(b + at), 0xf8e7d6c5b4a39281);
        sl_put_be16(b + at, 0x0102);
        assert_int_equal(sl_get_be16(b + at), 0x0102);
        assert_int_equal(sl_get_le16(b + at), 0x0201);
        sl_put_be32(b + at, 0xfffefdfc);
        assert_int_equal(sl_get_be32(b + at), 0xfffefdfc);
        assert_int_equal(sl_get_le32(b + at), 0xfcfdfeff);
        sl_put_le64(b + at, UINT64_MAX - 1);
        assert_true(sl_get_le64(b + at) == UINT64_MAX - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_read_succeeds_or_fails_at_its_exact_size),
        cmocka_unit_test(reader_stays_failed),
        cmocka_unit_test(take_and_skip_know_the_end),
        cmocka_unit_test(each_write_succeeds_or_fails_at_its_exact_size),
        cmocka_unit_test(writer_stays_failed_and_writes_no_more),
        cmocka_unit_test(loads_and_stores_of_either_order_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
