/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks compressed by threads: the file is the same with any number of them, and none is left
 * behind, whatever fails. */
#include "core/base/clock.h"
#include "rosbag_compat/packer.h"
#include "tests/rosbag_compat/support.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define MESSAGES    600
#define BODY_MAX    9000
#define CHUNK_BYTES 16384

struct file {
    struct sl_buffer bytes;
    uint64_t room_bytes; /* of the disk; 0: endless */
};

static int write_file(void *state, const struct iovec *pieces, unsigned count)
{
    struct file *f = state;
    for (unsigned i = 0; i < count; i++) {
        if (f->room_bytes > 0 && f->bytes.size_bytes + pieces[i].iov_len > f->room_bytes)
            return sl_error(-ENOSPC, "full");
        sl_buffer_put(&f->bytes, pieces[i].iov_base, pieces[i].iov_len);
    }
    return 0;
}

static int write_file_at(void *state, uint64_t offset, const void *bytes, size_t size)
{
    struct file *f = state;
    assert_true(offset + size <= f->bytes.size_bytes);
    memcpy(f->bytes.bytes + offset, bytes, size);
    return 0;
}

static unsigned threads_of_this_process(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static unsigned threads_before; /* a sanitizer has one of its own */

/* One that was joined is seen a moment longer. */
static void assert_no_thread_is_left(void)
{
    for (int i = 0; i < 1000 && threads_of_this_process() > threads_before; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(threads_of_this_process(), threads_before);
}

struct kind {
    enum sl_compression compression;
    bool is_bag;
};

static struct sl_log_writer *writer_of(struct kind kind, unsigned threads, struct file *file)
{
    const struct sl_log_sink sink = {write_file, write_file_at, file};
    const struct sl_log_write_options options = {
        .compression = kind.compression, .threads = threads, .chunk_bytes = CHUNK_BYTES};
    struct sl_log_writer *w;
    assert_fine(kind.is_bag ? sl_ros1_writer_create(&sink, &options, &w)
                            : sl_mcap_writer_create(&sink, &options, &w));
    const struct sl_log_topic topic = {.name = "/t", .type = "a/msg/B", .encoding = "cdr"};
    uint32_t index;
    assert_fine(sl_log_write_topic(w, &topic, &index));
    return w;
}

/* Hard and easy to compress by turns, small and larger than a chunk. */
static int write_one(struct sl_log_writer *w, unsigned number)
{
    static uint8_t body[3 * CHUNK_BYTES];
    size_t size = number % 50 == 7 ? sizeof body : number * 37 % BODY_MAX;
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(number % 3 == 0 ? (number + i) * 2654435761u >> 13 : number);
    const struct sl_log_message m = {
        .sequence = number, .receive_ns = SL_NS_PER_S + number, .publish_ns = SL_NS_PER_S + number};
    return sl_log_write_message(w, &m, &(struct iovec){body, size}, 1);
}

static struct file whole_file(struct kind kind, unsigned threads)
{
    struct file file = {0};
    struct sl_log_writer *w = writer_of(kind, threads, &file);
    for (unsigned i = 0; i < MESSAGES; i++) {
        assert_fine(write_one(w, i));
        if (i % 100 == 99)
            assert_fine(sl_log_write_flush(w));
    }
    assert_fine(sl_log_write_end(w));
    assert_int_equal(w->pending_bytes, 0);
    sl_log_writer_destroy(w);
    return file;
}

static const struct kind kinds[] = {
    {SL_COMPRESSION_LZ4, false},
    {SL_COMPRESSION_ZSTD, false},
    {SL_COMPRESSION_LZ4, true},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void files_are_the_same_with_any_number_of_threads(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        if (!sl_compression_is_built(kinds[k].compression))
            continue;
        struct file alone = whole_file(kinds[k], 0);
        for (unsigned threads = 1; threads <= 9; threads += 2) {
            struct file file = whole_file(kinds[k], threads);
            assert_int_equal(file.bytes.size_bytes, alone.bytes.size_bytes);
            assert_memory_equal(file.bytes.bytes, alone.bytes.bytes, alone.bytes.size_bytes);
            sl_buffer_finish(&file.bytes);
        }
        sl_buffer_finish(&alone.bytes);
    }
    assert_no_thread_is_left();
}

static void fill_disk(struct kind kind, uint64_t room_bytes)
{
    struct file file = {.room_bytes = room_bytes};
    struct sl_log_writer *w = writer_of(kind, 3, &file);
    int err = 0;
    for (unsigned i = 0; i < MESSAGES && err == 0; i++)
        err = write_one(w, i);
    if (err == 0)
        err = sl_log_write_end(w);
    assert_int_equal(err, -ENOSPC);
    assert_int_equal(write_one(w, 1), -ENOSPC);
    assert_int_equal(sl_log_write_end(w), -ENOSPC);
    sl_log_writer_destroy(w);
    assert_no_thread_is_left();
    sl_buffer_finish(&file.bytes);
}

/* Wherever the disk is full: told by the call in which it shows or a later one, and by all after.
 */
static void full_disk_is_told_and_no_thread_is_left(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        if (!sl_compression_is_built(kinds[k].compression))
            continue;
        struct file whole = whole_file(kinds[k], 0);
        uint64_t size = whole.bytes.size_bytes;
        sl_buffer_finish(&whole.bytes);
        for (uint64_t room = 5000; room < size * 9 / 10; room += size / 13)
            fill_disk(kinds[k], room);
    }
}

/* Content that is large makes the packer's caller wait earlier. */
static void content_on_the_way_is_bounded_in_bytes(void **state)
{
    (void)state;
    const size_t large = SL_PACKER_BYTES_MAX / 3;
    struct sl_packer *p;
    if (!sl_compression_is_built(SL_COMPRESSION_LZ4)) {
        print_message("SKIP: built without lz4\n");
        skip();
    }
    assert_fine(sl_packer_create(SL_COMPRESSION_LZ4, 0, 8, &p));
    for (unsigned i = 0; i < 12; i++) {
        struct sl_pack_job *job = sl_packer_take(p);
        assert_int_equal(job->content.size_bytes, 0);
        uint8_t *to = sl_buffer_take(&job->content, large);
        assert_non_null(to);
        memset(to, (int)i, large);
        job->first_ns = i;
        sl_packer_give(p, job);
        assert_int_equal(sl_packer_is_due(p), i >= 3);
        while (sl_packer_is_due(p)) {
            job = sl_packer_collect(p);
            assert_int_equal(job->first_ns, i - 3);
            assert_int_equal(job->err, 0);
            assert_true(job->packed.size_bytes > 0 && job->packed.size_bytes < large / 100);
            sl_packer_put_back(p, job);
        }
    }
    sl_packer_destroy(p);
}

static int count_threads(void **state)
{
    (void)state;
    struct sl_packer *p; /* a sanitizer's thread comes with the first */
    assert_fine(sl_packer_create(SL_COMPRESSION_NONE, 0, 1, &p));
    sl_packer_destroy(p);
    threads_before = threads_of_this_process();
    for (int i = 0; i < 100 && threads_before > 1; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        threads_before = threads_of_this_process();
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_the_same_with_any_number_of_threads),
        cmocka_unit_test(full_disk_is_told_and_no_thread_is_left),
        cmocka_unit_test(content_on_the_way_is_bounded_in_bytes),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, count_threads, NULL);
}
