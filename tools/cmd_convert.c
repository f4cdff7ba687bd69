/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_convert.c - sluice convert and sluice recover: logs into a new log. */
#include "core/base/error.h"
#include "tools/logs.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct convert_options {
    struct sl_option_list files;
    int format, compression, packing; /* count if they were given */
    int64_t level;
    uint64_t chunk_bytes;
    int64_t metadata_version, schema;
    bool has_checksums;
    uint64_t memory_bytes;
} given;

#define OPTION_FILES(text)                                                              \
    {                                                                                   \
        .name = "file", .kind = SL_OPTION_LIST,                                         \
        .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,                             \
        .offset = offsetof(struct convert_options, files), .value = "LOG", .help = text \
    }
#define OPTION_FORMAT                                                                       \
    {                                                                                       \
        .name = "format", .letter = 'f', .kind = SL_OPTION_CHOICE,                          \
        .offset = offsetof(struct convert_options, format), .choices = sl_log_output_names, \
        .help = "Of the new log; without it by its ending: .mcap, .bag, .pcap, .pcapng, "   \
                "none for a folder of rosbag2"                                              \
    }
#define OPTION_COMPRESSION                                                                        \
    {                                                                                             \
        .name = "compression", .letter = 'c', .kind = SL_OPTION_CHOICE,                           \
        .offset = offsetof(struct convert_options, compression), .choices = sl_compression_names, \
        .help = "MCAP: none, lz4, zstd; ROS 1: none, lz4, bz2"                                    \
    }

static const struct sl_option convert_options[] = {
    OPTION_FILES("Logs to read, and last the one to write"),
    OPTION_FORMAT,
    OPTION_COMPRESSION,
    {.name = "pack",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct convert_options, packing),
     .choices = sl_log_packing_names,
     .help = "What is compressed; message and file are for folders of rosbag2, by zstd"},
    {.name = "level",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct convert_options, level),
     .min = 0,
     .max = 22,
     .help = "Of the compression; 0 is its usual one"},
    {.name = "chunk-size",
     .kind = SL_OPTION_SIZE,
     .offset = offsetof(struct convert_options, chunk_bytes),
     .fallback = "768k",
     .min = 1,
     .max = 1 << 30,
     .help = "A chunk ends when it holds so much"},
    {.name = "metadata-version",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct convert_options, metadata_version),
     .value = "N",
     .fallback = "8",
     .min = 1,
     .max = 9,
     .help = "Of rosbag2's metadata.yaml, for older readers"},
    {.name = "schema",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct convert_options, schema),
     .value = "N",
     .fallback = "4",
     .min = 1,
     .max = 4,
     .help = "Of rosbag2's database, for older readers"},
    {.name = "checksums",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct convert_options, has_checksums),
     .fallback = "true",
     .help = "Checksums of chunks and of the file, where the format has them"},
    SL_TOOL_LOG_MEMORY(struct convert_options),
};

static const struct sl_command convert_command = {
    .name = "sluice convert",
    .summary = "Recorded logs into a new one: other format, merged, filtered, compressed anew",
    .details =
        "Reads MCAP, ROS 1 bags, rosbag2 and captures, several at once; writes their messages in "
        "the order "
        "of time.\nPayloads, times, topics, types and definitions stay what they are: nothing is "
        "translated between\nROS 1 and ROS 2. What a format has no place for is lost: ROS 1 and "
        "rosbag2's databases keep one time\nand no sequence numbers, and have no attachments. A "
        "capture's UDP datagrams are messages of\nudp_msgs/msg/UdpPacket on topics /udp/port_N, "
        "and become a capture again (.pcap, .pcapng).",
    .example = "sluice convert a.bag b.bag both.mcap --compression zstd",
    .tables = {{"Options", convert_options, sizeof convert_options / sizeof *convert_options,
                &given},
               SL_TABLE_LOG_CHOICE},
};

static const struct sl_option recover_options[] = {
    OPTION_FILES("The damaged log, and the one to write"),
    OPTION_FORMAT,
    OPTION_COMPRESSION,
    SL_TOOL_LOG_MEMORY(struct convert_options),
};

static const struct sl_command recover_command = {
    .name = "sluice recover",
    .summary = "Save what is whole in a damaged log",
    .details =
        "Goes through the log without its index, passes over what cannot be read, and writes "
        "every whole\nmessage into a new log, with an index.\n\n"
        "The exit status is 0 if nothing was lost, 3 if something was, 1 if nothing could be "
        "saved.",
    .example = "sluice recover crashed.bag.active saved.bag",
    .tables = {{"Options", recover_options, sizeof recover_options / sizeof *recover_options,
                &given}},
};

static int output_options(const struct sl_command *command, const char *path,
                          struct sl_log_output_options *ret_options)
{
    int kind = sl_options_given(command, "format") ? given.format : sl_log_output_kind_of(path);
    if (kind < 0)
        return kind;
    *ret_options = (struct sl_log_output_options){
        .kind = (enum sl_log_output_kind)kind,
        .packing = (enum sl_log_packing)given.packing,
        .metadata_version = (int)given.metadata_version,
        .schema = (int)given.schema,
        .write = {.compression = (enum sl_compression)given.compression,
                  .level = (int)given.level,
                  .chunk_bytes = given.chunk_bytes,
                  .omit = given.has_checksums ? 0 : SL_LOG_OMIT_CHUNK_CRC | SL_LOG_OMIT_DATA_CRC},
    };
    if (given.packing != SL_LOG_PACK_CHUNKS && !sl_options_given(command, "compression"))
        ret_options->write.compression = SL_COMPRESSION_ZSTD;
    return 0;
}

static int split_arguments(unsigned *ret_inputs, const char **ret_output)
{
    if (given.files.count < 2)
        return sl_error(-EINVAL, "name a log to read and one to write");
    *ret_inputs = given.files.count - 1;
    *ret_output = given.files.text[given.files.count - 1];
    return 0;
}

static void print_copied(const char *path, const struct sl_log_copied *copied)
{
    char size[SL_SHOW_MAX];
    printf("%s: %" PRIu64 " messages of %u topics, %s\n", path, copied->messages, copied->topics,
           sl_show_bytes((double)copied->bytes, size, sizeof size));
}

/* What was asked for that the output has no place for. */
static int check_versions(const struct sl_log_output_options *options)
{
    bool is_database = options->kind == SL_LOG_OUTPUT_ROSBAG2_SQLITE;
    bool is_rosbag2 = is_database || options->kind == SL_LOG_OUTPUT_ROSBAG2;
    if (sl_options_given(&convert_command, "schema") && !is_database)
        return sl_error(-EINVAL, "--schema is for --format rosbag2-sqlite, not %s",
                        sl_log_output_names[options->kind]);
    if (sl_options_given(&convert_command, "metadata-version") && !is_rosbag2)
        return sl_error(-EINVAL, "--metadata-version is for rosbag2, not %s",
                        sl_log_output_names[options->kind]);
    if (is_rosbag2 && options->packing != SL_LOG_PACK_CHUNKS && options->metadata_version < 3)
        return sl_error(-EINVAL,
                        "metadata.yaml of version %d cannot tell of compression; 3 and later can",
                        options->metadata_version);
    return 0;
}

/* Other than by what --help says, an attachment would be missed only when it is looked for. */
static void tell_left_out(const struct sl_log_view *view, enum sl_log_output_kind kind)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < view->set.count; i++)
        count += view->set.logs[i]->attachment_count;
    if (count > 0 && kind != SL_LOG_OUTPUT_MCAP && kind != SL_LOG_OUTPUT_ROSBAG2)
        fprintf(stderr, "sluice convert: %" PRIu64 " attachments are left out: %s has none\n",
                count, sl_log_output_names[kind]);
}

static int run_convert(void)
{
    unsigned inputs = 0;
    const char *path = NULL;
    struct sl_log_view view;
    struct sl_log_output_options options;
    struct sl_log_copied copied;
    int err = split_arguments(&inputs, &path);
    if (!err)
        err = output_options(&convert_command, path, &options);
    if (!err)
        err = check_versions(&options);
    if (!err)
        err = sl_log_view_open(&view, given.files.text, inputs, given.memory_bytes, 0, false);
    if (err)
        return err;
    err = sl_log_copy(&view, path, &options, false, &copied);
    for (unsigned i = 0; i < view.set.count && !err; i++)
        if (view.set.logs[i]->damage.count)
            fprintf(stderr, "sluice convert: %s: %s; what is whole was taken\n",
                    view.set.files[i].path, view.set.logs[i]->damage.first);
    if (!err)
        tell_left_out(&view, options.kind);
    if (!err)
        sl_log_tell_notes(&view.set, "sluice convert: ", stderr);
    if (!err)
        print_copied(path, &copied);
    sl_log_view_close(&view);
    return err;
}

/* Damage that was met while scanning, and while reading. */
static uint64_t tell_losses(const struct sl_log_view *view)
{
    uint64_t places = 0;
    const char *reason;
    for (unsigned i = 0; i < view->set.count; i++) {
        const struct sl_log_damage *damage = &view->set.logs[i]->damage;
        char text[sizeof damage->first];
        places += damage->count;
        if (!damage->count)
            continue;
        memcpy(text, damage->first, sizeof text);
        sl_text_tame(text);
        printf("%s: damaged in %" PRIu64 " places, %" PRIu64 " bytes passed over; first, at byte "
               "%" PRIu64 ": %s\n",
               view->set.files[i].path, damage->count, damage->lost_bytes, damage->first_offset,
               text);
    }
    uint64_t blocks = sl_log_reader_damage(view->reader, &reason);
    if (blocks && !places)
        printf("damaged chunks: %" PRIu64 "; first: %s\n", blocks, reason);
    uint64_t left_out = sl_log_reader_left_out(view->reader, &reason);
    if (left_out)
        printf("messages that cannot be decompressed, and are left out: %" PRIu64 "; first: %s\n",
               left_out, reason);
    sl_log_tell_notes(&view->set, "", stdout);
    return places + blocks + left_out + view->set.note_count;
}

static int run_recover(void)
{
    unsigned inputs = 0;
    const char *path = NULL;
    struct sl_log_view view;
    struct sl_log_output_options options;
    struct sl_log_copied copied;
    given.has_checksums = true;
    given.packing = SL_LOG_PACK_CHUNKS;
    given.chunk_bytes = given.level = 0;
    given.metadata_version = given.schema = 0;
    sl_log_choice = (struct sl_log_choice){0};
    int err = split_arguments(&inputs, &path);
    if (!err && inputs > 1)
        err = sl_error(-EINVAL, "name one log to read and one to write");
    if (!err)
        err = output_options(&recover_command, path, &options);
    if (!err)
        err = sl_log_view_open(&view, given.files.text, inputs, given.memory_bytes, SL_LOG_SCAN,
                               true);
    if (err)
        return err;
    uint64_t losses = 0;
    bool is_damaged = view.set.note_count > 0;
    for (unsigned i = 0; i < view.set.count; i++)
        is_damaged |= view.set.logs[i]->damage.count > 0;
    err = sl_log_copy(&view, path, &options, is_damaged, &copied);
    if (!err)
        losses = tell_losses(&view);
    if (!err && is_damaged && copied.messages == 0)
        printf("no message can be saved, %s is not written\n", path);
    else if (!err)
        print_copied(path, &copied);
    sl_log_view_close(&view);
    if (err)
        return err;
    return losses == 0 ? 0 : copied.messages == 0 ? SL_EXIT_FAILURE : SL_EXIT_LOSS;
}

const struct sl_tool sl_tool_convert = {
    .name = "convert", .command = &convert_command, .run = run_convert};
const struct sl_tool sl_tool_recover = {
    .name = "recover", .command = &recover_command, .run = run_recover};
