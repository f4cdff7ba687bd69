/* SPDX-License-Identifier: Apache-2.0 */
/* rosbag2_sqlite_write.c - writing a database of rosbag2, schema 1 to 4
 * (rosbag2_sqlite_read.c shows it). One time is kept, that of receiving, and no sequence. Of a
 * topic's pairs there is room for offered_qos_profiles and topic_type_hash; the latching of ROS 1
 * becomes a QoS of transient local durability. */
#include "core/base/error.h"
#include "rosbag_compat/log_write.h"
#include "rosbag_compat/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SCHEMA_NEWEST 4

static const char latched_qos[] =
    "- history: 1\n  depth: 1\n  reliability: 1\n  durability: 1\n  deadline:\n    sec: 0\n"
    "    nsec: 0\n  lifespan:\n    sec: 0\n    nsec: 0\n  liveliness: 0\n"
    "  liveliness_lease_duration:\n    sec: 0\n    nsec: 0\n"
    "  avoid_ros_namespace_conventions: false";

struct rosbag2 {
    struct sl_sqlite *db;
    int schema;
    struct sl_sqlite_statement *message;
    struct sl_buffer body; /* of several pieces */
    uint64_t pending_bytes;
    bool in_transaction;
};

static int make_tables(struct rosbag2 *rosbag2)
{
    static const char *const tables[SCHEMA_NEWEST + 1][4] = {
        [1] =
            {"CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
             "serialization_format TEXT NOT NULL)"},
        [2] =
            {"CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
             "serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL)"},
        [3] =
            {"CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
             "serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL)",
             "CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL)",
             "CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, "
             "metadata TEXT NOT NULL)"},
        [4] =
            {"CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
             "serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL, "
             "type_description_hash TEXT NOT NULL)",
             "CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL)",
             "CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, "
             "metadata TEXT NOT NULL)",
             "CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, "
             "encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL, "
             "type_description_hash TEXT NOT NULL)"},
    };
    int err = sl_sqlite_execute(rosbag2->db, "BEGIN");
    for (unsigned i = 0; i < 4 && !err && tables[rosbag2->schema][i]; i++)
        err = sl_sqlite_execute(rosbag2->db, tables[rosbag2->schema][i]);
    if (!err)
        err = sl_sqlite_execute(rosbag2->db,
                                "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER "
                                "NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);"
                                "CREATE INDEX timestamp_idx ON messages (timestamp ASC)");
    if (!err && rosbag2->schema >= 3) {
        char sql[80];
        snprintf(sql, sizeof sql, "INSERT INTO schema VALUES(%d, '')", rosbag2->schema);
        err = sl_sqlite_execute(rosbag2->db, sql);
    }
    return err ? err : sl_sqlite_execute(rosbag2->db, "COMMIT");
}

static int begin(struct rosbag2 *rosbag2)
{
    if (rosbag2->in_transaction)
        return 0;
    rosbag2->in_transaction = true;
    return sl_sqlite_execute(rosbag2->db, "BEGIN");
}

static int flush(struct sl_log_writer *w)
{
    struct rosbag2 *rosbag2 = w->state;
    if (!rosbag2->in_transaction)
        return 0;
    rosbag2->in_transaction = false;
    rosbag2->pending_bytes = 0;
    return w->failure = sl_sqlite_execute(rosbag2->db, "COMMIT");
}

/* Texts in the order of the parameters from the second on; the first is the id. */
static int insert(struct sl_sqlite *db, const char *sql, int64_t id, const char *const *texts,
                  int count)
{
    struct sl_sqlite_statement *s;
    int err = sl_sqlite_prepare(db, sql, &s);
    if (err)
        return err;
    sl_sqlite_bind_int(s, 1, id);
    for (int i = 0; i < count; i++)
        sl_sqlite_bind_text(s, i + 2, texts[i] ? texts[i] : "");
    err = sl_sqlite_step(s);
    sl_sqlite_finish(s);
    return err;
}

static int insert_definition(struct rosbag2 *rosbag2, const struct sl_log_topic *topic,
                             const char *hash)
{
    struct sl_sqlite_statement *s;
    int err = sl_sqlite_prepare(rosbag2->db,
                                "INSERT INTO message_definitions(topic_type, encoding, "
                                "encoded_message_definition, type_description_hash) SELECT ?1, ?2, "
                                "CAST(?3 AS TEXT), ?4 WHERE NOT EXISTS(SELECT 1 FROM "
                                "message_definitions WHERE topic_type = ?1)",
                                &s);
    if (err)
        return err;
    sl_sqlite_bind_text(s, 1, topic->type);
    sl_sqlite_bind_text(s, 2, topic->definition_encoding ? topic->definition_encoding : "");
    sl_sqlite_bind_bytes(s, 3, topic->definition, topic->definition_bytes);
    sl_sqlite_bind_text(s, 4, hash);
    err = sl_sqlite_step(s);
    sl_sqlite_finish(s);
    return err;
}

static int write_topic(struct sl_log_writer *w, const struct sl_log_topic *topic, uint32_t index)
{
    struct rosbag2 *rosbag2 = w->state;
    const char *qos = sl_log_topic_get(topic, "offered_qos_profiles");
    const char *hash = sl_log_topic_get(topic, "topic_type_hash");
    const char *latching = sl_log_topic_get(topic, "latching");
    if (!qos && latching && strcmp(latching, "1") == 0)
        qos = latched_qos;
    const char *texts[] = {topic->name, topic->type, topic->encoding, qos, hash};
    static const char *const sql[SCHEMA_NEWEST + 1] = {
        [1] = "INSERT INTO topics VALUES(?, ?, ?, ?)",
        [2] = "INSERT INTO topics VALUES(?, ?, ?, ?, ?)",
        [3] = "INSERT INTO topics VALUES(?, ?, ?, ?, ?)",
        [4] = "INSERT INTO topics VALUES(?, ?, ?, ?, ?, ?)",
    };
    static const int counts[] = {0, 3, 4, 4, 5};
    int err = begin(rosbag2);
    if (!err)
        err = insert(rosbag2->db, sql[rosbag2->schema], (int64_t)index + 1, texts,
                     counts[rosbag2->schema]);
    if (!err && rosbag2->schema >= 4 && topic->has_schema)
        err = insert_definition(rosbag2, topic, hash ? hash : "");
    return w->failure = err;
}

static int write_message(struct sl_log_writer *w, const struct sl_log_message *m,
                         const struct iovec *body, unsigned pieces, uint64_t size_bytes)
{
    struct rosbag2 *rosbag2 = w->state;
    struct sl_sqlite_statement *s = rosbag2->message;
    const void *bytes = pieces > 0 ? body[0].iov_base : NULL;
    if (pieces > 1) {
        sl_buffer_clear(&rosbag2->body);
        for (unsigned i = 0; i < pieces; i++)
            sl_buffer_put(&rosbag2->body, body[i].iov_base, body[i].iov_len);
        if (rosbag2->body.failed)
            return sl_error(-ENOMEM, "no memory to write a log");
        bytes = rosbag2->body.bytes;
    }
    int err = begin(rosbag2);
    if (err)
        return w->failure = err;
    sl_sqlite_reset(s);
    sl_sqlite_bind_int(s, 1, (int64_t)m->topic + 1);
    sl_sqlite_bind_int(s, 2, (int64_t)m->receive_ns);
    sl_sqlite_bind_bytes(s, 3, bytes, (size_t)size_bytes);
    err = sl_sqlite_step(s);
    sl_sqlite_reset(s);
    w->failure = err;
    w->written_bytes += size_bytes;
    rosbag2->pending_bytes += size_bytes;
    return !err && rosbag2->pending_bytes >= w->options.chunk_bytes ? flush(w) : err;
}

static int end(struct sl_log_writer *w)
{
    return flush(w);
}

static void destroy(struct sl_log_writer *w)
{
    struct rosbag2 *rosbag2 = w->state;
    sl_sqlite_finish(rosbag2->message);
    if (rosbag2->in_transaction)
        sl_sqlite_execute(rosbag2->db, "ROLLBACK");
    sl_buffer_finish(&rosbag2->body);
    free(rosbag2);
}

static const struct sl_log_writer_operations operations = {
    .topic = write_topic,
    .message = write_message,
    .flush = flush,
    .end = end,
    .destroy = destroy,
};

int sl_rosbag2_sqlite_writer_create(struct sl_sqlite *db, int schema,
                                    const struct sl_log_write_options *options,
                                    struct sl_log_writer **ret_writer)
{
    if (schema < 0 || schema > SCHEMA_NEWEST)
        return sl_error(-EINVAL, "rosbag2 has schemas 1 to %d, not %d", SCHEMA_NEWEST, schema);
    if (options->compression)
        return sl_error(-EINVAL, "a database of rosbag2 has no chunks to compress; compress each "
                                 "message or the file");
    struct rosbag2 *rosbag2 = calloc(1, sizeof *rosbag2);
    if (!rosbag2)
        return sl_error(-ENOMEM, "no memory to write a log");
    *rosbag2 = (struct rosbag2){.db = db, .schema = schema ? schema : SCHEMA_NEWEST};
    struct sl_log_writer *writer;
    int err =
        sl_log_writer_create(SL_LOG_ROSBAG2_SQLITE, &operations, NULL, options, rosbag2, &writer);
    if (err) {
        free(rosbag2);
        return err;
    }
    err = make_tables(rosbag2);
    if (!err)
        err =
            sl_sqlite_prepare(db, "INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)",
                              &rosbag2->message);
    if (err) {
        sl_log_writer_destroy(writer);
        return err;
    }
    *ret_writer = writer;
    return 0;
}
