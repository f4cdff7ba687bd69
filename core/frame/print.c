/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/print.h"

#include "core/base/error.h"
#include "core/frame/walk.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* ---- Numbers ---- */

#define REAL_SIZE 40 /* sign, 17 digits, point, exponent, and ".0" */

/* The fewest digits that give the same bits again: 9 are always enough for binary32, 17 for
 * binary64 (IEEE 754-2008, 5.12.2). */
static void shortest(double value, bool is_f32, char to[REAL_SIZE])
{
    int last = is_f32 ? 9 : 17;
    for (int digits = is_f32 ? 6 : 15; digits <= last; digits++) {
        snprintf(to, REAL_SIZE, "%.*g", digits, value);
        if (is_f32 ? strtof(to, NULL) == (float)value : strtod(to, NULL) == value)
            return;
    }
}

/* A finite real, recognisable as one: 1 becomes 1.0, 1e+30 becomes 1.0e+30 (which YAML 1.1 needs).
 */
static void print_real(double value, bool is_f32, FILE *to)
{
    char text[REAL_SIZE];
    shortest(value, is_f32, text);
    size_t whole = strcspn(text, ".e");
    bool has_point = text[whole] == '.';
    fprintf(to, "%.*s%s%s", (int)whole, text, has_point ? "" : ".0", text + whole);
}

static const char *special_real(double value, const char *nan, const char *inf,
                                const char *minus_inf)
{
    return isnan(value) ? nan : isinf(value) ? (value > 0 ? inf : minus_inf) : NULL;
}

/* Whole numbers and bools look alike in both forms. */
static void print_whole(const struct sl_visit *visit, FILE *to)
{
    switch (visit->member->kind) {
    case SL_KIND_BOOL:
        fputs(visit->number_u ? "true" : "false", to);
        break;
    case SL_KIND_I8:
    case SL_KIND_I16:
    case SL_KIND_I32:
    case SL_KIND_I64:
        fprintf(to, "%" PRId64, visit->number_i);
        break;
    default:
        fprintf(to, "%" PRIu64, visit->number_u);
    }
}

/* ---- Strings ---- */

/* Bytes of the UTF-8 character at `at`, or 0 if it is none: cut, overlong, a surrogate or beyond
 * U+10FFFF (RFC 3629, 4). */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size == 0 || lead > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool bad = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) ||
               (lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f);
    return bad ? 0 : size;
}

/* Control characters of both ranges (C0, DEL, C1): a terminal might obey them. */
static bool is_control(const uint8_t *at, size_t size)
{
    return (size == 1 && (at[0] < 0x20 || at[0] == 0x7f)) ||
           (size == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

/* In double quotes. `byte_escape` is a format for one unsigned: what the two forms differ in. */
static void print_quoted(struct sl_text text, const char *byte_escape, FILE *to)
{
    const uint8_t *at = (const uint8_t *)text.at;
    putc('"', to);
    for (size_t left = text.size; left > 0;) {
        size_t size = utf8_size(at, left);
        if (size == 1 && (*at == '"' || *at == '\\'))
            fprintf(to, "\\%c", *at);
        else if (size == 1 && *at == '\n')
            fputs("\\n", to);
        else if (size == 1 && *at == '\t')
            fputs("\\t", to);
        else if (size == 0 || is_control(at, size))
            fprintf(to, byte_escape, size == 2 ? at[1] : at[0]);
        else
            fwrite(at, 1, size, to);
        size += size == 0;
        at += size;
        left -= size;
    }
    putc('"', to);
}

void sl_print_json_text(struct sl_text text, FILE *to)
{
    print_quoted(text, "\\u%04x", to);
}

/* Text that every YAML reader takes for a string as it stands. */
static bool is_plain_yaml(struct sl_text text)
{
    static const char *const reserved[] = {"true", "false", "yes", "no", "on",
                                           "off",  "null",  "y",   "n"};
    if (text.size == 0 || !(isalpha((uint8_t)text.at[0]) || strchr("_/", text.at[0])))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum((uint8_t)text.at[i]) && (!text.at[i] || !strchr("_/.-", text.at[i])))
            return false;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strlen(reserved[i]) == text.size && strncasecmp(text.at, reserved[i], text.size) == 0)
            return false;
    return true;
}

/* ---- YAML ---- */

struct yaml {
    FILE *to;
    bool dash; /* the next line begins an element: "- " */
};

static void print_indent(struct yaml *y, unsigned level)
{
    fprintf(y->to, "%*s", (int)(2 * (y->dash ? level - 1 : level)), "");
    if (y->dash)
        fputs("- ", y->to);
    y->dash = false;
}

static void print_yaml_value(const struct sl_visit *visit, FILE *to)
{
    enum sl_kind kind = visit->member->kind;
    if (kind == SL_KIND_STRING) {
        if (is_plain_yaml(visit->text))
            fwrite(visit->text.at, 1, visit->text.size, to);
        else
            print_quoted(visit->text, "\\x%02x", to);
    } else if (kind == SL_KIND_F32 || kind == SL_KIND_F64) {
        const char *special = special_real(visit->real, ".nan", ".inf", "-.inf");
        if (special)
            fputs(special, to);
        else
            print_real(visit->real, kind == SL_KIND_F32, to);
    } else {
        print_whole(visit, to);
    }
}

static void yaml_value(struct yaml *y, const struct sl_visit *visit, unsigned level)
{
    if (visit->in_list) {
        fputs(visit->index > 0 ? ", " : "", y->to);
        print_yaml_value(visit, y->to);
        return;
    }
    print_indent(y, level);
    fprintf(y->to, "%s: ", visit->member->name);
    print_yaml_value(visit, y->to);
    putc('\n', y->to);
}

static void yaml_list_begin(struct yaml *y, const struct sl_visit *visit, unsigned level)
{
    print_indent(y, level);
    bool is_block = visit->member->kind == SL_KIND_MESSAGE && visit->count > 0;
    fprintf(y->to, "%s:%s", visit->member->name, is_block ? "\n" : " [");
}

static void yaml_list_end(struct yaml *y, const struct sl_visit *visit, unsigned level)
{
    uint32_t more = visit->count - visit->shown;
    if (visit->member->kind == SL_KIND_MESSAGE && visit->count > 0) {
        if (more > 0) {
            print_indent(y, level);
            fprintf(y->to, "- ... %" PRIu32 " more\n", more);
        }
        return;
    }
    if (more > 0)
        fprintf(y->to, "%s... %" PRIu32 " more", visit->shown > 0 ? ", " : "", more);
    fputs("]\n", y->to);
}

static void visit_yaml(void *state, const struct sl_visit *visit)
{
    struct yaml *y = state;
    unsigned level = visit->depth > 0 ? visit->depth - 1 : 0;
    switch (visit->what) {
    case SL_VISIT_VALUE:
        yaml_value(y, visit, level);
        break;
    case SL_VISIT_MESSAGE_BEGIN:
        if (visit->in_list) {
            y->dash = true;
        } else if (visit->member) {
            print_indent(y, level);
            fprintf(y->to, "%s:\n", visit->member->name);
        }
        break;
    case SL_VISIT_MESSAGE_END:
        break;
    case SL_VISIT_LIST_BEGIN:
        yaml_list_begin(y, visit, level);
        break;
    case SL_VISIT_LIST_END:
        yaml_list_end(y, visit, level);
        break;
    }
}

/* ---- JSON ---- */

struct json {
    FILE *to;
    bool comma; /* something stands before in this object or array */
};

static void begin_json(struct json *j, const struct sl_visit *visit)
{
    if (j->comma)
        putc(',', j->to);
    if (visit->member && !visit->in_list)
        fprintf(j->to, "\"%s\":", visit->member->name);
}

static void print_json_value(const struct sl_visit *visit, FILE *to)
{
    enum sl_kind kind = visit->member->kind;
    if (kind == SL_KIND_STRING) {
        sl_print_json_text(visit->text, to);
    } else if (kind == SL_KIND_F32 || kind == SL_KIND_F64) {
        const char *special = special_real(visit->real, "\"NaN\"", "\"Infinity\"", "\"-Infinity\"");
        if (special)
            fputs(special, to);
        else
            print_real(visit->real, kind == SL_KIND_F32, to);
    } else {
        print_whole(visit, to);
    }
}

static void visit_json(void *state, const struct sl_visit *visit)
{
    struct json *j = state;
    bool is_cut = visit->shown < visit->count;
    switch (visit->what) {
    case SL_VISIT_VALUE:
        begin_json(j, visit);
        print_json_value(visit, j->to);
        j->comma = true;
        break;
    case SL_VISIT_MESSAGE_BEGIN:
        begin_json(j, visit);
        putc('{', j->to);
        j->comma = false;
        break;
    case SL_VISIT_MESSAGE_END:
        putc('}', j->to);
        j->comma = true;
        break;
    case SL_VISIT_LIST_BEGIN:
        begin_json(j, visit);
        if (is_cut)
            fprintf(j->to, "{\"length\":%" PRIu32 ",\"first\":", visit->count);
        putc('[', j->to);
        j->comma = false;
        break;
    case SL_VISIT_LIST_END:
        fputs(is_cut ? "]}" : "]", j->to);
        j->comma = true;
        break;
    }
}

/* ---- Both ---- */

static int print(const struct sl_schema *schema, const void *body, size_t size,
                 const struct sl_visitor *visitor, FILE *to)
{
    /* Look first, so that no half of a message is printed. */
    int err = sl_message_walk(schema, body, size, NULL, NULL);
    if (err == 0)
        err = sl_message_walk(schema, body, size, visitor, NULL);
    if (err == 0 && ferror(to))
        err = sl_error(-EIO, "%s cannot be printed: the output does not take it", schema->name);
    return err;
}

int sl_message_print_yaml(const struct sl_schema *schema, const void *body, size_t size,
                          uint32_t list_max, FILE *to)
{
    struct yaml y = {.to = to};
    struct sl_visitor visitor = {visit_yaml, &y, list_max};
    return print(schema, body, size, &visitor, to);
}

int sl_message_print_json(const struct sl_schema *schema, const void *body, size_t size,
                          uint32_t list_max, FILE *to)
{
    struct json j = {.to = to};
    struct sl_visitor visitor = {visit_json, &j, list_max};
    return print(schema, body, size, &visitor, to);
}
