/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c - sluice snapshot over real publishers: the file, its pixels, and what is left
 * when the disk is full. */
#include "tests/tools/harness.h"
#include "tests/tools/picture.h"

#include "tools/png.h"

#include "core/base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned entries_in(const char *folder)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static void cloud_becomes_a_picture_with_its_wall(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    const char *file = harness_path("wall.png");
    struct run r =
        run("sluice", "snapshot", "/points", file, "--range", "6", "--size", "400", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "247 points of /points, coloured by intensity, up to 6 m");
    run_free(&r);
    struct picture picture = picture_read(file);
    assert_int_equal(picture.width, 400);
    assert_int_equal(picture.height, 400);
    /* 12 m on 400 pixels, x up, y to the left: 4 m ahead and 2 m to the right; 4.4 m behind */
    const uint8_t *wall = picture_pixel(&picture, 266, 66);
    const uint8_t *floor = picture_pixel(&picture, 273, 346);
    assert_true(wall[1] > 100); /* green to yellow: the bright end of the wall */
    assert_true(floor[0] < 40 && floor[1] < 40 && floor[2] < 50);
    picture_free(&picture);
}

static void gathered_cloud_is_drawn_too(void **state)
{
    (void)state;
    publisher("gathered", "/points");
    const char *file = harness_path("wall.png");
    struct run r = run("sluice", "snapshot", "/points", file, "-c", "height", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "247 points of /points, coloured by height");
    run_free(&r);
}

static void image_is_stored_as_it_is(void **state)
{
    (void)state;
    publisher("image", "/image");
    const char *file = harness_path("image.png");
    struct run r = run("sluice", "snapshot", "/image", file, NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "4 x 3 of /image, bgr8");
    run_free(&r);
    struct picture picture = picture_read(file);
    assert_int_equal(picture.width, 4);
    assert_int_equal(picture.height, 3);
    static const uint8_t columns[4][3] = {{0, 0, 255}, {0, 255, 0}, {255, 0, 0}, {255, 255, 255}};
    for (unsigned y = 0; y < 3; y++)
        for (unsigned x = 0; x < 4; x++)
            assert_memory_equal(picture_pixel(&picture, x, y), columns[x], 3);
    picture_free(&picture);
}

static void other_types_are_refused_by_name(void **state)
{
    (void)state;
    publisher("bytes", "/bytes");
    struct run r = run("sluice", "snapshot", "/bytes", harness_path("x.png"), NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "/bytes is a topic of example/msg/Bytes");
    run_free(&r);
    assert_int_equal(access(harness_path("x.png"), F_OK), -1);
}

static void broken_cloud_makes_no_file(void **state)
{
    (void)state;
    publisher("bad", "/points");
    struct run r = run("sluice", "snapshot", "/points", harness_path("x.png"), NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "sensor_msgs/msg/PointCloud2");
    run_free(&r);
    assert_int_equal(access(harness_path("x.png"), F_OK), -1);
}

static void missing_topic_ends_by_its_timeout(void **state)
{
    (void)state;
    struct run r =
        run("sluice", "snapshot", "/nothing", harness_path("x.png"), "--timeout", "100ms", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "nobody publishes /nothing");
    run_free(&r);
}

static void folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    publisher("image", "/image");
    struct run r = run("sluice", "snapshot", "/image", "/nowhere/at/all.png", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "/nowhere/at/all.png: No such file or directory");
    run_free(&r);
}

/* In a child with mounts of its own: a tmpfs of 16 kB at `folder`, the command in it. Returns its
 * exit status, 77 if mounting is not permitted. */
static int in_small_tmpfs(const char *folder, const char *file)
{
    char program[512], err_file[256];
    snprintf(program, sizeof program, "%s", harness_program("sluice"));
    snprintf(err_file, sizeof err_file, "%s", harness_path("full.err"));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", folder, "tmpfs", 0, "size=16k") < 0)
            _exit(77);
        int err = open(err_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(err, STDERR_FILENO);
        pid_t inner = fork();
        if (inner == 0) {
            execl(program, program, "snapshot", "/points", file, "--size", "2000", (char *)NULL);
            _exit(127);
        }
        int status = 0;
        waitpid(inner, &status, 0);
        if (entries_in(folder) != 0)
            dprintf(STDERR_FILENO, "something was left behind\n");
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 126);
    }
    return wait_for(pid);
}

static void full_disk_is_told_and_nothing_is_left(void **state)
{
    (void)state;
    char folder[128], file[160], text[1024] = "";
    publisher("cloud", "/points");
    snprintf(folder, sizeof folder, "%s", harness_path("small"));
    snprintf(file, sizeof file, "%s/picture.png", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    int status = in_small_tmpfs(folder, file);
    if (status == 77) {
        puts("SKIP: mounting a small tmpfs is not permitted here");
        fflush(stdout);
        skip();
    }
    FILE *err = fopen(harness_path("full.err"), "r");
    assert_non_null(err);
    text[fread(text, 1, sizeof text - 1, err)] = '\0';
    fclose(err);
    assert_has(text, "picture.png: No space left on device; nothing was written");
    assert_has_not(text, "left behind");
    assert_int_equal(status, 1);
}

static void what_was_there_stays_when_writing_fails(void **state)
{
    (void)state;
    const uint8_t pixels[8] = {0};
    const char *file = harness_path("there.png");
    struct sl_png_image image = {
        .width = 2, .height = 2, .format = SL_PNG_GREY8, .stride = 2, .pixels = pixels};
    assert_int_equal(sl_png_write(file, &image), 0);
    unsigned before = entries_in(harness_folder());
    image.width = 3; /* more than a row holds */
    assert_int_equal(sl_png_write(file, &image), -EINVAL);
    struct picture picture = picture_read(file);
    assert_int_equal(picture.width, 2);
    picture_free(&picture);
    assert_int_equal(entries_in(harness_folder()), before);
    assert_int_equal(sl_png_write("/dev/null", &image), -EINVAL);
    assert_int_equal(sl_png_write(harness_folder(), &image), -EINVAL);
}

static void sixteen_bit_greys_keep_their_value(void **state)
{
    (void)state;
    const uint16_t pixels[2] = {0x1234, 0xfedc};
    const char *file = harness_path("deep.png");
    const struct sl_png_image image = {.width = 2,
                                       .height = 1,
                                       .format = SL_PNG_GREY16,
                                       .stride = 4,
                                       .pixels = (const uint8_t *)pixels};
    assert_int_equal(sl_png_write(file, &image), 0);
    struct picture picture = picture_read(file); /* 8 bits of each: the upper ones */
    assert_int_equal(picture_pixel(&picture, 0, 0)[0], 0x12);
    assert_int_equal(picture_pixel(&picture, 1, 0)[0], 0xfe);
    picture_free(&picture);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(cloud_becomes_a_picture_with_its_wall),
        CASE(gathered_cloud_is_drawn_too),
        CASE(image_is_stored_as_it_is),
        CASE(other_types_are_refused_by_name),
        CASE(broken_cloud_makes_no_file),
        CASE(missing_topic_ends_by_its_timeout),
        CASE(folder_that_is_not_there_is_named),
        CASE(full_disk_is_told_and_nothing_is_left),
        CASE(what_was_there_stays_when_writing_fails),
        CASE(sixteen_bit_greys_keep_their_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
