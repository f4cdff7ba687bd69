/* SPDX-License-Identifier: Apache-2.0 */
/* What a recorder keeps of latched topics: one message a publisher, in the order in which they
 * came, within its limits. */
#include "rosbag_compat/record_latched.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int keep(struct record_latched *l, uint64_t publisher, char *body, size_t size)
{
    const struct iovec pieces[] = {{body, size / 2}, {body + size / 2, size - size / 2}};
    return record_latched_keep(l, publisher, &(struct sl_log_message){0}, pieces, 2);
}

static void a_publisher_has_its_last_message_only(void **state)
{
    (void)state;
    struct record_latched l = {0};
    assert_int_equal(keep(&l, 1, (char[]){"first"}, 5), 0);
    assert_int_equal(keep(&l, 2, (char[]){"other"}, 5), 0);
    assert_int_equal(keep(&l, 1, (char[]){"the last"}, 8), 0);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.size_bytes, 13);
    assert_int_equal(l.messages[0].publisher, 2);
    assert_int_equal(l.messages[1].publisher, 1);
    assert_int_equal(l.messages[1].size_bytes, 8);
    assert_memory_equal(l.messages[1].body, "the last", 8);
    record_latched_finish(&l);
    assert_int_equal(l.count, 0);
    assert_int_equal(l.size_bytes, 0);
}

static void the_oldest_goes_beyond_the_number(void **state)
{
    (void)state;
    struct record_latched l = {0};
    for (uint64_t publisher = 1; publisher <= RECORD_LATCHED_MAX + 3; publisher++)
        assert_int_equal(keep(&l, publisher, (char[]){"x"}, publisher % 2), 0);
    assert_int_equal(l.count, RECORD_LATCHED_MAX);
    for (unsigned i = 0; i < l.count; i++)
        assert_int_equal(l.messages[i].publisher, i + 4);
    record_latched_finish(&l);
}

static void the_oldest_go_beyond_the_bytes(void **state)
{
    (void)state;
    struct record_latched l = {0};
    size_t most = RECORD_LATCHED_BYTES_MAX;
    char *body = calloc(1, most + 1);
    assert_non_null(body);
    for (uint64_t publisher = 1; publisher <= 4; publisher++)
        assert_int_equal(keep(&l, publisher, body, most / 4), 0);
    assert_int_equal(l.count, 4);
    assert_int_equal(keep(&l, 5, body, most / 4 + 1), 0);
    assert_int_equal(l.count, 3);
    assert_int_equal(l.messages[0].publisher, 3);
    assert_int_equal(keep(&l, 4, body, most + 1), -EFBIG); /* of the one before nobody is told */
    assert_int_equal(l.count, 2);
    assert_int_equal(l.messages[1].publisher, 5);
    assert_int_equal(keep(&l, 6, body, most), 0);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.size_bytes, most);
    record_latched_finish(&l);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publisher_has_its_last_message_only),
        cmocka_unit_test(the_oldest_goes_beyond_the_number),
        cmocka_unit_test(the_oldest_go_beyond_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
