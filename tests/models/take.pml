/* SPDX-License-Identifier: Apache-2.0 */
/* take.pml - publish, take, retire and recycle of slots with one message each.
 *
 * Follows ring.c (P1-P5, T1, R1), reader.c (T2-T4) and slots.c (recycle, recycle_now, look_around).
 * Claim: a reader that holds a message finds its bytes, whatever the publisher does meanwhile; also
 * when the ring has wrapped over the message's entry, when slots are retired in
 * batches ahead of need, when the hold is released by another thread, and when a reader dies.
 *
 * Left out, as it decides nothing here: cursors (lossless.pml), waking (wake.pml), inline bodies
 * (inline.pml), slots of several messages (shared.pml).
 *
 * A reader may pass messages over at any time (policies, catch_up, late attaching) and gives up at
 * any time; what it sees at T1 is any message.
 *
 * Parameters: R entries, S slots, N messages, AHEAD slots retired at one time, READERS; THREADS: another thread releases;
 *             CRASH: a reader may be killed at any point, and another comes after it.
 * Mutations, each of which must fail:
 *  NO_T2            hold and look again without the full fence
 *  NO_T3            no second look
 *  NO_T1_ACQUIRE    words loaded before the state
 *  NO_R2            ledgers read without the fence after retiring
 *  R2_IF_CLEARED    the fence only if the entry still was the message's
 *  NO_R1_COMPARE    the entry is cleared, whosever it is: a newer message is lost (asserted)
 *  NO_R1            the slot is given out without retiring its message
 *  NO_LOOK          the ledgers are not looked at again after retiring
 *  NO_P1            standing is not cleared before the words are written
 *  NO_P2            PSO: no release fence between P1 and P3
 *  NO_P4_RELEASE    PSO: the state is stored relaxed
 *  NO_RELEASE       the hold is cleared before the last read (what its release forbids)
 *  NO_R3_ACQUIRE    the slot is written before the look (what its acquire forbids)
 *  FALSE_DEATH      a reader that lives is thought dead
 */
#ifndef R
#define R 2
#endif
#ifndef S
#define S 2
#endif
#ifndef N
#define N 4
#endif
#ifndef AHEAD
#define AHEAD 1
#endif
#ifndef READERS
#define READERS 1
#endif
#ifdef CRASH
#define LEDGERS (READERS + 1)
#else
#define LEDGERS READERS
#endif
#ifdef THREADS
#define NP (LEDGERS + 2)
#define HELPER (LEDGERS + 1)
#else
#define NP (LEDGERS + 1)
#endif
#define PUB LEDGERS

#define STATE(seq)   (1 + (seq) % R)
#define WORD(seq)    (1 + R + (seq) % R)
#define DATA(k)      (1 + 2 * R + (k))
#define HELD(l, k)   (1 + 2 * R + S + (l) * S + (k))
#define NADDR        (2 * R + S + LEDGERS * S)
#include "memory.pml"

bool done, dead[LEDGERS];
bool retired[N + 1]; /* what the publisher meant to retire; for NO_R1_COMPARE */
#ifdef THREADS
chan to_helper = [0] of { byte, byte }; /* slot, seq */
#endif

mtype:status = { FREE, LOANED, PUBLISHED, RETIRED };

#ifdef CRASH
#define MAY_DIE if :: skip :: !dead[0] && me == 0 -> goto killed fi
#else
#define MAY_DIE skip
#endif

/* reader.c: clear_hold, behind the last read of the frame's bytes. */
inline read_and_release(p, ledger, k, seq)
{
    assert(LD(p, DATA(k)) == seq);
#ifdef NO_RELEASE
    store(p, HELD(ledger, k), 0);
    assert(LD(p, DATA(k)) == seq)
#else
    assert(LD(p, DATA(k)) == seq);
    store_release(p, HELD(ledger, k), 0)
#endif
}

proctype Reader(byte me)
{
    byte c, v, k;
#ifdef CRASH
    if :: me > 0 -> (dead[me - 1] || done) :: else fi;
#endif
again:
    do
    :: c < N -> c++; goto take /* take what comes next */
    :: c < N -> c++            /* pass it over */
    :: goto out                /* close */
    od;
take:
    k = 0;
#ifdef NO_T1_ACQUIRE
    k = LD(me, WORD(c));
#endif
    /* T1; not yet: wait for it */
    d_step { mem[STATE(c)] >> 1 >= c || done -> v = mem[STATE(c)] };
    if
    :: v != (c << 1 | 1) -> v = 0; k = 0; goto again /* gone, retired */
    :: else -> v = 0
    fi;
#ifndef NO_T1_ACQUIRE
    k = LD(me, WORD(c));
#endif
    MAY_DIE;
    store(me, HELD(me, k), 1); /* set_hold */
#ifndef NO_T2
    fence_full(me); /* T2 */
#endif
    MAY_DIE;
#ifndef NO_T3
    if
    :: LD(me, STATE(c)) != (c << 1 | 1) -> /* T3 */
        store_release(me, HELD(me, k), 0); /* clear_hold */
        goto take                          /* look again */
    :: else
    fi;
#endif
    MAY_DIE;
#ifdef THREADS
    to_helper ! k, c; /* a frame handed to another thread, properly */
#else
    read_and_release(me, me, k, c);
#endif
    k = 0;
    goto again;
#ifdef CRASH
killed:
    c = 0; k = 0; v = 0;
    fence_full(me); /* what a dead process stored is visible before the kernel tells of its death */
    dead[me] = true;
#endif
out:
    c = 0; k = 0; v = 0;
#ifdef CRASH
    if :: me == 0 && !dead[0] -> fence_full(me); dead[me] = true :: else fi
#endif
}

#ifdef THREADS
proctype Helper()
{
    byte k, seq;
end:
    do
    :: to_helper ? k, seq -> read_and_release(HELPER, 0, k, seq); k = 0; seq = 0
    od
}
#endif

mtype:status status[S] = FREE;
byte use[S];              /* seq of the slot's message */
byte order[S], order_count;
byte ahead[S], ahead_count, head;
bool died[LEDGERS];       /* the publisher's verdict: fate */

inline remove_from_order(at)
{
    j = at;
    do
    :: j + 1 < order_count -> order[j] = order[j + 1]; j++
    :: else -> break
    od;
    order_count--; order[order_count] = 0; j = 0
}

/* slots.c: anyone_holds */
inline look(k)
{
    held = false; l = 0;
    do
    :: l < LEDGERS && !died[l] -> held = held || LD(PUB, HELD(l, k)) != 0; l++
    :: l < LEDGERS && died[l] -> l++
    :: l == LEDGERS -> l = 0; break
    od
}

/* slots.c: retire; ring.c: sl_ring_retire */
inline retire(k)
{
    cleared = false;
#ifndef NO_R1
    if
    :: status[k] == PUBLISHED ->
        status[k] = RETIRED;
        retired[use[k]] = true;
#ifdef NO_R1_COMPARE
        store(PUB, STATE(use[k]), use[k] << 1)
#else
        if
        :: LD(PUB, STATE(use[k])) == (use[k] << 1 | 1) -> /* R1 */
            store(PUB, STATE(use[k]), use[k] << 1); cleared = true
        :: else
        fi
#endif
    :: else
    fi
#endif
}

#ifdef NO_R3_ACQUIRE
#define EARLY_WRITE(k) store(PUB, DATA(k), head + 1)
#else
#define EARLY_WRITE(k) skip
#endif

/* slots.c: recycle, with retire_oldest (PASSED_MAX only lets it pass more) */
inline recycle(is_ahead, most)
{
    i = 0; count = 0; cleared = false;
    do
    :: i < order_count && count < most ->
        k = order[i];
        if
        :: status[k] == FREE || status[k] == PUBLISHED && is_ahead && use[k] == head -> held = false
        :: else -> look(k) /* commits to nothing */
        fi;
        if
        :: !held && (status[k] != PUBLISHED || !(is_ahead && use[k] == head)) ->
            retire(k);
            place[count] = i; count++
        :: else
        fi;
        i++
    :: else -> break
    od;
    atomic { i = 0; k = 0; held = false };
    if
    :: count > 0 ->
#if defined(R2_IF_CLEARED)
        if :: cleared -> fence_full(PUB) :: else fi;
#elif !defined(NO_R2)
        fence_full(PUB); /* R2 */
#endif
        do
        :: count > 0 ->
            count--;
            k = order[place[count]];
            if :: status[k] == FREE || status[k] == PUBLISHED :: else -> EARLY_WRITE(k) fi;
#ifdef NO_LOOK
            held = false;
#else
            if :: status[k] == FREE -> held = false :: else -> look(k) fi; /* R3 */
#endif
            if
            :: !held ->
                d_step { remove_from_order(place[count]); ahead[ahead_count] = k; ahead_count++ }
            :: else -> held = false
            fi;
            place[count] = 0
        :: else -> break
        od
    :: else
    fi;
    atomic { k = 0; cleared = false }
}

proctype Publisher()
{
    byte i, j, l, k, count, place[AHEAD];
    bool held, cleared;
    d_step {
        do
        :: order_count < S -> order[order_count] = order_count; order_count++
        :: else -> break
        od
    };
loan:
    if
    :: head == N -> goto out
    :: head < N && ahead_count > 0 -> goto write
    :: else
    fi;
    /* recycle_now */
    recycle(true, AHEAD);
    if :: ahead_count == 0 -> recycle(false, 1) :: else fi;
    if
    :: ahead_count == 0 ->
        /* drop_unlawful_holders: asked after retiring, the kernel knows */
        d_step {
            l = 0;
            do
            :: l < LEDGERS -> died[l] = died[l] || dead[l]; l++
            :: else -> break
            od;
            l = 0
        };
#ifdef FALSE_DEATH
        if :: died[0] = true :: skip fi;
#endif
        goto loan /* -EAGAIN: the caller tries again */
    :: else
    fi;
write:
    atomic { ahead_count--; k = ahead[ahead_count]; ahead[ahead_count] = 0; status[k] = LOANED };
    store(PUB, DATA(k), head + 1);
    /* sl_slots_publish */
    d_step { use[k] = head + 1; status[k] = PUBLISHED; order[order_count] = k; order_count++ };
    /* sl_ring_write */
    l = LD(PUB, STATE(head + 1));
#ifdef NO_R1_COMPARE
    assert(head + 1 <= R || retired[head + 1 - R] || l == ((head + 1 - R) << 1 | 1));
#endif
#ifndef NO_P1
    if
    :: l & 1 -> store(PUB, STATE(head + 1), l & 254) /* P1 */
    :: else
    fi;
#endif
    l = 0;
#ifndef NO_P2
    fence_release(PUB); /* P2 */
#endif
    store(PUB, WORD(head + 1), k); /* P3 */
#ifdef NO_P4_RELEASE
    store(PUB, STATE(head + 1), (head + 1) << 1 | 1);
#else
    store_release(PUB, STATE(head + 1), (head + 1) << 1 | 1); /* P4 */
#endif
    head++; /* P5: see lossless.pml */
    k = 0;
    /* look_around; its fence in scan_begin is not needed here: see wake.pml, reclaim.pml */
    if :: ahead_count == 0 -> recycle(true, AHEAD) :: else fi;
    goto loan;
out:
    done = true
}

init
{
    byte p;
    atomic {
        do
        :: p < NP -> run Drain(p); p++
        :: else -> break
        od;
        p = 0;
        do
        :: p < LEDGERS -> run Reader(p); p++
        :: else -> break
        od;
        p = 0;
#ifdef THREADS
        run Helper();
#endif
        run Publisher()
    }
}
