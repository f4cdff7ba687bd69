/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lidar/source_frames.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/capture/ip.h"
#include "core/capture/link.h"
#include "drivers/lidar/source_address.h"
#include "drivers/lidar/source_ops.h"

#define PROTOCOL_UDP    17
#define UDP_PORTS_BYTES 4

static int set_sender(struct lidar_frames *frames, const char *text)
{
    struct sockaddr_storage sender;
    if (!text || !text[0])
        return 0;
    int err = lidar_address_parse("sender address", text, &sender);
    if (err < 0)
        return err;
    frames->sender = lidar_address_endpoint(&sender);
    frames->has_sender = true;
    return 0;
}

/* Have the network send the group's packets here: the frames are seen elsewhere. */
static int join(struct lidar_frames *frames, const struct lidar_interface_config *config)
{
    struct sockaddr_storage group;
    if (!config->group || !config->group[0])
        return 0;
    int err = lidar_address_parse("multicast group", config->group, &group);
    if (err < 0)
        return err;
    if (!lidar_address_is_multicast(&group))
        return sl_error(-EINVAL, "%s is no multicast group", config->group);
    int index = lidar_interface_index(config->interface);
    if (index < 0)
        return index;
    struct group_req request = {.gr_interface = (uint32_t)index};
    memcpy(&request.gr_group, &group, sizeof group);
    frames->group_fd = socket(group.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int level = group.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    if (frames->group_fd < 0 ||
        setsockopt(frames->group_fd, level, MCAST_JOIN_GROUP, &request, sizeof request) < 0)
        return sl_error(-errno, "joining multicast group %s on %s: %s", config->group,
                        config->interface, strerror(errno));
    return 0;
}

int lidar_frames_open(struct lidar_frames *frames, const struct lidar_interface_config *config)
{
    *frames = (struct lidar_frames){.port_count = config->port_count, .group_fd = -1};
    if (!config->interface || !config->interface[0])
        return sl_error(-EINVAL, "no interface to take frames from; name one by --interface");
    if (config->port_count == 0 || config->port_count > LIDAR_SOURCE_PORTS_MAX)
        return sl_error(-EINVAL, "%u UDP ports; give 1 to %u", config->port_count,
                        LIDAR_SOURCE_PORTS_MAX);
    for (unsigned i = 0; i < config->port_count; i++) {
        if (config->ports[i] == 0)
            return sl_error(-EINVAL, "UDP port 0: frames of %s need the sensor's own port",
                            config->interface);
        frames->ports[i] = config->ports[i];
    }
    int err = set_sender(frames, config->sender);
    if (err == 0)
        err = sl_datagram_decoder_create(&frames->decoder);
    if (err == 0)
        err = join(frames, config);
    return err;
}

void lidar_frames_close(struct lidar_frames *frames)
{
    sl_datagram_decoder_destroy(frames->decoder);
    if (frames->group_fd > 0)
        close(frames->group_fd);
    *frames = (struct lidar_frames){.group_fd = -1};
}

static bool has_port(const struct lidar_frames *frames, uint16_t port)
{
    for (unsigned i = 0; i < frames->port_count; i++)
        if (frames->ports[i] == port)
            return true;
    return false;
}

/* Fragments of foreign datagrams. Those that come before their first one are put together in vain;
 * that they stay incomplete is then counted. */

static struct lidar_foreign *find_foreign(struct lidar_frames *frames,
                                          const struct sl_ip_packet *packet, uint64_t time_ns)
{
    for (struct lidar_foreign *f = frames->foreign; f < frames->foreign + LIDAR_FOREIGN_MAX; f++)
        if (f->id == packet->id && f->family == packet->family &&
            memcmp(f->source, packet->source, sizeof f->source) == 0 &&
            memcmp(f->destination, packet->destination, sizeof f->destination) == 0)
            return time_ns - f->time_ns <= SL_REASSEMBLY_TIMEOUT_NS ? f : NULL;
    return NULL;
}

static void note_foreign(struct lidar_frames *frames, const struct sl_ip_packet *packet,
                         uint64_t time_ns)
{
    struct lidar_foreign *f = &frames->foreign[frames->foreign_next];
    frames->foreign_next = (frames->foreign_next + 1) % LIDAR_FOREIGN_MAX;
    *f = (struct lidar_foreign){.id = packet->id, .family = packet->family, .time_ns = time_ns};
    memcpy(f->source, packet->source, sizeof f->source);
    memcpy(f->destination, packet->destination, sizeof f->destination);
}

/* Is the frame a fragment of a datagram that is not for us? */
static bool is_foreign_fragment(struct lidar_frames *frames, const struct sl_capture_record *record,
                                struct lidar_source_stats *stats)
{
    const uint8_t *bytes;
    uint32_t size_bytes;
    struct sl_ip_packet packet;
    if (sl_link_open(record, &bytes, &size_bytes) != SL_PACKET_OK ||
        sl_ip_open(bytes, size_bytes, &packet) != SL_PACKET_OK || !packet.fragment)
        return false;
    struct lidar_foreign *known = find_foreign(frames, &packet, record->time_ns);
    if (packet.fragment_offset > 0 || packet.protocol != PROTOCOL_UDP ||
        packet.size_bytes < UDP_PORTS_BYTES)
        return known != NULL;
    bool is_foreign = !has_port(frames, sl_get_be16(packet.bytes + 2));
    if (known && !is_foreign)
        known->family = 0; /* its number has come round */
    if (!known && is_foreign) {
        note_foreign(frames, &packet, record->time_ns);
        stats->foreign++;
    }
    return is_foreign;
}

static bool is_wanted(const struct lidar_frames *frames, const struct sl_datagram *datagram)
{
    if (frames->has_sender && (datagram->source.family != frames->sender.family ||
                               memcmp(datagram->source.address, frames->sender.address,
                                      sizeof frames->sender.address) != 0))
        return false;
    return has_port(frames, datagram->destination.port);
}

bool lidar_frames_take(struct lidar_frames *frames, const struct sl_capture_record *record,
                       struct lidar_source_stats *stats, struct sl_datagram *ret_datagram)
{
    if (is_foreign_fragment(frames, record, stats) ||
        !sl_datagram_decode(frames->decoder, record, ret_datagram))
        return false;
    if (!is_wanted(frames, ret_datagram)) {
        stats->foreign++;
        return false;
    }
    stats->truncated += (ret_datagram->flags & SL_DATAGRAM_TRUNCATED) != 0;
    return true;
}

void lidar_frames_stats(const struct lidar_frames *frames, struct lidar_source_stats *stats)
{
    struct sl_datagram_counters counters;
    sl_datagram_decoder_counters(frames->decoder, &counters);
    lidar_source_count_frames(&counters, stats);
}
