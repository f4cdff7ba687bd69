/* SPDX-License-Identifier: Apache-2.0 */
/* detach.pml - who frees a reader's mapping: its subscriber, or the last frame that is released.
 *
 * Follows reader.c (sl_ring_reader_release, sl_ring_reader_detach): the taking thread counts what it releases
 * apart (holds_returned), other threads count in holds_released; detaching subtracts what is not
 * returned, and exactly one thread sees 0. TAKEN frames are held; the owner releases OWN of them
 * before or after it detaches, one thread each of the others.
 * Claim: freed exactly once, by the last, and touched by nobody afterwards.
 * The counters are read-modify-writes (acquire and release) and their results alone decide, so
 * sequential consistency is enough.
 *
 * Mutations, each of which must fail:
 *  SPLIT           adding is a load and a store
 *  COUNT_FIRST     the release is counted before the hold is cleared
 *  OWNER_KEPT      after detaching the owner still counts apart
 *  FOREIGN_DETACH  another thread detaches while the owner releases: see sluice.h, threads
 */
#ifndef OWN
#define OWN 1
#endif
#ifndef OTHERS
#define OTHERS 2
#endif
#define TAKEN (OWN + OTHERS)

short released;
byte returned, freed, finished;
bool owned = true;

inline free_it() { assert(freed == 0); freed++ }
inline clear_hold() { assert(freed == 0) }
inline add_released(by)
{
#ifdef SPLIT
    now = released; assert(freed == 0); now = now + by; released = now
#else
    atomic { assert(freed == 0); released = released + (by); now = released }
#endif
}

inline release_as_other()
{
#ifndef COUNT_FIRST
    clear_hold();
#endif
    add_released(1);
    if
    :: now == 0 -> free_it()
    :: else
    fi;
#ifdef COUNT_FIRST
    clear_hold();
#endif
    now = 0
}

inline detach()
{
    others = TAKEN - returned;
#ifndef OWNER_KEPT
    owned = false;
#endif
    add_released(-others);
    if
    :: now == 0 -> free_it()
    :: else
    fi;
    now = 0; others = 0
}

active [OTHERS] proctype Other()
{
    short now;
    release_as_other();
    finished++
}

active proctype Owner()
{
    short now, others;
    byte mine, value;
#ifdef FOREIGN_DETACH
    bool detached = true;
#else
    bool detached = false;
#endif
    do
    :: mine < OWN ->
        if
        :: owned -> clear_hold(); value = returned; returned = value + 1 /* only we write it */
        :: !owned -> release_as_other()
        fi;
        mine++
    :: !detached -> detach(); detached = true
    :: mine == OWN && detached -> break
    od;
    finished++
}

#ifdef FOREIGN_DETACH
active proctype Closer()
{
    short now, others;
    detach();
    finished++
}
#define ALL (OTHERS + 2)
#else
#define ALL (OTHERS + 1)
#endif

active proctype End()
{
    finished == ALL;
    assert(freed == 1)
}
