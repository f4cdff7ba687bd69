/* SPDX-License-Identifier: Apache-2.0 */
/* formats.h - what the files of the capture codec share; nobody else includes it. */
#ifndef SL_CAPTURE_FORMATS_H
#define SL_CAPTURE_FORMATS_H

#include "core/base/bytes.h"
#include "core/capture/capture.h"

#define PCAP_HEADER_BYTES   24
#define PCAP_MAGIC_US       0xa1b2c3d4u
#define PCAP_MAGIC_NS       0xa1b23c4du
#define PCAP_MAGIC_MODIFIED 0xa1b2cd34u /* record headers of 24 bytes */

#define PCAPNG_SECTION        0x0a0d0d0au /* alike in both byte orders */
#define PCAPNG_BYTE_ORDER     0x1a2b3c4du
#define PCAPNG_INTERFACE      1u
#define PCAPNG_PACKET         2u /* obsolete */
#define PCAPNG_SIMPLE         3u
#define PCAPNG_ENHANCED       6u
#define PCAPNG_OPTION_END     0u
#define PCAPNG_IF_TSRESOL     9u
#define PCAPNG_IF_TSOFFSET    14u
#define PCAPNG_RESOLUTION_US  6u    /* what if_tsresol is where it is absent */
#define PCAPNG_RESOLUTION_TWO 0x80u /* if_tsresol counts powers of two */

static inline const uint8_t *capture_here(const struct sl_capture_reader *r)
{
    return r->bytes + r->at;
}
static inline uint16_t capture_u16(const struct sl_capture_reader *r, const uint8_t *from)
{
    return r->big_endian ? sl_get_be16(from) : sl_get_le16(from);
}
static inline uint32_t capture_u32(const struct sl_capture_reader *r, const uint8_t *from)
{
    return r->big_endian ? sl_get_be32(from) : sl_get_le32(from);
}
static inline uint64_t capture_u64(const struct sl_capture_reader *r, const uint8_t *from)
{
    return r->big_endian ? sl_get_be64(from) : sl_get_le64(from);
}

/* Are `size_bytes` more bytes in the window? 0, -EAGAIN, or -ENODATA with the sentence that the
 * capture ends inside `what`, which began at `start`. */
int capture_need(const struct sl_capture_reader *r, uint64_t size_bytes, const char *what,
                 uint64_t start);

/* Read the file header of pcap; the magic was seen. */
int pcap_begin(struct sl_capture_reader *r, uint32_t magic);
int pcap_next(struct sl_capture_reader *r, struct sl_capture_record *ret);
int pcapng_next(struct sl_capture_reader *r, struct sl_capture_record *ret);

#endif
