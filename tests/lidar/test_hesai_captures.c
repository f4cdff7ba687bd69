/* SPDX-License-Identifier: Apache-2.0 */
/* test_hesai_captures.c - real Pandar64, PandarQT64 and PandarXT32 with their correction files:
 * every point of another program's clouds (nebula's) within 1 mm.
 *
 * Those are cut by each channel's own azimuth, ours by the column's: so all frames together are
 * searched. They leave out second returns that are near the first, and their own times are known
 * to be wrong.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>

#include "core/base/bytes.h"
#include "tests/lidar/captures.h"
#include "tests/lidar/hesai_way.h"

#define CLOSE_M 1e-3f

static struct frames frames;

static void read_correction(const struct lidar_model *model, const char *name)
{
    char path[4096], text[4096];
    snprintf(path, sizeof path, "%s/nebula/calibration/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    if (hesai_correction_read(model, text, size, &way.model) < 0)
        fail_msg("%s", sl_error_text());
}

static void push_data(void *context, const struct sl_datagram *datagram)
{
    assert_int_equal(way_push(&frames, datagram->bytes, datagram->size_bytes, datagram->time_ns),
                     LIDAR_PACKETS);
    assert_string_equal(way.told->name, context);
}

struct place {
    float x, y, z;
};

static int by_x(const void *one, const void *other)
{
    float a = ((const struct place *)one)->x, b = ((const struct place *)other)->x;
    return (a > b) - (a < b);
}

static struct place *all_places(size_t *ret_count)
{
    size_t count = 0;
    for (unsigned i = 0; i < frames.closed; i++)
        count += frames.kept[i].info.valid;
    struct place *places = calloc(count, sizeof *places);
    assert_non_null(places);
    *ret_count = 0;
    for (unsigned i = 0; i < frames.closed; i++) {
        const struct kept_frame *frame = &frames.kept[i];
        for (unsigned at = 0; at < frame->info.width * frame->info.height; at++) {
            struct point p = frame_point(frame, at / frame->info.width, at % frame->info.width);
            assert_int_equal(p.ring, at % frame->info.width);
            if (!point_is_hole(&p))
                places[(*ret_count)++] = (struct place){p.x, p.y, p.z};
        }
    }
    assert_int_equal(*ret_count, count);
    qsort(places, count, sizeof *places, by_x);
    return places;
}

static bool is_near(const struct place *places, size_t count, struct place wanted)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (places[middle].x < wanted.x - CLOSE_M)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && places[low].x <= wanted.x + CLOSE_M; low++) {
        if (fabsf(places[low].y - wanted.y) <= CLOSE_M &&
            fabsf(places[low].z - wanted.z) <= CLOSE_M)
            return true;
    }
    return false;
}

/* Hesai's own axes are x to the right, y ahead. */
static void every_point_is_found(const char *name)
{
    struct cloud cloud = read_pcd(name);
    size_t count = 0, missing = 0;
    struct place *places = all_places(&count);
    for (size_t i = 0; i < cloud.count; i++) {
        const float *p = cloud.xyz[i];
        missing += !is_near(places, count, (struct place){p[1], -p[0], p[2]});
    }
    free(places);
    free(cloud.xyz);
    if (missing > 0)
        fail_msg("%zu of %zu points of %s were not found", missing, cloud.count, name);
}

struct capture {
    const char *model, *correction, *file, *cloud;
    unsigned packets;
    int64_t begin_us; /* UTC of the first packet by its own tail, as Python's datetime reads it */
};

static void compare(const struct capture *capture)
{
    memset(&way, 0, sizeof way);
    read_correction(hesai_model_find(capture->model), capture->correction);
    frames_init(&frames, (size_t)2300 * 2 * way.model.lasers * LIDAR_POINT_BYTES);
    each_packet(capture->file, push_data, (void *)(uintptr_t)capture->model);
    lidar_assembly_flush(&way.assembly);
    assert_int_equal(way.packets, capture->packets);
    assert_true(way.first_utc_ns == capture->begin_us * 1000);
    static const enum lidar_count losses[] = {
        LIDAR_BAD_ROTATION, LIDAR_GAP,           LIDAR_LATE,          LIDAR_DUPLICATE,
        LIDAR_RESTART_BACK, LIDAR_RESTART_AHEAD, LIDAR_FRAMES_DROPPED};
    for (unsigned i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        if (way.counts.count[losses[i]] != 0)
            fail_msg("%s: %s is %llu", capture->model, lidar_count_names[losses[i]],
                     (unsigned long long)way.counts.count[losses[i]]);
    }
    assert_true(frames.closed >= 3);
    for (unsigned i = 1; i + 1 < frames.closed; i++) {
        assert_int_equal(frames.kept[i].info.partial, 0);
        assert_int_equal(frames.kept[i].info.missing, 0);
        assert_int_equal(frames.kept[i].info.width, way.model.lasers);
    }
    every_point_is_found(capture->cloud);
    frames_finish(&frames);
}

static void pandar64_matches_another_decoder(void **state)
{
    (void)state;
    compare(
        &(struct capture){"Pandar64", "Pandar64.csv", "derived/nebula_64_1673403880599376836.pcap",
                          "nebula/64/1673403880898440686.pcd", 2400, INT64_C(1593086529977341)});
}

static void qt64_matches_another_decoder(void **state)
{
    (void)state;
    compare(&(struct capture){
        "PandarQT64", "PandarQT64.csv", "derived/nebula_qt64_1673401195788312575.pcap",
        "nebula/qt64/1673401196087570870.pcd", 1200, INT64_C(1504708282818090)});
}

static void xt32_matches_another_decoder(void **state)
{
    (void)state;
    compare(&(struct capture){
        "PandarXT32", "PandarXT32.csv", "derived/nebula_xt32_1673400677802009732.pcap",
        "nebula/xt32/1673400678101968885.pcd", 2000, INT64_C(1564024769619165)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pandar64_matches_another_decoder),
        cmocka_unit_test(qt64_matches_another_decoder),
        cmocka_unit_test(xt32_matches_another_decoder),
    };
    return captures_missing("hesai") ? 77 : cmocka_run_group_tests(tests, NULL, NULL);
}
