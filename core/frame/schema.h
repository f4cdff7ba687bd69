/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - what the known message types are made of, as const tables.
 *
 * The tables say what the .msg files of ROS 2 say: names, kinds, shapes, order. Walking (walk.h),
 * printing (print.h) and building (build.h) need nothing else. A further type is a table in
 * schema.c and a line in its list.
 *
 * Life:    the tables live as long as the program.
 * Threads: any.
 */
#ifndef SL_FRAME_SCHEMA_H
#define SL_FRAME_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How deep messages are nested in each other, the outermost included. A test checks the tables. */
#define SL_SCHEMA_DEPTH_MAX 8
/* Members of one message; a test checks the tables. */
#define SL_SCHEMA_MEMBERS_MAX 64

enum sl_kind {
    SL_KIND_BOOL,
    SL_KIND_U8, /* byte and char too */
    SL_KIND_I8,
    SL_KIND_U16,
    SL_KIND_I16,
    SL_KIND_U32,
    SL_KIND_I32,
    SL_KIND_U64,
    SL_KIND_I64,
    SL_KIND_F32,
    SL_KIND_F64,
    SL_KIND_STRING,
    SL_KIND_MESSAGE,
};

enum sl_shape {
    SL_SHAPE_ONE,
    SL_SHAPE_ARRAY,    /* exactly `count` elements */
    SL_SHAPE_SEQUENCE, /* any number; at most `count` if that is not 0 */
};

struct sl_schema;

struct sl_member {
    const char *name;
    enum sl_kind kind;
    enum sl_shape shape;
    uint32_t count;
    const struct sl_schema *type; /* SL_KIND_MESSAGE */
};

struct sl_schema {
    const char *name; /* "sensor_msgs/msg/Imu" */
    const struct sl_member *members;
    unsigned member_count;
};

/* The type of that name, or NULL. The ways in which it is written elsewhere are understood too:
 * "sensor_msgs/Imu" (ROS 1, old bags) and "sensor_msgs::msg::dds_::Imu_" (DDS). */
const struct sl_schema *sl_schema_find(const char *name);

/* All types, in the order of the table: index 0 on; NULL after the last. */
const struct sl_schema *sl_schema_at(size_t index);

/* Bytes of one value in CDR; 0 for strings and messages, whose size is not fixed. */
size_t sl_kind_size(enum sl_kind kind);
/* "uint8", "string", ... as .msg files write it; "message" for SL_KIND_MESSAGE. */
const char *sl_kind_name(enum sl_kind kind);

#endif
