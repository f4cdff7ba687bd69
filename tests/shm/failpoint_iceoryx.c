/* SPDX-License-Identifier: Apache-2.0 */
/* failpoint_iceoryx.c - fail points inside iceoryx, where the state that it shares is half-way.
 *
 * iceoryx's libraries call these functions by name, each other's and their own; the program's
 * definition comes first, does the same by the original, and passes a fail point before or behind.
 * Names and arguments are those of Debian's iceoryx 2.0.3. */
#include "tests/shm/failpoint.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define VISIBLE(symbol) __asm__(symbol) __attribute__((visibility("default")))

/* Looked up once; two threads find the same. */
static void *original_of(const char *symbol, void *_Atomic *found)
{
    void *original = atomic_load(found);
    if (!original)
        original = dlsym(RTLD_NEXT, symbol);
    if (!original) {
        fprintf(stderr, "iceoryx has no %s\n", symbol);
        abort();
    }
    atomic_store(found, original);
    return original;
}
#define ORIGINAL(type, symbol)              \
    ({                                      \
        static void *_Atomic found;         \
        (type) original_of(symbol, &found); \
    })

/* iox::posix::mutex::unlock; its lock is in core/shm/iceoryx.c. */
#define UNLOCK "_ZN3iox5posix5mutex6unlockEv"
bool unlock_mutex(void *mutex) VISIBLE(UNLOCK);
bool unlock_mutex(void *mutex)
{
    SL_FAIL_POINT(ICEORYX_UNLOCKING);
    return ORIGINAL(bool (*)(void *), UNLOCK)(mutex);
}

/* iox::concurrent::IndexQueue<256, uint64_t>::pop and ::push: of a queue's places, those that are
 * free and those with a chunk. */
#define POP_PLACE  "_ZN3iox10concurrent10IndexQueueILm256EmE3popERm"
#define PUSH_PLACE "_ZN3iox10concurrent10IndexQueueILm256EmE4pushEm"
bool pop_place(void *queue, uint64_t *ret_place) VISIBLE(POP_PLACE);
bool pop_place(void *queue, uint64_t *ret_place)
{
    bool is_there = ORIGINAL(bool (*)(void *, uint64_t *), POP_PLACE)(queue, ret_place);
    if (is_there)
        SL_FAIL_POINT(ICEORYX_PLACE);
    return is_there;
}

void push_place(void *queue, uint64_t place) VISIBLE(PUSH_PLACE);
void push_place(void *queue, uint64_t place)
{
    ORIGINAL(void (*)(void *, uint64_t), PUSH_PLACE)(queue, place);
    SL_FAIL_POINT(ICEORYX_PLACED);
}

/* iox::concurrent::LoFFLi::pop and ::push: of a pool's chunks, and of what counts their owners. */
#define POP_CHUNK  "_ZN3iox10concurrent6LoFFLi3popERj"
#define PUSH_CHUNK "_ZN3iox10concurrent6LoFFLi4pushEj"
bool pop_chunk(void *list, uint32_t *ret_chunk) VISIBLE(POP_CHUNK);
bool pop_chunk(void *list, uint32_t *ret_chunk)
{
    bool is_there = ORIGINAL(bool (*)(void *, uint32_t *), POP_CHUNK)(list, ret_chunk);
    SL_FAIL_POINT(ICEORYX_CHUNK);
    return is_there;
}

bool push_chunk(void *list, uint32_t chunk) VISIBLE(PUSH_CHUNK);
bool push_chunk(void *list, uint32_t chunk)
{
    bool is_done = ORIGINAL(bool (*)(void *, uint32_t), PUSH_CHUNK)(list, chunk);
    SL_FAIL_POINT(ICEORYX_FREED);
    return is_done;
}

/* iox::mepoo::SharedChunk::decrementReferenceCounter, of what is no longer named by any word in
 * shared memory, or of a further owner. */
#define DISOWN "_ZN3iox5mepoo11SharedChunk25decrementReferenceCounterEv"
void disown_chunk(void *chunk) VISIBLE(DISOWN);
void disown_chunk(void *chunk)
{
    SL_FAIL_POINT(ICEORYX_OWNED);
    ORIGINAL(void (*)(void *), DISOWN)(chunk);
}
