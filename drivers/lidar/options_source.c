/* SPDX-License-Identifier: Apache-2.0 */
/* options_source.c - where packets come from. */
#include "drivers/lidar/options_parts.h"

#include <errno.h>
#include <string.h>

#include "core/base/error.h"
#include "drivers/lidar/source_xdp.h"

static bool takes_frames(const struct lidar_options *o)
{
    return o->source == LIDAR_FROM_PACKET || o->source == LIDAR_FROM_XDP;
}

/* Packets come when they come. */
static bool is_live(const struct lidar_options *o)
{
    return o->source == LIDAR_FROM_UDP || takes_frames(o);
}

static int not_for_live(const char *option)
{
    return sl_error(-EINVAL,
                    "option --%s: packets from the network do not wait; it is for --source topic, "
                    "capture and sim",
                    option);
}

/* Topics, and what goes with them. */
static int check_topics(struct lidar_options *o, const struct lidar_given *given)
{
    if (o->source != LIDAR_FROM_TOPIC && o->topics.count > 0)
        return sl_error(-EINVAL, "option --topic: %s is not read with --source %s",
                        o->topics.text[0], lidar_source_choices[o->source]);
    if (o->source != LIDAR_FROM_TOPIC)
        return 0;
    if (o->topics.count == 0 || o->topics.count > LIDAR_TOPICS_MAX)
        return sl_error(-EINVAL, "option --source: topic needs --topic TOPIC, at most %d times",
                        LIDAR_TOPICS_MAX);
    if (!given->packets)
        o->packets = false; /* they are on the bus already */
    return 0;
}

/* The one that is named, or the one that another option means. */
static void choose_source(struct lidar_options *o, const struct lidar_given *given)
{
    if (given->source)
        return;
    if (o->topics.count > 0)
        o->source = LIDAR_FROM_TOPIC;
    else if (o->capture)
        o->source = LIDAR_FROM_CAPTURE;
}

static int check_capture(const struct lidar_options *o)
{
    if (o->source == LIDAR_FROM_CAPTURE && (!o->capture || !o->capture[0]))
        return sl_error(-EINVAL, "option --source: capture needs --capture FILE");
    if (o->source != LIDAR_FROM_CAPTURE && o->capture)
        return sl_error(-EINVAL, "option --capture: %s is not replayed with --source %s",
                        o->capture, lidar_source_choices[o->source]);
    return 0;
}

static int check_live(const struct lidar_options *o)
{
    if (is_live(o) && o->publishing.block)
        return not_for_live("block");
    if (is_live(o) && o->publishing.wait_for > 0)
        return not_for_live("wait-for-subscribers");
    if (takes_frames(o) && (!o->interface || !o->interface[0]))
        return sl_error(-EINVAL, "option --source: %s needs --interface NAME",
                        lidar_source_choices[o->source]);
    if (takes_frames(o) && o->port == 0)
        return sl_error(-EINVAL, "option --port: --source %s needs the sensor's own port",
                        lidar_source_choices[o->source]);
    if (o->source == LIDAR_FROM_XDP && !o->packets)
        return sl_error(-EINVAL, "option --packets: with --source xdp they come by that topic");
    return 0;
}

int lidar_options_check_source(struct lidar_options *o, const struct lidar_given *given)
{
    choose_source(o, given);
    int err = check_topics(o, given);
    if (err == 0)
        err = check_capture(o);
    if (err == 0)
        err = check_live(o);
    return err < 0 ? err : sl_publishing_check(&o->publishing);
}

unsigned lidar_options_ports(const struct lidar_options *o,
                             uint16_t ret_ports[LIDAR_SOURCE_PORTS_MAX])
{
    unsigned count = 0;
    if (o->source == LIDAR_FROM_CAPTURE && o->port == 0)
        return 0;
    ret_ports[count++] = (uint16_t)o->port;
    if (o->telemetry_port != 0 && o->telemetry_port != o->port)
        ret_ports[count++] = (uint16_t)o->telemetry_port;
    return count;
}

static bool has_port(const struct lidar_needs *needs, uint16_t port)
{
    for (unsigned i = 0; i < needs->port_count; i++)
        if (needs->ports[i] == port)
            return true;
    return false;
}

int lidar_options_need(const struct lidar_options *o, struct lidar_needs *needs)
{
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX];
    unsigned count = lidar_options_ports(o, ports);
    for (unsigned i = 0; i < count; i++) {
        if (has_port(needs, ports[i]))
            continue;
        if (needs->port_count == LIDAR_SOURCE_PORTS_MAX)
            return sl_error(-E2BIG, "more than %d UDP ports in one process; have another one",
                            LIDAR_SOURCE_PORTS_MAX);
        needs->ports[needs->port_count++] = ports[i];
    }
    if (o->is_ouster && o->metadata.format.packet_bytes > needs->datagram_bytes)
        needs->datagram_bytes = o->metadata.format.packet_bytes;
    return 0;
}

static int open_udp(const struct lidar_options *o, const struct lidar_needs *needs,
                    struct lidar_source **ret_source)
{
    bool is_long = needs->datagram_bytes > LIDAR_UDP_DATAGRAM_BYTES;
    struct lidar_udp_config config = {
        .address = o->bind,
        .group = o->multicast,
        .interface = o->interface,
        .sender = needs->sender,
        .port_count = needs->port_count,
        .receive_buffer_bytes = (uint32_t)o->receive_buffer_bytes,
        .datagram_bytes = is_long ? needs->datagram_bytes : 0,
    };
    memcpy(config.ports, needs->ports, sizeof config.ports);
    return lidar_source_open_udp(&config, ret_source);
}

/* Frames of an interface. */
static int open_frames(const struct lidar_options *o, const struct lidar_needs *needs,
                       struct sl_publisher *packets, struct lidar_source **ret_source)
{
    struct lidar_interface_config config = {
        .interface = o->interface,
        .group = o->multicast,
        .sender = needs->sender,
        .port_count = needs->port_count,
        .buffer_bytes = (uint32_t)o->receive_buffer_bytes,
        .datagram_bytes = needs->datagram_bytes,
    };
    memcpy(config.ports, needs->ports, sizeof config.ports);
    return o->source == LIDAR_FROM_XDP ? lidar_source_open_xdp(&config, packets, ret_source)
                                       : lidar_source_open_packet(&config, ret_source);
}

static int open_capture(const struct lidar_options *o, const struct lidar_needs *needs,
                        struct lidar_source **ret_source)
{
    struct lidar_capture_config config = {
        .path = o->capture, .rate = o->rate, .loop = o->loop, .port_count = needs->port_count};
    memcpy(config.ports, needs->ports, sizeof config.ports);
    return lidar_source_open_capture(&config, ret_source);
}

static int open_sim(const struct lidar_options *o, struct lidar_source **ret_source)
{
    struct lidar_sim_config sim;
    int err = lidar_options_sim_config(o, &sim);
    if (err < 0)
        return err;
    const struct lidar_sim_source_config config = {
        .sim = &sim,
        .rate = o->rate,
        .data_port = (uint16_t)o->port,
        .telemetry_port = (uint16_t)o->telemetry_port,
    };
    return lidar_source_open_sim(&config, ret_source);
}

int lidar_options_source(const struct lidar_options *o, const struct lidar_needs *needs,
                         const struct lidar_source_ends *ends, struct lidar_source **ret_source)
{
    switch ((enum lidar_source_choice)o->source) {
    case LIDAR_FROM_PACKET:
    case LIDAR_FROM_XDP:
        return open_frames(o, needs, ends->packets, ret_source);
    case LIDAR_FROM_CAPTURE:
        return open_capture(o, needs, ret_source);
    case LIDAR_FROM_SIM:
        return open_sim(o, ret_source);
    case LIDAR_FROM_TOPIC:
        return lidar_source_open_topic(ends->raw, o->topics.count, ret_source);
    case LIDAR_FROM_UDP:
        break;
    }
    return open_udp(o, needs, ret_source);
}
