/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_lidar_models.c - sluice lidar models: what the decoders know, straight from their tables. */
#include <stdio.h>
#include <string.h>

#include "drivers/lidar/block_kernel.h"
#include "drivers/lidar/column_kernel.h"
#include "drivers/lidar/family.h"
#include "drivers/lidar/hesai.h"
#include "drivers/lidar/list_kernel.h"
#include "drivers/lidar/livox.h"
#include "drivers/lidar/ouster_packet.h"
#include "drivers/lidar/robosense.h"
#include "drivers/lidar/sim/sim.h"
#include "drivers/lidar/velodyne.h"
#include "tools/json.h"
#include "tools/tool.h"

#define COLUMN_NS_TO_POINTS 1e9
#define LIVOX_UNIT_M        1e-3
#define OUSTER_UNIT_M       1e-3
#define OUSTER_POINTS_PER_S (OUSTER_BEAMS_MAX * 2048 * 10.0)

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
        "another one; meta: by its metadata); where its angles come from (table; a file of the\n"
        "sensor's own, or else a table; both: such a file, or its packets; meta; none: it "
        "computes\n"
        "its points itself); what its points are made by on this processor (--simd of lidar); its\n"
        "name for --model of lidar; topics beside points, packets, scan and /tf_static, which all\n"
        "have; and with what --model of sluice sim lidar it is simulated.\n"
        "Of an Ouster this is the most that there is: what one has, its metadata says.",
    .example = "sluice lidar models | grep Hesai",
    .tables = {{"Output", options, 1, &given}},
};

/* A vendor's models, and what they have in common. */
struct family {
    const char *vendor;
    const struct lidar_model *const *models;
    const struct lidar_model *(*find)(const char *option);
    const char *angles, *topics;
};

static const struct family families[] = {
    {"Velodyne", velodyne_models, velodyne_model_find, "table", "fix"},
    {"Hesai", hesai_models, hesai_model_find, "file", ""},
    {"RoboSense", robosense_models, robosense_model_find, "both", ""},
};

static const char *const ouster_products[] = {"OS0", "OS1", "OS2", "OSDome"};

/* What the list says of a model. */
struct row {
    const char *vendor, *model;
    unsigned rings, returns;
    double points_per_s, unit_m;
    const char *told_by, *angles, *simd, *option, *topics, *simulated_by;
};

static const char *simulated_by(const char *option)
{
    for (const char *const *name = lidar_sim_model_names; *name; name++)
        if (strcmp(*name, option) == 0)
            return *name;
    return "";
}

static const char *option_of(const struct family *family, const struct lidar_model *model)
{
    for (const char *const *choice = lidar_model_choices; *choice; choice++)
        if (family->find(*choice) == model)
            return *choice;
    return "";
}

static const char *option_of_livox(const struct livox_model *model)
{
    for (const char *const *choice = lidar_model_choices; *choice; choice++)
        if (livox_model_find(*choice) == model)
            return *choice;
    return "";
}

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

static const char *topics_of(const struct family *family, const struct lidar_model *model)
{
    bool is_robosense = family->find == robosense_model_find;
    return is_robosense && robosense_tells_fix(model) ? "fix" : family->topics;
}

static struct row row_of(const struct family *family, const struct lidar_model *model)
{
    const char *angles = model->must_be_calibrated ? "both" : family->angles;
    const char *option = option_of(family, model);
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
        .option = option,
        .topics = topics_of(family, model),
        .simulated_by = simulated_by(option),
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
        .option = option_of_livox(model),
        .topics = "imu",
        .simulated_by = simulated_by(option_of_livox(model)),
    };
}

static struct row row_of_ouster(const char *product)
{
    return (struct row){
        .vendor = "Ouster",
        .model = product,
        .rings = OUSTER_BEAMS_MAX,
        .returns = 2,
        .points_per_s = OUSTER_POINTS_PER_S,
        .unit_m = OUSTER_UNIT_M,
        .told_by = "meta",
        .angles = "meta",
        .simd = lidar_simd_names[lidar_column_kernel_for(LIDAR_SIMD_AUTO)->simd],
        .option = "",
        .topics = "imu fix images",
        .simulated_by = strcmp(product, "OS1") == 0 ? lidar_sim_model_names[LIDAR_SIM_OS1_64] : "",
    };
}

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static void print_line(const struct row *row)
{
    printf("%-9s %-14s %5u %9.0f  %.4f %7u  %-5s %-6s  %-6s  %-11s %-14s  %s\n", row->vendor,
           row->model, row->rings, row->points_per_s, row->unit_m, row->returns, row->told_by,
           row->angles, row->simd, or_dash(row->option), or_dash(row->topics),
           or_dash(row->simulated_by));
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
    sl_json_text(&json, "option", row->option);
    sl_json_text(&json, "topics", row->topics);
    sl_json_text(&json, "simulated_by", row->simulated_by);
    sl_json_line_end(&json);
}

static void print(struct row row)
{
    (given.json ? print_json : print_line)(&row);
}

static int run(void)
{
    if (!given.json)
        puts("VENDOR    MODEL          RINGS  POINTS/S  UNIT/m RETURNS  TOLD  ANGLES  SIMD    "
             "OPTION      "
             "TOPICS          SIM");
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (const struct lidar_model *const *model = families[i].models; *model; model++)
            print(row_of(&families[i], *model));
    }
    for (const struct livox_model *const *model = livox_models; *model; model++)
        print(row_of_livox(*model));
    for (size_t i = 0; i < sizeof ouster_products / sizeof *ouster_products; i++)
        print(row_of_ouster(ouster_products[i]));
    return 0;
}

const struct sl_tool sl_tool_lidar_models = {
    .name = "lidar models", .command = &command, .run = run};
