/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_sim_lidar.c - sluice sim lidar: a simulated lidar on the network or in a capture file. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "drivers/lidar/sim/send.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim_options {
    const char *to, *interface, *capture, *metadata, *faults;
    int model, return_mode;
    double rpm, rate, noise_m;
    int64_t seed, duration_ns;
    bool is_counterclockwise;
} given;

static const char *const return_names[] = {"strongest", "last", "dual", NULL};
static const enum lidar_sim_return returns[] = {LIDAR_SIM_STRONGEST, LIDAR_SIM_LAST,
                                                LIDAR_SIM_DUAL};

static const struct sl_option sensor_options[] = {
    {.name = "model",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct sim_options, model),
     .fallback = "vlp-16",
     .choices = lidar_sim_model_names,
     .help = "Which sensor"},
    {.name = "return",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct sim_options, return_mode),
     .fallback = "strongest",
     .choices = return_names,
     .help =
         "Which of several echoes it tells; an os1-64's are strongest (LEGACY packets) and dual"},
    {.name = "rpm",
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct sim_options, rpm),
     .value = "TURNS",
     .fallback = "600",
     .min = 60 * LIDAR_SIM_HZ_MIN,
     .max = 60 * LIDAR_SIM_HZ_MAX,
     .help = "Turns a minute"},
    {.name = "counterclockwise",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct sim_options, is_counterclockwise),
     .help = "It turns the other way, seen from above; vlp-16, puck-hi-res, xt32"},
    {.name = "noise",
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct sim_options, noise_m),
     .value = "METRES",
     .min = 0,
     .max = 10,
     .help = "Standard deviation of the range"},
    {.name = "seed",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct sim_options, seed),
     .value = "N",
     .fallback = "1",
     .min = 0,
     .max = 9e15,
     .help = "Of noise and faults: the same seed, the same packets"},
};

static const struct sl_option way_options[] = {
    {.name = "to",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sim_options, to),
     .value = "ADDRESS:PORT",
     .help = "Send there in real time; may be a multicast group"},
    {.name = "capture",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sim_options, capture),
     .value = "FILE",
     .help = "Write a capture file instead, as fast as possible; needs --duration"},
    {.name = "metadata",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sim_options, metadata),
     .value = "FILE",
     .help = "Write there first what lidar --metadata wants of an os1-64"},
    {.name = "interface",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sim_options, interface),
     .value = "NAME",
     .help = "By which multicast leaves"},
    {.name = "duration",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct sim_options, duration_ns),
     .min = 0,
     .max = 1e15,
     .help = "Of the sensor's clock; without it, until Ctrl-C"},
    {.name = "rate",
     .kind = SL_OPTION_REAL,
     .offset = offsetof(struct sim_options, rate),
     .value = "FACTOR",
     .fallback = "1",
     .min = 0.01,
     .max = 100,
     .help = "2 sends twice as fast as the sensor would"},
    {.name = "faults",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct sim_options, faults),
     .value = "LIST",
     .fallback = "",
     .help = LIDAR_SIM_FAULTS_HELP},
};

static const struct sl_command command = {
    .name = "sluice sim lidar",
    .summary = "A simulated lidar in a room, as packets on the network or in a file",
    .details =
        "Ray-cast in a room with moving boxes and encoded as the sensor does, byte for byte.",
    .example = "sluice sim lidar --to 127.0.0.1:2368 --duration 10s",
    .tables = {{"Way", way_options, sizeof way_options / sizeof *way_options, &given},
               {"Sensor", sensor_options, sizeof sensor_options / sizeof *sensor_options, &given}},
};

static int make_sensor(struct lidar_sim_config *sim)
{
    lidar_sim_config_of((enum lidar_sim_model)given.model, sim);
    sim->return_mode = returns[given.return_mode];
    sim->rotation_hz = given.rpm / 60;
    sim->is_counterclockwise = given.is_counterclockwise;
    sim->range_noise_m = given.noise_m;
    sim->seed = (uint64_t)given.seed;
    int err = lidar_sim_faults_parse(given.faults, &sim->faults);
    if (sim->faults.wrap_s > 0)
        sim->gps = false; /* as the metadata shall say */
    return err < 0 ? sl_error_at(err, "--faults") : 0;
}

static int write_metadata(const struct lidar_sim_config *sim)
{
    char *text = NULL;
    int err = given.metadata ? lidar_sim_metadata(sim, &text) : 0;
    if (err < 0 || !given.metadata)
        return err;
    if (!text)
        return sl_error(-EINVAL, "--metadata: a %s has none", lidar_sim_model_names[given.model]);
    FILE *file = fopen(given.metadata, "we");
    if (!file || fputs(text, file) < 0)
        err = sl_error(-errno, "%s: %s", given.metadata, strerror(errno));
    if (file && fclose(file) != 0 && err == 0)
        err = sl_error(-errno, "%s: %s", given.metadata, strerror(errno));
    free(text);
    return err;
}

static int send_it(const struct lidar_sim_config *sim, struct lidar_sim_send_result *result)
{
    const struct lidar_sim_send_config config = {.sim = *sim,
                                                 .to = given.to,
                                                 .interface = given.interface,
                                                 .rate = given.rate,
                                                 .duration_ns = (uint64_t)given.duration_ns,
                                                 .stop = sl_stop_flag()};
    return lidar_sim_send(&config, result);
}

static int write_it(const struct lidar_sim_config *sim, struct lidar_sim_send_result *result)
{
    const struct lidar_sim_capture_config config = {
        .sim = *sim, .duration_ns = (uint64_t)given.duration_ns, .stop = sl_stop_flag()};
    if (!given.duration_ns)
        return sl_error(-EINVAL, "--capture needs --duration: how much is to be written?");
    return lidar_sim_capture(&config, given.capture, result);
}

static int run(void)
{
    struct lidar_sim_send_result result = {0};
    struct lidar_sim_config sim;
    if (!given.to == !given.capture) {
        fprintf(stderr, "sluice sim lidar: give either --to ADDRESS:PORT or --capture FILE\n");
        return SL_EXIT_USAGE;
    }
    sl_stop_on_signals();
    int err = make_sensor(&sim);
    if (err == 0)
        err = write_metadata(&sim);
    if (err == 0)
        err = given.to ? send_it(&sim, &result) : write_it(&sim, &result);
    if (err < 0)
        return err;
    printf("%" PRIu64 " data and %" PRIu64 " telemetry packets, %.1f s of the sensor, to %s",
           result.counts.data, result.counts.telemetry, (double)result.elapsed_ns / 1e9,
           given.to ? given.to : given.capture);
    if (given.faults[0])
        printf("; left out %" PRIu64 ", out of order %" PRIu64 ", twice %" PRIu64
               ", damaged %" PRIu64,
               result.counts.lost, result.counts.reordered, result.counts.duplicated,
               result.counts.corrupted);
    if (result.refused)
        printf("; the system took %" PRIu64 " less than were sent", result.refused);
    putchar('\n');
    return 0;
}

const struct sl_tool sl_tool_sim_lidar = {.name = "sim lidar", .command = &command, .run = run};
