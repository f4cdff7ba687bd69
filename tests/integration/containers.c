/* SPDX-License-Identifier: Apache-2.0 */
/* containers.c - what test_containers.sh runs inside of its containers.
 *
 *   containers publish          until SIGTERM; slots for two subscribers that hold two frames each
 *   containers read [HOLD]      takes every message it can and checks it; keeps the first HOLD
 *
 * Every PERIOD_MS a line on stdout says how it stands. Status 1: a loan failed, or a frame was
 * torn.
 */
#include "core/base/clock.h"
#include "core/shm/sluice.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC     "/contained"
#define WORDS     512
#define PERIOD_MS 50
#define PACE_MS   2
#define HOLD_MAX  2

static volatile sig_atomic_t ended;
static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static int failed(const char *step)
{
    fprintf(stderr, "%s: %s\n", step, sl_error_text());
    return 1;
}

static bool is_time(uint64_t *next_ns)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (now_ns < *next_ns)
        return false;
    *next_ns = now_ns + PERIOD_MS * SL_NS_PER_MS;
    return true;
}

static int publish_one(struct sl_publisher *p, uint64_t number)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(p, &loan);
    if (err < 0)
        return err;
    uint64_t *words = loan.data;
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = number + i;
    return sl_publisher_publish(
        p, &loan, &(struct sl_message){.stamp_ns = number, .body_length = WORDS * sizeof *words});
}

static int publish(void)
{
    struct sl_publisher *p;
    if (sl_publisher_open(&(struct sl_publisher_options){.topic = TOPIC,
                                                         .type = "test/msg/Words",
                                                         .slot_size = WORDS * sizeof(uint64_t),
                                                         .subscribers = 2,
                                                         .quota = HOLD_MAX},
                          &p) < 0)
        return failed("publisher");
    struct sl_publisher_status s;
    uint64_t number = 1, next_ns = 0;
    for (; !ended; number++) {
        if (publish_one(p, number) < 0)
            return failed("publish");
        sl_publisher_status(p, &s);
        if (is_time(&next_ns))
            printf("subscribers %" PRIu32 " held %" PRIu32 " published %" PRIu64 "\n",
                   s.subscribers, s.slots_held, s.published);
        poll(NULL, 0, PACE_MS);
    }
    sl_publisher_close(p);
    return 0;
}

static bool is_whole(const struct sl_frame *frame)
{
    const uint64_t *words = frame->body;
    if (frame->body_length != WORDS * sizeof *words)
        return false;
    for (unsigned i = 0; i < WORDS; i++)
        if (words[i] != frame->stamp_ns + i)
            return false;
    return sl_frame_check(frame) == 0;
}

static int read_all(unsigned hold)
{
    struct sl_subscriber *s;
    struct sl_frame held[HOLD_MAX], frame;
    if (sl_subscriber_open(&(struct sl_subscriber_options){.topic = TOPIC, .quota = HOLD_MAX}, &s) <
        0)
        return failed("subscriber");
    unsigned count = 0;
    uint64_t number = 0, next_ns = 0;
    while (!ended) {
        if (count < HOLD_MAX)
            sl_subscriber_wait(s, PERIOD_MS * SL_NS_PER_MS);
        else
            poll(NULL, 0, PERIOD_MS); /* there is more to take at once, but for the quota */
        struct sl_frame *to = count < hold ? &held[count] : &frame;
        if (count < HOLD_MAX && sl_subscriber_take(s, to) == 0) {
            number++;
            if (!is_whole(to))
                return fprintf(stderr, "torn\n"), 1;
            if (count < hold)
                count++;
            else
                sl_frame_release(&frame);
        }
        for (unsigned i = 0; i < count; i++)
            if (!is_whole(&held[i]))
                return fprintf(stderr, "torn while held\n"), 1;
        struct sl_subscriber_status status;
        sl_subscriber_status(s, &status);
        if (is_time(&next_ns))
            printf("publishers %" PRIu32 " holds %u read %" PRIu64 " %s\n", status.publishers,
                   count, number, status.refusal);
    }
    while (count > 0)
        sl_frame_release(&held[--count]);
    sl_subscriber_close(s);
    return 0;
}

int main(int argc, char **argv)
{
    /* Process 1 of a container gets no signal that it does not ask for. */
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    setlinebuf(stdout);
    unsigned hold = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 0;
    if (argc > 1 && strcmp(argv[1], "publish") == 0)
        return publish();
    if (argc > 1 && strcmp(argv[1], "read") == 0 && hold <= HOLD_MAX)
        return read_all(hold);
    return fprintf(stderr, "usage: %s publish | read [0-%d]\n", argv[0], HOLD_MAX), 2;
}
