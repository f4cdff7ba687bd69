/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - a launch file: its arguments first, then everything else in its order. */
#include "launch/read.h"

#include "core/base/error.h"
#include "core/base/words.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int read_file(struct sl_plan *plan, const char *path, sl_plan_loader *load,
                     const struct sl_scope *parent, const struct sl_plan_settings *given,
                     bool only_arguments);

/* Arguments -------------------------------------------------------------------------------------*/

static struct sl_plan_argument *argument_named(struct sl_scope *scope, const char *name)
{
    for (unsigned i = 0; i < scope->argument_count; i++)
        if (strcmp(scope->argument[i].name, name) == 0)
            return &scope->argument[i];
    return NULL;
}

static int read_default(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_argument *argument = target;
    argument->is_required = false;
    return sl_scope_text(scope, value, "default", &argument->value);
}

static int read_help(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct sl_plan_argument *argument = target;
    return sl_scope_text(scope, value, "help", &argument->help);
}

static const struct sl_schema argument_schema[] = {
    {"default", read_default}, {"help", read_help}, {NULL, NULL}};

/* `name: default`, `name: {default: ..., help: ...}`, or `name:` for one that must be given. */
static int read_argument(struct sl_scope *scope, const struct sl_yaml_node *key,
                         const struct sl_yaml_node *value, const struct sl_plan_settings *given)
{
    const char *name = sl_yaml_text(key);
    if (name[0] == '\0' || strpbrk(name, "=() $") || strcmp(name, "dirname") == 0)
        return sl_yaml_error(key, -EINVAL, "'%.60s' cannot be an argument's name", name);
    if (scope->argument_count == SL_PLAN_ARGUMENTS_MAX)
        return sl_yaml_error(key, -E2BIG, "more than %d arguments", SL_PLAN_ARGUMENTS_MAX);
    struct sl_plan_argument argument = {.name = name, .is_required = true};
    int err = 0;
    if (sl_yaml_is(value, SL_YAML_MAPPING))
        err = sl_scope_mapping(scope, value, "an argument", argument_schema, &argument);
    else if (!sl_yaml_is_null(value))
        err = read_default(scope, value, &argument);
    for (unsigned i = 0; i < given->count; i++)
        if (strcmp(given->at[i].name, name) == 0)
            argument.value = given->at[i].value;
    /* Known only now, so that a default can use the arguments above it but not itself. */
    scope->argument[scope->argument_count++] = argument;
    return err;
}

static int read_arguments(struct sl_scope *scope, const struct sl_yaml_node *args,
                          const struct sl_plan_settings *given)
{
    if (args && !sl_yaml_is_null(args) && !sl_yaml_is(args, SL_YAML_MAPPING))
        return sl_yaml_error(args, -EINVAL, "args: a mapping of names to defaults is wanted here");
    for (unsigned i = 0; i < sl_yaml_count(args); i++) {
        int err = read_argument(scope, sl_yaml_key(args, i), sl_yaml_item(args, i), given);
        if (err < 0)
            return err;
    }
    return 0;
}

/* A typing error in what was given must not pass in silence. */
static int check_given(struct sl_scope *scope, const struct sl_plan_settings *given)
{
    for (unsigned i = 0; i < given->count; i++) {
        const char *name = given->at[i].name;
        if (argument_named(scope, name))
            continue;
        const char *names[SL_PLAN_ARGUMENTS_MAX + 1] = {NULL};
        for (unsigned j = 0; j < scope->argument_count; j++)
            names[j] = scope->argument[j].name;
        const char *near = sl_nearest_word(name, names);
        char hint[160];
        if (near)
            snprintf(hint, sizeof hint, "did you mean %.100s=...?", near);
        else
            snprintf(hint, sizeof hint,
                     scope->argument_count > 0
                         ? "'sluice launch --arguments FILE' shows those it has"
                         : "it has none");
        if (given->at[i].place)
            return sl_yaml_error(given->at[i].place, -EINVAL, "%.100s has no argument '%.60s'; %s",
                                 scope->path, name, hint);
        return sl_error(-EINVAL, "%.100s has no argument '%.60s'; %s", scope->path, name, hint);
    }
    return 0;
}

static int check_required(const struct sl_scope *scope, const struct sl_yaml_node *root)
{
    for (unsigned i = 0; i < scope->argument_count; i++) {
        const struct sl_plan_argument *a = &scope->argument[i];
        if (a->value)
            continue;
        const struct sl_yaml_node *args = sl_yaml_get(root, "args");
        for (unsigned j = 0; j < sl_yaml_count(args); j++)
            if (strcmp(sl_yaml_text(sl_yaml_key(args, j)), a->name) == 0)
                return sl_yaml_error(sl_yaml_key(args, j), -EINVAL,
                                     "argument %.60s must be given: %.60s=VALUE%s%.120s", a->name,
                                     a->name, a->help ? " - " : "", a->help ? a->help : "");
    }
    return 0;
}

/* Top-level keys --------------------------------------------------------------------------------*/

static int read_domain(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    (void)target;
    const char *domain = NULL;
    int err = sl_scope_text(scope, value, "domain", &domain);
    if (err == 0 && !scope->plan->domain)
        scope->plan->domain = domain;
    return err;
}

static int read_bus(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    (void)target;
    enum sl_bus bus = SL_BUS_DEFAULT;
    int err = sl_scope_bus(scope, value, &bus);
    if (err == 0 && (scope->depth == 0 || !scope->plan->bus)) {
        scope->plan->bus = bus;
        scope->plan->bus_place = value;
    }
    return err;
}

static int read_duration(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    (void)target;
    int64_t duration_ns = 0;
    int err = sl_scope_duration(scope, value, "duration", &duration_ns);
    if (err == 0 &&
        scope->depth == 0) /* how long an included file runs is the first one's choice */
        scope->plan->duration_ns = duration_ns;
    return err;
}

static int read_directories(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    (void)target;
    struct sl_plan *plan = scope->plan;
    struct sl_plan_settings list = {0};
    int err = sl_scope_list(scope, value, "directories", &list);
    for (unsigned i = 0; i < list.count && err == 0; i++) {
        if (plan->directory_count == SL_PLAN_DIRECTORIES_MAX)
            return sl_yaml_error(value, -E2BIG, "more than %d directories",
                                 SL_PLAN_DIRECTORIES_MAX);
        plan->directory[plan->directory_count++] = list.at[i].value;
    }
    return err;
}

static int read_nodes(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    (void)target;
    if (!sl_yaml_is(value, SL_YAML_MAPPING))
        return sl_yaml_error(value, -EINVAL, "nodes: a mapping of names to nodes is wanted here");
    int err = 0;
    for (unsigned i = 0; i < sl_yaml_count(value) && err == 0; i++)
        err = sl_scope_node(scope, sl_yaml_key(value, i), sl_yaml_item(value, i));
    return err;
}

/* Includes --------------------------------------------------------------------------------------*/

struct include {
    const char *file;
    struct sl_plan_settings args;
};

static int read_include_file(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct include *include = target;
    return sl_scope_text(scope, value, "file", &include->file);
}

static int read_include_args(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    struct include *include = target;
    return sl_scope_settings(scope, value, "args", false, &include->args);
}

static const struct sl_schema include_schema[] = {
    {"file", read_include_file}, {"args", read_include_args}, {NULL, NULL}};

static int check_include(const struct sl_scope *scope, const char *path,
                         const struct sl_yaml_node *place)
{
    for (const struct sl_scope *s = scope; s; s = s->parent)
        if (strcmp(s->identity, path) == 0)
            return sl_yaml_error(place, -ELOOP, "%.200s includes itself%s", path,
                                 s == scope ? "" : " by way of this file");
    if (scope->depth + 1 >= SL_INCLUDE_DEPTH_MAX)
        return sl_yaml_error(place, -ELOOP, "includes are nested more than %d deep",
                             SL_INCLUDE_DEPTH_MAX);
    if (scope->plan->document_count == SL_PLAN_FILES_MAX)
        return sl_yaml_error(place, -E2BIG, "more than %d files", SL_PLAN_FILES_MAX);
    return 0;
}

static int include_one(struct sl_scope *scope, const struct sl_yaml_node *value)
{
    struct include include = {0};
    int err = sl_yaml_is(value, SL_YAML_SCALAR)
                  ? read_include_file(scope, value, &include)
                  : sl_scope_mapping(scope, value, "an include", include_schema, &include);
    if (err < 0)
        return err;
    if (!include.file)
        return sl_yaml_error(value, -EINVAL, "an include: file: is missing");
    char joined[PATH_MAX], path[PATH_MAX];
    int n = include.file[0] == '/'
                ? snprintf(joined, sizeof joined, "%s", include.file)
                : snprintf(joined, sizeof joined, "%s/%s", scope->directory, include.file);
    if (n >= (int)sizeof joined)
        return sl_yaml_error(value, -ENAMETOOLONG, "the file's name is too long");
    /* Messages name a file as it was written; a circle is seen by its one real name. */
    if (!realpath(joined, path))
        memcpy(path, joined, sizeof path);
    err = check_include(scope, path, value);
    if (err < 0)
        return err;
    char *kept = sl_plan_keep(scope->plan, joined);
    if (!kept)
        return -ENOMEM;
    unsigned before = scope->plan->document_count;
    err = read_file(scope->plan, kept, scope->load, scope, &include.args, false);
    bool is_file = err == -ENOENT || err == -EACCES || err == -EISDIR || err == -ENOTDIR;
    if (is_file && scope->plan->document_count == before)
        return sl_yaml_error(value, err, "cannot read %.200s: %s", joined, strerror(-err));
    return err;
}

static int read_include(struct sl_scope *scope, const struct sl_yaml_node *value, void *target)
{
    (void)target;
    if (!sl_yaml_is(value, SL_YAML_SEQUENCE))
        return include_one(scope, value);
    int err = 0;
    for (unsigned i = 0; i < sl_yaml_count(value) && err == 0; i++)
        err = include_one(scope, sl_yaml_item(value, i));
    return err;
}

/* A file ----------------------------------------------------------------------------------------*/

static const struct sl_schema file_schema[] = {{"args", NULL}, /* read before the others */
                                               {"domain", read_domain},
                                               {"bus", read_bus},
                                               {"duration", read_duration},
                                               {"directories", read_directories},
                                               {"include", read_include},
                                               {"nodes", read_nodes},
                                               {NULL, NULL}};

static int read_scope(struct sl_scope *scope, const struct sl_yaml_node *root,
                      const struct sl_plan_settings *given, bool only_arguments)
{
    if (sl_yaml_is_null(root))
        return sl_error(-EINVAL, "%s: the file is empty; it should have nodes:", scope->path);
    if (!sl_yaml_is(root, SL_YAML_MAPPING))
        return sl_yaml_error(root, -EINVAL, "a launch file is a mapping with nodes:, not a %s",
                             sl_yaml_kind_names[sl_yaml_kind(root)]);
    int err = read_arguments(scope, sl_yaml_get(root, "args"), given);
    if (err == 0)
        err = check_given(scope, given);
    if (scope->depth == 0) {
        memcpy(scope->plan->argument, scope->argument, sizeof scope->argument);
        scope->plan->argument_count = scope->argument_count;
    }
    if (err < 0 || only_arguments)
        return err;
    err = check_required(scope, root);
    return err < 0 ? err : sl_scope_mapping(scope, root, "a launch file", file_schema, NULL);
}

static int read_file(struct sl_plan *plan, const char *path, sl_plan_loader *load,
                     const struct sl_scope *parent, const struct sl_plan_settings *given,
                     bool only_arguments)
{
    struct sl_yaml *yaml;
    int err = load(path, &yaml);
    if (err < 0)
        return err;
    plan->document[plan->document_count++] = yaml;
    struct sl_scope *scope = sl_plan_allocate(plan, sizeof *scope);
    char *directory = sl_plan_keep(plan, path);
    if (!scope || !directory)
        return -ENOMEM;
    char identity[PATH_MAX];
    char *kept_identity = sl_plan_keep(plan, realpath(path, identity) ? identity : path);
    if (!kept_identity)
        return -ENOMEM;
    char *slash = strrchr(directory, '/');
    if (slash)
        slash[slash == directory] = '\0';
    *scope = (struct sl_scope){.plan = plan,
                               .path = path,
                               .identity = kept_identity,
                               .directory = slash ? directory : ".",
                               .load = load,
                               .parent = parent,
                               .depth = parent ? parent->depth + 1 : 0};
    return read_scope(scope, sl_yaml_root(yaml), given, only_arguments);
}

/* After all files -------------------------------------------------------------------------------*/

int sl_plan_find(const struct sl_plan *plan, const char *name)
{
    for (unsigned i = 0; i < plan->node_count; i++)
        if (strcmp(plan->node[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int check_after(const struct sl_plan *plan, const struct sl_plan_node *node)
{
    for (unsigned i = 0; i < node->after.count; i++) {
        const struct sl_plan_setting *after = &node->after.at[i];
        if (sl_plan_find(plan, after->value) >= 0)
            continue;
        const char *names[SL_PLAN_NODES_MAX + 1] = {NULL};
        for (unsigned j = 0; j < plan->node_count; j++)
            names[j] = plan->node[j].name;
        const char *near = sl_nearest_word(after->value, names);
        return sl_yaml_error(after->place, -EINVAL, "after: there is no node '%.60s'%s%s%s",
                             after->value, near ? "; did you mean '" : "", near ? near : "",
                             near ? "'?" : "");
    }
    return 0;
}

/* Take away, again and again, the nodes that wait for nothing that is left. */
static int check_circles(const struct sl_plan *plan)
{
    bool is_done[SL_PLAN_NODES_MAX] = {false};
    for (bool progress = true; progress;) {
        progress = false;
        for (unsigned i = 0; i < plan->node_count; i++) {
            const struct sl_plan_settings *after = &plan->node[i].after;
            bool waits = false;
            for (unsigned j = 0; j < after->count; j++)
                waits = waits || !is_done[sl_plan_find(plan, after->at[j].value)];
            if (is_done[i] || waits)
                continue;
            is_done[i] = progress = true;
        }
    }
    for (unsigned i = 0; i < plan->node_count; i++) {
        if (is_done[i])
            continue;
        const struct sl_plan_node *node = &plan->node[i];
        for (unsigned j = 0; j < node->after.count; j++)
            if (!is_done[sl_plan_find(plan, node->after.at[j].value)])
                return sl_yaml_error(node->after.at[j].place, -ELOOP,
                                     "after: nodes wait for each other in a circle: %s for %s",
                                     node->name, node->after.at[j].value);
    }
    return 0;
}

static int check_nodes(const struct sl_plan *plan)
{
    if (plan->node_count == 0)
        return sl_yaml_error(sl_yaml_root(plan->document[0]), -EINVAL,
                             "nothing to start: no file has an entry below nodes:");
    for (unsigned i = 0; i < plan->node_count; i++) {
        int err = check_after(plan, &plan->node[i]);
        if (err < 0)
            return err;
    }
    return check_circles(plan);
}

static int parse_given(struct sl_plan *plan, const char *const *given, unsigned count,
                       struct sl_plan_settings *ret_settings)
{
    ret_settings->at = sl_plan_allocate(plan, (count + 1) * sizeof *ret_settings->at);
    if (!ret_settings->at)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        char *text = sl_plan_keep(plan, given[i]);
        if (!text)
            return -ENOMEM;
        char *equals = strchr(text, '=');
        if (!equals || equals == text)
            return sl_error(-EINVAL, "'%s' is no argument; write key=value", given[i]);
        *equals = '\0';
        ret_settings->at[i] = (struct sl_plan_setting){.name = text, .value = equals + 1};
        ret_settings->count++;
    }
    return 0;
}

int sl_plan_read(struct sl_plan *plan, const char *path, const char *const *given, unsigned count,
                 bool only_arguments, sl_plan_loader *load)
{
    struct sl_plan_settings settings = {0};
    int err = parse_given(plan, given, count, &settings);
    if (err < 0)
        return err;
    char *kept = sl_plan_keep(plan, path);
    if (!kept)
        return -ENOMEM;
    err = read_file(plan, kept, load, NULL, &settings, only_arguments);
    return err < 0 || only_arguments ? err : check_nodes(plan);
}

int sl_plan_set(struct sl_plan *plan, const char *override)
{
    char *text = sl_plan_keep(plan, override);
    if (!text)
        return -ENOMEM;
    char *equals = strchr(text, '=');
    char *dot = strchr(text, '.');
    if (!equals || !dot || dot > equals || dot == text || dot + 1 == equals)
        return sl_error(-EINVAL, "option --set: '%s' is not NODE.PARAMETER=VALUE", override);
    *dot = *equals = '\0';
    int index = sl_plan_find(plan, text);
    if (index < 0)
        return sl_error(-EINVAL, "option --set: there is no node '%s'", text);
    struct sl_plan_node *node = &plan->node[index];
    if (node->is_plain)
        return sl_error(-EINVAL, "option --set: node %s has args:, no parameters", text);
    if (!node->params.at) {
        node->params.at = sl_plan_allocate(plan, SL_PLAN_SETTINGS_MAX * sizeof *node->params.at);
        if (!node->params.at)
            return -ENOMEM;
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < node->params.count; i++)
        if (strcmp(node->params.at[i].name, dot + 1) != 0)
            node->params.at[kept++] = node->params.at[i];
    if (kept == SL_PLAN_SETTINGS_MAX)
        return sl_error(-E2BIG, "option --set: node %s has %u parameters already", text, kept);
    node->params.at[kept] =
        (struct sl_plan_setting){.name = dot + 1, .value = equals + 1, .place = node->place};
    node->params.count = kept + 1;
    return 0;
}
