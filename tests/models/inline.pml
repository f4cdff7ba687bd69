/* SPDX-License-Identifier: Apache-2.0 */
/* inline.pml - messages whose body stands in the ring: copied out, never held.
 *
 * Follows ring.c (sl_ring_write: P1-P4, sl_ring_look: T1, sl_ring_copy_inline) and reader.c (try_take
 * of a message that is inline: the copy, an acquire fence, the second look). The publisher asks
 * nobody and overwrites as it likes.
 * Claim: what the reader accepts is one message, whole, and the one that it asked for.
 *
 * Mutations, each of which must fail:
 *  NO_T1_ACQUIRE    words copied before the first look
 *  NO_T3            no second look
 *  NO_T3_ACQUIRE    the second look before the copy (what the fence between them forbids)
 *  NO_P1            standing is not cleared before the words are written
 *  NO_P2            PSO: no release fence between P1 and P3
 *  NO_P4_RELEASE    PSO: the state is stored relaxed
 */
#ifndef R
#define R 2
#endif
#ifndef N
#define N 6
#endif
#define WORDS 2
#define NP     2
#define READER 0
#define PUB    1
#define STATE(seq)   (1 + (seq) % R)
#define WORD(seq, i) (1 + R + ((seq) % R) * WORDS + (i))
#define NADDR        (R + R * WORDS)
#include "memory.pml"

bool done;

proctype Publisher()
{
    byte head, old;
    do
    :: head < N ->
        old = LD(PUB, STATE(head + 1));
#ifndef NO_P1
        if
        :: old & 1 -> store(PUB, STATE(head + 1), old & 254) /* P1 */
        :: else
        fi;
#endif
        old = 0;
#ifndef NO_P2
        fence_release(PUB); /* P2 */
#endif
        store(PUB, WORD(head + 1, 0), head + 1); /* P3 */
        store(PUB, WORD(head + 1, 1), head + 1);
#ifdef NO_P4_RELEASE
        store(PUB, STATE(head + 1), (head + 1) << 1 | 1);
#else
        store_release(PUB, STATE(head + 1), (head + 1) << 1 | 1); /* P4 */
#endif
        head++
    :: else -> break
    od;
    fence_full(PUB);
    done = true
}

proctype Reader()
{
    byte c, state, first, second;
    do
    :: c < N ->
        c++;
#ifdef NO_T1_ACQUIRE
        first = LD(READER, WORD(c, 0));
        second = LD(READER, WORD(c, 1));
#endif
        /* T1; not yet: wait for it */
        d_step { mem[STATE(c)] >> 1 >= c || done -> state = mem[STATE(c)] };
        if
        :: state == (c << 1 | 1) ->
#ifdef NO_T3_ACQUIRE
            state = LD(READER, STATE(c));
#endif
#ifndef NO_T1_ACQUIRE
            first = LD(READER, WORD(c, 0));
            second = LD(READER, WORD(c, 1));
#endif
#if !defined(NO_T3) && !defined(NO_T3_ACQUIRE)
            state = LD(READER, STATE(c)); /* T3 */
#endif
            assert(state != (c << 1 | 1) || (first == c && second == c))
        :: else /* gone */
        fi;
        d_step { state = 0; first = 0; second = 0 }
    :: c < N -> c++ /* pass it over */
    :: else -> break
    od
}

init
{
    atomic { run Drain(READER); run Drain(PUB); run Reader(); run Publisher() }
}
