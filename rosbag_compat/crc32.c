/* SPDX-License-Identifier: Apache-2.0 */
/* crc32.c - by what the processor has: carry-less multiplication (x86-64), instructions for this
 * CRC (arm64), else eight bytes a step, each by a table of its own ("slicing", Kounavis and Berry
 * 2005). */
#include "rosbag_compat/crc32.h"

#include "core/base/bytes.h"

#include <pthread.h>
#include <stdbool.h>

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

#define POLYNOMIAL 0xedb88320u /* reflected */

/* Steps take and give the register, which is the CRC inverted. */
typedef uint32_t step_function(uint32_t crc, const uint8_t *b, size_t size_bytes);

static uint32_t table[8][256];
static step_function *step;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Tables ----------------------------------------------------------------------------------------*/

static void fill_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

static uint32_t step_by_tables(uint32_t crc, const uint8_t *b, size_t size_bytes)
{
    for (; size_bytes >= 8; size_bytes -= 8, b += 8) {
        uint32_t low = sl_get_le32(b) ^ crc;
        uint32_t high = sl_get_le32(b + 4);
        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
              table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
              table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
    }
    for (; size_bytes > 0; size_bytes--, b++)
        crc = crc >> 8 ^ table[0][(crc ^ *b) & 0xff];
    return crc;
}

/* Polynomials -----------------------------------------------------------------------------------*/

/* A CRC is a polynomial over GF(2), the highest power in the lowest bit. Bytes behind it multiply
 * it by x^8 each, modulo the polynomial of the CRC. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

/* x^exponent */
static uint32_t power(uint64_t exponent)
{
    uint32_t result = UINT32_C(1) << 31; /* 1 */
    uint32_t square = UINT32_C(1) << 30; /* x, and its squares */
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = multiply(square, result);
        square = multiply(square, square);
    }
    return result;
}

/* Instructions ----------------------------------------------------------------------------------*/

#if defined __x86_64__
#define LANE_BYTES 16
#define LANES      4 /* a multiplication takes about as many steps as that */

/* What 16 bytes are worth so far ahead: their first 8, multiplied by the first number, plus their
 * last 8 by the second, are congruent to them there. The bits of a product of two reflected
 * factors stand one place too low, so the factors are shifted. (Gopal and others, "Fast CRC
 * Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009.) */
struct distance {
    uint64_t factors[2];
};
static struct distance one_lane, all_lanes;

static struct distance distance_of(unsigned bits)
{
    return (struct distance){{(uint64_t)power(bits + 32) << 1, (uint64_t)power(bits - 32) << 1}};
}

__attribute__((target("pclmul,sse2"))) static inline __m128i load(const void *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

__attribute__((target("pclmul,sse2"))) static inline __m128i fold(__m128i sum, __m128i factors,
                                                                  __m128i next)
{
    __m128i first = _mm_clmulepi64_si128(sum, factors, 0x00);
    __m128i last = _mm_clmulepi64_si128(sum, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, last), next);
}

/* All but the last bytes become 16 that have the same CRC. */
__attribute__((target("pclmul,sse2"))) static uint32_t
step_by_multiplication(uint32_t crc, const uint8_t *b, size_t size_bytes)
{
    uint8_t rest[LANE_BYTES];
    if (size_bytes < LANES * LANE_BYTES)
        return step_by_tables(crc, b, size_bytes);
    const uint8_t *end = b + size_bytes;
    __m128i sum0 = _mm_xor_si128(load(b), _mm_cvtsi32_si128((int)crc));
    __m128i sum1 = load(b + LANE_BYTES);
    __m128i sum2 = load(b + 2 * LANE_BYTES);
    __m128i sum3 = load(b + 3 * LANE_BYTES);
    __m128i factors = load(&all_lanes);
    for (b += LANES * LANE_BYTES; end - b >= LANES * LANE_BYTES; b += LANES * LANE_BYTES) {
        sum0 = fold(sum0, factors, load(b));
        sum1 = fold(sum1, factors, load(b + LANE_BYTES));
        sum2 = fold(sum2, factors, load(b + 2 * LANE_BYTES));
        sum3 = fold(sum3, factors, load(b + 3 * LANE_BYTES));
    }
    factors = load(&one_lane);
    sum0 = fold(fold(fold(sum0, factors, sum1), factors, sum2), factors, sum3);
    for (; end - b >= LANE_BYTES; b += LANE_BYTES)
        sum0 = fold(sum0, factors, load(b));
    _mm_storeu_si128((__m128i *)rest, sum0);
    return step_by_tables(step_by_tables(0, rest, sizeof rest), b, (size_t)(end - b));
}

static step_function *find_step(void)
{
    one_lane = distance_of(8 * LANE_BYTES);
    all_lanes = distance_of(8 * LANES * LANE_BYTES);
    return __builtin_cpu_supports("pclmul") ? step_by_multiplication : step_by_tables;
}
#elif defined __aarch64__
/* CRC32X and its kin have this polynomial; CRC32CX has another one. */
__attribute__((target("+crc"))) static uint32_t step_by_instruction(uint32_t crc, const uint8_t *b,
                                                                    size_t size_bytes)
{
    for (; size_bytes >= 8; size_bytes -= 8, b += 8)
        crc = __crc32d(crc, sl_get_le64(b));
    for (; size_bytes > 0; size_bytes--, b++)
        crc = __crc32b(crc, *b);
    return crc;
}

static step_function *find_step(void)
{
    return getauxval(AT_HWCAP) & HWCAP_CRC32 ? step_by_instruction : step_by_tables;
}
#else
static step_function *find_step(void)
{
    return step_by_tables;
}
#endif

/* ---------------------------------------------------------------------------------------------- */

static void prepare(void)
{
    fill_tables();
    step = find_step();
}

uint32_t sl_crc32(uint32_t crc, const void *bytes, size_t size_bytes)
{
    pthread_once(&once, prepare);
    return ~step(~crc, bytes, size_bytes);
}

uint32_t sl_crc32_by_tables(uint32_t crc, const void *bytes, size_t size_bytes)
{
    pthread_once(&once, prepare);
    return ~step_by_tables(~crc, bytes, size_bytes);
}

uint32_t sl_crc32_join(uint32_t crc_a, uint32_t crc_b, uint64_t size_b_bytes)
{
    return multiply(power(8 * size_b_bytes), crc_a) ^ crc_b;
}
