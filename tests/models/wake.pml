/* SPDX-License-Identifier: Apache-2.0 */
/* wake.pml - asking to be woken, and waking: nobody sleeps beside a message.
 *
 * Follows reader.c (sl_reader_arm: S1, S2), slots.c (look_around: W2 and the crossing), wake.c, and
 * the two ways of sleeping in subscriber.c: sl_wait (the futex word is read before arming) and
 * connections for epoll (drained before arming). A subscriber may change its way at each sleep.
 * Claim: no sleep for ever (spin finds one as an invalid end state).
 *
 * The request needs no order with its mode: a publisher that reads an old mode has shown its head
 * before, and the subscriber, which looks at the head once more, does not sleep. So the model stores
 * both relaxed, and MODE_FIRST, which reads the mode before the request, must pass.
 *
 * Mutations, each of which must fail:
 *  NO_S2           arm looks at the head again without the fence
 *  NO_LOOK         ... or not at all
 *  NO_W2           look_around reads the requests without the fence behind the head
 *  VALUE_LATE      the futex word is read after arming
 *  DRAIN_LATE      the connection is drained after arming
 */
#ifndef N
#define N 4
#endif
#define NP  2
#define SUB 0
#define PUB 1
#define HEAD    1
#define WAKE_AT 2
#define MODE    3
#define NADDR   3
#define FUTEX      0
#define CONNECTION 1
#include "memory.pml"

byte word;            /* the futex word; its changes are read-modify-writes behind a system call */
bool sleeps_on_word;  /* in the kernel */
bool readable;        /* the connection has a byte */

proctype Publisher()
{
    byte head, old, at;
    bool mode;
    do
    :: head < N ->
        old = head;
        head++;
        store_release(PUB, HEAD, head); /* P5 */
#ifndef NO_W2
        fence_full(PUB); /* W2 */
#endif
#ifdef MODE_FIRST
        mode = LD(PUB, MODE);
        at = LD(PUB, WAKE_AT);
#else
        at = LD(PUB, WAKE_AT);
        mode = LD(PUB, MODE);
#endif
        if
        :: at > old && at <= head -> /* crossing */
            /* a system call empties the buffer; the kernel's lock orders the wake-up */
            if
            :: mode == FUTEX -> atomic { fence_full(PUB); word++; sleeps_on_word = false }
            :: else -> atomic { fence_full(PUB); readable = true }
            fi
        :: else
        fi;
        at = 0; mode = 0
    :: else -> break
    od
}

proctype Subscriber()
{
    byte cursor, value;
    bool mode;
again:
    if
    :: LD(SUB, HEAD) > cursor ->
        cursor = LD(SUB, HEAD);
        if :: cursor == N -> goto out :: else -> goto again fi
    :: else
    fi;
    if :: mode = FUTEX :: mode = CONNECTION fi;
#ifndef VALUE_LATE
    if :: mode == FUTEX -> value = word :: else fi; /* sleep_on */
#endif
#ifndef DRAIN_LATE
    if :: mode == CONNECTION -> readable = false :: else fi; /* drain_link */
#endif
    /* sl_reader_arm */
    store(SUB, MODE, mode);
    store(SUB, WAKE_AT, cursor + 1); /* S1 */
#ifndef NO_S2
    fence_full(SUB); /* S2 */
#endif
#ifndef NO_LOOK
    if
    :: LD(SUB, HEAD) > cursor -> store(SUB, WAKE_AT, 0); goto again /* disarm */
    :: else
    fi;
#endif
#ifdef VALUE_LATE
    if :: mode == FUTEX -> value = word :: else fi;
#endif
#ifdef DRAIN_LATE
    if :: mode == CONNECTION -> readable = false :: else fi;
#endif
    if
    :: mode == FUTEX ->
        /* the kernel compares and sleeps at once */
        atomic { if :: word == value -> sleeps_on_word = true :: else fi };
        !sleeps_on_word
    :: else -> readable
    fi;
    store(SUB, WAKE_AT, 0); /* sl_reader_disarm */
    value = 0;
    goto again;
out:
    skip
}

init
{
    atomic { run Drain(SUB); run Drain(PUB); run Subscriber(); run Publisher() }
}
