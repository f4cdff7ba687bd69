/* SPDX-License-Identifier: Apache-2.0 */
/* memory.pml - shared memory as processors show it, for the models of this folder.
 *
 * Plain Promela is sequentially consistent and cannot see a missing fence. Here each process has a
 * store buffer of B places, and a Drain process beside it moves stores to memory when it likes:
 *
 *   TSO (x86)       in the order in which they were made
 *   PSO (-DPSO)     in any order, but: of one address in order; a release store after all before
 *                   it; nothing over a release fence (BAR). Stands for arm64's stores.
 *
 * Loads are made in program order and find the own buffer first. What an acquire forbids (a load
 * before an earlier one) is therefore written out by a mutation that makes the loads the other way
 * round.
 *
 * The model that includes this defines NP (processes with buffers) and NADDR; addresses begin at 1.
 */
#ifndef B
#define B 4
#endif
#define BAR 255

typedef Buffer { byte a[B]; byte v[B]; bit rel[B]; byte n };
Buffer sb[NP];
byte mem[NADDR + 1];

#if B == 2
#define LD(p, ad) ( sb[p].a[1] == (ad) -> sb[p].v[1] : ( sb[p].a[0] == (ad) -> sb[p].v[0] : mem[ad] ) )
#elif B == 4
#define LD(p, ad) \
    ( sb[p].a[3] == (ad) -> sb[p].v[3] : ( sb[p].a[2] == (ad) -> sb[p].v[2] : \
    ( sb[p].a[1] == (ad) -> sb[p].v[1] : ( sb[p].a[0] == (ad) -> sb[p].v[0] : mem[ad] ))))
#endif

inline put(p, ad, val, is_release)
{
    d_step {
        sb[p].n < B ->
        sb[p].a[sb[p].n] = ad; sb[p].v[sb[p].n] = val; sb[p].rel[sb[p].n] = is_release; sb[p].n++
    }
}
#define store(p, ad, val)         put(p, ad, val, 0)
#define store_release(p, ad, val) put(p, ad, val, 1)
#define fence_full(p)             (sb[p].n == 0)
#ifdef PSO
#define fence_release(p)          put(p, BAR, 0, 0)
#else
#define fence_release(p)          skip
#endif

/* Read-modify-write. On x86 it empties the buffer; else only a release does. */
#ifdef PSO
#define HAS(p, i, ad) (sb[p].a[i] == (ad))
#if B == 2
#define PENDING(p, ad) (HAS(p, 0, ad) || HAS(p, 1, ad))
#else
#define PENDING(p, ad) (HAS(p, 0, ad) || HAS(p, 1, ad) || HAS(p, 2, ad) || HAS(p, 3, ad))
#endif
#else
#define PENDING(p, ad) (sb[p].n > 0)
#endif
#define add(p, ad, by)         d_step { !PENDING(p, ad) -> mem[ad] = mem[ad] + (by) }
#define add_release(p, ad, by) d_step { sb[p].n == 0 -> mem[ad] = mem[ad] + (by) }

inline drain_one(p, i)
{
    if
    :: sb[p].a[i] != BAR -> mem[sb[p].a[i]] = sb[p].v[i]
    :: else
    fi;
    j = i;
    do
    :: j + 1 < sb[p].n ->
        sb[p].a[j] = sb[p].a[j + 1]; sb[p].v[j] = sb[p].v[j + 1]; sb[p].rel[j] = sb[p].rel[j + 1];
        j++
    :: else -> break
    od;
    sb[p].n--;
    sb[p].a[sb[p].n] = 0; sb[p].v[sb[p].n] = 0; sb[p].rel[sb[p].n] = 0;
    j = 0
}

#define FREE_OF(p, i, k) (sb[p].a[k] != BAR && sb[p].a[k] != sb[p].a[i])
#define OVERTAKES(p, i)  (sb[p].n > i && sb[p].a[i] != BAR && !sb[p].rel[i])

proctype Drain(byte p)
{
    byte j;
end:
    do
    :: d_step { sb[p].n > 0 -> drain_one(p, 0) }
#ifdef PSO
    :: d_step { OVERTAKES(p, 1) && FREE_OF(p, 1, 0) -> drain_one(p, 1) }
#if B == 4
    :: d_step { OVERTAKES(p, 2) && FREE_OF(p, 2, 0) && FREE_OF(p, 2, 1) -> drain_one(p, 2) }
    :: d_step { OVERTAKES(p, 3) && FREE_OF(p, 3, 0) && FREE_OF(p, 3, 1) && FREE_OF(p, 3, 2) ->
                drain_one(p, 3) }
#endif
#endif
    od
}
