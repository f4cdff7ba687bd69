/* SPDX-License-Identifier: Apache-2.0 */
/* order.pml - why an entry keeps its message's number when the message is retired.
 *
 * Follows ring.c (sl_ring_look: the four answers) with a reader that takes messages in order, as
 * lossless ones and history do. An entry that said 0 for "retired" would say "not yet" too, and the
 * reader would wait for a message that never comes.
 * Claim: the reader gets to the last message (a wait for ever is an invalid end state).
 * Sequential consistency is enough: the failure is not one of order.
 *
 * Mutation, which must fail:
 *  ZERO   retiring zeroes the state instead of clearing its standing bit
 */
#ifndef R
#define R 2
#endif
#ifndef N
#define N 5
#endif
byte state[R];

active proctype Publisher()
{
    byte seq;
    do
    :: seq < N ->
        seq++;
        state[seq % R] = state[seq % R] & 254; /* P1 */
        state[seq % R] = seq << 1 | 1;         /* P4 */
        if
        :: skip
#ifdef ZERO
        :: state[seq % R] = 0
#else
        :: state[seq % R] = seq << 1 /* R1 */
#endif
        fi
    :: else -> break
    od
}

active proctype Reader()
{
    byte cursor;
    do
    :: cursor < N ->
        state[(cursor + 1) % R] >> 1 >= cursor + 1; /* NOT_YET: wait; else taken, retired or gone */
        cursor++
    :: else -> break
    od
}
