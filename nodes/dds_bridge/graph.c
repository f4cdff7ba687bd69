/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/dds_bridge/graph.h"

#include "core/base/error.h"
#include "core/frame/cdr.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC    "ros_discovery_info"
#define TYPE     "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_"
#define GID_MAX  24
#define BODY_MAX (256 + 2 * GRAPH_ENDS_MAX * GID_MAX) /* 256: names, counts, the participant */

struct ends {
    struct cyclone_guid guid[GRAPH_ENDS_MAX];
    uint32_t count;
};

struct graph {
    struct cyclone *cyclone;
    struct cyclone_writer *writer;
    char name[SL_NODE_MAX];
    size_t gid_size;
    struct ends readers, writers;
    bool has_news;
    unsigned char body[BODY_MAX];
};

/* ROS 2's names have letters, digits and '_'. */
static void make_name(const char *name, char ret_name[SL_NODE_MAX])
{
    size_t length = strnlen(name, SL_NODE_MAX - 1);
    for (size_t i = 0; i < length; i++)
        ret_name[i] = (char)(isalnum((unsigned char)name[i]) ? name[i] : '_');
    ret_name[length] = '\0';
}

int graph_open(struct cyclone *cyclone, const char *name, enum graph_form form,
               struct graph **ret_graph)
{
    const struct cyclone_qos qos = {.transient_local = true, .depth = 1};
    *ret_graph = NULL;
    if (form == GRAPH_NONE)
        return 0;
    struct graph *g = calloc(1, sizeof *g);
    if (!g)
        return sl_error(-ENOMEM, "no memory for ROS 2's graph");
    g->cyclone = cyclone;
    g->gid_size = form == GRAPH_HUMBLE ? GID_MAX : sizeof(struct cyclone_guid);
    g->has_news = true;
    make_name(name, g->name);
    int err = cyclone_writer_open(cyclone, TOPIC, TYPE, &qos, &g->writer);
    if (err < 0) {
        free(g);
        return err;
    }
    *ret_graph = g;
    return 0;
}

void graph_close(struct graph *graph)
{
    free(graph);
}

static void add(struct graph *g, struct ends *ends, struct cyclone_guid guid)
{
    if (ends->count == GRAPH_ENDS_MAX)
        return;
    ends->guid[ends->count++] = guid;
    g->has_news = true;
}

void graph_add_writer(struct graph *graph, const struct cyclone_writer *writer)
{
    if (graph)
        add(graph, &graph->writers, cyclone_writer_guid(writer));
}

void graph_add_reader(struct graph *graph, const struct cyclone_reader *reader)
{
    if (graph)
        add(graph, &graph->readers, cyclone_reader_guid(reader));
}

void graph_replace_reader(struct graph *graph, struct cyclone_guid old,
                          const struct cyclone_reader *reader)
{
    for (uint32_t i = 0; graph && i < graph->readers.count; i++) {
        if (memcmp(&graph->readers.guid[i], &old, sizeof old) == 0) {
            graph->readers.guid[i] = cyclone_reader_guid(reader);
            graph->has_news = true;
        }
    }
}

static void put_gid(struct sl_cdr_writer *w, const struct graph *g, struct cyclone_guid guid)
{
    sl_writer_bytes(&w->bytes, guid.byte, sizeof guid.byte);
    sl_writer_zeros(&w->bytes, g->gid_size - sizeof guid.byte);
}

static void put_ends(struct sl_cdr_writer *w, const struct graph *g, const struct ends *ends)
{
    sl_cdr_put_u32(w, ends->count);
    for (uint32_t i = 0; i < ends->count; i++)
        put_gid(w, g, ends->guid[i]);
}

int graph_tell(struct graph *graph)
{
    if (!graph || !graph->has_news)
        return 0;
    struct sl_cdr_writer w = sl_cdr_write(graph->body, sizeof graph->body);
    put_gid(&w, graph, cyclone_guid(graph->cyclone));
    sl_cdr_put_u32(&w, 1);
    sl_cdr_put_text(&w, sl_text("/"));
    sl_cdr_put_text(&w, sl_text(graph->name));
    put_ends(&w, graph, &graph->readers);
    put_ends(&w, graph, &graph->writers);
    graph->has_news = false;
    return cyclone_writer_send_bytes(graph->writer, graph->body, sl_cdr_written(&w));
}
