/* SPDX-License-Identifier: Apache-2.0 */
/* test_cut.c - logs of the field, cut off at the boundaries of their records and at random places,
 * and with wrong bits: each is read or refused, in little memory and time.
 *
 * Usage: test_rosbag_cut [all]
 *
 * By default all boundaries of small logs and a share of those of large ones, as many as fit into
 * BUDGET_BYTES read; with `all` every one (a minute or two). Made-up logs are cut at every byte by
 * test_files.c. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/yaml.h"
#include "rosbag_compat/sqlite.h"
#include "tests/rosbag_compat/support.h"

#define MEMORY_MAX_KB    (64 << 10)
#define SMALL_FILE_BYTES (4u << 20)
#define TIME_MAX_S       200 /* a log with all its variants; one that hangs ends then */
#define BOUNDARIES       10  /* of each log at least, by default */
#define BUDGET_BYTES     (24u << 20)
#define RANDOM_PLACES    5
#define PAGE_BYTES       4096 /* of the databases */

static bool takes_all;
static uint32_t random_state = 1;

static uint32_t random_below(size_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((random_state >> 8) % limit);
}

static int open_rows(const struct sl_log_source *source, unsigned flags, struct sl_sqlite **db,
                     struct sl_log **ret_log)
{
    int err = sl_sqlite_open_bytes(source->state, (size_t)source->size_bytes, db);
    return err ? err : sl_rosbag2_sqlite_open(*db, flags, ret_log);
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static int open_log(const char *file, const struct sl_log_source *source, unsigned flags,
                    struct sl_sqlite **db, struct sl_log **ret_log)
{
    *db = NULL;
    return ends_with(file, ".bag")    ? sl_ros1_open(source, flags, ret_log)
           : ends_with(file, ".mcap") ? sl_mcap_open(source, flags, ret_log)
                                      : open_rows(source, flags, db, ret_log);
}

/* Messages that are found, whatever the bytes are; 0 where there is no log. */
static unsigned read_any(const char *file, const uint8_t *bytes, size_t size_bytes, unsigned flags)
{
    struct sl_log_source source = memory_source(bytes, size_bytes);
    struct sl_sqlite *db;
    struct sl_log *log;
    unsigned found = 0;
    if (open_log(file, &source, flags, &db, &log) == 0) {
        found = walk_all(log);
        sl_log_close(log);
    }
    sl_sqlite_close(db);
    return found;
}

struct places {
    uint64_t *at;
    size_t count, room;
};

static void note_place(struct places *places, uint64_t at)
{
    if (places->count == places->room) {
        places->room = places->room ? 2 * places->room : 256;
        places->at = realloc(places->at, places->room * sizeof *places->at);
        assert_non_null(places->at);
    }
    places->at[places->count++] = at;
}

/* Each record of a file of MCAP: its kind, how long it is (8 bytes), that. */
static void note_mcap_records(struct places *places, const uint8_t *bytes, size_t size_bytes)
{
    size_t at = 8; /* behind the magic */
    while (size_bytes > at && size_bytes - at > 9) {
        note_place(places, at);
        uint64_t length = sl_get_le64(bytes + at + 1);
        if (length > size_bytes - at - 9)
            break;
        at += 9 + (size_t)length;
    }
}

/* Each record of a bag: how long its header is (4 bytes), that, and its data alike. */
static void note_ros1_records(struct places *places, const uint8_t *bytes, size_t size_bytes)
{
    size_t at = 13; /* behind "#ROSBAG V2.0\n" */
    while (size_bytes > at && size_bytes - at > 8) {
        note_place(places, at);
        for (unsigned part = 0; part < 2 && size_bytes - at >= 4; part++) {
            uint32_t length = sl_get_le32(bytes + at);
            if (length > size_bytes - at - 4)
                return;
            at += 4 + length;
            note_place(places, at);
        }
    }
}

static int compare_places(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* In order, each once: where one ends another begins. */
static void sort_places(struct places *places)
{
    size_t kept = 0;
    if (places->count > 0)
        qsort(places->at, places->count, sizeof *places->at, compare_places);
    for (size_t i = 0; i < places->count; i++)
        if (kept == 0 || places->at[i] != places->at[kept - 1])
            places->at[kept++] = places->at[i];
    places->count = kept;
}

/* Where records, chunks and, as far as nothing is compressed, messages begin and end. */
static struct places list_boundaries(const char *file, const uint8_t *bytes, size_t size_bytes)
{
    struct places places = {0};
    struct sl_log_source source = memory_source(bytes, size_bytes);
    struct sl_sqlite *db;
    struct sl_log *log;
    for (uint64_t at = PAGE_BYTES; ends_with(file, ".db3") && at < size_bytes; at += PAGE_BYTES)
        note_place(&places, at);
    if (places.count || open_log(file, &source, 0, &db, &log) != 0)
        return places;
    if (ends_with(file, ".mcap"))
        note_mcap_records(&places, bytes, size_bytes);
    else
        note_ros1_records(&places, bytes, size_bytes);
    for (uint32_t i = 0; i < log->block_count; i++) {
        const struct sl_log_block *block = &log->blocks[i];
        uint8_t *loaded = malloc(block->size_bytes + 1);
        size_t size = 0;
        size_t at = 0;
        struct sl_log_message m;
        note_place(&places, block->offset);
        note_place(&places, block->offset + block->stored_bytes);
        assert_non_null(loaded);
        if (!block->compression && sl_log_load(log, i, loaded, &size) == 0)
            while (sl_log_walk(log, i, loaded, size, &at, &m) == 1) {
                note_place(&places, block->offset + m.offset);
                note_place(&places, block->offset + m.offset + m.size_bytes);
            }
        free(loaded);
    }
    sl_log_close(log);
    sort_places(&places);
    return places;
}

/* Exactly as many bytes, so that a sanitizer sees one too many. */
static void read_cut(const char *file, const uint8_t *bytes, size_t size_bytes, unsigned most)
{
    uint8_t *cut = malloc(size_bytes ? size_bytes : 1);
    assert_non_null(cut);
    memcpy(cut, bytes, size_bytes);
    for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
        unsigned found = read_any(file, cut, size_bytes, flags);
        if (found > most)
            fail_msg("%s: %u messages in %zu bytes, of %u in all", file, found, size_bytes, most);
    }
    free(cut);
}

static void read_wrong(const char *file, const uint8_t *bytes, size_t size_bytes)
{
    uint8_t *wrong = malloc(size_bytes);
    assert_non_null(wrong);
    memcpy(wrong, bytes, size_bytes);
    for (unsigned i = 0; i < 4; i++)
        wrong[random_below(size_bytes)] ^= (uint8_t)(1u << random_below(8));
    read_any(file, wrong, size_bytes, random_below(2) ? SL_LOG_SCAN : 0);
    free(wrong);
}

static void read_variants(const char *file, const uint8_t *bytes, size_t size_bytes)
{
    unsigned most = read_any(file, bytes, size_bytes, 0);
    struct places places = list_boundaries(file, bytes, size_bytes);
    size_t wanted = BUDGET_BYTES / (size_bytes + 1);
    wanted = wanted < BOUNDARIES ? BOUNDARIES : wanted;
    size_t share = takes_all || places.count <= wanted ? 1 : places.count / wanted;
    for (size_t i = share > 1 ? random_below(share) : 0; i < places.count; i += share) {
        if (places.at[i] > size_bytes)
            fail_msg("%s: a record at byte %zu", file, (size_t)places.at[i]);
        read_cut(file, bytes, (size_t)places.at[i], most);
    }
    for (unsigned i = 0; i < RANDOM_PLACES; i++) {
        read_cut(file, bytes, random_below(size_bytes), most);
        read_wrong(file, bytes, size_bytes);
    }
    free(places.at);
}

/* In a process of its own, whose memory is looked at when it has ended. */
static void check_log(const char *file)
{
    char name[PATH_MAX];
    char path[PATH_MAX];
    size_t size;
    int status;
    struct rusage used;
    snprintf(name, sizeof name, "bags/%s", file);
    assert_non_null(test_data(name, path));
    uint8_t *bytes = read_whole(path, &size);
    fflush(stdout);
    pid_t child = size ? fork() : -1;
    if (child == 0) {
        alarm(TIME_MAX_S * (takes_all ? 20 : 1));
        read_variants(file, bytes, size);
        _exit(0);
    }
    free(bytes);
    if (child < 0 && size == 0)
        return;
    assert_int_equal(wait4(child, &status, 0, &used), child);
    if (status != 0)
        fail_msg("%s: its reader ended with status 0x%x", file, status);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* which need more themselves */
    if (size < SMALL_FILE_BYTES && used.ru_maxrss > MEMORY_MAX_KB)
        fail_msg("%s: %ld kB of memory for a file of %zu bytes", file, used.ru_maxrss, size);
#endif
}

static void logs_cut_off_and_damaged_are_read_in_little_memory(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct sl_yaml *yaml;
    unsigned count = 0;
    assert_fine(sl_yaml_load(test_data("bags/MANIFEST.json", path), &yaml));
    const struct sl_yaml_node *root = sl_yaml_root(yaml);
    for (unsigned i = 0; i < sl_yaml_count(root); i++) {
        const char *file = sl_yaml_text(sl_yaml_get(sl_yaml_item(root, i), "file"));
        if (!ends_with(file, ".bag") && !ends_with(file, ".mcap") && !ends_with(file, ".db3"))
            continue;
        check_log(file);
        count++;
    }
    sl_yaml_destroy(yaml);
    assert_true(count >= 49);
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    takes_all = argc > 1 && strcmp(argv[1], "all") == 0;
    if (!test_data("bags/MANIFEST.json", path)) {
        printf("SKIP: %s is absent (SLUICE_TEST_DATA names the folder of test data)\n", path);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_cut_off_and_damaged_are_read_in_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
