/* SPDX-License-Identifier: Apache-2.0 */
/* flow.c - one batch after the other through the decoder into the slots. */
#include "drivers/lidar/flow.h"

#include <errno.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/error.h"

int lidar_flow_open(struct lidar_flow *flow, const struct lidar_flow_config *config)
{
    memset(flow, 0, sizeof *flow);
    flow->source = config->source;
    flow->wants = config->wants;
    flow->context = config->context;
    lidar_publish_init(&flow->publish, &config->publish);
    struct lidar_frame_sink sink = lidar_publish_sink(&flow->publish);
    return lidar_decoder_create(&config->decoder, &sink, &flow->decoder);
}

/* Did the decoder take this datagram for a packet of its sensor? */
static bool was_data(const struct lidar_flow *flow, const struct sl_datagram *datagram,
                     uint64_t packets_before)
{
    if (lidar_decoder_counts(flow->decoder)->count[LIDAR_PACKETS] > packets_before)
        return true;
    return lidar_decoder_is_candidate(flow->decoder, datagram);
}

static int push(struct lidar_flow *flow, const struct sl_datagram *datagram)
{
    uint64_t before = lidar_decoder_counts(flow->decoder)->count[LIDAR_PACKETS];
    flow->publish.arrived_ns = datagram->time_ns;
    int err = lidar_decoder_push(flow->decoder, datagram);
    if (err == 0 && was_data(flow, datagram, before))
        lidar_publish_packet(&flow->publish, datagram);
    return err < 0 ? err : flow->publish.failure;
}

/* The flow that wants a datagram; `count` = none does. */
static unsigned find_flow(struct lidar_flow *const flows[], unsigned count,
                          const struct sl_datagram *datagram)
{
    unsigned i = 0;
    while (i < count && flows[i]->wants && !flows[i]->wants(flows[i]->context, datagram))
        i++;
    return i;
}

int lidar_flow_step_shared(struct lidar_flow *const flows[], unsigned flow_count,
                           uint64_t *unwanted, unsigned *ret_failed)
{
    struct sl_datagram batch[LIDAR_SOURCE_BATCH_MAX];
    uint64_t asked_ns = sl_clock_realtime_ns();
    int count = lidar_source_receive(flows[0]->source, batch, LIDAR_SOURCE_BATCH_MAX);
    uint64_t received_ns = count > 0 ? sl_clock_monotonic_ns() : 0;
    for (unsigned i = 0; i < flow_count; i++) {
        if (count > 0)
            flows[i]->publish.received_ns = received_ns;
        else if (count == 0)
            flows[i]->emptied_ns = asked_ns;
    }
    for (int i = 0; i < count; i++) {
        unsigned to = find_flow(flows, flow_count, &batch[i]);
        if (to == flow_count) {
            ++*unwanted;
            continue;
        }
        flows[to]->datagrams++;
        int err = push(flows[to], &batch[i]);
        if (err < 0) {
            *ret_failed = to;
            return err;
        }
    }
    return count;
}

int lidar_flow_step(struct lidar_flow *flow)
{
    uint64_t unwanted = 0;
    unsigned failed = 0;
    return lidar_flow_step_shared(&flow, 1, &unwanted, &failed);
}

/* Frames wait by the clock that stamps the datagrams, which is not the one that we can wait on. */
static uint64_t deadline_ns(const struct lidar_flow *flow)
{
    uint64_t due_ns = lidar_decoder_due_ns(flow->decoder);
    if (due_ns == UINT64_MAX || !lidar_source_is_live(flow->source))
        return UINT64_MAX;
    uint64_t real_ns = sl_clock_realtime_ns(), now_ns = sl_clock_monotonic_ns();
    return due_ns <= real_ns ? now_ns : now_ns + (due_ns - real_ns);
}

uint64_t lidar_flow_due_ns(struct lidar_flow *flow)
{
    uint64_t source_ns = lidar_source_due_ns(flow->source), frames_ns = deadline_ns(flow);
    return source_ns < frames_ns ? source_ns : frames_ns;
}

/* Not by the time that it is now: between the source's answer and here we may have had to wait for
 * a processor, and packets have come meanwhile. */
void lidar_flow_deadline(struct lidar_flow *flow)
{
    if (!lidar_source_is_live(flow->source))
        return;
    flow->publish.received_ns = 0; /* what is published now waited on purpose */
    lidar_decoder_deadline(flow->decoder, flow->emptied_ns);
    lidar_publish_settle(&flow->publish);
}

static int tell_no_packets(const struct lidar_flow *flow)
{
    const uint64_t *count = lidar_decoder_counts(flow->decoder)->count;
    return sl_error(-ENOMSG,
                    "%llu datagrams, and no %s data packet among them (%llu of telemetry, "
                    "%llu too short, %llu too long, %llu of another kind); is it another sensor's "
                    "port?",
                    (unsigned long long)flow->datagrams, lidar_decoder_vendor(flow->decoder),
                    (unsigned long long)(count[LIDAR_TELEMETRY] + count[LIDAR_IMU]),
                    (unsigned long long)count[LIDAR_BAD_SHORT],
                    (unsigned long long)count[LIDAR_BAD_LONG],
                    (unsigned long long)(count[LIDAR_BAD_FLAG] + count[LIDAR_BAD_AZIMUTH] +
                                         count[LIDAR_BAD_RETURN_MODE] + count[LIDAR_BAD_CRC] +
                                         count[LIDAR_OTHER_MODEL]));
}

int lidar_flow_end(struct lidar_flow *flow)
{
    flow->publish.received_ns = 0;
    int err = lidar_decoder_flush(flow->decoder);
    if (err < 0)
        return err;
    lidar_publish_end(&flow->publish);
    return lidar_decoder_product(flow->decoder) ? 0 : tell_no_packets(flow);
}

void lidar_flow_close(struct lidar_flow *flow)
{
    lidar_decoder_destroy(flow->decoder);
    if (flow->decoder)
        lidar_publish_drop(&flow->publish);
    flow->decoder = NULL;
}
