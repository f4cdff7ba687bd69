/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/statspage.h"

#include "core/base/clock.h"
#include "core/shm/handshake.h"
#include "core/shm/service.h"
#include "core/shm/stats.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define VISITORS_MAX    32 /* tools that look at the page */
#define DOMAINS_MAX     16 /* that one process shows itself in */
#define HELLO_MS        1000
#define LISTEN_AGAIN_MS 50

/* A .node socket, and who has asked there. A connection stays open: its hang-up tells a tool that
 * the process ended. */
struct door {
    struct sl_watch watch;
    struct sl_retry again;
    struct sl_domain domain;
    struct sl_socket_name name;
};
struct visitor {
    struct sl_watch watch;
    struct sl_retry deadline; /* until it has asked */
    struct visitor *next;     /* the one that came before */
};

static char node_name[SL_NODE_MAX];
static struct {
    struct sl_memory memory;
    unsigned users; /* rows and sheets */
    struct door *door[DOMAINS_MAX];
    unsigned door_count;
    struct visitor *visitors;
    unsigned visitor_count;
    uint64_t instance;
} page = {.memory = {.fd = -1}};

uint64_t sl_instance_new(void)
{
    uint64_t number = 0;
    while (number == 0)
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            number = sl_clock_monotonic_ns() ^ (uint64_t)getpid() << 40;
    return number;
}

void sl_stats_set_name(const char *name)
{
    snprintf(node_name, sizeof node_name, "%s", name);
}

const char *sl_statspage_node(void)
{
    if (!node_name[0])
        sl_stats_set_name(program_invocation_short_name);
    return node_name;
}

static struct sl_stats *stats(void)
{
    return (void *)page.memory.base;
}

/* Answering. ----------------------------------------------------------------------------------- */

static void drop_visitor(struct visitor *visitor)
{
    for (struct visitor **at = &page.visitors; *at; at = &(*at)->next) {
        if (*at == visitor) {
            *at = visitor->next;
            page.visitor_count--;
            break;
        }
    }
    sl_service_cancel_retry(&visitor->deadline);
    sl_service_unwatch(&visitor->watch);
    close(visitor->watch.fd);
    free(visitor);
}

static void no_hello_came(struct sl_retry *retry)
{
    drop_visitor((struct visitor *)(void *)((char *)retry - offsetof(struct visitor, deadline)));
}

/* The last one to come is let in: whoever was here for longest finds us again if it is a tool. */
static void make_room(void)
{
    struct visitor *oldest = page.visitors;
    while (oldest && oldest->next)
        oldest = oldest->next;
    if (page.visitor_count >= VISITORS_MAX)
        drop_visitor(oldest);
}

static void visitor_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    struct visitor *visitor = (struct visitor *)watch;
    struct sl_hello hello;
    int err = sl_hello_receive(watch->fd, &hello);
    if (err == -EAGAIN)
        return;
    sl_service_cancel_retry(&visitor->deadline);
    if (err < 0 || hello.kind != SL_HELLO_STATS) {
        drop_visitor(visitor);
        return;
    }
    struct sl_welcome welcome;
    sl_welcome_init(&welcome, SL_HELLO_STATS);
    welcome.instance = page.instance;
    welcome.ring_bytes = page.memory.size_bytes;
    welcome.fd_count = 1;
    snprintf(welcome.node, sizeof welcome.node, "%s", sl_statspage_node());
    if (sl_welcome_send(watch->fd, &welcome, &page.memory.fd) < 0)
        drop_visitor(visitor);
}

static void listen_again(struct sl_retry *retry)
{
    struct door *door = (struct door *)(void *)((char *)retry - offsetof(struct door, again));
    sl_service_watch(&door->watch, EPOLLIN);
}

static void door_ready(struct sl_watch *watch, uint32_t epoll_events)
{
    (void)epoll_events;
    struct door *door = (struct door *)watch;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) { /* it stays readable: do not turn in circles */
            sl_service_unwatch(watch);
            door->again.run = listen_again;
            sl_service_retry(&door->again,
                             sl_clock_monotonic_ns() + LISTEN_AGAIN_MS * SL_NS_PER_MS);
        }
        return;
    }
    make_room();
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor) {
        close(fd);
        return;
    }
    visitor->watch = (struct sl_watch){.fd = fd, .ready = visitor_ready};
    visitor->next = page.visitors;
    page.visitors = visitor;
    page.visitor_count++;
    visitor->deadline.run = no_hello_came;
    sl_service_retry(&visitor->deadline, sl_clock_monotonic_ns() + HELLO_MS * SL_NS_PER_MS);
    if (sl_service_watch(&visitor->watch, EPOLLIN | EPOLLRDHUP) < 0)
        drop_visitor(visitor);
}

/* Doors. --------------------------------------------------------------------------------------- */

static void close_door(struct door *door)
{
    sl_service_cancel_retry(&door->again);
    sl_service_unwatch(&door->watch);
    if (door->watch.fd >= 0) {
        sl_domain_unlink(&door->domain, &door->name);
        close(door->watch.fd);
    }
    sl_domain_close(&door->domain);
    free(door);
}

static void open_door(const struct sl_domain *domain)
{
    for (unsigned i = 0; i < page.door_count; i++)
        if (strcmp(page.door[i]->domain.path, domain->path) == 0)
            return;
    if (page.door_count == DOMAINS_MAX)
        return;
    struct door *door = calloc(1, sizeof *door);
    if (!door)
        return;
    /* Tools that cannot look on are no reason not to publish: failures end here. */
    door->watch.fd = -1;
    door->domain = *domain;
    door->domain.fd = fcntl(domain->fd, F_DUPFD_CLOEXEC, 0);
    sl_socket_name_make(&door->name, SL_SOCKET_NODE, sl_statspage_node(), page.instance);
    door->watch.fd = sl_domain_listen(&door->domain, &door->name, 0);
    door->watch.ready = door_ready;
    if (door->watch.fd < 0 || sl_service_watch(&door->watch, EPOLLIN) < 0)
        close_door(door);
    else
        page.door[page.door_count++] = door;
}

static void forget_in_child(void)
{
    /* The parent's page is not ours; its sockets are closed by the service, and not unlinked. */
    for (unsigned i = 0; i < page.door_count; i++)
        close(page.door[i]->domain.fd);
    if (page.memory.fd >= 0)
        close(page.memory.fd);
    memset(&page, 0, sizeof page);
    page.memory = SL_MEMORY_NONE;
}

static void forget_in_children(void)
{
    pthread_atfork(NULL, NULL, forget_in_child);
}

static int open_page(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, forget_in_children);
    struct sl_memory_config config = {
        .name = "sluice-stats",
        .size_bytes = sizeof(struct sl_stats),
    };
    int err = sl_memory_create(&config, &page.memory);
    if (err < 0)
        return err;
    page.instance = sl_instance_new();
    struct sl_stats *s = stats();
    s->header = (struct sl_segment_header){
        .magic = SL_MAGIC,
        .version = SL_PROTOCOL_VERSION,
        .kind = SL_SEGMENT_STATS,
        .size_bytes = page.memory.size_bytes,
        .instance = page.instance,
    };
    snprintf(s->node, sizeof s->node, "%s", sl_statspage_node());
    s->pid = (uint32_t)getpid();
    s->row_count = SL_STATS_ROWS;
    s->start_ns = sl_clock_monotonic_ns();
    return 0;
}

static void close_page(void)
{
    while (page.door_count > 0)
        close_door(page.door[--page.door_count]);
    while (page.visitors)
        drop_visitor(page.visitors);
    sl_memory_close(&page.memory);
}

static void leave_page(void)
{
    if (page.users == 0)
        close_page();
}

/* Rows. ---------------------------------------------------------------------------------------- */

static bool is_ours(const struct sl_stats_row *row)
{
    const struct sl_stats *s = stats();
    return s && row >= s->row && row < s->row + SL_STATS_ROWS;
}

struct sl_stats_row *sl_statspage_add(const struct sl_domain *domain, enum sl_stats_kind kind,
                                      uint64_t instance, const char *topic, const char *type)
{
    (void)kind;
    if (page.users == 0 && open_page() < 0)
        return NULL;
    open_door(domain);
    static const uint32_t claimed = UINT32_MAX; /* used, not shown */
    struct sl_stats_row *row = NULL;
    for (unsigned i = 0; i < SL_STATS_ROWS && !row; i++)
        if (atomic_load_explicit(&stats()->row[i].kind, memory_order_relaxed) == SL_STATS_FREE)
            row = &stats()->row[i];
    if (!row)
        row = aligned_alloc(SL_LINE, sizeof *row);
    if (!row) {
        leave_page();
        return NULL;
    }
    uint32_t use = is_ours(row) ? atomic_load_explicit(&row->use, memory_order_relaxed) : 0;
    memset(row, 0, sizeof *row);
    atomic_store_explicit(&row->kind, claimed, memory_order_relaxed);
    atomic_store_explicit(&row->use, use + 1, memory_order_relaxed);
    row->instance = instance;
    snprintf(row->topic, sizeof row->topic, "%s", topic);
    snprintf(row->type, sizeof row->type, "%s", type ? type : "");
    page.users++;
    return row;
}

void sl_statspage_show(struct sl_stats_row *row, enum sl_stats_kind kind)
{
    atomic_store_explicit(&row->kind, (uint32_t)kind, memory_order_release);
}

void sl_statspage_remove(struct sl_stats_row *row)
{
    if (!row)
        return;
    if (is_ours(row))
        atomic_store_explicit(&row->kind, SL_STATS_FREE, memory_order_release);
    else
        free(row);
    page.users--;
    leave_page();
}

/* Sheets. -------------------------------------------------------------------------------------- */

static bool is_our_sheet(const struct sl_stats_sheet *sheet)
{
    const struct sl_stats *s = stats();
    return s && sheet >= s->sheet && sheet < s->sheet + SL_STATS_SHEETS;
}

struct sl_stats_sheet *sl_statspage_add_sheet(const struct sl_domain *domain, const char *title,
                                              const char *const *names)
{
    if (page.users == 0 && open_page() < 0)
        return NULL;
    open_door(domain);
    struct sl_stats_sheet *sheet = NULL;
    for (unsigned i = 0; i < SL_STATS_SHEETS && !sheet; i++)
        if (!atomic_load_explicit(&stats()->sheet[i].shown, memory_order_relaxed))
            sheet = &stats()->sheet[i];
    if (!sheet)
        sheet = aligned_alloc(SL_LINE, sizeof *sheet);
    if (!sheet) {
        leave_page();
        return NULL;
    }
    uint32_t use =
        is_our_sheet(sheet) ? atomic_load_explicit(&sheet->use, memory_order_relaxed) : 0;
    memset(sheet, 0, sizeof *sheet);
    atomic_store_explicit(&sheet->use, use + 1, memory_order_relaxed);
    snprintf(sheet->title, sizeof sheet->title, "%s", title);
    for (unsigned i = 0; i < SL_STATS_COUNTERS && names[i]; i++)
        snprintf(sheet->name[i], sizeof sheet->name[i], "%s", names[i]);
    atomic_store_explicit(&sheet->shown, 1, memory_order_release);
    page.users++;
    return sheet;
}

void sl_statspage_remove_sheet(struct sl_stats_sheet *sheet)
{
    if (!sheet)
        return;
    if (is_our_sheet(sheet))
        atomic_store_explicit(&sheet->shown, 0, memory_order_release);
    else
        free(sheet);
    page.users--;
    leave_page();
}
