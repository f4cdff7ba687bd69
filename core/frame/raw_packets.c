/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/raw_packets.h"

#include "core/base/error.h"
#include "core/frame/message.h"

#include <errno.h>

#define STAMP_BYTES 8

enum head {
    HEAD_NONE,   /* one packet, and nothing else */
    HEAD_LAYOUT, /* std_msgs/MultiArrayLayout: dimensions, of which there are none, and an offset */
    HEAD_LIST,   /* std_msgs/Header, and how many packets with stamps follow */
};

struct sl_raw_packets_form {
    const char *package, *name;
    enum head head;
    uint32_t room; /* bytes that each packet has; 0 = their number stands before them */
    bool has_size; /* how many of `room` count stands behind them */
};

static const struct sl_raw_packets_form forms[] = {
    {"velodyne_msgs", "VelodyneScan", HEAD_LIST, 1206, false},
    {"pandar_msgs", "PandarScan", HEAD_LIST, 1500, true},
    {"nebula_msgs", "NebulaPackets", HEAD_LIST, 0, false},
    {"ouster_ros", "PacketMsg", HEAD_NONE, 0, false},
    {"ouster_msgs", "PacketMsg", HEAD_NONE, 0, false},
    {"ouster_sensor_msgs", "PacketMsg", HEAD_NONE, 0, false},
    {"std_msgs", "UInt8MultiArray", HEAD_LAYOUT, 0, false},
};

/* NULL: no such type. */
static const struct sl_raw_packets_form *find_form(const char *type, bool *ret_is_ros1)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t length = strlen(forms[i].package);
        if (strncmp(type, forms[i].package, length) != 0 || type[length] != '/')
            continue;
        const char *name = type + length + 1;
        bool is_ros1 = strncmp(name, "msg/", 4) != 0;
        if (strcmp(is_ros1 ? name : name + 4, forms[i].name) != 0)
            continue;
        *ret_is_ros1 = is_ros1;
        return &forms[i];
    }
    return NULL;
}

bool sl_raw_packets_is_type(const char *type)
{
    bool is_ros1;
    return find_form(type, &is_ros1) != NULL;
}

static uint32_t take_u32(struct sl_raw_packets *p)
{
    return p->is_ros1 ? sl_reader_le32(&p->r.bytes) : sl_cdr_u32(&p->r);
}

static int64_t take_stamp(struct sl_raw_packets *p)
{
    uint32_t sec = take_u32(p);
    uint32_t nanosec = take_u32(p);
    return sl_stamp_join((int32_t)sec, nanosec);
}

/* Texts are passed over: in ROS 1 without, in CDR with their NUL. */
static void skip_header(struct sl_raw_packets *p)
{
    if (p->is_ros1)
        take_u32(p); /* its number */
    take_stamp(p);
    uint32_t size = take_u32(p);
    sl_reader_skip(&p->r.bytes, size);
}

static uint32_t least_bytes(const struct sl_raw_packets_form *form)
{
    return STAMP_BYTES + (form->room ? form->room : 4) + (form->has_size ? 4 : 0);
}

static void take_head(struct sl_raw_packets *p)
{
    p->left = 1;
    if (p->form->head == HEAD_LAYOUT && take_u32(p) != 0)
        p->r.bytes.failed = true;
    if (p->form->head == HEAD_LAYOUT)
        take_u32(p);
    if (p->form->head != HEAD_LIST)
        return;
    skip_header(p);
    p->left = take_u32(p);
    if (p->left > sl_reader_left(&p->r.bytes) / least_bytes(p->form))
        p->r.bytes.failed = true;
}

static int result(const struct sl_raw_packets *p)
{
    if (!p->r.bytes.failed)
        return 0;
    return sl_error(-EBADMSG, "no %s: it ends, or makes no sense, at byte %zu", p->type,
                    sl_reader_offset(&p->r.bytes));
}

int sl_raw_packets_begin(const char *type, const void *body, size_t size,
                         struct sl_raw_packets *ret_packets)
{
    struct sl_raw_packets p = {.type = type};
    p.form = find_form(type, &p.is_ros1);
    if (!p.form)
        return sl_error(-EPROTONOSUPPORT,
                        "%s holds no raw packets that are known; there are velodyne_msgs' "
                        "VelodyneScan, pandar_msgs' PandarScan, nebula_msgs' NebulaPackets and "
                        "Ouster's PacketMsg",
                        type);
    if (p.is_ros1)
        p.r = (struct sl_cdr_reader){.bytes = sl_reader(body, size)};
    int err = p.is_ros1 ? 0 : sl_cdr_read(body, size, &p.r);
    if (err < 0)
        return err;
    take_head(&p);
    if ((err = result(&p)) < 0)
        return err;
    *ret_packets = p;
    return 0;
}

int sl_raw_packets_next(struct sl_raw_packets *p, struct sl_raw_packet *ret_packet)
{
    int err = result(p);
    if (err < 0 || p->left == 0)
        return err;
    struct sl_raw_packet packet = {0};
    if (p->form->head == HEAD_LIST)
        packet.stamp_ns = take_stamp(p);
    uint32_t room = p->form->room ? p->form->room : take_u32(p);
    packet.bytes = sl_reader_take(&p->r.bytes, room);
    packet.size = p->form->has_size ? take_u32(p) : room;
    if (packet.size > room)
        p->r.bytes.failed = true;
    if ((err = result(p)) < 0)
        return err;
    p->left--;
    *ret_packet = packet;
    return 1;
}
