/* SPDX-License-Identifier: Apache-2.0 */
/* publish_transforms.c - matrices become quaternions, and these a message. */
#include "drivers/lidar/publish_transforms.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/frame/transforms.h"

#define FRAMES_MAX     3
#define NAME_MAX_BYTES (SL_NODE_MAX + 16)
#define M_PER_MM       1e-3

/* Rows of a 3 x 4 matrix, metres. */
struct matrix {
    double m[3][4];
};

static struct matrix mounting_of(const struct lidar_block_options *options)
{
    struct matrix to = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    for (unsigned i = 0; options->has_extrinsics && i < 12; i++)
        to.m[i / 4][i % 4] = (double)options->extrinsics[i];
    return to;
}

/* `from`: row by row 4 x 4, millimetres. */
static struct matrix multiply(const struct matrix *outer, const double from[16])
{
    struct matrix to;
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned at = 0; at < 4; at++) {
            double unit = at == 3 ? M_PER_MM : 1;
            double sum = at == 3 ? outer->m[row][3] : 0;
            for (unsigned i = 0; i < 3; i++)
                sum += outer->m[row][i] * from[4 * i + at] * unit;
            to.m[row][at] = sum;
        }
    }
    return to;
}

/* The quaternion of a rotation, by the largest of its four squares so that no root of a small
 * number divides; Shepperd, "Quaternion from rotation matrix", 1978. */
static void set_rotation(const struct matrix *of, double q[4])
{
    const double(*m)[4] = of->m;
    const double trace = m[0][0] + m[1][1] + m[2][2];
    const double diagonal[4] = {m[0][0], m[1][1], m[2][2], trace};
    unsigned i = 0;
    for (unsigned at = 1; at < 4; at++)
        i = diagonal[at] > diagonal[i] ? at : i;
    if (i == 3) {
        q[0] = m[2][1] - m[1][2];
        q[1] = m[0][2] - m[2][0];
        q[2] = m[1][0] - m[0][1];
        q[3] = 1 + trace;
    } else {
        unsigned j = (i + 1) % 3, k = (i + 2) % 3;
        q[i] = 1 - trace + 2 * m[i][i];
        q[j] = m[j][i] + m[i][j];
        q[k] = m[k][i] + m[i][k];
        q[3] = m[k][j] - m[j][k];
    }
    double length = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    for (unsigned at = 0; at < 4; at++)
        q[at] /= q[3] < 0 ? -length : length;
}

struct frames {
    unsigned count;
    char name[FRAMES_MAX][NAME_MAX_BYTES];
    struct sl_transform transform[FRAMES_MAX];
};

static void add_frame(struct frames *frames, const struct lidar_transforms *t, const char *suffix,
                      const struct matrix *matrix)
{
    char *name = frames->name[frames->count];
    struct sl_transform *to = &frames->transform[frames->count];
    snprintf(name, NAME_MAX_BYTES, "%s_%s", t->name, suffix);
    if (strcmp(name, t->frame_id) == 0)
        return;
    to->frame_id = sl_text(t->frame_id);
    to->child_frame_id = sl_text(name);
    for (unsigned i = 0; i < 3; i++)
        to->translation[i] = matrix->m[i][3];
    set_rotation(matrix, to->rotation);
    frames->count++;
}

static void collect(const struct lidar_transforms *t, struct frames *ret_frames)
{
    const struct matrix mounting = mounting_of(t->mounting);
    memset(ret_frames, 0, sizeof *ret_frames);
    add_frame(ret_frames, t, "sensor", &mounting);
    if (t->metadata) {
        struct matrix lidar = multiply(&mounting, t->metadata->lidar_to_sensor);
        struct matrix imu = multiply(&mounting, t->metadata->imu_to_sensor);
        add_frame(ret_frames, t, "lidar", &lidar);
        add_frame(ret_frames, t, "imu", &imu);
    }
}

int lidar_transforms_check(const struct lidar_transforms *t)
{
    struct frames frames;
    char sensor[NAME_MAX_BYTES];
    snprintf(sensor, sizeof sensor, "%s_sensor", t->name);
    if (t->mounting->has_extrinsics && strcmp(sensor, t->frame_id) == 0)
        return sl_error(-EINVAL,
                        "option --frame-id: with --x ... --yaw the points are not in %s, but in "
                        "the frame that it stands in",
                        sensor);
    collect(t, &frames);
    if (frames.count < (t->metadata ? 2u : 1u))
        return sl_error(-EINVAL,
                        "option --frame-id: %s is the name of a frame that --tf is to tell",
                        t->frame_id);
    return 0;
}

int lidar_publish_transforms(const struct lidar_transforms *t, uint64_t now_ns,
                             struct sl_publisher *publisher)
{
    struct frames frames;
    struct sl_loan loan;
    size_t size = 0;
    collect(t, &frames);
    for (unsigned i = 0; i < frames.count; i++)
        frames.transform[i].stamp_ns = (int64_t)now_ns;
    int err = sl_publisher_loan(publisher, &loan);
    if (err < 0)
        return err;
    err = sl_transforms_write(frames.transform, frames.count, loan.data, (size_t)loan.data_size,
                              &size);
    if (err < 0) {
        sl_publisher_discard(publisher, &loan);
        return err;
    }
    const struct sl_message message = {
        .stamp_ns = now_ns, .clock = SL_CLOCK_HOST, .body_length = (uint32_t)size};
    return sl_publisher_publish(publisher, &loan, &message);
}
