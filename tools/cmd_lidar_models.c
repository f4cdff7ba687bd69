/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_lidar_models.c - sluice lidar models: what the decoders know, straight from their tables. */
#include <stdio.h>
#include <string.h>

#include "drivers/lidar/block_kernel.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/list_kernel.h"
#include "drivers/lidar/livox.h"
#include "drivers/lidar/robosense.h"
#include "drivers/lidar/velodyne.h"
#include "tools/json.h"
#include "tools/tool.h"

#define COLUMN_NS_TO_POINTS 1e9
#define LIVOX_UNIT_M        1e-3

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
        "table; both: such a file, or its packets; none: it computes its points itself); what its\n"
        "points are made by on this processor (--simd of lidar). An Ouster is what its metadata\n"
        "says.",
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

/* What the list says of a model. */
struct row {
    const char *vendor, *model;
    unsigned rings, returns;
    double points_per_s, unit_m;
    const char *told_by, *angles, *simd;
};

/* Of sensors whose angles come from themselves, each laser is measured (beams). */
static const char *simd_of(const struct lidar_model *model, bool has_beams)
{
    static const struct lidar_beam beams[LIDAR_LASERS_MAX];
    static const struct lidar_block_options unchanged;
    static struct lidar_block block;
    struct lidar_model measured = *model;
    measured.beams = has_beams ? beams : NULL;
    lidar_block_init(&block, NULL, &measured, &unchanged, 0);
    return lidar_simd_names[block.kernel->simd];
}

static struct row row_of(const struct family *family, const struct lidar_model *model)
{
    const char *angles = model->must_be_calibrated ? "both" : family->angles;
    return (struct row){
        .vendor = family->vendor,
        .model = model->name,
        .rings = model->lasers,
        .returns = lidar_model_returns(model),
        .points_per_s = model->lasers * COLUMN_NS_TO_POINTS / model->column_period_ns,
        .unit_m = (double)model->range_unit_m,
        .told_by = model->must_be_named ? "name" : "id",
        .angles = angles,
        .simd = simd_of(model, strcmp(angles, "both") == 0),
    };
}

static struct row row_of_livox(const struct livox_model *model)
{
    return (struct row){
        .vendor = "Livox",
        .model = model->name,
        .rings = model->lines,
        .returns = 1,
        .points_per_s = model->points_per_s,
        .unit_m = LIVOX_UNIT_M,
        .told_by = "name",
        .angles = "none",
        .simd = lidar_simd_names[lidar_list_kernel_for(LIDAR_SIMD_AUTO)->simd],
    };
}

static void print_line(const struct row *row)
{
    printf("%-9s %-14s %5u %9.0f  %.4f %7u  %-5s %-6s  %s\n", row->vendor, row->model, row->rings,
           row->points_per_s, row->unit_m, row->returns, row->told_by, row->angles, row->simd);
}

static void print_json(const struct row *row)
{
    struct sl_json json = {.to = stdout};
    sl_json_line(&json, "model", row->model);
    sl_json_text(&json, "vendor", row->vendor);
    sl_json_count(&json, "rings", row->rings);
    sl_json_real(&json, "points_per_s", row->points_per_s);
    sl_json_real(&json, "range_unit_m", row->unit_m);
    sl_json_count(&json, "returns", row->returns);
    sl_json_text(&json, "told_by", row->told_by);
    sl_json_text(&json, "angles", row->angles);
    sl_json_text(&json, "simd", row->simd);
    sl_json_line_end(&json);
}

static void print(struct row row)
{
    (given.json ? print_json : print_line)(&row);
}

static int run(void)
{
    if (!given.json)
        puts("VENDOR    MODEL          RINGS  POINTS/S  UNIT/m RETURNS  TOLD  ANGLES  SIMD");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (const struct lidar_model *const *model = families[i].models; *model; model++)
            print(row_of(&families[i], *model));
    }
    for (const struct livox_model *const *model = livox_models; *model; model++)
        print(row_of_livox(*model));
    return 0;
}

const struct sl_tool sl_tool_lidar_models = {
    .name = "lidar models", .command = &command, .run = run};
