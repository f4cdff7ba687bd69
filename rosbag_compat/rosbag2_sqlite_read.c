/* SPDX-License-Identifier: Apache-2.0 */
/* rosbag2_sqlite_read.c - a database of rosbag2 as topics and blocks.
 *
 *     topics    id, name, type, serialization_format
 *               offered_qos_profiles (schema 2), type_description_hash (schema 4)
 *     messages  id, topic_id, timestamp, data
 *     schema    schema_version, ros_distro (schema 3)
 *     message_definitions  topic_type, encoding, encoded_message_definition (schema 4)
 *
 * Schemas 1 and 2 do not say so: it is the columns that count. A block is a run of rows in the
 * order of (timestamp, id). Loaded, a row is this, and the body behind it; little endian:
 *
 *     u64 timestamp, u64 bytes of the body, u32 topic id, u32 0
 */
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "rosbag_compat/log.h"
#include "rosbag_compat/sqlite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BYTES    24
#define GAP_MAX      (INT64_C(1) << 40) /* of ids, behind a damaged page */
#define BAD_ROWS_MAX 16 /* of a block that are passed over: each is one more search */

struct rosbag2 {
    struct sl_sqlite *db;
    struct sl_sqlite_statement *load;
    bool by_id; /* scanned: rows in the order of id, without the index */
};

static void close_rosbag2(struct sl_log *log)
{
    struct rosbag2 *rosbag2 = log->state;
    if (!rosbag2)
        return;
    sl_sqlite_finish(rosbag2->load);
    free(rosbag2);
}

/* Topics ----------------------------------------------------------------------------------------*/

/* 1 if there is a row. */
static int has_row(struct sl_sqlite *db, const char *sql)
{
    struct sl_sqlite_statement *s;
    int result = sl_sqlite_prepare(db, sql, &s);
    if (result)
        return result;
    result = sl_sqlite_step(s);
    sl_sqlite_finish(s);
    return result;
}

static int check_tables(struct sl_sqlite *db)
{
    int result =
        has_row(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND rootpage > 0 AND "
                    "name = 'messages'");
    if (result == 1)
        result = has_row(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND rootpage > 0 "
                             "AND name = 'topics'");
    if (result == 0)
        return sl_error(-EBADMSG, "is a database, but none of rosbag2");
    return result < 0 ? result : 0;
}

/* The definition of a type; service events are defined by their service. The statement's texts live
 * until its next step. */
static int find_definition(struct sl_sqlite_statement *s, struct sl_log_topic *topic)
{
    sl_sqlite_reset(s);
    sl_sqlite_bind_text(s, 1, topic->type);
    int result = sl_sqlite_step(s);
    if (result != 1)
        return result;
    topic->definition_encoding = sl_sqlite_text(s, 0);
    topic->definition = sl_sqlite_bytes(s, 1, &topic->definition_bytes);
    return 0;
}

static int add_topic(struct sl_log *log, struct sl_sqlite_statement *s,
                     struct sl_sqlite_statement *definitions)
{
    struct sl_log_pair pairs[2];
    int64_t id = sl_sqlite_int(s, 0);
    struct sl_log_topic topic = {.name = sl_sqlite_text(s, 1),
                                 .type = sl_sqlite_text(s, 2),
                                 .encoding = sl_sqlite_text(s, 3),
                                 .pairs = pairs};
    topic.has_schema = topic.type[0] != '\0';
    if (id < 0 || id >= SL_LOG_TOPICS_MAX)
        return sl_error(-EBADMSG, "a topic has the id %" PRId64, id);
    topic.id = (uint32_t)id;
    if (sl_log_topic_index(log, topic.id) != SL_LOG_NO_TOPIC)
        return sl_error(-EBADMSG, "two topics have the id %" PRId64, id);
    if (sl_sqlite_text(s, 4)[0])
        pairs[topic.pair_count++] =
            (struct sl_log_pair){"offered_qos_profiles", sl_sqlite_text(s, 4)};
    if (sl_sqlite_text(s, 5)[0])
        pairs[topic.pair_count++] = (struct sl_log_pair){"topic_type_hash", sl_sqlite_text(s, 5)};
    int err = definitions ? find_definition(definitions, &topic) : 0;
    return err ? err : sl_log_add_topic(log, &topic);
}

static int read_topics(struct sl_log *log)
{
    struct sl_sqlite *db = ((struct rosbag2 *)log->state)->db;
    struct sl_sqlite_statement *topics = NULL;
    struct sl_sqlite_statement *definitions = NULL;
    int has_qos = has_row(
        db, "SELECT 1 FROM pragma_table_info('topics') WHERE name = 'offered_qos_profiles'");
    int has_hash = has_row(
        db, "SELECT 1 FROM pragma_table_info('topics') WHERE name = 'type_description_hash'");
    int has_definitions = has_row(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND "
                                      "rootpage > 0 AND name = 'message_definitions'");
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT id, name, type, serialization_format, %s, %s FROM topics "
             "ORDER BY id",
             has_qos == 1 ? "offered_qos_profiles" : "''",
             has_hash == 1 ? "type_description_hash" : "''");
    int err = sl_sqlite_prepare(db, sql, &topics);
    if (!err && has_definitions == 1)
        err = sl_sqlite_prepare(db,
                                "SELECT encoding, encoded_message_definition FROM "
                                "message_definitions WHERE topic_type = ?1 OR topic_type || "
                                "'_Event' = ?1 ORDER BY topic_type = ?1 DESC, id LIMIT 1",
                                &definitions);
    while (!err && (err = sl_sqlite_step(topics)) == 1)
        err = add_topic(log, topics, definitions);
    sl_sqlite_finish(topics);
    sl_sqlite_finish(definitions);
    return err;
}

static int read_distro(struct sl_log *log)
{
    struct sl_sqlite *db = ((struct rosbag2 *)log->state)->db;
    struct sl_sqlite_statement *s;
    int has_schema = has_row(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND "
                                 "rootpage > 0 AND name = 'schema'");
    if (has_schema != 1)
        return has_schema;
    int err = sl_sqlite_prepare(db, "SELECT ros_distro FROM schema LIMIT 1", &s);
    if (err)
        return err;
    if (sl_sqlite_step(s) == 1)
        log->library = sl_log_keep(log, sl_sqlite_text(s, 0), strlen(sl_sqlite_text(s, 0)));
    sl_sqlite_finish(s);
    return log->library ? 0 : -ENOMEM;
}

/* Blocks ----------------------------------------------------------------------------------------*/

static int end_block(struct sl_log *log, struct sl_log_block *block)
{
    return sl_log_run_end(log, block);
}

/* One more row: id, topic, timestamp, length. */
static int add_row(struct sl_log *log, struct sl_sqlite_statement *s, struct sl_log_block *block,
                   uint64_t db_bytes)
{
    int64_t id = sl_sqlite_int(s, 0);
    int64_t topic_id = sl_sqlite_int(s, 1);
    uint64_t time_ns = (uint64_t)sl_sqlite_int(s, 2);
    uint64_t size = (uint64_t)sl_sqlite_int(s, 3);
    uint32_t topic = topic_id >= 0 && topic_id < SL_LOG_TOPICS_MAX
                         ? sl_log_topic_index(log, (uint32_t)topic_id)
                         : SL_LOG_NO_TOPIC;
    if (topic == SL_LOG_NO_TOPIC || size > db_bytes) {
        sl_log_note_damage(log, (uint64_t)id, size > db_bytes ? 0 : size,
                           "row %" PRId64 " is of topic %" PRId64 " and %" PRIu64 " bytes", id,
                           topic_id, size);
        return end_block(log, block); /* so that no block has such a row between */
    }
    int err = 0;
    if (block->message_count > 0 && block->size_bytes + size > SL_LOG_RUN_BYTES)
        err = end_block(log, block);
    if (block->message_count == 0) {
        block->offset = time_ns;
        block->stored_bytes = (uint64_t)id;
    }
    sl_log_count(log, block, topic, time_ns);
    block->size_bytes += ROW_BYTES + size;
    return err;
}

static int read_rows(struct sl_log *log)
{
    struct rosbag2 *rosbag2 = log->state;
    struct sl_sqlite_statement *s;
    struct sl_log_block block = {0};
    uint64_t db_bytes = sl_sqlite_size(rosbag2->db);
    int err = sl_sqlite_prepare(rosbag2->db,
                                "SELECT id, topic_id, timestamp, length(data) FROM messages "
                                "ORDER BY timestamp, id",
                                &s);
    if (err)
        return err;
    while (!err && (err = sl_sqlite_step(s)) == 1)
        err = add_row(log, s, &block, db_bytes);
    sl_sqlite_finish(s);
    return err ? err : end_block(log, &block);
}

/* Of an id, or behind it? Pages that point in a circle lead elsewhere. */
static int check_order(struct sl_sqlite_statement *s, int result, int64_t least)
{
    return result == 1 && sl_sqlite_int(s, 0) < least
               ? sl_error(-EBADMSG, "database: rows are out of order")
               : result;
}

/* The first row from an id on: 1, 0 if there is none. */
static int step_from(struct sl_sqlite_statement *s, int64_t id)
{
    sl_sqlite_reset(s);
    sl_sqlite_bind_int(s, 1, id);
    return check_order(s, sl_sqlite_step(s), id);
}

/* The first row that can be read behind a damaged page, of which nothing tells where its ids end:
 * steps double until they are beyond it, and then halve back to its end. */
static int step_over(struct sl_sqlite_statement *s, int64_t last)
{
    int64_t low = 0, high = 1;
    int result = step_from(s, last + high);
    while (result == -EBADMSG && high <= GAP_MAX && last <= INT64_MAX - 2 * high) {
        low = high;
        high *= 2;
        result = step_from(s, last + high);
    }
    while (result >= 0 && high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        result = step_from(s, last + middle);
        if (result == -EBADMSG)
            low = middle;
        else
            high = middle;
        result = result == -EBADMSG ? 0 : result;
    }
    return result < 0 ? result : step_from(s, last + high);
}

/* Without the index, and over pages that cannot be read. `last` is the row before. */
static int scan_row(struct sl_log *log, struct sl_sqlite_statement *s, struct sl_log_block *block,
                    int64_t last)
{
    if (last == INT64_MAX)
        return 0;
    int result = last < 0 ? step_from(s, 0) : check_order(s, sl_sqlite_step(s), last + 1);
    if (result != -EBADMSG)
        return result;
    sl_log_note_damage(log, (uint64_t)last, 0, "behind row %" PRId64 ": %s", last, sl_error_text());
    int err = end_block(log, block);
    if (err)
        return err;
    result = step_over(s, last);
    return result == -EBADMSG ? 0 : result;
}

static int scan_rows(struct sl_log *log)
{
    struct rosbag2 *rosbag2 = log->state;
    struct sl_sqlite_statement *s;
    struct sl_log_block block = {0};
    uint64_t db_bytes = sl_sqlite_size(rosbag2->db);
    int64_t last = -1;
    int err = sl_sqlite_prepare(rosbag2->db,
                                "SELECT id, topic_id, timestamp, length(data) FROM messages NOT "
                                "INDEXED WHERE id >= ? ORDER BY id",
                                &s);
    if (err)
        return err;
    while (!err && (err = scan_row(log, s, &block, last)) == 1) {
        last = sl_sqlite_int(s, 0);
        err = add_row(log, s, &block, db_bytes);
    }
    sl_sqlite_finish(s);
    return err ? err : end_block(log, &block);
}

/* Rows of a block from the one of number `*at` on, which is left where one cannot be read. */
static int load_from(struct rosbag2 *rosbag2, const struct sl_log_block *block, struct sl_writer *w,
                     uint64_t *at)
{
    struct sl_sqlite_statement *s = rosbag2->load;
    int result = 0;
    sl_sqlite_reset(s);
    sl_sqlite_bind_int(s, 1, (int64_t)block->offset);
    sl_sqlite_bind_int(s, 2, (int64_t)block->stored_bytes);
    sl_sqlite_bind_int(s, 3, (int64_t)block->message_count - (int64_t)*at);
    sl_sqlite_bind_int(s, 4, (int64_t)*at);
    while ((result = sl_sqlite_step(s)) == 1) {
        size_t size;
        const void *body = sl_sqlite_bytes(s, 2, &size);
        if (ROW_BYTES + size > block->size_bytes - sl_writer_offset(w))
            break;
        sl_writer_le64(w, (uint64_t)sl_sqlite_int(s, 1));
        sl_writer_le64(w, size);
        sl_writer_le32(w, (uint32_t)sl_sqlite_int(s, 0));
        sl_writer_le32(w, 0);
        sl_writer_bytes(w, body, size);
        ++*at;
    }
    sl_sqlite_reset(s);
    return result < 0 ? result : 0;
}

/* Rows of a block into memory. They must be those that were counted; one whose body cannot be read
 * is left out. */
static int load_rows(struct sl_log *log, const struct sl_log_block *block, void *to,
                     size_t *ret_size_bytes)
{
    struct sl_writer w = sl_writer(to, (size_t)block->size_bytes);
    char why[160] = "the database was changed while it was read";
    uint64_t at = 0;
    int result = load_from(log->state, block, &w, &at);
    for (int i = 0; i < BAD_ROWS_MAX && result == -EBADMSG; i++) {
        snprintf(why, sizeof why,
                 "row %" PRIu64 " of the block that begins with row %" PRIu64 ": %s", at + 1,
                 block->stored_bytes, sl_error_text());
        at++;
        result = load_from(log->state, block, &w, &at);
    }
    *ret_size_bytes = sl_writer_offset(&w);
    if (result < 0 && result != -EBADMSG)
        return result;
    return *ret_size_bytes == block->size_bytes ? 0 : sl_error(-EBADMSG, "%s", why);
}

static int walk_rows(const struct sl_log *log, const struct sl_log_block *block, const void *bytes,
                     size_t size_bytes, size_t *at, struct sl_log_message *ret_message)
{
    (void)block;
    struct sl_reader r = sl_reader(bytes, size_bytes);
    sl_reader_skip(&r, *at);
    if (sl_reader_left(&r) == 0)
        return 0;
    uint64_t time_ns = sl_reader_le64(&r);
    uint64_t size = sl_reader_le64(&r);
    uint32_t topic = sl_log_topic_index(log, sl_reader_le32(&r));
    sl_reader_skip(&r, 4);
    size_t offset = sl_reader_offset(&r);
    if (r.failed || size > sl_reader_left(&r) || topic == SL_LOG_NO_TOPIC)
        return sl_error(-EBADMSG, "a block of rows is cut off");
    *at = offset + (size_t)size;
    *ret_message = (struct sl_log_message){.topic = topic,
                                           .receive_ns = time_ns,
                                           .publish_ns = time_ns,
                                           .offset = offset,
                                           .size_bytes = size};
    return 1;
}

/* Opening ---------------------------------------------------------------------------------------*/

static const struct sl_log_operations operations = {load_rows, walk_rows, close_rosbag2};

static int prepare_load(struct rosbag2 *rosbag2)
{
    return sl_sqlite_prepare(
        rosbag2->db,
        rosbag2->by_id
            ? "SELECT topic_id, timestamp, data FROM messages NOT INDEXED WHERE ?1 NOT NULL AND "
              "id >= ?2 ORDER BY id LIMIT ?3 OFFSET ?4"
            : "SELECT topic_id, timestamp, data FROM messages WHERE (timestamp, id) >= (?1, ?2) "
              "ORDER BY timestamp, id LIMIT ?3 OFFSET ?4",
        &rosbag2->load);
}

static int open_once(struct sl_sqlite *db, bool by_id, struct sl_log **ret_log)
{
    struct sl_log *log;
    struct rosbag2 *rosbag2 = calloc(1, sizeof *rosbag2);
    if (!rosbag2)
        return sl_error(-ENOMEM, "no memory for the log's index");
    rosbag2->db = db;
    rosbag2->by_id = by_id;
    int err = sl_log_create(SL_LOG_ROSBAG2_SQLITE, &operations, NULL, rosbag2, &log);
    if (err) {
        free(rosbag2);
        return err;
    }
    log->profile = "ros2";
    err = check_tables(db);
    if (!err)
        err = read_distro(log);
    if (!err)
        err = read_topics(log);
    if (!err)
        err = prepare_load(rosbag2);
    if (!err)
        err = by_id ? scan_rows(log) : read_rows(log);
    if (err) {
        sl_log_close(log);
        return err;
    }
    log->was_indexed = !by_id;
    *ret_log = log;
    return 0;
}

int sl_rosbag2_sqlite_open(struct sl_sqlite *db, unsigned flags, struct sl_log **ret_log)
{
    struct sl_log *log;
    char reason[160] = "";
    int err = open_once(db, flags & SL_LOG_SCAN, &log);
    if (err == -EBADMSG && !(flags & SL_LOG_SCAN)) {
        strncpy(reason, sl_error_text(), sizeof reason - 1);
        err = open_once(db, true, &log);
    }
    if (err)
        return err;
    if (reason[0] && log->damage.count == 0)
        sl_log_note_damage(log, 0, 0, "%s", reason);
    *ret_log = log;
    return 0;
}
