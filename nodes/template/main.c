/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal subscriber: looks at every frame where it stands. Copy it and begin your node. */
#include <sluice.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t stop;
static struct sl_subscriber *subscriber;

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
        const unsigned char *bytes = frame.body; /* read in place; NULL if it is in pieces */
        printf("frame %llu: %zu bytes, the first is %d, %llu lost before it\n",
               (unsigned long long)frame.seq, frame.body_length, bytes ? bytes[0] : -1,
               (unsigned long long)frame.lost_before);
        fflush(stdout);
        sl_frame_release(&frame);
        wanted -= wanted > 0;
    }
    sl_subscriber_close(subscriber);
    return 0;
}
