/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - which way is taken. */
#include "core/uncached/stream.h"

#include "core/base/error.h"
#include "core/uncached/stream_variants.h"

#include <errno.h>
#include <stdatomic.h>

#define COPY_BLOCK_BYTES 16384u /* it, twice, is what a first-level cache holds */

/* What was chosen last; NULL = not yet. Relaxed is enough: the tables are constant, and two threads
 * that choose at the same time choose the same. */
static const struct sl_stream_variant *_Atomic variant_chosen;
static const struct sl_stream_variant *_Atomic variant_for_uc;
static const struct sl_stream_behind *_Atomic behind_chosen;

static const struct sl_stream_variant *choose_variant(void)
{
    const struct sl_stream_variant *v = sl_stream_variant_list;
    while (!v->is_supported())
        v++; /* the last one always is */
    atomic_store_explicit(&variant_chosen, v, memory_order_relaxed);
    return v;
}

static const struct sl_stream_variant *variant(void)
{
    const struct sl_stream_variant *v = atomic_load_explicit(&variant_chosen, memory_order_relaxed);
    return v ? v : choose_variant();
}

/* Uncached memory takes stores as they come, one trip each: those that go by the line, if any. */
static const struct sl_stream_variant *choose_for_uc(void)
{
    const struct sl_stream_variant *v = sl_stream_variant_list;
    while (v->name && !(v->is_line_wise && v->is_supported()))
        v++;
    if (!v->name)
        v = variant();
    atomic_store_explicit(&variant_for_uc, v, memory_order_relaxed);
    return v;
}

static const struct sl_stream_variant *variant_for(enum sl_memory_kind kind)
{
    if (kind != SL_MEMORY_UC)
        return variant();
    const struct sl_stream_variant *v = atomic_load_explicit(&variant_for_uc, memory_order_relaxed);
    return v ? v : choose_for_uc();
}

static const struct sl_stream_behind *behind(void)
{
    const struct sl_stream_behind *b = atomic_load_explicit(&behind_chosen, memory_order_relaxed);
    if (b)
        return b;
    b = sl_stream_behind_list;
    while (!b->is_supported())
        b++; /* the last one always is */
    atomic_store_explicit(&behind_chosen, b, memory_order_relaxed);
    return b;
}

/* Writing. ------------------------------------------------------------------------------------- */

void sl_stream_copy(void *to, const void *from, size_t size_bytes)
{
    variant()->copy(to, from, size_bytes);
}

void sl_stream_fill(void *to, uint8_t byte, size_t size_bytes)
{
    variant()->fill(to, byte, size_bytes);
}

void sl_stream_copy_in(void *to, const void *from, size_t size_bytes, enum sl_memory_kind kind)
{
    if (sl_stream_pays(size_bytes, kind))
        variant_for(kind)->copy(to, from, size_bytes);
    else
        sl_stream_plain_copy(to, from, size_bytes);
}

/* Reading. ------------------------------------------------------------------------------------- */

void sl_stream_let_go(const void *from, size_t size_bytes)
{
    if (size_bytes > 0)
        behind()->let_go(from, size_bytes);
}

/* Long blocks: flushes slow the library's copying of short ones down to half. */
static void copy_and_let_go(uint8_t *to, const uint8_t *from, size_t size_bytes)
{
    for (size_t done = 0, part; done < size_bytes; done += part) {
        part = size_bytes - done < COPY_BLOCK_BYTES ? size_bytes - done : COPY_BLOCK_BYTES;
        memcpy(to + done, from + done, part);
        sl_stream_let_go(from + done, part);
    }
}

void sl_stream_inspect(void *scratch, const void *from, size_t size_bytes, enum sl_memory_kind kind)
{
    if (size_bytes == 0)
        return;
    if (kind == SL_MEMORY_WB)
        copy_and_let_go(scratch, from, size_bytes);
    else
        sl_stream_fetch(scratch, from, size_bytes);
}

void sl_stream_copy_out(void *to, const void *from, size_t size_bytes, enum sl_memory_kind kind)
{
    if (sl_stream_pays(size_bytes, kind))
        sl_stream_inspect(to, from, size_bytes, kind);
    else
        sl_stream_plain_copy(to, from, size_bytes);
}

/* Choosing. ------------------------------------------------------------------------------------ */

const char *sl_stream_variant(void)
{
    return variant()->name;
}

const char *sl_stream_behind(void)
{
    return behind()->name;
}

int sl_stream_use(const char *name)
{
    const struct sl_stream_variant *v = sl_stream_variant_list;
    while (name && v->name && strcmp(v->name, name) != 0)
        v++;
    if (name && !v->name)
        return sl_error(-ENOENT, "streaming stores: no variant \"%s\" in this build", name);
    if (name && !v->is_supported())
        return sl_error(-ENOTSUP, "streaming stores: this CPU has no %s", name);
    atomic_store_explicit(&variant_chosen, name ? v : NULL, memory_order_relaxed);
    atomic_store_explicit(&variant_for_uc, name ? v : NULL, memory_order_relaxed);
    return 0;
}

int sl_stream_use_behind(const char *name)
{
    const struct sl_stream_behind *b = sl_stream_behind_list;
    while (name && b->name && strcmp(b->name, name) != 0)
        b++;
    if (name && !b->name)
        return sl_error(-ENOENT, "streaming reads: no \"%s\" in this build", name);
    if (name && !b->is_supported())
        return sl_error(-ENOTSUP, "streaming reads: this CPU has no %s", name);
    atomic_store_explicit(&behind_chosen, name ? b : NULL, memory_order_relaxed);
    return 0;
}
