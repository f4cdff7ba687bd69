/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/ros1_type.h"

#include "core/base/error.h"
#include "core/frame/cdr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PARTS_MAX        64 /* types that one is made of; a test checks the tables */
#define LINE_MAX_BYTES   256
#define STRING_SIZE_MIN  4
#define MESSAGE_SIZE_MIN 1

static const char rule[] =
    "================================================================================\n";

/* Lines that only the definition has, before those of the members. */
static const struct {
    const char *type, *lines;
} constants[] = {
    {"sensor_msgs/msg/PointField", "uint8 INT8=1\nuint8 UINT8=2\nuint8 INT16=3\nuint8 UINT16=4\n"
                                   "uint8 INT32=5\nuint8 UINT32=6\nuint8 FLOAT32=7\n"
                                   "uint8 FLOAT64=8\n"},
    {"sensor_msgs/msg/NavSatStatus",
     "int8 STATUS_NO_FIX=-1\nint8 STATUS_FIX=0\nint8 STATUS_SBAS_FIX=1\nint8 STATUS_GBAS_FIX=2\n"
     "uint16 SERVICE_GPS=1\nuint16 SERVICE_GLONASS=2\nuint16 SERVICE_COMPASS=4\n"
     "uint16 SERVICE_GALILEO=8\n"},
    {"sensor_msgs/msg/NavSatFix",
     "uint8 COVARIANCE_TYPE_UNKNOWN=0\nuint8 COVARIANCE_TYPE_APPROXIMATED=1\n"
     "uint8 COVARIANCE_TYPE_DIAGONAL_KNOWN=2\nuint8 COVARIANCE_TYPE_KNOWN=3\n"},
    {"sensor_msgs/msg/BatteryState",
     "uint8 POWER_SUPPLY_STATUS_UNKNOWN=0\nuint8 POWER_SUPPLY_STATUS_CHARGING=1\n"
     "uint8 POWER_SUPPLY_STATUS_DISCHARGING=2\nuint8 POWER_SUPPLY_STATUS_NOT_CHARGING=3\n"
     "uint8 POWER_SUPPLY_STATUS_FULL=4\nuint8 POWER_SUPPLY_HEALTH_UNKNOWN=0\n"
     "uint8 POWER_SUPPLY_HEALTH_GOOD=1\nuint8 POWER_SUPPLY_HEALTH_OVERHEAT=2\n"
     "uint8 POWER_SUPPLY_HEALTH_DEAD=3\nuint8 POWER_SUPPLY_HEALTH_OVERVOLTAGE=4\n"
     "uint8 POWER_SUPPLY_HEALTH_UNSPEC_FAILURE=5\nuint8 POWER_SUPPLY_HEALTH_COLD=6\n"
     "uint8 POWER_SUPPLY_HEALTH_WATCHDOG_TIMER_EXPIRE=7\n"
     "uint8 POWER_SUPPLY_HEALTH_SAFETY_TIMER_EXPIRE=8\nuint8 POWER_SUPPLY_TECHNOLOGY_UNKNOWN=0\n"
     "uint8 POWER_SUPPLY_TECHNOLOGY_NIMH=1\nuint8 POWER_SUPPLY_TECHNOLOGY_LION=2\n"
     "uint8 POWER_SUPPLY_TECHNOLOGY_LIPO=3\nuint8 POWER_SUPPLY_TECHNOLOGY_LIFE=4\n"
     "uint8 POWER_SUPPLY_TECHNOLOGY_NICD=5\nuint8 POWER_SUPPLY_TECHNOLOGY_LIMN=6\n"},
};

/* Packages that ROS 1 has not, or has with other members. */
static const char *const foreign[] = {"builtin_interfaces/", "rcl_interfaces/", "nebula_msgs/"};

static bool is(const struct sl_schema *schema, const char *name)
{
    return strcmp(schema->name, name) == 0;
}

/* "time" and "duration", or NULL. */
static const char *time_kind(const struct sl_schema *schema)
{
    return is(schema, "builtin_interfaces/msg/Time")       ? "time"
           : is(schema, "builtin_interfaces/msg/Duration") ? "duration"
                                                           : NULL;
}

/* Definitions. --------------------------------------------------------------------------------- */

static void put(struct sl_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct sl_buffer *b, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    b->failed |= length < 0 || length >= (int)sizeof line; /* a test makes all of them */
    sl_buffer_put(b, line, b->failed ? 0 : (size_t)length);
}

/* "std_msgs/msg/Header" as "std_msgs/Header" */
static void name_of(const struct sl_schema *schema, char ret_name[128])
{
    const char *middle = strstr(schema->name, "/msg/");
    if (middle)
        snprintf(ret_name, 128, "%.*s/%s", (int)(middle - schema->name), schema->name, middle + 5);
    else
        snprintf(ret_name, 128, "%s", schema->name);
}

static const char *member_name(const struct sl_schema *schema, const struct sl_member *m)
{
    static const char *const matrices[] = {"D", "K", "R", "P"}, *const ours = "dkrp";
    const char *at = m->name[0] && !m->name[1] ? strchr(ours, m->name[0]) : NULL;
    return at && is(schema, "sensor_msgs/msg/CameraInfo") ? matrices[at - ours] : m->name;
}

static void put_shape(struct sl_buffer *b, const struct sl_member *m)
{
    if (m->shape == SL_SHAPE_ARRAY)
        put(b, "[%u]", m->count);
    else if (m->shape == SL_SHAPE_SEQUENCE)
        put(b, "[]");
}

static void put_constants(struct sl_buffer *b, const struct sl_schema *schema)
{
    for (unsigned i = 0; i < sizeof constants / sizeof *constants; i++)
        if (is(schema, constants[i].type))
            sl_buffer_put(b, constants[i].lines, strlen(constants[i].lines));
}

/* The type's own lines. With `for_sum` a part's name is its sum. */
static void put_lines(struct sl_buffer *b, const struct sl_schema *schema, bool for_sum);

static void put_sum(struct sl_buffer *b, const struct sl_schema *schema)
{
    struct sl_buffer text = {0};
    char sum[SL_MD5_TEXT_BYTES];
    put_lines(&text, schema, true);
    if (!text.failed)
        sl_md5_text(text.bytes, text.size_bytes > 0 ? text.size_bytes - 1 : 0, sum);
    b->failed |= text.failed;
    if (!b->failed)
        put(b, "%s", sum);
    sl_buffer_finish(&text);
}

static void put_member(struct sl_buffer *b, const struct sl_schema *schema,
                       const struct sl_member *m, bool for_sum)
{
    const char *kind = m->kind == SL_KIND_MESSAGE ? time_kind(m->type) : sl_kind_name(m->kind);
    char name[128];
    if (kind) {
        put(b, "%s", kind);
    } else if (for_sum) {
        put_sum(b, m->type);
    } else {
        name_of(m->type, name);
        put(b, "%s", name);
    }
    if (kind || !for_sum)
        put_shape(b, m);
    put(b, " %s\n", member_name(schema, m));
}

static void put_lines(struct sl_buffer *b, const struct sl_schema *schema, bool for_sum)
{
    put_constants(b, schema);
    if (is(schema, "std_msgs/msg/Header"))
        put(b, "uint32 seq\n");
    for (unsigned i = 0; i < schema->member_count; i++)
        put_member(b, schema, &schema->members[i], for_sum);
}

/* The types of a message's members behind those that are listed, each once. */
static unsigned list_parts(const struct sl_schema *schema, const struct sl_schema **parts,
                           unsigned count)
{
    for (unsigned i = 0; i < schema->member_count; i++) {
        const struct sl_schema *type = schema->members[i].type;
        unsigned k = 0;
        while (k < count && parts[k] != type)
            k++;
        if (type && !time_kind(type) && k == count && count < PARTS_MAX)
            parts[count++] = type;
    }
    return count;
}

static void put_definition(struct sl_buffer *b, const struct sl_schema *schema)
{
    const struct sl_schema *parts[PARTS_MAX] = {schema};
    unsigned count = 1;
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            char name[128];
            name_of(parts[i], name);
            put(b, "%sMSG: %s\n", rule, name);
        }
        put_lines(b, parts[i], false);
        count = list_parts(parts[i], parts, count);
    }
}

int sl_ros1_type_make(const struct sl_schema *schema, struct sl_ros1_type *ret_type)
{
    struct sl_ros1_type type = {0};
    struct sl_buffer sum = {0};
    for (unsigned i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strncmp(schema->name, foreign[i], strlen(foreign[i])) == 0)
            return sl_error(-ENOTSUP, "ROS 1 has no type %s", schema->name);
    name_of(schema, type.name);
    put_definition(&type.definition, schema);
    put_sum(&sum, schema);
    bool failed = type.definition.failed || sum.failed;
    if (!failed)
        memcpy(type.md5, sum.bytes, SL_MD5_TEXT_BYTES - 1);
    sl_buffer_finish(&sum);
    if (failed) {
        sl_ros1_type_finish(&type);
        return sl_error(-ENOMEM, "no memory for the definition of %s", schema->name);
    }
    *ret_type = type;
    return 0;
}

void sl_ros1_type_finish(struct sl_ros1_type *type)
{
    sl_buffer_finish(&type->definition);
}

/* Messages. ------------------------------------------------------------------------------------ */

struct copy {
    struct sl_cdr_reader from;
    struct sl_buffer *to;
    uint32_t sequence;
};

static void copy_message(struct copy *c, const struct sl_schema *schema, unsigned depth);

static void copy_number(struct copy *c, size_t size)
{
    switch (size) {
    case 1:
        sl_buffer_u8(c->to, sl_cdr_u8(&c->from));
        break;
    case 2:
        sl_buffer_le16(c->to, sl_cdr_u16(&c->from));
        break;
    case 4:
        sl_buffer_le32(c->to, sl_cdr_u32(&c->from));
        break;
    default:
        sl_buffer_le64(c->to, sl_cdr_u64(&c->from));
        break;
    }
}

/* As they are, if they are in the order of bytes that is wanted. */
static void copy_numbers(struct copy *c, size_t size, uint32_t count)
{
    if (c->from.big_endian && size > 1) {
        for (uint32_t i = 0; i < count; i++)
            copy_number(c, size);
        return;
    }
    if (count == 0)
        return;
    sl_cdr_align(&c->from, size);
    const uint8_t *numbers = sl_reader_take(&c->from.bytes, count * size);
    sl_buffer_put(c->to, numbers, numbers ? count * size : 0);
}

static void copy_text(struct copy *c)
{
    struct sl_text text = sl_cdr_text(&c->from);
    sl_buffer_le32(c->to, (uint32_t)text.size);
    sl_buffer_put(c->to, text.at, text.size);
}

static uint32_t count_of(struct copy *c, const struct sl_member *m)
{
    if (m->shape == SL_SHAPE_ONE)
        return 1;
    if (m->shape == SL_SHAPE_ARRAY)
        return m->count;
    size_t least = sl_kind_size(m->kind);
    if (least == 0)
        least = m->kind == SL_KIND_STRING ? STRING_SIZE_MIN : MESSAGE_SIZE_MIN;
    uint32_t count = sl_cdr_count(&c->from, least);
    if (m->count > 0 && count > m->count)
        c->from.bytes.failed = true;
    sl_buffer_le32(c->to, count);
    return count;
}

static void copy_member(struct copy *c, const struct sl_member *m, unsigned depth)
{
    uint32_t count = count_of(c, m);
    size_t size = sl_kind_size(m->kind);
    if (size > 0) {
        copy_numbers(c, size, count);
        return;
    }
    for (uint32_t i = 0; i < count && !c->from.bytes.failed && !c->to->failed; i++) {
        if (m->kind == SL_KIND_STRING)
            copy_text(c);
        else
            copy_message(c, m->type, depth + 1);
    }
}

static void copy_message(struct copy *c, const struct sl_schema *schema, unsigned depth)
{
    if (is(schema, "std_msgs/msg/Header"))
        sl_buffer_le32(c->to, depth == 1 ? c->sequence : 0);
    for (unsigned i = 0; i < schema->member_count && !c->from.bytes.failed; i++)
        copy_member(c, &schema->members[i], depth);
}

int sl_ros1_from_cdr(const struct sl_schema *schema, const void *body, size_t size_bytes,
                     uint32_t sequence, struct sl_buffer *to)
{
    struct copy c = {.to = to, .sequence = sequence};
    int err = sl_cdr_read(body, size_bytes, &c.from);
    if (err < 0)
        return sl_error_at(err, "%s", schema->name);
    copy_message(&c, schema, 0);
    if (to->failed)
        return sl_error(-ENOMEM, "no memory for a message of %s", schema->name);
    return c.from.bytes.failed
               ? sl_error(-EBADMSG, "a body of %zu bytes is no %s", size_bytes, schema->name)
               : 0;
}
