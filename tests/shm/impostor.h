/* SPDX-License-Identifier: Apache-2.0 */
/* impostor.h - both ends of the bus without the library's good manners.
 *
 * Life:    impostor_appear -> (impostor_meet -> impostor_segments -> welcome) -> impostor_leave;
 *          intruder_connect -> intruder_leave
 * Threads: one.
 */
#ifndef SL_TESTS_SHM_IMPOSTOR_H
#define SL_TESTS_SHM_IMPOSTOR_H

#include "core/shm/handshake.h"
#include "core/shm/ring.h"
#include "core/uncached/memory.h"
#include "tests/shm/support.h"

/* Claims to be a publisher of TOPIC. */
struct impostor {
    struct sl_domain domain;
    struct sl_socket_name name;
    int listener, fd;
    struct sl_memory ring, ledger, control, pool;
    struct sl_ring_map map; /* to write into */
    struct sl_welcome welcome;
    int fds[SL_WELCOME_FDS];
};

#define IMPOSTOR_SLOTS 4
#define IMPOSTOR_SIDE  64

void impostor_appear(struct impostor *impostor);
/* Accept a subscriber and hear its hello. */
void impostor_meet(struct impostor *impostor);
/* Right segments, and the welcome that goes with them, for a test to spoil. */
void impostor_segments(struct impostor *impostor);
void impostor_answer(struct impostor *impostor);
void impostor_leave(struct impostor *impostor);

/* Claims to be a subscriber of the only publisher there is. */
struct intruder {
    int fd;
    struct sl_welcome welcome;
    int fds[SL_WELCOME_FDS];
    struct sl_memory ledger_memory;
    struct sl_ledger *ledger;
};

int intruder_knock(void); /* a connection, nothing said */
/* Attach with a right hello and map the ledger. */
void intruder_connect(struct intruder *intruder, enum sl_policy policy, uint32_t quota);
void intruder_leave(struct intruder *intruder);
/* The same sequence in each run. */
uint64_t random_word(void);
/* On some edge more often than chance would have it. */
uint64_t wild_word(void);
/* Wait for something to read (or the end) on it. */
void await_readable(int fd);
/* Wait until the other side has hung up; it may say goodbye first. */
void await_hang_up(int fd);

#endif
