/* SPDX-License-Identifier: Apache-2.0 */
/* hesai_correction.c - a sensor's correction file, from the disk. */
#include <errno.h>
#include <stdio.h>

#include "core/base/error.h"
#include "drivers/lidar/hesai.h"

#define FILE_BYTES_MAX 65536

int hesai_correction_load(const struct lidar_model *model, const char *path,
                          struct lidar_mirror *ret_mirror, struct lidar_model *ret_model)
{
    uint8_t bytes[FILE_BYTES_MAX];
    FILE *file = fopen(path, "re");
    if (!file)
        return sl_error(-errno, "%s: %m", path);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    int err = ferror(file) ? -EIO : 0;
    fclose(file);
    if (err < 0)
        return sl_error(err, "%s: cannot be read", path);
    if (size == sizeof bytes)
        return sl_error(-E2BIG, "%s: too large for a correction file", path);
    if (model == hesai_models[HESAI_AT128])
        err = hesai_mirror_read(model, bytes, size, ret_mirror, ret_model);
    else
        err = hesai_correction_read(model, (const char *)bytes, size, ret_model);
    return err < 0 ? sl_error_at(err, "%s", path) : 0;
}
