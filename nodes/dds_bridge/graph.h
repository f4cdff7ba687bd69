/* SPDX-License-Identifier: Apache-2.0 */
/* graph.h - the bridge as a node of ROS 2's graph: for `ros2 node list`, and for the node's name
 * beside its topics' ends.
 *
 * Each participant tells on the topic ros_discovery_info, reliable and transient local, which nodes
 * it has and which readers and writers are theirs; the newest such message counts. Ends are known
 * by their GUID, in 16 bytes from ROS 2 Iron on, in 24 (zeros last) until Humble: the two do not
 * understand each other.
 * Source: ROS 2's package rmw_dds_common, messages ParticipantEntitiesInfo and NodeEntitiesInfo.
 *
 * Life:    graph_open -> graph_add ..., graph_tell -> graph_close
 * Threads: the main thread.
 * Errors:  -errno with sl_error_text().
 */
#ifndef SL_NODES_DDS_BRIDGE_GRAPH_H
#define SL_NODES_DDS_BRIDGE_GRAPH_H

#include "nodes/dds_bridge/cyclone.h"

#define GRAPH_ENDS_MAX 64 /* of one direction */

enum graph_form {
    GRAPH_JAZZY,
    GRAPH_HUMBLE,
    GRAPH_NONE
};

struct graph;

/* `name` is the bridge's on the bus. GRAPH_NONE gives NULL. */
int graph_open(struct cyclone *cyclone, const char *name, enum graph_form form,
               struct graph **ret_graph);
void graph_close(struct graph *graph); /* NULL is fine */

/* An end is the node's from now on; there are at most GRAPH_ENDS_MAX a direction. Without a graph
 * (NULL) nothing happens. */
void graph_add_writer(struct graph *graph, const struct cyclone_writer *writer);
void graph_add_reader(struct graph *graph, const struct cyclone_reader *reader);

/* The reader that was known by `old` is another one now. */
void graph_replace_reader(struct graph *graph, struct cyclone_guid old,
                          const struct cyclone_reader *reader);

/* Tell DDS, if there is news. */
int graph_tell(struct graph *graph);

#endif
