/* SPDX-License-Identifier: Apache-2.0 */
/* reclaim.pml - the list of subscribers is replaced, and the old one freed, while it may be scanned.
 *
 * Follows slots.c (scan_begin, scan_end, recycle, replace_scan). List 1 has a subscriber that leaves;
 * list 2 is without it; in list 3 another has come. Freeing a list stands for freeing those who are
 * only in it: their ledgers are unmapped.
 * Claim: nothing is looked at behind its end, and a swap comes to its end.
 * The relay thread looks in the same way (sl_slots_wake), with a flag of its own that a swap waits for.
 *
 * The swap is an exchange, which on x86 is a full barrier and elsewhere is not: a later load may
 * overtake its store. Who comes by a swap within a scan holds nothing before the swap is over, which it
 * is not before the scan is: recycle looks at those whom the scan began with.
 *
 * Mutations, each of which must fail:
 *  NO_BEGIN_FENCE   scan_begin loads the list without the fence
 *  LIST_KEPT        ... or takes the one that it saw the last time
 *  END_EARLY        scanning is cleared before the last look (what its release forbids)
 *  NO_SWAP_FENCE    PSO: replace_scan looks at scanning without the fence
 *  NO_WAIT          ... or does not look
 */
#ifndef SCANS
#define SCANS 3
#endif
#define LISTS 3
#define NP  2
#define SVC 0
#define PUB 1
#define SCANNING 1
#define SCAN     2 /* 0 = list 1: memory begins with 0 */
#define NADDR    2
#include "memory.pml"

bool freed[LISTS];

proctype Publisher()
{
    byte list, scans;
    do
    :: scans < SCANS ->
        scans++;
        store(PUB, SCANNING, 1);
#ifndef NO_BEGIN_FENCE
        fence_full(PUB); /* R2, W2 */
#endif
#ifdef LIST_KEPT
        if :: scans == 1 -> list = LD(PUB, SCAN) :: else fi;
#else
        list = LD(PUB, SCAN);
#endif
        assert(!freed[list]);
        fence_full(PUB); /* recycle: R2 */
#ifdef END_EARLY
        store(PUB, SCANNING, 0);
#endif
        assert(!freed[list]);
#ifndef END_EARLY
        store_release(PUB, SCANNING, 0); /* scan_end */
#endif
    :: else -> break
    od
}

proctype Service()
{
    byte list;
    do
    :: list < LISTS - 1 ->
#ifdef PSO
        store_release(SVC, SCAN, list + 1);
#else
        d_step { sb[SVC].n == 0 -> mem[SCAN] = list + 1 };
#endif
#ifndef NO_SWAP_FENCE
        fence_full(SVC);
#endif
#ifndef NO_WAIT
        LD(SVC, SCANNING) == 0;
#endif
        freed[list] = true;
        list++
    :: else -> break
    od
}

init
{
    atomic { run Drain(SVC); run Drain(PUB); run Service(); run Publisher() }
}
