/* SPDX-License-Identifier: Apache-2.0 */
#include "core/capture/live.h"

#include <errno.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/link.h"

#define ANY_INTERFACE    "any"
#define NAMES_MAX        256   /* of the list of interfaces in a sentence */
#define TIMEOUT_MS       10    /* unused in immediate mode, but libpcap wants one */
#define MTU_MAX          65536 /* the loopback's */
#define LINK_HEADERS_MAX 64    /* Ethernet with tags, cooked headers */

/* In files raw IP has a number of its own; in memory it is the platform's. */
static int to_dlt(uint32_t link_type)
{
    return link_type == SL_LINK_RAW || link_type == SL_LINK_RAW_OPENBSD ||
                   link_type == SL_LINK_RAW_BSD
               ? DLT_RAW
               : (int)link_type;
}

static uint32_t from_dlt(int dlt)
{
    return dlt == DLT_RAW ? SL_LINK_RAW : (uint32_t)dlt;
}

/* ---- filter ---- */

struct compiled {
    uint32_t link_type;
    struct bpf_program program;
};

struct sl_filter {
    char *text;
    unsigned count;
    struct compiled compiled[SL_FILTER_LINK_TYPES_MAX];
};

static int compile(struct sl_filter *filter, uint32_t link_type, struct compiled **ret)
{
    if (filter->count == SL_FILTER_LINK_TYPES_MAX)
        return sl_error(-EOVERFLOW, "filter \"%s\": more than %d link types in one capture",
                        filter->text, SL_FILTER_LINK_TYPES_MAX);
    pcap_t *dead = pcap_open_dead(to_dlt(link_type), SL_CAPTURE_RECORD_MAX_BYTES);
    if (!dead)
        return sl_error(-ENOMEM, "filter \"%s\": no memory", filter->text);
    struct compiled *compiled = &filter->compiled[filter->count];
    int err = 0;
    if (pcap_compile(dead, &compiled->program, filter->text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        err = sl_error(-EINVAL, "filter \"%s\": %s (the language is that of man pcap-filter)",
                       filter->text, pcap_geterr(dead));
    } else {
        compiled->link_type = link_type;
        filter->count++;
        *ret = compiled;
    }
    pcap_close(dead);
    return err;
}

int sl_filter_create(const char *text, struct sl_filter **ret_filter)
{
    struct sl_filter *filter = calloc(1, sizeof *filter);
    if (filter)
        filter->text = strdup(text);
    if (!filter || !filter->text) {
        sl_filter_destroy(filter);
        return sl_error(-ENOMEM, "filter \"%s\": no memory", text);
    }
    /* Ethernet knows every word of the language: what it refuses is wrong everywhere. */
    struct compiled *compiled;
    int err = compile(filter, SL_LINK_ETHERNET, &compiled);
    if (err) {
        sl_filter_destroy(filter);
        return err;
    }
    *ret_filter = filter;
    return 0;
}

void sl_filter_destroy(struct sl_filter *filter)
{
    if (!filter)
        return;
    for (unsigned i = 0; i < filter->count; i++)
        pcap_freecode(&filter->compiled[i].program);
    free(filter->text);
    free(filter);
}

int sl_filter_match(struct sl_filter *filter, const struct sl_capture_record *record)
{
    struct compiled *compiled = NULL;
    for (unsigned i = 0; i < filter->count && !compiled; i++)
        if (filter->compiled[i].link_type == record->link_type)
            compiled = &filter->compiled[i];
    if (!compiled) {
        int err = compile(filter, record->link_type, &compiled);
        if (err)
            return err;
    }
    const struct pcap_pkthdr header = {
        .caplen = record->captured_bytes,
        .len = record->original_bytes,
    };
    return pcap_offline_filter(&compiled->program, &header, record->bytes) != 0;
}

/* ---- live ---- */

struct sl_live {
    pcap_t *pcap;
    int fd;
    uint32_t link_type;
    uint64_t tick_ns;
    char interface[IF_NAMESIZE];
    struct sl_live_statistics statistics;
    uint32_t last_received; /* libpcap counts in 32 bits that wrap */
    uint32_t last_kernel_drops;
    uint32_t last_interface_drops;
};

void sl_live_close(struct sl_live *live)
{
    if (!live)
        return;
    if (live->pcap)
        pcap_close(live->pcap);
    free(live);
}

static void list_interfaces(char *ret_text, size_t size_bytes)
{
    size_t used = 0;
    struct if_nameindex *names = if_nameindex();
    snprintf(ret_text, size_bytes, "none");
    for (struct if_nameindex *name = names; name && name->if_index && used < size_bytes; name++)
        used += (size_t)snprintf(ret_text + used, size_bytes - used, "%s%s", used ? ", " : "",
                                 name->if_name);
    if (names)
        if_freenameindex(names);
}

/* libpcap's numbers as ours, with a sentence that says what to do. */
static int explain(const struct sl_live *live, int status)
{
    char names[NAMES_MAX];
    const char *said = live->pcap ? pcap_geterr(live->pcap) : "";
    switch (status) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
        list_interfaces(names, sizeof names);
        return sl_error(-ENODEV, "live capture: no interface %s (there are: %s)", live->interface,
                        names);
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return sl_error(-EPERM,
                        "live capture on %s: not permitted; run as root, or once as root: setcap "
                        "cap_net_raw+ep on the program (in a container: --cap-add NET_RAW)",
                        live->interface);
    case PCAP_ERROR_IFACE_NOT_UP:
        return sl_error(-ENETDOWN, "live capture on %s: the interface is down; ip link set %s up",
                        live->interface, live->interface);
    default:
        return sl_error(-EIO, "live capture on %s: %s", live->interface,
                        *said ? said : pcap_statustostr(status));
    }
}

/* The kernel's ring has equal places of this size: the smaller, the more packets it holds. */
static int snap_bytes(const struct sl_live *live)
{
    struct ifreq request = {0};
    int mtu = MTU_MAX;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", live->interface);
    if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0 &&
        request.ifr_mtu < MTU_MAX)
        mtu = request.ifr_mtu;
    if (fd >= 0)
        close(fd);
    return mtu + LINK_HEADERS_MAX;
}

static int activate(struct sl_live *live, const struct sl_live_options *options)
{
    uint32_t buffer = options->buffer_bytes ? options->buffer_bytes : SL_LIVE_BUFFER_BYTES;
    pcap_set_snaplen(live->pcap, snap_bytes(live));
    pcap_set_promisc(live->pcap, options->promiscuous);
    pcap_set_timeout(live->pcap, TIMEOUT_MS);
    pcap_set_immediate_mode(live->pcap, 1);
    pcap_set_buffer_size(live->pcap, (int)buffer);
    bool ns = pcap_set_tstamp_precision(live->pcap, PCAP_TSTAMP_PRECISION_NANO) == 0;
    int status = pcap_activate(live->pcap);
    if (status < 0)
        return explain(live, status);
    live->tick_ns = ns ? 1 : SL_NS_PER_US;
    live->link_type = from_dlt(pcap_datalink(live->pcap));
    if (!sl_link_is_known(live->link_type))
        return sl_error(-ENOTSUP, "live capture on %s: link type %u is unknown", live->interface,
                        live->link_type);
    return 0;
}

static int set_filter(struct sl_live *live, const char *text)
{
    struct bpf_program program;
    if (!text || !*text)
        return 0;
    if (pcap_compile(live->pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return sl_error(-EINVAL, "filter \"%s\": %s (the language is that of man pcap-filter)",
                        text, pcap_geterr(live->pcap));
    int status = pcap_setfilter(live->pcap, &program);
    pcap_freecode(&program);
    return status < 0 ? explain(live, status) : 0;
}

static int open_live(struct sl_live *live, const struct sl_live_options *options)
{
    char said[PCAP_ERRBUF_SIZE] = "";
    /* Asked for here, as libpcap may report an absent interface as a missing permission. */
    if (strcmp(options->interface, ANY_INTERFACE) != 0 && !if_nametoindex(options->interface))
        return explain(live, PCAP_ERROR_NO_SUCH_DEVICE);
    live->pcap = pcap_create(options->interface, said);
    if (!live->pcap)
        return sl_error(-EIO, "live capture on %s: %s", live->interface, said);
    int err = activate(live, options);
    if (!err)
        err = set_filter(live, options->filter);
    if (err)
        return err;
    if (pcap_setnonblock(live->pcap, 1, said) < 0)
        return sl_error(-EIO, "live capture on %s: %s", live->interface, said);
    live->fd = pcap_get_selectable_fd(live->pcap);
    if (live->fd < 0)
        return sl_error(-EIO, "live capture on %s: nothing to wait on", live->interface);
    return 0;
}

int sl_live_open(const struct sl_live_options *options, struct sl_live **ret_live)
{
    struct sl_live *live = calloc(1, sizeof *live);
    if (!live)
        return sl_error(-ENOMEM, "live capture: no memory");
    live->fd = -1;
    snprintf(live->interface, sizeof live->interface, "%s", options->interface);
    int err = open_live(live, options);
    if (err) {
        sl_live_close(live);
        return err;
    }
    *ret_live = live;
    return 0;
}

/* libpcap has one number for all that can happen later, and tells them apart in words only. */
static int why_ended(const struct sl_live *live)
{
    if (strcmp(live->interface, ANY_INTERFACE) != 0 && !if_nametoindex(live->interface))
        return PCAP_ERROR_NO_SUCH_DEVICE;
    return strstr(pcap_geterr(live->pcap), "down") ? PCAP_ERROR_IFACE_NOT_UP : PCAP_ERROR;
}

int sl_live_next(struct sl_live *live, struct sl_capture_record *ret_record)
{
    struct pcap_pkthdr *header;
    const u_char *bytes;
    int status = pcap_next_ex(live->pcap, &header, &bytes);
    if (status < 0)
        return explain(live, why_ended(live));
    if (status == 0)
        return 0;
    /* With nanoseconds asked for, libpcap puts them into the field named for microseconds. */
    *ret_record = (struct sl_capture_record){
        .bytes = bytes,
        .captured_bytes = header->caplen,
        .original_bytes = header->len > header->caplen ? header->len : header->caplen,
        .link_type = live->link_type,
        .time_ns = (uint64_t)header->ts.tv_sec * SL_NS_PER_S +
                   (uint64_t)header->ts.tv_usec * live->tick_ns,
    };
    return 1;
}

int sl_live_fd(const struct sl_live *live)
{
    return live->fd;
}

/* Add what a counter of 32 bits grew by since the last look. */
static void add_growth(uint64_t *sum, uint32_t *last, uint32_t now)
{
    *sum += (uint32_t)(now - *last);
    *last = now;
}

int sl_live_statistics(struct sl_live *live, struct sl_live_statistics *ret_statistics)
{
    struct pcap_stat now;
    if (pcap_stats(live->pcap, &now) < 0)
        return explain(live, PCAP_ERROR);
    add_growth(&live->statistics.received, &live->last_received, now.ps_recv);
    add_growth(&live->statistics.kernel_drops, &live->last_kernel_drops, now.ps_drop);
    add_growth(&live->statistics.interface_drops, &live->last_interface_drops, now.ps_ifdrop);
    *ret_statistics = live->statistics;
    return 0;
}
