/* SPDX-License-Identifier: Apache-2.0 */
/* crash.h - what the processes of the crash test tell each other, and who they are.
 *
 * Life:    crash_board_open(true) by the test, (false) by each of its children
 * Owner:   the file "board" in the test's folder; who writes what stands beside it
 * Threads: atomics, any
 */
#ifndef SL_TESTS_SHM_CRASH_H
#define SL_TESTS_SHM_CRASH_H

#include "tests/shm/failpoint.h"
#include "tests/shm/support.h"

#include <stdatomic.h>

#define FRAMES "/frames"
#define EVERY  "/every"

enum {
    SLOT = 64 << 10,
    QUOTA = 4,
    LIVING_HOLD = QUOTA + 1,             /* of /frames: the two that survive */
    SLOTS = 1 + LIVING_HOLD + QUOTA + 1, /* a loan, their holds, a victim's, the newest */
    PROBE = SLOTS - LIVING_HOLD,         /* what the living cannot hold */
    FIRST = 6, /* messages that stand until the survivors have found them */
    RUNS_MAX = 1 << 17,
};

/* Readers by number. The first ones survive; a guest comes and goes, and looks. */
enum reader_kind {
    HOARDER, /* holds its full quota; sleeps on the futex */
    POLLER,  /* holds one; sleeps in poll() */
    KEEPER,  /* lossless, of /every */
    SURVIVORS,
    GUEST = SURVIVORS,
    VICTIM_HOARDER,
    VICTIM_POLLER,
    VICTIM_KEEPER,
    READER_KINDS
};

/* One instance of a publisher. A message's stamp is run << 32 | seq, and seeds its bytes. */
struct run {
    _Atomic uint64_t begun;       /* messages, the one included that is being published */
    _Atomic uint64_t shown;       /* those that readers can see */
    _Atomic bool is_uncertain;    /* killed from beside: begun or one less were shown */
    _Atomic bool seen[SURVIVORS]; /* that reader found it */
};

struct board {
    /* The test. */
    _Atomic bool is_dead; /* the victim was waited for */
    _Atomic bool stop;    /* no more messages */
    _Atomic bool drained; /* there are none left that are not shown */
    _Atomic uint64_t random;
    _Atomic uint32_t victim; /* enum reader_kind */
    /* The victim, at its fail point. */
    _Atomic uint64_t killed_ns;
    /* Who saw that it made no difference: the publisher, or the survivors of one. */
    _Atomic uint64_t recovered_ns[SURVIVORS];
    _Atomic uint64_t failed_loans;
    _Atomic uint64_t successor; /* the run that follows the killed one */

    _Atomic uint64_t run_count;
    _Atomic uint64_t published, checked_bytes;
    _Atomic uint64_t read[READER_KINDS], lost[READER_KINDS];
    struct run run[RUNS_MAX];
};
extern struct board *board;

void crash_board_open(bool create);
void crash_board_close(void); /* and remove it */

/* What a role is told: readers on their command line, publishers when they were found. */
struct order {
    enum sl_failpoint point;
    uint32_t nth; /* 0 = nothing happens there */
    uint32_t kind;
    bool stops; /* by SIGSTOP, instead of dying */
};
uint64_t crash_order_pack(struct order order);
struct order crash_order_of(uint64_t argument);

uint64_t crash_random(void);
void crash_nap_us(uint64_t us);

/* Roles. A publisher that stands by until it is told, opens, waits until it is found, and, told its
 * order, goes on until it is killed; one that stays; and a reader of any kind. */
int crash_publish(uint64_t unused);
int crash_serve(uint64_t unused);
int crash_read(uint64_t order);

#endif
