/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/ros1_records.h"

#include "core/base/clock.h"
#include "core/base/error.h"

#include <errno.h>

uint64_t sl_ros1_time(struct sl_reader *r)
{
    uint64_t seconds = sl_reader_le32(r);
    return seconds * SL_NS_PER_S + sl_reader_le32(r);
}

int sl_ros1_next_field(struct sl_reader *fields, struct sl_text *ret_name,
                       struct sl_text *ret_value)
{
    if (!fields->failed && sl_reader_left(fields) == 0)
        return 0;
    uint32_t size = sl_reader_le32(fields);
    const char *at = (const char *)sl_reader_take(fields, size);
    const char *equals = at ? memchr(at, '=', size) : NULL;
    if (!equals)
        return sl_error(-EBADMSG, "a record's header is no list of fields");
    *ret_name = (struct sl_text){at, (size_t)(equals - at)};
    *ret_value = (struct sl_text){equals + 1, size - ret_name->size - 1};
    return 1;
}

enum field_kind {
    FIELD_U8,
    FIELD_U32,
    FIELD_U64,
    FIELD_TIME,
    FIELD_TEXT
};

#define FIELD(name, kind, member)                                            \
    {                                                                        \
        name, sizeof name - 1, kind, offsetof(struct sl_ros1_header, member) \
    }
static const struct {
    const char *name;
    size_t name_size;
    enum field_kind kind;
    size_t offset;
} known[] = {
    FIELD("op", FIELD_U8, op),
    FIELD("conn", FIELD_U32, conn),
    FIELD("time", FIELD_TIME, time_ns),
    FIELD("topic", FIELD_TEXT, topic),
    FIELD("size", FIELD_U32, size),
    FIELD("compression", FIELD_TEXT, compression),
    FIELD("ver", FIELD_U32, ver),
    FIELD("count", FIELD_U32, count),
    FIELD("index_pos", FIELD_U64, index_pos),
    FIELD("conn_count", FIELD_U32, conn_count),
    FIELD("chunk_count", FIELD_U32, chunk_count),
    FIELD("chunk_pos", FIELD_U64, chunk_pos),
    FIELD("start_time", FIELD_TIME, start_ns),
    FIELD("end_time", FIELD_TIME, end_ns),
    FIELD("encryptor", FIELD_TEXT, encryptor),
};
static const size_t kind_sizes[] = {
    [FIELD_U8] = 1, [FIELD_U32] = 4, [FIELD_U64] = 8, [FIELD_TIME] = 8};

static int take_field(struct sl_ros1_header *header, struct sl_text name, struct sl_text value)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].name_size != name.size || memcmp(known[i].name, name.at, name.size) != 0)
            continue;
        uint8_t *to = (uint8_t *)header + known[i].offset;
        struct sl_reader r = sl_reader(value.at, value.size);
        if (known[i].kind != FIELD_TEXT && value.size != kind_sizes[known[i].kind])
            return sl_error(-EBADMSG, "a record's field %s has %zu bytes", known[i].name,
                            value.size);
        if (known[i].kind == FIELD_U8)
            *to = sl_reader_u8(&r);
        else if (known[i].kind == FIELD_U32)
            *(uint32_t *)to = sl_reader_le32(&r);
        else if (known[i].kind == FIELD_U64)
            *(uint64_t *)to = sl_reader_le64(&r);
        else if (known[i].kind == FIELD_TIME)
            *(uint64_t *)to = sl_ros1_time(&r);
        else
            *(struct sl_text *)to = value;
        return 0;
    }
    return 0; /* somebody else's */
}

int sl_ros1_read_header(struct sl_reader fields, struct sl_ros1_header *ret)
{
    struct sl_text name;
    struct sl_text value;
    int result;
    *ret = (struct sl_ros1_header){0};
    while ((result = sl_ros1_next_field(&fields, &name, &value)) == 1) {
        int err = take_field(ret, name, value);
        if (err)
            return err;
    }
    if (result == 0 && ret->op == 0)
        return sl_error(-EBADMSG, "a record's header has no op");
    return result;
}

int sl_ros1_next_record(struct sl_reader *r, struct sl_ros1_header *ret_header,
                        struct sl_reader *ret_data)
{
    if (!r->failed && sl_reader_left(r) == 0)
        return 0;
    const uint8_t *start = r->at;
    uint32_t header_size = sl_reader_le32(r);
    const uint8_t *header = sl_reader_take(r, header_size);
    uint32_t data_size = sl_reader_le32(r);
    const uint8_t *data = sl_reader_take(r, data_size);
    int err = r->failed ? sl_error(-EBADMSG, "a record is cut off")
                        : sl_ros1_read_header(sl_reader(header, header_size), ret_header);
    if (err) {
        r->at = start;
        return err;
    }
    *ret_data = sl_reader(data, data_size);
    return 1;
}
