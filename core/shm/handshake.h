/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.h - the messages of a connection: hello, and the welcome that carries the segments.
 *
 *   subscriber                         publisher
 *   HELLO {what, topic, type, policy} ->
 *                                     <- WELCOME {status, sizes} + fds: ring, ledger [, control
 *                                        [, pool]]
 *   SLOTS {first} ->                     where the pool has a descriptor a slot, until it has all:
 *                                     <- SLOTS {first, count} + fds
 *                                     <- one byte a wake-up
 *   one byte: goodbye                ->
 *   hang-up                            hang-up: the other side is gone
 *
 * All are fixed structs; magic and version stay where they are in every version of the protocol,
 * so that two versions can tell each other apart. The subscriber asks for its slots, one message at
 * a time, so that neither side ever has more under way than the kernel lets it, nor waits.
 *
 * Threads: any.
 * Errors:  -EAGAIN nothing there; -ECONNRESET hung up; -EPROTO not what it must be;
 * -EPROTONOSUPPORT another version; -EMFILE no room for descriptors. Descriptors that came with a
 * refused message are closed.
 */
#ifndef SL_SHM_HANDSHAKE_H
#define SL_SHM_HANDSHAKE_H

#include "core/shm/sluice.h"

#include <assert.h>

enum sl_hello_kind {
    SL_HELLO_SUBSCRIBE = 1,
    SL_HELLO_STATS = 2,
    SL_HELLO_SLOTS = 3
};

#define SL_HELLO_VISITOR 0x1u

#define SL_WELCOME_FDS  4
#define SL_SLOTS_FDS    128 /* of one message; the kernel takes 253 */
#define SL_WELCOME_TEXT 256

struct sl_hello {
    uint32_t magic;           /*   0 */
    uint16_t version;         /*   4 */
    uint16_t kind;            /*   6: enum sl_hello_kind */
    uint32_t size;            /*   8: of this struct */
    uint32_t flags;           /*  12: SL_HELLO_* */
    uint32_t policy;          /*  16: enum sl_policy */
    uint32_t quota;           /*  20: frames that it wants to hold; 0 = as many as it may */
    char topic[SL_TOPIC_MAX]; /*  24 */
    char type[SL_TYPE_MAX];   /* 280: "" = any */
    char node[SL_NODE_MAX];   /* 408 */
};
static_assert(sizeof(struct sl_hello) == 472, "hello layout");

struct sl_welcome {
    uint32_t magic;             /*   0 */
    uint16_t version;           /*   4 */
    uint16_t kind;              /*   6: of the hello */
    uint32_t size;              /*   8: of this struct */
    int32_t status;             /*  12: 0, or -errno and a text */
    uint64_t instance;          /*  16 */
    uint64_t ring_bytes;        /*  24: sizes of the segments, in the order of the fds */
    uint64_t ledger_bytes;      /*  32 */
    uint64_t control_bytes;     /*  40: 0 = the publisher has no slots */
    uint64_t pool_bytes;        /*  48 */
    uint64_t slot_size;         /*  56: distance of slots */
    uint32_t slot_count;        /*  64 */
    uint32_t side_size;         /*  68 */
    uint32_t word_index;        /*  72: which word line is this subscriber's */
    uint32_t quota;             /*  76 */
    uint32_t retain;            /*  80 */
    uint32_t fd_count;          /*  84 */
    uint64_t head;              /*  88: of the ring, when the ledger began to count */
    uint64_t roudi;             /*  96: by which RouDi it sends, too; 0 = native only */
    uint64_t pool_offset;       /* 104: in what is handed over (memory.h) */
    uint32_t pool_handle;       /* 112: enum sl_memory_handle */
    uint32_t slot_fds;          /* 116: descriptors to be asked for: slot_count, or 0 */
    uint32_t pool_flags;        /* 120: SL_WELCOME_* */
    uint32_t reserved;          /* 124 */
    char topic[SL_TOPIC_MAX];   /* 128 */
    char type[SL_TYPE_MAX];     /* 384 */
    char node[SL_NODE_MAX];     /* 512 */
    char text[SL_WELCOME_TEXT]; /* 576: of a refusal */
};
static_assert(sizeof(struct sl_welcome) == 832, "welcome layout");

#define SL_WELCOME_SYNC 0x1u /* the pool's readers must tell the caches, too */

/* The question has count 0. */
struct sl_slots_message {
    uint32_t magic;   /*  0 */
    uint16_t version; /*  4 */
    uint16_t kind;    /*  6: SL_HELLO_SLOTS */
    uint32_t first;   /*  8: slot of the first descriptor */
    uint32_t count;   /* 12: of descriptors with this message */
};
static_assert(sizeof(struct sl_slots_message) == 16, "slots layout");

/* Fill the head of a message. */
void sl_hello_init(struct sl_hello *hello, enum sl_hello_kind kind);
void sl_welcome_init(struct sl_welcome *welcome, enum sl_hello_kind kind);

/* Pure: bytes from a peer in, a checked struct out (texts have their NUL). */
int sl_hello_parse(const void *bytes, size_t size_bytes, struct sl_hello *ret_hello);
int sl_welcome_parse(const void *bytes, size_t size_bytes, unsigned fd_count,
                     struct sl_welcome *ret_welcome);

int sl_slots_parse(const void *bytes, size_t size_bytes, unsigned fd_count,
                   struct sl_slots_message *ret_slots);

int sl_hello_send(int fd, const struct sl_hello *hello);
int sl_hello_receive(int fd, struct sl_hello *ret_hello);
int sl_welcome_send(int fd, const struct sl_welcome *welcome, const int *fds);
/* fds has room for SL_WELCOME_FDS and belongs to the caller on success. */
int sl_welcome_receive(int fd, struct sl_welcome *ret_welcome, int *fds);

/* Ask for slots from `first` on; hear what was asked, taking nothing away if it is something else
 * (-EPROTO). */
int sl_slots_ask(int fd, uint32_t first);
int sl_slots_hear(int fd, uint32_t *ret_first);
int sl_slots_send(int fd, uint32_t first, const int *fds, uint32_t count);
/* fds has room for SL_SLOTS_FDS; *ret_slots.count of them belong to the caller on success. */
int sl_slots_receive(int fd, struct sl_slots_message *ret_slots, int *fds);

/* A subscriber that closes says so; who hangs up without a word has died. Looking takes nothing
 * away. */
void sl_goodbye_say(int fd);
bool sl_goodbye_was_said(int fd);

/* The process at the other end of a connection, as a pidfd: a forked child of it may keep the
 * connection open after its death. -1: it is of another pid namespace, or dead; the hang-up tells.
 */
int sl_pidfd_of_peer(int fd);

#endif
