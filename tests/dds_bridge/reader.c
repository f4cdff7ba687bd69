/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - a DDS reader of clouds in a process of its own, to be stopped and killed.
 *
 * Usage: dds_reader DOMAIN TOPIC
 *
 * Reliable, with a history of 2. Prints "ready" when it has a writer, and then goes on taking; what
 * it takes is checked. */
#include "tests/dds_bridge/content.h"

#include <dds/dds.h>

#include <stdio.h>
#include <stdlib.h>

static void take_all(dds_entity_t reader)
{
    void *sample = NULL;
    dds_sample_info_t info;
    while (dds_take(reader, &sample, &info, 1, 1) > 0) {
        if (info.valid_data)
            check_cloud(sample);
        dds_return_loan(reader, &sample, 1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    dds_entity_t participant =
        dds_create_participant((dds_domainid_t)strtoul(argv[1], NULL, 10), NULL, NULL);
    dds_entity_t topic =
        dds_create_topic(participant, &sensor_msgs_msg_dds__PointCloud2__desc, argv[2], NULL, NULL);
    dds_qos_t *qos = dds_create_qos();
    dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, 0);
    dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 2);
    dds_entity_t reader = dds_create_reader(participant, topic, qos, NULL);
    dds_entity_t set = dds_create_waitset(participant);
    dds_set_status_mask(reader, DDS_DATA_AVAILABLE_STATUS | DDS_SUBSCRIPTION_MATCHED_STATUS);
    if (reader < 0 || dds_waitset_attach(set, reader, 1) < 0)
        return 1;
    for (bool is_told = false;;) {
        dds_attach_t which;
        dds_subscription_matched_status_t s;
        dds_waitset_wait(set, &which, 1, DDS_INFINITY);
        if (dds_get_subscription_matched_status(reader, &s) == 0 && s.current_count && !is_told) {
            puts("ready");
            fflush(stdout);
            is_told = true;
        }
        take_all(reader);
    }
}
