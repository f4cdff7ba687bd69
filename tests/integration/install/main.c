/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - a program outside the tree: it knows the installed header and library, nothing else.
 * Sends itself one message through a slot and reads it in place. */
#include <sluice.h>
#include <stdio.h>
#include <string.h>

#define WAIT_NS INT64_C(10000000000)

static int fail(const char *step)
{
    fprintf(stderr, "%s: %s\n", step, sl_error_text());
    return 1;
}

int main(void)
{
    static const char text[] = "in place";
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
    if (sl_publisher_open(
            &(struct sl_publisher_options){
                .topic = "/installed", .type = "test/msg/Text", .slot_size = 4096, .retain = 1},
            &publisher) < 0)
        return fail("publisher");
    if (sl_subscriber_open(&(struct sl_subscriber_options){.topic = "/installed", .history = 1},
                           &subscriber) < 0)
        return fail("subscriber");

    struct sl_loan loan;
    if (sl_publisher_loan(publisher, &loan) < 0)
        return fail("loan");
    memcpy(loan.data, text, sizeof text);
    struct sl_message message = {.stamp_ns = 1, .body_length = sizeof text};
    if (sl_publisher_publish(publisher, &loan, &message) < 0)
        return fail("publish");

    struct sl_frame frame;
    if (sl_subscriber_wait(subscriber, WAIT_NS) < 0)
        return fail("wait");
    if (sl_subscriber_take(subscriber, &frame) < 0)
        return fail("take");
    int same = frame.body && frame.body_length == sizeof text && strcmp(frame.body, text) == 0;
    sl_frame_release(&frame);
    sl_subscriber_close(subscriber);
    sl_publisher_close(publisher);
    printf("sluice %s: %s\n", sl_version(), same ? text : "not what was sent");
    return same ? 0 : 1;
}
