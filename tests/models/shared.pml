/* SPDX-License-Identifier: Apache-2.0 */
/* shared.pml - slots in which several messages stand, mixed with slots of one message.
 *
 * Follows slots.c (sl_slots_publish with `last` false and true, retire) and reader.c (set_hold,
 * clear_hold, slot_stands). A shared slot is retired by its own word `generation << 1 | standing`;
 * its entries keep standing. A ledger counts the messages held of a slot; they are released by the
 * taker and by another thread. An entry has two words here (slot; generation and the shared flag),
 * so that a torn copy can name one message's slot with another one's flag.
 * Claim: as take.pml; and no message is lost whose slot was not retired; and a reader does not look
 * for ever at an entry whose slot is gone.
 *
 * Mutations, each of which must fail:
 *  NO_OWN_LOOK     a hold of a slot with one message is set although the slot is held already: the
 *                  copy was torn, and the count of the others is lost
 *  PLAIN_COUNT     the count is not a read-modify-write
 *  PRIVATE_ALWAYS  holds are stored as 1 and 0 whatever the flag says
 *  NO_SLOT_STATE   the slot's word is not looked at
 *  NO_GENERATION   only the standing bit of the slot's word
 *  STATE_LATE      the slot's word is stored behind the entry that shows it
 *  LOOK_AGAIN      an entry whose slot was retired is looked at again instead of passed over
 *  NO_T2 NO_R2     as in take.pml
 */
#ifndef R
#define R 2
#endif
#ifndef S
#define S 3
#endif
#ifndef N
#define N 4
#endif
#define NP     3
#define READER 0
#define HELPER 1
#define PUB    2
#define NONE   99

#define STATE(seq) (1 + (seq) % R)
#define WORD(seq)  (1 + R + (seq) % R)
#define FLAGS(seq) (1 + 2 * R + (seq) % R) /* generation << 1 | shared */
#define DATA(k)    (1 + 3 * R + (k))
#define HELD(k)    (1 + 3 * R + S + (k))
#define SLOT(k)    (1 + 3 * R + 2 * S + (k)) /* generation << 1 | standing */
#define NADDR      (3 * R + 3 * S)
#include "memory.pml"

bool done;
byte loan_of[N + 1];   /* which loan's bytes message seq stands in */
bool is_gone[N + 2];   /* that loan's slot was retired */
chan to_helper = [0] of { byte, bool, byte }; /* slot, shared, loan */

inline set_hold(p, k, shared)
{
#ifdef PRIVATE_ALWAYS
    store(p, HELD(k), 1)
#else
    if
#ifdef PLAIN_COUNT
    :: shared -> n = LD(p, HELD(k)) + 1; store(p, HELD(k), n); n = 0
#else
    :: shared -> add(p, HELD(k), 1)
#endif
    :: !shared -> store(p, HELD(k), 1)
    fi
#endif
}

inline clear_hold(p, k, shared)
{
#ifdef PRIVATE_ALWAYS
    store_release(p, HELD(k), 0)
#else
    if
#ifdef PLAIN_COUNT
    :: shared -> n = LD(p, HELD(k)) - 1; store_release(p, HELD(k), n); n = 0
#else
    :: shared -> add_release(p, HELD(k), 255)
#endif
    :: !shared -> store_release(p, HELD(k), 0)
    fi
#endif
}

proctype Helper()
{
    byte k, loan, n;
    bool shared;
end:
    do
    :: to_helper ? k, shared, loan ->
        assert(LD(HELPER, DATA(k)) == loan);
        clear_hold(HELPER, k, shared);
        k = 0; loan = 0; shared = false
    od
}

proctype Reader()
{
    byte c, v, k, f, n;
    bool late, stands;
again:
    skip;
    d_step { k = 0; f = 0; v = 0; late = false; stands = false };
    do
    :: c < N -> c++; goto take
    :: c < N -> c++
    :: goto out
    od;
take:
    skip;
    d_step { mem[STATE(c)] >> 1 >= c || done -> v = mem[STATE(c)] }; /* T1 */
    if
    :: v != (c << 1 | 1) -> goto again
    :: else -> v = 0
    fi;
    k = LD(READER, WORD(c));
    f = LD(READER, FLAGS(c));
#ifndef NO_OWN_LOOK
    if
    :: !(f & 1) && LD(READER, HELD(k)) != 0 -> k = 0; f = 0; goto take /* torn: look again */
    :: else
    fi;
#endif
    set_hold(READER, k, (f & 1));
#ifndef NO_T2
    fence_full(READER); /* T2 */
#endif
    /* T3: sl_ring_still and slot_stands */
    late = done;
    stands = (LD(READER, STATE(c)) == (c << 1 | 1));
    v = ( f & 1 -> LD(READER, SLOT(k)) : f | 1 );
#if defined(NO_SLOT_STATE)
    v = f | 1;
#elif defined(NO_GENERATION)
    v = ( v & 1 -> f | 1 : 0 );
#endif
    if
    :: stands && v == (f | 1) ->
        assert(LD(READER, DATA(k)) == loan_of[c]);
        if
        :: to_helper ! k, (f & 1), loan_of[c]
        :: assert(LD(READER, DATA(k)) == loan_of[c]); clear_hold(READER, k, (f & 1))
        fi;
        goto again
    :: else
    fi;
    clear_hold(READER, k, (f & 1));
    if
    :: stands ->
        assert(is_gone[loan_of[c]]); /* never because of a message that is still there */
#ifdef LOOK_AGAIN
        assert(!late); /* nobody writes any more, and we still do not get on */
        d_step { k = 0; f = 0; v = 0; late = false; stands = false };
        goto take
#else
        goto again /* passed over: recycled */
#endif
    :: else -> d_step { k = 0; f = 0; v = 0; late = false; stands = false }; goto take
    fi;
out:
    skip
}

bool is_shared[S], is_loaned[S];
byte use[S], loan_in[S], generation[S], order[S], order_count, head, loans;

inline retire(k)
{
    if
    :: loan_in[k] != 0 && !is_gone[loan_in[k]] ->
        is_gone[loan_in[k]] = true;
        store(PUB, SLOT(k), generation[k] << 1);
        if
        :: !is_shared[k] && LD(PUB, STATE(use[k])) == (use[k] << 1 | 1) ->
            store(PUB, STATE(use[k]), use[k] << 1) /* R1 */
        :: else
        fi
    :: else
    fi
}

proctype Publisher()
{
    byte i, j, k;
    d_step {
        do
        :: order_count < S -> order[order_count] = order_count; order_count++
        :: else -> break
        od
    };
loan:
    /* recycle_now, without looking ahead */
    i = 0;
    do
    :: i < order_count ->
        k = order[i];
        retire(k);
#ifndef NO_R2
        fence_full(PUB); /* R2 */
#endif
        if
        :: LD(PUB, HELD(k)) == 0 -> break
        :: else -> i++
        fi
    :: else -> i = 0
    od;
    skip;
    d_step {
        j = i;
        do
        :: j + 1 < order_count -> order[j] = order[j + 1]; j++
        :: else -> break
        od;
        order_count--; order[order_count] = 0; j = 0; i = 0;
        loans++; loan_in[k] = loans; use[k] = 0; is_shared[k] = false
    };
    store(PUB, DATA(k), loans);
    if :: head == N -> goto out :: else fi; /* one loan more than messages: it may still do harm */
    generation[k]++;
publish:
    loan_of[head + 1] = loans;
    if
    :: head + 1 < N && use[k] == 0 -> is_shared[k] = true; i = 1 /* more follow */
    :: i = 0                                                    /* the last */
    fi;
    use[k] = head + 1;
#ifndef STATE_LATE
    store(PUB, SLOT(k), generation[k] << 1 | 1);
#endif
    j = LD(PUB, STATE(head + 1));
    if
    :: j & 1 -> store(PUB, STATE(head + 1), j & 254) /* P1 */
    :: else
    fi;
    j = 0;
    fence_release(PUB);                                              /* P2 */
    store(PUB, WORD(head + 1), k);                                   /* P3 */
    store(PUB, FLAGS(head + 1), generation[k] << 1 | is_shared[k]);  /* P3 */
    store_release(PUB, STATE(head + 1), (head + 1) << 1 | 1);        /* P4 */
#ifdef STATE_LATE
    store(PUB, SLOT(k), generation[k] << 1 | 1);
#endif
    head++;
    if :: i == 1 -> i = 0; goto publish :: else fi;
    d_step { order[order_count] = k; order_count++; k = 0 };
    goto loan;
out:
    fence_full(PUB);
    done = true
}

init
{
    atomic {
        run Drain(READER); run Drain(HELPER); run Drain(PUB);
        run Reader(); run Helper(); run Publisher()
    }
}
