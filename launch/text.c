/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - the plan's texts, and the values of YAML nodes with $(...) put in. */
#include "core/base/error.h"
#include "core/base/options.h"
#include "core/base/words.h"
#include "core/node/bus.h"
#include "launch/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SHOWN 60

/* Memory ----------------------------------------------------------------------------------------*/

struct sl_plan_text {
    struct sl_plan_text *next;
    _Alignas(max_align_t) char bytes[];
};

void *sl_plan_allocate(struct sl_plan *plan, size_t size_bytes)
{
    struct sl_plan_text *text = calloc(1, sizeof *text + size_bytes);
    if (!text) {
        sl_error(-ENOMEM, "no memory for the launch file");
        return NULL;
    }
    text->next = plan->texts;
    plan->texts = text;
    return text->bytes;
}

char *sl_plan_keep(struct sl_plan *plan, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = sl_plan_allocate(plan, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

int sl_plan_create(struct sl_plan **ret_plan)
{
    struct sl_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return sl_error(-ENOMEM, "no memory for a launch file");
    *ret_plan = plan;
    return 0;
}

void sl_plan_destroy(struct sl_plan *plan)
{
    if (!plan)
        return;
    while (plan->texts) {
        struct sl_plan_text *next = plan->texts->next;
        free(plan->texts);
        plan->texts = next;
    }
    for (unsigned i = 0; i < plan->document_count; i++)
        sl_yaml_destroy(plan->document[i]);
    free(plan);
}

/* $(...) ----------------------------------------------------------------------------------------*/

struct output {
    char text[SL_PLAN_TEXT_MAX];
    size_t used;
};

static int put(struct output *out, const char *text, size_t length,
               const struct sl_yaml_node *place)
{
    if (length >= sizeof out->text - out->used)
        return sl_yaml_error(place, -E2BIG,
                             "the text is longer than %d bytes when its $(...) are "
                             "put in",
                             SL_PLAN_TEXT_MAX - 1);
    memcpy(out->text + out->used, text, length);
    out->used += length;
    return 0;
}

/* "env NAME" or "env NAME what to use if there is none" */
static int put_environment(struct output *out, const char *inside, size_t length,
                           const struct sl_yaml_node *place)
{
    char name[128];
    size_t name_length = 0;
    while (name_length < length && inside[name_length] != ' ')
        name_length++;
    if (name_length == 0 || name_length >= sizeof name)
        return sl_yaml_error(place, -EINVAL, "$(env NAME): this is no name of a variable");
    memcpy(name, inside, name_length);
    name[name_length] = '\0';
    const char *value = getenv(name);
    if (value)
        return put(out, value, strlen(value), place);
    if (name_length < length)
        return put(out, inside + name_length + 1, length - name_length - 1, place);
    return sl_yaml_error(place, -EINVAL,
                         "the environment has no %s; set it, or write $(env %s DEFAULT)", name,
                         name);
}

static int unknown_argument(const struct sl_scope *scope, const char *name,
                            const struct sl_yaml_node *place)
{
    const char *names[SL_PLAN_ARGUMENTS_MAX + 1] = {NULL};
    for (unsigned i = 0; i < scope->argument_count; i++)
        names[i] = scope->argument[i].name;
    const char *near = sl_nearest_word(name, names);
    if (near)
        return sl_yaml_error(place, -EINVAL, "no argument '%s'; did you mean $(%s)?", name, near);
    return sl_yaml_error(place, -EINVAL, "no argument '%s'; name it below args:, or write $$(",
                         name);
}

static int put_argument(struct sl_scope *scope, struct output *out, const char *inside,
                        size_t length, const struct sl_yaml_node *place)
{
    if (length > 4 && strncmp(inside, "env ", 4) == 0)
        return put_environment(out, inside + 4, length - 4, place);
    if (length == 7 && strncmp(inside, "dirname", 7) == 0)
        return put(out, scope->directory, strlen(scope->directory), place);
    for (unsigned i = 0; i < scope->argument_count; i++) {
        const struct sl_plan_argument *a = &scope->argument[i];
        if (strlen(a->name) != length || strncmp(a->name, inside, length) != 0)
            continue;
        if (!a->value)
            return sl_yaml_error(place, -EINVAL, "argument %s is not given; add %s=...", a->name,
                                 a->name);
        return put(out, a->value, strlen(a->value), place);
    }
    char name[TEXT_SHOWN];
    snprintf(name, sizeof name, "%.*s", (int)(length < TEXT_SHOWN ? length : TEXT_SHOWN - 1),
             inside);
    return unknown_argument(scope, name, place);
}

static int expand(struct sl_scope *scope, const char *text, const struct sl_yaml_node *place,
                  struct output *out)
{
    int err = 0;
    for (const char *at = text; *at && err == 0;) {
        if (at[0] == '$' && at[1] == '$') {
            err = put(out, "$", 1, place);
            at += 2;
        } else if (at[0] == '$' && at[1] == '(') {
            const char *end = strchr(at, ')');
            if (!end)
                return sl_yaml_error(place, -EINVAL,
                                     "'$(' without its ')'; write $$( for a plain "
                                     "one");
            err = put_argument(scope, out, at + 2, (size_t)(end - at - 2), place);
            at = end + 1;
        } else {
            size_t plain = 1 + strcspn(at + 1, "$");
            err = put(out, at, plain, place);
            at += plain;
        }
    }
    out->text[out->used] = '\0';
    return err;
}

/* Values ----------------------------------------------------------------------------------------*/

int sl_scope_text(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                  const char **ret_text)
{
    if (!sl_yaml_is(node, SL_YAML_SCALAR))
        return sl_yaml_error(node, -EINVAL, "%s: a text is wanted here, not a %s", what,
                             sl_yaml_kind_names[sl_yaml_kind(node)]);
    if (sl_yaml_is_null(node))
        return sl_yaml_error(node, -EINVAL, "%s: the value is missing", what);
    struct output out;
    out.used = 0;
    int err = expand(scope, sl_yaml_text(node), node, &out);
    if (err < 0)
        return err;
    char *kept = sl_plan_keep(scope->plan, out.text);
    if (!kept)
        return -ENOMEM;
    *ret_text = kept;
    return 0;
}

int sl_scope_bool(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                  bool *ret_value)
{
    const char *text = NULL;
    int err = sl_scope_text(scope, node, what, &text);
    if (err < 0)
        return err;
    if (sl_parse_bool(text, ret_value) < 0)
        return sl_yaml_error(node, -EINVAL, "%s: '%.*s' is neither true nor false", what,
                             TEXT_SHOWN, text);
    return 0;
}

int sl_scope_duration(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                      int64_t *ret_ns)
{
    const char *text = NULL;
    int64_t ns = 0;
    int err = sl_scope_text(scope, node, what, &text);
    if (err < 0)
        return err;
    if (sl_parse_duration(text, &ns) < 0 || ns < 0)
        return sl_yaml_error(node, -EINVAL, "%s: '%.*s' is no time such as 200ms, 10s or 2min",
                             what, TEXT_SHOWN, text);
    *ret_ns = ns;
    return 0;
}

int sl_scope_choice(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                    const char *const *words, int *ret_index)
{
    const char *text = NULL;
    int err = sl_scope_text(scope, node, what, &text);
    if (err < 0)
        return err;
    char all[160] = "";
    size_t used = 0;
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret_index = i;
            return 0;
        }
        if (used < sizeof all)
            used +=
                (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", words[i]);
    }
    return sl_yaml_error(node, -EINVAL, "%s: '%.*s' is none of: %s", what, TEXT_SHOWN, text, all);
}

int sl_scope_bus(struct sl_scope *scope, const struct sl_yaml_node *node, enum sl_bus *ret_bus)
{
    int index = 0;
    int err = sl_scope_choice(scope, node, "bus", sl_bus_names, &index);
    if (err == 0)
        *ret_bus = sl_bus_at(index);
    return err;
}

/* `key` NULL: an item of a list */
static int settings_add(struct sl_scope *scope, struct sl_plan_settings *settings,
                        const struct sl_yaml_node *key, const struct sl_yaml_node *value,
                        const char *what)
{
    if (settings->count == SL_PLAN_SETTINGS_MAX)
        return sl_yaml_error(value, -E2BIG, "%s: more than %d values", what, SL_PLAN_SETTINGS_MAX);
    struct sl_plan_setting *s = &settings->at[settings->count];
    *s = (struct sl_plan_setting){.name = sl_yaml_text(key), .name_place = key, .place = value};
    int err = sl_scope_text(scope, value, key ? s->name : what, &s->value);
    if (err == 0)
        settings->count++;
    return err;
}

/* Room for the most that may be; made at the first use only. */
static int settings_open(struct sl_scope *scope, struct sl_plan_settings *settings)
{
    if (!settings->at)
        settings->at = sl_plan_allocate(scope->plan, SL_PLAN_SETTINGS_MAX * sizeof *settings->at);
    return settings->at ? 0 : -ENOMEM;
}

int sl_scope_list(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                  struct sl_plan_settings *ret_settings)
{
    int err = settings_open(scope, ret_settings);
    if (err < 0)
        return err;
    if (sl_yaml_is(node, SL_YAML_SCALAR))
        return settings_add(scope, ret_settings, NULL, node, what);
    if (!sl_yaml_is(node, SL_YAML_SEQUENCE))
        return sl_yaml_error(node, -EINVAL, "%s: a list is wanted here, not a mapping", what);
    for (unsigned i = 0; i < sl_yaml_count(node) && err == 0; i++)
        err = settings_add(scope, ret_settings, NULL, sl_yaml_item(node, i), what);
    return err;
}

int sl_scope_settings(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                      bool lists, struct sl_plan_settings *ret_settings)
{
    int err = settings_open(scope, ret_settings);
    if (err < 0)
        return err;
    if (sl_yaml_is_null(node))
        return 0;
    if (!sl_yaml_is(node, SL_YAML_MAPPING))
        return sl_yaml_error(node, -EINVAL, "%s: a mapping of names to values is wanted here",
                             what);
    for (unsigned i = 0; i < sl_yaml_count(node) && err == 0; i++) {
        const struct sl_yaml_node *key = sl_yaml_key(node, i);
        const char *name = sl_yaml_text(key);
        const struct sl_yaml_node *value = sl_yaml_item(node, i);
        if (name[0] == '\0' || strchr(name, '='))
            return sl_yaml_error(key, -EINVAL, "%s: '%.60s' is no name", what, name);
        if (!lists || !sl_yaml_is(value, SL_YAML_SEQUENCE)) {
            err = settings_add(scope, ret_settings, key, value, what);
            continue;
        }
        for (unsigned j = 0; j < sl_yaml_count(value) && err == 0; j++)
            err = settings_add(scope, ret_settings, key, sl_yaml_item(value, j), what);
    }
    return err;
}

static int unknown_key(const struct sl_yaml_node *key, const char *what,
                       const struct sl_schema *schema)
{
    const char *words[32] = {NULL};
    char all[200] = "";
    size_t used = 0;
    for (unsigned i = 0; schema[i].key && i < 31; i++) {
        words[i] = schema[i].key;
        if (used < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "",
                                     schema[i].key);
    }
    const char *near = sl_nearest_word(sl_yaml_text(key), words);
    if (near)
        return sl_yaml_error(key, -EINVAL, "%s has no key '%.*s'; did you mean '%s'?", what,
                             TEXT_SHOWN, sl_yaml_text(key), near);
    return sl_yaml_error(key, -EINVAL, "%s has no key '%.*s'; it may have: %s", what, TEXT_SHOWN,
                         sl_yaml_text(key), all);
}

int sl_scope_mapping(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                     const struct sl_schema *schema, void *target)
{
    if (!sl_yaml_is(node, SL_YAML_MAPPING))
        return sl_yaml_error(node, -EINVAL, "%s: a mapping is wanted here, not a %s", what,
                             sl_yaml_kind_names[sl_yaml_kind(node)]);
    for (unsigned i = 0; i < sl_yaml_count(node); i++) {
        const struct sl_yaml_node *key = sl_yaml_key(node, i);
        const struct sl_schema *found = schema;
        while (found->key && strcmp(found->key, sl_yaml_text(key)) != 0)
            found++;
        if (!found->key)
            return unknown_key(key, what, schema);
        int err = found->read ? found->read(scope, sl_yaml_item(node, i), target) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}
