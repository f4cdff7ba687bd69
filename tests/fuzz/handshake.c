/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c - bytes of a stranger as hello, welcome, slots, and as the name of a socket.
 *
 * Input: one byte that selects the reader, and the bytes. What is accepted must come back unchanged
 * when it is sent over a real connection; what is refused must say why. */
#include "core/shm/handshake.h"
#include "core/base/error.h"
#include "core/shm/domain.h"
#include "core/shm/layout.h"
#include "core/uncached/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

enum {
    READ_HELLO,
    READ_WELCOME,
    READ_NAME,
    MAKE_NAME,
    READ_SLOTS,
    READERS
};

static int link_fd[2];

static void open_link(void)
{
    static bool is_open; /* opened once: the target runs thousands of times a second */
    if (!is_open && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link_fd) < 0)
        abort();
    is_open = true;
}

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void has_end(const char *text, size_t size)
{
    expect(memchr(text, '\0', size) != NULL);
}

static void read_hello(const uint8_t *bytes, size_t size)
{
    struct sl_hello hello, again;
    if (sl_hello_parse(bytes, size, &hello) < 0) {
        expect(strlen(sl_error_text()) > 0);
        return;
    }
    has_end(hello.topic, sizeof hello.topic);
    has_end(hello.type, sizeof hello.type);
    has_end(hello.node, sizeof hello.node);
    expect(hello.policy <= SL_LOSSLESS);
    expect(sl_hello_send(link_fd[0], &hello) == 0);
    expect(sl_hello_receive(link_fd[1], &again) == 0);
    expect(memcmp(&hello, &again, sizeof hello) == 0);
}

static void check_welcome(const struct sl_welcome *w, unsigned fd_count)
{
    has_end(w->topic, sizeof w->topic);
    has_end(w->type, sizeof w->type);
    has_end(w->node, sizeof w->node);
    has_end(w->text, sizeof w->text);
    expect(w->status <= 0 && w->fd_count == fd_count && w->slot_count <= SL_SLOTS_MAX &&
           w->side_size <= SL_SIDE_MAX);
    if (w->slot_count > 0) { /* the last slot's end lies in the pool, without overflow */
        uint64_t end;
        expect(!__builtin_mul_overflow(w->slot_size, (uint64_t)w->slot_count, &end));
        expect(end <= w->pool_bytes);
        expect(w->slot_fds == 0 || (w->slot_fds == w->slot_count && end == w->pool_bytes));
    }
    expect(w->pool_handle < SL_MEMORY_HANDLES && w->slot_fds <= SL_MEMORY_PIECES_MAX);
}

static void read_welcome(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return;
    unsigned fd_count = bytes[0] % (SL_WELCOME_FDS + 2u);
    struct sl_welcome w, again;
    if (sl_welcome_parse(bytes + 1, size - 1, fd_count, &w) < 0) {
        expect(strlen(sl_error_text()) > 0);
        return;
    }
    check_welcome(&w, fd_count);
    if (fd_count > SL_WELCOME_FDS)
        return; /* no sender may send so many */
    int sent[SL_WELCOME_FDS], received[SL_WELCOME_FDS];
    for (unsigned i = 0; i < fd_count; i++)
        sent[i] = link_fd[i % 2];
    expect(sl_welcome_send(link_fd[0], &w, sent) == 0);
    expect(sl_welcome_receive(link_fd[1], &again, received) == 0);
    expect(memcmp(&w, &again, sizeof w) == 0);
    for (unsigned i = 0; i < fd_count; i++)
        expect(close(received[i]) == 0);
}

static void read_slots(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return;
    unsigned fd_count = bytes[0];
    struct sl_slots_message m, again;
    if (sl_slots_parse(bytes + 1, size - 1, fd_count, &m) < 0) {
        expect(strlen(sl_error_text()) > 0);
        return;
    }
    expect(m.count == fd_count && m.count <= SL_SLOTS_FDS);
    int sent[SL_SLOTS_FDS], received[SL_SLOTS_FDS];
    for (unsigned i = 0; i < fd_count; i++)
        sent[i] = link_fd[i % 2];
    expect(sl_slots_send(link_fd[0], m.first, sent, m.count) == 0);
    expect(sl_slots_receive(link_fd[1], &again, received) == 0);
    expect(memcmp(&m, &again, sizeof m) == 0);
    for (unsigned i = 0; i < fd_count; i++)
        expect(close(received[i]) == 0);
}

/* The text behind the first byte, ended. */
static char *text_of(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

static bool same_name(const struct sl_socket_name *a, const struct sl_socket_name *b)
{
    return a->kind == b->kind && a->topic_hash == b->topic_hash && a->instance == b->instance &&
           a->pid == b->pid;
}

/* Written again from what was read, it reads the same. */
static void read_name(const char *file)
{
    struct sl_socket_name name, again;
    if (!sl_socket_name_parse(file, &name))
        return;
    expect(strcmp(name.file, file) == 0);
    char written[160];
    if (name.kind == SL_SOCKET_PUBLISHER)
        snprintf(written, sizeof written, "x.%016" PRIx64 ".%d.%016" PRIx64 ".pub", name.topic_hash,
                 (int)name.pid, name.instance);
    else
        snprintf(written, sizeof written, "x.%d.%016" PRIx64 ".node", (int)name.pid, name.instance);
    expect(sl_socket_name_parse(written, &again) && same_name(&name, &again));
}

/* A name made for a topic that may be is read back. */
static void make_name(const char *topic)
{
    if (sl_topic_check(topic, NULL) < 0)
        return;
    struct sl_socket_name made, read;
    sl_socket_name_make(&made, SL_SOCKET_PUBLISHER, topic, sl_topic_hash(topic) * 3);
    expect(sl_socket_name_parse(made.file, &read) && same_name(&made, &read));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    open_link();
    const uint8_t *rest = bytes + 1;
    size_t size = size_bytes - 1;
    int reader = bytes[0] % READERS;
    if (reader == READ_HELLO)
        read_hello(rest, size);
    if (reader == READ_WELCOME)
        read_welcome(rest, size);
    if (reader == READ_SLOTS)
        read_slots(rest, size);
    if (reader == READ_NAME || reader == MAKE_NAME) {
        char *text = text_of(rest, size);
        if (reader == READ_NAME)
            read_name(text);
        else
            make_name(text);
        free(text);
    }
    return 0;
}
