/* SPDX-License-Identifier: Apache-2.0 */
/* lossless.pml - a subscriber that misses nothing: its cursor, and the publisher that waits for it.
 *
 * Follows connection.c (attach: the head, the cursor, the counting, the welcome), reader.c
 * (sl_ring_reader_attach, T4 in try_take), slots.c (lossless_floor, may_recycle, overwritten_by_next,
 * sl_slots_may_publish, sl_slots_loan). Loans are promised entries: several may be out at a time, but
 * with the message to come not more than the ring has: who is counted while they are out was not
 * looked for when they were made. So the count of lossless subscribers may be read before any fence:
 * who is counted behind that look is promised nothing that the messages to come overwrite. (Loads are
 * in order here; in the code this one stays behind the last message's head by the fence W2, with which
 * each publishing ends.) With INLINES, messages without a slot are published between the others.
 * Claim: every message behind the head of the moment at which it was counted stands when the reader
 * comes to it, and is not retired before it is held; the reader does not begin behind that head; and
 * the publisher gets to its last message, also when the subscriber hangs up without attaching (a
 * wait for ever is an invalid end state).
 *
 * LOOSE is sl_ring_reader_attach by itself, over a ledger whose cursor stands in nobody's way before: its
 * own promise, that of the head that is current when it returns. Where the publisher counts the
 * subscriber by a cursor of its own before, as connection.c does, the fence and the second look of
 * attaching are not needed (NO_REREAD must pass); they do not cost anything that matters.
 *
 * Which slot a message stands in is known here; that its words are not torn is for take.pml.
 *
 * Parameters: R entries, S slots, N messages, LOANS out at one time, H messages of history wanted,
 * INLINES.
 * Mutations, each of which must fail:
 *  NO_ATTACH_FENCE  LOOSE: the head is read again without the fence behind the cursor
 *  NO_REREAD        LOOSE: ... or not at all
 *  NO_COUNT_FENCE   it is welcomed before the publisher sees that it counts
 *  HEAD_LATE        the welcome tells of the head behind the counting
 *  UNBOUND          it is counted, and its cursor stands in nobody's way until it attaches
 *  NO_FENCE         the publisher reads cursors without a fence behind its head
 *  NO_PROMISED      loans that are out do not count
 *  NO_LIMIT         more messages may be promised than the ring has entries
 *  OFF_BY_ONE       the message at the floor may be overwritten
 *  NO_FLOOR         slots of unread messages are recycled
 *  CURSOR_FIRST     the cursor is stored before the hold (what T4 forbids)
 *  CURSOR_ZERO      LOOSE: the cursor counts before its reader has attached
 */
#ifndef R
#define R 2
#endif
#ifndef S
#define S 3
#endif
#ifndef N
#define N 5
#endif
#ifndef LOANS
#define LOANS 2
#endif
#ifndef H
#define H 0
#endif
#ifdef LOOSE
#define NP     2
#else
#define NP     3
#define SVC    2
#endif
#define READER 0
#define PUB    1
#define HEAD       1
#define CURSOR     2
#define LISTED     3 /* the subscriber is in the scan list */
#define COUNT      4 /* lossless_count */
#define STATE(seq) (5 + (seq) % R)
#define HELD(k)    (5 + R + (k))
#define NADDR      (4 + R + S)
#define NO_CONSTRAINT 254
#include "memory.pml"

byte slot_of[N + 1];
byte head;         /* the publisher's */
byte promise;      /* what is behind this head, is not lost */

#ifndef LOOSE
chan welcome = [1] of { byte };
bool has_hung_up;

/* connection.c: attach; drop_connection */
proctype Service()
{
    byte h;
#ifndef HEAD_LATE
    h = LD(SVC, HEAD);
#endif
#ifdef UNBOUND
    store(SVC, CURSOR, NO_CONSTRAINT);
#else
    store(SVC, CURSOR, h);
#endif
    store_release(SVC, COUNT, 1);
    store_release(SVC, LISTED, 1); /* sl_slots_add_peer */
#ifndef NO_COUNT_FENCE
    fence_full(SVC);
#endif
    promise = ( mem[HEAD] > head -> mem[HEAD] : head );
#ifdef HEAD_LATE
    h = LD(SVC, HEAD);
#endif
    welcome ! h;
    h = 0;
    has_hung_up;
    store_release(SVC, COUNT, 0);
    store_release(SVC, LISTED, 0);
    fence_full(SVC)
}
#endif

/* reader.c: first_cursor; `at` is where the reader wants to begin */
#define LEAST(head)     ((head) > R -> (head) - R : 0)
#define FIRST(at, head) ((at) < LEAST(head) -> LEAST(head) : ((at) < (head) -> (at) : (head)))

proctype Reader()
{
    byte c, seen, now, k, v, at;
    if
    :: skip
    :: goto out /* connected, and never attaches */
    fi;
#ifdef LOOSE
    at = 99; /* the newest */
#else
    welcome ? at;
    at = ( at > H -> at - H : 0 );
#endif
    seen = LD(READER, HEAD);
    do
    :: skip;
#ifdef LOOSE
        c = ( seen > H -> seen - H : 0 );
#else
        c = FIRST(at, seen);
#endif
        store_release(READER, CURSOR, c);
#ifndef NO_ATTACH_FENCE
        fence_full(READER);
#endif
#ifdef NO_REREAD
        break
#else
        now = LD(READER, HEAD);
        if
        :: now == seen -> break
        :: else -> seen = now
        fi
#endif
    od;
    now = 0; at = 0;
#ifdef LOOSE
    promise = seen;
#endif
    assert(c <= promise);
    do
    :: c < N ->
        c++;
again:
        skip;
        d_step { mem[STATE(c)] >> 1 >= c -> v = mem[STATE(c)] }; /* T1; not yet: wait for it */
        if
        :: v != (c << 1 | 1) -> /* retired, or gone */
            v = 0;
            assert(c <= promise);
            store_release(READER, CURSOR, c)
        :: else ->
            v = 0;
            k = slot_of[c];
#ifdef INLINES
            if
            :: k == S -> /* the words are copied here */
                k = 0;
                if
                :: LD(READER, STATE(c)) != (c << 1 | 1) -> assert(c <= promise); goto again /* T3 */
                :: else -> store_release(READER, CURSOR, c); goto next
                fi
            :: else
            fi;
#endif
#ifdef CURSOR_FIRST
            store_release(READER, CURSOR, c);
#endif
            store(READER, HELD(k), 1);
            fence_full(READER); /* T2 */
            if
            :: LD(READER, STATE(c)) != (c << 1 | 1) -> /* T3 */
                store_release(READER, HELD(k), 0);
                k = 0;
                assert(c <= promise);
                goto again
            :: else
            fi;
#ifndef CURSOR_FIRST
            store_release(READER, CURSOR, c); /* T4 */
#endif
            store_release(READER, HELD(k), 0);
            k = 0
        fi;
next:
        skip
    :: else -> break
    od;
out:
#ifdef LOOSE
    skip
#else
    has_hung_up = true
#endif
}

byte order[S], order_count, use[S], pending[LOANS], loaned;
bool is_retired[S];

inline remove_from_order(at)
{
    j = at;
    do
    :: j + 1 < order_count -> order[j] = order[j + 1]; j++
    :: else -> break
    od;
    order_count--; order[order_count] = 0; j = 0
}

#ifdef NO_FENCE
#define SCAN_FENCE skip
#else
#define SCAN_FENCE fence_full(PUB)
#endif
#ifdef NO_PROMISED
#define NEXT (head + 1)
#else
#define NEXT (head + loaned + 1)
#endif
#ifdef NO_LIMIT
#define FITS true
#else
#define FITS (loaned < R)
#endif
#ifdef OFF_BY_ONE
#define BLOCKED(cursor) (NEXT > R && (cursor) + 1 < NEXT - R)
#else
#define BLOCKED(cursor) (NEXT > R && (cursor) + 1 <= NEXT - R)
#endif
#ifdef NO_FLOOR
#define UNREAD(seq, cursor) false
#else
#define UNREAD(seq, cursor) ((seq) >= (cursor) + 1)
#endif

/* lossless_floor, less one */
#ifdef LOOSE
#define FLOOR cursor = LD(PUB, CURSOR)
#define HAS_CHANGED (mem[CURSOR] != cursor)
#define HAS_LOSSLESS true
#else
#define HAS_LOSSLESS (LD(PUB, COUNT) != 0)
#define FLOOR \
    if :: HAS_LOSSLESS && LD(PUB, LISTED) -> cursor = LD(PUB, CURSOR) \
       :: else -> cursor = NO_CONSTRAINT fi
#define HAS_CHANGED (mem[CURSOR] != cursor || !mem[COUNT] || !mem[LISTED])
#endif

/* slots.c: sl_slots_may_publish; then BLOCKED(cursor) says. */
inline may_publish()
{
    if
    :: HAS_LOSSLESS -> SCAN_FENCE; FLOOR
    :: else -> cursor = NO_CONSTRAINT
    fi
}

/* slots.c: sl_slots_loan; `k` = S if there is none */
inline loan()
{
    k = S;
    may_publish();
    if
    :: BLOCKED(cursor)
    :: else ->
        SCAN_FENCE; /* recycle_now */
        i = 0;
        d_step {
            had_retired = false;
            do
            :: i < order_count -> had_retired = had_retired || is_retired[order[i]]; i++
            :: else -> i = 0; break
            od
        };
        do
        :: i < order_count && k == S ->
            k = order[i];
            if :: use[k] != 0 && !is_retired[k] -> FLOOR :: else fi;
            if
            :: use[k] == 0 -> skip
            :: use[k] != 0 && !is_retired[k] && UNREAD(use[k], cursor) ->
                k = S;
                if :: !had_retired -> i = order_count :: else fi /* none behind it may go */
            :: else ->
                if
                :: LD(PUB, HELD(k)) != 0 -> k = S
                :: else ->
                    if
                    :: !is_retired[k] && LD(PUB, STATE(use[k])) == (use[k] << 1 | 1) ->
                        store(PUB, STATE(use[k]), use[k] << 1) /* R1 */
                    :: else
                    fi;
                    is_retired[k] = true;
                    fence_full(PUB); /* R2 */
                    if :: LD(PUB, HELD(k)) != 0 -> k = S :: else fi /* R3 */
                fi
            fi;
            if :: k == S && i < order_count -> i++ :: else fi
        :: else -> break
        od;
        if
        :: k < S ->
            d_step {
                remove_from_order(i);
                use[k] = 0; is_retired[k] = false; pending[loaned] = k; loaned++
            }
        :: else
        fi;
        i = 0
    fi
}

proctype Publisher()
{
    byte i, j, k, cursor;
    bool had_retired;
    d_step {
        do
        :: order_count < S -> order[order_count] = order_count; order_count++
        :: else -> break
        od
    };
again:
    if
    :: head == N -> goto out
#ifdef INLINES
    :: head + loaned < N && FITS ->
        may_publish();
        if
        :: BLOCKED(cursor) && loaned == 0 ->
            (HAS_CHANGED || !BLOCKED(cursor));
            cursor = 0;
            goto again
        :: BLOCKED(cursor) && loaned > 0
        :: !BLOCKED(cursor) -> k = S
        fi;
        cursor = 0
#endif
    :: head + loaned < N && loaned < LOANS && FITS ->
        loan();
        if
        :: k == S && loaned == 0 -> /* -EAGAIN: tried again when something has changed */
            (HAS_CHANGED || !BLOCKED(cursor));
            d_step { k = 0; cursor = 0 };
            goto again
        :: k == S && loaned > 0
        :: k < S && loaned < LOANS -> d_step { k = 0; cursor = 0 }; goto again
        :: else
        fi;
        d_step { k = 0; cursor = 0 }
    :: head < N && loaned > 0
    fi;
    /* sl_slots_publish */
    d_step {
        if
        :: k == S /* inline: no slot */
        :: else ->
            k = pending[0]; i = 0;
            do
            :: i + 1 < loaned -> pending[i] = pending[i + 1]; i++
            :: else -> break
            od;
            loaned--; pending[loaned] = 0; i = 0;
            use[k] = head + 1; order[order_count] = k; order_count++
        fi;
        slot_of[head + 1] = k; k = 0;
        j = LD(PUB, STATE(head + 1))
    };
    if
    :: j & 1 -> store(PUB, STATE(head + 1), j & 254) /* P1 */
    :: else
    fi;
    j = 0;
    fence_release(PUB);                                       /* P2 */
    store_release(PUB, STATE(head + 1), (head + 1) << 1 | 1); /* P4 */
    store_release(PUB, HEAD, head + 1);                       /* P5 */
    head++;
    SCAN_FENCE; /* W2, in look_around */
    goto again;
out:
    skip
}

init
{
#if defined(LOOSE) && !defined(CURSOR_ZERO)
    mem[CURSOR] = NO_CONSTRAINT;
#endif
#ifndef LOOSE
    atomic { run Drain(SVC); run Service() };
#endif
    atomic { run Drain(READER); run Drain(PUB); run Reader(); run Publisher() }
}
