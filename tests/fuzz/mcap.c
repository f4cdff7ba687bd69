/* SPDX-License-Identifier: Apache-2.0 */
/* mcap.c - any bytes as an MCAP file. The seeds are made by tests/rosbag_compat/make_seeds.c. */
#include "tests/fuzz/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    log_fuzz(sl_mcap_open, bytes, size_bytes);
    return 0;
}
