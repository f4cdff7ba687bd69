/* SPDX-License-Identifier: Apache-2.0 */
/* support.h - what the tests of logs share: files of the test data, logs in memory, made-up logs.
 */
#ifndef SL_TESTS_ROSBAG_COMPAT_SUPPORT_H
#define SL_TESTS_ROSBAG_COMPAT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/error.h"
#include "rosbag_compat/buffer.h"
#include "rosbag_compat/log.h"
#include "rosbag_compat/log_write.h"

/* The folder of test data with `name` behind it in `ret_path` (PATH_MAX bytes); NULL if it is not
 * there. */
const char *test_data(const char *name, char *ret_path);
uint8_t *read_whole(const char *path, size_t *ret_size_bytes); /* the caller frees */
/* Names in a folder that end so, sorted; the caller frees by free_names. */
char **list_names(const char *folder, const char *ending);
void free_names(char **names);

/* A log's bytes as its source, exactly as large as they are: the caller keeps them. */
struct sl_log_source memory_source(const uint8_t *bytes, size_t size_bytes);
/* The same on a disk of which a part cannot be read (-EIO). */
struct disk {
    const uint8_t *bytes;
    uint64_t bad_from, bad_to;
};
struct sl_log_source disk_source(const struct disk *disk, size_t size_bytes);
/* A sink that gathers in `buffer`. */
struct sl_log_sink memory_sink(struct sl_buffer *buffer);
/* How many pieces of the last writes lay outside of the writer's own memory: within this range. */
extern const uint8_t *watched_start, *watched_end;
extern unsigned watched_pieces;

#define assert_fine(call)                                                        \
    do {                                                                         \
        int assert_fine_result = (call);                                         \
        if (assert_fine_result < 0)                                              \
            fail_msg("%s: %s (%d)", #call, sl_error_text(), assert_fine_result); \
    } while (0)

/* A made-up log: topics of several kinds and `count` messages whose bodies follow from `seed`. */
struct made {
    unsigned topic_count, message_count;
    struct sl_log_topic topics[4];
    struct sl_log_message *messages;
    uint8_t **bodies;
};
/* `size_max` of a body; some have none. */
struct made *make_log(unsigned count, size_t size_max, unsigned seed);
void free_made(struct made *made);
/* Write all of it with one body in two pieces. Topics come when they are first needed. */
void write_made(const struct made *made, struct sl_log_writer *writer);
/* Every message of the log, block by block, is the next of `made`. Returns how many there were. */
unsigned assert_holds_made(struct sl_log *log, const struct made *made);
/* Load and walk everything there is, whatever it is; messages are counted. */
unsigned walk_all(struct sl_log *log);

#endif
