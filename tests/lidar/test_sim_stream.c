/* SPDX-License-Identifier: Apache-2.0 */
/* Loss, disorder and duplicates that the simulated sensor makes on request: as many as it says, the
 * same for the same seed. */
#include "core/base/bytes.h"
#include "drivers/lidar/sim/sim.h"
#include "drivers/lidar/sim/vlp16.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/emulated.h"

#define PACKETS (SLUICE_EMULATED ? 1000u : 5000u)

/* What a receiver can see of a stream. */
struct seen {
    unsigned data, telemetry, twice, backward, distinct;
    uint64_t hash;
};

static void config_with(struct lidar_sim_config *config, struct lidar_sim_faults faults,
                        uint64_t seed)
{
    lidar_sim_config_default(config);
    config->scene.box_count = 0; /* quick */
    config->start_utc_ns = 1;
    config->data_packets_max = PACKETS;
    config->faults = faults;
    config->seed = seed;
}

static struct seen watch(const struct lidar_sim_config *config, struct lidar_sim_counts *counts)
{
    struct lidar_sim *sim = NULL;
    assert_int_equal(lidar_sim_create(config, &sim), 0);
    static bool known[PACKETS];
    memset(known, 0, sizeof known);
    struct seen seen = {0};
    struct lidar_sim_packet packet;
    uint64_t newest = 0, due_ns = 0;
    while (lidar_sim_next(sim, &packet)) {
        assert_true(packet.due_ns >= due_ns); /* time never runs back, whatever comes late */
        due_ns = packet.due_ns;
        if (packet.telemetry) {
            seen.telemetry++;
            continue;
        }
        uint64_t index = packet.first_ns / lidar_sim_packet_ns(config->return_mode);
        assert_true(index < PACKETS);
        seen.data++;
        seen.hash = (seen.hash ^ sl_get_le32(packet.bytes + 1200)) * UINT64_C(0x100000001B3);
        if (known[index]) {
            seen.twice++;
        } else {
            known[index] = true;
            seen.distinct++;
            seen.backward += index + 1 < newest;
        }
        if (index + 1 > newest)
            newest = index + 1;
    }
    assert_int_equal(lidar_sim_next(sim, &packet), 0); /* and stays at its end */
    lidar_sim_counts(sim, counts);
    lidar_sim_destroy(sim);
    return seen;
}

/* Within five standard deviations of a binomial count. */
static void assert_share(uint64_t count, double share)
{
    double expected = share * PACKETS, deviation = sqrt(expected * (1 - share));
    assert_true(fabs((double)count - expected) < 5 * deviation);
}

static void perfect_stream_is_complete_and_in_order(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_counts counts;
    config_with(&config, (struct lidar_sim_faults){0}, 1);
    struct seen seen = watch(&config, &counts);
    assert_int_equal(seen.data, PACKETS);
    assert_int_equal(seen.distinct, PACKETS);
    assert_int_equal(seen.backward, 0);
    assert_int_equal(seen.telemetry, PACKETS / 5);
    assert_int_equal(counts.telemetry, PACKETS / 5);
}

static void lost_packets_are_as_many_as_are_told(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_counts counts;
    config_with(&config, (struct lidar_sim_faults){.loss = 0.1}, 7);
    struct seen seen = watch(&config, &counts);
    assert_int_equal(seen.distinct, PACKETS - counts.lost);
    assert_int_equal(seen.data, seen.distinct);
    assert_int_equal(counts.data, PACKETS);
    assert_share(counts.lost, 0.1);
}

static void duplicates_are_as_many_as_are_told(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_counts counts;
    config_with(&config, (struct lidar_sim_faults){.duplicate = 0.05}, 7);
    struct seen seen = watch(&config, &counts);
    assert_int_equal(seen.twice, counts.duplicated);
    assert_int_equal(seen.distinct, PACKETS);
    assert_share(counts.duplicated, 0.05);
}

static void reordered_packets_come_after_their_successor(void **state)
{
    (void)state;
    struct lidar_sim_config config;
    struct lidar_sim_counts counts;
    config_with(&config, (struct lidar_sim_faults){.reorder = 0.02}, 7);
    struct seen seen = watch(&config, &counts);
    assert_int_equal(seen.backward, counts.reordered);
    assert_int_equal(seen.distinct, PACKETS);
    assert_true(counts.reordered > 0.01 * PACKETS && counts.reordered < 0.03 * PACKETS);
}

static void same_seed_gives_the_same_stream(void **state)
{
    (void)state;
    const struct lidar_sim_faults all = {.loss = 0.05, .reorder = 0.05, .duplicate = 0.05};
    struct lidar_sim_config config;
    struct lidar_sim_counts counts;
    config_with(&config, all, 42);
    uint64_t first = watch(&config, &counts).hash;
    assert_true(watch(&config, &counts).hash == first);
    config_with(&config, all, 43);
    assert_true(watch(&config, &counts).hash != first);
}

static void noise_is_as_wide_as_asked_and_loses_no_packet(void **state)
{
    (void)state;
    struct lidar_sim_config config, quiet;
    config_with(&quiet, (struct lidar_sim_faults){0}, 3);
    quiet.scene = (struct lidar_scene){.room_min = {-10, -10, -10}, .room_max = {10, 10, 10}};
    quiet.data_packets_max = 200;
    quiet.telemetry_every = 0;
    config = quiet;
    config.range_noise_m = 0.02;
    struct lidar_sim *noisy = NULL, *exact = NULL;
    assert_int_equal(lidar_sim_create(&config, &noisy), 0);
    assert_int_equal(lidar_sim_create(&quiet, &exact), 0);
    struct lidar_sim_packet a, b;
    double sum = 0, squares = 0;
    unsigned count = 0;
    while (lidar_sim_next(noisy, &a) && lidar_sim_next(exact, &b)) {
        for (unsigned i = 0; i < 12 * 32; i++) {
            unsigned at = i / 32 * 100 + 4 + i % 32 * 3;
            double off = 0.002 * (sl_get_le16(a.bytes + at) - sl_get_le16(b.bytes + at));
            sum += off;
            squares += off * off;
            count++;
        }
    }
    lidar_sim_destroy(noisy);
    lidar_sim_destroy(exact);
    assert_int_equal(count, 200 * 384);
    assert_true(fabs(sum / count) < 0.0005);
    assert_true(fabs(sqrt(squares / count) - 0.02) < 0.0005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_stream_is_complete_and_in_order),
        cmocka_unit_test(lost_packets_are_as_many_as_are_told),
        cmocka_unit_test(duplicates_are_as_many_as_are_told),
        cmocka_unit_test(reordered_packets_come_after_their_successor),
        cmocka_unit_test(same_seed_gives_the_same_stream),
        cmocka_unit_test(noise_is_as_wide_as_asked_and_loses_no_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
