/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/handshake.h"

#include "core/base/error.h"
#include "core/shm/layout.h"
#include "core/uncached/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void sl_hello_init(struct sl_hello *hello, enum sl_hello_kind kind)
{
    *hello = (struct sl_hello){
        .magic = SL_MAGIC,
        .version = SL_PROTOCOL_VERSION,
        .kind = (uint16_t)kind,
        .size = sizeof *hello,
    };
}

void sl_welcome_init(struct sl_welcome *welcome, enum sl_hello_kind kind)
{
    *welcome = (struct sl_welcome){
        .magic = SL_MAGIC,
        .version = SL_PROTOCOL_VERSION,
        .kind = (uint16_t)kind,
        .size = sizeof *welcome,
    };
}

static bool has_end(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

/* What all versions have in common: magic u32, version u16. */
static int check_head(const void *bytes, size_t size_bytes, const char *what)
{
    struct {
        uint32_t magic;
        uint16_t version;
    } head;
    if (size_bytes < sizeof head)
        return sl_error(-EPROTO, "%s of %zu bytes is too short", what, size_bytes);
    memcpy(&head, bytes, sizeof head);
    if (head.magic != SL_MAGIC)
        return sl_error(-EPROTO, "%s begins with %08x: the peer does not speak Sluice", what,
                        head.magic);
    if (head.version != SL_PROTOCOL_VERSION)
        return sl_error(
            -EPROTONOSUPPORT,
            "the peer speaks protocol version %u, this program %u; rebuild the older one",
            head.version, SL_PROTOCOL_VERSION);
    return 0;
}

int sl_hello_parse(const void *bytes, size_t size_bytes, struct sl_hello *ret_hello)
{
    int err = check_head(bytes, size_bytes, "hello");
    if (err < 0)
        return err;
    struct sl_hello h;
    if (size_bytes != sizeof h)
        return sl_error(-EPROTO, "hello of %zu bytes, not %zu", size_bytes, sizeof h);
    memcpy(&h, bytes, sizeof h);
    if (h.size != sizeof h || (h.kind != SL_HELLO_SUBSCRIBE && h.kind != SL_HELLO_STATS) ||
        h.policy > SL_LOSSLESS || !has_end(h.topic, sizeof h.topic) ||
        !has_end(h.type, sizeof h.type) || !has_end(h.node, sizeof h.node))
        return sl_error(-EPROTO, "hello with values out of range");
    *ret_hello = h;
    return 0;
}

static bool sizes_are_possible(const struct sl_welcome *w)
{
    const uint64_t gib = UINT64_C(1) << 30;
    if (w->slot_count > SL_SLOTS_MAX || w->side_size > SL_SIDE_MAX)
        return false;
    if (w->ring_bytes > gib || w->ledger_bytes > gib || w->control_bytes > 16 * gib ||
        w->pool_bytes > (gib << 16))
        return false;
    if (w->pool_handle >= SL_MEMORY_HANDLES || w->pool_flags > SL_WELCOME_SYNC)
        return false;
    if (w->slot_fds > 0 && (w->slot_fds != w->slot_count || w->slot_fds > SL_MEMORY_PIECES_MAX ||
                            w->pool_bytes != w->slot_count * w->slot_size))
        return false;
    return w->slot_count == 0 ||
           (w->slot_size > 0 && w->pool_bytes / w->slot_count >= w->slot_size);
}

int sl_welcome_parse(const void *bytes, size_t size_bytes, unsigned fd_count,
                     struct sl_welcome *ret_welcome)
{
    int err = check_head(bytes, size_bytes, "welcome");
    if (err < 0)
        return err;
    struct sl_welcome w;
    if (size_bytes != sizeof w)
        return sl_error(-EPROTO, "welcome of %zu bytes, not %zu", size_bytes, sizeof w);
    memcpy(&w, bytes, sizeof w);
    if (w.size != sizeof w || w.status > 0 || w.status < -4095 || w.fd_count != fd_count ||
        !has_end(w.topic, sizeof w.topic) || !has_end(w.type, sizeof w.type) ||
        !has_end(w.node, sizeof w.node) || !has_end(w.text, sizeof w.text))
        return sl_error(-EPROTO, "welcome with values out of range");
    if (!sizes_are_possible(&w))
        return sl_error(-EPROTO, "welcome with a pool of %u slots of %llu bytes in %llu",
                        w.slot_count, (unsigned long long)w.slot_size,
                        (unsigned long long)w.pool_bytes);
    *ret_welcome = w;
    return 0;
}

int sl_slots_parse(const void *bytes, size_t size_bytes, unsigned fd_count,
                   struct sl_slots_message *ret_slots)
{
    int err = check_head(bytes, size_bytes, "message of slots");
    if (err < 0)
        return err;
    struct sl_slots_message m;
    if (size_bytes != sizeof m)
        return sl_error(-EPROTO, "message of slots of %zu bytes, not %zu", size_bytes, sizeof m);
    memcpy(&m, bytes, sizeof m);
    if (m.kind != SL_HELLO_SLOTS || m.count != fd_count || m.count > SL_SLOTS_FDS ||
        m.first > SL_MEMORY_PIECES_MAX)
        return sl_error(-EPROTO, "message of slots with values out of range");
    *ret_slots = m;
    return 0;
}

/* Room for the descriptors of one message. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * SL_SLOTS_FDS)];
};

/* Send one message with descriptors. Never blocks. */
static int send_with_fds(int fd, const void *bytes, size_t size_bytes, const int *fds,
                         unsigned count)
{
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size_bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control = {0};
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return sl_error(-errno, "the connection does not take a message: %s", strerror(errno));
    return 0;
}

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

/* The descriptors of one message; those beyond `most` are closed. */
static unsigned collect_fds(struct msghdr *message, int *fds, unsigned most)
{
    unsigned kept = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
            if (kept < most)
                fds[kept++] = one;
            else
                close(one);
        }
    }
    return kept;
}

/* Receive one message. Returns its size; *ret_count descriptors, at most `most`, are in fds. */
static ssize_t receive_with_fds(int fd, void *bytes, size_t room, int *fds, unsigned most,
                                unsigned *ret_count)
{
    struct iovec part = {.iov_base = bytes, .iov_len = room};
    union control control;
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(sizeof(int) * most),
    };
    *ret_count = 0;
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return errno == EAGAIN ? -EAGAIN : sl_error(-errno, "connection: %s", strerror(errno));
    unsigned count = collect_fds(&message, fds, most);
    if (size == 0) {
        close_all(fds, count);
        return sl_error(-ECONNRESET, "the other side hung up");
    }
    if (message.msg_flags & MSG_CTRUNC && count < most) {
        close_all(fds, count);
        return sl_error(-EMFILE,
                        "of the descriptors that were sent, this process has room for %u "
                        "only; raise its limit (ulimit -n, LimitNOFILE=)",
                        count);
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        /* Longer, or with more descriptors, than it may be: of another version? Parsing tells. */
        close_all(fds, count);
        count = 0;
    }
    *ret_count = count;
    return size;
}

int sl_hello_send(int fd, const struct sl_hello *hello)
{
    return send_with_fds(fd, hello, sizeof *hello, NULL, 0);
}

int sl_hello_receive(int fd, struct sl_hello *ret_hello)
{
    unsigned char bytes[sizeof(struct sl_hello) + 1];
    /* Without a control buffer the kernel drops descriptors that nobody asked for. */
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN ? -EAGAIN : sl_error(-errno, "connection: %s", strerror(errno));
    if (size == 0)
        return sl_error(-ECONNRESET, "the other side hung up");
    return sl_hello_parse(bytes, (size_t)size, ret_hello);
}

int sl_welcome_send(int fd, const struct sl_welcome *welcome, const int *fds)
{
    return send_with_fds(fd, welcome, sizeof *welcome, fds, welcome->fd_count);
}

int sl_welcome_receive(int fd, struct sl_welcome *ret_welcome, int *fds)
{
    unsigned char bytes[sizeof(struct sl_welcome) + 1];
    unsigned count;
    ssize_t size = receive_with_fds(fd, bytes, sizeof bytes, fds, SL_WELCOME_FDS, &count);
    if (size < 0)
        return (int)size;
    int err = sl_welcome_parse(bytes, (size_t)size, count, ret_welcome);
    if (err < 0)
        close_all(fds, count);
    return err;
}

int sl_slots_send(int fd, uint32_t first, const int *fds, uint32_t count)
{
    struct sl_slots_message m = {.magic = SL_MAGIC,
                                 .version = SL_PROTOCOL_VERSION,
                                 .kind = SL_HELLO_SLOTS,
                                 .first = first,
                                 .count = count};
    return send_with_fds(fd, &m, sizeof m, fds, count);
}

int sl_slots_ask(int fd, uint32_t first)
{
    return sl_slots_send(fd, first, NULL, 0);
}

int sl_slots_hear(int fd, uint32_t *ret_first)
{
    unsigned char bytes[sizeof(struct sl_slots_message) + 1];
    struct sl_slots_message m;
    /* Descriptors that come along are dropped, as with a hello. */
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK);
    if (size < 0)
        return errno == EAGAIN ? -EAGAIN : sl_error(-errno, "connection: %s", strerror(errno));
    if (size == 0)
        return sl_error(-ECONNRESET, "the other side hung up");
    int err = sl_slots_parse(bytes, (size_t)size, 0, &m);
    if (err < 0)
        return err;
    recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    *ret_first = m.first;
    return 0;
}

int sl_slots_receive(int fd, struct sl_slots_message *ret_slots, int *fds)
{
    unsigned char bytes[sizeof(struct sl_slots_message) + 1];
    unsigned count;
    ssize_t size = receive_with_fds(fd, bytes, sizeof bytes, fds, SL_SLOTS_FDS, &count);
    if (size < 0)
        return (int)size;
    int err = sl_slots_parse(bytes, (size_t)size, count, ret_slots);
    if (err < 0)
        close_all(fds, count);
    return err;
}

void sl_goodbye_say(int fd)
{
    ssize_t sent = send(fd, "b", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}

bool sl_goodbye_was_said(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    /* It had not read all its wake-ups: the kernel tells that first, once. */
    if (got < 0 && errno == ECONNRESET)
        got = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return got > 0;
}

int sl_pidfd_of_peer(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
        return -1;
    return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}
