/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/stats.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/handshake.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int sl_stats_watch_open(const char *domain, struct sl_stats_watch *ret_watch)
{
    memset(ret_watch, 0, sizeof *ret_watch);
    ret_watch->domain.fd = -1;
    int err = sl_domain_open(domain, false, &ret_watch->domain);
    if (err != -ENOENT)
        return err;
    /* Nobody has been there yet; it may still come. */
    return sl_domain_open(domain, true, &ret_watch->domain);
}

static void close_node(struct sl_stats_node *node)
{
    if (node->page)
        munmap((void *)node->page, sizeof(struct sl_stats));
    if (node->fd >= 0)
        close(node->fd);
    *node = (struct sl_stats_node){.fd = -1};
}

static void drop_dead(struct sl_stats_watch *watch)
{
    for (unsigned i = watch->node_count; i-- > 0;) {
        struct pollfd hangup = {.fd = watch->node[i].fd, .events = POLLRDHUP};
        if (poll(&hangup, 1, 0) == 0)
            continue;
        close_node(&watch->node[i]);
        watch->node[i] = watch->node[--watch->node_count];
    }
}

/* The answer of a process that was asked: its page, mapped. -EAGAIN: it has not answered yet. */
static int fetch_page(struct sl_stats_node *node)
{
    struct sl_welcome welcome;
    int fds[SL_WELCOME_FDS];
    int err = sl_welcome_receive(node->fd, &welcome, fds);
    if (err < 0)
        return err;
    struct sl_memory memory = SL_MEMORY_NONE;
    if (welcome.fd_count != 1 || welcome.ring_bytes < sizeof(struct sl_stats))
        err = -EPROTO;
    else if ((err = sl_memory_attach(fds[0], welcome.ring_bytes, false, &memory)) == 0)
        fds[0] = -1;
    for (unsigned i = 0; i < welcome.fd_count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (err < 0)
        return err;
    struct sl_segment_header header;
    memcpy(&header, memory.base, sizeof header);
    if (header.magic != SL_MAGIC || header.version != SL_PROTOCOL_VERSION ||
        header.kind != SL_SEGMENT_STATS) {
        sl_memory_close(&memory);
        return -EPROTO;
    }
    node->page = (const void *)memory.base;
    close(memory.fd); /* the mapping stays */
    snprintf(node->name, sizeof node->name, "%s", welcome.node);
    return 0;
}

/* Ask a process that is not known yet; it stands behind the known ones, without a page. */
static int ask_node(void *context, const struct sl_socket_name *name)
{
    struct sl_stats_watch *w = context;
    if (name->kind != SL_SOCKET_NODE || w->node_count == SL_STATS_NODES_MAX)
        return 0;
    for (unsigned i = 0; i < w->node_count; i++)
        if (w->node[i].instance == name->instance)
            return 0;
    struct sl_stats_node *node = &w->node[w->node_count];
    *node = (struct sl_stats_node){.instance = name->instance, .pid = name->pid};
    node->fd = sl_domain_connect(&w->domain, name->file);
    if (node->fd < 0)
        return 0; /* dead, or not ours to look at */
    struct sl_hello hello;
    sl_hello_init(&hello, SL_HELLO_STATS);
    if (sl_hello_send(node->fd, &hello) < 0)
        close_node(node);
    else
        w->node_count++;
    return 0;
}

/* Collect the answers of nodes [known, node_count), all at once: one that is stopped holds up none
 * of the others. Who has not answered by then is asked anew at the next refresh. */
static void collect_answers(struct sl_stats_watch *w, unsigned known, int timeout_ms)
{
    uint64_t deadline_ns = sl_clock_monotonic_ns() + (uint64_t)timeout_ms * SL_NS_PER_MS;
    for (;;) {
        struct pollfd waiting[SL_STATS_NODES_MAX];
        unsigned count = 0;
        for (unsigned i = w->node_count; i-- > known;) {
            if (w->node[i].page)
                continue;
            int err = fetch_page(&w->node[i]);
            if (err == -EAGAIN) {
                waiting[count++] = (struct pollfd){.fd = w->node[i].fd, .events = POLLIN};
            } else if (err < 0) {
                close_node(&w->node[i]);
                w->node[i] = w->node[--w->node_count];
            }
        }
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (count == 0 || now_ns >= deadline_ns ||
            poll(waiting, count, (int)((deadline_ns - now_ns) / SL_NS_PER_MS) + 1) <= 0)
            break;
    }
    for (unsigned i = w->node_count; i-- > known;) {
        if (!w->node[i].page) {
            close_node(&w->node[i]);
            w->node[i] = w->node[--w->node_count];
        }
    }
}

int sl_stats_watch_refresh(struct sl_stats_watch *watch, int timeout_ms)
{
    drop_dead(watch);
    unsigned known = watch->node_count;
    int err = sl_domain_list(&watch->domain, ask_node, watch);
    collect_answers(watch, known, timeout_ms);
    return err;
}

void sl_stats_watch_close(struct sl_stats_watch *watch)
{
    while (watch->node_count > 0)
        close_node(&watch->node[--watch->node_count]);
    sl_domain_close(&watch->domain);
}

static void copy_text(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
    to[size - 1] = '\0';
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void copy_row(const struct sl_stats_row *row, struct sl_stats_view *v)
{
    v->use = atomic_load_explicit(&row->use, memory_order_relaxed);
    v->instance = row->instance;
    copy_text(v->topic, row->topic, sizeof v->topic);
    copy_text(v->type, row->type, sizeof v->type);
    v->policy = row->policy;
    v->depth = row->depth;
    v->slot_count = row->slot_count;
    v->quota = row->quota;
    v->slot_size = row->slot_size;
    copy_text(v->memory, row->memory, sizeof v->memory);
    v->memory_kind = row->memory_kind;
    v->memory_flags = row->memory_flags;
    v->page_size = row->page_size;
    v->numa_node = row->numa_node;
    v->messages = load(&row->messages);
    v->bytes = load(&row->bytes);
    v->last_ns = load(&row->last_ns);
    v->last_stamp_ns = load(&row->last_stamp_ns);
    v->refused = load(&row->refused);
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        v->lost[i] = load(&row->lost[i]);
    v->peers = atomic_load_explicit(&row->peers, memory_order_relaxed);
    v->held = atomic_load_explicit(&row->held, memory_order_relaxed);
    v->demoted = atomic_load_explicit(&row->demoted, memory_order_relaxed);
    v->revoked = atomic_load_explicit(&row->revoked, memory_order_relaxed);
    v->died = atomic_load_explicit(&row->died, memory_order_relaxed);
    v->expired = atomic_load_explicit(&row->expired, memory_order_relaxed);
    v->latency_p50_ns = sl_histogram_quantile_ns(&row->latency, 0.5);
    v->latency_p99_ns = sl_histogram_quantile_ns(&row->latency, 0.99);
    v->latency_max_ns = load(&row->latency.max_ns);
}

int sl_stats_each(const struct sl_stats_watch *watch,
                  int (*visit)(void *context, const struct sl_stats_view *view), void *context)
{
    int result = 0;
    for (unsigned n = 0; n < watch->node_count && result == 0; n++) {
        const struct sl_stats_node *node = &watch->node[n];
        for (uint32_t i = 0; i < SL_STATS_ROWS && result == 0; i++) {
            const struct sl_stats_row *row = &node->page->row[i];
            uint32_t kind = atomic_load_explicit(&row->kind, memory_order_acquire);
            if (kind != SL_STATS_PUBLISHER && kind != SL_STATS_SUBSCRIBER)
                continue;
            struct sl_stats_view view = {.node = node, .kind = (enum sl_stats_kind)kind, .row = i};
            copy_row(row, &view);
            result = visit(context, &view);
        }
    }
    return result;
}

static void copy_sheet(const struct sl_stats_sheet *sheet, struct sl_stats_sheet_view *v)
{
    v->use = atomic_load_explicit(&sheet->use, memory_order_relaxed);
    copy_text(v->title, sheet->title, sizeof v->title);
    for (v->count = 0; v->count < SL_STATS_COUNTERS; v->count++) {
        char *name = v->name[v->count];
        copy_text(name, sheet->name[v->count], SL_STATS_NAME);
        if (!name[0])
            break;
        v->value[v->count] = load(&sheet->value[v->count]);
    }
}

int sl_stats_each_sheet(const struct sl_stats_watch *watch,
                        int (*visit)(void *context, const struct sl_stats_sheet_view *view),
                        void *context)
{
    int result = 0;
    for (unsigned n = 0; n < watch->node_count && result == 0; n++) {
        const struct sl_stats_node *node = &watch->node[n];
        for (uint32_t i = 0; i < SL_STATS_SHEETS && result == 0; i++) {
            const struct sl_stats_sheet *sheet = &node->page->sheet[i];
            if (!atomic_load_explicit(&sheet->shown, memory_order_acquire))
                continue;
            struct sl_stats_sheet_view view = {.node = node, .sheet = i};
            copy_sheet(sheet, &view);
            result = visit(context, &view);
        }
    }
    return result;
}
