/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_metadata.c - any bytes as an Ouster's metadata: what is taken must be safe to decode by.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "drivers/lidar/ouster_metadata.h"

#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

/* libfyaml 0.7.12 loses memory for texts of very many pieces; ours is to be looked at. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so\n";
}

static void check_numbers(const double *numbers, unsigned count, double limit)
{
    for (unsigned i = 0; i < count; i++)
        CHECK(isfinite(numbers[i]) && fabs(numbers[i]) <= limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static struct ouster_metadata m;
    int err = ouster_metadata_parse("fuzz", (const char *)bytes, size_bytes, &m);
    if (err < 0) {
        CHECK(sl_error_text()[0]);
        return 0;
    }
    const struct ouster_format *f = &m.format;
    CHECK(f->beams >= 16 && f->beams <= OUSTER_BEAMS_MAX && f->beams % 16 == 0);
    CHECK(f->columns >= 1 && f->columns <= OUSTER_COLUMNS_MAX);
    CHECK(f->frame_columns <= OUSTER_FRAME_COLUMNS && f->frame_columns % f->columns == 0);
    CHECK(f->packet_bytes <= OUSTER_PACKET_BYTES_MAX);
    CHECK(m.turns_hz >= 1 && m.imu.samples >= 1 && m.imu.samples <= OUSTER_IMU_SAMPLES_MAX);
    check_numbers(m.altitude_deg, f->beams, 90);
    check_numbers(m.azimuth_deg, f->beams, 180);
    check_numbers(m.beam_to_lidar, 16, 1000);
    check_numbers(m.lidar_to_sensor, 16, 1000);
    check_numbers(m.imu_to_sensor, 16, 1000);
    unsigned rows = ouster_window_columns(&m), seen = 0;
    CHECK(rows >= 1 && rows <= f->frame_columns);
    for (unsigned id = 0; id < f->frame_columns + 2u; id++) {
        int row = ouster_window_row(&m, id);
        CHECK(row == -1 || row == (int)seen++);
    }
    CHECK(seen == rows);
    return 0;
}
