/* SPDX-License-Identifier: Apache-2.0 */
/* test_in.c - the program `dds_bridge` the other way: what Cyclone DDS writes, with types that idlc
 * made, is read on the bus; both ways at once; and what strangers may send. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/yaml.h"
#include "core/frame/imu.h"
#include "core/frame/message.h"
#include "tests/dds_bridge/content.h"
#include "tests/dds_bridge/side.h"
#include "tests/tools/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <rosgraph_msgs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOUD &sensor_msgs_msg_dds__PointCloud2__desc
#define IMAGE &sensor_msgs_msg_dds__Image__desc
#define IMU   &sensor_msgs_msg_dds__Imu__desc

#define PATIENCE_NS (60 * (int64_t)SL_NS_PER_S)
#define SHORT_NS    (300 * (int64_t)SL_NS_PER_MS)

static struct sl_subscriber *subscribe(const char *topic)
{
    struct sl_subscriber *subscriber;
    const struct sl_subscriber_options options = {.topic = topic};
    if (sl_subscriber_open(&options, &subscriber) < 0)
        fail_msg("%s", sl_error_text());
    return subscriber;
}

/* The number of the next message, or -1 if none comes in time. */
static int64_t take(struct sl_subscriber *subscriber,
                    uint32_t (*check)(const struct sl_frame *frame), int64_t patience_ns)
{
    struct sl_frame frame;
    int err;
    while ((err = sl_subscriber_take(subscriber, &frame)) == -EAGAIN)
        if (sl_subscriber_wait(subscriber, patience_ns) == -ETIMEDOUT)
            return -1;
    if (err < 0)
        fail_msg("%s", sl_error_text());
    int64_t number = check(&frame);
    sl_frame_release(&frame);
    return number;
}

/* What comes in sizes. */
struct kind {
    const dds_topic_descriptor_t *type;
    void (*write)(dds_entity_t writer, uint32_t number, uint32_t size);
    uint32_t (*check)(const struct sl_frame *frame);
};
static const struct kind clouds = {CLOUD, write_cloud, check_cloud_frame};
static const struct kind images = {IMAGE, write_image, check_image_frame};

#define OF_EACH_SIZE 4u

static void sizes_arrive(const struct kind *kind, const char *dds_topic,
                         struct sl_subscriber *subscriber, const uint32_t *sizes, unsigned count)
{
    dds_entity_t writer = side_writer(dds_topic, kind->type, (struct side_qos){.keep_all = true});
    side_await_readers(writer, 1);
    for (uint32_t number = 0; number < OF_EACH_SIZE * count; number++) {
        kind->write(writer, number, sizes[number / OF_EACH_SIZE]);
        assert_int_equal(take(subscriber, kind->check, PATIENCE_NS), number);
    }
}

/* Only the first one of a size for which there are no slots yet is copied: all others were put into
 * a slot as they came. */
static void come_as_they_are_and_may_grow(const struct kind *kind)
{
    static const uint32_t sizes[] = {100, 3000, 3000, 60000, 100, 2000000, 8u << 20, 32u << 20};
    static const char title[] = "DDS rt/grown -> /grown";
    const unsigned count = sizeof sizes / sizeof *sizes, grown = 5;
    struct sl_subscriber *subscriber = subscribe("/grown");
    struct child child = start("dds_bridge", "--in=/grown reliable", side_domain_option(), NULL);
    sizes_arrive(kind, "rt/grown", subscriber, sizes, count);
    side_await_counter(title, "published", (uint64_t)OF_EACH_SIZE * count);
    assert_int_equal(side_counter(title, "copied"), grown);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

static void clouds_come_as_they_are_and_may_grow(void **state)
{
    (void)state;
    come_as_they_are_and_may_grow(&clouds);
}

static void images_come_as_they_are_and_may_grow(void **state)
{
    (void)state;
    come_as_they_are_and_may_grow(&images);
}

/* Those that fit into a ring's entry before, but not with the longer name, too. */
static void messages_come_with_another_frame_id(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {100, 3000, 60000};
    char prefix[150] = "robot/", rule[200];
    memset(prefix + 6, 'x', sizeof prefix - 7);
    snprintf(rule, sizeof rule, "--in=.* reliable frame-id=%s*", prefix);
    struct sl_subscriber *points = subscribe("/points"), *imus = subscribe("/imu");
    struct child child = start("dds_bridge", rule, side_domain_option(), NULL);
    content_frame_prefix = prefix;
    sizes_arrive(&clouds, "rt/points", points, sizes, sizeof sizes / sizeof *sizes);
    dds_entity_t writer = side_writer("rt/imu", IMU, (struct side_qos){0});
    side_await_readers(writer, 1);
    for (uint32_t number = 0; number < 10; number++) {
        write_imu(writer, number);
        assert_int_equal(take(imus, check_imu_frame, PATIENCE_NS), number);
    }
    content_frame_prefix = "";
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(points);
    sl_subscriber_close(imus);
}

/* A topic of its own, as in other tests that count readers: those of a bridge that has ended are
 * seen for a little longer. */
static void small_messages_come_inline(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber = subscribe("/front/imu");
    struct child child =
        start("dds_bridge", "--in=/small as=/front/imu", side_domain_option(), NULL);
    dds_entity_t writer = side_writer("rt/small", IMU, (struct side_qos){0});
    side_await_readers(writer, 1);
    for (uint32_t number = 0; number < 50; number++) {
        write_imu(writer, number);
        assert_int_equal(take(subscriber, check_imu_frame, PATIENCE_NS), number);
    }
    side_await_counter("DDS rt/small -> /front/imu", "received", 50);
    assert_int_equal(side_counter("DDS rt/small -> /front/imu", "published"), 50);
    assert_int_equal(side_counter("DDS rt/small -> /front/imu", "writers"), 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* The reader asks for what its writer offers. */
static void what_was_written_before_comes_if_its_writer_keeps_it(void **state)
{
    (void)state;
    dds_entity_t writer =
        side_writer("rt/map", CLOUD, (struct side_qos){.transient_local = true, .depth = 3});
    for (uint32_t number = 0; number < 5; number++)
        write_cloud(writer, number, 3000);
    struct child child = start("dds_bridge", "--in=/map", side_domain_option(), NULL);
    side_await_readers(writer, 1);
    struct sl_subscriber *subscriber = subscribe("/map");
    for (uint32_t number = 2; number < 5; number++)
        assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), number);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* A depth changes how many wait to be read, and nothing else. */
static void what_was_written_before_comes_with_a_depth_too(void **state)
{
    (void)state;
    dds_entity_t writer = side_writer("rt/deep", CLOUD, (struct side_qos){.transient_local = true});
    for (uint32_t number = 0; number < 8; number++)
        write_cloud(writer, number, 3000);
    struct sl_subscriber *subscriber = subscribe("/deep");
    struct child child = start("dds_bridge", "--in=/deep depth=10", side_domain_option(), NULL);
    for (uint32_t number = 0; number < 8; number++)
        assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), number);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* A type's name promises what the bytes do not keep: they have no frame_id. */
static void what_cannot_be_renamed_is_counted(void **state)
{
    (void)state;
    const dds_topic_descriptor_t *clock = &rosgraph_msgs_msg_dds__Clock__desc;
    const dds_topic_descriptor_t liar = {.m_size = clock->m_size,
                                         .m_align = clock->m_align,
                                         .m_flagset = clock->m_flagset & ~DDS_TOPIC_XTYPES_METADATA,
                                         .m_typename = "sensor_msgs::msg::dds_::PointCloud2_",
                                         .m_nops = clock->m_nops,
                                         .m_ops = clock->m_ops,
                                         .m_meta = clock->m_meta};
    const rosgraph_msgs_msg_dds__Clock_ sample = {{1, 2}};
    struct child child = start("dds_bridge", "--in=/points frame-id=x", side_domain_option(), NULL);
    dds_entity_t writer = side_writer("rt/points", &liar, (struct side_qos){0});
    side_await_readers(writer, 1);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(dds_write(writer, &sample), 0);
    side_await_counter("DDS rt/points -> /points", "unreadable", 5);
    assert_int_equal(side_counter("DDS rt/points -> /points", "published"), 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* Files of the bridge's, of which pools are, may not be larger. */
static void limit_files(const struct child *child, rlim_t size)
{
    const struct rlimit limit = {size, RLIM_INFINITY};
    assert_int_equal(prlimit(child->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* There is no room for slots as large as a message; others go on, and it does when there is. */
static void what_cannot_be_published_is_counted(void **state)
{
    (void)state;
    enum {
        SMALL = 100,
        LARGE = 2 << 20,
    };
    static const char title[] = "DDS rt/tight -> /tight";
    struct sl_subscriber *subscriber = subscribe("/tight");
    signal(SIGXFSZ, SIG_IGN); /* also of those that are started */
    struct child child = start("dds_bridge", "--in=/tight reliable", side_domain_option(), NULL);
    signal(SIGXFSZ, SIG_DFL);
    dds_entity_t writer = side_writer("rt/tight", CLOUD, (struct side_qos){.keep_all = true});
    side_await_readers(writer, 1);
    uint32_t number = 0;
    write_cloud(writer, number, SMALL);
    assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), number++);
    limit_files(&child, LARGE / 2);
    write_cloud(writer, number, LARGE);
    write_cloud(writer, number, LARGE);
    side_await_counter_to_be(title, "refused", 2);
    write_cloud(writer, number, SMALL);
    assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), number++);
    limit_files(&child, RLIM_INFINITY);
    write_cloud(writer, number, LARGE);
    assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), number);
    side_await_counter(title, "received", 5);
    assert_int_equal(side_counter(title, "refused"), 2);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* Is it asleep for want of work, and so without a lock? */
static bool waits_for_work(pid_t pid)
{
    char path[64];
    long number = -1;
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    FILE *file = fopen(path, "r");
    bool is_told = file && fscanf(file, "%ld", &number) == 1;
    if (file)
        fclose(file);
#ifdef SYS_epoll_wait
    if (is_told && number == SYS_epoll_wait)
        return true;
#endif
    return is_told && number == SYS_epoll_pwait;
}

/* The bridge's main thread alone: Cyclone's go on. */
static void hold_up(const struct child *child)
{
    int status;
    if (ptrace(PTRACE_SEIZE, child->pid, NULL, NULL) < 0) {
        printf("SKIP: no thread may be stopped by ptrace (%s)\n", strerror(errno));
        skip();
    }
    for (;;) {
        assert_int_equal(ptrace(PTRACE_INTERRUPT, child->pid, NULL, NULL), 0);
        assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
        assert_true(WIFSTOPPED(status));
        if (waits_for_work(child->pid))
            return;
        assert_int_equal(ptrace(PTRACE_CONT, child->pid, NULL, NULL), 0);
        poll(NULL, 0, 1);
    }
}

static void let_go(const struct child *child)
{
    assert_int_equal(ptrace(PTRACE_DETACH, child->pid, NULL, NULL), 0);
}

/* Nobody publishes what comes, more than there is room for: it is counted by reason, what had room
 * goes on, and every slot is there again. */
static void more_comes_than_there_is_room_for(const char *rule, const char *reason)
{
    const uint32_t count = 200, size = 9000;
    static const char title[] = "DDS rt/flood -> /flood";
    struct sl_subscriber *subscriber = subscribe("/flood");
    struct child child = start("dds_bridge", rule, side_domain_option(), NULL);
    dds_entity_t writer = side_writer("rt/flood", CLOUD, (struct side_qos){.keep_all = true});
    side_await_readers(writer, 1);
    uint32_t number = 0;
    write_cloud(writer, number, size); /* after which there are slots of that size */
    assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), number++);
    hold_up(&child);
    for (uint32_t end = number + count; number < end; number++)
        write_cloud(writer, number, size);
    assert_int_equal(dds_wait_for_acks(writer, PATIENCE_NS), 0);
    let_go(&child);
    side_await_counter(title, "received", number);
    uint64_t dropped = side_counter(title, reason);
    assert_in_range(dropped, count / 2, count - 1);
    assert_int_equal(side_counter(title, "published") + dropped, number);
    while (take(subscriber, check_cloud_frame, SHORT_NS) >= 0)
        ;
    for (uint32_t end = number + count; number < end; number++) {
        write_cloud(writer, number, size);
        assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), number);
    }
    side_await_counter(title, "received", number);
    assert_int_equal(side_counter(title, reason), dropped);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

static void what_finds_no_slot_is_counted_and_leaves_none_behind(void **state)
{
    (void)state;
    more_comes_than_there_is_room_for("--in=/flood reliable keep-all", "no_slot");
}

static void what_is_displaced_is_counted_and_gives_its_slot_back(void **state)
{
    (void)state;
    more_comes_than_there_is_room_for("--in=/flood reliable depth=3", "displaced");
}

static void writers_and_bridges_come_and_go(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber = subscribe("/imu");
    uint32_t number = 0;
    for (unsigned round = 0; round < 4; round++) {
        struct child child = start("dds_bridge", "--in=/imu", side_domain_option(), NULL);
        for (unsigned i = 0; i < 2; i++) { /* two lives of a writer in one of the bridge */
            /* the reader of a killed one seems to live for a while, so messages wait for theirs */
            dds_entity_t writer =
                side_writer("rt/imu", IMU, (struct side_qos){.transient_local = true});
            for (uint32_t end = number + 5; number < end; number++) {
                write_imu(writer, number);
                assert_int_equal(take(subscriber, check_imu_frame, PATIENCE_NS), number);
            }
            assert_int_equal(dds_delete(writer), 0);
        }
        assert_int_equal(stop(&child, SIGKILL), 256 + SIGKILL);
    }
    sl_subscriber_close(subscriber);
}

/* The first one offers more than those that come later; all are read. */
static void writers_that_offer_less_are_read_too(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber = subscribe("/less");
    struct child child = start("dds_bridge", "--in=/less", side_domain_option(), NULL);
    const struct side_qos offers[] = {{.transient_local = true}, {0}, {.best_effort = true}};
    dds_entity_t writer[3];
    uint32_t number = 0;
    for (unsigned i = 0; i < 3; i++) {
        writer[i] = side_writer("rt/less", IMU, offers[i]);
        side_await_readers(writer[i], 1);
        for (unsigned k = 0; k <= i; k++) {
            side_await_readers(writer[k], 1);
            write_imu(writer[k], number);
            assert_int_equal(take(subscriber, check_imu_frame, PATIENCE_NS), number++);
        }
    }
    side_await_counter("DDS rt/less -> /less", "writers", 3);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* What a bridge says that is started between the two stands in the harness's file "said". */
static int listen_to_the_next(void)
{
    int plain = dup(STDERR_FILENO), said = open(harness_path("said"), O_CREAT | O_WRONLY, 0600);
    assert_true(plain >= 0 && said >= 0);
    assert_int_equal(dup2(said, STDERR_FILENO), STDERR_FILENO);
    close(said);
    return plain;
}

static void listen_no_more(int plain)
{
    dup2(plain, STDERR_FILENO);
    close(plain);
}

static bool is_said(const char *text)
{
    char said[16384];
    FILE *file = fopen(harness_path("said"), "re");
    assert_non_null(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return strstr(said, text) != NULL;
}

static void await_saying(const char *text)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_NS;
    while (!is_said(text)) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("it does not say '%s'", text);
        poll(NULL, 0, 20);
    }
}

/* The first one, and another one after one that is read. */
static void writers_that_offer_less_than_the_rule_asks_for_are_told(void **state)
{
    (void)state;
    const struct side_qos quick = {.deadline_ns = DDS_MSECS(50)};
    const struct side_qos slow = {.deadline_ns = DDS_MSECS(200)};
    int plain = listen_to_the_next();
    struct child child = start("dds_bridge", "--in=/sure reliable", "--in=/kept transient-local",
                               "--in=/quick deadline=100ms", "--in=/slow deadline=100ms",
                               side_domain_option(), NULL);
    listen_no_more(plain);
    side_writer("rt/sure", IMU, (struct side_qos){.best_effort = true});
    await_saying("DDS rt/sure: a writer is not read, as it offers less (best effort, volatile, no "
                 "deadline) than is asked for (reliable, volatile, no deadline)");
    side_await_readers(side_writer("rt/sure", IMU, (struct side_qos){0}), 1);
    side_writer("rt/kept", IMU, (struct side_qos){0});
    await_saying("DDS rt/kept: a writer is not read, as it offers less (reliable, volatile, no "
                 "deadline) than is asked for (reliable, transient local, no deadline)");
    side_writer("rt/quick", IMU, (struct side_qos){0});
    await_saying("DDS rt/quick: a writer is not read, as it offers less (reliable, volatile, no "
                 "deadline) than is asked for (reliable, volatile, deadline 100 ms)");
    side_await_readers(side_writer("rt/slow", IMU, quick), 1);
    assert_false(is_said("DDS rt/slow: a writer is not read"));
    side_writer("rt/slow", IMU, slow);
    await_saying("DDS rt/slow: a writer is not read, as it offers less (reliable, volatile, "
                 "deadline 200 ms) than is asked for");
    side_await_counter("DDS rt/slow -> /slow", "writers", 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* What DDS tells others of the one reader of that writer. */
static void check_request(dds_entity_t writer, bool best_effort, bool transient_local,
                          int64_t deadline_ns)
{
    dds_instance_handle_t handle;
    dds_reliability_kind_t reliability;
    dds_durability_kind_t durability;
    dds_duration_t wait, deadline = DDS_INFINITY;
    side_await_readers(writer, 1);
    assert_int_equal(dds_get_matched_subscriptions(writer, &handle, 1), 1);
    dds_builtintopic_endpoint_t *reader = dds_get_matched_subscription_data(writer, handle);
    assert_non_null(reader);
    assert_true(dds_qget_reliability(reader->qos, &reliability, &wait));
    assert_true(dds_qget_durability(reader->qos, &durability));
    assert_int_equal(reliability == DDS_RELIABILITY_BEST_EFFORT, best_effort);
    assert_int_equal(durability == DDS_DURABILITY_TRANSIENT_LOCAL, transient_local);
    dds_qget_deadline(reader->qos, &deadline);
    assert_int_equal(deadline, deadline_ns);
    dds_builtintopic_free_endpoint(reader);
}

static void readers_ask_for_what_their_rules_say(void **state)
{
    (void)state;
    const struct side_qos most = {.transient_local = true, .deadline_ns = DDS_MSECS(50)};
    struct child child =
        start("dds_bridge", "--in=/a", "--in=/b best-effort", "--in=/c volatile reliable",
              "--in=/d transient-local deadline=300ms", side_domain_option(), NULL);
    check_request(side_writer("rt/a", IMU, most), false, true, DDS_INFINITY);
    check_request(side_writer("rt/b", IMU, most), true, false, DDS_INFINITY);
    check_request(side_writer("rt/c", IMU, most), false, false, DDS_INFINITY);
    check_request(side_writer("rt/d", IMU, most), false, true, DDS_MSECS(300));
    assert_int_equal(stop(&child, SIGTERM), 0);
}

static void other_topics_stay_outside(void **state)
{
    (void)state;
    struct child child = start("dds_bridge", "--in=/a", side_domain_option(), NULL);
    dds_entity_t other = side_writer("rt/b", IMU, (struct side_qos){0});
    dds_entity_t plain = side_writer("a", IMU, (struct side_qos){0});
    dds_entity_t wanted = side_writer("rt/a", IMU, (struct side_qos){0});
    side_await_readers(wanted, 1);
    side_await_readers(other, 0);
    side_await_readers(plain, 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* All topics both ways: each message crosses once. */
static void nothing_goes_round_in_circles(void **state)
{
    (void)state;
    struct sl_publisher *publisher;
    const struct sl_publisher_options options = {
        .topic = "/imu", .type = SL_TYPE_IMU, .inline_max = 448};
    assert_int_equal(sl_publisher_open(&options, &publisher), 0);
    struct sl_subscriber *subscriber = subscribe("/imu");
    struct child child =
        start("dds_bridge", "--out=.* reliable", "--in=.* reliable", side_domain_option(), NULL);
    const struct side_qos qos = {0};
    dds_entity_t writer = side_writer("rt/imu", IMU, qos);
    dds_entity_t reader = side_reader("rt/imu", IMU, qos);
    side_await_readers(writer, 2); /* the bridge's and ours */
    side_await_writers(reader, 2);
    side_await_counter("/imu -> DDS rt/imu", "readers", 1); /* it may know the reader later */
    for (uint32_t number = 0; number < 20; number += 2) {
        write_imu(writer, number);
        assert_int_equal(side_take(reader, check_imu, SIDE_PATIENCE_NS), number);
        assert_int_equal(take(subscriber, check_imu_frame, PATIENCE_NS), number);
        assert_int_equal(publish_imu(publisher, number + 1, 0), 0);
        assert_int_equal(take(subscriber, check_imu_frame, PATIENCE_NS), number + 1);
        assert_int_equal(side_take(reader, check_imu, SIDE_PATIENCE_NS), number + 1);
    }
    assert_int_equal(side_take(reader, check_imu, DDS_MSECS(300)), -1);
    assert_int_equal(take(subscriber, check_imu_frame, SHORT_NS), -1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
    sl_publisher_close(publisher);
}

/* Strangers -------------------------------------------------------------------------------------*/

/* Messages of RTPS, more or less: a header, submessages with lengths, noise. */
static size_t make_noise(uint8_t *to, size_t room, unsigned round)
{
    static const uint8_t header[] = {'R', 'T', 'P', 'S', 2, 1, 1, 16};
    size_t size = 20 + (size_t)rand() % (room - 20);
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)rand();
    memcpy(to, header, sizeof header);
    for (size_t at = 20; at + 4 < size; at += 4 + to[at + 2]) {
        static const uint8_t kinds[] = {0x06, 0x07, 0x08, 0x09, 0x0e, 0x15, 0x16};
        to[at] = kinds[(unsigned)rand() % sizeof kinds];
        to[at + 1] &= 0x0f;
        to[at + 3] = 0;
    }
    return round % 16 == 0 ? (size_t)rand() % 20 : size;
}

static void noise_at_its_ports_does_no_harm(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber = subscribe("/imu");
    struct child child = start("dds_bridge", "--in=/imu", side_domain_option(), NULL);
    dds_entity_t writer = side_writer("rt/imu", IMU, (struct side_qos){0});
    side_await_readers(writer, 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    srand(7);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t noise[1000];
        size_t size = make_noise(noise, sizeof noise, round);
        /* discovery and data of the second participant: the first one is this process */
        uint16_t port = (uint16_t)(7400 + 250 * side_domain() + 12 + round % 2);
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        ssize_t sent = sendto(fd, noise, size, 0, (struct sockaddr *)&to, sizeof to);
        assert_int_equal(sent, size); /* somebody listens there */
    }
    close(fd);
    for (uint32_t number = 0; number < 20; number++) {
        write_imu(writer, number);
        assert_int_equal(take(subscriber, check_imu_frame, PATIENCE_NS), number);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* Content ---------------------------------------------------------------------------------------*/

static uint32_t check_stamped_imu(const struct sl_frame *frame)
{
    struct sl_imu imu;
    assert_int_equal(sl_imu_read(frame->body, frame->body_length, &imu), 0);
    assert_int_equal(frame->stamp_ns, imu.stamp_ns);
    return check_imu_frame(frame);
}

/* On the bus a message's time is its header's, not when it was written. */
static void messages_have_the_time_of_their_header(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber = subscribe("/stamped");
    struct child child = start("dds_bridge", "--in=/stamped", side_domain_option(), NULL);
    dds_entity_t writer = side_writer("rt/stamped", IMU, (struct side_qos){0});
    side_await_readers(writer, 1);
    for (uint32_t number = 0; number < 5; number++) {
        write_imu(writer, number);
        assert_int_equal(take(subscriber, check_stamped_imu, PATIENCE_NS), number);
    }
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* A subscriber that is late gets the newest five up to `number`, in whatever order, each once, and
 * perhaps older ones. */
static void expect_newest(uint32_t number)
{
    const uint32_t depth = 5;
    struct sl_subscriber *late = subscribe("/map");
    uint64_t seen = 0, wanted = 0;
    for (uint32_t n = number < depth ? 0 : number + 1 - depth; n <= number; n++)
        wanted |= UINT64_C(1) << n;
    while ((seen & wanted) != wanted) {
        uint32_t got = take(late, check_cloud_frame, PATIENCE_NS);
        assert_true(got <= number && !(seen & UINT64_C(1) << got));
        seen |= UINT64_C(1) << got;
    }
    sl_subscriber_close(late);
}

/* Pools that became too small stay for as long as something in them is kept, and no longer. */
static void late_subscriber_gets_what_was_kept_before_messages_grew(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {100, 3000, 3000, 3000, 60000, 100, 300000};
    const uint32_t count = sizeof sizes / sizeof *sizes;
    struct child child = start("dds_bridge", "--in=/map", side_domain_option(), NULL);
    dds_entity_t writer =
        side_writer("rt/map", CLOUD, (struct side_qos){.transient_local = true, .depth = 1});
    side_await_readers(writer, 1);
    for (uint32_t number = 0; number < count + 5; number++) {
        write_cloud(writer, number, number < count ? sizes[number] : 300000);
        side_await_counter("DDS rt/map -> /map", "published", number + 1);
        expect_newest(number);
    }
    struct run r = run("sluice", "topic", "list", "--json", NULL);
    struct sl_yaml *json = json_parse(r.out);
    assert_int_equal((int)json_number(json, "0.publishers"), 1);
    sl_yaml_destroy(json);
    run_free(&r);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* As many as read any topic. */
static void eight_subscribers_may_read_what_comes_in(void **state)
{
    (void)state;
    struct sl_subscriber *subscriber[8];
    struct child child = start("dds_bridge", "--in=/shared", side_domain_option(), NULL);
    dds_entity_t writer = side_writer("rt/shared", CLOUD, (struct side_qos){0});
    side_await_readers(writer, 1);
    for (unsigned i = 0; i < 8; i++)
        subscriber[i] = subscribe("/shared");
    for (uint32_t number = 0; number < 3; number++) {
        write_cloud(writer, number, 3000);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(take(subscriber[i], check_cloud_frame, PATIENCE_NS), number);
    }
    for (unsigned i = 0; i < 8; i++)
        sl_subscriber_close(subscriber[i]);
    assert_int_equal(stop(&child, SIGTERM), 0);
}

/* While it is written as what it was, it stays that; then it is what its next writer says. */
static void topic_may_become_one_of_another_type(void **state)
{
    (void)state;
    static const char title[] = "DDS rt/changed -> /changed";
    struct sl_subscriber *subscriber = subscribe("/changed");
    struct child child = start("dds_bridge", "--in=/changed", side_domain_option(), NULL);
    dds_entity_t clouds_writer = side_writer("rt/changed", CLOUD, (struct side_qos){0});
    side_await_readers(clouds_writer, 1);
    write_cloud(clouds_writer, 0, 3000);
    assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), 0);
    side_next_participant(); /* in which the topic may have another type */
    dds_entity_t writer =
        side_writer("rt/changed", IMU, (struct side_qos){.transient_local = true});
    for (uint32_t number = 1; number < 4; number++) {
        write_imu(writer, number);
        assert_int_equal(take(subscriber, check_stamped_imu, PATIENCE_NS), number);
    }
    side_await_counter_to_be(title, "writers", 1);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

/* Of two at the same time the first is read, and when it has gone, the other one. */
static void writers_of_another_type_are_read_when_there_are_no_others(void **state)
{
    (void)state;
    static const char topic[] = "rt/either";
    struct sl_subscriber *subscriber = subscribe("/either");
    int plain = listen_to_the_next();
    struct child child = start("dds_bridge", "--in=/either", side_domain_option(), NULL);
    listen_no_more(plain);
    dds_entity_t clouds_writer = side_writer(topic, CLOUD, (struct side_qos){0});
    side_await_readers(clouds_writer, 1);
    dds_entity_t other = dds_create_participant(side_domain(), NULL, NULL);
    dds_qos_t *qos = dds_create_qos();
    dds_qset_durability(qos, DDS_DURABILITY_TRANSIENT_LOCAL);
    dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(1));
    dds_entity_t writer =
        dds_create_writer(other, dds_create_topic(other, IMU, topic, NULL, NULL), qos, NULL);
    dds_delete_qos(qos);
    assert_true(writer > 0);
    await_saying("DDS rt/either: a writer of sensor_msgs::msg::dds_::Imu_ is not read while there "
                 "are writers of sensor_msgs::msg::dds_::PointCloud2_");
    write_cloud(clouds_writer, 0, 3000);
    assert_int_equal(take(subscriber, check_cloud_frame, PATIENCE_NS), 0);
    assert_int_equal(dds_delete(clouds_writer), 0);
    write_imu(writer, 1);
    assert_int_equal(take(subscriber, check_stamped_imu, PATIENCE_NS), 1);
    assert_int_equal(dds_delete(other), 0);
    assert_int_equal(stop(&child, SIGTERM), 0);
    sl_subscriber_close(subscriber);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)
    const struct CMUnitTest tests[] = {
        CASE(clouds_come_as_they_are_and_may_grow),
        CASE(images_come_as_they_are_and_may_grow),
        CASE(messages_come_with_another_frame_id),
        CASE(small_messages_come_inline),
        CASE(what_was_written_before_comes_if_its_writer_keeps_it),
        CASE(what_was_written_before_comes_with_a_depth_too),
        CASE(what_cannot_be_renamed_is_counted),
        CASE(what_cannot_be_published_is_counted),
        CASE(what_finds_no_slot_is_counted_and_leaves_none_behind),
        CASE(what_is_displaced_is_counted_and_gives_its_slot_back),
        CASE(writers_and_bridges_come_and_go),
        CASE(writers_that_offer_less_are_read_too),
        CASE(writers_that_offer_less_than_the_rule_asks_for_are_told),
        CASE(readers_ask_for_what_their_rules_say),
        CASE(other_topics_stay_outside),
        CASE(nothing_goes_round_in_circles),
        CASE(noise_at_its_ports_does_no_harm),
        CASE(messages_have_the_time_of_their_header),
        CASE(late_subscriber_gets_what_was_kept_before_messages_grew),
        CASE(eight_subscribers_may_read_what_comes_in),
        CASE(topic_may_become_one_of_another_type),
        CASE(writers_of_another_type_are_read_when_there_are_no_others),
    };
    cmocka_set_test_filter(getenv("SLUICE_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
