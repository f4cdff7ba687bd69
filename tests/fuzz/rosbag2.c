/* SPDX-License-Identifier: Apache-2.0 */
/* rosbag2.c - any bytes as a database of rosbag2, and as its metadata.yaml. The seeds are made by
 * tests/rosbag_compat/make_seeds.c. */
#include "rosbag_compat/rosbag2_metadata.h"
#include "rosbag_compat/sqlite.h"
#include "tests/fuzz/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void fuzz_rows(struct sl_sqlite *db)
{
    struct sl_log *log;
    for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
        if (sl_rosbag2_sqlite_open(db, flags, &log) < 0)
            continue;
        log_walk(log);
        sl_log_close(log);
    }
}

static void fuzz_metadata(const uint8_t *bytes, size_t size_bytes)
{
    struct sl_rosbag2_metadata m;
    struct sl_buffer text = {0};
    if (sl_rosbag2_metadata_parse("fuzz", (const char *)bytes, size_bytes, &m) < 0)
        return;
    sl_rosbag2_metadata_format(&m, &text);
    log_check(!text.failed);
    sl_buffer_finish(&text);
    sl_rosbag2_metadata_finish(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct sl_sqlite *db;
    if (sl_sqlite_open_bytes(bytes, size_bytes, &db) == 0) {
        fuzz_rows(db);
        sl_sqlite_close(db);
    } else {
        fuzz_metadata(bytes, size_bytes);
    }
    return 0;
}
