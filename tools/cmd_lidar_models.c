/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_lidar_models.c - sluice lidar models: what the decoders know, straight from their tables. */
#include <stdio.h>

#include "drivers/lidar/hesai.h"
#include "drivers/lidar/robosense.h"
#include "drivers/lidar/velodyne.h"
#include "tools/json.h"
#include "tools/tool.h"

#define COLUMN_NS_TO_POINTS 1e9

static struct {
    bool json;
} given;

static const struct sl_option options[] = {
    {.name = "json", .kind = SL_OPTION_FLAG, .offset = 0, .help = "One JSON object a line"},
};

static const struct sl_command command = {
    .name = "sluice lidar models",
    .summary = "The lidars that can be decoded, and what is known of each",
    .details =
        "rings, and points a second with one return; metres of the wire's unit; how the model is\n"
        "told (id: by the packets; name: it has to be configured, the packets do not tell it from\n"
        "another one); where its angles come from (table; a file of the sensor's own, or else a\n"
        "table; both: such a file, or its packets). An Ouster is what its metadata says.",
    .example = "sluice lidar models | grep Hesai",
    .tables = {{"Output", options, 1, &given}},
};

/* A vendor's models, and what they have in common. */
struct family {
    const char *vendor;
    const struct lidar_model *const *models;
    const char *angles;
};

static const struct family families[] = {
    {"Velodyne", velodyne_models, "table"},
    {"Hesai", hesai_models, "file"},
    {"RoboSense", robosense_models, "both"},
};

static double points_per_s(const struct lidar_model *model)
{
    return model->lasers * COLUMN_NS_TO_POINTS / model->column_period_ns;
}

static const char *told_by(const struct lidar_model *model)
{
    return model->must_be_named ? "name" : "id";
}

static const char *angles_from(const struct family *family, const struct lidar_model *model)
{
    return model->must_be_calibrated ? "both" : family->angles;
}

static void print_line(const struct family *family, const struct lidar_model *model)
{
    printf("%-9s %-14s %5u %9.0f  %.4f %7u  %-5s %s\n", family->vendor, model->name, model->lasers,
           points_per_s(model), (double)model->range_unit_m, LIDAR_RETURNS_MAX, told_by(model),
           angles_from(family, model));
}

static void print_json(const struct family *family, const struct lidar_model *model)
{
    struct sl_json json = {.to = stdout};
    sl_json_line(&json, "model", model->name);
    sl_json_text(&json, "vendor", family->vendor);
    sl_json_count(&json, "rings", model->lasers);
    sl_json_real(&json, "points_per_s", points_per_s(model));
    sl_json_real(&json, "range_unit_m", (double)model->range_unit_m);
    sl_json_count(&json, "returns", LIDAR_RETURNS_MAX);
    sl_json_text(&json, "told_by", told_by(model));
    sl_json_text(&json, "angles", angles_from(family, model));
    sl_json_line_end(&json);
}

static int run(void)
{
    if (!given.json)
        puts("VENDOR    MODEL          RINGS  POINTS/S  UNIT/m RETURNS  TOLD  ANGLES");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (const struct lidar_model *const *model = families[i].models; *model; model++)
            (given.json ? print_json : print_line)(&families[i], *model);
    }
    return 0;
}

const struct sl_tool sl_tool_lidar_models = {
    .name = "lidar models", .command = &command, .run = run};
