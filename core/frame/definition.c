/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/definition.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PARTS_MAX 64 /* types that one is made of; a test checks the tables */

static const char rule[] =
    "================================================================================\n";

struct text {
    char *to;
    size_t size, length;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *format, ...)
{
    va_list arguments;
    bool has_room = t->length < t->size;
    va_start(arguments, format);
    int length = vsnprintf(has_room ? t->to + t->length : NULL, has_room ? t->size - t->length : 0,
                           format, arguments);
    va_end(arguments);
    t->length += length > 0 ? (size_t)length : 0;
}

/* "std_msgs/msg/Header" as it is written there: "std_msgs/Header". */
static void put_name(struct text *t, const char *name)
{
    const char *middle = strstr(name, "/msg/");
    if (middle)
        put(t, "%.*s/%s", (int)(middle - name), name, middle + strlen("/msg/"));
    else
        put(t, "%s", name);
}

static void put_member(struct text *t, const struct sl_member *m)
{
    if (m->kind == SL_KIND_MESSAGE)
        put_name(t, m->type->name);
    else
        put(t, "%s", sl_kind_name(m->kind));
    if (m->shape == SL_SHAPE_ARRAY)
        put(t, "[%u]", m->count);
    else if (m->shape == SL_SHAPE_SEQUENCE && m->count > 0)
        put(t, "[<=%u]", m->count);
    else if (m->shape == SL_SHAPE_SEQUENCE)
        put(t, "[]");
    put(t, " %s\n", m->name);
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
        if (type && k == count && count < PARTS_MAX)
            parts[count++] = type;
    }
    return count;
}

size_t sl_definition_write(const struct sl_schema *schema, char *to, size_t size)
{
    struct text t = {.to = to, .size = size};
    const struct sl_schema *parts[PARTS_MAX] = {schema};
    unsigned count = 1;
    if (size > 0)
        to[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            put(&t, "%sMSG: ", rule);
            put_name(&t, parts[i]->name);
            put(&t, "\n");
        }
        for (unsigned m = 0; m < parts[i]->member_count; m++)
            put_member(&t, &parts[i]->members[m]);
        count = list_parts(parts[i], parts, count);
    }
    return t.length;
}
