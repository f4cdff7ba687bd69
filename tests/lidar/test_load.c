/* SPDX-License-Identifier: Apache-2.0 */
/* test_load.c - many sensors at once, at their real rates, over a cable: nothing may be lost.
 *
 *      test_lidar_load [--seconds S] [--source KIND]      (10 s; udp)
 *
 * Real driver processes in one network namespace, the sensors (load_sender.c) in another. A machine
 * that is too slow to send in time is told by the sender's own numbers, and the test then fails for
 * that reason and not for lost packets: there are none, whatever the rate.
 */
#include "tests/lidar/driving.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tests/lidar/load_packets.h"
#include "tests/lidar/veth.h"

#define SENSORS_MAX  16
#define FIRST_PORT   2370
#define TEXT_MAX     4096
#define TURN_S       0.1
#define CHILDREN_MAX 8
#define QUIET_MS     500 /* the last turn has been published by then */
#define BUSY         2   /* processes */
#define HOLD_MS      700 /* how long the slow consumer keeps each frame */
#define KILLS        3   /* in a run */
#define LATE_SHARE   1.1 /* a sender that took longer than this times its time is too slow */
#define MISSED_SHARE 0.1
#define CONSUME      "--consume"

/* What is sent: 1280, 36,000 and four times 754 packets a second. */
static const struct {
    const char *sensor; /* of load_packets.h, and of --model but for the Ouster */
    unsigned count;
} fleet[] = {
    {"os128", 1},
    {"ot128", 1},
    {"vlp-16", 4},
};

struct sensor {
    const struct load_sensor *model;
    char name[24], topic[40], argument[48]; /* of the driver, its points, for the sender */
    struct driver driver;
    uint64_t sent;
    unsigned frames, partial, missed; /* seen, and by us not: on a machine that does other things */
};

static struct veth veth;
static struct sensor sensors[SENSORS_MAX];
static unsigned sensor_count;
static double seconds = 10;
static const char *source_option = "--source=udp";
static pid_t children[CHILDREN_MAX]; /* that a test which fails leaves running */
static char metadata_path[96], metadata_option[128];

/* ---- the consumers: this program once more ---- */

/* Take of every sensor, and let go `hold_ms` later. For ever; whoever started us ends us. */
static _Noreturn void consume(int hold_ms, char **topics, unsigned count)
{
    struct sl_subscriber *subscriber[SENSORS_MAX];
    for (unsigned i = 0; i < count; i++)
        subscriber[i] = subscribe(topics[i], SL_KEEP_LAST);
    for (;;) {
        struct sl_frame held[SENSORS_MAX];
        unsigned holds = 0;
        (void)sl_wait(subscriber, count, -1);
        for (unsigned i = 0; i < count; i++)
            holds += sl_subscriber_take(subscriber[i], &held[holds]) == 0;
        usleep((useconds_t)hold_ms * 1000);
        while (holds > 0)
            sl_frame_release(&held[--holds]);
    }
}

/* fork(), and remember it; the child ends with us. */
static pid_t start_child(void)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == 0) {
            pid_t pid = fork();
            assert_true(pid >= 0);
            if (pid == 0)
                prctl(PR_SET_PDEATHSIG, SIGKILL);
            return children[i] = pid;
        }
    fail_msg("more than %d children", CHILDREN_MAX);
    return 0;
}

/* Wait for its end: the status as waitpid() has it. */
static int reap(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == pid)
            children[i] = 0;
    return status;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    reap(pid);
}

static pid_t start_consumer(int hold_ms)
{
    char number[16], *argv[SENSORS_MAX + 4] = {"consumer", CONSUME, number};
    snprintf(number, sizeof number, "%d", hold_ms);
    for (unsigned i = 0; i < sensor_count; i++)
        argv[3 + i] = sensors[i].topic;
    pid_t pid = start_child();
    if (pid == 0) {
        execv("/proc/self/exe", argv);
        _exit(126);
    }
    return pid;
}

static pid_t start_busy(void)
{
    pid_t pid = start_child();
    for (unsigned long n = 0; pid == 0; n++)
        __asm__ volatile("" ::"r"(n));
    return pid;
}

/* ---- drivers ---- */

static void add_sensor(const char *name, unsigned number)
{
    struct sensor *s = &sensors[sensor_count];
    char topic[sizeof s->topic];
    memset(s, 0, sizeof *s);
    s->driver.fd = s->driver.ready_fd = -1;
    s->model = load_sensor_find(name);
    snprintf(topic, sizeof topic, "/%s_%u/points", name, number);
    for (char *c = topic; *c; c++)
        if (*c == '-')
            *c = '_';
    memcpy(s->topic, topic, sizeof topic);
    snprintf(s->name, sizeof s->name, "%.*s", (int)strcspn(topic + 1, "/"), topic + 1);
    snprintf(s->argument, sizeof s->argument, "%s:%u", name, FIRST_PORT + sensor_count);
    sensor_count++;
}

static void start_driver(struct sensor *s)
{
    char name[40], port[24], model[48];
    snprintf(name, sizeof name, "--name=%s", s->name);
    snprintf(port, sizeof port, "--port=%s", strchr(s->argument, ':') + 1);
    snprintf(model, sizeof model, "--model=%s", s->model->name);
    bool is_ouster = strcmp(s->model->name, "os128") == 0;
    DRIVE(&s->driver, name, port, is_ouster ? metadata_option : model, "--telemetry-port=0",
          source_option, "--interface=" VETH_HOST_INTERFACE, "--imu=false", "--subscribers=3",
          "--quota=2");
}

static void start_drivers(const struct driving *d)
{
    snprintf(metadata_path, sizeof metadata_path, "%s/metadata.json", d->root);
    snprintf(metadata_option, sizeof metadata_option, "--metadata=%s", metadata_path);
    assert_int_equal(load_ouster_metadata(metadata_path), 0);
    sensor_count = 0;
    for (unsigned i = 0; i < sizeof fleet / sizeof *fleet; i++)
        for (unsigned k = 0; k < fleet[i].count; k++)
            add_sensor(fleet[i].sensor, k);
    for (unsigned i = 0; i < sensor_count; i++)
        start_driver(&sensors[i]);
    for (unsigned i = 0; i < sensor_count; i++)
        driver_wait_ready(&sensors[i].driver);
}

/* ---- the sender ---- */

struct sending {
    pid_t pid;
    int fd;
    char text[TEXT_MAX];
    size_t used;
    double late_max_ms, elapsed_s;
};

static void start_sender(struct sending *sending)
{
    int out[2];
    char duration[32], *argv[SENSORS_MAX + 4] = {"sender", VETH_HOST, duration};
    memset(sending, 0, sizeof *sending);
    snprintf(duration, sizeof duration, "%g", seconds);
    for (unsigned i = 0; i < sensor_count; i++)
        argv[3 + i] = sensors[i].argument;
    assert_int_equal(pipe(out), 0);
    veth_enter_sensors(&veth);
    sending->pid = start_child();
    if (sending->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execv(LOAD_SENDER, argv);
        _exit(126);
    }
    veth_leave(&veth);
    close(out[1]);
    sending->fd = out[0];
}

/* Has it ended? */
static bool read_sender(struct sending *sending)
{
    struct pollfd ready = {.fd = sending->fd, .events = POLLIN};
    if (poll(&ready, 1, 0) <= 0)
        return false;
    ssize_t n = read(sending->fd, sending->text + sending->used, TEXT_MAX - 1 - sending->used);
    sending->used += n > 0 ? (size_t)n : 0;
    sending->text[sending->used] = '\0';
    return n <= 0;
}

static void finish_sender(struct sending *sending)
{
    int status = reap(sending->pid);
    close(sending->fd);
    if (status != 0)
        fail_msg("the sender ended with %d: %s", status, sending->text);
    for (unsigned i = 0; i < sensor_count; i++) {
        const char *line = strstr(sending->text, sensors[i].argument);
        assert_non_null(line);
        assert_int_equal(sscanf(line, "%*s sent %lu", &sensors[i].sent), 1);
    }
    const char *late = strstr(sending->text, "late: ");
    assert_non_null(late);
    assert_int_equal(sscanf(late, "late: p50 %*f ms, p99 %*f ms, max %lf ms; %lf s",
                            &sending->late_max_ms, &sending->elapsed_s),
                     2);
    printf("%s", late);
}

/* ---- what arrives ---- */

static void check_frame(struct sensor *s, const struct sl_frame *frame)
{
    struct sl_pointcloud2 cloud;
    s->missed += (unsigned)frame->lost_before;
    assert_int_equal(sl_pointcloud2_read(frame->body, frame->body_length, &cloud), 0);
    assert_int_equal(cloud.width, s->model->rays);
    bool is_partial = frame->flags & SL_MESSAGE_PARTIAL;
    if (s->model->rows && !is_partial)
        assert_int_equal(cloud.height, s->model->rows);
    s->frames++;
    s->partial += is_partial;
}

static void take_all(struct sl_subscriber *const *subscriber)
{
    struct sl_frame frame;
    for (unsigned i = 0; i < sensor_count; i++)
        while (sl_subscriber_take(subscriber[i], &frame) == 0) {
            check_frame(&sensors[i], &frame);
            sl_frame_release(&frame);
        }
}

/* Until the sender has ended and nothing comes any more. */
static void receive_all(struct sending *sending, struct sl_subscriber *const *subscriber,
                        bool kills)
{
    uint64_t begin_ns = sl_clock_monotonic_ns();
    uint64_t step_ns = (uint64_t)(seconds * 1e9) / (KILLS + 1);
    pid_t victim = kills ? start_consumer(HOLD_MS) : 0;
    unsigned killed = 0;
    bool is_over = false;
    while (!is_over || sl_wait(subscriber, sensor_count, QUIET_MS * (int64_t)SL_NS_PER_MS) >= 0) {
        if (!is_over)
            (void)sl_wait(subscriber, sensor_count, 50 * (int64_t)SL_NS_PER_MS);
        take_all(subscriber);
        is_over = is_over || read_sender(sending);
        if (kills && killed < KILLS &&
            sl_clock_monotonic_ns() - begin_ns > (killed + 1) * step_ns) {
            end_child(victim);
            victim = start_consumer(HOLD_MS);
            killed++;
        }
    }
    if (kills)
        end_child(victim);
    assert_int_equal(killed, kills ? KILLS : 0);
}

/* ---- the verdict ---- */

static void check_driver(struct sensor *s)
{
    unsigned long frames, partial, returns, packets;
    kill(s->driver.pid, SIGTERM);
    assert_int_equal(driver_finish(&s->driver), 0);
    const char *said = strstr(s->driver.text, " frames (");
    if (!said)
        fail_msg("%s said no summary: %s", s->name, s->driver.text);
    while (said > s->driver.text && said[-1] != ' ')
        said--;
    if (sscanf(said, "%lu frames (%lu partial), %*u points, %lu of them returns, from %lu data",
               &frames, &partial, &returns, &packets) != 4)
        fail_msg("%s: %s", s->name, said);
    printf("%s: %lu packets of %lu, %lu frames (%lu partial)\n", s->name, packets, s->sent, frames,
           partial);
    if (packets != s->sent || !strstr(said, "lost: nothing"))
        fail_msg("%s lost packets: %s", s->name, said);
    assert_int_equal(s->frames + s->missed, frames);
    assert_true(s->missed ? s->partial <= partial : s->partial == partial);
    assert_true(s->missed <= frames * MISSED_SHARE);
    if (s->model->returns)
        assert_int_equal(returns, s->sent * s->model->returns);
    double turns = (double)s->sent * (double)s->model->period_ns / 1e9 / TURN_S;
    if (s->model->turn_packets) /* every turn begins and ends with a packet */
        assert_true(partial == 0 && frames == s->sent / s->model->turn_packets);
    else /* at most where it began and where it ended */
        assert_true(partial <= 2 && frames - partial >= (unsigned)turns - 1);
}

/* How many datagrams this namespace's kernel put together out of fragments. */
static unsigned long reassembled(void)
{
    char keys[2048], values[2048];
    unsigned long result = 0;
    FILE *file = fopen("/proc/thread-self/net/snmp", "r");
    assert_non_null(file);
    assert_non_null(fgets(keys, sizeof keys, file));
    assert_non_null(fgets(values, sizeof values, file));
    fclose(file);
    char *key_rest, *value_rest, *key = strtok_r(keys, " ", &key_rest);
    char *value = strtok_r(values, " ", &value_rest);
    for (; key && value;
         key = strtok_r(NULL, " ", &key_rest), value = strtok_r(NULL, " ", &value_rest))
        if (strcmp(key, "ReasmOKs") == 0)
            result = strtoul(value, NULL, 10);
    return result;
}

static void run(const struct driving *d, bool is_busy, bool has_consumers)
{
    struct sl_subscriber *subscriber[SENSORS_MAX];
    static struct sending sending;
    pid_t busy[BUSY];
    unsigned long whole = reassembled();
    start_drivers(d);
    for (unsigned i = 0; i < sensor_count; i++) {
        subscriber[i] = subscribe(sensors[i].topic, SL_KEEP_LAST);
        await_publisher(subscriber[i]);
    }
    for (unsigned i = 0; is_busy && i < BUSY; i++)
        busy[i] = start_busy();
    pid_t slow = has_consumers ? start_consumer(HOLD_MS) : 0;
    start_sender(&sending);
    receive_all(&sending, subscriber, has_consumers);
    finish_sender(&sending);
    for (unsigned i = 0; is_busy && i < BUSY; i++)
        end_child(busy[i]);
    if (slow)
        end_child(slow);
    for (unsigned i = 0; i < sensor_count; i++)
        sl_subscriber_close(subscriber[i]);
    for (unsigned i = 0; i < sensor_count; i++)
        check_driver(&sensors[i]);
    if (reassembled() - whole < sensors[0].sent)
        fail_msg("the Ouster's packets did not come in fragments");
    if (sending.elapsed_s > seconds * LATE_SHARE)
        fail_msg("this machine is too slow to send: %g s of packets took it %g s", seconds,
                 sending.elapsed_s);
    if (!has_consumers) /* what is killed leaves its name behind */
        domain_is_empty(d);
}

/* One port, two sensors, two drivers: each takes its own. */
static void sensors_at_one_port_are_told_apart_by_their_address(void **state)
{
    struct driving *d = *state;
    unsigned long sent[2], packets;
    struct sl_subscriber *points[2];
    struct sl_frame frame;
    static const char *const senders[] = {"--sender=" VETH_SENSOR, "--sender=10.77.0.3"};
    for (unsigned i = 0; i < 2; i++) {
        DRIVE(&d->driver[i], "--source=packet", "--interface=" VETH_HOST_INTERFACE,
              "--model=vlp-16", "--telemetry-port=0", senders[i], i ? "--name=b" : "--name=a");
        driver_wait_ready(&d->driver[i]);
        points[i] = subscribe(i ? "/b/points" : "/a/points", SL_KEEP_LAST);
    }
    veth_enter_sensors(&veth);
    FILE *sender = popen(LOAD_SENDER " " VETH_HOST " 1 vlp-16:2368@" VETH_SENSOR
                                     " vlp-16:2368@10.77.0.3 vlp-16:2368@10.77.0.4",
                         "re");
    veth_leave(&veth);
    assert_non_null(sender);
    assert_int_equal(fscanf(sender, "%*s sent %lu %*s sent %lu", &sent[0], &sent[1]), 2);
    assert_int_equal(pclose(sender), 0);
    while (sl_wait(points, 2, QUIET_MS * (int64_t)SL_NS_PER_MS) >= 0)
        for (unsigned i = 0; i < 2; i++)
            while (sl_subscriber_take(points[i], &frame) == 0)
                sl_frame_release(&frame);
    for (unsigned i = 0; i < 2; i++) {
        sl_subscriber_close(points[i]);
        kill(d->driver[i].pid, SIGTERM);
        assert_int_equal(driver_finish(&d->driver[i]), 0);
        driver_said(&d->driver[i], "lost: nothing");
        const char *from = strstr(d->driver[i].text, "returns, from ");
        assert_non_null(from);
        assert_int_equal(sscanf(from, "returns, from %lu data", &packets), 1);
        assert_int_equal(packets, sent[i]);
    }
    domain_is_empty(d);
}

static void nothing_is_lost(void **state)
{
    run(*state, false, false);
}

static void nothing_is_lost_beside_two_busy_processes(void **state)
{
    run(*state, true, false);
}

static void nothing_is_lost_with_a_slow_consumer_and_one_that_is_killed(void **state)
{
    run(*state, false, true);
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (children[i] > 0)
            end_child(children[i]);
    for (unsigned i = 0; i < sensor_count; i++)
        if (sensors[i].driver.pid > 0) {
            kill(sensors[i].driver.pid, SIGKILL);
            waitpid(sensors[i].driver.pid, NULL, 0);
            sensors[i].driver.pid = 0;
        }
    if (metadata_path[0])
        unlink(metadata_path);
    return driving_teardown(state);
}

int main(int argc, char **argv)
{
    char reason[256];
    if (argc > 3 && strcmp(argv[1], CONSUME) == 0)
        consume(atoi(argv[2]), argv + 3, (unsigned)argc - 3);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            seconds = strtod(argv[i + 1], NULL);
        if (strcmp(argv[i], "--source") == 0) {
            static char option[64];
            snprintf(option, sizeof option, "--source=%s", argv[i + 1]);
            source_option = option;
        }
    }
    if (veth_open(&veth, reason, sizeof reason) < 0) {
        printf("SKIP: %s\n", reason);
        return 77;
    }
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, teardown)
        TEST(sensors_at_one_port_are_told_apart_by_their_address),
        TEST(nothing_is_lost),
        TEST(nothing_is_lost_beside_two_busy_processes),
        TEST(nothing_is_lost_with_a_slow_consumer_and_one_that_is_killed),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    veth_close(&veth);
    return failed;
}
