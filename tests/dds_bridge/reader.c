/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - a DDS reader of clouds in a process of its own, to be stopped and killed.
 *
 * Usage: dds_reader DOMAIN TOPIC [COUNT]
 *
 * Reliable, with a history of 2. Prints "ready" when it has a writer, and then goes on taking; what
 * it takes must be of content.h. With COUNT it is best effort, takes so many clouds of whatever
 * content, of which the sizes must agree, says so and ends. */
#include "tests/dds_bridge/content.h"

#include <dds/dds.h>

#include <stdio.h>
#include <stdlib.h>

static uint32_t count_cloud(const void *sample)
{
    static uint32_t count;
    const sensor_msgs_msg_dds__PointCloud2_ *cloud = sample;
    bool fits = cloud->width > 0 && cloud->row_step == cloud->width * cloud->point_step &&
                cloud->data._length == cloud->height * cloud->row_step && cloud->fields._length > 3;
    return fits ? ++count : count;
}

/* The last result of `check`, or 0 if there was nothing. */
static uint32_t take_all(dds_entity_t reader, uint32_t (*check)(const void *sample))
{
    void *sample = NULL;
    dds_sample_info_t info;
    uint32_t result = 0;
    while (dds_take(reader, &sample, &info, 1, 1) > 0) {
        if (info.valid_data)
            result = check(sample);
        dds_return_loan(reader, &sample, 1);
    }
    return result;
}

static dds_entity_t open_reader(dds_domainid_t domain, const char *name, bool is_reliable)
{
    dds_entity_t participant = dds_create_participant(domain, NULL, NULL);
    dds_entity_t topic =
        dds_create_topic(participant, &sensor_msgs_msg_dds__PointCloud2__desc, name, NULL, NULL);
    dds_qos_t *qos = dds_create_qos();
    dds_qset_reliability(qos, is_reliable ? DDS_RELIABILITY_RELIABLE : DDS_RELIABILITY_BEST_EFFORT,
                         0);
    dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 2);
    dds_entity_t reader = dds_create_reader(participant, topic, qos, NULL);
    dds_delete_qos(qos);
    dds_set_status_mask(reader, DDS_DATA_AVAILABLE_STATUS | DDS_SUBSCRIPTION_MATCHED_STATUS);
    return reader;
}

static bool has_writer(dds_entity_t reader)
{
    dds_subscription_matched_status_t s;
    return dds_get_subscription_matched_status(reader, &s) == 0 && s.current_count > 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    uint32_t wanted = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0, count = 0;
    dds_entity_t reader =
        open_reader((dds_domainid_t)strtoul(argv[1], NULL, 10), argv[2], wanted == 0);
    dds_entity_t set = dds_create_waitset(dds_get_participant(reader));
    if (reader < 0 || dds_waitset_attach(set, reader, 1) < 0)
        return 1;
    for (bool is_told = false; wanted == 0 || count < wanted;) {
        dds_attach_t which;
        dds_waitset_wait(set, &which, 1, DDS_INFINITY);
        if (!is_told && wanted == 0 && has_writer(reader)) {
            puts("ready");
            fflush(stdout);
            is_told = true;
        }
        uint32_t result = take_all(reader, wanted ? count_cloud : check_cloud);
        count = result > count ? result : count;
    }
    printf("%u clouds\n", wanted);
    dds_delete(dds_get_participant(reader));
    return 0;
}
