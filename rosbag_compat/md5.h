/* SPDX-License-Identifier: Apache-2.0 */
/* md5.h - the sum by which ROS 1 tells message types apart (RFC 1321). No protection against
 * anybody: only what the format asks for.
 *
 * Threads: any; pure.
 */
#ifndef SL_ROSBAG_COMPAT_MD5_H
#define SL_ROSBAG_COMPAT_MD5_H

#include <stddef.h>

#define SL_MD5_TEXT_BYTES 33 /* hexadecimal, with the NUL */

void sl_md5_text(const void *bytes, size_t size_bytes, char ret_text[SL_MD5_TEXT_BYTES]);

#endif
