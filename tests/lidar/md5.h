/* SPDX-License-Identifier: Apache-2.0 */
/* md5.h - RFC 1321, for the digests that others made of decoded fields.
 *
 * Life:    md5_init -> md5_add ... -> md5_text
 * Owner:   the caller.
 * Threads: any.
 * Errors:  none.
 */
#ifndef SL_TESTS_LIDAR_MD5_H
#define SL_TESTS_LIDAR_MD5_H

#include <stddef.h>
#include <stdint.h>

struct md5 {
    uint32_t state[4];
    uint64_t size_bytes;
    uint8_t block[64];
};

void md5_init(struct md5 *md5);
void md5_add(struct md5 *md5, const void *bytes, size_t size_bytes);
void md5_text(struct md5 *md5, char ret_text[33]); /* ends it */

#endif
