/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/definition.h"

#include "core/base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define LINE_MAX_BYTES 1024

struct type {
    char name[NAME_MAX_BYTES]; /* "package/Type" */
    struct sl_schema schema;
    struct sl_member members[SL_SCHEMA_MEMBERS_MAX];
    char *names[SL_SCHEMA_MEMBERS_MAX];      /* of members */
    char *type_names[SL_SCHEMA_MEMBERS_MAX]; /* of members that are messages */
    unsigned depth;                          /* messages below, itself included; 0: not known yet */
    bool is_open;                            /* while its depth is looked for */
};

struct sl_definition {
    struct type *types[SL_DEFINITION_TYPES_MAX];
    unsigned type_count;
};

static const struct sl_member time_members[] = {{"sec", SL_KIND_U32, SL_SHAPE_ONE, 0, NULL},
                                                {"nanosec", SL_KIND_U32, SL_SHAPE_ONE, 0, NULL}};
static const struct sl_member duration_members[] = {
    {"sec", SL_KIND_I32, SL_SHAPE_ONE, 0, NULL}, {"nanosec", SL_KIND_I32, SL_SHAPE_ONE, 0, NULL}};
static const struct sl_schema ros1_time = {"time", time_members, 2};
static const struct sl_schema ros1_duration = {"duration", duration_members, 2};

static const struct {
    const char *name;
    enum sl_kind kind;
    const struct sl_schema *type;
} builtin[] = {
    {"bool", SL_KIND_BOOL, NULL},
    {"byte", SL_KIND_U8, NULL},
    {"char", SL_KIND_U8, NULL},
    {"uint8", SL_KIND_U8, NULL},
    {"int8", SL_KIND_I8, NULL},
    {"uint16", SL_KIND_U16, NULL},
    {"int16", SL_KIND_I16, NULL},
    {"uint32", SL_KIND_U32, NULL},
    {"int32", SL_KIND_I32, NULL},
    {"uint64", SL_KIND_U64, NULL},
    {"int64", SL_KIND_I64, NULL},
    {"float32", SL_KIND_F32, NULL},
    {"float64", SL_KIND_F64, NULL},
    {"string", SL_KIND_STRING, NULL},
    {"time", SL_KIND_MESSAGE, &ros1_time},
    {"duration", SL_KIND_MESSAGE, &ros1_duration},
};

void sl_definition_destroy(struct sl_definition *definition)
{
    if (!definition)
        return;
    for (unsigned i = 0; i < definition->type_count; i++) {
        struct type *type = definition->types[i];
        for (unsigned m = 0; m < SL_SCHEMA_MEMBERS_MAX; m++) {
            free(type->names[m]);
            free(type->type_names[m]);
        }
        free(type);
    }
    free(definition);
}

const struct sl_schema *sl_definition_schema(const struct sl_definition *definition)
{
    return &definition->types[0]->schema;
}

/* Lines -----------------------------------------------------------------------------------------*/

static int no_memory(void)
{
    return sl_error(-ENOMEM, "no memory for a message's definition");
}

/* "a/msg/B" and "a/srv/B" are a/B here. */
static void short_name(const char *name, char to[NAME_MAX_BYTES])
{
    const char *first = strchr(name, '/');
    const char *last = strrchr(name, '/');
    if (first && last != first)
        snprintf(to, NAME_MAX_BYTES, "%.*s%s", (int)(first - name), name, last);
    else
        snprintf(to, NAME_MAX_BYTES, "%s", name);
}

static struct type *find_type(const struct sl_definition *definition, const char *name)
{
    for (unsigned i = 0; i < definition->type_count; i++)
        if (strcmp(definition->types[i]->name, name) == 0)
            return definition->types[i];
    return NULL;
}

static int add_type(struct sl_definition *definition, const char *name)
{
    if (definition->type_count == SL_DEFINITION_TYPES_MAX)
        return sl_error(-ENOTSUP, "a definition has more than %d types", SL_DEFINITION_TYPES_MAX);
    struct type *type = calloc(1, sizeof *type);
    if (!type)
        return no_memory();
    short_name(name, type->name);
    type->schema = (struct sl_schema){type->name, type->members, 0};
    definition->types[definition->type_count++] = type;
    return 0;
}

/* "[]", "[3]", "[<=3]" at the end of a type; it is cut off there. */
static int take_shape(char *type, struct sl_member *member)
{
    char *bracket = strchr(type, '[');
    member->shape = SL_SHAPE_ONE;
    if (!bracket)
        return 0;
    char *end = strchr(bracket, ']');
    char *digits = bracket[1] == '<' && bracket[2] == '=' ? bracket + 3 : bracket + 1;
    char *after = digits;
    unsigned long long count =
        end && isdigit((unsigned char)*digits) ? strtoull(digits, &after, 10) : 0;
    if (!end || end[1] || after != end || count > UINT32_MAX)
        return sl_error(-EBADMSG, "'%.60s' is no list", type);
    member->shape = end == bracket + 1 || bracket[1] == '<' ? SL_SHAPE_SEQUENCE : SL_SHAPE_ARRAY;
    member->count = (uint32_t)count;
    *bracket = '\0';
    return 0;
}

/* A message's type as it is written in a package. "Header" alone is that of std_msgs. */
static char *full_name(const struct type *in, const char *type)
{
    char name[NAME_MAX_BYTES];
    const char *slash = strchr(in->name, '/');
    int package = slash ? (int)(slash - in->name) : 0;
    if (strchr(type, '/'))
        short_name(type, name);
    else if (strcmp(type, "Header") == 0)
        snprintf(name, sizeof name, "std_msgs/Header");
    else
        snprintf(name, sizeof name, "%.*s/%s", package, in->name, type);
    return strdup(name);
}

static int add_member(struct type *in, char *type, const char *name)
{
    unsigned index = in->schema.member_count;
    if (index == SL_SCHEMA_MEMBERS_MAX)
        return sl_error(-ENOTSUP, "%s has more than %d members", in->name, SL_SCHEMA_MEMBERS_MAX);
    struct sl_member *member = &in->members[index];
    int err = take_shape(type, member);
    char *bound = strstr(type, "<="); /* string<=10 */
    if (bound)
        *bound = '\0';
    if (err)
        return err;
    if (strcmp(type, "wstring") == 0)
        return sl_error(-ENOTSUP, "%s has a wstring", in->name);
    member->kind = SL_KIND_MESSAGE;
    bool is_builtin = false;
    for (unsigned i = 0; i < sizeof builtin / sizeof *builtin && !is_builtin; i++) {
        is_builtin = strcmp(builtin[i].name, type) == 0;
        if (is_builtin) {
            member->kind = builtin[i].kind;
            member->type = builtin[i].type;
        }
    }
    in->schema.member_count++;
    in->names[index] = strdup(name);
    member->name = in->names[index];
    if (!is_builtin)
        in->type_names[index] = full_name(in, type);
    return member->name && (is_builtin || in->type_names[index]) ? 0 : no_memory();
}

/* "type name", "type name default", "type NAME=constant"; what follows '#' is a remark, except in a
 * constant's text, which does not matter here. */
static int take_line(struct type *in, char *line)
{
    char *hash = strchr(line, '#');
    if (hash)
        *hash = '\0';
    char *save;
    char *type = strtok_r(line, " \t\r", &save);
    char *name = type ? strtok_r(NULL, " \t\r", &save) : NULL;
    char *rest = name ? strtok_r(NULL, " \t\r", &save) : NULL;
    if (!type)
        return 0;
    if (!name)
        return sl_error(-EBADMSG, "'%.60s' has no name", type);
    if (strchr(name, '=') || (rest && rest[0] == '='))
        return 0; /* a constant */
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return sl_error(-EBADMSG, "'%.60s' is no name", name);
    return add_member(in, type, name);
}

static int read_lines(struct sl_definition *definition, const char *text, size_t size_bytes)
{
    bool is_after_rule = false;
    unsigned number = 1;
    for (const char *at = text, *end = text + size_bytes; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        char line[LINE_MAX_BYTES];
        size_t kept = length < sizeof line ? length : sizeof line - 1; /* remarks may be longer */
        memcpy(line, at, kept);
        line[kept] = '\0';
        int err = 0;
        if (is_after_rule && strncmp(line, "MSG: ", 5) == 0) {
            line[5 + strcspn(line + 5, " \t\r")] = '\0';
            err = add_type(definition, line + 5);
        } else if (strncmp(line, "====", 4) != 0) {
            err = take_line(definition->types[definition->type_count - 1], line);
        }
        is_after_rule = strncmp(line, "====", 4) == 0;
        if (err)
            return sl_error_at(err, "line %u of a definition", number);
        at += length + (stop ? 1 : 0);
    }
    return 0;
}

/* Types in types --------------------------------------------------------------------------------*/

static int connect_members(struct sl_definition *definition, struct type *type)
{
    for (unsigned i = 0; i < type->schema.member_count; i++) {
        struct sl_member *member = &type->members[i];
        if (!type->type_names[i])
            continue;
        struct type *inner = find_type(definition, type->type_names[i]);
        member->type = inner ? &inner->schema : sl_schema_find(type->type_names[i]);
        if (!member->type)
            return sl_error(-EBADMSG, "a definition uses %.100s and does not define it",
                            type->type_names[i]);
    }
    if (type->schema.member_count > 0)
        return 0;
    type->members[0] = (struct sl_member){"structure_needs_at_least_one_member", SL_KIND_U8,
                                          SL_SHAPE_ONE, 0, NULL};
    type->schema.member_count = 1;
    return 0;
}

/* Of a type that is built in, which is never endless. */
static unsigned depth_of(const struct sl_schema *schema)
{
    unsigned deepest = 0;
    for (unsigned i = 0; i < schema->member_count; i++) {
        const struct sl_schema *inner = schema->members[i].type;
        unsigned depth = inner ? depth_of(inner) : 0;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* Sets the depth of `type`; its messages' first. Depth bounds the recursion. */
static int measure(struct sl_definition *definition, struct type *type, unsigned level)
{
    if (type->depth)
        return 0;
    if (type->is_open || level > SL_SCHEMA_DEPTH_MAX)
        return sl_error(-ENOTSUP, "%s holds itself, or too much", type->name);
    type->is_open = true;
    unsigned deepest = 0;
    for (unsigned i = 0; i < type->schema.member_count; i++) {
        struct type *inner =
            type->type_names[i] ? find_type(definition, type->type_names[i]) : NULL;
        int err = inner ? measure(definition, inner, level + 1) : 0;
        if (err)
            return err;
        unsigned depth = inner ? inner->depth
                         : type->members[i].kind == SL_KIND_MESSAGE
                             ? depth_of(type->members[i].type)
                             : 0;
        deepest = depth > deepest ? depth : deepest;
    }
    type->is_open = false;
    type->depth = deepest + 1;
    return type->depth > SL_SCHEMA_DEPTH_MAX ? sl_error(-ENOTSUP, "%s is deeper than %d messages",
                                                        type->name, SL_SCHEMA_DEPTH_MAX)
                                             : 0;
}

int sl_definition_parse(const char *type, const char *text, size_t size_bytes,
                        struct sl_definition **ret_definition)
{
    struct sl_definition *definition = calloc(1, sizeof *definition);
    if (!definition)
        return no_memory();
    int err = add_type(definition, type);
    if (!err)
        err = read_lines(definition, text, size_bytes);
    for (unsigned i = 0; i < definition->type_count && !err; i++)
        err = connect_members(definition, definition->types[i]);
    for (unsigned i = 0; i < definition->type_count && !err; i++)
        err = measure(definition, definition->types[i], 1);
    if (err) {
        sl_definition_destroy(definition);
        return err;
    }
    *ret_definition = definition;
    return 0;
}
