/* SPDX-License-Identifier: Apache-2.0 */
/* make_seeds.c - writes the seeds of a log's fuzz target into the folder given: small logs of each
 * kind, whole and cut off. Run by hand when a writer learns something new; the seeds are committed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/capture/link.h"
#include "core/capture/write.h"
#include "rosbag_compat/rosbag2_metadata.h"
#include "rosbag_compat/sqlite.h"
#include "tests/rosbag_compat/support.h"

static int save(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

static int make(const char *folder, const char *name, struct sl_log_write_options options,
                int (*create)(const struct sl_log_sink *sink,
                              const struct sl_log_write_options *options,
                              struct sl_log_writer **ret_writer))
{
    char cut[256];
    struct sl_buffer out = {0};
    struct sl_log_sink sink = memory_sink(&out);
    struct sl_log_writer *writer;
    struct made *made = make_log(10, 60, 1);
    static const struct sl_log_pair pairs[] = {{"key", "value"}};
    options.chunk_bytes = 300;
    assert_fine(create(&sink, &options, &writer));
    write_made(made, writer);
    struct sl_log_attachment attachment = {
        .name = "a", .media_type = "text/plain", .size_bytes = 3};
    struct sl_log_source source = memory_source((const uint8_t *)"abc", 3);
    assert_fine(sl_log_write_attachment(writer, &attachment, &source));
    assert_fine(sl_log_write_metadata(writer, &(struct sl_log_metadata){"m", pairs, 1}));
    assert_fine(sl_log_write_end(writer));
    sl_log_writer_destroy(writer);
    snprintf(cut, sizeof cut, "%s_cut", name);
    int failed = save(folder, name, out.bytes, out.size_bytes) |
                 save(folder, cut, out.bytes, out.size_bytes * 2 / 3);
    sl_buffer_finish(&out);
    free_made(made);
    return failed;
}

static int make_mcap(const char *folder)
{
    int failed = make(folder, "plain", (struct sl_log_write_options){0}, sl_mcap_writer_create);
    failed |= make(folder, "unchunked", (struct sl_log_write_options){.is_unchunked = true},
                   sl_mcap_writer_create);
    failed |= make(folder, "lz4", (struct sl_log_write_options){.compression = SL_COMPRESSION_LZ4},
                   sl_mcap_writer_create);
    failed |=
        make(folder, "zstd", (struct sl_log_write_options){.compression = SL_COMPRESSION_ZSTD},
             sl_mcap_writer_create);
    return failed | make(folder, "bare",
                         (struct sl_log_write_options){.omit = SL_LOG_OMIT_CHUNK_CRC |
                                                               SL_LOG_OMIT_SUMMARY_CRC |
                                                               SL_LOG_OMIT_STATISTICS},
                         sl_mcap_writer_create);
}

static int make_ros1(const char *folder)
{
    int failed = make(folder, "plain", (struct sl_log_write_options){0}, sl_ros1_writer_create);
    failed |= make(folder, "lz4", (struct sl_log_write_options){.compression = SL_COMPRESSION_LZ4},
                   sl_ros1_writer_create);
    return failed |
           make(folder, "bz2", (struct sl_log_write_options){.compression = SL_COMPRESSION_BZ2},
                sl_ros1_writer_create);
}

static int make_database(const char *folder, int schema)
{
    char path[4096];
    struct sl_sqlite *db;
    struct sl_log_writer *writer;
    struct sl_log_write_options options = {0};
    struct made *made = make_log(10, 60, 1);
    snprintf(path, sizeof path, "%s/schema_%d", folder, schema);
    remove(path);
    assert_fine(sl_sqlite_create(path, &db));
    assert_fine(sl_sqlite_execute(db, "PRAGMA page_size=512; VACUUM"));
    assert_fine(sl_rosbag2_sqlite_writer_create(db, schema, &options, &writer));
    write_made(made, writer);
    assert_fine(sl_log_write_end(writer));
    sl_log_writer_destroy(writer);
    sl_sqlite_close(db);
    free_made(made);
    return 0;
}

static int make_rosbag2(const char *folder)
{
    struct sl_rosbag2_topic topic = {"/a", "b", "cdr", "- history: 1\n  depth: 1\n", "h", 3};
    struct sl_rosbag2_file file = {"a_0.db3", 1, 2, 3};
    struct sl_rosbag2_metadata m = {
        .storage = "sqlite3", .topics = &topic, .topic_count = 1, .files = &file, .file_count = 1};
    int failed = 0;
    for (int schema = 1; schema <= 4; schema++)
        failed |= make_database(folder, schema);
    for (m.version = 1; m.version <= 9; m.version++) {
        struct sl_buffer text = {0};
        char name[32];
        snprintf(name, sizeof name, "metadata_%d", m.version);
        sl_rosbag2_metadata_format(&m, &text);
        failed |= save(folder, name, text.bytes, text.size_bytes);
        sl_buffer_finish(&text);
    }
    return failed;
}

static int make_capture(const char *folder, const char *name,
                        struct sl_capture_write_options options)
{
    static struct sl_capture_writer writer;
    static uint8_t bytes[16384];
    static const uint8_t payload[2500] = "packet";
    const struct sl_endpoint end = {.address = {10, 0, 0, 1}, .port = 2368, .family = 4};
    struct sl_writer out = sl_writer(bytes, sizeof bytes);
    options.link_type = SL_LINK_ETHERNET;
    assert_fine(sl_capture_write_begin(&writer, &options, &out, NULL));
    for (uint32_t i = 1; i < 5; i++) {
        const struct sl_datagram d = {.bytes = payload,
                                      .size_bytes = i * 500,
                                      .time_ns = i,
                                      .source = end,
                                      .destination = end};
        assert_fine(sl_capture_write_datagram(&writer, &d));
    }
    return save(folder, name, bytes, sl_writer_offset(&out));
}

static int make_captures(const char *folder)
{
    int failed = make_capture(folder, "pcap", (struct sl_capture_write_options){0});
    failed |=
        make_capture(folder, "pcap_fragments", (struct sl_capture_write_options){.mtu_bytes = 600});
    return failed | make_capture(folder, "pcapng_fragments",
                                 (struct sl_capture_write_options){.format = SL_CAPTURE_PCAPNG,
                                                                   .mtu_bytes = 1000});
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "mcap") == 0)
        return make_mcap(argv[2]);
    if (argc == 3 && strcmp(argv[1], "ros1bag") == 0)
        return make_ros1(argv[2]);
    if (argc == 3 && strcmp(argv[1], "rosbag2") == 0)
        return make_rosbag2(argv[2]);
    if (argc == 3 && strcmp(argv[1], "pcap") == 0)
        return make_captures(argv[2]);
    fprintf(stderr, "usage: %s pcap|mcap|rosbag2|ros1bag FOLDER\n", argv[0]);
    return 2;
}
