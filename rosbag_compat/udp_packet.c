/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/udp_packet.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/frame/cdr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_TEXT_BYTES INET6_ADDRSTRLEN

static int family_of(const struct sl_endpoint *endpoint)
{
    return endpoint->family == 6 ? AF_INET6 : AF_INET;
}

static struct sl_text address_text(const struct sl_endpoint *endpoint, char to[ADDRESS_TEXT_BYTES])
{
    inet_ntop(family_of(endpoint), endpoint->address, to, ADDRESS_TEXT_BYTES);
    return sl_text(to);
}

static void put(struct sl_cdr_writer *w, const struct sl_datagram *d)
{
    char address[ADDRESS_TEXT_BYTES];
    sl_cdr_put_u32(w, (uint32_t)(d->time_ns / SL_NS_PER_S));
    sl_cdr_put_u32(w, (uint32_t)(d->time_ns % SL_NS_PER_S));
    sl_cdr_put_text(w, sl_text("")); /* frame_id */
    sl_cdr_put_text(w, address_text(&d->source, address));
    sl_cdr_put_u16(w, d->source.port);
    sl_cdr_put_u32(w, d->size_bytes);
}

size_t sl_udp_packet_size(const struct sl_datagram *datagram)
{
    uint8_t head[SL_UDP_PACKET_MORE_BYTES];
    struct sl_cdr_writer w = sl_cdr_write(head, sizeof head);
    put(&w, datagram);
    return sl_cdr_written(&w) + datagram->size_bytes;
}

void sl_udp_packet_write(const struct sl_datagram *datagram, void *to)
{
    struct sl_cdr_writer w = sl_cdr_write(to, SL_UDP_PACKET_MORE_BYTES + SL_DATAGRAM_MAX_BYTES);
    put(&w, datagram);
    sl_writer_bytes(&w.bytes, datagram->bytes, datagram->size_bytes);
}

static bool parse_address(struct sl_text text, struct sl_endpoint *endpoint)
{
    char copy[ADDRESS_TEXT_BYTES];
    if (text.size >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", SL_TEXT_ARGS(text));
    memset(endpoint->address, 0, sizeof endpoint->address);
    endpoint->family = strchr(copy, ':') ? 6 : 4;
    return inet_pton(family_of(endpoint), copy, endpoint->address) == 1;
}

int sl_udp_packet_read(const void *body, size_t size_bytes, struct sl_datagram *ret_datagram)
{
    struct sl_cdr_reader r;
    struct sl_datagram d = {.destination = ret_datagram->destination};
    int err = sl_cdr_read(body, size_bytes, &r);
    if (err)
        return err;
    d.time_ns = sl_cdr_u32(&r) * SL_NS_PER_S;
    d.time_ns += sl_cdr_u32(&r);
    sl_cdr_text(&r);
    struct sl_text address = sl_cdr_text(&r);
    d.source.port = sl_cdr_u16(&r);
    d.size_bytes = sl_cdr_count(&r, 1);
    d.bytes = sl_reader_take(&r.bytes, d.size_bytes);
    if (r.bytes.failed)
        return sl_error(-EBADMSG, "a message is no " SL_UDP_PACKET_TYPE ": it ends too early");
    if (d.size_bytes > SL_DATAGRAM_MAX_BYTES)
        return sl_error(-EBADMSG, "a message holds %u bytes, more than a datagram can",
                        d.size_bytes);
    if (!parse_address(address, &d.source))
        return sl_error(-EBADMSG, "a message comes from '%.*s', which is no IP address",
                        (int)(address.size < 64 ? address.size : 64), address.at ? address.at : "");
    *ret_datagram = d;
    return 0;
}

void sl_endpoint_print(const struct sl_endpoint *endpoint, char ret_text[SL_ENDPOINT_TEXT_BYTES])
{
    char address[ADDRESS_TEXT_BYTES];
    address_text(endpoint, address);
    snprintf(ret_text, SL_ENDPOINT_TEXT_BYTES, endpoint->family == 6 ? "[%s]:%u" : "%s:%u", address,
             endpoint->port);
}

int sl_endpoint_parse(const char *text, struct sl_endpoint *ret_endpoint)
{
    struct sl_endpoint endpoint = {0};
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    struct sl_text address = {text, colon ? (size_t)(colon - text) : 0};
    if (address.size > 2 && text[0] == '[' && text[address.size - 1] == ']')
        address = (struct sl_text){text + 1, address.size - 2};
    if (!colon || end == colon + 1 || *end || port > UINT16_MAX ||
        !parse_address(address, &endpoint))
        return sl_error(-EINVAL, "'%.80s' is no address and port", text);
    endpoint.port = (uint16_t)port;
    *ret_endpoint = endpoint;
    return 0;
}
