/* SPDX-License-Identifier: Apache-2.0 */
#include "core/frame/build.h"

#include "core/base/error.h"
#include "core/base/options.h"
#include "core/frame/message.h"
#include "core/frame/place.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_TEXT_SIZE 128 /* more digits than any number needs */
#define QUOTE_MAX        40  /* of a wrong value, in an error sentence */

struct build {
    const struct sl_value_source *source;
    struct sl_cdr_writer w;
    const struct sl_place *place;
};

static int build_message(struct build *b, const struct sl_schema *schema, const void *node);

static enum sl_value_shape shape_of(const struct build *b, const void *node)
{
    return node ? b->source->shape(b->source->state, node) : SL_VALUE_NULL;
}

static int wrong(const struct build *b, int err, const char *what)
{
    char place[SL_PLACE_TEXT_SIZE];
    return sl_error(err, "%s: %s", sl_place_text(b->place, place), what);
}

static int wrong_text(const struct build *b, int err, struct sl_text text, const char *what)
{
    char sentence[SL_ERROR_TEXT_MAX];
    int quoted = text.size < QUOTE_MAX ? (int)text.size : QUOTE_MAX;
    snprintf(sentence, sizeof sentence, "\"%.*s\" %s", quoted, text.at ? text.at : "", what);
    return wrong(b, err, sentence);
}

/* ---- Scalars ---- */

/* Bounds of the whole kinds; one of them is used. */
static const struct bounds {
    int64_t min;
    uint64_t max;
} bounds[] = {
    [SL_KIND_U8] = {0, UINT8_MAX},   [SL_KIND_I8] = {INT8_MIN, INT8_MAX},
    [SL_KIND_U16] = {0, UINT16_MAX}, [SL_KIND_I16] = {INT16_MIN, INT16_MAX},
    [SL_KIND_U32] = {0, UINT32_MAX}, [SL_KIND_I32] = {INT32_MIN, INT32_MAX},
    [SL_KIND_U64] = {0, UINT64_MAX}, [SL_KIND_I64] = {INT64_MIN, INT64_MAX},
};

static int out_of_range(const struct build *b, struct sl_text text, enum sl_kind kind)
{
    char what[SL_ERROR_TEXT_MAX];
    if (kind == SL_KIND_F32 || kind == SL_KIND_F64)
        snprintf(what, sizeof what, "is out of range; %s goes to %.8g", sl_kind_name(kind),
                 kind == SL_KIND_F32 ? FLT_MAX : DBL_MAX);
    else
        snprintf(what, sizeof what, "is out of range; %s goes from %" PRId64 " to %" PRIu64,
                 sl_kind_name(kind), bounds[kind].min, bounds[kind].max);
    return wrong_text(b, -ERANGE, text, what);
}

/* The text with a closing NUL, if it can be a number at all. */
static bool number_text(struct sl_text text, char to[NUMBER_TEXT_SIZE])
{
    if (text.size == 0 || text.size >= NUMBER_TEXT_SIZE || isspace((uint8_t)text.at[0]) ||
        memchr(text.at, '\0', text.size))
        return false;
    memcpy(to, text.at, text.size);
    to[text.size] = '\0';
    return true;
}

static int parse_whole(const struct build *b, struct sl_text text, enum sl_kind kind,
                       uint64_t *ret_bits)
{
    char digits[NUMBER_TEXT_SIZE];
    bool is_number = number_text(text, digits);
    const char *at = is_number ? digits + (digits[0] == '-' || digits[0] == '+') : "";
    int base = at[0] == '0' && (at[1] == 'x' || at[1] == 'X') ? 16 : 10;
    char *end = NULL;
    errno = 0;
    uint64_t size = isdigit((uint8_t)at[0]) ? strtoull(at, &end, base) : 0;
    if (!end || *end != '\0')
        return wrong_text(b, -EINVAL, text, "is no whole number");
    bool is_negative = digits[0] == '-' && size > 0;
    /* -(min + 1) + 1: the size of the least number, without overflow */
    uint64_t limit = !is_negative            ? bounds[kind].max
                     : bounds[kind].min == 0 ? 0
                                             : (uint64_t)(-(bounds[kind].min + 1)) + 1;
    if (errno == ERANGE || size > limit)
        return out_of_range(b, text, kind);
    *ret_bits = is_negative ? 0 - size : size;
    return 0;
}

static bool parse_special_real(const char *text, double *ret_value)
{
    static const struct {
        const char *text;
        double value;
    } specials[] = {
        {".nan", NAN},          {".NaN", NAN},
        {"NaN", NAN},           {"nan", NAN},
        {".inf", INFINITY},     {"-.inf", -INFINITY},
        {"inf", INFINITY},      {"-inf", -INFINITY},
        {"Infinity", INFINITY}, {"-Infinity", -INFINITY},
    };
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        if (strcmp(text, specials[i].text) == 0) {
            *ret_value = specials[i].value;
            return true;
        }
    }
    return false;
}

static int parse_real(const struct build *b, struct sl_text text, enum sl_kind kind,
                      double *ret_value)
{
    char digits[NUMBER_TEXT_SIZE];
    if (!number_text(text, digits))
        return wrong_text(b, -EINVAL, text, "is no number");
    if (parse_special_real(digits, ret_value))
        return 0;
    char *end;
    double value = strtod(digits, &end);
    if (*end != '\0' || isalpha((uint8_t)digits[0]) || isnan(value))
        return wrong_text(b, -EINVAL, text, "is no number");
    /* as binary32: what rounds to more than the greatest one is too much */
    if (isinf(value) || (kind == SL_KIND_F32 && isinf((float)value)))
        return out_of_range(b, text, kind);
    *ret_value = value;
    return 0;
}

static int parse_bool(const struct build *b, struct sl_text text, uint64_t *ret_bits)
{
    char word[NUMBER_TEXT_SIZE];
    bool value;
    if (!number_text(text, word) || sl_parse_bool(word, &value) < 0)
        return wrong_text(b, -EINVAL, text, "is neither true nor false");
    *ret_bits = value;
    return 0;
}

static void put_bits(struct sl_cdr_writer *w, enum sl_kind kind, uint64_t bits)
{
    switch (sl_kind_size(kind)) {
    case 1:
        sl_cdr_put_u8(w, (uint8_t)bits);
        break;
    case 2:
        sl_cdr_put_u16(w, (uint16_t)bits);
        break;
    case 4:
        sl_cdr_put_u32(w, (uint32_t)bits);
        break;
    default:
        sl_cdr_put_u64(w, bits);
    }
}

static int build_string(struct build *b, struct sl_text text)
{
    if (text.size > 0 && memchr(text.at, '\0', text.size))
        return wrong(b, -EINVAL, "a string cannot hold a NUL");
    sl_cdr_put_text(&b->w, text);
    return 0;
}

static int build_scalar(struct build *b, enum sl_kind kind, struct sl_text text)
{
    uint64_t bits = 0;
    double real = 0;
    int err;
    switch (kind) {
    case SL_KIND_STRING:
        return build_string(b, text);
    case SL_KIND_F32:
        err = parse_real(b, text, kind, &real);
        if (err == 0)
            sl_cdr_put_f32(&b->w, (float)real);
        return err;
    case SL_KIND_F64:
        err = parse_real(b, text, kind, &real);
        if (err == 0)
            sl_cdr_put_f64(&b->w, real);
        return err;
    case SL_KIND_BOOL:
        err = parse_bool(b, text, &bits);
        break;
    default:
        err = parse_whole(b, text, kind, &bits);
    }
    if (err == 0)
        put_bits(&b->w, kind, bits);
    return err;
}

/* ---- Members ---- */

/* One value: a member, or an element of a list. Absent means zero. */
static int build_value(struct build *b, const struct sl_member *member, const void *node)
{
    if (member->kind == SL_KIND_MESSAGE)
        return build_message(b, member->type, node);
    switch (shape_of(b, node)) {
    case SL_VALUE_SCALAR:
        return build_scalar(b, member->kind, b->source->text(b->source->state, node));
    case SL_VALUE_NULL:
        if (member->kind == SL_KIND_STRING)
            sl_cdr_put_text(&b->w, (struct sl_text){0});
        else
            put_bits(&b->w, member->kind, 0);
        return 0;
    default: {
        char what[SL_ERROR_TEXT_MAX];
        snprintf(what, sizeof what, "takes one %s, not a list or a map",
                 sl_kind_name(member->kind));
        return wrong(b, -EINVAL, what);
    }
    }
}

static int build_elements(struct build *b, struct sl_place *place, const struct sl_member *member,
                          const void *node, uint32_t *ret_count)
{
    void *cursor = NULL;
    struct sl_text key;
    uint32_t count = 0;
    /* Each element takes a byte at least, so the room bounds the loop. */
    for (const void *element; !b->w.bytes.failed &&
                              (element = b->source->next(b->source->state, node, &cursor, &key));) {
        place->index = count++;
        int err = build_value(b, member, element);
        if (err < 0)
            return err;
    }
    place->index = SL_PLACE_NO_INDEX;
    *ret_count = count;
    return 0;
}

static int wrong_count(const struct build *b, const struct sl_member *member, uint32_t count)
{
    char what[SL_ERROR_TEXT_MAX];
    snprintf(what, sizeof what, "%" PRIu32 " elements; %s[%s%" PRIu32 "] is wanted", count,
             member->type ? member->type->name : sl_kind_name(member->kind),
             member->shape == SL_SHAPE_ARRAY ? "" : "<=", member->count);
    return wrong(b, -EINVAL, what);
}

static int build_zeros(struct build *b, const struct sl_member *member)
{
    for (uint32_t i = 0; i < member->count; i++) {
        int err = build_value(b, member, NULL);
        if (err < 0)
            return err;
    }
    return 0;
}

static int build_list(struct build *b, struct sl_place *place, const struct sl_member *member,
                      const void *node)
{
    bool is_array = member->shape == SL_SHAPE_ARRAY;
    enum sl_value_shape shape = shape_of(b, node);
    if (shape == SL_VALUE_NULL && is_array)
        return build_zeros(b, member);
    if (shape == SL_VALUE_SCALAR || shape == SL_VALUE_MAP)
        return wrong(b, -EINVAL, "takes a list");
    uint8_t *count_at = NULL;
    if (!is_array) {
        sl_cdr_put_u32(&b->w, 0);
        count_at = b->w.bytes.at - 4;
    }
    uint32_t count = 0;
    int err = shape == SL_VALUE_LIST ? build_elements(b, place, member, node, &count) : 0;
    if (err < 0 || b->w.bytes.failed)
        return err;
    if (is_array ? count != member->count : member->count > 0 && count > member->count)
        return wrong_count(b, member, count);
    if (count_at)
        sl_put_le32(count_at, count); /* known only now */
    return 0;
}

static int build_member(struct build *b, const struct sl_member *member, const void *node)
{
    struct sl_place place = {b->place, member->name, SL_PLACE_NO_INDEX};
    b->place = &place;
    int err = member->shape == SL_SHAPE_ONE ? build_value(b, member, node)
                                            : build_list(b, &place, member, node);
    b->place = place.outer;
    return err;
}

/* ---- Messages ---- */

static int unknown_member(const struct build *b, const struct sl_schema *schema, struct sl_text key)
{
    char name[SL_PLACE_TEXT_SIZE];
    int quoted = key.size < QUOTE_MAX ? (int)key.size : QUOTE_MAX;
    snprintf(name, sizeof name, "%.*s", quoted, key.at ? key.at : "");
    struct sl_place place = {b->place, name, SL_PLACE_NO_INDEX};
    char place_text[SL_PLACE_TEXT_SIZE];
    char has[SL_ERROR_TEXT_MAX] = "";
    for (size_t i = 0, at = 0; i < schema->member_count && at < sizeof has; i++)
        at += (size_t)snprintf(has + at, sizeof has - at, "%s%s", i > 0 ? ", " : "",
                               schema->members[i].name);
    return sl_error(-ENOENT, "%s: %s has no such member; it has %s",
                    sl_place_text(&place, place_text), schema->name, has);
}

static int given_twice(const struct build *b, const char *member)
{
    struct sl_place place = {b->place, member, SL_PLACE_NO_INDEX};
    char text[SL_PLACE_TEXT_SIZE];
    return sl_error(-EINVAL, "%s: is given twice", sl_place_text(&place, text));
}

/* Find each key's member: values[i] becomes the node of member i. */
static int sort_members(struct build *b, const struct sl_schema *schema, const void *node,
                        const void *values[SL_SCHEMA_MEMBERS_MAX])
{
    void *cursor = NULL;
    struct sl_text key = {0};
    for (const void *value; (value = b->source->next(b->source->state, node, &cursor, &key));) {
        unsigned i = 0;
        while (i < schema->member_count && !sl_text_is(key, schema->members[i].name))
            i++;
        if (i == schema->member_count)
            return unknown_member(b, schema, key);
        if (values[i])
            return given_twice(b, schema->members[i].name);
        values[i] = value;
    }
    return 0;
}

/* `now` for a stamp, `auto` for a header. Returns 1 if it was such a word, 0 if not. */
static int build_word(struct build *b, const struct sl_schema *schema, struct sl_text text)
{
    bool is_stamp = strcmp(schema->name, "builtin_interfaces/msg/Time") == 0;
    bool is_header = strcmp(schema->name, "std_msgs/msg/Header") == 0;
    if (b->source->now_ns < 0 ||
        !((is_stamp && sl_text_is(text, "now")) || (is_header && sl_text_is(text, "auto"))))
        return 0;
    int err = is_stamp ? sl_stamp_write(&b->w, b->source->now_ns)
                       : sl_header_write(&b->w, b->source->now_ns, (struct sl_text){0});
    return err < 0 ? err : 1;
}

static int build_message(struct build *b, const struct sl_schema *schema, const void *node)
{
    const void *values[SL_SCHEMA_MEMBERS_MAX] = {0};
    enum sl_value_shape shape = shape_of(b, node);
    int err = 0;
    if (shape == SL_VALUE_SCALAR) {
        err = build_word(b, schema, b->source->text(b->source->state, node));
        if (err != 0)
            return err < 0 ? err : 0;
    }
    if (shape == SL_VALUE_SCALAR || shape == SL_VALUE_LIST) {
        char what[SL_ERROR_TEXT_MAX];
        snprintf(what, sizeof what, "takes the members of a %s", schema->name);
        return wrong(b, -EINVAL, what);
    }
    if (shape == SL_VALUE_MAP)
        err = sort_members(b, schema, node, values);
    for (unsigned i = 0; i < schema->member_count && err == 0; i++)
        err = build_member(b, &schema->members[i], values[i]);
    return err;
}

int sl_message_build(const struct sl_schema *schema, const struct sl_value_source *source, void *to,
                     size_t room, size_t *ret_size)
{
    struct build b = {.source = source, .w = sl_cdr_write(to, room)};
    int err = build_message(&b, schema, source->root);
    if (err < 0)
        return err;
    err = sl_message_write_result(&b.w, schema->name);
    if (err < 0)
        return err;
    *ret_size = sl_cdr_written(&b.w);
    return 0;
}
