/* SPDX-License-Identifier: Apache-2.0 */
/* stream_arm64.c - store and load pairs with the no-allocate hint, and cleaning by address.
 *
 * Memory that is not cached may be Device memory, which takes accesses of natural alignment only
 * and faults on others (Arm ARM, B2.7.2), and on `dc zva`. So whichever side may be device memory
 * is accessed in steps that are aligned there, spelled volatile where the compiler might join them.
 */
#include "core/uncached/stream.h"
#include "core/uncached/stream_variants.h"

#if defined(__aarch64__)

/* Writing. ------------------------------------------------------------------------------------- */

/* One step to an aligned place that may be device memory, or from one; each returns its size. */
static inline size_t put_1(uint8_t *to, const uint8_t *from)
{
    *(volatile uint8_t *)to = *from;
    return 1;
}

static inline size_t put_8(uint8_t *to, const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    *(volatile uint64_t *)(void *)to = value;
    return 8;
}

static inline size_t get_1(uint8_t *to, const uint8_t *from)
{
    *to = *(const volatile uint8_t *)from;
    return 1;
}

static inline size_t get_8(uint8_t *to, const uint8_t *from)
{
    uint64_t value = *(const volatile uint64_t *)(const void *)from;
    memcpy(to, &value, sizeof value);
    return 8;
}

/* `to` up to a multiple of 16, or all if it is shorter. */
static size_t copy_head(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = 0;
    while (done < size_bytes && (uintptr_t)(to + done) % 8 != 0)
        done += put_1(to + done, from + done);
    if ((uintptr_t)(to + done) % 16 != 0 && size_bytes - done >= 8)
        done += put_8(to + done, from + done);
    return done;
}

/* Fewer than 32 bytes from a multiple of 16 on, or what a short copy_head left: nothing. */
static void copy_tail(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = 0;
    while (size_bytes - done >= 8)
        done += put_8(to + done, from + done);
    while (done < size_bytes)
        done += put_1(to + done, from + done);
}

/* stnp hints that the pair will not be read soon; like all hints a core may ignore it. */
static void stnp_copy(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = copy_head(to, from, size_bytes);
    for (; size_bytes - done >= 32; done += 32)
        __asm__ volatile("ldp q0, q1, [%1]\n\tstnp q0, q1, [%0]"
                         :
                         : "r"(to + done), "r"(from + done)
                         : "v0", "v1", "memory");
    copy_tail(to + done, from + done, size_bytes - done);
}

static void stnp_fill(uint8_t *to, uint8_t byte, size_t size_bytes)
{
    uint8_t pattern[32];
    memset(pattern, byte, sizeof pattern);
    size_t head = (16 - (uintptr_t)to % 16) % 16;
    size_t done = copy_head(to, pattern, head < size_bytes ? head : size_bytes);
    for (; size_bytes - done >= 32; done += 32)
        __asm__ volatile("dup v0.16b, %w1\n\tstnp q0, q0, [%0]"
                         :
                         : "r"(to + done), "r"(byte)
                         : "v0", "memory");
    copy_tail(to + done, pattern, size_bytes - done);
}

const struct sl_stream_variant sl_stream_variant_list[] = {
    {"stnp", sl_stream_is_always_supported, false, stnp_copy, stnp_fill},
    {"memcpy", sl_stream_is_always_supported, false, sl_stream_plain_copy, sl_stream_plain_fill},
    {0},
};
const char *const sl_stream_variants[] = {"stnp", "memcpy", NULL};

/* Reading. ------------------------------------------------------------------------------------- */

/* Linux lets user space clean by address (SCTLR_EL1.UCI), and reading suffices as permission. */
static void clean_and_invalidate(const uint8_t *from, size_t size_bytes)
{
    uint64_t types;
    __asm__("mrs %0, ctr_el0" : "=r"(types));
    uintptr_t line_bytes = (uintptr_t)4 << (types >> 16 & 15); /* CTR_EL0.DminLine, in words */
    uintptr_t line = (uintptr_t)from / line_bytes * line_bytes;
    for (; line < (uintptr_t)from + size_bytes; line += line_bytes)
        __asm__ volatile("dc civac, %0" : : "r"(line) : "memory");
}

const struct sl_stream_behind sl_stream_behind_list[] = {
    {"dc civac", sl_stream_is_always_supported, clean_and_invalidate},
    {"none", sl_stream_is_always_supported, sl_stream_keep},
    {0},
};
const char *const sl_stream_behinds[] = {"dc civac", "none", NULL};

void sl_stream_fetch(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    size_t done = 0;
    while (done < size_bytes && (uintptr_t)(from + done) % 8 != 0)
        done += get_1(to + done, from + done);
    if ((uintptr_t)(from + done) % 16 != 0 && size_bytes - done >= 8)
        done += get_8(to + done, from + done);
    for (; size_bytes - done >= 32; done += 32)
        __asm__ volatile("ldnp q0, q1, [%1]\n\tstp q0, q1, [%0]"
                         :
                         : "r"(to + done), "r"(from + done)
                         : "v0", "v1", "memory");
    while (size_bytes - done >= 8)
        done += get_8(to + done, from + done);
    while (done < size_bytes)
        done += get_1(to + done, from + done);
}

#endif
