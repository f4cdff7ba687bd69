/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/dds_bridge/flow.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tests/dds_bridge/content.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sl_publisher *flow_open(struct sl_publisher_options options)
{
    struct sl_publisher *publisher;
    options.side_size = options.slot_size ? CONTENT_SIDE_SIZE : 0;
    if (sl_publisher_open(&options, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    return publisher;
}

struct sl_publisher *flow_open_topic(const char *topic, const char *type, uint32_t size,
                                     uint32_t quota)
{
    return flow_open((struct sl_publisher_options){.topic = topic,
                                                   .type = type,
                                                   .slot_size = size ? size + 16384 : 0,
                                                   .inline_max = 448,
                                                   .subscribers = 2,
                                                   .quota = quota});
}

struct child flow_bridge(const char *rule)
{
    return start("dds_bridge", "--out", rule, side_domain_option(), NULL);
}

void flow_configure(const char *more)
{
    char uri[1024], *plain = strdup(getenv("CYCLONEDDS_URI"));
    snprintf(uri, sizeof uri, "%s,<CycloneDDS><Domain id=\"any\">%s</Domain></CycloneDDS>", plain,
             more);
    setenv("CYCLONEDDS_URI", uri, 1);
    free(plain);
}

uint32_t flow_held(struct sl_publisher *publisher)
{
    struct sl_publisher_status status;
    assert_int_equal(sl_publisher_status(publisher, &status), 0);
    return status.slots_held;
}

void flow_await_held(struct sl_publisher *publisher, uint32_t most)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS;
    while (flow_held(publisher) > most) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("%u frames are held still", flow_held(publisher));
        poll(NULL, 0, 5);
    }
}

uint32_t flow_begin(struct sl_publisher *publisher, flow_publish *publish, dds_entity_t reader,
                    flow_check *check, uint32_t size, uint32_t number)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS;
    int64_t got = -1;
    for (; got < 0; number++) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("nothing of %u messages arrived", number);
        assert_int_equal(publish(publisher, number, size), 0);
        got = side_take(reader, check, DDS_MSECS(100));
    }
    while (got + 1 < number) { /* the last one comes; others may have been displaced */
        int64_t next = side_take(reader, check, SIDE_PATIENCE_NS);
        assert_true(next > got);
        got = next;
    }
    return number;
}

void flow_pass(struct sl_publisher *publisher, flow_publish *publish, dds_entity_t reader,
               flow_check *check, uint32_t size, uint32_t count)
{
    uint32_t number = flow_begin(publisher, publish, reader, check, size, 0);
    for (uint32_t end = number + count; number < end; number++) {
        assert_int_equal(publish(publisher, number, size), 0);
        assert_int_equal(side_take(reader, check, SIDE_PATIENCE_NS), number);
    }
    flow_await_held(publisher, 0);
}

const char *flow_program(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/tests/dds_bridge/%s",
             getenv("SLUICE_BUILD") ? getenv("SLUICE_BUILD") : ".", name);
    return path;
}

struct child flow_start_reader(void)
{
    char domain[16];
    snprintf(domain, sizeof domain, "%u", side_domain());
    struct child child = start(flow_program("dds_reader"), domain, "rt/points", NULL);
    expect_line(&child, "ready");
    side_await_counter_to_be("/points -> DDS rt/points", "readers", 2);
    return child;
}
