/* SPDX-License-Identifier: Apache-2.0 */
/* dds_peer.c - see dds_peer.h. As ddsperf does, the reader takes in a listener, by the thread that
 * receives, into memory that is used again. What ddsperf takes is flat, a number and bytes: so is a
 * serialised message, which is copied and not made into strings, fields and data. */
#include "tests/bench/dds_peer.h"

#include "core/base/clock.h"
#include "core/frame/pointcloud2.h"
#include "core/shm/wake.h"

#include <dds/dds.h>
#include <dds/ddsi/ddsi_serdata.h>
#include <sensor_msgs.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TAKEN_MAX    32 /* at one time */
#define BLOCKING_NS  DDS_SECS(10)
#define FIELDS       4
#define MESSAGE_MORE 1024 /* more than a message has besides its data */

typedef sensor_msgs_msg_dds__PointCloud2_ cloud;

static struct dds_page *page;

static void note(uint64_t since_ns)
{
    uint32_t at = atomic_load(&page->sample_count);
    if (!atomic_load(&page->is_timing) || at >= DDS_SAMPLES_MAX)
        return;
    uint64_t ns = sl_clock_monotonic_ns() - since_ns;
    page->sample_ns[at] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    atomic_store(&page->sample_count, at + 1);
}

/* The reader. ---------------------------------------------------------------------------------- */

struct lane {
    enum dds_lane name;
    unsigned char *message; /* as it was taken; of message_bytes */
    size_t message_bytes;
    uint64_t next; /* 0: any, for the first ones may have been sent to nobody */
};

static struct lane lanes[DDS_LANES];

static bool is_right(const struct lane *lane, size_t size, struct dds_mark *ret_mark)
{
    struct sl_pointcloud2 c;
    uint64_t last;
    if (sl_pointcloud2_read(lane->message, size, &c) < 0 || c.data_size != page->data_bytes ||
        c.field_count != FIELDS || c.frame_id.size != sizeof DDS_FRAME_ID - 1 ||
        memcmp(c.frame_id.at, DDS_FRAME_ID, c.frame_id.size) != 0)
        return false;
    memcpy(ret_mark, c.data, sizeof *ret_mark);
    memcpy(&last, c.data + c.data_size - sizeof last, sizeof last);
    return ret_mark->number == last && (lane->next == 0 || ret_mark->number == lane->next ||
                                        (page->best_effort && ret_mark->number > lane->next));
}

static void receive_cloud(struct lane *lane, const struct ddsi_serdata *serialised)
{
    struct dds_mark mark = {0};
    size_t size = ddsi_serdata_size(serialised);
    bool fits = size <= lane->message_bytes;
    if (fits)
        ddsi_serdata_to_ser(serialised, 0, size, lane->message);
    if (!fits || !is_right(lane, size, &mark))
        atomic_fetch_add(&page->lane[lane->name].wrong, 1);
    else
        note(mark.sent_ns);
    lane->next = mark.number + 1;
}

static void receive(dds_entity_t reader, void *context)
{
    struct lane *lane = context;
    struct ddsi_serdata *taken[TAKEN_MAX];
    dds_sample_info_t info[TAKEN_MAX];
    int got;
    while ((got = dds_takecdr(reader, taken, TAKEN_MAX, info, DDS_ANY_STATE)) > 0) {
        for (int i = 0; i < got; i++) {
            if (info[i].valid_data)
                receive_cloud(lane, taken[i]);
            ddsi_serdata_unref(taken[i]);
        }
        atomic_store(&page->lane[lane->name].next, lane->next);
        atomic_fetch_add(&page->lane[lane->name].messages, (unsigned)got);
    }
}

static void see_writers(dds_entity_t reader, const dds_subscription_matched_status_t status,
                        void *context)
{
    const struct lane *lane = context;
    (void)reader;
    atomic_store(&page->lane[lane->name].writers, status.current_count);
}

static dds_qos_t *make_qos(void)
{
    dds_qos_t *qos = dds_create_qos();
    dds_qset_reliability(qos,
                         page->best_effort ? DDS_RELIABILITY_BEST_EFFORT : DDS_RELIABILITY_RELIABLE,
                         BLOCKING_NS);
    dds_qset_history(qos, DDS_HISTORY_KEEP_ALL, 0);
    return qos;
}

static dds_entity_t make_topic(dds_entity_t participant, enum dds_lane lane)
{
    return dds_create_topic(participant, &sensor_msgs_msg_dds__PointCloud2__desc,
                            lane == DDS_BRIDGED ? DDS_BRIDGED_NAME : DDS_TYPED_NAME, NULL, NULL);
}

static dds_entity_t open_reader(dds_entity_t participant, enum dds_lane name)
{
    struct lane *lane = &lanes[name];
    lane->name = name;
    lane->message_bytes = page->data_bytes + MESSAGE_MORE;
    lane->message = malloc(lane->message_bytes);
    if (!lane->message)
        return DDS_RETCODE_OUT_OF_RESOURCES;
    dds_listener_t *listener = dds_create_listener(lane);
    dds_lset_data_available(listener, receive);
    dds_lset_subscription_matched(listener, see_writers);
    dds_qos_t *qos = make_qos();
    dds_entity_t reader =
        dds_create_reader(participant, make_topic(participant, name), qos, listener);
    dds_delete_qos(qos);
    dds_delete_listener(listener);
    return reader;
}

static int read_clouds(dds_entity_t participant)
{
    if (open_reader(participant, DDS_BRIDGED) < 0 || open_reader(participant, DDS_TYPED) < 0)
        return -1;
    for (;;)
        pause();
}

/* The writer. ---------------------------------------------------------------------------------- */

static void see_readers(dds_entity_t writer, const dds_publication_matched_status_t status,
                        void *context)
{
    (void)writer;
    (void)context;
    atomic_store(&page->readers, status.current_count);
}

static bool make_cloud(cloud *c)
{
    static sensor_msgs_msg_dds__PointField_ fields[FIELDS] = {
        {"x", 0, 7, 1}, {"y", 4, 7, 1}, {"z", 8, 7, 1}, {"intensity", 12, 7, 1}};
    uint32_t size = (uint32_t)page->data_bytes;
    *c = (cloud){
        .header.frame_id = (char *)DDS_FRAME_ID,
        .height = 1,
        .width = size / DDS_POINT_BYTES,
        .fields = {FIELDS, FIELDS, fields, false},
        .point_step = DDS_POINT_BYTES,
        .row_step = size,
        .data = {size, size, malloc(size), false},
        .is_dense = true,
    };
    if (c->data._buffer)
        memset(c->data._buffer, 1, size); /* what is never written is one page of zeros */
    return c->data._buffer != NULL;
}

/* As many as the publisher on the bus has slots: neither sends the same bytes each time. */
static cloud *make_clouds(void)
{
    cloud *clouds = calloc(page->clouds, sizeof *clouds);
    for (uint64_t i = 0; clouds && i < page->clouds; i++)
        if (!make_cloud(&clouds[i]))
            return NULL;
    return clouds;
}

static void write_one(dds_entity_t writer, cloud *c, uint64_t number)
{
    const struct dds_mark mark = {number, sl_clock_monotonic_ns()};
    memcpy(c->data._buffer, &mark, sizeof mark);
    memcpy(c->data._buffer + c->data._length - sizeof number, &number, sizeof number);
    while (dds_write(writer, c) == DDS_RETCODE_TIMEOUT)
        ;
    atomic_fetch_add(&page->written, 1);
}

static void pace(uint64_t *due_ns)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    *due_ns = *due_ns + page->pace_ns > now_ns ? *due_ns + page->pace_ns : now_ns;
    const struct timespec due = {.tv_sec = (time_t)(*due_ns / SL_NS_PER_S),
                                 .tv_nsec = (long)(*due_ns % SL_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static void *sleep_on_bell(void *unused)
{
    const _Atomic uint32_t *bell = &page->bell;
    (void)unused;
    for (uint32_t seen = atomic_load(bell);; seen = atomic_load(bell)) {
        while (atomic_load(bell) == seen)
            sl_sleep_futex(&bell, &seen, 1, 0);
        note(atomic_load(&page->rung_ns));
    }
    return NULL;
}

static int write_clouds(dds_entity_t participant)
{
    dds_listener_t *listener = dds_create_listener(NULL);
    dds_lset_publication_matched(listener, see_readers);
    dds_qos_t *qos = make_qos();
    dds_entity_t writer =
        dds_create_writer(participant, make_topic(participant, DDS_TYPED), qos, listener);
    dds_delete_qos(qos);
    dds_delete_listener(listener);
    cloud *clouds = make_clouds();
    pthread_t sleeper;
    if (writer < 0 || !clouds || pthread_create(&sleeper, NULL, sleep_on_bell, NULL) != 0)
        return -1;
    uint64_t due_ns = 0;
    const _Atomic uint32_t *order = &page->order;
    for (uint64_t number = 0;;) {
        uint32_t now = atomic_load(order);
        if (now == DDS_IDLE) {
            sl_sleep_futex(&order, &now, 1, 0);
            continue;
        }
        if (now == DDS_PACE)
            pace(&due_ns);
        write_one(writer, &clouds[number % page->clouds], number);
        number++;
    }
}

/* ---------------------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    if (argc != 4) {
        bool is_asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs("usage: " DDS_PEER " reader|writer DOMAIN FD\n"
              "A part of `sluice bench dds`, which starts it.\n",
              is_asked ? stdout : stderr);
        return is_asked ? 0 : 2;
    }
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[3]), 0);
    if (page == MAP_FAILED) {
        perror(DDS_PEER ": no page");
        return 1;
    }
    dds_entity_t participant = dds_create_participant((dds_domainid_t)atoi(argv[2]), NULL, NULL);
    int err = participant < 0                  ? -1
              : strcmp(argv[1], "reader") == 0 ? read_clouds(participant)
                                               : write_clouds(participant);
    if (err < 0) {
        fprintf(stderr, DDS_PEER ": Cyclone DDS gives no participant, reader or writer\n");
        atomic_store(&page->failed, 1);
    }
    return err < 0;
}
