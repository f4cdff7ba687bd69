/* SPDX-License-Identifier: Apache-2.0 */
/* lossless.pml - a subscriber that misses nothing: its cursor, and the publisher that waits for it.
 *
 * Follows reader.c (sl_reader_attach, T4 in try_take), slots.c (lossless_floor, may_recycle,
 * overwritten_by_next, sl_slots_may_publish, sl_slots_loan) and connection.c (the cursor before
 * attaching stands in nobody's way). Loans are promised entries: several may be out at a time.
 * Claim: every message behind the head that was current when attaching ended stands when the reader
 * comes to it, and is not retired before it is held; and the publisher gets to its last message,
 * also when the subscriber never attaches (a wait for ever is an invalid end state).
 *
 * Which slot a message stands in is known here; that its words are not torn is for take.pml.
 *
 * Parameters: R entries, S slots, N messages, LOANS out at one time, H messages of history wanted.
 * Mutations, each of which must fail:
 *  NO_ATTACH_FENCE  the head is read again without the fence behind the cursor
 *  NO_REREAD        ... or not at all
 *  NO_FENCE         the publisher reads cursors without a fence behind its head
 *  NO_PROMISED      loans that are out do not count
 *  OFF_BY_ONE       the message at the floor may be overwritten
 *  NO_FLOOR         slots of unread messages are recycled
 *  CURSOR_FIRST     the cursor is stored before the hold (what T4 forbids)
 *  CURSOR_ZERO      the cursor counts before its reader has attached
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
#define NP     2
#define READER 0
#define PUB    1
#define HEAD       1
#define CURSOR     2
#define STATE(seq) (3 + (seq) % R)
#define HELD(k)    (3 + R + (k))
#define NADDR      (2 + R + S)
#define NO_CONSTRAINT 254
#include "memory.pml"

byte slot_of[N + 1];

proctype Reader()
{
    byte c, head, now, k, v;
    if
    :: skip
    :: goto out /* connected, and never attaches */
    fi;
    head = LD(READER, HEAD);
    do
    :: skip;
        c = ( head > H -> head - H : 0 );
        store_release(READER, CURSOR, c);
#ifndef NO_ATTACH_FENCE
        fence_full(READER);
#endif
#ifdef NO_REREAD
        break
#else
        now = LD(READER, HEAD);
        if
        :: now == head -> break
        :: else -> head = now
        fi
#endif
    od;
    now = 0;
    do
    :: c < N ->
        c++;
again:
        skip;
        d_step { mem[STATE(c)] >> 1 >= c -> v = mem[STATE(c)] }; /* T1; not yet: wait for it */
        if
        :: v != (c << 1 | 1) -> /* retired, or gone */
            v = 0;
            assert(c <= head);
            store_release(READER, CURSOR, c)
        :: else ->
            v = 0;
            k = slot_of[c];
#ifdef CURSOR_FIRST
            store_release(READER, CURSOR, c);
#endif
            store(READER, HELD(k), 1);
            fence_full(READER); /* T2 */
            if
            :: LD(READER, STATE(c)) != (c << 1 | 1) -> /* T3 */
                store_release(READER, HELD(k), 0);
                k = 0;
                assert(c <= head);
                goto again
            :: else
            fi;
#ifndef CURSOR_FIRST
            store_release(READER, CURSOR, c); /* T4 */
#endif
            store_release(READER, HELD(k), 0);
            k = 0
        fi
    :: else -> break
    od;
out:
    skip
}

byte order[S], order_count, use[S], pending[LOANS], loaned, head;
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

/* slots.c: sl_slots_loan; `k` = S if there is none */
inline loan()
{
    k = S;
    SCAN_FENCE; /* scan_begin in sl_slots_may_publish */
    cursor = LD(PUB, CURSOR);
    if
    :: BLOCKED(cursor)
    :: else ->
        i = 0;
        do
        :: i < order_count && k == S ->
            k = order[i];
            if
            :: use[k] == 0 -> skip
            :: use[k] != 0 && LD(PUB, HELD(k)) != 0 -> k = S
            :: else ->
                cursor = LD(PUB, CURSOR);
                if
                :: !is_retired[k] && UNREAD(use[k], cursor) -> k = S
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
            if :: k == S -> i++ :: else fi
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
    d_step {
        do
        :: order_count < S -> order[order_count] = order_count; order_count++
        :: else -> break
        od
    };
again:
    if
    :: head == N -> goto out
    :: head + loaned < N && loaned < LOANS ->
        loan();
        if
        :: k == S && loaned == 0 -> /* -EAGAIN: tried again when something has changed */
            (mem[CURSOR] != cursor || !BLOCKED(cursor));
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
        k = pending[0]; i = 0;
        do
        :: i + 1 < loaned -> pending[i] = pending[i + 1]; i++
        :: else -> break
        od;
        loaned--; pending[loaned] = 0; i = 0;
        use[k] = head + 1; slot_of[head + 1] = k; order[order_count] = k; order_count++; k = 0;
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
    goto again;
out:
    skip
}

init
{
#ifndef CURSOR_ZERO
    mem[CURSOR] = NO_CONSTRAINT;
#endif
    atomic { run Drain(READER); run Drain(PUB); run Reader(); run Publisher() }
}
