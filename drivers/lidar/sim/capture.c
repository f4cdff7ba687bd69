/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c - the simulated sensor's packets into a capture file. */
#include "core/base/error.h"
#include "core/capture/link.h"
#include "core/capture/write.h"
#include "drivers/lidar/sim/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct sl_endpoint sensor = {.address = {192, 168, 1, 201}, .family = 4};
static const struct sl_endpoint everyone = {.address = {255, 255, 255, 255}, .family = 4};

static int write_all(struct sl_capture_writer *writer, struct lidar_sim *sim,
                     const struct lidar_sim_capture_config *config,
                     struct lidar_sim_send_result *result)
{
    const uint16_t data_port =
        config->data_port ? config->data_port : lidar_sim_data_port(config->sim.model);
    const uint16_t telemetry_port = config->telemetry_port
                                        ? config->telemetry_port
                                        : lidar_sim_telemetry_port(config->sim.model);
    struct lidar_sim_packet packet;
    while (lidar_sim_next(sim, &packet)) {
        if (config->duration_ns && packet.due_ns > config->duration_ns)
            return 0;
        if (config->stop && atomic_load_explicit(config->stop, memory_order_relaxed))
            return 0;
        struct sl_datagram datagram = {
            .bytes = packet.bytes,
            .size_bytes = packet.size_bytes,
            .time_ns = lidar_sim_start_utc_ns(sim) + packet.due_ns,
            .source = sensor,
            .destination = everyone,
        };
        datagram.source.port = datagram.destination.port =
            packet.telemetry ? telemetry_port : data_port;
        int err = sl_capture_write_datagram(writer, &datagram);
        if (err < 0)
            return err;
        result->sent++;
        result->sent_bytes += packet.size_bytes;
        result->elapsed_ns = packet.due_ns;
    }
    return 0;
}

static int write_file(FILE *file, const struct lidar_sim_capture_config *config,
                      struct lidar_sim_send_result *result)
{
    const struct sl_capture_write_options options = {.format = SL_CAPTURE_PCAP,
                                                     .link_type = SL_LINK_ETHERNET};
    struct lidar_sim *sim = NULL;
    struct sl_capture_writer *writer = malloc(sizeof *writer);
    int err = writer ? lidar_sim_create(&config->sim, &sim) : sl_error(-ENOMEM, "no memory");
    if (err == 0)
        err = sl_capture_write_begin(writer, &options, NULL, file);
    if (err == 0)
        err = write_all(writer, sim, config, result);
    if (sim)
        lidar_sim_counts(sim, &result->counts);
    lidar_sim_destroy(sim);
    free(writer);
    return err;
}

int lidar_sim_capture(const struct lidar_sim_capture_config *config, const char *path,
                      struct lidar_sim_send_result *ret_result)
{
    struct lidar_sim_send_result result = {0};
    if (config->duration_ns == 0 && config->sim.data_packets_max == 0)
        return sl_error(-EINVAL,
                        "a simulated capture without an end: give a duration or a number of "
                        "packets");
    FILE *file = fopen(path, "wbe");
    if (!file)
        return sl_error(-errno, "%s: %s", path, strerror(errno));
    struct stat status = {0};
    const bool is_file = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
    int err = write_file(file, config, &result);
    if (err < 0)
        sl_error_at(err, "%s", path);
    if (fclose(file) != 0 && err == 0)
        err = sl_error(-errno, "%s: %s", path, strerror(errno));
    if (err < 0 && is_file)
        unlink(path); /* half a capture is of no use */
    if (ret_result)
        *ret_result = result;
    return err;
}
