/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/rosbag2_metadata.h"

#include "core/base/error.h"
#include "core/base/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define QOS_DEPTH_MAX 8

struct memory {
    struct sl_yaml *yaml;
    struct sl_rosbag2_topic *topics;
    struct sl_rosbag2_file *files;
    char **texts; /* qos of version 9, written out */
    unsigned text_count;
};

/* Reading ---------------------------------------------------------------------------------------*/

static int get_text(const struct sl_yaml_node *map, const char *key, const char **ret_text)
{
    const struct sl_yaml_node *node = sl_yaml_get(map, key);
    const char *text = node && !sl_yaml_is_null(node) ? sl_yaml_text(node) : "";
    if (!text)
        return sl_yaml_error(node, -EBADMSG, "%s must be a text", key);
    *ret_text = text;
    return 0;
}

static int get_number(const struct sl_yaml_node *map, const char *key, uint64_t *ret_value)
{
    const struct sl_yaml_node *node = sl_yaml_get(map, key);
    *ret_value = 0;
    if (!node)
        return 0;
    const char *text = sl_yaml_text(node);
    char *end;
    errno = 0;
    long long value = text ? strtoll(text, &end, 10) : 0;
    if (!text || !*text || *end || errno)
        return sl_yaml_error(node, -EBADMSG, "%s must be a whole number", key);
    *ret_value = (uint64_t)value;
    return 0;
}

static void append(struct sl_buffer *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void append(struct sl_buffer *b, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sl_buffer_put(b, text, size < (int)sizeof text ? (size_t)size : sizeof text - 1);
}

/* A double-quoted YAML text. */
static void append_quoted(struct sl_buffer *b, const char *text)
{
    sl_buffer_u8(b, '"');
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == '"' || *c == '\\')
            append(b, "\\%c", *c);
        else if (*c == '\n')
            append(b, "\\n");
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            append(b, "\\x%02x", (unsigned char)*c);
        else
            sl_buffer_u8(b, (uint8_t)*c);
    }
    sl_buffer_u8(b, '"');
}

/* What the parser made of it, as YAML in one line: that is YAML again, whatever it was. */
static void append_flow(struct sl_buffer *b, const struct sl_yaml_node *node, unsigned depth)
{
    bool is_list = sl_yaml_is(node, SL_YAML_SEQUENCE);
    if (depth == QOS_DEPTH_MAX || sl_yaml_is(node, SL_YAML_SCALAR)) {
        const char *text = sl_yaml_text(node);
        if (sl_yaml_is_quoted(node) || !text)
            append_quoted(b, text);
        else
            append(b, "%s", text);
        return;
    }
    sl_buffer_u8(b, is_list ? '[' : '{');
    for (unsigned i = 0; i < sl_yaml_count(node); i++) {
        if (i > 0)
            append(b, ", ");
        if (!is_list)
            append(b, "%s: ", sl_yaml_text(sl_yaml_key(node, i)));
        append_flow(b, sl_yaml_item(node, i), depth + 1);
    }
    sl_buffer_u8(b, is_list ? ']' : '}');
}

static int get_qos(struct memory *memory, const struct sl_yaml_node *map, const char **ret_text)
{
    const struct sl_yaml_node *node = sl_yaml_get(map, "offered_qos_profiles");
    struct sl_buffer text = {0};
    if (!sl_yaml_is(node, SL_YAML_SEQUENCE))
        return get_text(map, "offered_qos_profiles", ret_text);
    append_flow(&text, node, 0);
    sl_buffer_u8(&text, 0);
    if (text.failed) {
        sl_buffer_finish(&text);
        return sl_error(-ENOMEM, "no memory for metadata.yaml");
    }
    memory->texts[memory->text_count++] = (char *)text.bytes;
    *ret_text = (char *)text.bytes;
    return 0;
}

static int read_topic(struct memory *memory, const struct sl_yaml_node *node,
                      struct sl_rosbag2_topic *topic)
{
    const struct sl_yaml_node *inner = sl_yaml_get(node, "topic_metadata");
    if (!sl_yaml_is(inner, SL_YAML_MAPPING))
        return sl_yaml_error(node, -EBADMSG, "a topic has no topic_metadata");
    int err = get_text(inner, "name", &topic->name);
    if (!err)
        err = get_text(inner, "type", &topic->type);
    if (!err)
        err = get_text(inner, "serialization_format", &topic->encoding);
    if (!err)
        err = get_text(inner, "type_description_hash", &topic->type_hash);
    if (!err)
        err = get_qos(memory, inner, &topic->qos);
    return err ? err : get_number(node, "message_count", &topic->message_count);
}

static int read_topics(struct memory *memory, const struct sl_yaml_node *list,
                       struct sl_rosbag2_metadata *m)
{
    unsigned count = sl_yaml_count(list);
    if (list && !sl_yaml_is(list, SL_YAML_SEQUENCE) && !sl_yaml_is_null(list))
        return sl_yaml_error(list, -EBADMSG, "topics_with_message_count must be a list");
    memory->topics = calloc(count + 1, sizeof *memory->topics);
    memory->texts = calloc(count + 1, sizeof *memory->texts);
    if (!memory->topics || !memory->texts)
        return sl_error(-ENOMEM, "no memory for metadata.yaml");
    m->topics = memory->topics;
    for (unsigned i = 0; i < count; i++) {
        int err = read_topic(memory, sl_yaml_item(list, i), &m->topics[i]);
        if (err)
            return err;
    }
    m->topic_count = count;
    return 0;
}

static int read_file(const struct sl_yaml_node *node, struct sl_rosbag2_file *file)
{
    const struct sl_yaml_node *start = sl_yaml_get(node, "starting_time");
    int err = get_text(node, "path", &file->path);
    if (!err)
        err = get_number(start, "nanoseconds_since_epoch", &file->first_ns);
    if (!err)
        err = get_number(sl_yaml_get(node, "duration"), "nanoseconds", &file->duration_ns);
    return err ? err : get_number(node, "message_count", &file->message_count);
}

static int read_files(struct memory *memory, const struct sl_yaml_node *root,
                      struct sl_rosbag2_metadata *m)
{
    const struct sl_yaml_node *files = sl_yaml_get(root, "files");
    const struct sl_yaml_node *paths = sl_yaml_get(root, "relative_file_paths");
    bool has_files = sl_yaml_count(files) > 0;
    const struct sl_yaml_node *list = has_files ? files : paths;
    unsigned count = sl_yaml_is(list, SL_YAML_SEQUENCE) ? sl_yaml_count(list) : 0;
    memory->files = calloc(count + 1, sizeof *memory->files);
    if (!memory->files)
        return sl_error(-ENOMEM, "no memory for metadata.yaml");
    m->files = memory->files;
    for (unsigned i = 0; i < count; i++) {
        const struct sl_yaml_node *item = sl_yaml_item(list, i);
        struct sl_rosbag2_file *file = &m->files[i];
        if (has_files) {
            int err = read_file(item, file);
            if (err)
                return err;
        } else {
            file->path = sl_yaml_text(item);
        }
        if (!file->path || !file->path[0])
            return sl_yaml_error(item, -EBADMSG, "a file has no path");
    }
    m->file_count = count;
    return 0;
}

static int read_document(struct memory *memory, struct sl_rosbag2_metadata *m)
{
    const struct sl_yaml_node *top = sl_yaml_root(memory->yaml);
    const struct sl_yaml_node *root = sl_yaml_get(top, "rosbag2_bagfile_information");
    uint64_t version;
    if (!sl_yaml_is(root, SL_YAML_MAPPING))
        return sl_yaml_error(top, -EBADMSG, "has no rosbag2_bagfile_information");
    const struct sl_yaml_node *version_node = sl_yaml_get(root, "version");
    if (!version_node)
        return sl_yaml_error(root, -EBADMSG, "has no version");
    int err = get_number(root, "version", &version);
    if (!err && (version < 1 || version > SL_ROSBAG2_VERSION_MAX))
        err = sl_yaml_error(version_node, -ENOTSUP,
                            "version must be 1 to %d; a newer Sluice may know it",
                            SL_ROSBAG2_VERSION_MAX);
    m->version = (int)version;
    const struct {
        const char *key, **to;
    } texts[] = {
        {"storage_identifier", &m->storage},
        {"compression_format", &m->compression_format},
        {"compression_mode", &m->compression_mode},
        {"ros_distro", &m->ros_distro},
    };
    for (unsigned i = 0; i < sizeof texts / sizeof *texts && !err; i++)
        err = get_text(root, texts[i].key, texts[i].to);
    if (!err)
        err =
            get_number(sl_yaml_get(root, "starting_time"), "nanoseconds_since_epoch", &m->first_ns);
    if (!err)
        err = get_number(sl_yaml_get(root, "duration"), "nanoseconds", &m->duration_ns);
    if (!err)
        err = get_number(root, "message_count", &m->message_count);
    if (!err)
        err = read_topics(memory, sl_yaml_get(root, "topics_with_message_count"), m);
    return err ? err : read_files(memory, root, m);
}

int sl_rosbag2_metadata_parse(const char *name, const char *text, size_t size_bytes,
                              struct sl_rosbag2_metadata *ret_metadata)
{
    struct sl_rosbag2_metadata m = {0};
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return sl_error(-ENOMEM, "no memory for metadata.yaml");
    m.memory = memory;
    int err = sl_yaml_parse(name, text, size_bytes, &memory->yaml);
    if (!err)
        err = read_document(memory, &m);
    if (err) {
        sl_rosbag2_metadata_finish(&m);
        return err;
    }
    *ret_metadata = m;
    return 0;
}

void sl_rosbag2_metadata_finish(struct sl_rosbag2_metadata *metadata)
{
    struct memory *memory = metadata->memory;
    if (!memory)
        return;
    for (unsigned i = 0; i < memory->text_count; i++)
        free(memory->texts[i]);
    free(memory->texts);
    free(memory->topics);
    free(memory->files);
    sl_yaml_destroy(memory->yaml);
    free(memory);
    metadata->memory = NULL;
}

/* Writing ---------------------------------------------------------------------------------------*/

static void format_span(struct sl_buffer *b, const char *indent, uint64_t first_ns,
                        uint64_t duration_ns)
{
    append(b, "%sduration:\n%s  nanoseconds: %" PRIu64 "\n", indent, indent, duration_ns);
    append(b, "%sstarting_time:\n%s  nanoseconds_since_epoch: %" PRIu64 "\n", indent, indent,
           first_ns);
}

static void format_text(struct sl_buffer *b, const char *indent, const char *key, const char *text)
{
    append(b, "%s%s: ", indent, key);
    append_quoted(b, text);
    sl_buffer_u8(b, '\n');
}

/* Of version 9: the policies' words for the numbers that the text has. */
static const char *word_of(const char *policy, const char *value)
{
    static const struct {
        const char *policy, *value, *word;
    } words[] = {
        {"history", "0", "system_default"},     {"history", "1", "keep_last"},
        {"history", "2", "keep_all"},           {"history", "3", "unknown"},
        {"reliability", "0", "system_default"}, {"reliability", "1", "reliable"},
        {"reliability", "2", "best_effort"},    {"reliability", "3", "unknown"},
        {"durability", "0", "system_default"},  {"durability", "1", "transient_local"},
        {"durability", "2", "volatile"},        {"durability", "3", "unknown"},
        {"liveliness", "0", "system_default"},  {"liveliness", "1", "automatic"},
        {"liveliness", "3", "manual_by_topic"}, {"liveliness", "4", "unknown"},
    };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].policy, policy) == 0 && strcmp(words[i].value, value) == 0)
            return words[i].word;
    return value;
}

static void format_policies(struct sl_buffer *b, const struct sl_yaml_node *profile)
{
    for (unsigned i = 0; i < sl_yaml_count(profile); i++) {
        const char *key = sl_yaml_text(sl_yaml_key(profile, i));
        const struct sl_yaml_node *value = sl_yaml_item(profile, i);
        append(b, "%s%s: ", i == 0 ? "          - " : "            ", key);
        if (sl_yaml_is(value, SL_YAML_SCALAR) && !sl_yaml_is_quoted(value))
            append(b, "%s", word_of(key, sl_yaml_text(value)));
        else
            append_flow(b, value, 1);
        sl_buffer_u8(b, '\n');
    }
}

static void format_qos_list(struct sl_buffer *b, const char *qos)
{
    struct sl_yaml *yaml = NULL;
    bool is_list = qos && qos[0] && sl_yaml_parse("qos", qos, strlen(qos), &yaml) == 0 &&
                   sl_yaml_is(sl_yaml_root(yaml), SL_YAML_SEQUENCE) &&
                   sl_yaml_count(sl_yaml_root(yaml)) > 0;
    append(b, "        offered_qos_profiles:%s\n", is_list ? "" : " []");
    for (unsigned i = 0; is_list && i < sl_yaml_count(sl_yaml_root(yaml)); i++)
        format_policies(b, sl_yaml_item(sl_yaml_root(yaml), i));
    sl_yaml_destroy(yaml);
}

static void format_topic(struct sl_buffer *b, int version, const struct sl_rosbag2_topic *topic)
{
    append(b, "    - topic_metadata:\n");
    format_text(b, "        ", "name", topic->name);
    format_text(b, "        ", "type", topic->type);
    format_text(b, "        ", "serialization_format", topic->encoding);
    if (version >= 9)
        format_qos_list(b, topic->qos);
    else if (version >= 4)
        format_text(b, "        ", "offered_qos_profiles", topic->qos);
    if (version >= 7)
        format_text(b, "        ", "type_description_hash", topic->type_hash);
    append(b, "      message_count: %" PRIu64 "\n", topic->message_count);
}

void sl_rosbag2_metadata_format(const struct sl_rosbag2_metadata *m, struct sl_buffer *to)
{
    append(to, "rosbag2_bagfile_information:\n  version: %d\n  storage_identifier: %s\n",
           m->version, m->storage);
    format_span(to, "  ", m->first_ns, m->duration_ns);
    append(to, "  message_count: %" PRIu64 "\n  topics_with_message_count:%s\n", m->message_count,
           m->topic_count ? "" : " []");
    for (unsigned i = 0; i < m->topic_count; i++)
        format_topic(to, m->version, &m->topics[i]);
    if (m->version >= 3) {
        format_text(to, "  ", "compression_format", m->compression_format);
        format_text(to, "  ", "compression_mode", m->compression_mode);
    }
    append(to, "  relative_file_paths:%s\n", m->file_count ? "" : " []");
    for (unsigned i = 0; i < m->file_count; i++) {
        append(to, "    - ");
        append_quoted(to, m->files[i].path);
        sl_buffer_u8(to, '\n');
    }
    if (m->version >= 5)
        append(to, "  files:%s\n", m->file_count ? "" : " []");
    for (unsigned i = 0; i < m->file_count && m->version >= 5; i++) {
        format_text(to, "    - ", "path", m->files[i].path);
        format_span(to, "      ", m->files[i].first_ns, m->files[i].duration_ns);
        append(to, "      message_count: %" PRIu64 "\n", m->files[i].message_count);
    }
    if (m->version >= 6)
        append(to, "  custom_data: ~\n");
    if (m->version >= 8)
        format_text(to, "  ", "ros_distro", m->ros_distro);
}
