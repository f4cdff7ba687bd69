/* SPDX-License-Identifier: Apache-2.0 */
/* in.h - one topic of DDS that comes in to the bus.
 *
 * A message is put from Cyclone's buffers into a loaned slot, once, by the thread that receives it,
 * and published as it stands by the main thread. The pool is made when the first message tells how
 * large they are, and made anew when one does not fit; such a message is copied once more. Messages
 * of a few hundred bytes travel inline.
 *
 * Life:    in_open -> in_work ... -> in_sum_up; Cyclone is closed; in_close
 * Threads: the main thread; Cyclone's threads ask for places.
 */
#ifndef SL_NODES_DDS_BRIDGE_IN_H
#define SL_NODES_DDS_BRIDGE_IN_H

#include "core/node/runtime.h"
#include "nodes/dds_bridge/cyclone.h"
#include "nodes/dds_bridge/origins.h"
#include "nodes/dds_bridge/rule.h"

struct in;

/* `remote` is a writer of `topic` (as ROS 2 names it). */
int in_open(struct cyclone *cyclone, struct sl_runtime *runtime, const struct bridge_rule *rule,
            const char *topic, const struct cyclone_remote *remote, struct bridge_origins *origins,
            struct in **ret_in);

/* Another writer of it, or the first one. One that offers less than those before is read all the
 * same, if the rule leaves that open, and one of another type if there is none of the type before:
 * 1, in_reader is another one now. Else 0, and what is not read is told in the log; or an error:
 * nothing may be read until another writer is heard of. */
int in_hear(struct in *in, const struct cyclone_remote *remote);

/* To be called now and then: a writer of another type was heard of, and all of the type before may
 * have gone since. Returns as in_hear. */
int in_look(struct in *in);

/* Publish what has come. Returns how many messages. After an error, which is told in the log,
 * nothing is read until another writer is heard of. */
int in_work(struct in *in);

const struct cyclone_reader *in_reader(const struct in *in);

void in_count(struct in *in);  /* show its counters as they are now */
void in_sum_up(struct in *in); /* a line for the log */
void in_close(struct in *in);  /* NULL is fine */

#endif
