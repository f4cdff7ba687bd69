/* SPDX-License-Identifier: Apache-2.0 */
/* The capture source: pace by a clock of the test's own, loops, the end, and files that are not
 * what they should be. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/write.h"
#include "drivers/lidar/sim/send.h"
#include "drivers/lidar/source.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START_NS    UINT64_C(1700000000000000000)
#define ETHERNET    1
#define WIRE_BYTES  (14 + 20 + 8) /* Ethernet, IPv4, UDP */
#define RECORD_HEAD 16
#define FILE_HEAD   24

static char folder[] = "/tmp/sluice-test-capture-XXXXXX";
static char path[64];
static uint64_t clock_ns;

static uint64_t read_clock(void)
{
    return clock_ns;
}

/* One datagram of a capture: when (after START_NS), to which port, how long. */
struct entry {
    int64_t at_ns;
    uint16_t port;
    uint16_t size_bytes;
};

static void write_capture(const struct entry *entries, unsigned count, uint32_t link_type)
{
    static struct sl_capture_writer writer;
    static uint8_t bytes[2000];
    const struct sl_capture_write_options options = {.format = SL_CAPTURE_PCAP,
                                                     .link_type = ETHERNET};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(sl_capture_write_begin(&writer, &options, NULL, file), 0);
    for (unsigned i = 0; i < count; i++) {
        bytes[0] = (uint8_t)i;
        const struct sl_datagram datagram = {
            .bytes = bytes,
            .size_bytes = entries[i].size_bytes,
            .time_ns = START_NS + (uint64_t)entries[i].at_ns,
            .source = {.address = {10, 0, 0, 1}, .port = 2368, .family = 4},
            .destination = {.address = {10, 0, 0, 2}, .port = entries[i].port, .family = 4},
        };
        assert_int_equal(sl_capture_write_datagram(&writer, &datagram), 0);
    }
    if (link_type != ETHERNET) { /* another link type into the header */
        fseek(file, 20, SEEK_SET);
        const uint8_t other[4] = {(uint8_t)link_type, (uint8_t)(link_type >> 8), 0, 0};
        fwrite(other, sizeof other, 1, file);
    }
    assert_int_equal(fclose(file), 0);
}

static struct lidar_source *open_rate(double rate, bool loop)
{
    const struct lidar_capture_config config = {.path = path,
                                                .rate = rate,
                                                .loop = loop,
                                                .ports = {2368, 8308},
                                                .port_count = 2,
                                                .now_ns = read_clock};
    struct lidar_source *source = NULL;
    int err = lidar_source_open_capture(&config, &source);
    if (err < 0)
        print_error("%s\n", sl_error_text());
    assert_int_equal(err, 0);
    return source;
}

/* Take one datagram at the very time at which it is due, and not a nanosecond before. */
static struct sl_datagram take_when_due(struct lidar_source *source, uint64_t expected_ns)
{
    struct sl_datagram got[1];
    assert_int_equal(lidar_source_due_ns(source), expected_ns);
    if (expected_ns > clock_ns) {
        clock_ns = expected_ns - 1;
        assert_int_equal(lidar_source_receive(source, got, 1), 0);
        clock_ns = expected_ns;
    }
    assert_int_equal(lidar_source_receive(source, got, 1), 1);
    return got[0];
}

static void datagrams_are_due_as_recorded_times_the_rate(void **state)
{
    (void)state;
    const struct entry entries[] = {{0, 2368, 1206},       {1327000, 2368, 1206},
                                    {1500000, 8308, 512},  {1600000, 5353, 99},
                                    {2654000, 2368, 1206}, {1002654000, 2368, 1206}};
    write_capture(entries, 6, ETHERNET);
    const double rates[] = {1, 2, 0.25};
    for (unsigned r = 0; r < 3; r++) {
        clock_ns = UINT64_C(77000000000);
        struct lidar_source *source = open_rate(rates[r], false);
        assert_string_equal(lidar_source_kind(source), "capture");
        assert_int_equal(lidar_source_fd(source), -1);
        for (unsigned i = 0; i < 6; i++) {
            if (i == 3)
                continue; /* another port */
            uint64_t due_ns =
                UINT64_C(77000000000) + (uint64_t)((double)entries[i].at_ns / rates[r]);
            struct sl_datagram got = take_when_due(source, due_ns);
            assert_int_equal(got.bytes[0], i);
            assert_int_equal(got.size_bytes, entries[i].size_bytes);
            assert_int_equal(got.time_ns, START_NS + (uint64_t)entries[i].at_ns);
            assert_int_equal(got.destination.port, entries[i].port);
        }
        struct sl_datagram none[1];
        assert_int_equal(lidar_source_receive(source, none, 1), -ENODATA);
        assert_int_equal(lidar_source_due_ns(source), LIDAR_SOURCE_DUE_NOW);
        assert_int_equal(lidar_source_receive(source, none, 1), -ENODATA);
        assert_null(lidar_source_warning(source));
        struct lidar_source_stats stats;
        lidar_source_stats(source, &stats);
        assert_int_equal(stats.datagrams, 5);
        assert_int_equal(stats.foreign, 1);
        struct lidar_source_progress progress;
        assert_true(lidar_source_progress(source, &progress));
        assert_int_equal(progress.done_bytes, progress.total_bytes);
        assert_int_equal(progress.elapsed_ns, 1002654000);
        lidar_source_close(source);
    }
}

static void rate_zero_gives_batches_at_once(void **state)
{
    (void)state;
    struct entry entries[100];
    for (unsigned i = 0; i < 100; i++)
        entries[i] = (struct entry){(int64_t)i * 1000000000, 2368, (uint16_t)(1000 + i)};
    write_capture(entries, 100, ETHERNET);
    struct lidar_source *source = open_rate(0, false);
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    unsigned next = 0;
    int count;
    while ((count = lidar_source_receive(source, batch, 32)) > 0) {
        assert_int_equal(count, next < 96 ? 32 : 4);
        for (int i = 0; i < count; i++, next++) { /* all of a batch are whole at the same time */
            assert_int_equal(batch[i].bytes[0], next);
            assert_int_equal(batch[i].size_bytes, 1000 + next);
        }
        assert_int_equal(lidar_source_due_ns(source), LIDAR_SOURCE_DUE_NOW);
    }
    assert_int_equal(count, -ENODATA);
    assert_int_equal(next, 100);
    lidar_source_close(source);
}

static void loops_go_on_in_time_by_length_and_mean_step(void **state)
{
    (void)state;
    const struct entry entries[] = {{0, 2368, 10}, {900, 2368, 10}, {3000, 2368, 10}};
    write_capture(entries, 3, ETHERNET); /* mean step 1500 ns, so a pass takes 4500 */
    clock_ns = 1000000;
    struct lidar_source *source = open_rate(1, true);
    for (unsigned pass = 0; pass < 5; pass++)
        for (unsigned i = 0; i < 3; i++) {
            uint64_t after_ns = 4500 * pass + (uint64_t)entries[i].at_ns;
            struct sl_datagram got = take_when_due(source, 1000000 + after_ns);
            assert_int_equal(got.time_ns, START_NS + after_ns);
            assert_int_equal(got.bytes[0], i);
        }
    struct lidar_source_progress progress;
    assert_true(lidar_source_progress(source, &progress));
    assert_int_equal(progress.loops, 4);
    assert_int_equal(progress.elapsed_ns, 4 * 4500 + 3000);
    lidar_source_close(source);
}

static void one_datagram_can_loop_too(void **state)
{
    (void)state;
    const struct entry entry = {0, 2368, 10};
    write_capture(&entry, 1, ETHERNET);
    clock_ns = 0;
    struct lidar_source *source = open_rate(1, true);
    for (unsigned pass = 0; pass < 3; pass++)
        assert_int_equal(take_when_due(source, pass * SL_NS_PER_MS).time_ns,
                         START_NS + pass * SL_NS_PER_MS);
    lidar_source_close(source);
}

static void clock_that_was_set_neither_stalls_nor_rushes_the_replay(void **state)
{
    (void)state;
    const int64_t hour = 3600 * INT64_C(1000000000);
    const struct entry entries[] = {{hour, 2368, 10},
                                    {hour + 1000, 2368, 10},
                                    {2 * hour, 2368, 10}, /* forward */
                                    {2 * hour + 1000, 2368, 10},
                                    {500, 2368, 10},
                                    {1500, 2368, 10}, /* and back */
                                    {1200, 2368, 10},
                                    {1700, 2368, 10}}; /* disorder */
    write_capture(entries, 8, ETHERNET);
    const uint64_t due[] = {0, 1000, 1000, 2000, 2000, 3000, 3000, 3200};
    clock_ns = 0;
    struct lidar_source *source = open_rate(1, false);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(take_when_due(source, due[i]).time_ns,
                         START_NS + (uint64_t)entries[i].at_ns);
    struct lidar_source_stats stats;
    lidar_source_stats(source, &stats);
    assert_int_equal(stats.gaps_skipped, 2);
    lidar_source_close(source);
}

static void truncated_file_gives_what_is_whole_and_then_tells(void **state)
{
    (void)state;
    const struct entry entries[] = {{0, 2368, 1206}, {1000, 2368, 1206}, {2000, 2368, 1206}};
    write_capture(entries, 3, ETHERNET);
    assert_int_equal(truncate(path, FILE_HEAD + 3 * (RECORD_HEAD + WIRE_BYTES + 1206) - 1), 0);
    struct lidar_source *source = open_rate(0, false);
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    assert_null(lidar_source_warning(source));
    assert_int_equal(lidar_source_receive(source, batch, 32), 2);
    assert_int_equal(lidar_source_receive(source, batch, 32), -ENODATA);
    const char *warning = lidar_source_warning(source);
    assert_non_null(warning);
    assert_non_null(strstr(warning, path));
    assert_non_null(strstr(warning, "cut off"));
    assert_non_null(strstr(warning, "what stands before it was used"));
    lidar_source_close(source);
}

static void expect_end(const char *a, const char *b)
{
    for (int loop = 0; loop < 2; loop++) { /* a loop over nothing ends as well */
        struct lidar_source *source = open_rate(0, loop);
        struct sl_datagram batch[1];
        assert_int_equal(lidar_source_receive(source, batch, 1), -ENOMSG);
        if (!strstr(sl_error_text(), a) || !strstr(sl_error_text(), b) ||
            !strstr(sl_error_text(), path))
            fail_msg("\"%s\" does not say \"%s\" and \"%s\"", sl_error_text(), a, b);
        assert_int_equal(lidar_source_receive(source, batch, 1), -ENOMSG);
        lidar_source_close(source);
    }
}

static void capture_without_lidar_packets_names_the_ports_it_has(void **state)
{
    (void)state;
    const struct entry entries[] = {{0, 5353, 50}, {10, 2369, 1206}, {20, 2369, 1206}};
    write_capture(entries, 3, ETHERNET);
    expect_end("3 datagrams, none for port 2368 or 8308", "5353 (1), 2369 (2)");
    write_capture(entries, 0, ETHERNET);
    expect_end("no UDP datagrams in it", "");
    write_capture(entries, 1, ETHERNET); /* only half of a foreign one */
    assert_int_equal(truncate(path, FILE_HEAD + RECORD_HEAD + 10), 0);
    expect_end("no UDP datagrams in it", "cut off");
}

static void expect_refusal(int expected, const char *says)
{
    const struct lidar_capture_config config = {.path = path, .rate = 1};
    struct lidar_source *source = NULL;
    int err = lidar_source_open_capture(&config, &source);
    if (err != expected || !strstr(sl_error_text(), says) || !strstr(sl_error_text(), path))
        fail_msg("%d: \"%s\" does not say \"%s\"", err, sl_error_text(), says);
    assert_null(source);
}

static void files_that_are_no_capture_are_refused_when_opening(void **state)
{
    (void)state;
    unlink(path);
    expect_refusal(-ENOENT, "No such file");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fclose(file);
    expect_refusal(-ENODATA, "empty");
    file = fopen(path, "wb");
    assert_non_null(file);
    fputs("this is a text and no capture at all", file);
    fclose(file);
    expect_refusal(-EPROTO, "no pcap or pcapng capture");
    const struct entry entry = {0, 2368, 1206};
    write_capture(&entry, 1, 195); /* IEEE 802.15.4 */
    expect_refusal(-ENOTSUP, "195");
}

static void settings_out_of_range_are_refused(void **state)
{
    (void)state;
    struct lidar_source *source = NULL;
    struct lidar_capture_config config = {.path = path, .rate = -1};
    assert_int_equal(lidar_source_open_capture(&config, &source), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "rate -1"));
    config = (struct lidar_capture_config){.path = path, .port_count = LIDAR_SOURCE_PORTS_MAX + 1};
    assert_int_equal(lidar_source_open_capture(&config, &source), -EINVAL);
    assert_null(source);
}

static void simulated_capture_reads_back_as_the_simulation(void **state)
{
    (void)state;
    struct lidar_sim_capture_config config = {0};
    lidar_sim_config_default(&config.sim);
    config.sim.start_utc_ns = START_NS;
    config.duration_ns = 100 * UINT64_C(1327104);
    struct lidar_sim_send_result result;
    assert_int_equal(lidar_sim_capture(&config, path, &result), 0);
    assert_int_equal(result.sent, 120);

    struct lidar_source *source = open_rate(0, false);
    struct lidar_sim *sim = NULL;
    assert_int_equal(lidar_sim_create(&config.sim, &sim), 0);
    struct sl_datagram got[1];
    struct lidar_sim_packet packet;
    unsigned count = 0;
    while (lidar_source_receive(source, got, 1) == 1) {
        assert_int_equal(lidar_sim_next(sim, &packet), 1);
        assert_int_equal(got[0].size_bytes, packet.size_bytes);
        assert_memory_equal(got[0].bytes, packet.bytes, packet.size_bytes);
        assert_int_equal(got[0].time_ns, START_NS + packet.due_ns);
        assert_int_equal(got[0].destination.port, packet.telemetry ? 8308 : 2368);
        count++;
    }
    assert_int_equal(count, 120);
    lidar_sim_destroy(sim);
    lidar_source_close(source);
}

static void simulated_capture_needs_an_end_and_a_place(void **state)
{
    (void)state;
    struct lidar_sim_capture_config config = {0};
    lidar_sim_config_default(&config.sim);
    assert_int_equal(lidar_sim_capture(&config, path, NULL), -EINVAL);
    config.sim.data_packets_max = 2000;
    assert_int_equal(lidar_sim_capture(&config, "/nowhere/at/all.pcap", NULL), -ENOENT);
    /* A full disk, by a link, since what is at stake is what gets removed. */
    unlink(path);
    assert_int_equal(symlink("/dev/full", path), 0);
    assert_int_equal(lidar_sim_capture(&config, path, NULL), -ENOSPC);
    assert_non_null(strstr(sl_error_text(), path));
    assert_int_equal(access(path, F_OK), 0); /* no device goes, only half a capture of its own */
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.pcap", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_are_due_as_recorded_times_the_rate),
        cmocka_unit_test(rate_zero_gives_batches_at_once),
        cmocka_unit_test(loops_go_on_in_time_by_length_and_mean_step),
        cmocka_unit_test(one_datagram_can_loop_too),
        cmocka_unit_test(clock_that_was_set_neither_stalls_nor_rushes_the_replay),
        cmocka_unit_test(truncated_file_gives_what_is_whole_and_then_tells),
        cmocka_unit_test(capture_without_lidar_packets_names_the_ports_it_has),
        cmocka_unit_test(files_that_are_no_capture_are_refused_when_opening),
        cmocka_unit_test(settings_out_of_range_are_refused),
        cmocka_unit_test(simulated_capture_reads_back_as_the_simulation),
        cmocka_unit_test(simulated_capture_needs_an_end_and_a_place),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
