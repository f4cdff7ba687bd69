/* SPDX-License-Identifier: Apache-2.0 */
/* test_ouster_captures.c - recorded Ouster packets: every field against the digests that Ouster's
 * own decoder made, and every file's packets counted.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/yaml.h"
#include "drivers/lidar/ouster_frames.h"
#include "tests/lidar/frames.h"
#include "tests/lidar/md5.h"
#include "tests/lidar/ouster_data.h"

#define LIDAR_PORT    7502
#define FRAME_COLUMNS 1024

/* Digests. Ouster's decoder hashes arrays: of each packet rows x columns, of each scan rows x all
 * columns, in the type that a field has there. */

struct digests {
    struct ouster_metadata metadata;
    struct md5 field[OUSTER_FIELDS], word[4], stamp, measurement, status, encoder, frame_id;
    uint32_t *scan[OUSTER_FIELDS]; /* row by row */
    uint64_t scan_status[FRAME_COLUMNS];
    uint32_t scan_frame_id;
};

static unsigned type_bytes(enum ouster_field field)
{
    switch (field) {
    case OUSTER_RANGE:
    case OUSTER_RANGE2:
        return 4;
    case OUSTER_SIGNAL:
    case OUSTER_SIGNAL2:
    case OUSTER_NEAR_IR:
        return 2;
    default:
        return 1;
    }
}

static void add_value(struct md5 *md5, uint64_t value, unsigned bytes)
{
    uint8_t text[8];
    sl_put_le64(text, value);
    md5_add(md5, text, bytes);
}

static void add_columns(struct digests *d, const struct ouster_packet *packet)
{
    struct ouster_column column;
    for (unsigned i = 0; i < packet->format->columns; i++) {
        ouster_packet_column(packet, i, &column);
        add_value(&d->stamp, column.stamp_ns, 8);
        add_value(&d->measurement, column.measurement_id, 2);
        add_value(&d->status, column.status, 4);
        add_value(&d->encoder, column.encoder, 4);
        /* only LEGACY packets have it in their columns */
        add_value(&d->frame_id, packet->format->profile->is_legacy ? packet->frame_id : 0, 2);
        assert_true(column.measurement_id < FRAME_COLUMNS);
        d->scan_status[column.measurement_id] = column.status;
    }
    d->scan_frame_id = packet->frame_id;
}

static void add_pixels(struct digests *d, const struct ouster_packet *packet)
{
    const struct ouster_format *format = packet->format;
    struct ouster_column column;
    for (unsigned row = 0; row < format->beams; row++) {
        for (unsigned i = 0; i < format->columns; i++) {
            ouster_packet_column(packet, i, &column);
            const uint8_t *pixel = column.pixels + row * format->profile->pixel_bytes;
            for (unsigned field = 0; field < OUSTER_FIELDS; field++) {
                uint32_t value = ouster_pixel_field(format->profile, pixel, field);
                add_value(&d->field[field], value, type_bytes(field));
                d->scan[field][row * FRAME_COLUMNS + column.measurement_id] = value;
            }
            for (unsigned word = 0; 4u * word < format->profile->pixel_bytes; word++)
                md5_add(&d->word[word], pixel + 4 * word, 4);
        }
    }
}

static void add_datagram(void *context, const struct sl_datagram *datagram)
{
    struct digests *d = context;
    struct ouster_packet packet;
    if (datagram->destination.port != LIDAR_PORT)
        return;
    assert_int_equal(
        ouster_packet_parse(&d->metadata.format, datagram->bytes, datagram->size_bytes, &packet),
        LIDAR_PACKETS);
    add_columns(d, &packet);
    add_pixels(d, &packet);
}

static void begin_digests(struct digests *d)
{
    struct md5 *all[] = {&d->stamp, &d->measurement, &d->status, &d->encoder, &d->frame_id};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        md5_init(all[i]);
    for (unsigned i = 0; i < 4; i++)
        md5_init(&d->word[i]);
    for (unsigned i = 0; i < OUSTER_FIELDS; i++) {
        md5_init(&d->field[i]);
        d->scan[i] = calloc(OUSTER_BEAMS_MAX * FRAME_COLUMNS, sizeof(uint32_t));
        assert_non_null(d->scan[i]);
    }
}

/* Returns whether it was there to compare with. */
static unsigned check(const struct sl_yaml_node *told, const char *name, struct md5 *md5)
{
    char text[33];
    const struct sl_yaml_node *node = sl_yaml_get(told, name);
    if (!node)
        return 0;
    md5_text(md5, text);
    if (strcmp(text, sl_yaml_text(node)) != 0)
        fail_msg("%s: is %s, but must be %s", name, text, sl_yaml_text(node));
    return 1;
}

static unsigned check_packets(struct digests *d, const struct sl_yaml_node *told)
{
    static const char *const words[] = {"RAW32_WORD1", "RAW32_WORD2", "RAW32_WORD3", "RAW32_WORD4"};
    unsigned checked = 0;
    for (unsigned i = 0; i < OUSTER_FIELDS; i++)
        checked += check(told, ouster_field_names[i], &d->field[i]);
    for (unsigned i = 0; i < 4; i++)
        checked += check(told, words[i], &d->word[i]);
    checked += check(told, "TIMESTAMP", &d->stamp);
    checked += check(told, "MEASUREMENT_ID", &d->measurement);
    checked += check(told, "STATUS", &d->status);
    checked += check(told, "ENCODER_COUNT", &d->encoder);
    checked += check(told, "FRAME_ID", &d->frame_id);
    assert_int_equal(checked, sl_yaml_count(told));
    return checked;
}

static unsigned check_scan(struct digests *d, const struct sl_yaml_node *told)
{
    unsigned checked = 0;
    for (unsigned field = 0; field < OUSTER_FIELDS; field++) {
        struct md5 md5;
        md5_init(&md5);
        for (unsigned i = 0; i < d->metadata.format.beams * FRAME_COLUMNS; i++)
            add_value(&md5, d->scan[field][i], type_bytes(field));
        checked += check(told, ouster_field_names[field], &md5);
    }
    struct md5 status;
    md5_init(&status);
    for (unsigned i = 0; i < FRAME_COLUMNS; i++)
        add_value(&status, d->scan_status[i], 8);
    checked += check(told, "STATUS", &status);
    assert_int_equal(atoi(sl_yaml_text(sl_yaml_get(told, "FRAME_ID"))), d->scan_frame_id);
    return checked;
}

static void check_digests(const char *base, unsigned fields)
{
    char name[256], path[4096];
    struct digests d = {0};
    struct sl_yaml *yaml = NULL;
    begin_digests(&d);
    snprintf(name, sizeof name, "%s.json", base);
    load_metadata(name, &d.metadata);
    assert_int_equal(d.metadata.format.frame_columns, FRAME_COLUMNS);
    snprintf(name, sizeof name, "%s.pcap", base);
    each_datagram(name, add_datagram, &d);
    snprintf(name, sizeof name, "%s_digest.json", base);
    ouster_path(name, path);
    assert_int_equal(sl_yaml_load(path, &yaml), 0);
    const struct sl_yaml_node *root = sl_yaml_root(yaml);
    unsigned checked = check_packets(&d, sl_yaml_get(root, "packet_hash"));
    assert_int_equal(sl_yaml_count(sl_yaml_get(root, "scans")), 1);
    checked += check_scan(&d, sl_yaml_item(sl_yaml_get(root, "scans"), 0));
    assert_int_equal(checked, fields);
    sl_yaml_destroy(yaml);
    for (unsigned i = 0; i < OUSTER_FIELDS; i++)
        free(d.scan[i]);
}

static void every_field_of_two_returns_has_ousters_digest(void **unused)
{
    (void)unused;
    check_digests("OS-0-32-U1_v2.2.0_1024x10", 18 + 8);
}

static void every_field_of_the_legacy_profile_has_ousters_digest(void **unused)
{
    (void)unused;
    check_digests("OS-1-32-G_v2.1.1_1024x10", 10 + 5);
}

static void every_field_of_one_return_has_ousters_digest(void **unused)
{
    (void)unused;
    check_digests("OS-2-128-U1_v2.3.0_1024x10", 13 + 5);
}

/* Counts. */

struct tally {
    struct ouster_metadata metadata;
    struct ouster_crc crc;
    bool by_port; /* else lidar and IMU packets come to the same one */
    unsigned datagrams, lidar, imu, other;
    unsigned damaged;   /* by their checksum */
    unsigned checked;   /* that have one */
    unsigned strangers; /* of another serial number */
    unsigned reassembled;
    unsigned columns, invalid_columns, outside_window;
    unsigned samples;
    double weight; /* mean of the samples', m/s^2 */
    uint32_t first_frame_id, last_frame_id;
    uint32_t init_id;
    uint8_t shot_limiting;
};

static void tally_lidar(struct tally *t, const struct ouster_packet *packet)
{
    struct ouster_column column;
    if (t->lidar++ == 0)
        t->first_frame_id = packet->frame_id;
    t->last_frame_id = packet->frame_id;
    t->init_id = packet->init_id;
    if (packet->has_identity && packet->serial != t->metadata.serial)
        t->strangers++;
    uint64_t crc = sl_get_le64(packet->bytes + packet->format->packet_bytes - 8);
    if (packet->has_identity && crc != UINT64_C(0xdeadbeef0000c0de))
        t->checked++;
    if (!packet->format->profile->is_legacy &&
        !ouster_is_intact(&t->crc, packet->bytes, packet->format->packet_bytes))
        t->damaged++;
    for (unsigned i = 0; i < packet->format->columns; i++) {
        ouster_packet_column(packet, i, &column);
        t->columns++;
        t->invalid_columns += !column.is_valid;
        t->outside_window += ouster_window_row(&t->metadata, column.measurement_id) < 0;
    }
}

static void tally_imu(struct tally *t, const struct ouster_imu_packet *imu)
{
    t->imu++;
    for (unsigned i = 0; i < imu->count; i++) {
        const double *a = imu->sample[i].acceleration;
        t->samples++;
        t->weight += sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);
    }
}

static void tally_datagram(void *context, const struct sl_datagram *datagram)
{
    struct tally *t = context;
    struct ouster_packet packet;
    struct ouster_imu_packet imu;
    t->datagrams++;
    t->reassembled += (datagram->flags & SL_DATAGRAM_REASSEMBLED) != 0;
    if (ouster_packet_parse(&t->metadata.format, datagram->bytes, datagram->size_bytes, &packet) ==
        LIDAR_PACKETS)
        tally_lidar(t, &packet);
    else if (ouster_imu_parse(&t->metadata.imu, datagram->bytes, datagram->size_bytes, &imu) ==
             LIDAR_IMU)
        tally_imu(t, &imu);
    else
        t->other++;
}

static struct tally tally_of(const char *json, const char *pcap)
{
    struct tally t = {0};
    load_metadata(json, &t.metadata);
    ouster_crc_init(&t.crc);
    each_datagram(pcap, tally_datagram, &t);
    if (t.samples > 0)
        t.weight /= t.samples;
    return t;
}

static void every_lidar_and_imu_packet_of_the_files_is_told_apart(void **unused)
{
    (void)unused;
    static const struct {
        const char *json, *pcap;
        unsigned lidar, imu, other;
        uint32_t first_frame, last_frame;
    } files[] = {
        {"OS-0-32-U1_v2.2.0_1024x10.json", "OS-0-32-U1_v2.2.0_1024x10.pcap", 64, 10, 0, 1453, 1453},
        {"OS-0-32-U1_v2.2.0_1024x10.json", "OS-0-32-U1_v2.2.0_1024x10-single-packet.pcap", 1, 0, 0,
         1453, 1453},
        {"OS-1-128_v2.3.0_1024x10.json", "OS-1-128_v2.3.0_1024x10_lb_n3.pcap", 192, 30, 0, 1795,
         1797},
        {"OS-1-32-G_v2.1.1_1024x10.json", "OS-1-32-G_v2.1.1_1024x10.pcap", 64, 0, 0, 638, 638},
        {"OS-1-64_sensor_config_reduced.json", "OS-1-64_1024x10_fw20.pcap", 64, 11, 0, 189, 189},
        {"OS-2-128-U1_v2.3.0_1024x10.json", "OS-2-128-U1_v2.3.0_1024x10.pcap", 64, 10, 0, 1259,
         1259},
        {"crc_test.json", "crc_test.pcap", 34, 10, 0, 254, 255},
        {"windowed_frame1_0.json", "windowed_frame1.pcap", 17, 10, 0, 1553, 1553},
        {"empty_pcap.json", "empty_pcap.pcap", 0, 0, 0, 0, 0},
        {"imu_zm_no_lidar_0.json", "imu_zm_no_lidar.pcap", 0, 8, 1, 0, 0},
    };
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        struct tally t = tally_of(files[i].json, files[i].pcap);
        print_message("%s: %u samples of %g m/s^2\n", files[i].pcap, t.samples, t.weight);
        assert_int_equal(t.lidar, files[i].lidar);
        assert_int_equal(t.imu, files[i].imu);
        assert_int_equal(t.other, files[i].other);
        assert_int_equal(t.first_frame_id, files[i].first_frame);
        assert_int_equal(t.last_frame_id, files[i].last_frame);
        assert_int_equal(t.strangers, 0);
        assert_int_equal(t.damaged, 0);
        if (t.samples > 0) /* some of them drove */
            assert_true(t.weight > 9 && t.weight < 11);
    }
}

static void checksums_of_new_firmware_are_right_and_a_changed_byte_is_seen(void **unused)
{
    (void)unused;
    struct tally t = tally_of("crc_test.json", "crc_test.pcap");
    assert_int_equal(t.checked, 34);
    assert_int_equal(t.damaged, 0);
    assert_int_equal(t.init_id, t.metadata.init_id);
    uint8_t bytes[64] = {1};
    sl_put_le64(bytes + 56, ouster_crc64(&t.crc, bytes, 56));
    assert_true(ouster_is_intact(&t.crc, bytes, 64));
    bytes[3] ^= 1;
    assert_false(ouster_is_intact(&t.crc, bytes, 64));
}

static void a_windows_edges_are_marked_in_the_packets(void **unused)
{
    (void)unused;
    struct tally t = tally_of("windowed_frame1_0.json", "windowed_frame1.pcap");
    assert_int_equal(ouster_window_columns(&t.metadata), 256);
    assert_int_equal(t.columns, 17 * 16);
    assert_int_equal(t.outside_window, 16);
    assert_int_equal(t.invalid_columns, 16);
}

static void fragments_of_one_identification_make_one_packet(void **unused)
{
    (void)unused;
    struct tally t = tally_of("duplicate_id.json", "duplicate_id.pcap");
    assert_int_equal(t.lidar, 1);
    assert_int_equal(t.strangers, 0);
    assert_int_equal(t.reassembled, t.datagrams);
}

/* Two sensors send lidar and IMU packets to one port, in fragments. */
static void two_sensors_on_one_port_are_told_apart_by_length(void **unused)
{
    (void)unused;
    struct tally first = tally_of("same_ports_legacy.1.json", "same_ports_legacy.pcap");
    struct tally second = tally_of("same_ports_legacy.2.json", "same_ports_legacy.pcap");
    assert_int_equal(first.lidar, 1);
    assert_int_equal(second.lidar, 1);
    assert_int_equal(first.reassembled, 2);
    assert_int_equal(first.imu, second.imu);
    assert_int_equal(first.datagrams, first.lidar + second.lidar + first.imu);
}

/* Metadata. */

static void all_metadata_files_are_read(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *product, *profile;
        uint64_t serial;
        unsigned beams, frame_columns, packet_bytes, first, last;
        double origin_mm, sensor_z_mm;
        enum ouster_clock clock;
    } files[] = {
        {"OS-0-32-U1_v2.2.0_1024x10.json", "OS-0-32-U1", "RNG19_RFL8_SIG16_NIR16_DUAL",
         992137000142, 32, 1024, 8448, 0, 1023, 27.67, 36.18, OUSTER_CLOCK_FREE},
        {"OS-1-128_v2.3.0_1024x10.json", "OS-1-128", "RNG15_RFL8_NIR8", 122201000998, 128, 1024,
         8448, 0, 1023, 15.806, 36.18, OUSTER_CLOCK_FREE},
        {"OS-1-32-G_v2.1.1_1024x10.json", "OS-1-32-G", "LEGACY", 992101000280, 32, 1024, 6464, 0,
         1023, 15.806, 36.18, OUSTER_CLOCK_FREE},
        {"OS-1-64_sensor_config_reduced.json", "", "LEGACY", 0, 64, 1024, 12608, 0, 1023, 12.163,
         36.18, OUSTER_CLOCK_FREE},
        {"OS-2-128-U1_v2.3.0_1024x10.json", "OS-2-128", "RNG19_RFL8_SIG16_NIR16", 992210000957, 128,
         1024, 24832, 0, 1023, 13.762, 78.296, OUSTER_CLOCK_FREE},
        {"crc_test.json", "OS-0-128", "RNG15_RFL8_NIR8", 122247000785, 128, 512, 8448, 0, 511,
         27.116, 38.195, OUSTER_CLOCK_FREE},
        {"duplicate_id.json", "OS-2-128", "RNG15_RFL8_NIR8", 992219000042, 128, 1024, 8448, 0, 1023,
         13.762, 78.296, OUSTER_CLOCK_PTP},
        {"empty_pcap.json", "OS-2-128", "RNG19_RFL8_SIG16_NIR16_DUAL", 992305000159, 128, 512,
         33024, 0, 511, 27.397, 78.296, OUSTER_CLOCK_FREE},
        {"imu_zm_no_lidar_0.json", "OS-0-128", "RNG19_RFL8_SIG16_NIR16_ZONE16", 122247000785, 128,
         2048, 24832, 0, 2047, 27.116, 38.195, OUSTER_CLOCK_FREE},
        {"same_ports_legacy.1.json", "OS-0-128", "LEGACY", 122247000785, 128, 1024, 24896, 0, 1023,
         27.116, 38.195, OUSTER_CLOCK_FREE},
        {"same_ports_legacy.2.json", "OS-1-64-AH", "LEGACY", 122239000672, 64, 1024, 12608, 0, 1023,
         15.806, 36.18, OUSTER_CLOCK_FREE},
        {"windowed_frame1_0.json", "OS-0-128", "RNG15_RFL8_NIR8", 992108000265, 128, 512, 8448, 1,
         256, 27.67, 36.18, OUSTER_CLOCK_PTP},
    };
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        struct ouster_metadata m;
        print_message("%s\n", files[i].name);
        load_metadata(files[i].name, &m);
        assert_string_equal(m.product, files[i].product);
        assert_string_equal(m.format.profile->name, files[i].profile);
        assert_int_equal(m.serial, files[i].serial);
        assert_int_equal(m.format.beams, files[i].beams);
        assert_int_equal(m.format.columns, 16);
        assert_int_equal(m.format.frame_columns, files[i].frame_columns);
        assert_int_equal(m.format.packet_bytes, files[i].packet_bytes);
        assert_int_equal(m.window_first, files[i].first);
        assert_int_equal(m.window_last, files[i].last);
        assert_int_equal(m.turns_hz, 10);
        assert_true(fabs(m.beam_to_lidar[3] - files[i].origin_mm) < 1e-9);
        assert_true(fabs(m.lidar_to_sensor[11] - files[i].sensor_z_mm) < 1e-9);
        assert_int_equal(m.clock, files[i].clock);
    }
}

/* Frames. */

/* Decoded by the whole way, beside the range and reflectivity that stand in the packets. */
struct decoded {
    struct ouster_metadata metadata;
    struct ouster_frames frames;
    struct frames kept;
    struct lidar_counts counts;
    uint32_t *range[2], *reflectivity[2]; /* of one frame, column by column */
};

static void note_pixels(struct decoded *d, const struct ouster_packet *packet)
{
    static const enum ouster_field fields[2][2] = {{OUSTER_RANGE, OUSTER_REFLECTIVITY},
                                                   {OUSTER_RANGE2, OUSTER_REFLECTIVITY2}};
    const struct ouster_format *format = packet->format;
    struct ouster_column column;
    for (unsigned i = 0; i < format->columns; i++) {
        ouster_packet_column(packet, i, &column);
        if (!column.is_valid)
            continue;
        for (unsigned beam = 0; beam < format->beams; beam++) {
            size_t at = (size_t)column.measurement_id * OUSTER_BEAMS_MAX + beam;
            const uint8_t *pixel = column.pixels + beam * format->profile->pixel_bytes;
            for (unsigned which = 0; which < 2; which++) {
                d->range[which][at] = ouster_pixel_field(format->profile, pixel, fields[which][0]);
                d->reflectivity[which][at] =
                    ouster_pixel_field(format->profile, pixel, fields[which][1]);
            }
        }
    }
}

static void decode_datagram(void *context, const struct sl_datagram *datagram)
{
    struct decoded *d = context;
    struct ouster_packet packet;
    if (ouster_packet_parse(&d->metadata.format, datagram->bytes, datagram->size_bytes, &packet) !=
        LIDAR_PACKETS)
        return;
    ouster_frames_push(&d->frames, &packet, datagram->time_ns);
    note_pixels(d, &packet);
}

static struct decoded *decode(const char *json, const char *pcap)
{
    static const struct ouster_frames_options options = {.ptp_ahead_ns = 0};
    struct decoded *d = aligned_alloc(64, (sizeof *d + 63) / 64 * 64);
    assert_non_null(d);
    memset(d, 0, sizeof *d);
    load_metadata(json, &d->metadata);
    for (unsigned which = 0; which < 2; which++) {
        d->range[which] = calloc(OUSTER_FRAME_COLUMNS * OUSTER_BEAMS_MAX, sizeof(uint32_t));
        d->reflectivity[which] = calloc(OUSTER_FRAME_COLUMNS * OUSTER_BEAMS_MAX, sizeof(uint32_t));
        assert_true(d->range[which] && d->reflectivity[which]);
    }
    frames_init(&d->kept, ouster_frame_bytes(&d->metadata));
    struct lidar_frame_sink sink = frames_sink(&d->kept);
    ouster_frames_init(&d->frames, &d->metadata, &options, &sink, &d->counts, NULL);
    each_datagram(pcap, decode_datagram, d);
    ouster_frames_flush(&d->frames);
    return d;
}

static void drop(struct decoded *d)
{
    frames_finish(&d->kept);
    for (unsigned which = 0; which < 2; which++) {
        free(d->range[which]);
        free(d->reflectivity[which]);
    }
    free(d);
}

/* The manual's formula, in double precision and as written there; metres. */
static void formula(const struct ouster_metadata *m, unsigned id, unsigned beam, double r,
                    double ret_p[3])
{
    double te = 2 * M_PI * (1 - (double)id / m->format.frame_columns);
    double ta = -m->azimuth_deg[beam] * M_PI / 180, ph = m->altitude_deg[beam] * M_PI / 180;
    double bx = m->beam_to_lidar[3], bz = m->beam_to_lidar[11], n = sqrt(bx * bx + bz * bz);
    double p[3] = {
        (r - n) * cos(te + ta) * cos(ph) + bx * cos(te),
        (r - n) * sin(te + ta) * cos(ph) + bx * sin(te),
        (r - n) * sin(ph) + bz,
    };
    for (unsigned i = 0; i < 3; i++) {
        const double *t = m->lidar_to_sensor + 4 * i;
        ret_p[i] = 0.001 * (t[0] * p[0] + t[1] * p[1] + t[2] * p[2] + t[3]);
    }
}

/* Within 1e-6 m; beyond 32 m a float cannot be nearer than half of its own step. */
static bool is_near(float got, double expected)
{
    float step = nextafterf(fabsf((float)expected), INFINITY) - fabsf((float)expected);
    return fabs((double)got - expected) <= fmax(1e-6, 0.501 * (double)step);
}

/* All points of one whole frame. Returns how many are no holes. */
static unsigned check_points(const struct decoded *d, unsigned frame)
{
    const struct ouster_metadata *m = &d->metadata;
    unsigned valid = 0, columns = ouster_window_columns(m);
    for (unsigned id = 0; id < m->format.frame_columns; id++) {
        int row = ouster_window_row(m, id);
        for (unsigned beam = 0; row >= 0 && beam < m->format.beams; beam++) {
            for (unsigned which = 0; which < m->format.profile->returns; which++) {
                struct point p =
                    frame_point(&d->kept.kept[frame], which * columns + (unsigned)row, beam);
                size_t at = (size_t)id * OUSTER_BEAMS_MAX + beam;
                double expected[3];
                assert_int_equal(p.ring, beam);
                assert_int_equal(point_is_hole(&p), d->range[which][at] == 0);
                if (point_is_hole(&p))
                    continue;
                formula(m, id, beam, d->range[which][at], expected);
                assert_true(is_near(p.x, expected[0]));
                assert_true(is_near(p.y, expected[1]));
                assert_true(is_near(p.z, expected[2]));
                assert_true(p.intensity == (float)d->reflectivity[which][at]);
                valid++;
            }
        }
    }
    return valid;
}

static void points_of_recorded_frames_lie_where_the_formula_says(void **unused)
{
    (void)unused;
    static const struct {
        const char *json, *pcap;
        unsigned frames, whole;
    } files[] = {
        {"OS-0-32-U1_v2.2.0_1024x10.json", "OS-0-32-U1_v2.2.0_1024x10.pcap", 1, 1},
        {"OS-1-128_v2.3.0_1024x10.json", "OS-1-128_v2.3.0_1024x10_lb_n3.pcap", 3, 3},
        {"OS-1-32-G_v2.1.1_1024x10.json", "OS-1-32-G_v2.1.1_1024x10.pcap", 1, 1},
        {"OS-1-64_sensor_config_reduced.json", "OS-1-64_1024x10_fw20.pcap", 1, 1},
        {"OS-2-128-U1_v2.3.0_1024x10.json", "OS-2-128-U1_v2.3.0_1024x10.pcap", 1, 1},
        {"windowed_frame1_0.json", "windowed_frame1.pcap", 1, 1},
        {"crc_test.json", "crc_test.pcap", 2, 1},
        {"OS-0-32-U1_v2.2.0_1024x10.json", "OS-0-32-U1_v2.2.0_1024x10-single-packet.pcap", 1, 0},
        {"duplicate_id.json", "duplicate_id.pcap", 1, 0},
        {"same_ports_legacy.1.json", "same_ports_legacy.pcap", 1, 0},
        {"same_ports_legacy.2.json", "same_ports_legacy.pcap", 1, 0},
    };
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        struct decoded *d = decode(files[i].json, files[i].pcap);
        unsigned whole = 0;
        print_message("%s\n", files[i].pcap);
        assert_int_equal(d->kept.closed, files[i].frames);
        for (unsigned at = 0; at < d->kept.closed; at++)
            whole += d->kept.kept[at].info.missing == 0 && d->kept.kept[at].info.partial == 0;
        assert_int_equal(whole, files[i].whole);
        /* the pixels that were noted are those of the last frame, where all are whole */
        if (files[i].frames == files[i].whole) {
            unsigned last = d->kept.closed - 1;
            unsigned valid = check_points(d, last);
            assert_int_equal(valid, d->kept.kept[last].info.valid);
            assert_true(valid > 1000);
            assert_int_equal(d->counts.count[LIDAR_GAP], 0);
        }
        drop(d);
    }
}

int main(void)
{
    if (!find_ouster_data()) {
        printf("SKIP: no recorded Ouster packets in %s (set SLUICE_TEST_DATA)\n", ouster_folder);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_metadata_files_are_read),
        cmocka_unit_test(every_field_of_two_returns_has_ousters_digest),
        cmocka_unit_test(every_field_of_the_legacy_profile_has_ousters_digest),
        cmocka_unit_test(every_field_of_one_return_has_ousters_digest),
        cmocka_unit_test(every_lidar_and_imu_packet_of_the_files_is_told_apart),
        cmocka_unit_test(checksums_of_new_firmware_are_right_and_a_changed_byte_is_seen),
        cmocka_unit_test(a_windows_edges_are_marked_in_the_packets),
        cmocka_unit_test(fragments_of_one_identification_make_one_packet),
        cmocka_unit_test(two_sensors_on_one_port_are_told_apart_by_length),
        cmocka_unit_test(points_of_recorded_frames_lie_where_the_formula_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
