/* SPDX-License-Identifier: Apache-2.0 */
/* serdata.h - serialised messages and their types as Cyclone DDS keeps them.
 *
 * Cyclone's headers for these, which are internal to its series 0.10, appear in serdata.c alone.
 *
 * Life:    a message is made with one reference, which goes to Cyclone with it, and ends with the
 *          last one; so does a type.
 * Owner:   a serdata_writer and a sink must outlive the messages and types that were made with
 * them. Threads: making and taking in one; Cyclone's threads end messages and call sinks. Errors:
 * none; where there is no memory Cyclone ends the process.
 */
#ifndef SL_NODES_DDS_BRIDGE_SERDATA_H
#define SL_NODES_DDS_BRIDGE_SERDATA_H

#include "nodes/dds_bridge/cyclone.h"

#include <stdatomic.h>

struct ddsi_sertype;
struct ddsi_serdata;

#define SERDATA_SIZE_MIN 4u               /* each message begins with its encoding */
#define SERDATA_SIZE_MAX (UINT32_MAX - 4) /* padded, it still has a size */

/* What is counted of one writer's messages. */
struct serdata_writer {
    struct ddsi_sertype *type;
    int wake_fd;
    _Atomic uint32_t held, copies; /* ended by Cyclone's threads */
    _Atomic uint64_t stale;
    _Atomic bool is_awaited; /* write to wake_fd when the next one ends */
};

/* `sink` NULL: a writer's. */
struct ddsi_sertype *serdata_type(const char *name, const struct cyclone_sink *sink);
void serdata_type_unref(struct ddsi_sertype *type);

/* As cyclone_writer_send has it; of a size that DDS allows. The frame is the message's now; a
 * copied one is released at once. */
struct ddsi_serdata *serdata_hold(struct serdata_writer *writer, const struct sl_frame *frame,
                                  const struct cyclone_head *head);
struct ddsi_serdata *serdata_copy(struct serdata_writer *writer, struct sl_frame *frame,
                                  const struct cyclone_head *head);
struct ddsi_serdata *serdata_copy_bytes(struct serdata_writer *writer, const void *body,
                                        size_t size_bytes);
uint32_t serdata_size(const struct ddsi_serdata *message); /* of its body; of one made here */

void serdata_let_go(struct ddsi_serdata *message); /* before Cyclone gets it: for ThreadSanitizer */
void serdata_ref(struct ddsi_serdata *message);
void serdata_unref(struct ddsi_serdata *message);

/* The place of a message that came in, the caller's now; NULL if there was none. */
struct cyclone_place *serdata_take_place(struct ddsi_serdata *arrival, uint32_t *ret_size_bytes);

void serdata_wake(int fd); /* an eventfd */

#endif
