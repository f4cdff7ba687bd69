/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c - any bytes as a capture, through link layer, IP and reassembly to datagrams; and the
 * same bytes once more in small pieces, which must give the same records and the same end. The
 * seeds are made by tests/capture/make_seeds.c. */
#include <errno.h>
#include <stdlib.h>

#include "core/capture/datagrams.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

#define PIECE_BYTES 61 /* a prime, so that borders fall everywhere */

static struct sl_datagram_decoder *decoder;
static struct sl_capture_reader whole;
static struct sl_capture_reader pieces;
static volatile uint8_t sink;

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* All bytes of a datagram are there to be read. */
static void touch(const struct sl_datagram *datagram)
{
    uint8_t sum = 0;
    check(datagram->size_bytes <= SL_DATAGRAM_MAX_BYTES);
    for (uint32_t i = 0; i < datagram->size_bytes; i++)
        sum ^= datagram->bytes[i];
    sink = sum;
}

/* The next record of the capture that comes in pieces. */
static int next_of_pieces(const uint8_t *bytes, size_t size_bytes, size_t *from, size_t *to,
                          struct sl_capture_record *ret_record)
{
    int result;
    while ((result = sl_capture_next(&pieces, ret_record)) == -EAGAIN) {
        check(!pieces.last);
        *from += pieces.at;
        *to = size_bytes - *to > PIECE_BYTES ? *to + PIECE_BYTES : size_bytes;
        sl_capture_reader_feed(&pieces, bytes + *from, *to - *from, *to == size_bytes);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct sl_capture_record record;
    struct sl_capture_record again;
    struct sl_datagram datagram;
    size_t from = 0;
    size_t to = 0;
    int result;
    if (!decoder && sl_datagram_decoder_create(&decoder) < 0)
        abort();
    sl_capture_reader_init(&whole, bytes, size_bytes);
    sl_capture_reader_begin(&pieces);
    do {
        result = sl_capture_next(&whole, &record);
        check(result == next_of_pieces(bytes, size_bytes, &from, &to, &again));
        if (result == 1) {
            check(record.bytes == again.bytes && record.time_ns == again.time_ns);
            check(record.captured_bytes == again.captured_bytes &&
                  record.captured_bytes <= record.original_bytes &&
                  record.offset_bytes == again.offset_bytes);
            if (sl_datagram_decode(decoder, &record, &datagram) == 1)
                touch(&datagram);
        }
    } while (result == 1);
    check(result == 0 || sl_capture_next(&whole, &record) == result);
    sl_datagram_decoder_reset(decoder);
    return 0;
}
