/* SPDX-License-Identifier: Apache-2.0 */
/* lease.pml - holds that outlive their lease: their slot is written, and who reads it learns that.
 *
 * Follows slots.c (begin_lease, take_expired: E1, E2), subscriber.c (sl_frame_check: F1 the bytes,
 * F2 acquire fence, F3 the slot's state) and reader.c (is_counted, set_hold, clear_hold). One slot,
 * which is all that there is: each further message needs it. A frame's bytes are the generation that
 * wrote them. They go past the store buffer, as non-temporal stores and devices do (CACHED: as
 * ordinary stores). A loan may be discarded after it was written. The reader holds up to two frames,
 * reads and lets go in any order, or never.
 * Claim: bytes that were read, and then checked, are the frame's; a frame whose hold did not expire
 * is whole without a check, also while an expired one's hold of the same slot ends; and every hold
 * is older than what the publisher notes as its beginning, so none expires before its lease.
 *
 * How long a lease is, is not of interest: it may be over as soon as its beginning is noted.
 *
 * Mutations, each of which must fail:
 *  NO_E1           the generation moves when the next message is shown, not before its bytes come
 *  NO_E2           no fence between the new generation and the bytes
 *  E2_RELEASE      ... or one that orders ordinary stores only
 *  NO_F2           the state is looked at before the last byte was read (what F2 forbids)
 *  NO_F3           no look
 *  PLAIN_HOLDS     holds are stored as 1 and 0, not counted
 *  NOTE_EARLY      the beginning is noted without the fence behind the retiring
 *  NOT_RETIRED     ... or without the retiring
 */
#ifndef N
#define N 3
#endif
#ifndef LOANS
#define LOANS (N + 1)
#endif
#define R 2
#define NP     2
#define READER 0
#define PUB    1
#define STATE(seq) (1 + (seq) % R)
#define DATA  (1 + R)
#define HELD  (2 + R)
#define SLOT  (3 + R) /* generation << 1 | standing */
#define NADDR (3 + R)
#include "memory.pml"

byte written_by[N + 1];  /* generation of message seq */
bool is_noted[N + 1];    /* its lease has begun */
bool is_expired[N + 1];

inline set_hold()
{
#ifdef PLAIN_HOLDS
    store(READER, HELD, 1)
#else
    add(READER, HELD, 1)
#endif
}

inline clear_hold()
{
#ifdef PLAIN_HOLDS
    store_release(READER, HELD, 0)
#else
    add_release(READER, HELD, 255)
#endif
}

proctype Reader()
{
    byte c, i, seen;
    byte frame[2];
    bool whole;
again:
    skip;
    d_step { i = 0; seen = 0; whole = false };
    if
    :: c < N -> c++; goto take
    :: c < N -> c++; goto again
    :: frame[0] != 0 -> i = 0; goto read
    :: frame[1] != 0 -> i = 1; goto read
    :: goto out /* dies, perhaps with its holds */
    fi;
take:
    if
    :: frame[0] != 0 && frame[1] != 0 -> goto again /* as many as it may */
    :: else
    fi;
    if
    :: LD(READER, STATE(c)) != (c << 1 | 1) -> goto again /* T1: not yet, retired, gone */
    :: else
    fi;
    set_hold();
    fence_full(READER); /* T2 */
    d_step {
        whole = (LD(READER, STATE(c)) == (c << 1 | 1)); /* T3 */
        assert(!whole || !is_noted[c])
    };
    if
    :: whole && frame[0] == 0 -> frame[0] = c
    :: whole && frame[0] != 0 -> frame[1] = c
    :: else -> clear_hold()
    fi;
    goto again;
read:
    skip;
    d_step { /* without a check */
        if
        :: !is_expired[frame[i]] -> assert(LD(READER, DATA) == written_by[frame[i]])
        :: else
        fi
    };
#ifdef NO_F2
    whole = (LD(READER, SLOT) >> 1 == written_by[frame[i]]);
#endif
    seen = LD(READER, DATA); /* F1 */
#if !defined(NO_F2) && !defined(NO_F3)
    whole = (LD(READER, SLOT) >> 1 == written_by[frame[i]]); /* F3 */
#endif
#ifdef NO_F3
    whole = true;
#endif
    assert(!whole || seen == written_by[frame[i]]);
    if
    :: clear_hold(); frame[i] = 0
    :: skip
    fi;
    goto again;
out:
    skip
}

byte head, generation;
bool is_published, is_retired, noted;

inline retire()
{
    store(PUB, SLOT, generation << 1);
    store(PUB, STATE(head), head << 1); /* R1 */
    is_retired = true
}

proctype Publisher()
{
    byte was;
loan:
    if
    :: !is_published -> goto write /* FREE */
    :: else
    fi;
    fence_full(PUB); /* scan_begin */
    if
    :: LD(PUB, HELD) == 0 ->
        if :: !is_retired -> retire() :: else fi;
        fence_full(PUB); /* R2 */
        if
        :: LD(PUB, HELD) == 0 -> goto write /* R3 */
        :: else -> goto loan
        fi
    :: else
    fi;
#ifdef NOT_RETIRED
    if
    :: !noted -> noted = true; is_noted[head] = true; goto loan
    :: else
    fi;
#endif
    if
    :: !is_retired -> /* begin_lease */
        retire();
#ifdef NOTE_EARLY
        noted = true; is_noted[head] = true;
#endif
        fence_full(PUB);
        goto loan
    :: is_retired && !noted -> noted = true; is_noted[head] = true; goto loan
    :: is_retired && noted ->
        /* take_expired */
        is_expired[head] = true;
#ifndef NO_E1
        store(PUB, SLOT, (generation + 1) << 1); /* E1 */
#endif
#if defined(E2_RELEASE)
        fence_release(PUB);
#elif !defined(NO_E2)
        fence_full(PUB); /* E2 */
#endif
        goto write
    fi;
write:
    skip;
    d_step { is_published = false; is_retired = false; noted = false };
    if
    :: generation == LOANS -> goto out
    :: else -> generation++
    fi;
#ifdef CACHED
    store(PUB, DATA, generation);
#else
    mem[DATA] = generation;
#endif
    if
    :: goto loan /* sl_slots_discard */
    :: head < N
    :: head == N -> goto out
    fi;
    /* sl_slots_publish */
    written_by[head + 1] = generation;
    store(PUB, SLOT, generation << 1 | 1);
    was = LD(PUB, STATE(head + 1));
    if
    :: was & 1 -> store(PUB, STATE(head + 1), was & 254) /* P1 */
    :: else
    fi;
    was = 0;
    fence_release(PUB);                                       /* P2 */
    store_release(PUB, STATE(head + 1), (head + 1) << 1 | 1); /* P4 */
    head++;
    is_published = true;
    goto loan;
out:
    skip
}

init
{
    atomic { run Drain(READER); run Drain(PUB); run Reader(); run Publisher() }
}
