/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.c - a publisher of clouds in a process of its own, to be killed.
 *
 * Usage: dds_publisher TOPIC FIRST COUNT
 *
 * Waits until somebody has subscribed, publishes COUNT clouds of content.h from number FIRST on,
 * prints "published", and stays until it is killed. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE        9000u /* small ones may be copied instead of held */
#define PATIENCE_NS (60 * SL_NS_PER_S)

static bool await_subscriber(struct sl_publisher *publisher)
{
    struct sl_publisher_status status;
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_NS;
    while (sl_publisher_status(publisher, &status) == 0 && status.subscribers == 0) {
        if (sl_clock_monotonic_ns() > until_ns)
            return false;
        poll(NULL, 0, 5);
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    uint32_t number = (uint32_t)strtoul(argv[2], NULL, 10);
    uint32_t end = number + (uint32_t)strtoul(argv[3], NULL, 10);
    struct sl_publisher *publisher;
    const struct sl_publisher_options options = {.topic = argv[1],
                                                 .type = SL_TYPE_POINTCLOUD2,
                                                 .slot_size = 65536,
                                                 .subscribers = 1,
                                                 .quota = 8};
    if (sl_publisher_open(&options, &publisher) < 0 || !await_subscriber(publisher)) {
        fprintf(stderr, "dds_publisher: %s\n", sl_error_text());
        return 1;
    }
    for (; number < end; number++)
        if (publish_cloud(publisher, number, SIZE) < 0)
            return 1;
    puts("published");
    fflush(stdout);
    for (;;)
        pause();
}
