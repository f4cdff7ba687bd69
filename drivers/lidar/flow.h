/* SPDX-License-Identifier: Apache-2.0 */
/* flow.h - source -> decoder -> topics: the whole way of a packet, without options or waiting.
 *
 * The program `lidar` drives it from the runtime's loop; tests and the bench drive it themselves.
 *
 * Life:    lidar_flow_open -> step, deadline ... -> lidar_flow_end (the source has ended) ->
 *          lidar_flow_close, before the publishers are closed
 * Owner:   the caller's memory; source and publishers stay the caller's and must outlive it.
 * Threads: one.
 * Errors:  -errno with sl_error_text(): of the source, or a sensor that cannot be decoded.
 */
#ifndef SL_DRIVERS_LIDAR_FLOW_H
#define SL_DRIVERS_LIDAR_FLOW_H

#include "drivers/lidar/decoder.h"
#include "drivers/lidar/publish.h"
#include "drivers/lidar/source.h"

struct lidar_flow_config {
    struct lidar_source *source;
    /* Is this datagram its sensor's? For flows that share a source; NULL = all are. */
    bool (*wants)(void *context, const struct sl_datagram *datagram);
    void *context;
    struct lidar_decoder_config decoder;
    struct lidar_publish_config publish;
};

struct lidar_flow {
    struct lidar_source *source;
    bool (*wants)(void *context, const struct sl_datagram *datagram);
    void *context;
    uint64_t datagrams; /* that it wanted */
    struct lidar_decoder *decoder;
    struct lidar_publish publish;
    uint64_t emptied_ns; /* realtime: what had come by then has been decoded */
};

int lidar_flow_open(struct lidar_flow *flow, const struct lidar_flow_config *config);

/* Receive what is there, at most one batch, decode and publish it. Returns how many datagrams that
 * were, 0 = nothing there yet, -ENODATA when the source has ended, other -errno. */
int lidar_flow_step(struct lidar_flow *flow);

/* The same for flows that share their source: each datagram goes to the first one that wants it.
 * Those that none wants are counted in `unwanted`. An error is that of *ret_failed, which is
 * untouched if it is the source's. */
int lidar_flow_step_shared(struct lidar_flow *const flows[], unsigned count, uint64_t *unwanted,
                           unsigned *ret_failed);

/* The monotonic time at which there is something to do without its source's descriptor becoming
 * readable; UINT64_MAX = never. */
uint64_t lidar_flow_due_ns(struct lidar_flow *flow);

/* Live input only: close frames of which no more has come by the last step that found nothing. */
void lidar_flow_deadline(struct lidar_flow *flow);

/* The source has ended: publish what was begun. -ENOMSG if no lidar packet was among all that
 * came; -ENODATA if there were too few to tell the sensor. */
int lidar_flow_end(struct lidar_flow *flow);

/* Give slots back and free the decoder. Right for zeros and after a failed open. */
void lidar_flow_close(struct lidar_flow *flow);

#endif
