/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.c - from libfyaml's events to our tree; the only file that knows the library. */
#include "core/base/yaml.h"

#include "core/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <libfyaml.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANCHORS_MAX     256
#define SHOWN_LINE_MAX  96 /* columns of the line that an error shows */
#define SHOWN_MESSAGE   300
#define NAME_IN_MESSAGE 120

const char *const sl_yaml_kind_names[] = {"text", "mapping", "list", NULL};

struct sl_yaml_node {
    struct sl_yaml *yaml;
    char *text;                 /* scalars */
    struct sl_yaml_node **key;  /* mappings */
    struct sl_yaml_node **item; /* mappings and lists */
    uint32_t *key_hash;         /* mappings: finds double keys fast */
    unsigned count, room;
    unsigned weight;       /* nodes below with aliases written out, and itself */
    unsigned line, column; /* from 1 */
    enum sl_yaml_kind kind;
    bool is_quoted;
    struct sl_yaml_node *next; /* of all nodes of the document */
};

struct anchor {
    char *name;
    struct sl_yaml_node *node;
};

struct sl_yaml {
    char *name;
    char *source; /* with a NUL */
    size_t source_size;
    struct sl_yaml_node *root;
    struct sl_yaml_node *all;
    unsigned node_count;
    size_t seen_at, seen_line_start; /* of the last place */
};

/* A document being built: the open collections from the root down. */
struct builder {
    struct sl_yaml *yaml;
    struct sl_yaml_node *open[SL_YAML_DEPTH_MAX];
    struct sl_yaml_node *key[SL_YAML_DEPTH_MAX]; /* waits for its value */
    char *anchor_name[SL_YAML_DEPTH_MAX];        /* of the open collection */
    unsigned depth;
    struct anchor anchor[ANCHORS_MAX];
    unsigned anchor_count;
    bool is_done;
};

/* Messages --------------------------------------------------------------------------------------*/

/* Length of the well-formed UTF-8 character at `at`, 0 if there is none (Unicode 15, table 3-7). */
static size_t utf8_length(const unsigned char *at)
{
    unsigned char lead = at[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                    : lead >= 0xe0 && lead <= 0xef ? 3
                    : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                   : 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) /* the NUL at the end is none either */
            return 0;
    bool is_long_or_beyond = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f) ||
                             (lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f);
    return is_long_or_beyond ? 0 : length;
}

static const char *line_start(const struct sl_yaml *yaml, unsigned line)
{
    const char *at = yaml->source;
    for (unsigned i = 1; i < line; i++) {
        const char *newline = strchr(at, '\n');
        if (!newline)
            return NULL;
        at = newline + 1;
    }
    return at;
}

/* The line with a caret below, "" if there is no such line or nothing in it. Tabs and what is no
 * text become spaces, so that the caret stands where it should; a long line is shown around the
 * column. */
static void excerpt(const struct sl_yaml *yaml, unsigned line, unsigned column, char *to,
                    size_t size)
{
    to[0] = '\0';
    const char *start = line > 0 && column > 0 ? line_start(yaml, line) : NULL;
    if (!start)
        return;
    size_t length = strcspn(start, "\r\n");
    if (length == 0)
        return;
    size_t at = column - 1 <= length ? column - 1 : length;
    char text[SHOWN_LINE_MAX + 1];
    size_t used = 0, caret = 0;
    for (size_t i = at > SHOWN_LINE_MAX * 3 / 4 ? at - SHOWN_LINE_MAX / 2 : 0; i < length;) {
        size_t bytes = utf8_length((const unsigned char *)start + i);
        size_t step = bytes > 0 ? bytes : 1;
        if (used + step >= sizeof text)
            break;
        bool is_text =
            bytes > 1 || (bytes == 1 && (unsigned char)start[i] >= 0x20 && start[i] != 0x7f);
        if (is_text)
            memcpy(text + used, start + i, bytes);
        else
            text[used] = ' ';
        used += is_text ? bytes : 1;
        caret += i < at; /* a character is one column wide, however many bytes it has */
        i += step;
    }
    text[used] = '\0';
    snprintf(to, size, "\n    %s\n    %*s^", text, (int)caret, "");
}

static int error_at(const struct sl_yaml *yaml, unsigned line, unsigned column, int err,
                    const char *message)
{
    char shown[SHOWN_LINE_MAX * 2 + 32];
    excerpt(yaml, line, column, shown, sizeof shown);
    if (line == 0)
        return sl_error(err, "%.*s: %.*s", NAME_IN_MESSAGE, yaml->name, SHOWN_MESSAGE, message);
    return sl_error(err, "%.*s:%u:%u: %.*s%s", NAME_IN_MESSAGE, yaml->name, line, column,
                    SHOWN_MESSAGE, message, shown);
}

int sl_yaml_error(const struct sl_yaml_node *node, int err, const char *format, ...)
{
    char message[SHOWN_MESSAGE + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return error_at(node->yaml, node->line, node->column, err, message);
}

/* Nodes -----------------------------------------------------------------------------------------*/

static struct sl_yaml_node *node_create(struct sl_yaml *yaml, enum sl_yaml_kind kind)
{
    struct sl_yaml_node *node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    node->yaml = yaml;
    node->kind = kind;
    node->weight = 1;
    node->next = yaml->all;
    yaml->all = node;
    yaml->node_count++;
    return node;
}

/* Where the line of that byte starts. Places mostly come in their order, so each byte is looked at
 * once and not once for every entry of a long line. */
static size_t line_start_before(struct sl_yaml *yaml, size_t at)
{
    if (at < yaml->seen_at)
        yaml->seen_at = yaml->seen_line_start = 0;
    const char *from = yaml->source + yaml->seen_at;
    const char *newline = memrchr(from, '\n', at - yaml->seen_at);
    if (newline)
        yaml->seen_line_start = (size_t)(newline - yaml->source) + 1;
    yaml->seen_at = at;
    return yaml->seen_line_start;
}

/* Marks count bytes from the start; a token without one takes the place of `near`. */
static void node_place(struct sl_yaml_node *node, struct fy_event *event,
                       const struct sl_yaml_node *near)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (!mark || mark->input_pos > node->yaml->source_size) {
        node->line = near ? near->line : 1;
        node->column = near ? near->column : 1;
        return;
    }
    const char *source = node->yaml->source;
    size_t at = mark->input_pos;
    /* the library points behind a quote or a '*' */
    if (at > 0 && strchr("\"'*", source[at - 1]) && event->type != FYET_MAPPING_START)
        at--;
    node->line = (unsigned)mark->line + 1;
    node->column = (unsigned)(at - line_start_before(node->yaml, at)) + 1;
}

static uint32_t text_hash(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static int node_grow(struct sl_yaml_node *node)
{
    if (node->count < node->room)
        return 0;
    unsigned room = node->room ? node->room * 2 : 8;
    struct sl_yaml_node **item = realloc(node->item, room * sizeof(*item));
    if (!item)
        return -ENOMEM;
    node->item = item;
    if (node->kind == SL_YAML_MAPPING) {
        struct sl_yaml_node **key = realloc(node->key, room * sizeof(*key));
        if (!key)
            return -ENOMEM;
        node->key = key;
        uint32_t *hash = realloc(node->key_hash, room * sizeof *hash);
        if (!hash)
            return -ENOMEM;
        node->key_hash = hash;
    }
    node->room = room;
    return 0;
}

static int out_of_memory(const struct sl_yaml *yaml)
{
    return sl_error(-ENOMEM, "%.*s: no memory", NAME_IN_MESSAGE, yaml->name);
}

static int check_key(struct sl_yaml_node *mapping, struct sl_yaml_node *key)
{
    if (key->kind != SL_YAML_SCALAR)
        return sl_yaml_error(key, -EINVAL, "a key must be a text");
    uint32_t hash = text_hash(key->text);
    for (unsigned i = 0; i < mapping->count; i++) {
        if (mapping->key_hash[i] == hash && strcmp(mapping->key[i]->text, key->text) == 0)
            return sl_yaml_error(key, -EINVAL, "key '%s' stands here already, in line %u",
                                 key->text, mapping->key[i]->line);
    }
    return 0;
}

/* Put a finished node where it belongs: root, list item, key or value. `place` is where it is
 * written: the node itself, or an alias of it. */
static int builder_add(struct builder *b, struct sl_yaml_node *node,
                       const struct sl_yaml_node *place)
{
    if (b->depth == 0) {
        b->yaml->root = node;
        return 0;
    }
    struct sl_yaml_node *parent = b->open[b->depth - 1];
    struct sl_yaml_node *key = b->key[b->depth - 1];
    if (parent->kind == SL_YAML_MAPPING && !key) {
        int err = check_key(parent, node);
        if (err == 0)
            b->key[b->depth - 1] = node;
        return err;
    }
    if (node_grow(parent) < 0)
        return out_of_memory(b->yaml);
    if (node->weight > SL_YAML_WEIGHT_MAX - parent->weight)
        return sl_yaml_error(place, -E2BIG,
                             "its aliases written out, the document is larger than "
                             "%u entries",
                             SL_YAML_WEIGHT_MAX);
    parent->weight += node->weight;
    if (key) {
        parent->key[parent->count] = key;
        parent->key_hash[parent->count] = text_hash(key->text);
        b->key[b->depth - 1] = NULL;
    }
    parent->item[parent->count++] = node;
    return 0;
}

static int add_anchor(struct builder *b, char *name, struct sl_yaml_node *node)
{
    if (!name)
        return 0;
    if (b->anchor_count == ANCHORS_MAX) {
        free(name);
        return sl_yaml_error(node, -E2BIG, "more than %u anchors", ANCHORS_MAX);
    }
    b->anchor[b->anchor_count++] = (struct anchor){name, node};
    return 0;
}

static char *token_text(struct fy_token *token, size_t *ret_length)
{
    size_t length = 0;
    const char *text = token ? fy_token_get_text(token, &length) : "";
    if (!text)
        text = "", length = 0;
    char *copy = malloc(length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *ret_length = length;
    return copy;
}

/* Events ----------------------------------------------------------------------------------------*/

static const struct sl_yaml_node *builder_near(const struct builder *b)
{
    if (b->depth == 0)
        return NULL;
    const struct sl_yaml_node *key = b->key[b->depth - 1];
    return key ? key : b->open[b->depth - 1];
}

static int on_scalar(struct builder *b, struct fy_event *event)
{
    struct sl_yaml_node *node = node_create(b->yaml, SL_YAML_SCALAR);
    if (!node)
        return out_of_memory(b->yaml);
    node_place(node, event, builder_near(b));
    struct fy_token *value = event->scalar.value;
    size_t length;
    node->text = token_text(value, &length);
    if (!node->text)
        return out_of_memory(b->yaml);
    if (strlen(node->text) != length)
        return sl_yaml_error(node, -EINVAL, "a text must not hold a zero byte");
    node->is_quoted =
        (value && fy_token_scalar_style(value) != FYSS_PLAIN) || (event->scalar.tag != NULL);
    if (event->scalar.anchor) {
        int err = add_anchor(b, token_text(event->scalar.anchor, &length), node);
        if (err < 0)
            return err;
    }
    return builder_add(b, node, node);
}

static int on_open(struct builder *b, struct fy_event *event, enum sl_yaml_kind kind)
{
    struct sl_yaml_node *node = node_create(b->yaml, kind);
    if (!node)
        return out_of_memory(b->yaml);
    node_place(node, event, builder_near(b));
    if (b->depth == SL_YAML_DEPTH_MAX)
        return sl_yaml_error(node, -E2BIG, "nested more than %d deep", SL_YAML_DEPTH_MAX);
    struct fy_token *anchor =
        kind == SL_YAML_MAPPING ? event->mapping_start.anchor : event->sequence_start.anchor;
    size_t length;
    b->anchor_name[b->depth] = anchor ? token_text(anchor, &length) : NULL;
    b->key[b->depth] = NULL;
    b->open[b->depth++] = node;
    return 0;
}

static int on_close(struct builder *b)
{
    struct sl_yaml_node *node = b->open[--b->depth];
    /* Only now: an alias inside its own anchor would never end. */
    char *name = b->anchor_name[b->depth];
    b->anchor_name[b->depth] = NULL;
    int err = add_anchor(b, name, node);
    return err < 0 ? err : builder_add(b, node, node);
}

static int on_alias(struct builder *b, struct fy_event *event)
{
    struct sl_yaml_node place = {.yaml = b->yaml};
    node_place(&place, event, builder_near(b));
    size_t length;
    char *name = token_text(event->alias.anchor, &length);
    if (!name)
        return out_of_memory(b->yaml);
    for (unsigned i = b->anchor_count; i-- > 0;) {
        if (strcmp(b->anchor[i].name, name) == 0) {
            free(name);
            b->yaml->node_count++;
            return builder_add(b, b->anchor[i].node, &place);
        }
    }
    int err = sl_yaml_error(&place, -EINVAL, "no anchor &%s before this alias", name);
    free(name);
    return err;
}

static int on_event(struct builder *b, struct fy_event *event)
{
    if (b->yaml->node_count > SL_YAML_NODES_MAX) {
        struct sl_yaml_node place = {.yaml = b->yaml};
        node_place(&place, event, NULL);
        return sl_yaml_error(&place, -E2BIG, "more than %u entries", SL_YAML_NODES_MAX);
    }
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (b->is_done) {
            struct sl_yaml_node place = {.yaml = b->yaml};
            node_place(&place, event, NULL);
            return sl_yaml_error(&place, -EINVAL, "a second document; only one is read");
        }
        return 0;
    case FYET_DOCUMENT_END:
        b->is_done = true;
        return 0;
    case FYET_MAPPING_START:
        return on_open(b, event, SL_YAML_MAPPING);
    case FYET_SEQUENCE_START:
        return on_open(b, event, SL_YAML_SEQUENCE);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return on_close(b);
    case FYET_SCALAR:
        return on_scalar(b, event);
    case FYET_ALIAS:
        return on_alias(b, event);
    default:
        return 0;
    }
}

/* What the library found wrong with the text. Its columns count characters; ours count bytes. */
static int syntax_error(const struct sl_yaml *yaml, struct fy_diag *diag)
{
    void *previous = NULL;
    const struct fy_diag_error *found;
    while ((found = fy_diag_errors_iterate(diag, &previous)))
        if (found->type == FYET_ERROR && found->msg)
            break;
    if (!found)
        return error_at(yaml, 0, 0, -EINVAL, "this is no YAML");
    unsigned line = found->line > 0 ? (unsigned)found->line : 0;
    unsigned column = found->column > 0 ? (unsigned)found->column : 1;
    const char *start = line > 0 ? line_start(yaml, line) : NULL;
    if (start) {
        const char *at = start;
        for (unsigned i = 1; i < column && *at && *at != '\n'; at++)
            i += ((unsigned char)at[1] & 0xc0) != 0x80;
        column = (unsigned)(at - start) + 1;
    }
    char message[SHOWN_MESSAGE + 1];
    snprintf(message, sizeof message, "%s", found->msg);
    message[strcspn(message, "\n")] = '\0';
    return error_at(yaml, line, column, -EINVAL, message);
}

static int build(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
    struct fy_event *event;
    while ((event = fy_parser_parse(parser))) {
        int err = on_event(b, event);
        bool is_end = event->type == FYET_STREAM_END;
        fy_parser_event_free(parser, event);
        if (err < 0)
            return err;
        if (is_end)
            break;
    }
    if (fy_parser_get_stream_error(parser) || !event)
        return syntax_error(b->yaml, diag);
    if (b->yaml->root)
        return 0;
    struct sl_yaml_node *empty = node_create(b->yaml, SL_YAML_SCALAR);
    if (!empty || !(empty->text = calloc(1, 1)))
        return out_of_memory(b->yaml);
    empty->line = empty->column = 1;
    b->yaml->root = empty;
    return 0;
}

static int parse(struct sl_yaml *yaml)
{
    int err = -ENOMEM;
    struct fy_parser *parser = NULL;
    struct builder *b = calloc(1, sizeof *b);
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    if (!diag || !b)
        goto out;
    b->yaml = yaml;
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg options = {
        .search_path = "",
        /* a closing bracket may stand wherever; other readers take it so, and people write it so */
        .flags = FYPCF_QUIET | FYPCF_JSON_NONE | FYPCF_SLOPPY_FLOW_INDENTATION,
        .diag = diag};
    parser = fy_parser_create(&options);
    if (!parser || fy_parser_set_string(parser, yaml->source, yaml->source_size) != 0)
        goto out;
    err = build(b, parser, diag);
out:
    if (err == -ENOMEM)
        out_of_memory(yaml);
    if (parser)
        fy_parser_destroy(parser);
    if (diag)
        fy_diag_destroy(diag);
    if (b) {
        for (unsigned i = 0; i < b->anchor_count; i++)
            free(b->anchor[i].name);
        for (unsigned i = 0; i < b->depth; i++)
            free(b->anchor_name[i]);
    }
    free(b);
    return err;
}

/* Documents -------------------------------------------------------------------------------------*/

/* The library reads broken characters as the end of the text; here they are an error. */
static int check_text(const struct sl_yaml *yaml)
{
    const char *zero = memchr(yaml->source, '\0', yaml->source_size);
    if (zero)
        return sl_error(-EINVAL, "%s: byte %zu is zero; this is no text", yaml->name,
                        (size_t)(zero - yaml->source));
    const char *start = yaml->source;
    unsigned line = 1;
    for (const char *at = yaml->source; *at;) {
        size_t length = utf8_length((const unsigned char *)at);
        if (length == 0)
            return error_at(yaml, line, (unsigned)(at - start) + 1, -EINVAL,
                            "this is no UTF-8 text");
        at += length;
        if (at[-1] == '\n') {
            start = at;
            line++;
        }
    }
    return 0;
}

int sl_yaml_parse(const char *name, const char *text, size_t size_bytes, struct sl_yaml **ret_yaml)
{
    if (size_bytes > SL_YAML_SIZE_MAX)
        return sl_error(-E2BIG, "%s: larger than %u bytes", name, SL_YAML_SIZE_MAX);
    struct sl_yaml *yaml = calloc(1, sizeof *yaml);
    if (!yaml)
        return sl_error(-ENOMEM, "%s: no memory", name);
    int err = -ENOMEM;
    yaml->name = strdup(name);
    yaml->source = malloc(size_bytes + 1);
    if (!yaml->name || !yaml->source) {
        sl_error(err, "%s: no memory", name);
        goto fail;
    }
    if (size_bytes > 0)
        memcpy(yaml->source, text, size_bytes);
    yaml->source[size_bytes] = '\0';
    yaml->source_size = size_bytes;
    err = check_text(yaml);
    if (err < 0)
        goto fail;
    err = parse(yaml);
    if (err < 0)
        goto fail;
    *ret_yaml = yaml;
    return 0;
fail:
    sl_yaml_destroy(yaml);
    return err;
}

/* The file's bytes, at most SL_YAML_SIZE_MAX + 1 of them: one more than is allowed tells "too
 * large". The result is to be freed. */
static int read_file(const char *path, char **ret_text, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return sl_error(-errno, "%s: %s", path, strerror(errno));
    size_t used = 0;
    char *text = malloc(SL_YAML_SIZE_MAX + 1);
    int err = text ? 0 : sl_error(-ENOMEM, "%s: no memory", path);
    while (err == 0 && used < SL_YAML_SIZE_MAX + 1) {
        ssize_t n = read(fd, text + used, SL_YAML_SIZE_MAX + 1 - used);
        if (n == 0)
            break;
        if (n > 0)
            used += (size_t)n;
        else if (errno != EINTR)
            err = sl_error(-errno, "%s: %s", path, strerror(errno));
    }
    close(fd);
    if (err < 0) {
        free(text);
        return err;
    }
    *ret_text = text;
    *ret_size = used;
    return 0;
}

int sl_yaml_load(const char *path, struct sl_yaml **ret_yaml)
{
    char *text = NULL;
    size_t size_bytes = 0;
    int err = read_file(path, &text, &size_bytes);
    if (err < 0)
        return err;
    err = sl_yaml_parse(path, text, size_bytes, ret_yaml);
    free(text);
    return err;
}

void sl_yaml_destroy(struct sl_yaml *yaml)
{
    if (!yaml)
        return;
    while (yaml->all) {
        struct sl_yaml_node *node = yaml->all;
        yaml->all = node->next;
        free(node->text);
        free(node->key);
        free(node->key_hash);
        free(node->item);
        free(node);
    }
    free(yaml->source);
    free(yaml->name);
    free(yaml);
}

/* Reading ---------------------------------------------------------------------------------------*/

const struct sl_yaml_node *sl_yaml_root(const struct sl_yaml *yaml)
{
    return yaml->root;
}

bool sl_yaml_is(const struct sl_yaml_node *node, enum sl_yaml_kind kind)
{
    return node && node->kind == kind;
}

enum sl_yaml_kind sl_yaml_kind(const struct sl_yaml_node *node)
{
    return node->kind;
}

const char *sl_yaml_text(const struct sl_yaml_node *node)
{
    return node ? node->text : NULL;
}

bool sl_yaml_is_null(const struct sl_yaml_node *node)
{
    if (!sl_yaml_is(node, SL_YAML_SCALAR) || node->is_quoted)
        return false;
    return node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}

bool sl_yaml_is_quoted(const struct sl_yaml_node *node)
{
    return node && node->is_quoted;
}

unsigned sl_yaml_count(const struct sl_yaml_node *node)
{
    return node ? node->count : 0;
}

const struct sl_yaml_node *sl_yaml_item(const struct sl_yaml_node *node, unsigned index)
{
    return index < sl_yaml_count(node) ? node->item[index] : NULL;
}

const struct sl_yaml_node *sl_yaml_key(const struct sl_yaml_node *node, unsigned index)
{
    return sl_yaml_is(node, SL_YAML_MAPPING) && index < node->count ? node->key[index] : NULL;
}

const struct sl_yaml_node *sl_yaml_get(const struct sl_yaml_node *node, const char *key)
{
    if (!sl_yaml_is(node, SL_YAML_MAPPING))
        return NULL;
    for (unsigned i = 0; i < node->count; i++)
        if (strcmp(node->key[i]->text, key) == 0)
            return node->item[i];
    return NULL;
}

unsigned sl_yaml_line(const struct sl_yaml_node *node)
{
    return node->line;
}

unsigned sl_yaml_column(const struct sl_yaml_node *node)
{
    return node->column;
}

const char *sl_yaml_file(const struct sl_yaml_node *node)
{
    return node->yaml->name;
}
