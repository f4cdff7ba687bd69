/* SPDX-License-Identifier: Apache-2.0 */
/* quota.pml - counting what a reader holds while it takes and releases.
 *
 * Follows slots.c (holds_of, drop_unlawful_holders). The ledger is read slot by slot, so a hold that
 * ends and one that begins meanwhile may both be seen. Only what is held in two passes was held at
 * one moment, the one between them: a slot that is released cannot be taken again during the count,
 * because only the counting thread publishes.
 * Claim: a reader that keeps to its quota is not revoked; one that does not is.
 * Only loads are in question, which neither TSO nor PSO reorders: what the acquire of each (R3)
 * forbids is a mutation of its own.
 *
 * Mutations, each of which must fail:
 *  ONE_PASS     what is seen in one pass is believed
 *  NO_ACQUIRE   loads of the second pass go before loads of the first
 */
#ifndef S
#define S 4
#endif
#ifndef QUOTA
#define QUOTA 2
#endif
bool held[S], was_taken[S];
byte holds;

active proctype Reader()
{
    byte k;
    do
    :: holds < QUOTA ->
        k = 0;
        do :: k < S - 1 -> k++ :: break od;
        if
        :: atomic { !was_taken[k] -> was_taken[k] = true; held[k] = true; holds++ }
        :: was_taken[k]
        fi
    :: holds > 0 ->
        k = 0;
        do :: k < S - 1 -> k++ :: break od;
        if
        :: atomic { held[k] -> held[k] = false; holds-- }
        :: !held[k]
        fi
    :: break
    od
}

active proctype Publisher()
{
    byte i, count;
    bool first[S], second[S];
    do
    :: i < S -> first[i] = held[i];
#ifdef NO_ACQUIRE
        second[i] = held[i];
#endif
        i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < S ->
#ifdef ONE_PASS
        count = count + first[i];
#else
#ifndef NO_ACQUIRE
        second[i] = held[i];
#endif
        if :: first[i] && second[i] -> count++ :: else fi;
#endif
        i++
    :: else -> break
    od;
    assert(count <= QUOTA)
}
