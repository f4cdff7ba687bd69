/* SPDX-License-Identifier: Apache-2.0 */
/* hold.c - vm_hold TOPIC: holds a frame while something happens to the memory that it lies in.
 *
 * Takes one, says "held", waits for a line on its input, touches every byte, says what they are,
 * and takes again. Exit status 0: it lived, and was told that the device is gone (-ENODEV) both
 * when it asked whether the frame was whole and when it took the next.
 */
#include "core/shm/sluice.h"

#include <errno.h>
#include <stdio.h>

#define PATIENCE_NS 90000000000

static int take(struct sl_subscriber *subscriber, struct sl_frame *ret_frame)
{
    int err;
    while ((err = sl_subscriber_take(subscriber, ret_frame)) == -EAGAIN)
        if ((err = sl_subscriber_wait(subscriber, PATIENCE_NS)) < 0)
            break;
    return err;
}

static void touch(const struct sl_frame *frame)
{
    const unsigned char *byte = frame->body;
    unsigned char all_set = 0xff, any_set = 0;
    for (size_t i = 0; i < frame->body_length; i++) {
        all_set &= byte[i];
        any_set |= byte[i];
    }
    printf("touched %zu bytes, %s\n", frame->body_length,
           any_set == 0      ? "all are zeros"
           : all_set == 0xff ? "all are ones"
                             : "they differ");
}

int main(int argc, char **argv)
{
    const struct sl_subscriber_options options = {.topic = argc > 1 ? argv[1] : ""};
    struct sl_subscriber *subscriber;
    struct sl_frame frame;
    char line[16];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (sl_subscriber_open(&options, &subscriber) < 0 || take(subscriber, &frame) < 0) {
        fprintf(stderr, "vm_hold: %s\n", sl_error_text());
        return 1;
    }
    puts("held");
    if (!fgets(line, sizeof line, stdin))
        return 1;
    touch(&frame);
    int err = sl_frame_check(&frame);
    sl_frame_release(&frame);
    if (err != -ENODEV) {
        fprintf(stderr, "vm_hold: the frame counts as whole\n");
        return 1;
    }
    while ((err = take(subscriber, &frame)) == 0)
        sl_frame_release(&frame);
    printf("%s\n", sl_error_text());
    sl_subscriber_close(subscriber);
    return err != -ENODEV;
}
