/* SPDX-License-Identifier: Apache-2.0 */
/* The test pattern: any part of it alone, what it shows, and that nothing wrong looks right. */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/frame/pattern.h"
#include "tests/frame/exact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64

static struct sl_pattern_maker maker, other;
static uint8_t whole[1 << 17];

static struct sl_pattern picture(uint32_t encoding, uint32_t width, uint32_t height)
{
    struct sl_pattern p = {.key = 7,
                           .sequence = 3,
                           .stamp_ns = 5000000001,
                           .encoding = encoding,
                           .width = width,
                           .height = height};
    uint32_t step;
    assert_int_equal(sl_pattern_measure(encoding, width, height, &step, &p.size_bytes), 0);
    assert_true(p.size_bytes <= sizeof whole);
    return p;
}

static struct sl_pattern plain(uint64_t size_bytes)
{
    return (struct sl_pattern){.key = 7, .sequence = 3, .size_bytes = size_bytes};
}

static void make(struct sl_pattern_maker *m, const struct sl_pattern *p)
{
    assert_int_equal(sl_pattern_begin(m, p), 0);
    sl_pattern_make(m, 0, whole, p->size_bytes);
}

static void any_part_made_alone_has_the_same_bytes(void **state)
{
    (void)state;
    uint8_t part[700];
    for (uint32_t encoding = 0; encoding < SL_PATTERN_ENCODINGS; encoding++) {
        struct sl_pattern p = encoding ? picture(encoding, 101, 33) : plain(10007);
        make(&maker, &p);
        srand(1);
        for (int i = 0; i < 2000; i++) {
            uint64_t offset = (uint64_t)rand() % p.size_bytes;
            size_t size = (size_t)rand() % sizeof part;
            if (size > p.size_bytes - offset)
                size = p.size_bytes - offset;
            sl_pattern_make(&maker, offset, part, size);
            assert_memory_equal(part, whole + offset, size);
            assert_int_equal(sl_pattern_check(&maker, offset, whole + offset, size), size);
        }
    }
}

static void first_line_tells_what_the_rest_is(void **state)
{
    (void)state;
    struct sl_pattern p = picture(SL_PATTERN_BAYER_GBRG8, 64, 48), read;
    make(&maker, &p);
    assert_int_equal(sl_pattern_read(whole, &read), 0);
    assert_true(read.key == p.key && read.sequence == p.sequence && read.stamp_ns == p.stamp_ns);
    assert_true(read.size_bytes == p.size_bytes && read.encoding == p.encoding);
    assert_true(read.width == p.width && read.height == p.height);
    assert_int_equal(sl_pattern_begin(&other, &read), 0);
    assert_int_equal(sl_pattern_check(&other, 0, whole, p.size_bytes), p.size_bytes);
}

static void one_wrong_bit_is_found_where_it_is(void **state)
{
    (void)state;
    struct sl_pattern p = picture(SL_PATTERN_RGB8, 90, 50);
    make(&maker, &p);
    for (uint64_t at = 0; at < p.size_bytes; at += at < 200 ? 1 : 101) {
        whole[at] ^= 1u << at % 8;
        assert_int_equal(sl_pattern_check(&maker, 0, whole, p.size_bytes), at);
        whole[at] ^= 1u << at % 8;
    }
    assert_int_equal(sl_pattern_check(&maker, 0, whole, p.size_bytes), p.size_bytes);
}

/* No line of `whole` may pass for that at `offset` + its own place in `m`'s frame. */
static void no_line_passes(const struct sl_pattern_maker *m, uint64_t size, uint64_t offset)
{
    for (uint64_t at = LINE; at + offset + LINE <= size; at += LINE)
        assert_true(sl_pattern_check(m, at + offset, whole + at, LINE) < LINE);
}

static void line_of_another_frame_publisher_or_place_does_not_pass(void **state)
{
    (void)state;
    for (uint32_t encoding = 0; encoding < SL_PATTERN_ENCODINGS; encoding++) {
        /* rows have 8 to 64 lines: the same place of the next row is among what is tried */
        struct sl_pattern p = encoding ? picture(encoding, 512, 24) : plain(65536);
        struct sl_pattern newer = p, foreign = p;
        newer.sequence++;
        foreign.key++;
        make(&maker, &p);
        for (uint64_t lines = 1; lines <= 64; lines++)
            no_line_passes(&maker, p.size_bytes, lines * LINE);
        assert_int_equal(sl_pattern_begin(&other, &newer), 0);
        no_line_passes(&other, p.size_bytes, 0);
        assert_int_equal(sl_pattern_begin(&other, &foreign), 0);
        no_line_passes(&other, p.size_bytes, 0);
    }
}

static bool is_nearly(uint8_t value, int wanted)
{
    return abs(value - wanted) < 4; /* noise */
}

static void picture_has_bars_from_white_to_black(void **state)
{
    (void)state;
    struct sl_pattern p = picture(SL_PATTERN_BGR8, 80, 40);
    p.sequence = 0; /* the band is above */
    make(&maker, &p);
    const uint8_t *row = whole + 30 * 80 * 3;
    for (int i = 0; i < 3; i++) {
        assert_true(is_nearly(row[i], 191));                  /* white */
        assert_true(is_nearly(row[79 * 3 + i], 0));           /* black */
        assert_true(is_nearly(row[65 * 3 + i], i ? 0 : 191)); /* blue comes first in bgr8 */
    }
    p = picture(SL_PATTERN_BAYER_RGGB8, 80, 40);
    p.sequence = 0;
    make(&maker, &p);
    row = whole + 30 * 80;
    assert_true(is_nearly(row[52], 191) && is_nearly(row[53], 0)); /* red: r g */
    row += 80;
    assert_true(is_nearly(row[52], 0) && is_nearly(row[53], 0)); /* g b */
    p = picture(SL_PATTERN_MONO16, 80, 40);
    p.sequence = 0;
    make(&maker, &p);
    row = whole + 30 * 80 * 2;
    assert_true(is_nearly(row[1], 188) && is_nearly(row[79 * 2 + 1], 0));
}

/* The rows of a black bar that are bright. */
static unsigned band_top(const struct sl_pattern *p)
{
    unsigned top = 0;
    while (top < p->height && whole[top * p->width * 3 + p->width * 3 - 1] < 128)
        top++;
    return top;
}

static void band_wanders_down(void **state)
{
    (void)state;
    struct sl_pattern p = picture(SL_PATTERN_RGB8, 80, 64);
    unsigned before = 0;
    for (p.sequence = 1; p.sequence < 8; p.sequence++) {
        make(&maker, &p);
        unsigned now = band_top(&p);
        assert_true(now > before && now < p.height);
        before = now;
    }
}

static void picture_that_cannot_be_is_refused(void **state)
{
    (void)state;
    uint32_t step;
    uint64_t size;
    assert_int_equal(sl_pattern_measure(SL_PATTERN_RGB8, 0, 10, &step, &size), -EINVAL);
    assert_int_equal(sl_pattern_measure(SL_PATTERN_RGB8, 10, 0, &step, &size), -EINVAL);
    assert_int_equal(sl_pattern_measure(SL_PATTERN_MONO8, 9, 7, &step, &size), -EINVAL);
    assert_int_equal(sl_pattern_measure(SL_PATTERN_RGBA8, 16385, 1, &step, &size), -EINVAL);
    assert_int_equal(sl_pattern_measure(SL_PATTERN_RGBA8, 16384, 65536, &step, &size), -EINVAL);
    assert_int_equal(sl_pattern_measure(SL_PATTERN_ENCODINGS, 10, 10, &step, &size), -EINVAL);
    assert_int_equal(sl_pattern_measure(SL_PATTERN_BYTES, 10, 10, &step, &size), -EINVAL);
    struct sl_pattern p = plain(63);
    assert_int_equal(sl_pattern_begin(&maker, &p), -EINVAL);
    p = picture(SL_PATTERN_RGB8, 10, 10);
    p.size_bytes++;
    assert_int_equal(sl_pattern_begin(&maker, &p), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "10 x 10 pixels, rgb8, has 300 bytes, not 301"));
}

static void line_that_is_no_pattern_s_is_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint32_t value;
    } wrong[] = {{0, 1},           {32, 1}, {36, 1},          {40, SL_PATTERN_ENCODINGS},
                 {40, UINT32_MAX}, {44, 0}, {44, UINT32_MAX}, {48, 0},
                 {48, UINT32_MAX}};
    struct sl_pattern p = picture(SL_PATTERN_RGB8, 90, 50), read;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        make(&maker, &p);
        sl_put_le32(whole + wrong[i].at, wrong[i].value);
        uint8_t *line = exact_copy(whole, LINE);
        assert_int_equal(sl_pattern_read(line, &read), -EBADMSG);
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_part_made_alone_has_the_same_bytes),
        cmocka_unit_test(first_line_tells_what_the_rest_is),
        cmocka_unit_test(one_wrong_bit_is_found_where_it_is),
        cmocka_unit_test(line_of_another_frame_publisher_or_place_does_not_pass),
        cmocka_unit_test(picture_has_bars_from_white_to_black),
        cmocka_unit_test(band_wanders_down),
        cmocka_unit_test(picture_that_cannot_be_is_refused),
        cmocka_unit_test(line_that_is_no_pattern_s_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
