/* SPDX-License-Identifier: Apache-2.0 */
/* crc32.h - the CRC-32 of zlib, PNG and Ethernet (polynomial 0x04c11db7, reflected), which MCAP
 * uses.
 *
 * Threads: any; pure.
 */
#ifndef SL_ROSBAG_COMPAT_CRC32_H
#define SL_ROSBAG_COMPAT_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Go on with a CRC; 0 begins. sl_crc32(sl_crc32(0, a), b) is that of a and b together. */
uint32_t sl_crc32(uint32_t crc, const void *bytes, size_t size_bytes);

/* The same without the processor's instructions for it. */
uint32_t sl_crc32_by_tables(uint32_t crc, const void *bytes, size_t size_bytes);

/* That of `a` and `b` together from those of each, without their bytes: sl_crc32(0, a), sl_crc32(0,
 * b) and how many bytes b has. */
uint32_t sl_crc32_join(uint32_t crc_a, uint32_t crc_b, uint64_t size_b_bytes);

#endif
