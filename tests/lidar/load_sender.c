/* SPDX-License-Identifier: Apache-2.0 */
/* load_sender.c - sensors on the network: each packet at its time, many sensors at once.
 *
 *      lidar_load_sender ADDRESS SECONDS MODEL:PORT[@SOURCE] ...
 *
 * MODEL is one of load_packets.h's, SOURCE an address of this machine's to send from; IPv4. Packets
 * that are due leave together, every TICK_NS, by one system call: no packet is late by more, unless
 * the machine is. At the end it prints a line for each sensor and one of how late it was:
 *
 *      ot128:2370 sent 360000
 *      late: p50 0.151 ms, p99 0.402 ms, max 1.930 ms; 10.001 s
 *
 * It takes a real-time priority where it may have one: what it stands for is no program that
 * competes for the machine's processors.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/histogram.h"
#include "tests/lidar/load_packets.h"

#define SENSORS_MAX 32
#define BATCH       64
#define TICK_NS     250000
#define SEND_BYTES  (8 << 20) /* of the socket's buffer */
#define MODEL_MAX   32
#define LEAD_NS     (20 * SL_NS_PER_MS) /* from the preparations to the first packet */

struct sensor {
    const struct load_sensor *model;
    struct sockaddr_in to;
    int fd;
    uint64_t count; /* to send */
    uint64_t next;
};

static struct sensor sensors[SENSORS_MAX];
static unsigned sensor_count;
static uint64_t begin_ns;
static struct sl_histogram late;

static struct {
    int fd;
    unsigned count;
    uint64_t due_ns[BATCH];
    struct mmsghdr message[BATCH];
    struct iovec range[BATCH];
    uint8_t bytes[BATCH][LOAD_PACKET_MAX];
} batch;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void flush(void)
{
    for (unsigned sent = 0; sent < batch.count;) {
        int n = sendmmsg(batch.fd, batch.message + sent, batch.count - sent, 0);
        if (n > 0)
            sent += (unsigned)n;
        else if (errno != EINTR && errno != ECONNREFUSED)
            die("sendmmsg");
    }
    uint64_t now_ns = sl_clock_monotonic_ns();
    for (unsigned i = 0; i < batch.count; i++)
        sl_histogram_add(&late, now_ns - batch.due_ns[i]);
    batch.count = 0;
}

static uint64_t due_ns(const struct sensor *sensor)
{
    return sensor->next < sensor->count ? begin_ns + sensor->next * sensor->model->period_ns
                                        : UINT64_MAX;
}

static void add(struct sensor *sensor)
{
    if (batch.fd != sensor->fd)
        flush();
    batch.fd = sensor->fd;
    unsigned i = batch.count++;
    batch.due_ns[i] = due_ns(sensor);
    sensor->model->make(sensor->model, sensor->next++, batch.bytes[i]);
    batch.range[i] = (struct iovec){batch.bytes[i], sensor->model->packet_bytes};
    batch.message[i].msg_hdr = (struct msghdr){.msg_name = &sensor->to,
                                               .msg_namelen = sizeof sensor->to,
                                               .msg_iov = &batch.range[i],
                                               .msg_iovlen = 1};
    if (batch.count == BATCH)
        flush();
}

/* Send what is due at `now_ns`, the sensors by turns, one that is behind too. False at the end. */
static bool send_due(uint64_t now_ns)
{
    bool any_left = false;
    for (bool any_due = true; any_due;) {
        any_due = false;
        for (struct sensor *s = sensors; s < sensors + sensor_count; s++)
            if (due_ns(s) <= now_ns) {
                add(s);
                any_due = true;
            }
    }
    flush();
    for (unsigned i = 0; i < sensor_count; i++)
        any_left |= sensors[i].next < sensors[i].count;
    return any_left;
}

static void sleep_until(uint64_t at_ns)
{
    const struct timespec at = {.tv_sec = (time_t)(at_ns / SL_NS_PER_S),
                                .tv_nsec = (long)(at_ns % SL_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void send_all(void)
{
    begin_ns = sl_clock_monotonic_ns() + LEAD_NS;
    uint64_t tick_ns = begin_ns;
    do {
        uint64_t now_ns = sl_clock_monotonic_ns();
        tick_ns = tick_ns + TICK_NS > now_ns ? tick_ns + TICK_NS : now_ns;
        sleep_until(tick_ns);
    } while (send_due(sl_clock_monotonic_ns()));
}

/* One for all that send from any address. */
static int open_socket(const char *source)
{
    static int shared_fd = -1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    int bytes = SEND_BYTES;
    if (!source && shared_fd >= 0)
        return shared_fd;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (source && (inet_pton(AF_INET, source, &from.sin_addr) != 1 ||
                   bind(fd, (struct sockaddr *)&from, sizeof from) < 0))
        die(source);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (!source)
        shared_fd = fd;
    return fd;
}

static void add_sensor(const char *text, const char *address, double seconds)
{
    char name[MODEL_MAX] = "";
    unsigned port = 0;
    const char *source = strchr(text, '@');
    struct sensor *s = &sensors[sensor_count++];
    const struct load_sensor *model =
        sscanf(text, "%31[^:]:%u", name, &port) == 2 ? load_sensor_find(name) : NULL;
    if (!model || port == 0 || port > UINT16_MAX || sensor_count == SENSORS_MAX) {
        fprintf(stderr, "sender: %s is no MODEL:PORT\n", text);
        exit(2);
    }
    *s = (struct sensor){.model = model,
                         .to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)},
                         .count = (uint64_t)(seconds * 1e9) / model->period_ns};
    s->fd = open_socket(source ? source + 1 : NULL);
    if (model->turn_packets)
        s->count -= s->count % model->turn_packets;
    if (inet_pton(AF_INET, address, &s->to.sin_addr) != 1) {
        fprintf(stderr, "sender: %s is no IPv4 address\n", address);
        exit(2);
    }
}

/* Each model once. */
static void prepare(void)
{
    for (unsigned i = 0; i < sensor_count; i++) {
        bool is_done = false;
        for (unsigned k = 0; k < i; k++)
            is_done |= sensors[k].model == sensors[i].model;
        if (!is_done && sensors[i].model->prepare &&
            sensors[i].model->prepare(sensors[i].count) < 0)
            die("packets");
    }
}

static void become_quick(void)
{
    (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    (void)prctl(PR_SET_TIMERSLACK, 1);
}

int main(int argc, char **argv)
{
    double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;
    if (!(seconds > 0)) {
        fprintf(stderr, "usage: %s ADDRESS SECONDS MODEL:PORT ...\n", argv[0]);
        return 2;
    }
    for (int i = 3; i < argc; i++)
        add_sensor(argv[i], argv[1], seconds);
    prepare();
    become_quick();
    send_all();
    for (unsigned i = 0; i < sensor_count; i++)
        printf("%s sent %" PRIu64 "\n", argv[3 + i], sensors[i].next);
    printf("late: p50 %.3f ms, p99 %.3f ms, max %.3f ms; %.3f s\n",
           (double)sl_histogram_quantile_ns(&late, 0.5) / 1e6,
           (double)sl_histogram_quantile_ns(&late, 0.99) / 1e6,
           (double)sl_histogram_quantile_ns(&late, 1) / 1e6,
           (double)(sl_clock_monotonic_ns() - begin_ns) / 1e9);
    return 0;
}
