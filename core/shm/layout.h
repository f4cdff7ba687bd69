/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - every shared segment, byte by byte.
 *
 * Each segment has one process that writes it; all others map it read-only (I2).
 *
 *   ring     publisher writes   descriptors, head, one word line per subscriber, gather lists
 *   control  publisher writes   one state word per slot, the side areas (cacheable, whatever the
 *                               pool is)
 *   pool     publisher writes   the slots; nothing but payload
 *   ledger   subscriber writes  what it holds, how far it has read, when it wants to be woken
 *   stats    every process      its rows of counters, for tools
 *
 * Whoever maps a segment of another process checks the header, the size and the seals once, and
 * every value read later each time.
 */
#ifndef SL_SHM_LAYOUT_H
#define SL_SHM_LAYOUT_H

#include "core/base/histogram.h"
#include "core/frame/descriptor.h"
#include "core/shm/sluice.h"

#include <stdatomic.h>

#define SL_PROTOCOL_VERSION 3u
#define SL_MAGIC            0x43494c53u /* "SLIC" */

#define SL_LINE 128u /* adjacent-line prefetch makes pairs of cache lines travel together */

/* Limits of the protocol. */
#define SL_SLOTS_MAX       65536u
#define SL_RING_MAX        65536u
#define SL_SUBSCRIBERS_MAX 1024u
#define SL_INLINE_MAX      448u
#define SL_SIDE_MAX        65536u
#define SL_QUOTA_MAX       255u
#define SL_MEMORY_TEXT     48u /* bytes of a kind of memory, as it is written, with its NUL */

enum sl_segment_kind {
    SL_SEGMENT_RING = 1,
    SL_SEGMENT_CONTROL,
    SL_SEGMENT_LEDGER,
    SL_SEGMENT_STATS,
};

/* First in each segment but the pool; in a ledger's, where the ledger begins. */
struct sl_segment_header {
    uint32_t magic;      /*  0 */
    uint16_t version;    /*  4 */
    uint16_t kind;       /*  6: enum sl_segment_kind */
    uint64_t size_bytes; /*  8: of the segment */
    uint64_t instance;   /* 16: random, one per publisher or process */
    uint64_t reserved;   /* 24 */
};
static_assert(sizeof(struct sl_segment_header) == 32, "segment header");

/* ---- ring ------------------------------------------------------------------------------------*/

/* `seq << 1 | standing`: which message the entry tells of, and whether its slot still is that
 * message's. One cache line with the words; an inline body follows in the next lines. */
struct sl_entry {
    _Atomic uint64_t state;         /*  0 */
    _Atomic uint64_t word[7];       /*  8: the descriptor without its seq */
    _Atomic uint64_t inline_word[]; /* 64 */
};
static_assert(sizeof(struct sl_entry) == 64, "ring entry");

/* The ranges of a gathered body, beside the entry of the same index; valid as its words are. */
struct sl_gather {
    _Atomic uint64_t range[SL_RANGES_MAX][2]; /* area | offset << 32, length */
};
static_assert(sizeof(struct sl_gather) == 64, "gather list");

enum sl_word_state {
    SL_WORD_OK,
    SL_WORD_DEMOTED,
    SL_WORD_REVOKED
};

/* What the publisher says to one subscriber. */
struct sl_word {
    _Alignas(64) _Atomic uint32_t wake; /* futex; counts wake-ups */
    _Atomic uint32_t state;             /* enum sl_word_state */
};
static_assert(sizeof(struct sl_word) == 64, "word line");

struct sl_ring {
    struct sl_segment_header header;         /*    0 */
    uint32_t entry_count;                    /*   32: a power of two */
    uint32_t entry_stride;                   /*   36: bytes, a multiple of SL_LINE */
    uint32_t inline_max;                     /*   40 */
    uint32_t word_count;                     /*   44 */
    uint64_t entries_offset;                 /*   48 */
    uint64_t gathers_offset;                 /*   56 */
    uint64_t words_offset;                   /*   64 */
    int64_t lease_ns;                        /*   72: of holds; 0 = none */
    _Alignas(SL_LINE) _Atomic uint64_t head; /* 128: seq of the last message */
};
static_assert(offsetof(struct sl_ring, head) == 128, "ring layout");
static_assert(sizeof(struct sl_ring) == 256, "ring layout");

/* ---- control ---------------------------------------------------------------------------------*/

/* `generation << 1 | standing` of each slot; the validity of slots that several messages share. */
struct sl_control {
    struct sl_segment_header header; /*  0 */
    uint64_t slot_size;              /* 32 */
    uint32_t slot_count;             /* 40 */
    uint32_t side_size;              /* 44: a multiple of 64 */
    uint64_t states_offset;          /* 48 */
    uint64_t sides_offset;           /* 56 */
};
static_assert(sizeof(struct sl_control) == 64, "control layout");

/* ---- ledger ----------------------------------------------------------------------------------*/

enum sl_wake_mode {
    SL_WAKE_FUTEX,
    SL_WAKE_CONNECTION
};

struct sl_ledger {
    struct sl_segment_header header; /*   0 */
    uint64_t slot_count;             /*  32 */
    /* Read by the publisher at each publish; written only to sleep. */
    _Alignas(SL_LINE) _Atomic uint64_t wake_at; /* 128: head to be woken at; 0 = none */
    _Atomic uint32_t wake_mode;                 /* 136: enum sl_wake_mode */
    /* Written at each take and release; read by the publisher when it needs slots. */
    _Alignas(SL_LINE) _Atomic uint64_t cursor; /* 256: seq of the last message it is done with */
    _Atomic uint8_t held[];                    /* 264: messages held of each slot */
};
static_assert(offsetof(struct sl_ledger, wake_at) == 128, "ledger layout");
static_assert(offsetof(struct sl_ledger, cursor) == 256, "ledger layout");
static_assert(offsetof(struct sl_ledger, held) == 264, "ledger layout");

/* A publisher looks at the same lines of all its ledgers. If all began with a page, these would be
 * in the same two sets of each cache, and push each other out from the thirteenth on: publishing to
 * 64 took 150 ns instead of 85 so, and taking slots back more. So a ledger begins, in its segment,
 * where its word line says. */
#define SL_LEDGER_PLACES 8u
static inline size_t sl_ledger_offset(uint32_t word_index)
{
    return word_index % SL_LEDGER_PLACES * (2 * SL_LINE);
}
static inline uint64_t sl_ledger_segment_size(uint32_t slot_count)
{
    return sl_ledger_offset(SL_LEDGER_PLACES - 1) + sizeof(struct sl_ledger) + slot_count;
}
static inline struct sl_ledger *sl_ledger_at(void *segment, uint32_t word_index)
{
    return (struct sl_ledger *)(void *)((char *)segment + sl_ledger_offset(word_index));
}

/* ---- stats -----------------------------------------------------------------------------------*/

enum sl_stats_kind {
    SL_STATS_FREE,
    SL_STATS_PUBLISHER,
    SL_STATS_SUBSCRIBER
};

/* What was measured of a pool. */
#define SL_STATS_DMABUF   0x1u
#define SL_STATS_PINNABLE 0x2u /* the kernel may pin its pages */

/* One publisher or subscriber. `kind` is stored last (release) and cleared first. Counters are
 * relaxed: each is right, two of them need not be of the same moment. */
struct sl_stats_row {
    _Alignas(SL_LINE) _Atomic uint32_t kind; /* enum sl_stats_kind */
    _Atomic uint32_t use;                    /* counts the uses of the row, to tell them apart */
    uint64_t instance;                       /* publishers: as in sl_frame */
    char topic[SL_TOPIC_MAX];
    char type[SL_TYPE_MAX];
    uint32_t policy;     /* subscribers */
    uint32_t depth;      /* subscribers: their policy's; publishers: messages that are retained */
    uint32_t slot_count; /* publishers */
    uint32_t quota;
    uint64_t slot_size;                          /* publishers: bytes */
    char memory[SL_MEMORY_TEXT];                 /* publishers: what the pool was made of */
    uint32_t memory_kind;                        /* enum sl_memory_kind, measured */
    uint32_t memory_flags;                       /* SL_STATS_* */
    uint32_t page_size;                          /* bytes */
    int32_t numa_node;                           /* -1 = not told */
    _Alignas(SL_LINE) _Atomic uint64_t messages; /* published or taken */
    _Atomic uint64_t bytes;                      /* of bodies */
    _Atomic uint64_t last_ns;                    /* CLOCK_MONOTONIC of the last one's publication */
    _Atomic uint64_t last_stamp_ns;
    _Atomic uint64_t refused;               /* publishers: loans that found no slot */
    _Atomic uint64_t lost[SL_LOSS_REASONS]; /* subscribers */
    _Atomic uint32_t peers;                 /* subscribers attached, or publishers */
    _Atomic uint32_t held;                  /* subscribers: frames held; publishers: slots loaned */
    _Atomic uint32_t demoted, revoked, died; /* publishers */
    _Atomic uint32_t expired;                /* publishers: slots taken by the lease of holds */
    struct sl_histogram latency;             /* subscribers: publish to take */
};

#define SL_STATS_ROWS 128

#define SL_STATS_SHEETS   72 /* a bridge has one a topic and direction, and one of its own */
#define SL_STATS_COUNTERS 14
#define SL_STATS_TITLE    416 /* bytes, with the NUL: two topics' names, mostly */
#define SL_STATS_NAME     24

/* Counters of a program's own, in core/shm/counters.h. `shown` is stored last (release) and cleared
 * first. An empty name is behind the last one. */
struct sl_stats_sheet {
    _Alignas(SL_LINE) _Atomic uint32_t shown;
    _Atomic uint32_t use; /* counts the uses of the sheet, to tell them apart */
    char title[SL_STATS_TITLE];
    char name[SL_STATS_COUNTERS][SL_STATS_NAME];
    _Alignas(SL_LINE) _Atomic uint64_t value[SL_STATS_COUNTERS];
};

struct sl_stats {
    struct sl_segment_header header;
    char node[SL_NODE_MAX];
    uint32_t pid;
    uint32_t row_count;
    uint64_t start_ns; /* CLOCK_MONOTONIC */
    _Alignas(SL_LINE) struct sl_stats_row row[SL_STATS_ROWS];
    struct sl_stats_sheet sheet[SL_STATS_SHEETS];
};

#endif
