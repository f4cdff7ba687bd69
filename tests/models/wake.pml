/* SPDX-License-Identifier: Apache-2.0 */
/* wake.pml - asking to be woken, and waking: nobody sleeps beside a message.
 *
 * Follows reader.c (sl_ring_reader_arm_for: S1, S2), slots.c (look_around: W2 and the crossing), wake.c, and
 * the two ways of sleeping in subscriber.c: sl_wait (the futex word is read before arming) and
 * connections for epoll (drained before arming). A subscriber may change its way at each sleep.
 * Claim: no sleep for ever (spin finds one as an invalid end state).
 *
 * With BATCH, it asks to be woken when so many messages are there, or when a time is over; if nothing
 * has come by then, it asks for the next one. That time may be so long that only the end of all
 * messages is later: a lost wake-up is then a sleep for ever, as the time helps only where part of a
 * batch is left.
 *
 * With RELAY, the publisher that sees a crossing only notes it and rings (relay.c); the relay looks at
 * the requests once more (slots.c, sl_slots_wake) and wakes, while further messages come.
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
 *  With RELAY:
 *  HEAD_LATE       the relay reads the head behind the requests (what its fence forbids)
 *  DUE_LATE        what is due is taken away after the look
 *  RING_IF_ASLEEP  the relay is not told to look again while it looks
 *  OWN_CROSSING    the relay knows the last head only, and not the one it told of before
 */
#ifndef N
#define N 4
#endif
#ifdef RELAY
#define NP 3
#define RLY 2
#else
#define NP 2
#endif
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

#ifndef BATCH
#define BATCH 1
#endif
bool done; /* nothing comes any more */

#ifdef RELAY
#define AWAKE  0
#define RUNG   1
#define ASLEEP 2
bool is_due, was_due;
byte relay_state;

/* relay.c: sl_relay_ring. The read-modify-writes release what was stored before them. */
inline ring()
{
    d_step { sb[PUB].n == 0 -> was_due = is_due; is_due = true };
    if
    :: !was_due ->
#ifdef RING_IF_ASLEEP
        atomic { if :: relay_state == ASLEEP -> relay_state = RUNG :: else fi }
#else
        atomic { relay_state = RUNG } /* and the kernel wakes it */
#endif
    :: else
    fi
}

proctype Relay()
{
    byte head, at, told;
    bool mode;
end:
    do
    :: relay_state != ASLEEP ->
        relay_state = AWAKE;
        if
        :: is_due ->
#ifndef DUE_LATE
            is_due = false;
#endif
            /* sl_slots_wake */
#ifdef HEAD_LATE
            at = LD(RLY, WAKE_AT);
            mode = LD(RLY, MODE);
            head = LD(RLY, HEAD);
#else
            head = LD(RLY, HEAD);
            at = LD(RLY, WAKE_AT); /* W2 of the relay stands between them */
            mode = LD(RLY, MODE);
#endif
#ifdef OWN_CROSSING
            told = head - 1;
#endif
            if
            :: at > told && at <= head && mode == FUTEX -> atomic { word++; sleeps_on_word = false }
            :: at > told && at <= head && mode == CONNECTION -> readable = true
            :: else
            fi;
            told = head;
            head = 0; at = 0; mode = 0;
#ifdef DUE_LATE
            is_due = false
#endif
        :: else
        fi;
        atomic { if :: relay_state == AWAKE -> relay_state = ASLEEP :: else fi }
    od
}
#endif

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
#ifdef RELAY
            :: true -> ring()
#else
            :: mode == FUTEX -> atomic { fence_full(PUB); word++; sleeps_on_word = false }
            :: else -> atomic { fence_full(PUB); readable = true }
#endif
            fi
        :: else
        fi;
        at = 0; mode = 0
    :: else -> break
    od;
    fence_full(PUB);
    done = true
}

/* the time for a batch is over */
#define OVER (count > 1 && (is_short || (done && mem[HEAD] < cursor + count)))

proctype Subscriber()
{
    byte cursor, value, count;
    bool mode, is_short;
    count = BATCH;
again:
    if
    :: LD(SUB, HEAD) > cursor ->
        cursor = LD(SUB, HEAD);
        count = BATCH;
        if :: cursor == N -> goto out :: else -> goto again fi
    :: else
    fi;
    if :: mode = FUTEX :: mode = CONNECTION fi;
    if :: count > 1 -> is_short = true :: is_short = false fi;
#ifndef VALUE_LATE
    if :: mode == FUTEX -> value = word :: else fi; /* sleep_on */
#endif
#ifndef DRAIN_LATE
    if :: mode == CONNECTION -> readable = false :: else fi; /* drain_link */
#endif
    /* sl_ring_reader_arm_for */
    store(SUB, MODE, mode);
    store(SUB, WAKE_AT, cursor + count); /* S1 */
#ifndef NO_S2
    fence_full(SUB); /* S2 */
#endif
#ifndef NO_LOOK
    if
    :: LD(SUB, HEAD) >= cursor + count -> store(SUB, WAKE_AT, 0); goto again /* disarm */
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
        if
        :: !sleeps_on_word
        :: atomic { sleeps_on_word && OVER -> sleeps_on_word = false; count = 1 }
        fi
    :: mode == CONNECTION && readable
    :: mode == CONNECTION && !readable && OVER -> count = 1
    fi;
    store(SUB, WAKE_AT, 0); /* sl_ring_reader_disarm */
    value = 0;
    goto again;
out:
    skip
}

init
{
#ifdef RELAY
    atomic { relay_state = ASLEEP; run Drain(RLY); run Relay() };
#endif
    atomic { run Drain(SUB); run Drain(PUB); run Subscriber(); run Publisher() }
}
