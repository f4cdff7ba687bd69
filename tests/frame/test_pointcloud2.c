/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/pointcloud2.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

/* Two points of x f32 and ring u16. The numbers at the right are offsets in the body; alignment
 * counts from 4, which changes nothing for numbers of up to 4 bytes. */
static const uint8_t vector[] = {
    0,    1,    0,    0,    /*   0 encapsulation */
    4,    3,    2,    1,    /*   4 sec 0x01020304 */
    0x15, 0xcd, 0x5b, 0x07, /*   8 nanosec 123456789 */
    6,    0,    0,    0,    'l', 'i', 'd', 'a',
    'r',  0,    0,    0,                      /*  12 frame_id, 2 of padding */
    1,    0,    0,    0,    2,   0,   0,   0, /*  24 height, width */
    2,    0,    0,    0,                      /*  32 fields */
    2,    0,    0,    0,    'x', 0,   0,   0, /*  36 name, 2 of padding */
    0,    0,    0,    0,    7,   0,   0,   0,
    1,    0,    0,    0, /*  44 offset, FLOAT32, 3 of padding, count */
    5,    0,    0,    0,    'r', 'i', 'n', 'g',
    0,    0,    0,    0, /*  56 name, 3 of padding */
    4,    0,    0,    0,    4,   0,   0,   0,
    1,    0,    0,    0, /*  68 offset, UINT16, 3 of padding, count */
    0,    0,    0,    0, /*  80 is_bigendian, 3 of padding */
    6,    0,    0,    0,    12,  0,   0,   0,
    12,   0,    0,    0,            /*  84 point_step, row_step, size of data */
    0,    0,    0x80, 0x3f, 3,   0, /*  96 1.0, 3 */
    0,    0,    0,    0xc0, 2,   1, /* 102 -2.0, 0x0102 */
    1,                              /* 108 is_dense */
};
#define PREFIX_SIZE 96
#define DATA_SIZE   12

/* The same by a big-endian writer, of points that are big-endian too. */
static const uint8_t big_vector[] = {
    0,    0,    0,    0,    /* encapsulation */
    1,    2,    3,    4,    /* sec */
    0x07, 0x5b, 0xcd, 0x15, /* nanosec */
    0,    0,    0,    6,    'l', 'i', 'd', 'a',
    'r',  0,    0,    0,                      /* frame_id */
    0,    0,    0,    1,    0,   0,   0,   2, /* height, width */
    0,    0,    0,    2,                      /* fields */
    0,    0,    0,    2,    'x', 0,   0,   0, /* name */
    0,    0,    0,    0,    7,   0,   0,   0,
    0,    0,    0,    1, /* offset, FLOAT32, count */
    0,    0,    0,    5,    'r', 'i', 'n', 'g',
    0,    0,    0,    0, /* name */
    0,    0,    0,    4,    4,   0,   0,   0,
    0,    0,    0,    1, /* offset, UINT16, count */
    1,    0,    0,    0, /* is_bigendian */
    0,    0,    0,    6,    0,   0,   0,   12,
    0,    0,    0,    12,           /* point_step, row_step, size of data */
    0x3f, 0x80, 0,    0,    0,   3, /* 1.0, 3 */
    0xc0, 0,    0,    0,    1,   2, /* -2.0, 0x0102 */
    1,                              /* is_dense */
};
static_assert(sizeof vector == PREFIX_SIZE + DATA_SIZE + 1, "counted by hand");
static_assert(sizeof big_vector == sizeof vector, "counted by hand");

#define STAMP_NS (INT64_C(0x01020304) * 1000000000 + 123456789)

static struct sl_pointcloud2 cloud_of_vector(void)
{
    return (struct sl_pointcloud2){
        .stamp_ns = STAMP_NS,
        .frame_id = sl_text("lidar"),
        .height = 1,
        .width = 2,
        .field_count = 2,
        .fields = {{sl_text("x"), 0, 1, SL_POINT_FLOAT32},
                   {sl_text("ring"), 4, 1, SL_POINT_UINT16}},
        .point_step = 6,
        .row_step = 12,
        .data_size = DATA_SIZE,
        .is_dense = true,
    };
}

static void expect_cloud_of_vector(const struct sl_pointcloud2 *cloud)
{
    assert_true(cloud->stamp_ns == STAMP_NS);
    assert_true(sl_text_is(cloud->frame_id, "lidar"));
    assert_int_equal(cloud->height, 1);
    assert_int_equal(cloud->width, 2);
    assert_int_equal(cloud->field_count, 2);
    assert_true(sl_text_is(cloud->fields[0].name, "x"));
    assert_int_equal(cloud->fields[0].datatype, SL_POINT_FLOAT32);
    assert_true(sl_text_is(cloud->fields[1].name, "ring"));
    assert_int_equal(cloud->fields[1].offset, 4);
    assert_int_equal(cloud->fields[1].datatype, SL_POINT_UINT16);
    assert_int_equal(cloud->fields[1].count, 1);
    assert_int_equal(cloud->point_step, 6);
    assert_int_equal(cloud->row_step, 12);
    assert_int_equal(cloud->data_size, DATA_SIZE);
    assert_true(cloud->is_dense);
}

static void expect_points_of_vector(const struct sl_pointcloud2 *cloud)
{
    const struct sl_point_field *x = sl_pointcloud2_field(cloud, "x");
    const struct sl_point_field *ring = sl_pointcloud2_field(cloud, "ring");
    assert_non_null(x);
    assert_non_null(ring);
    assert_null(sl_pointcloud2_field(cloud, "rin"));
    assert_true(sl_pointcloud2_value(cloud, x, 0, 0) == 1.0);
    assert_true(sl_pointcloud2_value(cloud, x, 0, 1) == -2.0);
    assert_true(sl_pointcloud2_value(cloud, ring, 0, 0) == 3.0);
    assert_true(sl_pointcloud2_value(cloud, ring, 0, 1) == 0x0102);
    assert_true(isnan(sl_pointcloud2_value(cloud, x, 1, 0)));
    assert_true(isnan(sl_pointcloud2_value(cloud, x, 0, 2)));
}

static void body_is_read_without_copying(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud;
    assert_int_equal(sl_pointcloud2_read(vector, sizeof vector, &cloud), 0);
    expect_cloud_of_vector(&cloud);
    assert_ptr_equal(cloud.data, vector + PREFIX_SIZE);
    assert_false(cloud.is_bigendian);
    expect_points_of_vector(&cloud);
}

static void big_endian_body_of_big_endian_points_is_read(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud;
    assert_int_equal(sl_pointcloud2_read(big_vector, sizeof big_vector, &cloud), 0);
    expect_cloud_of_vector(&cloud);
    assert_true(cloud.is_bigendian);
    expect_points_of_vector(&cloud);
}

static void prefix_and_suffix_have_the_bytes_of_the_rules(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud = cloud_of_vector();
    uint8_t slot[sizeof vector + 3];
    memset(slot, 0xaa, sizeof slot);
    assert_int_equal(sl_pointcloud2_prefix_size(&cloud), PREFIX_SIZE);
    assert_int_equal(sl_pointcloud2_body_size(&cloud), sizeof vector);
    assert_int_equal(sl_pointcloud2_suffix_room(&cloud), 4);
    memcpy(slot + PREFIX_SIZE, vector + PREFIX_SIZE, DATA_SIZE);
    assert_int_equal(sl_pointcloud2_write_prefix(&cloud, slot, PREFIX_SIZE), 0);
    assert_int_equal(sl_pointcloud2_write_suffix(&cloud, slot + PREFIX_SIZE + DATA_SIZE, 4), 0);
    assert_memory_equal(slot, vector, sizeof vector);
    static const uint8_t padding[3] = {0};
    assert_memory_equal(slot + sizeof vector, padding, sizeof padding);
}

static void body_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof vector; size++) {
        uint8_t *body = exact_copy(vector, size);
        struct sl_pointcloud2 cloud = {.height = 77};
        assert_int_equal(sl_pointcloud2_read(body, size, &cloud), -EBADMSG);
        assert_int_equal(cloud.height, 77); /* untouched */
        free(body);
    }
}

static void slots_padding_after_the_body_does_no_harm(void **state)
{
    (void)state;
    uint8_t body[sizeof vector + 3] = {0};
    memcpy(body, vector, sizeof vector);
    struct sl_pointcloud2 cloud;
    assert_int_equal(sl_pointcloud2_read(body, sizeof body, &cloud), 0);
    expect_cloud_of_vector(&cloud);
}

enum {
    DATA_OFFSET = 4096,
    DATA_MAX = 64
};

/* Write a cloud around data at DATA_OFFSET of a slot, as drivers do, and read it in two ways. */
static void expect_in_place(const struct sl_pointcloud2 *cloud)
{
    static uint8_t slot[DATA_OFFSET + DATA_MAX];
    memset(slot, 0xaa, sizeof slot);
    size_t prefix_size = sl_pointcloud2_prefix_size(cloud);
    assert_int_equal(prefix_size % 4, 0);
    uint8_t *body = slot + DATA_OFFSET - prefix_size;
    uint8_t *suffix = slot + DATA_OFFSET + cloud->data_size;
    size_t suffix_room = sl_pointcloud2_suffix_room(cloud);
    assert_int_equal((cloud->data_size + suffix_room) % 4, 0);
    assert_int_equal(sl_pointcloud2_write_prefix(cloud, body, prefix_size), 0);
    assert_int_equal(sl_pointcloud2_write_suffix(cloud, suffix, suffix_room), 0);
    assert_int_equal(body[-1], 0xaa);
    for (uint32_t i = 0; i < cloud->data_size; i++)
        assert_int_equal(slot[DATA_OFFSET + i], 0xaa); /* points are not touched */
    assert_int_equal(suffix[suffix_room], 0xaa);

    size_t body_size = sl_pointcloud2_body_size(cloud);
    struct sl_pointcloud2 read;
    assert_int_equal(sl_pointcloud2_read(body, body_size, &read), 0);
    assert_ptr_equal(read.data, slot + DATA_OFFSET);
    assert_int_equal(read.data_size, cloud->data_size);
    assert_int_equal(read.frame_id.size, cloud->frame_id.size);
    assert_int_equal(read.field_count, cloud->field_count);
    size_t used;
    const struct sl_schema *schema = sl_schema_find(SL_TYPE_POINTCLOUD2);
    assert_int_equal(sl_message_walk(schema, body, body_size, NULL, &used), 0);
    assert_int_equal(used, body_size);
}

static void data_starts_at_a_multiple_of_4_whatever_the_names(void **state)
{
    (void)state;
    static const char name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop";
    for (size_t frame_size = 0; frame_size <= 40; frame_size++) {
        for (uint32_t fields = 0; fields <= 12; fields++) {
            uint32_t point_step = 1 + fields;
            struct sl_pointcloud2 cloud = {
                .frame_id = {name, frame_size},
                .height = 1,
                .width = 3,
                .field_count = fields,
                .point_step = point_step,
                .row_step = 3 * point_step,
                .data_size = 3 * point_step,
            };
            for (uint32_t i = 0; i < fields; i++)
                cloud.fields[i] =
                    (struct sl_point_field){{name, (frame_size + i) % 12}, i, 1, SL_POINT_UINT8};
            expect_in_place(&cloud);
        }
    }
}

static void prefix_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud = cloud_of_vector();
    for (size_t room = 0; room < PREFIX_SIZE; room++) {
        uint8_t *to = exact_copy(vector, room);
        assert_int_equal(sl_pointcloud2_write_prefix(&cloud, to, room), -ENOSPC);
        free(to);
    }
    uint8_t small[3];
    assert_int_equal(sl_pointcloud2_write_suffix(&cloud, small, sizeof small), -ENOSPC);
}

static int write_cloud(struct sl_pointcloud2 cloud)
{
    uint8_t to[256];
    return sl_pointcloud2_write_prefix(&cloud, to, sizeof to);
}

static void cloud_that_contradicts_itself_is_not_written(void **state)
{
    (void)state;
    struct sl_pointcloud2 cloud = cloud_of_vector();
    assert_int_equal(write_cloud(cloud), 0);
    cloud.row_step = 13;
    assert_int_equal(write_cloud(cloud), -EINVAL);
    cloud = cloud_of_vector();
    cloud.data_size = 11;
    assert_int_equal(write_cloud(cloud), -EINVAL);
    cloud = cloud_of_vector();
    cloud.fields[1].offset = 5;
    assert_int_equal(write_cloud(cloud), -EINVAL);
    cloud = cloud_of_vector();
    cloud.fields[1].datatype = 9;
    assert_int_equal(write_cloud(cloud), -EINVAL);
    cloud = cloud_of_vector();
    cloud.field_count = SL_POINT_FIELDS_MAX + 1;
    assert_int_equal(write_cloud(cloud), -EINVAL);
    cloud = cloud_of_vector();
    cloud.stamp_ns = -1;
    assert_int_equal(write_cloud(cloud), -ERANGE);
    cloud = cloud_of_vector();
    cloud.width = 1;
    cloud.point_step = cloud.row_step = cloud.data_size = UINT32_MAX - 10;
    assert_int_equal(write_cloud(cloud), -EOVERFLOW);
}

/* The vector with one 32-bit number changed. */
static int read_changed(size_t offset, uint32_t value)
{
    uint8_t *body = exact_copy(vector, sizeof vector);
    sl_put_le32(body + offset, value);
    struct sl_pointcloud2 cloud;
    int err = sl_pointcloud2_read(body, sizeof vector, &cloud);
    free(body);
    return err;
}

static void numbers_that_lie_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_changed(24, 2), -EBADMSG);          /* height */
    assert_int_equal(read_changed(28, 3), -EBADMSG);          /* width */
    assert_int_equal(read_changed(28, UINT32_MAX), -EBADMSG); /* width */
    assert_int_equal(read_changed(32, 3), -EBADMSG);          /* fields */
    assert_int_equal(read_changed(32, UINT32_MAX), -EBADMSG); /* fields */
    assert_int_equal(read_changed(44, 3), -EBADMSG);          /* offset of x */
    assert_int_equal(read_changed(44, UINT32_MAX), -EBADMSG); /* offset of x */
    assert_int_equal(read_changed(48, 9), -EBADMSG);          /* datatype of x */
    assert_int_equal(read_changed(48, 0), -EBADMSG);          /* datatype of x */
    assert_int_equal(read_changed(52, 2), -EBADMSG);          /* count of x */
    assert_int_equal(read_changed(52, UINT32_MAX), -EBADMSG); /* count of x */
    assert_int_equal(read_changed(84, 5), -EBADMSG);          /* point_step */
    assert_int_equal(read_changed(84, 7), -EBADMSG);          /* point_step */
    assert_int_equal(read_changed(84, UINT32_MAX), -EBADMSG); /* point_step */
    assert_int_equal(read_changed(92, 11), -EBADMSG);         /* size of data */
    assert_int_equal(read_changed(92, 13), -EBADMSG);         /* size of data */
    assert_int_equal(read_changed(92, UINT32_MAX), -EBADMSG); /* size of data */
}

static void careless_numbers_are_borne(void **state)
{
    (void)state;
    assert_int_equal(read_changed(88, 0), 0);          /* row_step of a single row */
    assert_int_equal(read_changed(88, UINT32_MAX), 0); /* row_step of a single row */
    assert_int_equal(read_changed(52, 0), 0);          /* a count of 0 means 1 */
    assert_int_equal(read_changed(28, 1), 0);          /* more data than points */
    assert_int_equal(read_changed(24, 0), 0);          /* no points at all */
}

static void points_without_size_are_refused(void **state)
{
    (void)state;
    /* else a reader would count to 2^64 points of nothing */
    struct sl_pointcloud2 cloud = {.height = 0};
    uint8_t body[64];
    assert_int_equal(sl_pointcloud2_write_prefix(&cloud, body, sizeof body), 0);
    size_t size = sl_pointcloud2_body_size(&cloud);
    body[size - 1] = 1;
    assert_int_equal(sl_pointcloud2_read(body, size, &cloud), 0);
    sl_put_le32(body + 20, UINT32_MAX); /* height, after an empty frame_id */
    sl_put_le32(body + 24, UINT32_MAX); /* width */
    assert_int_equal(sl_pointcloud2_read(body, size, &cloud), -EBADMSG);
}

/* `count` empty fields in a cloud of nothing. */
static int read_many_fields(uint32_t count)
{
    static uint8_t bytes[4 + 8 + 4 + 12 + 16 * (SL_POINT_FIELDS_MAX + 1) + 16 + 1];
    memset(bytes, 0, sizeof bytes);
    bytes[1] = SL_CDR_LITTLE_ENDIAN;
    bytes[24] = (uint8_t)count; /* after stamp, size of frame_id, height, width */
    uint8_t *after_fields = bytes + 28 + 16 * count;
    for (uint32_t i = 0; i < count; i++)
        bytes[28 + 16 * i + 8] = SL_POINT_UINT8; /* after the sizes of name and offset */
    after_fields[4] = 1;                         /* point_step */
    struct sl_pointcloud2 *cloud = malloc(sizeof *cloud);
    assert_non_null(cloud);
    int err = sl_pointcloud2_read(bytes, (size_t)(after_fields + 17 - bytes), cloud);
    if (err == 0)
        assert_int_equal(cloud->field_count, count);
    free(cloud);
    return err;
}

static void more_fields_than_possible_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_many_fields(0), 0);
    assert_int_equal(read_many_fields(SL_POINT_FIELDS_MAX), 0);
    assert_int_equal(read_many_fields(SL_POINT_FIELDS_MAX + 1), -EBADMSG);
}

static void rows_may_be_padded(void **state)
{
    (void)state;
    /* 2 rows of one 1-byte point each; rows of 3 bytes; data 3 + 1 */
    struct sl_pointcloud2 cloud = {.height = 1,
                                   .width = 4,
                                   .point_step = 1,
                                   .row_step = 4,
                                   .data_size = 4,
                                   .field_count = 1,
                                   .fields = {{sl_text("v"), 0, 1, SL_POINT_INT8}}};
    uint8_t body[128] = {0};
    size_t prefix_size = sl_pointcloud2_prefix_size(&cloud);
    size_t size = sl_pointcloud2_body_size(&cloud);
    assert_int_equal(sl_pointcloud2_write_prefix(&cloud, body, sizeof body), 0);
    memcpy(body + prefix_size, "\x01\x02\x03\xff", 4);
    sl_put_le32(body + 20, 2);              /* height */
    sl_put_le32(body + 24, 1);              /* width */
    sl_put_le32(body + prefix_size - 8, 3); /* row_step */
    assert_int_equal(sl_pointcloud2_read(body, size, &cloud), 0);
    assert_int_equal(cloud.height, 2);
    assert_true(sl_pointcloud2_value(&cloud, &cloud.fields[0], 0, 0) == 1);
    assert_true(sl_pointcloud2_value(&cloud, &cloud.fields[0], 1, 0) == -1);
    sl_put_le32(body + prefix_size - 8, 4); /* the second row would begin after the data */
    assert_int_equal(sl_pointcloud2_read(body, size, &cloud), -EBADMSG);
}

static void every_datatype_is_read_unaligned_in_either_byte_order(void **state)
{
    (void)state;
    static const struct {
        uint8_t datatype;
        double value;
        uint8_t big[8];
    } cases[] = {
        {SL_POINT_INT8, -2, {0xfe}},
        {SL_POINT_UINT8, 254, {0xfe}},
        {SL_POINT_INT16, -2, {0xff, 0xfe}},
        {SL_POINT_UINT16, 65534, {0xff, 0xfe}},
        {SL_POINT_INT32, -2, {0xff, 0xff, 0xff, 0xfe}},
        {SL_POINT_UINT32, 4294967294.0, {0xff, 0xff, 0xff, 0xfe}},
        {SL_POINT_FLOAT32, -1.5, {0xbf, 0xc0, 0, 0}},
        {SL_POINT_FLOAT64, 0.1, {0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = sl_point_type_size(cases[i].datatype);
        for (uint32_t shift = 0; shift < 8; shift++) {
            uint8_t big[16] = {0};
            uint8_t small[16] = {0};
            for (size_t b = 0; b < size; b++) {
                big[shift + b] = cases[i].big[b];
                small[shift + b] = cases[i].big[size - 1 - b];
            }
            struct sl_point_field field = {
                .offset = shift, .count = 1, .datatype = cases[i].datatype};
            assert_true(sl_point_value(&field, big, true) == cases[i].value);
            assert_true(sl_point_value(&field, small, false) == cases[i].value);
        }
    }
    struct sl_point_field unknown = {.datatype = 9};
    assert_true(isnan(sl_point_value(&unknown, vector, false)));
}

/* The vector cut into three pieces at all pairs of places. */
static void body_in_pieces_is_the_same_cloud(void **state)
{
    (void)state;
    for (size_t first = 0; first <= sizeof vector; first++) {
        for (size_t second = first; second <= sizeof vector; second++) {
            size_t sizes[] = {first, second - first, sizeof vector - second};
            uint8_t *pieces[] = {exact_copy(vector, sizes[0]), exact_copy(vector + first, sizes[1]),
                                 exact_copy(vector + second, sizes[2])};
            struct sl_body body = {
                .count = 3,
                .ranges = {{pieces[0], sizes[0]}, {pieces[1], sizes[1]}, {pieces[2], sizes[2]}}};
            uint8_t scratch[PREFIX_SIZE];
            struct sl_pointcloud2 cloud;
            struct sl_body data;
            assert_int_equal(
                sl_pointcloud2_read_gather(&body, scratch, sizeof scratch, &cloud, &data), 0);
            expect_cloud_of_vector(&cloud);
            uint8_t copy[DATA_SIZE + 1];
            assert_int_equal(sl_body_copy(&data, 0, copy, sizeof copy), DATA_SIZE);
            assert_memory_equal(copy, vector + PREFIX_SIZE, DATA_SIZE);
            if (data.count == 1)
                expect_points_of_vector(&cloud);
            else
                assert_null(cloud.data);
            for (int i = 0; i < 3; i++)
                free(pieces[i]);
        }
    }
}

static void prefix_in_pieces_needs_scratch(void **state)
{
    (void)state;
    struct sl_body body = {.count = 2, .ranges = {{vector, 40}, {vector + 40, sizeof vector - 40}}};
    uint8_t scratch[PREFIX_SIZE];
    struct sl_pointcloud2 cloud;
    struct sl_body data;
    assert_int_equal(sl_pointcloud2_read_gather(&body, NULL, 0, &cloud, &data), -ENOSPC);
    assert_int_equal(sl_pointcloud2_read_gather(&body, scratch, PREFIX_SIZE - 1, &cloud, &data),
                     -ENOSPC);
    assert_int_equal(sl_pointcloud2_read_gather(&body, scratch, PREFIX_SIZE, &cloud, &data), 0);
    body.ranges[1].length--;
    assert_int_equal(sl_pointcloud2_read_gather(&body, scratch, PREFIX_SIZE, &cloud, &data),
                     -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_read_without_copying),
        cmocka_unit_test(big_endian_body_of_big_endian_points_is_read),
        cmocka_unit_test(prefix_and_suffix_have_the_bytes_of_the_rules),
        cmocka_unit_test(body_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(slots_padding_after_the_body_does_no_harm),
        cmocka_unit_test(data_starts_at_a_multiple_of_4_whatever_the_names),
        cmocka_unit_test(prefix_that_does_not_fit_is_an_error),
        cmocka_unit_test(cloud_that_contradicts_itself_is_not_written),
        cmocka_unit_test(numbers_that_lie_are_refused),
        cmocka_unit_test(careless_numbers_are_borne),
        cmocka_unit_test(points_without_size_are_refused),
        cmocka_unit_test(more_fields_than_possible_are_refused),
        cmocka_unit_test(rows_may_be_padded),
        cmocka_unit_test(every_datatype_is_read_unaligned_in_either_byte_order),
        cmocka_unit_test(body_in_pieces_is_the_same_cloud),
        cmocka_unit_test(prefix_in_pieces_needs_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
