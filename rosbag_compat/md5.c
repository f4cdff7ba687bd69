/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/md5.h"

#include "core/base/bytes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES 64
#define STEPS       64

/* RFC 1321, 3.4: the step's function of the last three words, and which word of the block it adds.
 */
static uint32_t mix(unsigned step, const uint32_t s[4], unsigned *ret_word)
{
    switch (step / 16) {
    case 0:
        *ret_word = step;
        return (s[1] & s[2]) | (~s[1] & s[3]);
    case 1:
        *ret_word = (5 * step + 1) % 16;
        return (s[1] & s[3]) | (s[2] & ~s[3]);
    case 2:
        *ret_word = (3 * step + 5) % 16;
        return s[1] ^ s[2] ^ s[3];
    default:
        *ret_word = 7 * step % 16;
        return s[2] ^ (s[1] | ~s[3]);
    }
}

static void add_block(uint32_t sum[4], const uint8_t block[BLOCK_BYTES])
{
    static const unsigned shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t s[4];
    memcpy(s, sum, sizeof s);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned word, shift = shifts[step / 16][step % 4];
        uint32_t sine = (uint32_t)(fabs(sin(step + 1.0)) * 4294967296.0);
        uint32_t turned = mix(step, s, &word) + s[0] + sine;
        turned += sl_get_le32(block + (size_t)4 * word);
        s[0] = s[3];
        s[3] = s[2];
        s[2] = s[1];
        s[1] += turned << shift | turned >> (32 - shift);
    }
    for (unsigned i = 0; i < 4; i++)
        sum[i] += s[i];
}

void sl_md5_text(const void *bytes, size_t size_bytes, char ret_text[SL_MD5_TEXT_BYTES])
{
    uint32_t sum[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t last[2 * BLOCK_BYTES] = {0}, hash[16];
    size_t whole = size_bytes - size_bytes % BLOCK_BYTES, rest = size_bytes - whole;
    for (size_t at = 0; at < whole; at += BLOCK_BYTES)
        add_block(sum, (const uint8_t *)bytes + at);
    if (rest > 0)
        memcpy(last, (const uint8_t *)bytes + whole, rest);
    last[rest] = 0x80;
    size_t padded = rest + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    sl_put_le64(last + padded - 8, (uint64_t)size_bytes * 8);
    for (size_t at = 0; at < padded; at += BLOCK_BYTES)
        add_block(sum, last + at);
    for (unsigned i = 0; i < 4; i++)
        sl_put_le32(hash + (size_t)4 * i, sum[i]);
    for (unsigned i = 0; i < sizeof hash; i++)
        snprintf(ret_text + (size_t)2 * i, 3, "%02x", hash[i]);
}
