/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/options.h"

#include "core/base/error.h"
#include "core/base/words.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OPTIONS_MAX    128
#define NAME_MAX_SHOWN 48 /* longer ones are no typing errors */

/* Which options were given, by their place in the tables taken as one list. */
static _Thread_local bool given[OPTIONS_MAX];

struct found {
    const struct sl_option *option;
    void *value;
    unsigned index;
};

static unsigned table_count(const struct sl_command *command)
{
    unsigned n = 0;
    while (n < SL_COMMAND_TABLES_MAX && command->tables[n].count > 0)
        n++;
    return n;
}

/* The option number `index` over all tables; option NULL when there are no more. */
static struct found option_at(const struct sl_command *command, unsigned index)
{
    unsigned place = index;
    if (index >= OPTIONS_MAX)
        return (struct found){0};
    for (unsigned t = 0; t < table_count(command); t++) {
        const struct sl_option_table *table = &command->tables[t];
        if (index < table->count) {
            const struct sl_option *o = &table->options[index];
            return (struct found){o, (char *)table->state + o->offset, place};
        }
        index -= table->count;
    }
    return (struct found){0};
}

static bool same_name(const char *name, const char *written, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = written[i] == '_' ? '-' : written[i];
        if (name[i] != c || name[i] == '\0')
            return false;
    }
    return name[length] == '\0';
}

static struct found option_named(const struct sl_command *command, const char *name, size_t length)
{
    struct found f;
    for (unsigned i = 0; (f = option_at(command, i)).option; i++)
        if (same_name(f.option->name, name, length))
            return f;
    return (struct found){0};
}

/* Numbers ---------------------------------------------------------------------------------------*/

static bool only_space(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return *text == '\0';
}

int sl_parse_int(const char *text, int64_t *ret_value)
{
    char *end;
    errno = 0;
    /* Decimal, or hexadecimal by 0x; never octal: nobody who writes 010 means 8. */
    const char *digits = text + strspn(text, " \t");
    digits += *digits == '-' || *digits == '+';
    bool is_hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    long long value = strtoll(text, &end, is_hex ? 16 : 10);
    if (end == text || !only_space(end))
        return -EINVAL;
    if (errno == ERANGE)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

static int parse_real_prefix(const char *text, double *ret_value, const char **ret_rest)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || !isfinite(value))
        return -EINVAL;
    *ret_value = value;
    *ret_rest = end;
    return 0;
}

int sl_parse_real(const char *text, double *ret_value)
{
    const char *rest;
    double value;
    if (parse_real_prefix(text, &value, &rest) < 0 || !only_space(rest))
        return -EINVAL;
    *ret_value = value;
    return 0;
}

int sl_parse_size(const char *text, uint64_t *ret_bytes)
{
    static const char units[] = "kMGT";
    const char *rest;
    double value;
    if (parse_real_prefix(text, &value, &rest) < 0 || value < 0)
        return -EINVAL;
    const char *unit = *rest ? strchr(units, *rest == 'K' ? 'k' : *rest) : NULL;
    if (unit) {
        for (long i = 0; i <= unit - units; i++)
            value *= 1024;
        rest++;
        if (rest[0] == 'i')
            rest++;
    }
    if (*rest == 'B')
        rest++;
    if (!only_space(rest))
        return -EINVAL;
    if (value >= 9.2e18)
        return -ERANGE;
    *ret_bytes = (uint64_t)value;
    return 0;
}

int sl_parse_duration(const char *text, int64_t *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9},    {"ms", 1e6},  {"us", 1e3},
                 {"ns", 1}, {"min", 60e9}, {"h", 3600e9}};
    const char *rest;
    double value;
    if (parse_real_prefix(text, &value, &rest) < 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(rest, units[i].unit) != 0)
            continue;
        value *= units[i].ns;
        if (fabs(value) >= 9.2e18)
            return -ERANGE;
        *ret_ns = (int64_t)llround(value);
        return 0;
    }
    return -EINVAL;
}

int sl_parse_bool(const char *text, bool *ret_value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (int i = 0; i < 4; i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret_value = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

/* Setting ---------------------------------------------------------------------------------------*/

static const char *kind_wanted(const struct sl_option *o)
{
    switch (o->kind) {
    case SL_OPTION_FLAG:
        return "true or false";
    case SL_OPTION_INT:
        return "a whole number";
    case SL_OPTION_REAL:
        return "a number";
    case SL_OPTION_SIZE:
        return "a size such as 4096, 64k or 32M";
    case SL_OPTION_DURATION:
        return "a time such as 250us, 10ms or 1.5s";
    default:
        return "a text";
    }
}

static int bad_value(const struct sl_option *o, const char *value)
{
    return sl_error(-EINVAL, "option --%s: '%s' is not %s", o->name, value, kind_wanted(o));
}

static int check_range(const struct sl_option *o, double number, const char *value)
{
    if ((o->min == 0 && o->max == 0) || (number >= o->min && number <= o->max))
        return 0;
    double unit = o->kind == SL_OPTION_DURATION ? 1e-9 : 1;
    return sl_error(-EINVAL, "option --%s: %s is out of range; give %.10g to %.10g%s", o->name,
                    value, o->min * unit, o->max * unit,
                    o->kind == SL_OPTION_DURATION ? " seconds" : "");
}

static int set_choice(const struct sl_option *o, const char *value, int *to)
{
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            *to = i;
            return 0;
        }
    }
    char all[256] = "";
    size_t used = 0;
    for (int i = 0; o->choices[i] && used < sizeof all; i++)
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", o->choices[i]);
    const char *near = sl_nearest_word(value, o->choices);
    return sl_error(-EINVAL, "option --%s: '%s' is none of: %s%s%s%s", o->name, value, all,
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int set_value(const struct sl_option *o, void *to, const char *value)
{
    union {
        bool flag;
        int64_t integer;
        double real;
        uint64_t size;
    } v;
    int err;
    switch (o->kind) {
    case SL_OPTION_FLAG:
        if (sl_parse_bool(value, &v.flag) < 0)
            return bad_value(o, value);
        *(bool *)to = v.flag;
        return 0;
    case SL_OPTION_INT:
        if (sl_parse_int(value, &v.integer) < 0)
            return bad_value(o, value);
        if ((err = check_range(o, (double)v.integer, value)) < 0)
            return err;
        *(int64_t *)to = v.integer;
        return 0;
    case SL_OPTION_REAL:
        if (sl_parse_real(value, &v.real) < 0)
            return bad_value(o, value);
        if ((err = check_range(o, v.real, value)) < 0)
            return err;
        *(double *)to = v.real;
        return 0;
    case SL_OPTION_SIZE:
        if (sl_parse_size(value, &v.size) < 0)
            return bad_value(o, value);
        if ((err = check_range(o, (double)v.size, value)) < 0)
            return err;
        *(uint64_t *)to = v.size;
        return 0;
    case SL_OPTION_DURATION:
        if (sl_parse_duration(value, &v.integer) < 0)
            return bad_value(o, value);
        if ((err = check_range(o, (double)v.integer, value)) < 0)
            return err;
        *(int64_t *)to = v.integer;
        return 0;
    case SL_OPTION_TEXT:
        *(const char **)to = value;
        return 0;
    case SL_OPTION_CHOICE:
        return set_choice(o, value, to);
    case SL_OPTION_LIST: {
        struct sl_option_list *list = to;
        if (list->count == SL_OPTION_LIST_MAX)
            return sl_error(-EINVAL, "option --%s: more than %d values", o->name,
                            SL_OPTION_LIST_MAX);
        list->text[list->count++] = value;
        return 0;
    }
    }
    return -EINVAL;
}

static size_t value_size(enum sl_option_kind kind)
{
    switch (kind) {
    case SL_OPTION_FLAG:
        return sizeof(bool);
    case SL_OPTION_CHOICE:
        return sizeof(int);
    case SL_OPTION_TEXT:
        return sizeof(const char *);
    case SL_OPTION_LIST:
        return sizeof(struct sl_option_list);
    default:
        return sizeof(int64_t); /* int64_t, uint64_t, double */
    }
}

void sl_options_default(const struct sl_command *command)
{
    struct found f;
    unsigned count = 0;
    for (unsigned t = 0; t < table_count(command); t++)
        count += command->tables[t].count;
    assert(count <= OPTIONS_MAX); /* those beyond it would not be seen */
    (void)count;
    for (unsigned i = 0; (f = option_at(command, i)).option; i++) {
        given[i] = false;
        memset(f.value, 0, value_size(f.option->kind));
        if (f.option->fallback) {
            int err = set_value(f.option, f.value, f.option->fallback);
            assert(err == 0); /* the table itself is wrong */
            (void)err;
        }
    }
}

/* "did you mean": the beginning of a name, or a typing error. */
static const char *nearest_name(const struct sl_command *command, const char *name, size_t length)
{
    const char *names[OPTIONS_MAX + 1] = {NULL};
    char written[NAME_MAX_SHOWN];
    unsigned count = 0;
    struct found f;
    if (length >= sizeof written)
        return NULL;
    for (size_t i = 0; i < length; i++)
        written[i] = name[i] == '_' ? '-' : name[i];
    written[length] = '\0';
    for (unsigned i = 0; (f = option_at(command, i)).option && count < OPTIONS_MAX; i++)
        if (!(f.option->flags & SL_OPTION_HIDDEN))
            names[count++] = f.option->name;
    for (unsigned i = 0; i < count && length > 1; i++)
        if (strncmp(names[i], written, length) == 0)
            return names[i];
    return sl_nearest_word(written, names);
}

static int no_such_option(const struct sl_command *command, const char *name, size_t length)
{
    const char *near = nearest_name(command, name, length);
    if (near)
        return sl_error(-ENOENT, "no option --%.*s; did you mean --%s?", (int)length, name, near);
    return sl_error(-ENOENT, "no option --%.*s; see %s --help", (int)length, name, command->name);
}

static int set_found(struct found f, const char *value)
{
    if (!value) {
        if (f.option->kind != SL_OPTION_FLAG)
            return sl_error(-EINVAL, "option --%s needs %s", f.option->name, kind_wanted(f.option));
        value = "true";
    }
    if (f.option->kind == SL_OPTION_LIST && !given[f.index])
        ((struct sl_option_list *)f.value)->count = 0; /* what is given replaces the default */
    int err = set_value(f.option, f.value, value);
    if (err == 0)
        given[f.index] = true;
    return err;
}

int sl_options_set(const struct sl_command *command, const char *name, const char *value)
{
    struct found f = option_named(command, name, strlen(name));
    return f.option ? set_found(f, value) : no_such_option(command, name, strlen(name));
}

bool sl_options_given(const struct sl_command *command, const char *name)
{
    struct found f = option_named(command, name, strlen(name));
    return f.option && given[f.index];
}

/* Command line ----------------------------------------------------------------------------------*/

static struct found option_lettered(const struct sl_command *command, char letter)
{
    struct found f;
    for (unsigned i = 0; (f = option_at(command, i)).option; i++)
        if (f.option->letter == letter)
            return f;
    return (struct found){0};
}

static int set_positional(const struct sl_command *command, unsigned *next, const char *value)
{
    struct found f;
    for (; (f = option_at(command, *next)).option; ++*next) {
        if (!(f.option->flags & SL_OPTION_POSITIONAL))
            continue;
        if (f.option->kind != SL_OPTION_LIST)
            ++*next;
        return set_found(f, value);
    }
    return sl_error(-EINVAL, "'%s' is one argument too many; see %s --help", value, command->name);
}

static const char *value_name(const struct sl_option *o)
{
    if (o->value)
        return o->value;
    switch (o->kind) {
    case SL_OPTION_INT:
    case SL_OPTION_REAL:
        return "N";
    case SL_OPTION_SIZE:
        return "BYTES";
    case SL_OPTION_DURATION:
        return "TIME";
    case SL_OPTION_CHOICE:
        return "CHOICE";
    default:
        return "TEXT";
    }
}

static int check_required(const struct sl_command *command)
{
    struct found f;
    for (unsigned i = 0; (f = option_at(command, i)).option; i++)
        if ((f.option->flags & SL_OPTION_REQUIRED) && !given[i])
            return sl_error(-EINVAL, "%s%s is missing; see %s --help",
                            f.option->flags & SL_OPTION_POSITIONAL ? "" : "--",
                            f.option->flags & SL_OPTION_POSITIONAL ? value_name(f.option)
                                                                   : f.option->name,
                            command->name);
    return 0;
}

/* One argument that begins with '-'. Returns how many further arguments it used, or an error. */
static int parse_dashed(const struct sl_command *command, const char *arg, const char *next)
{
    bool is_long = arg[1] == '-';
    const char *name = arg + (is_long ? 2 : 1);
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    struct found f = is_long       ? option_named(command, name, length)
                     : length == 1 ? option_lettered(command, *name)
                                   : (struct found){0};
    if (!f.option && is_long && !equals && strncmp(name, "no-", 3) == 0) {
        f = option_named(command, name + 3, length - 3);
        if (f.option && f.option->kind == SL_OPTION_FLAG)
            return set_found(f, "false");
        f.option = NULL;
    }
    if (!f.option) {
        if (is_long)
            return no_such_option(command, name, length);
        return sl_error(-ENOENT, "no option %s; see %s --help", arg, command->name);
    }
    if (equals)
        return set_found(f, equals + 1);
    if (f.option->kind == SL_OPTION_FLAG)
        return set_found(f, "true");
    int err = set_found(f, next);
    return err < 0 ? err : 1;
}

/* "-5" and "-0.3" are values, not options. */
static bool is_dashed(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0' && !isdigit((unsigned char)arg[1]) && arg[1] != '.';
}

int sl_options_parse(const struct sl_command *command, int argc, char **argv)
{
    sl_options_default(command);
    unsigned positional = 0;
    bool dashes = true;
    for (int i = 1; i < argc; i++) {
        if (dashes && strcmp(argv[i], "--") == 0) {
            dashes = false;
        } else if (dashes && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            sl_command_help(command, stdout);
            return 1;
        } else if (dashes && strcmp(argv[i], "--help-man") == 0) {
            sl_command_man(command, stdout);
            return 1;
        } else if (dashes && strcmp(argv[i], "--help-options") == 0) {
            sl_command_options(command, stdout);
            return 1;
        } else if (dashes && is_dashed(argv[i])) {
            int used = parse_dashed(command, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
            if (used < 0)
                return used;
            i += used;
        } else {
            int err = set_positional(command, &positional, argv[i]);
            if (err < 0)
                return err;
        }
    }
    return check_required(command);
}

/* Showing ---------------------------------------------------------------------------------------*/

static void print_usage(const struct sl_command *command, FILE *to)
{
    fputs(command->name, to);
    bool options = false;
    struct found f;
    for (unsigned i = 0; (f = option_at(command, i)).option; i++)
        if (!(f.option->flags & (SL_OPTION_POSITIONAL | SL_OPTION_HIDDEN)))
            options = true;
    if (options)
        fputs(" [OPTIONS]", to);
    for (unsigned i = 0; (f = option_at(command, i)).option; i++) {
        if (!(f.option->flags & SL_OPTION_POSITIONAL))
            continue;
        bool must = f.option->flags & SL_OPTION_REQUIRED;
        fprintf(to, " %s%s%s%s", must ? "" : "[", value_name(f.option),
                f.option->kind == SL_OPTION_LIST ? " ..." : "", must ? "" : "]");
    }
}

static void print_choices(const struct sl_option *o, FILE *to)
{
    for (int i = 0; o->choices && o->choices[i]; i++)
        fprintf(to, "%s%s", i ? "|" : "", o->choices[i]);
}

static void option_left(const struct sl_option *o, char *to, size_t size)
{
    char letter[8] = "";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    if (o->flags & SL_OPTION_POSITIONAL)
        snprintf(to, size, "%s", value_name(o));
    else if (o->kind == SL_OPTION_FLAG)
        snprintf(to, size, "%s--%s", letter, o->name);
    else
        snprintf(to, size, "%s--%s %s", letter, o->name, value_name(o));
}

static void option_right(const struct sl_option *o, FILE *to)
{
    fputs(o->help, to);
    if (o->choices) {
        fputs(": ", to);
        print_choices(o, to);
    }
    bool shown = o->fallback && o->fallback[0] &&
                 !(o->kind == SL_OPTION_FLAG && strcmp(o->fallback, "false") == 0);
    if (shown)
        fprintf(to, " (default %s)", o->fallback);
}

void sl_command_help(const struct sl_command *command, FILE *to)
{
    fprintf(to, "%s - %s\n\nUsage: ", command->name, command->summary);
    print_usage(command, to);
    fputs("\n", to);
    if (command->details)
        fprintf(to, "\n%s\n", command->details);
    for (unsigned t = 0; t < table_count(command); t++) {
        const struct sl_option_table *table = &command->tables[t];
        fprintf(to, "\n%s:\n", table->heading ? table->heading : "Options");
        for (unsigned i = 0; i < table->count; i++) {
            if (table->options[i].flags & SL_OPTION_HIDDEN)
                continue;
            char left[96];
            option_left(&table->options[i], left, sizeof left);
            fprintf(to, "  %-26s ", left);
            if (strlen(left) > 26)
                fprintf(to, "\n  %-26s ", "");
            option_right(&table->options[i], to);
            fputs("\n", to);
        }
    }
    if (command->example)
        fprintf(to, "\nExample:\n  %s\n", command->example);
}

/* troff: a dash is \-, a leading dot or quote would be a request, an empty line is a paragraph. */
static void man_text(const char *text, FILE *to)
{
    for (const char *c = text; *c; c++) {
        bool is_first = c == text || c[-1] == '\n';
        if (c[0] == '\n' && c[1] == '\n') {
            fputs("\n.PP", to);
            continue;
        }
        if (*c == '-' || *c == '\\')
            fputc('\\', to);
        if ((*c == '.' || *c == '\'') && is_first)
            fputs("\\&", to);
        fputc(*c == '\\' ? 'e' : *c, to);
    }
}

/* What `print` writes, with what troff would take for its own made harmless. */
static void man_printed(const void *what, void (*print)(const void *, FILE *), FILE *to)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return;
    print(what, memory);
    fclose(memory);
    man_text(text, to);
    free(text);
    fputc('\n', to);
}

static void print_usage_of(const void *command, FILE *to)
{
    print_usage(command, to);
}

static void print_right_of(const void *option, FILE *to)
{
    option_right(option, to);
}

static void man_table(const struct sl_option_table *table, FILE *to)
{
    fprintf(to, ".SH \"%s\"\n", table->heading ? table->heading : "Options");
    for (unsigned i = 0; i < table->count; i++) {
        if (table->options[i].flags & SL_OPTION_HIDDEN)
            continue;
        char left[96];
        option_left(&table->options[i], left, sizeof left);
        fputs(".TP\n", to);
        man_text(left, to);
        fputc('\n', to);
        man_printed(&table->options[i], print_right_of, to);
    }
}

void sl_command_man(const struct sl_command *command, FILE *to)
{
    char page[128];
    snprintf(page, sizeof page, "%s", command->name);
    for (char *c = page; *c; c++)
        *c = *c == ' ' ? '-' : *c;
    fprintf(to, ".TH \"%s\" 1 \"\" \"Sluice\" \"Sluice manual\"\n.SH NAME\n", page);
    man_text(page, to);
    fputs(" \\- ", to);
    man_text(command->summary, to);
    fputs("\n.SH SYNOPSIS\n", to);
    man_printed(command, print_usage_of, to);
    if (command->details) {
        fputs(".SH DESCRIPTION\n", to);
        man_text(command->details, to);
        fputc('\n', to);
    }
    for (unsigned t = 0; t < table_count(command); t++)
        man_table(&command->tables[t], to);
    if (command->example) {
        fputs(".SH EXAMPLE\n.nf\n", to);
        man_text(command->example, to);
        fputs("\n.fi\n", to);
    }
}

void sl_command_options(const struct sl_command *command, FILE *to)
{
    struct found f;
    for (unsigned i = 0; (f = option_at(command, i)).option; i++) {
        if (f.option->flags & (SL_OPTION_HIDDEN | SL_OPTION_POSITIONAL))
            continue;
        fprintf(to, "--%s\t", f.option->name);
        print_choices(f.option, to);
        fprintf(to, "\t%s\n", f.option->help);
    }
}
