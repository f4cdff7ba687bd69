/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/frame/sample.h"

#include <math.h>

#define LIST_MAX 5

uint64_t sample_random(uint64_t *state)
{
    /* xorshift64* (Vigna, 2016) */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static const char *const texts[] = {
    "",
    "velodyne",
    "/base/link_0.x-y",
    "true",
    "null",
    "1.5",
    "-",
    ".nan",
    "two words",
    "a: b, [c] {d} # e",
    "\"quoted\" \\ 'single'",
    "line\nline\ttab\r\x01\x1b[31m\x7f",
    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x97",
    "\xc2\x85\xc2\x9b",
    " leading and trailing ",
};

static double sample_real(uint64_t random)
{
    static const double reals[] = {0.0,   -0.0,     1.0,       -1.5, 0.1,       1e-9,      6.5e30,
                                   -1e30, INFINITY, -INFINITY, NAN,  1.0 / 3.0, 16777217.0};
    size_t count = sizeof reals / sizeof reals[0];
    return random % 2 ? reals[random / 2 % count] : (double)(int64_t)random / 4294967296.0;
}

static void put_message(struct sl_cdr_writer *w, const struct sl_schema *schema, uint64_t *state);

static void put_whole(struct sl_cdr_writer *w, size_t size, uint64_t value)
{
    if (size == 1)
        sl_cdr_put_u8(w, (uint8_t)value);
    else if (size == 2)
        sl_cdr_put_u16(w, (uint16_t)value);
    else if (size == 4)
        sl_cdr_put_u32(w, (uint32_t)value);
    else
        sl_cdr_put_u64(w, value);
}

static void put_one(struct sl_cdr_writer *w, const struct sl_member *member, uint64_t *state)
{
    uint64_t random = sample_random(state);
    switch (member->kind) {
    case SL_KIND_BOOL:
        sl_cdr_put_u8(w, random >> 63);
        break;
    case SL_KIND_F32:
        sl_cdr_put_f32(w, (float)sample_real(random >> 8));
        break;
    case SL_KIND_F64:
        sl_cdr_put_f64(w, sample_real(random >> 8));
        break;
    case SL_KIND_STRING:
        sl_cdr_put_text(w, sl_text(texts[(random >> 8) % (sizeof texts / sizeof texts[0])]));
        break;
    case SL_KIND_MESSAGE:
        put_message(w, member->type, state);
        break;
    default:
        put_whole(w, sl_kind_size(member->kind), random);
    }
}

static void put_message(struct sl_cdr_writer *w, const struct sl_schema *schema, uint64_t *state)
{
    for (unsigned m = 0; m < schema->member_count; m++) {
        const struct sl_member *member = &schema->members[m];
        uint32_t count = 1;
        if (member->shape == SL_SHAPE_ARRAY)
            count = member->count;
        if (member->shape == SL_SHAPE_SEQUENCE) {
            count = (uint32_t)(sample_random(state) >> 32) % LIST_MAX;
            sl_cdr_put_u32(w, count);
        }
        for (uint32_t i = 0; i < count; i++)
            put_one(w, member, state);
    }
}

size_t sample_body(const struct sl_schema *schema, uint64_t seed, void *to, size_t room)
{
    struct sl_cdr_writer w = sl_cdr_write(to, room);
    uint64_t state = seed * 2 + 1;
    put_message(&w, schema, &state);
    return w.bytes.failed ? 0 : sl_cdr_written(&w);
}
