/* SPDX-License-Identifier: Apache-2.0 */
/* pcap.c - any bytes as a capture whose datagrams are messages; and each message that comes of it
 * as a datagram again. The seeds are made by tests/rosbag_compat/make_seeds.c. */
#include "rosbag_compat/udp_packet.h"
#include "tests/fuzz/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct sl_datagram datagram = {0};
    log_fuzz(sl_pcap_open, bytes, size_bytes);
    if (sl_udp_packet_read(bytes, size_bytes, &datagram) == 0)
        log_check(sl_udp_packet_size(&datagram) <=
                  datagram.size_bytes + (size_t)SL_UDP_PACKET_MORE_BYTES);
    return 0;
}
