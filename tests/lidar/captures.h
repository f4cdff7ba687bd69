/* SPDX-License-Identifier: Apache-2.0 */
/* captures.h - what the tests on captures share: datagrams of a file, decoded into kept frames, and
 * point clouds that other programs made of the same file.
 *
 * Life, owner: globals of the test program that includes it, once.
 * Threads: one.
 * Errors:  the test fails.
 */
#ifndef SL_TESTS_LIDAR_CAPTURES_H
#define SL_TESTS_LIDAR_CAPTURES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/capture/datagrams.h"
#include "tests/lidar/frames.h"

/* Of a frame; room for whatever the captures have. */
static size_t room_bytes = 4000 * 16 * 22 * 2;

static char folder[3000];

/* Says so, with the line that a skipped test ends with, if the captures of a vendor are not here.
 */
static inline bool captures_missing(const char *vendor)
{
    const char *data = getenv("SLUICE_TEST_DATA");
    const char *source = getenv("SLUICE_SOURCE");
    if (data)
        snprintf(folder, sizeof folder, "%s/lidar/%s", data, vendor);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data/lidar/%s", source ? source : ".",
                 vendor);
    if (access(folder, R_OK) == 0)
        return false;
    printf("SKIP: no lidar captures in %s (set SLUICE_TEST_DATA)\n", folder);
    return true;
}

typedef void packet_fn(void *context, const struct sl_datagram *datagram);

static inline void each_packet(const char *name, packet_fn *fn, void *context)
{
    char path[4096];
    struct sl_datagram_reader *reader = NULL;
    struct sl_datagram datagram;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int err = sl_datagram_reader_open(path, NULL, &reader);
    if (err < 0)
        fail_msg("%s", sl_error_text());
    while ((err = sl_datagram_reader_next(reader, &datagram)) > 0)
        fn(context, &datagram);
    assert_int_equal(err, 0);
    sl_datagram_reader_close(reader);
}

struct run {
    struct lidar_decoder *decoder;
    int error;
    char text[SL_ERROR_TEXT_MAX];
    uint64_t first_host_ns;
};

static inline void push(void *context, const struct sl_datagram *datagram)
{
    struct run *run = context;
    if (run->first_host_ns == 0)
        run->first_host_ns = datagram->time_ns;
    if (run->error == 0) {
        run->error = lidar_decoder_push(run->decoder, datagram);
        snprintf(run->text, sizeof run->text, "%s", run->error < 0 ? sl_error_text() : "");
    }
}

static inline struct run decode(const char *name, const struct lidar_decoder_config *config,
                                struct frames *frames)
{
    struct run run = {0};
    struct lidar_frame_sink sink = frames_sink(frames);
    frames_init(frames, room_bytes);
    assert_int_equal(lidar_decoder_create(config, &sink, &run.decoder), 0);
    each_packet(name, push, &run);
    if (run.error == 0)
        assert_int_equal(lidar_decoder_flush(run.decoder), 0);
    return run;
}

static inline void finish(struct run *run, struct frames *frames)
{
    lidar_decoder_destroy(run->decoder);
    frames_finish(frames);
}

static inline uint64_t count_of(const struct run *run, enum lidar_count which)
{
    return lidar_decoder_counts(run->decoder)->count[which];
}

static inline void no_loss(const struct run *run)
{
    for (int i = LIDAR_BAD_SHORT; i <= LIDAR_RESTART_MODE; i++) {
        if (count_of(run, (enum lidar_count)i) != 0)
            fail_msg("%s is %llu", lidar_count_names[i],
                     (unsigned long long)count_of(run, (enum lidar_count)i));
    }
}

/* A cloud of x, y, z: the binary PCD files that nebula keeps as its goldens. */
struct cloud {
    size_t count;
    float (*xyz)[3];
};

static inline struct cloud read_pcd(const char *name)
{
    char path[4096], line[200];
    struct cloud cloud = {0};
    bool is_binary = false;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while (!is_binary && fgets(line, sizeof line, file)) {
        sscanf(line, "POINTS %zu", &cloud.count);
        is_binary = strcmp(line, "DATA binary\n") == 0;
    }
    assert_true(is_binary && cloud.count > 0);
    cloud.xyz = calloc(cloud.count, sizeof *cloud.xyz);
    assert_non_null(cloud.xyz);
    assert_int_equal(fread(cloud.xyz, sizeof *cloud.xyz, cloud.count, file), cloud.count);
    fclose(file);
    return cloud;
}

#endif
