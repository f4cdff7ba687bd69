/* SPDX-License-Identifier: Apache-2.0 */
/* sha256.h - the hash of a payload, as sha256sum and every library give it (FIPS 180-4).
 *
 * Threads: any; pure.
 */
#ifndef SL_ROSBAG_COMPAT_SHA256_H
#define SL_ROSBAG_COMPAT_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SL_SHA256_BYTES      32
#define SL_SHA256_TEXT_BYTES 65 /* hexadecimal, with the NUL */

void sl_sha256(const void *bytes, size_t size_bytes, uint8_t ret_hash[SL_SHA256_BYTES]);
void sl_sha256_text(const void *bytes, size_t size_bytes, char ret_text[SL_SHA256_TEXT_BYTES]);

#endif
