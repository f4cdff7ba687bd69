/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c - shared memory that a hostile peer writes: a publisher's ring, subscribers' ledgers.
 *
 * Input: one byte that selects the side, and what the peer and we do in turn. */
#include "tests/fuzz/ring.h"

#include "core/shm/layout.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

void *peer_memory(size_t size_bytes)
{
    void *memory;
    if (posix_memalign(&memory, SL_LINE, size_bytes) != 0)
        abort();
    return memset(memory, 0, size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct input in = {bytes, size_bytes};
    if (next8(&in) % 2 == 0)
        play_reader(&in);
    else
        play_slots(&in);
    return 0;
}
