/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal subscriber: goes through every frame where it stands. Copy it and begin your node. */
#include <sluice.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t stop;
static struct sl_subscriber *subscriber;

/* Here is your work: the bytes come in chunks that do not cut a unit (a point, a row; here a byte),
 * from whatever memory the frame lies in, without displacing what others have in the caches. */
static unsigned look_at(const struct sl_frame *frame)
{
    struct sl_frame_scan scan;
    unsigned sum = 0;
    int err = sl_frame_scan_begin(frame, 1, &scan);
    while (err == 0 && sl_frame_scan_next(&scan))
        for (size_t i = 0; i < scan.chunk_length; i++)
            sum += ((const unsigned char *)scan.chunk)[i];
    return sum;
}

static void on_signal(int number)
{
    (void)number;
    stop = 1;
    sl_subscriber_interrupt(subscriber); /* also a wait that has not begun yet */
}

int main(int argc, char **argv)
{
    const struct sl_subscriber_options options = {.topic = argc > 1 ? argv[1] : "/template"};
    long wanted = argc > 2 ? atol(argv[2]) : -1;
    if (sl_subscriber_open(&options, &subscriber) < 0) {
        fprintf(stderr, "template: %s\n", sl_error_text());
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    while (!stop && wanted != 0) {
        struct sl_frame frame;
        int err = sl_subscriber_take(subscriber, &frame);
        if (err == -EAGAIN) {
            sl_subscriber_wait(subscriber, -1);
            continue;
        }
        if (err < 0) {
            fprintf(stderr, "template: %s\n", sl_error_text());
            break;
        }
        printf("frame %llu: %zu bytes, their sum is %u, %llu lost before it\n",
               (unsigned long long)frame.seq, frame.body_length, look_at(&frame),
               (unsigned long long)frame.lost_before);
        fflush(stdout);
        sl_frame_release(&frame);
        wanted -= wanted > 0;
    }
    sl_subscriber_close(subscriber);
    return 0;
}
