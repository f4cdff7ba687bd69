/* SPDX-License-Identifier: Apache-2.0 */
/* test_garbage.c - the program `dds_bridge` and broken packets of RTPS: a participant talks to it
 * while Cyclone records what it sends, then all of that comes again, in the name of one that lives,
 * but cut, bent and spliced.
 *
 * Usage: test_dds_garbage [SECONDS [SEED]]      (without: some seconds, always the same) */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/datagrams.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOUD &sensor_msgs_msg_dds__PointCloud2__desc
#define IMU   &sensor_msgs_msg_dds__Imu__desc

#define PREFIX       12u /* bytes by which a participant is known */
#define RTPS_HEADER  20u
#define PACKETS_MAX  4096u
#define PACKET_MAX   65507u
#define QUOTA        4
#define PACKETS      60000 /* of a short run */
#define PATIENCE_NS  (60 * SL_NS_PER_S)
#define LOOK_PACKETS 200 /* between two looks at the bus */

static double seconds; /* of a long run; 0 = a short one */
static uint64_t seed = 7;

/* What was recorded
 * ------------------------------------------------------------------------------*/

struct packet {
    uint8_t *bytes;
    uint32_t size;
    uint16_t port;
};

static struct {
    struct packet packet[PACKETS_MAX];
    unsigned count;
} recorded;

/* The bridge is the second participant of its domain; the first is this process. */
static bool is_the_bridges(uint16_t port)
{
    return port == 7400 + 250 * side_domain() + 12 || port == 7400 + 250 * side_domain() + 13;
}

static void load_packets(void)
{
    struct sl_datagram_reader *reader;
    struct sl_datagram datagram;
    if (sl_datagram_reader_open(harness_path("packets.pcap"), NULL, &reader) < 0)
        fail_msg("%s", sl_error_text());
    recorded.count = 0;
    while (recorded.count < PACKETS_MAX && sl_datagram_reader_next(reader, &datagram) == 1) {
        if (!is_the_bridges(datagram.destination.port) || datagram.size_bytes <= RTPS_HEADER)
            continue;
        struct packet *p = &recorded.packet[recorded.count++];
        *p = (struct packet){malloc(datagram.size_bytes), datagram.size_bytes,
                             datagram.destination.port};
        assert_non_null(p->bytes);
        memcpy(p->bytes, datagram.bytes, datagram.size_bytes);
    }
    sl_datagram_reader_close(reader);
}

static void forget_packets(void)
{
    while (recorded.count > 0)
        free(recorded.packet[--recorded.count].bytes);
}

/* Their sender is another one now. */
static void change_sender(const dds_guid_t *from, const dds_guid_t *to)
{
    for (unsigned i = 0; i < recorded.count; i++) {
        struct packet *p = &recorded.packet[i];
        for (uint8_t *at = p->bytes;
             (at = memmem(at, p->size - (size_t)(at - p->bytes), from->v, PREFIX)); at += PREFIX)
            memcpy(at, to->v, PREFIX);
    }
}

/* What is made of it
 * -----------------------------------------------------------------------------*/

static uint32_t dice(uint32_t sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % sides);
}

/* A submessage: kind, flags, u16 length (0 = to the end). Where the n-th begins, or the last. */
static uint32_t submessage(const uint8_t *bytes, uint32_t size, uint32_t n)
{
    uint32_t at = RTPS_HEADER;
    for (; n > 0 && at + 4 <= size; n--) {
        uint32_t length = (uint32_t)bytes[at + 2] | (uint32_t)bytes[at + 3] << 8;
        if (length == 0 || at + 4 + length + 4 > size)
            break;
        at += 4 + length;
    }
    return at;
}

/* A number of 4 bytes becomes one at which sums overflow. */
static void bend_number(uint8_t *bytes, uint32_t size)
{
    static const uint32_t odd[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0x10000};
    uint32_t from = submessage(bytes, size, dice(6));
    uint32_t words = size > from + 8 ? (size - from - 4) / 4 : 1;
    uint32_t at = from + 4 * dice(words < 16 ? words : 16);
    if (at + 4 <= size)
        memcpy(bytes + at, &odd[dice(sizeof odd / sizeof *odd)], 4);
}

static void bend_bytes(uint8_t *bytes, uint32_t size)
{
    for (uint32_t n = 1 + dice(8); n > 0; n--)
        bytes[RTPS_HEADER + dice(size - RTPS_HEADER)] = (uint8_t)dice(256);
}

static void bend_submessage(uint8_t *bytes, uint32_t size)
{
    static const uint8_t kinds[] = {0x01, 0x06, 0x07, 0x08, 0x09, 0x0c, 0x0e,
                                    0x0f, 0x12, 0x13, 0x15, 0x16, 0x80, 0xff};
    uint32_t at = submessage(bytes, size, dice(6));
    if (at + 4 > size)
        return;
    switch (dice(3)) {
    case 0:
        bytes[at] = kinds[dice(sizeof kinds)];
        break;
    case 1:
        bytes[at + 1] = (uint8_t)dice(256); /* flags, byte order among them */
        break;
    default:
        bytes[at + 2] = (uint8_t)dice(256);
        bytes[at + 3] = (uint8_t)(dice(4) == 0 ? dice(256) : 0);
    }
}

/* What an announcement says of its end's type (PID_TYPE_INFORMATION): the hashes' kinds, 0xf1 and
 * 0xf2, among others. */
static void bend_type(uint8_t *bytes, uint32_t size)
{
    static const uint8_t pid[] = {0x75, 0x00};
    const uint8_t *at = memmem(bytes, size, pid, sizeof pid);
    uint32_t from = at ? (uint32_t)(at - bytes) + 4 : size;
    for (uint32_t i = from; i < size && i < from + 200; i++)
        if ((bytes[i] == 0xf1 || bytes[i] == 0xf2) && dice(3) == 0)
            bytes[i] = (uint8_t)dice(256);
}

/* The beginning of one, and submessages of another. */
static uint32_t splice(uint8_t *bytes, uint32_t size)
{
    const struct packet *other = &recorded.packet[dice(recorded.count)];
    uint32_t from = submessage(other->bytes, other->size, dice(6));
    uint32_t at = submessage(bytes, size, dice(6));
    uint32_t more = other->size - from;
    if (at + more > PACKET_MAX)
        return size;
    memcpy(bytes + at, other->bytes + from, more);
    return at + more;
}

static uint32_t mutate(const struct packet *packet, uint8_t *to)
{
    uint32_t size = packet->size;
    memcpy(to, packet->bytes, size);
    for (uint32_t n = 1 + dice(3); n > 0; n--) {
        switch (dice(6)) {
        case 0:
            bend_number(to, size);
            break;
        case 1:
            bend_bytes(to, size);
            break;
        case 2:
            bend_submessage(to, size);
            break;
        case 3:
            size = splice(to, size);
            break;
        case 4:
            bend_type(to, size);
            break;
        default:
            if (dice(4) == 0)
                size = RTPS_HEADER + 1 + dice(size - RTPS_HEADER);
        }
    }
    return size;
}

static void throw_one(int fd)
{
    static uint8_t bytes[2 * PACKET_MAX];
    const struct packet *packet = &recorded.packet[dice(recorded.count)];
    uint32_t size = mutate(packet, bytes);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(packet->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ssize_t sent = sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof to);
    if (sent != (ssize_t)size) /* refused: nobody listens there any more */
        fail_msg("packet of %u bytes: %s", size, strerror(errno));
}

/* The bus ---------------------------------------------------------------------------------------*/

static struct sl_publisher *clouds;
static struct sl_subscriber *imus, *backs; /* small messages, and such in fragments */

static void open_bus(void)
{
    const struct sl_publisher_options out = {.topic = "/points",
                                             .type = SL_TYPE_POINTCLOUD2,
                                             .slot_size = 81920,
                                             .side_size = CONTENT_SIDE_SIZE,
                                             .subscribers = 1,
                                             .quota = QUOTA};
    const struct sl_subscriber_options imu = {.topic = "/imu"}, back = {.topic = "/back"};
    if (sl_publisher_open(&out, &clouds) < 0 || sl_subscriber_open(&imu, &imus) < 0 ||
        sl_subscriber_open(&back, &backs) < 0)
        fail_msg("%s", sl_error_text());
}

static uint32_t held(void)
{
    struct sl_publisher_status status;
    assert_int_equal(sl_publisher_status(clouds, &status), 0);
    return status.slots_held;
}

/* Whatever broken packets have put there; it is no message of ours any more. */
static void drain(struct sl_subscriber *subscriber)
{
    struct sl_frame frame;
    while (sl_subscriber_take(subscriber, &frame) == 0)
        sl_frame_release(&frame);
}

static void expect(struct sl_subscriber *subscriber,
                   uint32_t (*check)(const struct sl_frame *frame), uint32_t number)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(subscriber, &frame)) == -EAGAIN)
        assert_int_equal(sl_subscriber_wait(subscriber, (int64_t)PATIENCE_NS), 0);
    assert_int_equal(err, 0);
    assert_int_equal(check(&frame), number);
    sl_frame_release(&frame);
}

/* Messages cross both ways, with a participant that has just come. */
static void both_ways_work(void)
{
    dds_entity_t reader = side_reader("rt/points", CLOUD, (struct side_qos){0});
    dds_entity_t imu = side_writer("rt/imu", IMU, (struct side_qos){.transient_local = true});
    dds_entity_t back = side_writer("rt/back", CLOUD, (struct side_qos){.transient_local = true});
    int64_t got = -1;
    uint32_t number = 0;
    for (uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_NS; got + 1 < number || got < 20;) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("%u clouds published, the last that came is %lld", number, (long long)got);
        int err = publish_cloud(clouds, number, number % 2 ? 9000 : 60000);
        assert_true(err == 0 || err == -EAGAIN);
        number += err == 0;
        for (int64_t next = 0; next >= 0 && got + 1 < number; got = next >= 0 ? next : got)
            next = side_take(reader, check_cloud, DDS_MSECS(50));
        assert_true(held() <= QUOTA);
    }
    for (uint32_t n = 0; n < 20; n++) {
        write_imu(imu, n);
        expect(imus, check_imu_frame, n);
        write_cloud(back, n, 5000 * (1 + n % 4));
        expect(backs, check_cloud_frame, n);
    }
}

static void await_no_hold(void)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_NS;
    while (held() > 0) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("%u frames are held still", held());
        poll(NULL, 0, 5);
    }
}

static void is_alive(const struct child *bridge)
{
    siginfo_t end = {0};
    assert_int_equal(waitid(P_PID, (id_t)bridge->pid, &end, WEXITED | WNOHANG | WNOWAIT), 0);
    if (end.si_pid != 0)
        fail_msg("the bridge has ended, by %s %d", end.si_code == CLD_EXITED ? "status" : "signal",
                 end.si_status);
}

static void throw_all(const struct child *bridge)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t end_ns = sl_clock_monotonic_ns() + (uint64_t)(seconds * 1e9), thrown = 0;
    uint32_t number = 0;
    for (; seconds > 0 ? sl_clock_monotonic_ns() < end_ns : thrown < PACKETS; thrown++) {
        throw_one(fd);
        if (thrown % LOOK_PACKETS > 0)
            continue;
        number += publish_cloud(clouds, number, 9000) == 0;
        drain(imus);
        drain(backs);
        assert_true(held() <= QUOTA);
        is_alive(bridge);
        poll(NULL, 0, 1); /* let its threads read */
    }
    close(fd);
    if (seconds > 0)
        printf("%llu packets\n", (unsigned long long)thrown);
}

static void broken_packets_do_no_harm(void **state)
{
    (void)state;
    open_bus();
    struct child bridge = start("dds_bridge", "--out=/points reliable depth=2",
                                "--in=/(imu|back) frame-id=*", side_domain_option(), NULL);
    dds_guid_t from, to;
    assert_int_equal(dds_get_guid(side_participant(), &from), 0);
    both_ways_work();
    side_next_participant(); /* what was recorded is whole then */
    load_packets();
    assert_true(recorded.count > 50);
    assert_int_equal(dds_get_guid(side_participant(), &to), 0);
    change_sender(&from, &to);
    side_reader("rt/points", CLOUD, (struct side_qos){0});
    side_await_readers(side_writer("rt/imu", IMU, (struct side_qos){.transient_local = true}), 1);
    throw_all(&bridge);
    forget_packets();
    is_alive(&bridge);
    side_await_counter(side_domain_title(), "complaints", 10);
    side_next_participant();
    drain(imus);
    drain(backs);
    both_ways_work();
    await_no_hold();
    assert_int_equal(stop(&bridge, SIGTERM), 0);
    sl_subscriber_close(imus);
    sl_subscriber_close(backs);
    sl_publisher_close(clouds);
}

int main(int argc, char **argv)
{
    seconds = argc > 1 ? atof(argv[1]) : 0;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : seed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broken_packets_do_no_harm, side_setup_recorded,
                                        side_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
