/* SPDX-License-Identifier: Apache-2.0 */
/* support.h - what the tests of the capture room share: captures made in memory and on disk. */
#ifndef SL_TESTS_CAPTURE_SUPPORT_H
#define SL_TESTS_CAPTURE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/error.h"
#include "core/capture/capture.h"
#include "core/capture/datagrams.h"
#include "core/capture/link.h"
#include "core/capture/write.h"

#define SUPPORT_CAPTURE_MAX (4u << 20)
#define SUPPORT_TIME_NS     UINT64_C(1700000000123456789)

/* A capture under construction. Large: static or on the heap. */
struct capture {
    struct sl_capture_writer writer;
    struct sl_writer out;
    uint8_t bytes[SUPPORT_CAPTURE_MAX];
};

static inline size_t capture_size(const struct capture *capture)
{
    return sl_writer_offset(&capture->out);
}

void capture_begin(struct capture *capture, const struct sl_capture_write_options *options);

/* A datagram of `size_bytes` bytes that differ with `seed`; the bytes are valid until 8 more were
 * made. Port 2368, source 192.168.1.201 or fe80::c9, destination ....1.255 or ff02::1. */
struct sl_datagram datagram_of(uint8_t family, uint32_t size_bytes, uint8_t seed);

void capture_add(struct capture *capture, const struct sl_datagram *datagram);
/* One frame of it, at a time and of an id of its own. */
void capture_add_frame(struct capture *capture, const struct sl_datagram *datagram, int index,
                       uint32_t id, uint64_t time_ns);

void assert_same_datagram(const struct sl_datagram *a, const struct sl_datagram *b);

/* Decode a capture; at most `max` datagrams are kept, their bytes copied (the caller frees them
 * with free_datagrams). Asserts that it ends well. Returns how many there were. */
struct decoded {
    struct sl_datagram_counters counters;
    unsigned count;
    struct sl_datagram datagrams[64];
};
void decode_capture(const void *bytes, size_t size_bytes, struct decoded *ret_decoded);
void free_decoded(struct decoded *decoded);

/* A file in a folder of this test's own. `path` is for PATH_MAX bytes; remove_files removes all. */
const char *test_folder(void);
void write_file(const char *name, const void *bytes, size_t size_bytes, char *ret_path);
void remove_files(void);

/* The folder of real captures, or NULL. */
const char *test_data(const char *name, char *ret_path);

/* For a read-only file that must be there; the caller frees. */
uint8_t *read_whole(const char *path, size_t *ret_size_bytes);

#endif
