/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver_live.c - the real program at a socket, the simulated sensor at the other end. */
#include "tests/lidar/driving.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/send.h"

#define TURNS 20

struct sender {
    pthread_t thread;
    char to[32];
    struct lidar_sim_send_config config;
    struct lidar_sim_send_result result;
    int error;
};

static void *send_all(void *context)
{
    struct sender *sender = context;
    sender->error = lidar_sim_send(&sender->config, &sender->result);
    return NULL;
}

/* Start the driver at a free port and a sensor of 20 turns a second that sends there. */
static void begin(struct driver *driver, struct sender *sender, enum lidar_sim_return returns)
{
    DRIVE(driver, "--port=0", "--telemetry-port=0", "--bind=127.0.0.1", "--cut-angle=90");
    driver_wait_ready(driver);
    long port = strtol(driver_wait_said(driver, "listening at 127.0.0.1 port "), NULL, 10);
    memset(sender, 0, sizeof *sender);
    snprintf(sender->to, sizeof sender->to, "127.0.0.1:%ld", port);
    sender->config.to = sender->to;
    sender->config.rate = 1;
    sender->config.duration_ns = TURNS * SL_NS_PER_S / 20;
    lidar_sim_config_default(&sender->config.sim);
    sender->config.sim.return_mode = returns;
    sender->config.sim.rotation_hz = 20;
    sender->config.sim.start_azimuth_deg = 90;
    sender->config.sim.telemetry_every = 0;
}

/* The next frame. Silence ends a turn, the last one and any in which the sender was kept waiting:
 * after a partial one there may be no other once the sender has ended. */
static bool another(struct sl_subscriber *points, struct sender *sender, bool was_partial,
                    struct sl_frame *ret_frame)
{
    if (!was_partial)
        return next_frame(points, ret_frame);
    uint64_t ended_ns = 0;
    while (ended_ns == 0 || sl_clock_monotonic_ns() < ended_ns + SL_NS_PER_S) {
        int err = sl_subscriber_take(points, ret_frame);
        if (err == 0)
            return true;
        assert_int_equal(err, -EAGAIN);
        if (ended_ns == 0 && pthread_tryjoin_np(sender->thread, NULL) == 0)
            ended_ns = sl_clock_monotonic_ns();
        sl_subscriber_wait(points, 20 * (int64_t)SL_NS_PER_MS);
    }
    return false;
}

static void live_packets_become_turns_and_the_last_one_is_not_kept_for_ever(void **state)
{
    struct driving *d = *state;
    struct driver *driver = &d->driver[0];
    static const struct {
        enum lidar_sim_return mode;
        unsigned count;
    } returns[] = {{LIDAR_SIM_STRONGEST, 1}, {LIDAR_SIM_DUAL, 2}};
    for (unsigned i = 0; i < 2; i++) {
        struct sender sender;
        struct sl_pointcloud2 cloud;
        struct sl_frame frame;
        begin(driver, &sender, returns[i].mode);
        struct sl_subscriber *points = subscribe(POINTS_TOPIC, SL_KEEP_LAST);
        await_publisher(points);
        uint64_t before_ns = sl_clock_realtime_ns();
        assert_int_equal(pthread_create(&sender.thread, NULL, send_all, &sender), 0);
        unsigned count = 0;
        unsigned partial = 0;
        for (bool is_partial = false; another(points, &sender, is_partial, &frame);) {
            read_cloud(&frame, returns[i].count, &cloud);
            /* without GPS a stamp is put on the host's clock */
            assert_int_equal(frame.clock, SL_CLOCK_ANCHORED);
            assert_in_range(frame.stamp_ns, before_ns - SL_NS_PER_S, sl_clock_realtime_ns());
            is_partial = frame.flags & SL_MESSAGE_PARTIAL;
            partial += is_partial;
            count++;
            sl_frame_release(&frame);
        }
        assert_int_equal(sender.error, 0);
        assert_in_range(count, TURNS, TURNS + partial);
        sl_subscriber_close(points);
        kill(driver->pid, SIGTERM);
        assert_int_equal(driver_finish(driver), 0);
        driver_said(driver, "lost: nothing");
        driver_said(driver, "from a turn's last packet to its publishing");
        driver_said(driver, "arrivals were stamped by the kernel");
        domain_is_empty(d);
    }
}

static void two_drivers_at_one_port_cannot_be(void **state)
{
    struct driving *d = *state;
    char option[32];
    DRIVE(&d->driver[0], "--port=0", "--telemetry-port=0", "--bind=127.0.0.1");
    driver_wait_ready(&d->driver[0]);
    long port = strtol(driver_wait_said(&d->driver[0], "listening at 127.0.0.1 port "), NULL, 10);
    snprintf(option, sizeof option, "--port=%ld", port);
    DRIVE(&d->driver[1], option, "--telemetry-port=0", "--bind=127.0.0.1");
    assert_int_equal(driver_finish(&d->driver[1]), 1);
    driver_said(&d->driver[1], "in use");
    kill(d->driver[0].pid, SIGINT);
    assert_int_equal(driver_finish(&d->driver[0]), 0);
    domain_is_empty(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, driving_setup, driving_teardown)
        TEST(live_packets_become_turns_and_the_last_one_is_not_kept_for_ever),
        TEST(two_drivers_at_one_port_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
