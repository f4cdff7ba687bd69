/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lidar/driving.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/error.h"

#define ARGS_MAX 24
#define HISTORY  32

int driving_setup(void **state)
{
    struct driving *d = calloc(1, sizeof *d);
    strcpy(d->root, "/tmp/sluice-lidar-XXXXXX");
    assert_non_null(mkdtemp(d->root));
    setenv("SLUICE_ROOT", d->root, 1);
    unsetenv("SLUICE_DOMAIN");
    for (unsigned i = 0; i < 2; i++)
        d->driver[i].fd = d->driver[i].ready_fd = -1;
    *state = d;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

static void close_ends(struct driver *driver)
{
    if (driver->fd >= 0)
        close(driver->fd);
    if (driver->ready_fd >= 0)
        close(driver->ready_fd);
    driver->fd = driver->ready_fd = -1;
}

int driving_teardown(void **state)
{
    struct driving *d = *state;
    for (unsigned i = 0; i < 2; i++) {
        if (d->driver[i].pid > 0) {
            kill(d->driver[i].pid, SIGKILL);
            waitpid(d->driver[i].pid, NULL, 0);
        }
        close_ends(&d->driver[i]);
    }
    nftw(d->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(d);
    return 0;
}

static void become_driver(const char *const *args, int out, int ready)
{
    char number[16];
    const char *argv[ARGS_MAX + 2] = {"lidar"};
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    fcntl(ready, F_SETFD, 0);
    snprintf(number, sizeof number, "%d", ready);
    setenv("SLUICE_READY_FD", number, 1);
    for (int i = 0; args[i] && i < ARGS_MAX; i++)
        argv[1 + i] = args[i];
    execv(LIDAR_PROGRAM, (char **)argv);
    _exit(126);
}

/* `out`: what we read, and its output. */
static void start(struct driver *driver, const char *const *args, const int out[2])
{
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    close_ends(driver);
    driver->used = 0;
    driver->text[0] = '\0';
    driver->pid = fork();
    assert_true(driver->pid >= 0);
    if (driver->pid == 0)
        become_driver(args, out[1], ready[1]);
    close(out[1]);
    close(ready[1]);
    driver->fd = out[0];
    driver->ready_fd = ready[0];
}

void driver_start(struct driver *driver, const char *const *args)
{
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    start(driver, args, out);
}

void driver_start_on_terminal(struct driver *driver, const char *const *args)
{
    int out[2];
    assert_int_equal(openpty(&out[0], &out[1], NULL, NULL, NULL), 0);
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    start(driver, args, out);
}

/* Waits for bytes; 0 at the end. */
static size_t read_some(int fd, char *to, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, DRIVING_PATIENCE_MS) <= 0)
        fail_msg("nothing came for %d s", DRIVING_PATIENCE_MS / 1000);
    ssize_t n = read(fd, to, size);
    return n > 0 ? (size_t)n : 0;
}

static bool read_text(struct driver *driver)
{
    size_t n =
        read_some(driver->fd, driver->text + driver->used, DRIVING_TEXT_MAX - 1 - driver->used);
    driver->used += n;
    driver->text[driver->used] = '\0';
    return n > 0;
}

void driver_wait_ready(struct driver *driver)
{
    char word[16] = "";
    if (read_some(driver->ready_fd, word, sizeof word - 1) != 6) {
        while (read_text(driver))
            continue;
        fail_msg("not ready: %s", driver->text);
    }
    assert_string_equal(word, "ready\n");
}

const char *driver_wait_said(struct driver *driver, const char *text)
{
    const char *at;
    while (!(at = strstr(driver->text, text)) || !strchr(at, '\n'))
        if (!read_text(driver))
            fail_msg("'%s' was not said: %s", text, driver->text);
    return at + strlen(text);
}

int driver_finish(struct driver *driver)
{
    int status;
    while (read_text(driver))
        continue;
    assert_int_equal(waitpid(driver->pid, &status, 0), driver->pid);
    driver->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

void driver_said(const struct driver *driver, const char *text)
{
    if (!strstr(driver->text, text))
        fail_msg("'%s' is not in: %s", text, driver->text);
}

void domain_is_empty(const struct driving *driving)
{
    char path[128];
    snprintf(path, sizeof path, "%s/default", driving->root);
    DIR *folder = opendir(path);
    if (!folder)
        return; /* it was not even made */
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            fail_msg("left in the domain: %s", entry->d_name);
    closedir(folder);
}

struct sl_subscriber *subscribe(const char *topic, enum sl_policy policy)
{
    struct sl_subscriber *subscriber = NULL;
    /* What came between attaching and the end of mapping the pool counts as history. */
    const struct sl_subscriber_options options = {
        .topic = topic, .policy = policy, .history = HISTORY};
    if (sl_subscriber_open(&options, &subscriber) < 0)
        fail_msg("%s", sl_error_text());
    return subscriber;
}

static unsigned publishers_of(struct sl_subscriber *subscriber)
{
    struct sl_subscriber_status status;
    assert_int_equal(sl_subscriber_status(subscriber, &status), 0);
    return status.publishers;
}

/* A subscriber meets a publisher in its own calls. */
void await_publisher(struct sl_subscriber *subscriber)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + DRIVING_PATIENCE_MS * (uint64_t)SL_NS_PER_MS;
    while (publishers_of(subscriber) == 0) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("no publisher came for %d s", DRIVING_PATIENCE_MS / 1000);
        sl_subscriber_wait(subscriber, (int64_t)SL_NS_PER_MS);
    }
}

void first_frame(struct sl_subscriber *subscriber, struct sl_frame *ret_frame)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + DRIVING_PATIENCE_MS * (uint64_t)SL_NS_PER_MS;
    int err;
    while ((err = sl_subscriber_take(subscriber, ret_frame)) == -EAGAIN) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("no frame came for %d s", DRIVING_PATIENCE_MS / 1000);
        sl_subscriber_wait(subscriber, (int64_t)SL_NS_PER_MS);
    }
    if (err < 0)
        fail_msg("%s", sl_error_text());
}

bool next_frame(struct sl_subscriber *subscriber, struct sl_frame *ret_frame)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + DRIVING_PATIENCE_MS * (uint64_t)SL_NS_PER_MS;
    for (;;) {
        bool is_alone = publishers_of(subscriber) == 0;
        int err = sl_subscriber_take(subscriber, ret_frame);
        if (err == 0)
            return true;
        if (err != -EAGAIN)
            fail_msg("%s", sl_error_text());
        if (is_alone)
            return false;
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("no frame came for %d s", DRIVING_PATIENCE_MS / 1000);
        sl_subscriber_wait(subscriber, 20 * (int64_t)SL_NS_PER_MS);
    }
}

static float float_at(const uint8_t *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

struct cloud_point cloud_point(const struct sl_pointcloud2 *cloud, uint32_t row, uint32_t ring)
{
    const uint8_t *p = cloud->data + sl_pointcloud2_offset(cloud, row, ring);
    return (struct cloud_point){float_at(p),      float_at(p + 4),  float_at(p + 8),
                                float_at(p + 12), float_at(p + 18), sl_get_le16(p + 16)};
}

unsigned cloud_returns(const struct sl_pointcloud2 *cloud)
{
    unsigned count = 0;
    for (uint32_t row = 0; row < cloud->height; row++)
        for (uint32_t ring = 0; ring < cloud->width; ring++)
            count += !isnan(cloud_point(cloud, row, ring).x);
    return count;
}

static void check_fields(const struct sl_pointcloud2 *cloud)
{
    static const struct {
        const char *name;
        uint32_t offset;
        uint8_t type;
    } fields[] = {{"x", 0, SL_POINT_FLOAT32},    {"y", 4, SL_POINT_FLOAT32},
                  {"z", 8, SL_POINT_FLOAT32},    {"intensity", 12, SL_POINT_FLOAT32},
                  {"ring", 16, SL_POINT_UINT16}, {"time", 18, SL_POINT_FLOAT32}};
    assert_int_equal(cloud->field_count, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(sl_text_is(cloud->fields[i].name, fields[i].name));
        assert_int_equal(cloud->fields[i].offset, fields[i].offset);
        assert_int_equal(cloud->fields[i].datatype, fields[i].type);
        assert_int_equal(cloud->fields[i].count, 1);
    }
    assert_int_equal(cloud->point_step, 22);
    assert_int_equal(cloud->row_step, cloud->width * 22);
    assert_false(cloud->is_bigendian);
    assert_false(cloud->is_dense);
}

static void check_point(const struct sl_pointcloud2 *cloud, uint32_t row, uint32_t ring,
                        const struct cloud_point *above)
{
    struct cloud_point p = cloud_point(cloud, row, ring);
    assert_int_equal(p.ring, ring);
    assert_true(p.time >= 0 && p.time < 0.25f);
    if (above)
        assert_true(p.time > above->time);
    assert_int_equal(isnan(p.x), isnan(p.y));
    assert_int_equal(isnan(p.x), isnan(p.z));
    if (isnan(p.x))
        assert_true(p.intensity == 0);
    else
        assert_true(p.x * p.x + p.y * p.y + p.z * p.z > 0);
}

void read_cloud(const struct sl_frame *frame, unsigned returns, struct sl_pointcloud2 *ret_cloud)
{
    assert_non_null(frame->body);
    if (sl_pointcloud2_read(frame->body, frame->body_length, ret_cloud) < 0)
        fail_msg("%s", sl_error_text());
    check_fields(ret_cloud);
    assert_true(ret_cloud->width >= 16 && ret_cloud->width <= 128);
    assert_true(ret_cloud->height > 0 && ret_cloud->height % returns == 0);
    assert_int_equal(ret_cloud->data_size, ret_cloud->height * ret_cloud->row_step);
    assert_ptr_equal(ret_cloud->data, frame->data);
    assert_int_equal(frame->data_length, ret_cloud->data_size);
    assert_int_equal((uintptr_t)frame->data % 4096, 0);
    assert_true((uint64_t)ret_cloud->stamp_ns == frame->stamp_ns);
    uint32_t rows = ret_cloud->height / returns;
    for (uint32_t row = 0; row < ret_cloud->height; row++)
        for (uint32_t ring = 0; ring < ret_cloud->width; ring++) {
            struct cloud_point above = {0};
            if (row % rows > 0)
                above = cloud_point(ret_cloud, row - 1, ring);
            check_point(ret_cloud, row, ring, row % rows > 0 ? &above : NULL);
        }
}
