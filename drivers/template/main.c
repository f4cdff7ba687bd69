/* SPDX-License-Identifier: Apache-2.0 */
/* A minimal publisher: a grey picture ten times a second. Copy it and begin your driver. */
#include <sluice.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

int main(int argc, char **argv)
{
    const struct sl_publisher_options options = {
        .topic = argc > 1 ? argv[1] : "/template",
        .type = "example/msg/Bytes", /* any name; the bytes are yours */
        .slot_size = 64 * 1024,
    };
    struct sl_publisher *publisher;
    if (sl_publisher_open(&options, &publisher) < 0) {
        fprintf(stderr, "template: %s\n", sl_error_text());
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    struct timespec period = {.tv_nsec = 100 * 1000 * 1000};
    for (int shade = 0; !stop; shade++, nanosleep(&period, NULL)) {
        struct sl_loan loan;
        if (sl_publisher_loan(publisher, &loan) < 0) {
            fprintf(stderr, "template: %s\n", sl_error_text()); /* every slot is held: drop one */
            continue;
        }
        memset(loan.data, shade, 64 * 1024); /* here your sensor writes, once */
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        const struct sl_message message = {
            .stamp_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
            .clock = SL_CLOCK_HOST,
            .body_length = 64 * 1024,
        };
        if (sl_publisher_publish(publisher, &loan, &message) < 0)
            fprintf(stderr, "template: %s\n", sl_error_text());
    }
    sl_publisher_close(publisher);
    return 0;
}
