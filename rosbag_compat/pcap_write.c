/* SPDX-License-Identifier: Apache-2.0 */
/* pcap_write.c - topics of udp_msgs/msg/UdpPacket as a capture, pcap or pcapng, of Ethernet with
 * stamps in nanoseconds: what pcap_read.c made of one, or a node of somebody else's.
 *
 * Frames are made anew around the datagrams: MAC addresses, IP ids and fragments are not what they
 * were. Where a datagram went to says the topic's pair "udp_destination", else the number that the
 * topic's name ends in is the port, and the address is everybody's. */
#include "core/base/error.h"
#include "core/capture/link.h"
#include "core/capture/write.h"
#include "rosbag_compat/buffer.h"
#include "rosbag_compat/log_write.h"
#include "rosbag_compat/udp_packet.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HEADERS_BYTES 512 /* of the file, of a section and its interface, of a record */

struct pcap {
    struct sl_endpoint *destinations; /* by topic */
    uint32_t topic_room;
    struct sl_capture_writer capture;
    struct sl_writer out;
    struct sl_buffer body; /* of a message in several pieces */
    uint8_t bytes[SL_CAPTURE_WRITE_FRAME_MAX + HEADERS_BYTES];
};

static int emit(struct sl_log_writer *w)
{
    struct pcap *pcap = w->state;
    const struct iovec piece = {pcap->bytes, sl_writer_offset(&pcap->out)};
    pcap->out = sl_writer(pcap->bytes, sizeof pcap->bytes);
    return sl_log_emit(w, &piece, 1);
}

static bool port_of_name(const char *name, struct sl_endpoint *endpoint)
{
    size_t end = strlen(name);
    size_t start = end;
    while (start > 0 && isdigit((unsigned char)name[start - 1]))
        start--;
    unsigned long port = start < end && end - start <= 5 ? strtoul(name + start, NULL, 10) : 0;
    *endpoint = (struct sl_endpoint){.address = {255, 255, 255, 255}, .family = 4};
    endpoint->port = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

static int find_destination(const struct sl_log_topic *topic, struct sl_endpoint *endpoint)
{
    const char *said = sl_log_topic_get(topic, SL_UDP_PACKET_DESTINATION);
    if (said && sl_endpoint_parse(said, endpoint) < 0)
        return sl_error_at(-EINVAL, "topic %s, " SL_UDP_PACKET_DESTINATION, topic->name);
    if (said)
        return 0;
    if (port_of_name(topic->name, endpoint))
        return 0;
    return sl_error(-EINVAL, "topic %s: neither it nor its name's end tells the UDP port",
                    topic->name);
}

static int write_topic(struct sl_log_writer *w, const struct sl_log_topic *topic, uint32_t index)
{
    struct pcap *pcap = w->state;
    if (!topic->type || strcmp(topic->type, SL_UDP_PACKET_TYPE) != 0 ||
        strcmp(topic->encoding, "cdr") != 0)
        return sl_error(-EINVAL,
                        "topic %s is of type %s; a capture is made of " SL_UDP_PACKET_TYPE
                        " only: choose topics by --topic",
                        topic->name, topic->type ? topic->type : "?");
    if (index >= pcap->topic_room) {
        uint32_t room = pcap->topic_room ? 2 * pcap->topic_room : 8;
        struct sl_endpoint *fresh = realloc(pcap->destinations, room * sizeof *fresh);
        if (!fresh)
            return sl_error(-ENOMEM, "no memory to write a capture");
        pcap->destinations = fresh;
        pcap->topic_room = room;
    }
    return find_destination(topic, &pcap->destinations[index]);
}

/* A sender of the other family has its own everybody. */
static void fit_family(struct sl_datagram *d)
{
    static const uint8_t everybody[2][16] = {{255, 255, 255, 255}, {0xff, 0x02, [15] = 1}};
    if (d->destination.family == d->source.family)
        return;
    d->destination.family = d->source.family;
    memcpy(d->destination.address, everybody[d->source.family == 6], 16);
}

static int write_message(struct sl_log_writer *w, const struct sl_log_message *message,
                         const struct iovec *body, unsigned pieces, uint64_t size_bytes)
{
    struct pcap *pcap = w->state;
    struct sl_datagram d = {.destination = pcap->destinations[message->topic]};
    const void *bytes = pieces == 1 ? body[0].iov_base : NULL;
    if (pieces != 1) {
        sl_buffer_clear(&pcap->body);
        for (unsigned i = 0; i < pieces; i++)
            sl_buffer_put(&pcap->body, body[i].iov_base, body[i].iov_len);
        if (pcap->body.failed)
            return sl_error(-ENOMEM, "no memory to write a capture");
        bytes = pcap->body.bytes;
    }
    int err = sl_udp_packet_read(bytes, (size_t)size_bytes, &d);
    if (err)
        return err;
    d.time_ns = message->receive_ns;
    fit_family(&d);
    err = sl_capture_write_datagram(&pcap->capture, &d);
    return err ? err : emit(w);
}

static int do_nothing(struct sl_log_writer *w)
{
    (void)w;
    return 0; /* nothing is gathered */
}

static void destroy(struct sl_log_writer *w)
{
    struct pcap *pcap = w->state;
    free(pcap->destinations);
    sl_buffer_finish(&pcap->body);
    free(pcap);
}

static const struct sl_log_writer_operations operations = {
    .topic = write_topic,
    .message = write_message,
    .flush = do_nothing,
    .end = do_nothing,
    .destroy = destroy,
};

int sl_pcap_writer_create(const struct sl_log_sink *sink, enum sl_log_format format,
                          const struct sl_log_write_options *options,
                          struct sl_log_writer **ret_writer)
{
    const struct sl_capture_write_options form = {
        .format = format == SL_LOG_PCAPNG ? SL_CAPTURE_PCAPNG : SL_CAPTURE_PCAP,
        .link_type = SL_LINK_ETHERNET};
    if (options->compression)
        return sl_error(-EINVAL, "a capture is not compressed");
    struct pcap *pcap = malloc(sizeof *pcap);
    struct sl_log_writer *writer = NULL;
    if (!pcap)
        return sl_error(-ENOMEM, "no memory to write a capture");
    memset(pcap, 0, offsetof(struct pcap, bytes));
    pcap->out = sl_writer(pcap->bytes, sizeof pcap->bytes);
    int err = sl_log_writer_create(format, &operations, sink, options, pcap, &writer);
    if (err) {
        free(pcap);
        return err;
    }
    err = sl_capture_write_begin(&pcap->capture, &form, &pcap->out, NULL);
    if (!err)
        err = emit(writer);
    if (err) {
        sl_log_writer_destroy(writer);
        return err;
    }
    *ret_writer = writer;
    return 0;
}
