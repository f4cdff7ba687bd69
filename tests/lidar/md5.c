/* SPDX-License-Identifier: Apache-2.0 */
/* md5.c - see md5.h. */
#include "tests/lidar/md5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"

static uint32_t turn_left(uint32_t value, unsigned by)
{
    return value << by | value >> (32 - by);
}

/* Section 3.4; the table's entry i is the whole part of 2^32 |sin(i + 1)|. */
static void add_block(struct md5 *md5)
{
    static const uint8_t by[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = md5->state[0], b = md5->state[1], c = md5->state[2], d = md5->state[3];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t mixed;
        unsigned word;
        switch (i / 16) {
        case 0:
            mixed = (b & c) | (~b & d);
            word = i;
            break;
        case 1:
            mixed = (d & b) | (~d & c);
            word = 5 * i + 1;
            break;
        case 2:
            mixed = b ^ c ^ d;
            word = 3 * i + 5;
            break;
        default:
            mixed = c ^ (b | ~d);
            word = 7 * i;
        }
        uint32_t entry = (uint32_t)(fabs(sin(i + 1)) * 4294967296.0);
        uint32_t sum = a + mixed + entry + sl_get_le32(md5->block + word % 16 * 4);
        a = d;
        d = c;
        c = b;
        b += turn_left(sum, by[i / 16][i % 4]);
    }
    md5->state[0] += a;
    md5->state[1] += b;
    md5->state[2] += c;
    md5->state[3] += d;
}

void md5_init(struct md5 *md5)
{
    *md5 = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_add(struct md5 *md5, const void *bytes, size_t size_bytes)
{
    const uint8_t *from = bytes;
    while (size_bytes > 0) {
        size_t at = md5->size_bytes % 64;
        size_t part = 64 - at < size_bytes ? 64 - at : size_bytes;
        memcpy(md5->block + at, from, part);
        md5->size_bytes += part;
        from += part;
        size_bytes -= part;
        if (md5->size_bytes % 64 == 0)
            add_block(md5);
    }
}

void md5_text(struct md5 *md5, char ret_text[33])
{
    uint8_t bits[8];
    sl_put_le64(bits, md5->size_bytes * 8);
    md5_add(md5, "\x80", 1);
    while (md5->size_bytes % 64 != 56)
        md5_add(md5, "", 1);
    md5_add(md5, bits, sizeof bits);
    for (unsigned i = 0; i < 16; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", (unsigned)(md5->state[i / 4] >> i % 4 * 8 & 0xFF));
}
