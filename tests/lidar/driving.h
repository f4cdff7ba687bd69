/* SPDX-License-Identifier: Apache-2.0 */
/* driving.h - the real program `lidar` as a child, and a subscriber that reads what it publishes.
 *
 * Life:    driving_setup and driving_teardown are cmocka's fixtures: each test has a domain of its
 *          own below a fresh $SLUICE_ROOT.
 * Owner:   the fixture; what still runs at a test's end is killed.
 * Threads: one.
 * Errors:  fail the test.
 */
#ifndef SL_TESTS_LIDAR_DRIVING_H
#define SL_TESTS_LIDAR_DRIVING_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdbool.h>
#include <sys/types.h>

#include "core/frame/pointcloud2.h"
#include "core/shm/sluice.h"
#include "tests/emulated.h"

#define DRIVING_PATIENCE_MS 60000
#define DRIVING_TEXT_MAX    65536
#define POINTS_TOPIC        "/lidar/points"
#define PACKETS_TOPIC       "/lidar/packets"

struct driver {
    pid_t pid;
    int fd;       /* what it says on standard output and error */
    int ready_fd; /* what it tells the launcher */
    char text[DRIVING_TEXT_MAX];
    size_t used;
};

struct driving {
    char root[64];
    struct driver driver[2];
};

int driving_setup(void **state);
int driving_teardown(void **state);

/* Start it with these arguments, ended by NULL. */
void driver_start(struct driver *driver, const char *const *args);
/* The same with a terminal as its output. */
void driver_start_on_terminal(struct driver *driver, const char *const *args);
#define DRIVE(driver, ...) driver_start(driver, (const char *const[]){__VA_ARGS__, NULL})
void driver_wait_ready(struct driver *driver);
/* Read until it has said this; gives the text from there on. */
const char *driver_wait_said(struct driver *driver, const char *text);
/* Wait for its end: the exit status, or 256 + the signal. */
int driver_finish(struct driver *driver);
void driver_said(const struct driver *driver, const char *text);

/* No file is left in the domain. */
void domain_is_empty(const struct driving *driving);

struct sl_subscriber *subscribe(const char *topic, enum sl_policy policy);
/* The next frame; false when `publishers` that were seen are all gone. */
bool next_frame(struct sl_subscriber *subscriber, struct sl_frame *ret_frame);
void await_publisher(struct sl_subscriber *subscriber);
/* The first frame, also of a publisher that has sent all of its own and is gone when it is met. */
void first_frame(struct sl_subscriber *subscriber, struct sl_frame *ret_frame);

/* A frame of the driver's, checked in every respect that does not depend on the scene. */
void read_cloud(const struct sl_frame *frame, unsigned returns, struct sl_pointcloud2 *ret_cloud);

struct cloud_point {
    float x, y, z, intensity, time;
    uint16_t ring;
};
struct cloud_point cloud_point(const struct sl_pointcloud2 *cloud, uint32_t row, uint32_t ring);
unsigned cloud_returns(const struct sl_pointcloud2 *cloud); /* points that are no holes */

#endif
