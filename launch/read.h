/* SPDX-License-Identifier: Apache-2.0 */
/* read.h - reading one launch file: its arguments, and helpers that check as they read.
 *
 *   text.c         texts of the plan, $(...)
 *   read.c         a file: args, include, nodes and the rest
 *   read_node.c    one entry below `nodes:`
 *
 * Life:    a scope lives while its file is read; what it makes belongs to the plan.
 * Threads: one.
 * Errors:  -errno with file, line, column and caret.
 */
#ifndef SL_LAUNCH_READ_H
#define SL_LAUNCH_READ_H

#include "launch/plan.h"

#define SL_INCLUDE_DEPTH_MAX 8

/* One file being read. */
struct sl_scope {
    struct sl_plan *plan;
    const char *path;      /* as written, for messages */
    const char *identity;  /* the real name, where there is one */
    const char *directory; /* of the file */
    sl_plan_loader *load;
    const struct sl_scope *parent; /* the file that includes this one, or NULL */
    unsigned depth;
    struct sl_plan_argument argument[SL_PLAN_ARGUMENTS_MAX];
    unsigned argument_count;
};

/* A scalar's text with its $(...) put in. `what` names it in messages: "exec". */
int sl_scope_text(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                  const char **ret_text);
int sl_scope_bool(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                  bool *ret_value);
int sl_scope_duration(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                      int64_t *ret_ns);
/* A mapping name: text. With `lists`, a value that is a list makes one setting an item. */
int sl_scope_settings(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                      bool lists, struct sl_plan_settings *ret_settings);
/* A list of texts, or one text. */
int sl_scope_list(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                  struct sl_plan_settings *ret_settings);
/* -EINVAL unless it is one of the words. */
int sl_scope_choice(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                    const char *const *words, int *ret_index);

/* native or iceoryx */
int sl_scope_bus(struct sl_scope *scope, const struct sl_yaml_node *node, enum sl_bus *ret_bus);

/* One key of a mapping, and who reads its value into `target`. */
struct sl_schema {
    const char *key;
    int (*read)(struct sl_scope *scope, const struct sl_yaml_node *value, void *target);
};
/* Every key must be one of the schema (ended by a key NULL); `what` names the mapping: "a node". */
int sl_scope_mapping(struct sl_scope *scope, const struct sl_yaml_node *node, const char *what,
                     const struct sl_schema *schema, void *target);

/* The entry `name: value` below `nodes:`. */
int sl_scope_node(struct sl_scope *scope, const struct sl_yaml_node *name,
                  const struct sl_yaml_node *value);

#endif
