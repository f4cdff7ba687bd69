/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - what a mapping is, by measuring it.
 *
 * The type that was asked for is not always the type that is there (a virtual machine may ignore
 * it), so a line is read again and again and timed: cached it costs a few cycles, otherwise a trip
 * to memory each time. An emulator without a cache model rightly shows everything as cached.
 *
 * Threads: any. Takes some ten microseconds on cached memory, at most about a millisecond. Reads
 * only.
 */
#ifndef SL_UNCACHED_PROBE_H
#define SL_UNCACHED_PROBE_H

enum sl_memory_kind {
    SL_MEMORY_UNKNOWN, /* not measured: not mapped */
    SL_MEMORY_WB,      /* write-back: cached */
    SL_MEMORY_WC,      /* write-combining: uncached, writes and streaming loads go by the line */
    SL_MEMORY_UC,      /* uncached */
};

extern const char *const sl_memory_kind_names[]; /* "unknown", "wb", "wc", "uc" */

/* The kind of the cache line at `line` (64 readable bytes, aligned to 64). Only x86 has a load that
 * tells wc from uc; elsewhere memory that is not cached is called uc. */
enum sl_memory_kind sl_probe_kind(const void *line);

/* The fastest of several timings, nanoseconds for one read of a line that was read just before. */
double sl_probe_reread_ns(const void *line);

#endif
