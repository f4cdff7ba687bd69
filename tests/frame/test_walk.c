/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of types, and walking bodies by them. */
#include "core/base/error.h"
#include "core/frame/message.h"
#include "core/frame/schema.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"
#include "tests/frame/sample.h"

#include <errno.h>
#include <stdio.h>

#define BODY_MAX 32768

static void types_are_found_by_all_their_names(void **state)
{
    (void)state;
    const struct sl_schema *imu = sl_schema_find("sensor_msgs/msg/Imu");
    assert_non_null(imu);
    assert_ptr_equal(sl_schema_find("sensor_msgs/Imu"), imu);
    assert_ptr_equal(sl_schema_find("sensor_msgs::msg::dds_::Imu_"), imu);
    static const char *const wrong[] = {
        "",
        "Imu",
        "/Imu",
        "sensor_msgs",
        "sensor_msgs/",
        "sensor_msgs/msg/",
        "sensor_msgs/msg/Im",
        "sensor_msgs/msg/Imus",
        "sensor_msgs/srv/Imu",
        "other_msgs/msg/Imu",
        "sensor_msgs::msg::dds_::",
        "sensor_msgs::msg::dds_::Imu",
        "sensor_msgs::msg::dds_::Imux",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(sl_schema_find(wrong[i]));
    static const char *const typed[] = {
        SL_TYPE_POINTCLOUD2, SL_TYPE_IMAGE,         SL_TYPE_CAMERA_INFO,    SL_TYPE_IMU,
        SL_TYPE_NAVSATFIX,   SL_TYPE_VELODYNE_SCAN, SL_TYPE_NEBULA_PACKETS, SL_TYPE_LASER_SCAN,
        SL_TYPE_TRANSFORMS};
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++)
        assert_non_null(sl_schema_find(typed[i]));
}

static unsigned depth_of(const struct sl_schema *schema)
{
    unsigned deepest = 0;
    for (unsigned i = 0; i < schema->member_count; i++) {
        const struct sl_member *member = &schema->members[i];
        unsigned depth = member->kind == SL_KIND_MESSAGE ? depth_of(member->type) : 0;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static void tables_keep_their_limits(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct sl_schema *schema; (schema = sl_schema_at(count)); count++) {
        assert_ptr_equal(sl_schema_find(schema->name), schema); /* no name twice */
        assert_in_range(schema->member_count, 1, SL_SCHEMA_MEMBERS_MAX);
        assert_in_range(depth_of(schema), 1, SL_SCHEMA_DEPTH_MAX);
        for (unsigned i = 0; i < schema->member_count; i++) {
            const struct sl_member *member = &schema->members[i];
            assert_int_equal(member->kind == SL_KIND_MESSAGE, member->type != NULL);
            assert_int_equal(member->shape == SL_SHAPE_ARRAY, member->count > 0);
            for (unsigned j = 0; j < i; j++)
                assert_string_not_equal(member->name, schema->members[j].name);
        }
    }
    assert_true(count >= 25);
}

/* Writes what it is shown as one line. */
static void note(void *state, const struct sl_visit *visit)
{
    FILE *to = state;
    const char *name = visit->member ? visit->member->name : "-";
    switch (visit->what) {
    case SL_VISIT_VALUE:
        if (visit->member->kind == SL_KIND_STRING)
            fprintf(to, "%u:%s='%.*s' ", visit->depth, name, SL_TEXT_ARGS(visit->text));
        else
            fprintf(to, "%u:%s[%u]=%u ", visit->depth, name, visit->index,
                    (unsigned)visit->number_u);
        break;
    case SL_VISIT_MESSAGE_BEGIN:
        fprintf(to, "%u:%s{ ", visit->depth, name);
        break;
    case SL_VISIT_MESSAGE_END:
        fprintf(to, "%u:%s} ", visit->depth, name);
        break;
    case SL_VISIT_LIST_BEGIN:
        fprintf(to, "%u:%s(%u/%u ", visit->depth, name, visit->shown, visit->count);
        break;
    case SL_VISIT_LIST_END:
        fprintf(to, "%u:%s) ", visit->depth, name);
        break;
    }
}

/* std_msgs/UInt8MultiArray: dim [{"a", 1, 2}, {"", 3, 4}], data_offset 5, data [6, 7, 8] */
static const uint8_t multi_array[] = {
    0, 1, 0, 0,               /*  0 */
    2, 0, 0, 0,               /*  4 dim */
    2, 0, 0, 0, 'a', 0,       /*  8 label */
    0, 0, 1, 0, 0,   0,       /* 14 padding, size */
    2, 0, 0, 0,               /* 20 stride */
    1, 0, 0, 0, 0,   0, 0, 0, /* 24 label, padding */
    3, 0, 0, 0, 4,   0, 0, 0, /* 32 size, stride */
    5, 0, 0, 0,               /* 40 data_offset */
    3, 0, 0, 0, 6,   7, 8,    /* 44 data */
};

static void expect_notes(uint32_t list_max, const char *expected)
{
    char notes[1024] = "";
    FILE *to = fmemopen(notes, sizeof notes, "w");
    struct sl_visitor visitor = {note, to, list_max};
    const struct sl_schema *schema = sl_schema_find("std_msgs/msg/UInt8MultiArray");
    size_t used = 0;
    assert_int_equal(sl_message_walk(schema, multi_array, sizeof multi_array, &visitor, &used), 0);
    fclose(to);
    assert_int_equal(used, sizeof multi_array);
    assert_string_equal(notes, expected);
}

static void every_member_is_visited_in_order(void **state)
{
    (void)state;
    expect_notes(UINT32_MAX, "0:-{ 1:layout{ 2:dim(2/2 "
                             "2:dim{ 3:label='a' 3:size[0]=1 3:stride[0]=2 2:dim} "
                             "2:dim{ 3:label='' 3:size[0]=3 3:stride[0]=4 2:dim} 2:dim) "
                             "2:data_offset[0]=5 1:layout} "
                             "1:data(3/3 1:data[0]=6 1:data[1]=7 1:data[2]=8 1:data) 0:-} ");
}

static void long_lists_are_passed_over(void **state)
{
    (void)state;
    expect_notes(1, "0:-{ 1:layout{ 2:dim(1/2 "
                    "2:dim{ 3:label='a' 3:size[0]=1 3:stride[0]=2 2:dim} 2:dim) "
                    "2:data_offset[0]=5 1:layout} 1:data(1/3 1:data[0]=6 1:data) 0:-} ");
    expect_notes(0, "0:-{ 1:layout{ 2:dim(0/2 2:dim) 2:data_offset[0]=5 1:layout} "
                    "1:data(0/3 1:data) 0:-} ");
}

static void broken_member_is_told_by_name_and_byte(void **state)
{
    (void)state;
    const struct sl_schema *schema = sl_schema_find("std_msgs/msg/UInt8MultiArray");
    assert_int_equal(sl_message_walk(schema, multi_array, 35, NULL, NULL), -EBADMSG);
    assert_string_equal(sl_error_text(), "std_msgs/msg/UInt8MultiArray: layout.dim[1].size is "
                                         "broken at byte 32 of a body of 35");
    assert_int_equal(sl_message_walk(schema, multi_array, 50, NULL, NULL), -EBADMSG);
    assert_string_equal(sl_error_text(),
                        "std_msgs/msg/UInt8MultiArray: data is broken at byte 48 of a body of 50");
    assert_int_equal(sl_message_walk(schema, multi_array, 3, NULL, NULL), -EBADMSG);
    assert_non_null(strstr(sl_error_text(), "std_msgs/msg/UInt8MultiArray: a CDR body of 3"));
}

static void sample_of_any_type_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[BODY_MAX];
    for (size_t t = 0; sl_schema_at(t); t++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            size_t whole = sample_body(sl_schema_at(t), seed, bytes, sizeof bytes);
            assert_true(whole > 0);
            size_t used = 0;
            assert_int_equal(sl_message_walk(sl_schema_at(t), bytes, whole, NULL, &used), 0);
            assert_int_equal(used, whole);
            for (size_t size = 0; size < whole; size++) {
                uint8_t *body = exact_copy(bytes, size);
                int err = sl_message_walk(sl_schema_at(t), body, size, NULL, NULL);
                assert_int_equal(err, -EBADMSG);
                free(body);
            }
        }
    }
}

/* Counts what it sees and looks at every byte of every text. */
static void look(void *state, const struct sl_visit *visit)
{
    uint64_t *seen = state;
    if (visit->what == SL_VISIT_VALUE && visit->member->kind == SL_KIND_STRING)
        for (size_t i = 0; i < visit->text.size; i++)
            *seen += (uint8_t)visit->text.at[i];
    *seen += 1;
}

/* Mostly small numbers, so that counts are believed now and then. */
static void fill_random(uint64_t *random, uint8_t *body, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t r = sample_random(random) >> 20;
        uint8_t byte = (uint8_t)(r >> 8);
        body[i] = r % 4 ? 0 : r % 16 ? byte % 8 : byte;
    }
}

static void random_bytes_never_lead_out_of_the_body(void **state)
{
    (void)state;
    uint64_t random = 42;
    uint64_t seen = 0;
    unsigned accepted = 0;
    struct sl_visitor visitor = {look, &seen, UINT32_MAX};
    for (unsigned round = 0; round < 400; round++) {
        size_t size = 4 + sample_random(&random) % 700;
        uint8_t *body = malloc(size);
        assert_non_null(body);
        fill_random(&random, body, size);
        body[0] = body[2] = body[3] = 0;
        body[1] = round % 2;
        for (size_t t = 0; sl_schema_at(t); t++) {
            size_t used = 0;
            int err = sl_message_walk(sl_schema_at(t), body, size, &visitor, &used);
            assert_true(err == -EBADMSG || (err == 0 && used <= size));
            accepted += err == 0;
        }
        free(body);
    }
    assert_true(seen > 0 && accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_found_by_all_their_names),
        cmocka_unit_test(tables_keep_their_limits),
        cmocka_unit_test(every_member_is_visited_in_order),
        cmocka_unit_test(long_lists_are_passed_over),
        cmocka_unit_test(broken_member_is_told_by_name_and_byte),
        cmocka_unit_test(sample_of_any_type_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(random_bytes_never_lead_out_of_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
