/* SPDX-License-Identifier: Apache-2.0 */
/* crc32.c - eight bytes a step, each by a table of its own ("slicing", Kounavis and Berry 2005). */
#include "rosbag_compat/crc32.h"

#include "core/base/bytes.h"

#include <pthread.h>

#define POLYNOMIAL 0xedb88320u /* reflected */

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][i] = crc;
    }
    for (int step = 1; step < 8; step++)
        for (int i = 0; i < 256; i++)
            table[step][i] = table[step - 1][i] >> 8 ^ table[0][table[step - 1][i] & 0xff];
}

uint32_t sl_crc32(uint32_t crc, const void *bytes, size_t size_bytes)
{
    const uint8_t *b = bytes;
    pthread_once(&once, fill_tables);
    crc = ~crc;
    for (; size_bytes >= 8; size_bytes -= 8, b += 8) {
        uint32_t low = sl_get_le32(b) ^ crc;
        uint32_t high = sl_get_le32(b + 4);
        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
              table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
              table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
    }
    for (; size_bytes > 0; size_bytes--, b++)
        crc = crc >> 8 ^ table[0][(crc ^ *b) & 0xff];
    return ~crc;
}

/* Joining: a CRC is a polynomial over GF(2), the highest power in the lowest bit. Bytes behind it
 * multiply it by x^8 each, modulo the polynomial of the CRC. */
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

uint32_t sl_crc32_join(uint32_t crc_a, uint32_t crc_b, uint64_t size_b_bytes)
{
    uint32_t power = UINT32_C(1) << 23; /* x^8, and its squares */
    for (; size_b_bytes > 0; size_b_bytes >>= 1) {
        if (size_b_bytes & 1)
            crc_a = multiply(power, crc_a);
        power = multiply(power, power);
    }
    return crc_a ^ crc_b;
}
