/* SPDX-License-Identifier: Apache-2.0 */
/* test_files.c - logs that are files, made by our writers: round trips, cut off anywhere, damaged.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rosbag_compat/crc32.h"
#include "rosbag_compat/reader.h"
#include "tests/rosbag_compat/support.h"

static const struct variant {
    const char *name;
    int (*create)(const struct sl_log_sink *sink, const struct sl_log_write_options *options,
                  struct sl_log_writer **ret_writer);
    int (*open)(const struct sl_log_source *source, unsigned flags, struct sl_log **ret_log);
    struct sl_log_write_options options;
} variants[] = {
    {"mcap", sl_mcap_writer_create, sl_mcap_open, {.chunk_bytes = 4096}},
    {"mcap, direct",
     sl_mcap_writer_create,
     sl_mcap_open,
     {.chunk_bytes = 4096, .direct_bytes = 1000, .omit = SL_LOG_OMIT_CHUNK_CRC}},
    {"mcap, lz4",
     sl_mcap_writer_create,
     sl_mcap_open,
     {.chunk_bytes = 4096, .compression = SL_COMPRESSION_LZ4}},
    {"mcap, zstd",
     sl_mcap_writer_create,
     sl_mcap_open,
     {.chunk_bytes = 4096, .compression = SL_COMPRESSION_ZSTD}},
    {"mcap, no chunks", sl_mcap_writer_create, sl_mcap_open, {.is_unchunked = true}},
    {"mcap, no channels in the summary",
     sl_mcap_writer_create,
     sl_mcap_open,
     {.chunk_bytes = 4096, .omit = SL_LOG_OMIT_REPEATED_CHANNELS}},
    {"ROS 1", sl_ros1_writer_create, sl_ros1_open, {.chunk_bytes = 4096}},
    {"ROS 1, direct",
     sl_ros1_writer_create,
     sl_ros1_open,
     {.chunk_bytes = 4096, .direct_bytes = 1000}},
    {"ROS 1, lz4",
     sl_ros1_writer_create,
     sl_ros1_open,
     {.chunk_bytes = 4096, .compression = SL_COMPRESSION_LZ4}},
    {"ROS 1, bz2",
     sl_ros1_writer_create,
     sl_ros1_open,
     {.chunk_bytes = 4096, .compression = SL_COMPRESSION_BZ2}},
};
#define VARIANT_COUNT (sizeof variants / sizeof *variants)

static bool is_built(const struct variant *v)
{
    return sl_compression_is_built(v->options.compression);
}

static struct sl_buffer write_log(const struct variant *v, const struct made *made)
{
    struct sl_buffer out = {0};
    struct sl_log_sink sink = memory_sink(&out);
    struct sl_log_writer *writer;
    assert_fine(v->create(&sink, &v->options, &writer));
    write_made(made, writer);
    assert_fine(sl_log_write_end(writer));
    assert_true(writer->written_bytes == out.size_bytes);
    sl_log_writer_destroy(writer);
    return out;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v))
            continue;
        struct made *made = make_log(300, 3000, i);
        struct sl_buffer out = write_log(v, made);
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
            struct sl_log *log;
            assert_fine(v->open(&source, flags, &log));
            if (log->damage.count)
                fail_msg("%s: %s", v->name, log->damage.first);
            assert_int_equal(log->was_indexed, !flags && !v->options.is_unchunked);
            assert_int_equal(log->topic_count, made->topic_count);
            assert_int_equal(assert_holds_made(log, made), 300);
            assert_true(log->block_count > 1 || v->options.is_unchunked);
            sl_log_close(log);
        }
        sl_buffer_finish(&out);
        free_made(made);
    }
}

/* Named pairs of topics come back too. */
static void texts_of_topics_are_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        if (!is_built(&variants[i]))
            continue;
        struct made *made = make_log(40, 100, 3);
        struct sl_buffer out = write_log(&variants[i], made);
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        struct sl_log *log;
        assert_fine(variants[i].open(&source, 0, &log));
        unsigned found = 0;
        for (uint32_t t = 0; t < log->topic_count; t++) {
            const struct sl_log_topic *topic = &log->topics[t];
            if (strcmp(topic->name, "/points") == 0) {
                assert_string_equal(sl_log_topic_get(topic, "topic_type_hash"), "RIHS01_00");
                found++;
            } else if (strcmp(topic->name, "/text") == 0) {
                assert_string_equal(sl_log_topic_get(topic, "callerid"), "/talker=1");
                assert_string_equal(sl_log_topic_get(topic, "latching"), "1");
                assert_string_equal(sl_log_topic_get(topic, "md5sum"),
                                    "992ce8a1687cec8c8bd883ec73ca41d1");
                found++;
            }
        }
        assert_int_equal(found, 2);
        sl_log_close(log);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

static void large_bodies_are_written_from_where_they_lie(void **state)
{
    (void)state;
    static uint8_t body[SL_LOG_DIRECT_BYTES + 5];
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v))
            continue;
        struct made *made = make_log(1, 10, 1);
        struct sl_buffer out = {0};
        struct sl_log_sink sink = memory_sink(&out);
        struct sl_log_writer *writer;
        uint32_t index;
        struct sl_log_message m = {.receive_ns = 5, .publish_ns = 4};
        struct iovec piece = {body, sizeof body};
        watched_start = body;
        watched_end = body + sizeof body;
        watched_pieces = 0;
        assert_fine(v->create(&sink, &v->options, &writer));
        assert_fine(sl_log_write_topic(writer, &made->topics[0], &index));
        assert_fine(sl_log_write_message(writer, &m, &piece, 1));
        assert_fine(sl_log_write_end(writer));
        assert_int_equal(watched_pieces, v->options.compression ? 0 : 1);
        watched_start = watched_end = NULL;
        sl_log_writer_destroy(writer);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

/* Where each message of a log ends in the file, as far as nothing is compressed. */
static unsigned list_ends(struct sl_log *log, uint64_t *ends)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < log->block_count; i++) {
        uint8_t *bytes = malloc(log->blocks[i].size_bytes + 1);
        size_t size;
        size_t at = 0;
        struct sl_log_message m;
        assert_non_null(bytes);
        assert_fine(sl_log_load(log, i, bytes, &size));
        while (sl_log_walk(log, i, bytes, size, &at, &m) == 1)
            ends[count++] = log->blocks[i].offset + m.offset + m.size_bytes;
        free(bytes);
    }
    return count;
}

static void whole_messages_of_a_log_cut_off_anywhere_are_found(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v))
            continue;
        struct made *made = make_log(40, 300, 10 + i);
        struct sl_buffer out = write_log(v, made);
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        struct sl_log *log;
        uint64_t ends[40];
        assert_fine(v->open(&source, 0, &log));
        assert_int_equal(list_ends(log, ends), 40);
        sl_log_close(log);
        unsigned before = 0;
        for (size_t size = 0; size < out.size_bytes; size++) {
            /* exactly as many bytes, so that a sanitizer sees one too many */
            uint8_t *bytes = malloc(size ? size : 1);
            assert_non_null(bytes);
            memcpy(bytes, out.bytes, size);
            source = memory_source(bytes, size);
            int err = v->open(&source, 0, &log);
            unsigned whole = 0;
            while (whole < 40 && ends[whole] <= size)
                whole++;
            if (err == 0) {
                unsigned found = assert_holds_made(log, made);
                if (v->options.compression == SL_COMPRESSION_NONE && found != whole)
                    fail_msg("%s, %zu bytes: %u messages of %u are found", v->name, size, found,
                             whole);
                if (found < before)
                    fail_msg("%s, %zu bytes: %u messages after %u: %s", v->name, size, found,
                             before, log->damage.first);
                assert_true(log->damage.count > 0);
                before = found;
                sl_log_close(log);
            } else {
                assert_int_equal(err, -EBADMSG);
                assert_int_equal(before, 0);
                assert_int_equal(whole, 0);
            }
            free(bytes);
        }
        assert_int_equal(before, 40);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

/* A hole of zeros or of noise in the middle costs what it covers, and the rest of its chunk. */
static void log_is_read_behind_a_hole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v))
            continue;
        struct made *made = make_log(300, 1000, 20 + i);
        struct sl_buffer out = write_log(v, made);
        for (unsigned fill = 0; fill < 2; fill++) {
            uint8_t *bytes = malloc(out.size_bytes);
            assert_non_null(bytes);
            memcpy(bytes, out.bytes, out.size_bytes);
            memset(bytes + out.size_bytes / 2, fill ? 0xa7 : 0, 3000);
            struct sl_log_source source = memory_source(bytes, out.size_bytes);
            struct sl_log *log;
            assert_fine(v->open(&source, SL_LOG_SCAN, &log));
            unsigned found = walk_all(log);
            if (log->damage.count == 0 && v->options.omit != SL_LOG_OMIT_CHUNK_CRC)
                fail_msg("%s: the hole is not noticed", v->name);
            if (found < 240)
                fail_msg("%s: %u messages are found", v->name, found);
            assert_int_equal(log->topic_count, 4);
            sl_log_close(log);
            free(bytes);
        }
        sl_buffer_finish(&out);
        free_made(made);
    }
}

/* Messages of the whole log that must be found: those of chunks beside the bad part, and where
 * nothing is compressed those that end before it. */
static unsigned count_readable(const struct variant *v, struct sl_log *log, const struct disk *disk)
{
    const uint64_t head_bytes = 256; /* of a chunk, read at once */
    unsigned count = 0;
    for (uint32_t i = 0; i < log->block_count; i++) {
        const struct sl_log_block *block = &log->blocks[i];
        uint64_t end = block->offset + block->stored_bytes;
        bool is_beside = end <= disk->bad_from || block->offset >= disk->bad_to + head_bytes;
        bool is_begun = block->offset + head_bytes <= disk->bad_from;
        uint8_t *bytes = malloc(block->size_bytes + 1);
        size_t size, at = 0;
        struct sl_log_message m;
        assert_non_null(bytes);
        assert_fine(sl_log_load(log, i, bytes, &size));
        while (sl_log_walk(log, i, bytes, size, &at, &m) == 1) {
            uint64_t start = block->offset + m.offset;
            bool is_before = v->options.compression == SL_COMPRESSION_NONE && is_begun &&
                             start + m.size_bytes <= disk->bad_from;
            bool is_behind = v->options.is_unchunked && start >= disk->bad_to + head_bytes;
            count += is_beside || is_before || is_behind;
        }
        free(bytes);
    }
    return count;
}

/* Every message that is found is one of those that were made, and each is found once. */
static unsigned count_of_made(struct sl_log *log, const struct made *made)
{
    struct sl_log_reader *reader;
    struct sl_log_reader_options options = {.takes_damaged = true};
    struct sl_log_item item;
    unsigned count = 0, next = 0;
    int result;
    assert_fine(sl_log_reader_create(&log, 1, &options, &reader));
    while ((result = sl_log_reader_next(reader, &item)) == 1) {
        while (next < made->message_count &&
               made->messages[next].receive_ns != item.message.receive_ns)
            next++;
        assert_true(next < made->message_count);
        assert_int_equal(item.body_bytes, made->messages[next].size_bytes);
        if (item.body_bytes)
            assert_memory_equal(item.body, made->bodies[next], item.body_bytes);
        next++;
        count++;
    }
    assert_fine(result);
    sl_log_reader_destroy(reader);
    return count;
}

static void log_is_read_around_what_the_disk_cannot_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v))
            continue;
        struct made *made = make_log(300, 1000, 20 + i);
        struct sl_buffer out = write_log(v, made);
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        struct sl_log *log, *whole;
        assert_fine(v->open(&source, 0, &whole));
        for (uint64_t page = 4 * 4096; page + 2 * 4096 <= out.size_bytes / 2; page += 4096) {
            struct disk disk = {out.bytes, page, page + 4096};
            struct sl_log_source bad = disk_source(&disk, out.size_bytes);
            unsigned least = count_readable(v, whole, &disk);
            for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
                assert_fine(v->open(&bad, flags, &log));
                unsigned found = count_of_made(log, made);
                if (found < least || found == 300)
                    fail_msg("%s: %u messages are found, %u at least could be", v->name, found,
                             least);
                if (flags && !strstr(log->damage.first, "cannot be read"))
                    fail_msg("%s: %s", v->name, log->damage.first);
                sl_log_close(log);
            }
        }
        sl_log_close(whole);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

static void no_damage_breaks_the_reader(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v))
            continue;
        struct made *made = make_log(30, 200, 30 + i);
        struct sl_buffer out = write_log(v, made);
        uint8_t *bytes = malloc(out.size_bytes);
        assert_non_null(bytes);
        for (unsigned round = 0; round < 300; round++) {
            memcpy(bytes, out.bytes, out.size_bytes);
            for (unsigned k = 0; k <= round % 4; k++) {
                random = random * 1664525u + 1013904223u;
                bytes[(random >> 8) % out.size_bytes] ^= (uint8_t)(1u << (random & 7));
            }
            struct sl_log_source source = memory_source(bytes, out.size_bytes);
            struct sl_log *log;
            if (v->open(&source, round & 1 ? SL_LOG_SCAN : 0, &log) == 0) {
                walk_all(log);
                sl_log_close(log);
            }
        }
        free(bytes);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

/* Small files that say of themselves that they are large: refused before memory is asked for. */
static void lies_about_sizes_cost_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v) || v->options.is_unchunked)
            continue;
        struct made *made = make_log(30, 200, 40);
        struct sl_buffer out = write_log(v, made);
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        struct sl_log *log;
        assert_fine(v->open(&source, 0, &log));
        uint8_t *start = out.bytes + log->blocks[0].offset;
        uint64_t size = log->blocks[0].size_bytes;
        sl_log_close(log);
        /* the decompressed size stands before the data: 8 bytes of MCAP's, 4 of ROS 1's */
        uint8_t *said = start - 1;
        while (sl_get_le32(said) != size)
            said--;
        assert_true(start - said < 100);
        sl_put_le32(said, v->options.compression ? 0x7fffffff : 0);
        for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
            assert_fine(v->open(&source, flags, &log));
            for (uint32_t b = 0; b < log->block_count; b++)
                assert_true(log->blocks[b].size_bytes < 64u << 20);
            if (v->options.compression)
                assert_true(log->damage.count > 0);
            walk_all(log);
            sl_log_close(log);
        }
        sl_buffer_finish(&out);
        free_made(made);
    }
}

static void checksums_are_those_of_zlib_and_can_be_joined(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    assert_true(sl_crc32(0, "123456789", 9) == 0xcbf43926); /* the check value of this CRC */
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 13);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t a = sl_crc32(0, bytes, cut);
        uint32_t b = sl_crc32(0, bytes + cut, sizeof bytes - cut);
        assert_true(sl_crc32_join(a, b, sizeof bytes - cut) == sl_crc32(0, bytes, sizeof bytes));
    }
}

/* By the bit, as the polynomial is defined. */
static uint32_t slow_crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* Of every size that the steps of the quick ways make, from every place in a line, going on with
 * any CRC. The bytes end where the memory does, so that a sanitizer sees one too many. */
static void checksums_are_the_same_in_every_way(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (size_t size = 0; size <= 4100; size += size < 330 ? 1 : 251) {
        for (size_t offset = 0; offset < 64; offset += 1 + offset / 16) {
            uint8_t *bytes = malloc(offset + size + !size);
            assert_non_null(bytes);
            for (size_t i = 0; i < size; i++) {
                random = random * 1664525u + 1013904223u;
                bytes[offset + i] = (uint8_t)(random >> 24);
            }
            uint32_t before = size % 3 ? random : 0;
            uint32_t wanted = slow_crc32(before, bytes + offset, size);
            assert_true(sl_crc32(before, bytes + offset, size) == wanted);
            assert_true(sl_crc32_by_tables(before, bytes + offset, size) == wanted);
            free(bytes);
        }
    }
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[64] = "no log at all";
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        struct sl_log_source source = memory_source(bytes, sizeof bytes);
        struct sl_log *log;
        assert_int_equal(variants[i].open(&source, 0, &log), -EBADMSG);
        source.size_bytes = 0;
        assert_int_equal(variants[i].open(&source, 0, &log), -EBADMSG);
    }
}

/* A bag as its recorder leaves it when it is killed: no index, and the last chunk's header still
 * says that there is nothing in it. */
static void bag_of_a_killed_recorder_is_read(void **state)
{
    (void)state;
    static const enum sl_compression kinds[] = {SL_COMPRESSION_NONE, SL_COMPRESSION_LZ4,
                                                SL_COMPRESSION_BZ2};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct variant v = {"killed",
                            sl_ros1_writer_create,
                            sl_ros1_open,
                            {.compression = kinds[i], .chunk_bytes = 1 << 20}};
        if (!is_built(&v))
            continue;
        struct made *made = make_log(40, 300, 50);
        struct sl_buffer out = write_log(&v, made);
        struct sl_log *log;
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        assert_fine(sl_ros1_open(&source, 0, &log));
        assert_int_equal(log->block_count, 1);
        uint8_t *data = out.bytes + log->blocks[0].offset;
        size_t end = (size_t)(log->blocks[0].offset + log->blocks[0].stored_bytes);
        sl_log_close(log);
        uint8_t *size = memmem(out.bytes + 4117, 64, "size=", 5);
        uint8_t *index = memmem(out.bytes, 128, "index_pos=", 10);
        assert_non_null(size);
        assert_non_null(index);
        memset(size + 5, 0, 4);
        memset(data - 4, 0, 4);
        memset(index + 10, 0, 8);
        source.size_bytes = end;
        assert_fine(sl_ros1_open(&source, 0, &log));
        assert_false(log->was_indexed);
        assert_true(log->damage.count > 0);
        assert_int_equal(assert_holds_made(log, made), 40);
        sl_log_close(log);
        source.size_bytes = end - 20;
        assert_fine(sl_ros1_open(&source, 0, &log));
        unsigned found = assert_holds_made(log, made);
        if (kinds[i] == SL_COMPRESSION_NONE)
            assert_in_range(found, 38, 39);
        sl_log_close(log);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

/* A chunk of lz4 may be one block: what its bytes that are there become is read, too. */
static void half_of_a_chunk_gives_half_of_its_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        struct variant v = variants[i];
        if (!is_built(&v) || v.options.compression == SL_COMPRESSION_BZ2 ||
            v.options.compression == SL_COMPRESSION_ZSTD)
            continue; /* their blocks are decoded as a whole */
        v.options.chunk_bytes = 1 << 20;
        struct made *made = make_log(100, 500, 60);
        struct sl_buffer out = write_log(&v, made);
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        struct sl_log *log;
        source.size_bytes /= 2;
        assert_fine(v.open(&source, 0, &log));
        unsigned found = assert_holds_made(log, made);
        if (found < 30)
            fail_msg("%s: %u messages are found", v.name, found);
        sl_log_close(log);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

static void encrypted_and_old_bags_are_refused_by_name(void **state)
{
    (void)state;
    struct variant v = {"bag", sl_ros1_writer_create, sl_ros1_open, {0}};
    struct made *made = make_log(3, 10, 1);
    struct sl_buffer out = write_log(&v, made);
    struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
    struct sl_log *log;
    /* conn_count becomes the encryptor: the names have as many letters but one */
    uint8_t *field = memmem(out.bytes, 128, "conn_count=", 11);
    assert_non_null(field);
    memcpy(field, "encryptor=AES12", 15);
    assert_int_equal(sl_ros1_open(&source, 0, &log), -ENOTSUP);
    assert_non_null(strstr(sl_error_text(), "encrypted (AES12)"));
    out.bytes[9] = '1';
    assert_int_equal(sl_ros1_open(&source, 0, &log), -ENOTSUP);
    assert_non_null(strstr(sl_error_text(), "old version"));
    sl_buffer_finish(&out);
    free_made(made);
}

/* Two logs of one message a chunk, whose times are mixed; the order is by time, then log, then
 * place, whatever memory there is. */
static struct sl_buffer write_times(const uint64_t *times, unsigned count, uint8_t mark,
                                    uint64_t chunk_bytes)
{
    struct sl_buffer out = {0};
    struct sl_log_sink sink = memory_sink(&out);
    struct sl_log_write_options options = {.chunk_bytes = chunk_bytes};
    struct sl_log_writer *writer;
    struct sl_log_topic topic = {.name = "/a", .type = "", .encoding = "x"};
    uint32_t index;
    assert_fine(sl_mcap_writer_create(&sink, &options, &writer));
    assert_fine(sl_log_write_topic(writer, &topic, &index));
    for (unsigned i = 0; i < count; i++) {
        uint8_t body[2] = {mark, (uint8_t)i};
        struct sl_log_message m = {.receive_ns = times[i]};
        assert_fine(sl_log_write_message(writer, &m, &(struct iovec){body, sizeof body}, 1));
    }
    assert_fine(sl_log_write_end(writer));
    sl_log_writer_destroy(writer);
    return out;
}

static void logs_are_merged_by_time(void **state)
{
    (void)state;
    static const uint64_t a[] = {50, 10, 30, 30, 90};
    static const uint64_t b[] = {20, 30, 5};
    static const uint8_t wanted[][2] = {{'b', 2}, {'a', 1}, {'b', 0}, {'a', 2},
                                        {'a', 3}, {'b', 1}, {'a', 0}, {'a', 4}};
    for (unsigned round = 0; round < 4; round++) {
        uint64_t chunk_bytes = round & 1 ? 1 : 60; /* one message a chunk, or two */
        struct sl_buffer bytes[2] = {write_times(a, 5, 'a', chunk_bytes),
                                     write_times(b, 3, 'b', chunk_bytes)};
        struct sl_log *logs[2];
        struct sl_log_reader *reader;
        struct sl_log_reader_options options = {.memory_bytes = round & 2 ? 1 : 0};
        struct sl_log_item item;
        for (unsigned i = 0; i < 2; i++) {
            struct sl_log_source source = memory_source(bytes[i].bytes, bytes[i].size_bytes);
            assert_fine(sl_mcap_open(&source, 0, &logs[i]));
        }
        assert_fine(sl_log_reader_create(logs, 2, &options, &reader));
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(sl_log_reader_next(reader, &item), 1);
            assert_int_equal(item.body_bytes, 2);
            assert_memory_equal(item.body, wanted[i], 2);
        }
        assert_int_equal(sl_log_reader_next(reader, &item), 0);
        sl_log_reader_destroy(reader);
        options.first_ns = 20;
        options.last_ns = 30;
        assert_fine(sl_log_reader_create(logs, 2, &options, &reader));
        for (unsigned i = 2; i < 6; i++) {
            assert_int_equal(sl_log_reader_next(reader, &item), 1);
            assert_memory_equal(item.body, wanted[i], 2);
        }
        assert_int_equal(sl_log_reader_next(reader, &item), 0);
        sl_log_reader_destroy(reader);
        for (unsigned i = 0; i < 2; i++) {
            sl_log_close(logs[i]);
            sl_buffer_finish(&bytes[i]);
        }
    }
}

/* What fits into the size that is said is read, and the rest is damage. */
static void chunk_that_becomes_more_than_it_says_is_passed_over(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *v = &variants[i];
        if (!is_built(v) || v->options.compression == SL_COMPRESSION_NONE)
            continue;
        struct made *made = make_log(100, 400, 41);
        struct sl_buffer out = write_log(v, made);
        struct sl_log_source source = memory_source(out.bytes, out.size_bytes);
        struct sl_log *log;
        assert_fine(v->open(&source, 0, &log));
        assert_true(log->block_count > 2);
        uint64_t in_chunk = log->blocks[1].first_ns, size = log->blocks[1].size_bytes;
        uint64_t behind = log->blocks[2].first_ns;
        uint8_t *said = out.bytes + log->blocks[1].offset - 1;
        sl_log_close(log);
        while (sl_get_le32(said) != size)
            said--;
        sl_put_le32(said, (uint32_t)size / 2);
        unsigned lost_at_most = 0;
        for (unsigned m = 0; m < 100; m++)
            lost_at_most +=
                made->messages[m].receive_ns >= in_chunk && made->messages[m].receive_ns < behind;
        assert_fine(v->open(&source, SL_LOG_SCAN, &log));
        assert_true(log->damage.count > 0);
        assert_in_range(count_of_made(log, made), 100 - lost_at_most, 99);
        sl_log_close(log);
        sl_buffer_finish(&out);
        free_made(made);
    }
}

/* A sink that fails once is not asked again. */
static int fail_once(void *state, const struct iovec *pieces, unsigned count)
{
    (void)pieces;
    (void)count;
    unsigned *left = state;
    if (*left == 0)
        fail_msg("asked again");
    return --*left ? 0 : sl_error(-ENOSPC, "disk full");
}

static int change_nothing(void *state, uint64_t offset, const void *bytes, size_t size_bytes)
{
    (void)state;
    (void)offset;
    (void)bytes;
    (void)size_bytes;
    return 0;
}

static void full_disk_ends_the_writing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VARIANT_COUNT; i++) {
        if (!is_built(&variants[i]))
            continue;
        unsigned left = 2;
        struct made *made = make_log(1, 10, 1);
        struct sl_log_sink sink = {fail_once, change_nothing, &left};
        struct sl_log_writer *writer;
        uint32_t index;
        struct sl_log_message m = {.receive_ns = 1};
        assert_fine(variants[i].create(&sink, &variants[i].options, &writer));
        int err = sl_log_write_topic(writer, &made->topics[1], &index);
        for (unsigned k = 0; k < 3 && !err; k++)
            err = sl_log_write_message(writer, &m, NULL, 0);
        if (!err)
            err = sl_log_write_flush(writer);
        assert_int_equal(err, -ENOSPC);
        assert_int_equal(sl_log_write_flush(writer), -ENOSPC);
        assert_int_equal(sl_log_write_end(writer), -ENOSPC);
        sl_log_writer_destroy(writer);
        free_made(made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(texts_of_topics_are_kept),
        cmocka_unit_test(large_bodies_are_written_from_where_they_lie),
        cmocka_unit_test(whole_messages_of_a_log_cut_off_anywhere_are_found),
        cmocka_unit_test(log_is_read_behind_a_hole),
        cmocka_unit_test(log_is_read_around_what_the_disk_cannot_read),
        cmocka_unit_test(no_damage_breaks_the_reader),
        cmocka_unit_test(lies_about_sizes_cost_nothing),
        cmocka_unit_test(chunk_that_becomes_more_than_it_says_is_passed_over),
        cmocka_unit_test(checksums_are_those_of_zlib_and_can_be_joined),
        cmocka_unit_test(checksums_are_the_same_in_every_way),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(bag_of_a_killed_recorder_is_read),
        cmocka_unit_test(half_of_a_chunk_gives_half_of_its_messages),
        cmocka_unit_test(encrypted_and_old_bags_are_refused_by_name),
        cmocka_unit_test(logs_are_merged_by_time),
        cmocka_unit_test(full_disk_ends_the_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
