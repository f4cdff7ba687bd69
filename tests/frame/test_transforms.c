/* SPDX-License-Identifier: Apache-2.0 */
/* tf2_msgs/msg/TFMessage. */
#include "core/frame/schema.h"
#include "core/frame/transforms.h"
#include "core/frame/walk.h"
#include "tests/frame/exact.h"

#include <errno.h>

/* Counted by hand: one transform, (1, -0.5, 0) and no turn. */
static const uint8_t bytes[] = {
    0, 1, 0, 0,                       /*  0 encapsulation */
    1, 0, 0, 0,                       /*  4 count */
    1, 0, 0, 0, 2,   0,   0,    0,    /*  8 sec, nanosec */
    2, 0, 0, 0, 'a', 0,   0,    0,    /* 16 frame_id, gap to 24 */
    4, 0, 0, 0, 'b', 'c', 'd',  0,    /* 24 child_frame_id */
    0, 0, 0, 0,                       /* 32 gap to 36: a multiple of 8 from 4 */
    0, 0, 0, 0, 0,   0,   0xf0, 0x3f, /* 36 translation */
    0, 0, 0, 0, 0,   0,   0xe0, 0xbf, /* 44 */
    0, 0, 0, 0, 0,   0,   0,    0,    /* 52 */
    0, 0, 0, 0, 0,   0,   0,    0,    /* 60 rotation */
    0, 0, 0, 0, 0,   0,   0,    0,    /* 68 */
    0, 0, 0, 0, 0,   0,   0,    0,    /* 76 */
    0, 0, 0, 0, 0,   0,   0xf0, 0x3f, /* 84 */
};

static void it_is_read_and_written_by_the_rules(void **state)
{
    (void)state;
    struct sl_transform transform;
    uint8_t *exact = exact_copy(bytes, sizeof bytes), written[sizeof bytes];
    size_t size = 0;
    assert_int_equal(sl_transforms_read(exact, sizeof bytes, 1, &transform), 1);
    assert_int_equal(transform.stamp_ns, 1000000002);
    assert_true(sl_text_is(transform.frame_id, "a") && sl_text_is(transform.child_frame_id, "bcd"));
    assert_true(transform.translation[0] == 1 && transform.translation[1] == -0.5);
    assert_true(transform.translation[2] == 0 && transform.rotation[3] == 1);
    assert_int_equal(sl_transforms_write(&transform, 1, written, sizeof written, &size), 0);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(written, bytes, sizeof bytes);
    for (size_t room = 0; room < sizeof bytes; room++)
        assert_int_equal(sl_transforms_write(&transform, 1, written, room, &size), -ENOSPC);
    transform.stamp_ns = -1;
    assert_int_equal(sl_transforms_write(&transform, 1, written, sizeof written, &size), -ERANGE);
    free(exact);
}

static void several_are_read_as_far_as_there_is_room(void **state)
{
    (void)state;
    struct sl_transform transforms[3] = {{0}}, read[3];
    static const char *const children[] = {"sensor", "b", "lidar_12"};
    uint8_t body[512];
    size_t size = 0, used = 0;
    for (unsigned i = 0; i < 3; i++) {
        transforms[i].child_frame_id = sl_text(children[i]);
        transforms[i].rotation[0] = i;
    }
    assert_int_equal(sl_transforms_write(transforms, 3, body, sizeof body, &size), 0);
    assert_int_equal(sl_message_walk(sl_schema_find(SL_TYPE_TRANSFORMS), body, size, NULL, &used),
                     0);
    assert_int_equal(used, size);
    memset(read, 0, sizeof read);
    assert_int_equal(sl_transforms_read(body, size, 2, read), 3);
    for (unsigned i = 0; i < 2; i++)
        assert_true(sl_text_is(read[i].child_frame_id, children[i]) && read[i].rotation[0] == i);
    assert_null(read[2].child_frame_id.at);
    assert_int_equal(sl_transforms_write(NULL, 0, body, sizeof body, &size), 0);
    assert_int_equal(sl_transforms_read(body, size, 3, read), 0);
}

static void a_body_that_is_cut_off_is_refused(void **state)
{
    (void)state;
    struct sl_transform transform;
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint8_t *exact = exact_copy(bytes, size);
        assert_int_equal(sl_transforms_read(exact, size, 1, &transform), -EBADMSG);
        free(exact);
    }
    uint8_t *huge = exact_copy(bytes, sizeof bytes);
    memset(huge + 4, 0xFF, 4);
    assert_int_equal(sl_transforms_read(huge, sizeof bytes, 1, &transform), -EBADMSG);
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_and_written_by_the_rules),
        cmocka_unit_test(several_are_read_as_far_as_there_is_room),
        cmocka_unit_test(a_body_that_is_cut_off_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
