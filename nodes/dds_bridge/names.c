/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/dds_bridge/names.h"

#include "core/base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX    "rt"     /* of topics; services have rq and rr */
#define NAMESPACE "dds_::" /* before the last part of a type */

static bool is_name(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '/')
            return false;
    return text[0] != '\0';
}

static unsigned count_of(const char *text, char wanted)
{
    unsigned count = 0;
    for (const char *c = text; *c; c++)
        count += *c == wanted;
    return count;
}

int bridge_topic_to_dds(const char *topic, char ret_topic[BRIDGE_TOPIC_MAX])
{
    if (topic[0] != '/' || !is_name(topic) || strlen(topic) >= SL_TOPIC_MAX)
        return sl_error(-EINVAL,
                        "topic %s: DDS allows only letters, digits, '_' and '/'; give it another "
                        "name there with as=/NAME",
                        topic);
    snprintf(ret_topic, BRIDGE_TOPIC_MAX, PREFIX "%s", topic);
    return 0;
}

int bridge_topic_from_dds(const char *topic, char ret_topic[SL_TOPIC_MAX])
{
    const size_t prefix = strlen(PREFIX);
    if (strncmp(topic, PREFIX "/", prefix + 1) != 0 || !is_name(topic) ||
        strlen(topic + prefix) >= SL_TOPIC_MAX)
        return sl_error(-EINVAL, "DDS topic %.300s is none of ROS 2's", topic);
    memcpy(ret_topic, topic + prefix, strlen(topic + prefix) + 1);
    return 0;
}

int bridge_type_to_dds(const char *type, char ret_type[BRIDGE_TYPE_MAX])
{
    if (!is_name(type) || strlen(type) >= SL_TYPE_MAX)
        return sl_error(-EINVAL, "type %.200s: in DDS a type has only letters, digits, '_' and '/'",
                        type);
    bool is_ros = count_of(type, '/') == 2;
    const char *last = strrchr(type, '/');
    size_t used = 0;
    for (const char *c = type; *c; c++) {
        if (*c != '/')
            ret_type[used++] = *c;
        else
            used += (size_t)sprintf(ret_type + used, "::%s", is_ros && c == last ? NAMESPACE : "");
    }
    snprintf(ret_type + used, BRIDGE_TYPE_MAX - used, "%s", is_ros ? "_" : "");
    return 0;
}

/* The reverse of what bridge_type_to_dds did, which then proves it. */
int bridge_type_from_dds(const char *type, char ret_type[SL_TYPE_MAX])
{
    char plain[SL_TYPE_MAX], again[BRIDGE_TYPE_MAX];
    size_t used = 0;
    bool is_ros = false;
    for (const char *c = type; *c && used < sizeof plain - 1; c++) {
        if (strncmp(c, "::" NAMESPACE, 2 + strlen(NAMESPACE)) == 0) {
            is_ros = true;
            c += strlen(NAMESPACE);
        }
        bool is_step = c[0] == ':' && c[1] == ':';
        plain[used++] = is_step ? '/' : *c;
        c += is_step;
    }
    plain[used] = '\0';
    if (is_ros && used > 0 && plain[used - 1] == '_')
        plain[used - 1] = '\0';
    if (bridge_type_to_dds(plain, again) < 0 || strcmp(again, type) != 0)
        return sl_error(-EINVAL, "DDS type %.300s has no name in ROS 2", type);
    memcpy(ret_type, plain, strlen(plain) + 1);
    return 0;
}
