/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/completion.h"

#include "core/base/yaml.h"
#include "core/frame/schema.h"
#include "tools/census.h"
#include "tools/tool.h"

#include <string.h>

struct line {
    int count;
    char **words;
    const char *last;
    FILE *to;
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void offer(const struct line *line, const char *word)
{
    if (begins(word, line->last))
        fprintf(line->to, "%s\n", word);
}

/* Sub-commands ----------------------------------------------------------------------------------*/

static const struct sl_tool *tool_of(const struct line *line, int *ret_used)
{
    for (int i = 0; sl_tools[i]; i++) {
        const char *name = sl_tools[i]->name, *space = strchr(name, ' ');
        size_t first = space ? (size_t)(space - name) : strlen(name);
        int used = space ? 2 : 1;
        if (line->count <= used || strlen(line->words[0]) != first ||
            !begins(name, line->words[0]) || (space && strcmp(line->words[1], space + 1) != 0))
            continue;
        *ret_used = used;
        return sl_tools[i];
    }
    return NULL;
}

/* The first words, each once, or the second ones that follow `group`. */
static void offer_tools(const struct line *line, const char *group)
{
    char before[32] = "";
    for (int i = 0; sl_tools[i]; i++) {
        const char *name = sl_tools[i]->name, *space = strchr(name, ' ');
        char first[32];
        snprintf(first, sizeof first, "%.*s", space ? (int)(space - name) : (int)strlen(name),
                 name);
        if (group && space && strcmp(first, group) == 0)
            offer(line, space + 1);
        else if (!group && strcmp(first, before) != 0)
            offer(line, first);
        snprintf(before, sizeof before, "%s", first);
    }
    if (!group)
        offer(line, "help");
}

/* Values ----------------------------------------------------------------------------------------*/

static void offer_topics(const struct line *line)
{
    struct sl_census *census;
    if (sl_census_open(NULL, &census) < 0)
        return;
    if (sl_census_take(census) == 0)
        for (unsigned i = 0; i < census->topic_count; i++)
            offer(line, census->topics[i].name);
    sl_census_close(census);
}

static void offer_types(const struct line *line)
{
    for (size_t i = 0; sl_schema_at(i); i++)
        offer(line, sl_schema_at(i)->name);
}

static void offer_value(const struct line *line, const struct sl_option *option)
{
    const char *value = option->value ? option->value : "";
    for (int i = 0; option->choices && option->choices[i]; i++)
        offer(line, option->choices[i]);
    if (strcmp(value, "TOPIC") == 0)
        offer_topics(line);
    else if (strcmp(value, "TYPE") == 0)
        offer_types(line);
    else if (strcmp(value, "FILE") == 0)
        fputs(SL_COMPLETION_FILES "\n", line->to);
}

/* Options ---------------------------------------------------------------------------------------*/

static const struct sl_option *option_at(const struct sl_command *command, unsigned index)
{
    for (unsigned t = 0; t < SL_COMMAND_TABLES_MAX && command->tables[t].count > 0; t++) {
        if (index < command->tables[t].count)
            return &command->tables[t].options[index];
        index -= command->tables[t].count;
    }
    return NULL;
}

/* "--color" or "-c" */
static const struct sl_option *option_named(const struct sl_command *command, const char *word)
{
    const struct sl_option *o;
    for (unsigned i = 0; (o = option_at(command, i)); i++) {
        bool is_long = begins(word, "--") && strcmp(o->name, word + 2) == 0;
        bool is_short = word[0] == '-' && o->letter && word[1] == o->letter && word[2] == '\0';
        if ((is_long || is_short) && !(o->flags & SL_OPTION_POSITIONAL))
            return o;
    }
    return NULL;
}

static bool takes_next(const struct sl_option *option)
{
    return option && option->kind != SL_OPTION_FLAG;
}

static void offer_options(const struct line *line, const struct sl_command *command)
{
    const struct sl_option *o;
    for (unsigned i = 0; (o = option_at(command, i)); i++) {
        char name[64];
        if (o->flags & (SL_OPTION_HIDDEN | SL_OPTION_POSITIONAL))
            continue;
        snprintf(name, sizeof name, "--%s", o->name);
        offer(line, name);
    }
    offer(line, "--help");
}

/* Arguments of a launch file: "name=" for each that it declares. */
static void offer_launch_arguments(const struct line *line, const char *file)
{
    struct sl_yaml *yaml;
    if (sl_yaml_load(file, &yaml) < 0)
        return;
    const struct sl_yaml_node *arguments = sl_yaml_get(sl_yaml_root(yaml), "args");
    for (unsigned i = 0; i < sl_yaml_count(arguments); i++) {
        const struct sl_yaml_node *key = sl_yaml_key(arguments, i);
        char word[96];
        snprintf(word, sizeof word, "%s=", key ? sl_yaml_text(key) : "");
        if (key)
            offer(line, word);
    }
    sl_yaml_destroy(yaml);
}

/* The argument that the last word is: which number among those without a dash. */
static void offer_positional(const struct line *line, const struct sl_command *command, int number,
                             const char *first)
{
    const struct sl_option *o, *chosen = NULL;
    for (unsigned i = 0; (o = option_at(command, i)); i++) {
        if (!(o->flags & SL_OPTION_POSITIONAL))
            continue;
        chosen = o;
        if (number-- == 0 || o->kind == SL_OPTION_LIST)
            break;
        chosen = NULL;
    }
    if (!chosen)
        return;
    if (first &&
        (strcmp(command->name, "sluice launch") == 0 || strcmp(command->name, "sluice plan") == 0))
        offer_launch_arguments(line, first);
    else
        offer_value(line, chosen);
}

static void offer_for(const struct line *line, const struct sl_command *command, int from)
{
    const char *first = NULL; /* argument without a dash */
    const struct sl_option *waiting = NULL;
    int number = 0;
    for (int i = from; i < line->count - 1; i++) {
        const char *word = line->words[i];
        if (strcmp(word, "=") == 0) /* bash: "--color" "=" "hei" */
            continue;
        if (waiting) {
            waiting = NULL;
        } else if (word[0] == '-' && word[1]) {
            const struct sl_option *o = option_named(command, word);
            waiting = takes_next(o) ? o : NULL;
        } else {
            first = first ? first : word;
            number++;
        }
    }
    if (waiting)
        offer_value(line, waiting);
    else if (line->last[0] == '-')
        offer_options(line, command);
    else
        offer_positional(line, command, number, first);
}

/* "--color=hei": the value alone is completed. */
static void split_equals(struct line *line, char *last, const char **ret_option)
{
    char *equals = begins(last, "--") ? strchr(last, '=') : NULL;
    *ret_option = NULL;
    if (!equals)
        return;
    *equals = '\0';
    *ret_option = last;
    line->last = equals + 1;
}

void sl_completion_print(int count, char **words, FILE *to)
{
    if (count < 1)
        return;
    struct line line = {.count = count, .words = words, .last = words[count - 1], .to = to};
    if (strcmp(line.last, "=") == 0)
        line.last = "";
    if (strcmp(words[0], "help") == 0 && count > 1) {
        line.words++;
        line.count--;
    }
    int used;
    const struct sl_tool *tool = tool_of(&line, &used);
    const char *option_word;
    if (!tool) {
        if (line.count <= 2)
            offer_tools(&line, line.count == 2 ? line.words[0] : NULL);
        return;
    }
    split_equals(&line, words[count - 1], &option_word);
    const struct sl_option *option =
        option_word ? option_named(sl_tool_command(tool), option_word) : NULL;
    if (option)
        offer_value(&line, option);
    else
        offer_for(&line, sl_tool_command(tool), used);
}
