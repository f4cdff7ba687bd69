/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/capture/support.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATAGRAMS_KEPT 8

void capture_begin(struct capture *capture, const struct sl_capture_write_options *options)
{
    capture->out = sl_writer(capture->bytes, sizeof capture->bytes);
    assert_int_equal(sl_capture_write_begin(&capture->writer, options, &capture->out, NULL), 0);
}

struct sl_datagram datagram_of(uint8_t family, uint32_t size_bytes, uint8_t seed)
{
    static uint8_t kept[DATAGRAMS_KEPT][SL_DATAGRAM_MAX_BYTES];
    static unsigned next;
    uint8_t *bytes = kept[next++ % DATAGRAMS_KEPT];
    uint32_t random = seed * 2654435761u + 1;
    for (uint32_t i = 0; i < size_bytes; i++) {
        random = random * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(random >> 24);
    }
    struct sl_datagram d = {.bytes = bytes, .size_bytes = size_bytes, .time_ns = SUPPORT_TIME_NS};
    d.source.family = d.destination.family = family;
    d.source.port = 2368;
    d.destination.port = 2369;
    if (family == 4) {
        memcpy(d.source.address, "\xc0\xa8\x01\xc9", 4);
        memcpy(d.destination.address, "\xc0\xa8\x01\xff", 4);
    } else {
        memcpy(d.source.address, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\xc9", 16);
        memcpy(d.destination.address, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    }
    return d;
}

void capture_add(struct capture *capture, const struct sl_datagram *datagram)
{
    assert_int_equal(sl_capture_write_datagram(&capture->writer, datagram), 0);
}

void capture_add_frame(struct capture *capture, const struct sl_datagram *datagram, int index,
                       uint32_t id, uint64_t time_ns)
{
    const uint8_t *bytes;
    uint32_t size_bytes;
    assert_int_equal(
        sl_capture_write_frame(&capture->writer, datagram, index, id, &bytes, &size_bytes), 0);
    assert_int_equal(sl_capture_write_record(&capture->writer, time_ns, bytes, size_bytes), 0);
}

void assert_same_datagram(const struct sl_datagram *a, const struct sl_datagram *b)
{
    assert_int_equal(a->size_bytes, b->size_bytes);
    if (a->size_bytes)
        assert_memory_equal(a->bytes, b->bytes, a->size_bytes);
    assert_int_equal(a->source.family, b->source.family);
    assert_int_equal(a->source.port, b->source.port);
    assert_int_equal(a->destination.port, b->destination.port);
    assert_memory_equal(a->source.address, b->source.address, 16);
    assert_memory_equal(a->destination.address, b->destination.address, 16);
}

static struct sl_datagram keep(const struct sl_datagram *datagram)
{
    struct sl_datagram kept = *datagram;
    uint8_t *bytes = malloc(datagram->size_bytes + 1);
    assert_non_null(bytes);
    memcpy(bytes, datagram->bytes, datagram->size_bytes);
    kept.bytes = bytes;
    return kept;
}

void decode_capture(const void *bytes, size_t size_bytes, struct decoded *ret_decoded)
{
    /* exactly as large as the capture, so that a sanitizer sees one byte too many */
    void *copy = malloc(size_bytes ? size_bytes : 1);
    struct sl_capture_reader *reader = malloc(sizeof *reader);
    struct sl_datagram_decoder *decoder = NULL;
    struct sl_capture_record record;
    struct sl_datagram datagram;
    assert_true(copy && reader);
    memcpy(copy, bytes, size_bytes);
    assert_int_equal(sl_datagram_decoder_create(&decoder), 0);
    memset(ret_decoded, 0, sizeof *ret_decoded);
    sl_capture_reader_init(reader, copy, size_bytes);
    int result;
    while ((result = sl_capture_next(reader, &record)) == 1) {
        if (!sl_datagram_decode(decoder, &record, &datagram))
            continue;
        if (ret_decoded->count < sizeof ret_decoded->datagrams / sizeof datagram)
            ret_decoded->datagrams[ret_decoded->count] = keep(&datagram);
        ret_decoded->count++;
    }
    if (result < 0)
        fail_msg("%s", sl_error_text());
    sl_datagram_decoder_reset(decoder);
    sl_datagram_decoder_counters(decoder, &ret_decoded->counters);
    sl_datagram_decoder_destroy(decoder);
    free(reader);
    free(copy);
}

void free_decoded(struct decoded *decoded)
{
    for (unsigned i = 0; i < decoded->count; i++)
        free((void *)(uintptr_t)decoded->datagrams[i].bytes);
}

const char *test_folder(void)
{
    static char folder[64];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/sluice-capture-XXXXXX");
        if (!mkdtemp(folder))
            abort();
    }
    return folder;
}

void write_file(const char *name, const void *bytes, size_t size_bytes, char *ret_path)
{
    snprintf(ret_path, PATH_MAX, "%s/%s", test_folder(), name);
    FILE *file = fopen(ret_path, "wb");
    assert_non_null(file);
    if (size_bytes)
        assert_int_equal(fwrite(bytes, 1, size_bytes, file), size_bytes);
    assert_int_equal(fclose(file), 0);
}

void remove_files(void)
{
    DIR *folder = opendir(test_folder());
    char path[PATH_MAX];
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", test_folder(), entry->d_name);
        remove(path); /* empty folders too */
    }
    if (folder)
        closedir(folder);
    rmdir(test_folder());
}

const char *test_data(const char *name, char *ret_path)
{
    const char *data = getenv("SLUICE_TEST_DATA");
    const char *source = getenv("SLUICE_SOURCE");
    if (data)
        snprintf(ret_path, PATH_MAX, "%s/%s", data, name);
    else
        snprintf(ret_path, PATH_MAX, "%s/../shared/data/%s", source ? source : ".", name);
    return access(ret_path, R_OK) == 0 ? ret_path : NULL;
}

uint8_t *read_whole(const char *path, size_t *ret_size_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be opened", path);
    fseek(file, 0, SEEK_END);
    size_t size_bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(size_bytes + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, size_bytes, file), size_bytes);
    bytes[size_bytes] = 0;
    fclose(file);
    *ret_size_bytes = size_bytes;
    return bytes;
}
