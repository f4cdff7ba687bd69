/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - what the fuzz targets of logs share: any bytes as a log, indexed and scanned, every block
 * loaded and every message of it touched. */
#ifndef SL_TESTS_FUZZ_LOG_H
#define SL_TESTS_FUZZ_LOG_H

#include <stdlib.h>
#include <string.h>

#include "rosbag_compat/log.h"

static volatile uint8_t log_sink;

static inline void log_check(bool holds)
{
    if (!holds)
        abort();
}

static inline int log_read_at(void *state, uint64_t offset, void *to, size_t size_bytes)
{
    memcpy(to, (const uint8_t *)state + offset, size_bytes);
    return 0;
}

static inline void log_walk(struct sl_log *log)
{
    for (uint32_t i = 0; i < log->block_count; i++) {
        size_t size = (size_t)log->blocks[i].size_bytes;
        uint8_t *bytes = malloc(size ? size : 1);
        size_t at = 0;
        struct sl_log_message m;
        log_check(bytes);
        sl_log_load(log, i, bytes, &size);
        log_check(size <= log->blocks[i].size_bytes);
        while (sl_log_walk(log, i, bytes, size, &at, &m) == 1) {
            log_check(m.topic < log->topic_count);
            log_check(m.offset <= size && m.size_bytes <= size - m.offset);
            log_sink = log->topics[m.topic].name[0];
            if (m.size_bytes)
                log_sink = bytes[m.offset] ^ bytes[m.offset + m.size_bytes - 1];
        }
        free(bytes);
    }
    for (uint32_t i = 0; i < log->attachment_count; i++)
        log_check(log->attachments[i].offset <= log->source.size_bytes &&
                  log->attachments[i].size_bytes <=
                      log->source.size_bytes - log->attachments[i].offset);
}

static inline void log_fuzz(int (*open)(const struct sl_log_source *source, unsigned flags,
                                        struct sl_log **ret_log),
                            const uint8_t *bytes, size_t size_bytes)
{
    struct sl_log_source source = {
        .read_at = log_read_at, .state = (void *)bytes, .size_bytes = size_bytes};
    struct sl_log *log;
    for (unsigned flags = 0; flags <= SL_LOG_SCAN; flags++) {
        if (open(&source, flags, &log) < 0)
            continue;
        log_walk(log);
        sl_log_close(log);
    }
}

#endif
