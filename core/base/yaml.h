/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.h - a YAML document as a tree whose every node knows its line and column.
 *
 * For launch files and messages typed by people: small documents, good messages. Scalars stay text;
 * who reads them decides what they are. Aliases (*name) are followed; an alias inside its own
 * anchor is an error, and so is a document that would grow by them beyond SL_YAML_WEIGHT_MAX.
 *
 *     struct sl_yaml *yaml;
 *     if (sl_yaml_load("demo.yaml", &yaml) < 0)
 *         fail(sl_error_text());
 *     const struct sl_yaml_node *nodes = sl_yaml_get(sl_yaml_root(yaml), "nodes");
 *     for (unsigned i = 0; i < sl_yaml_count(nodes); i++)
 *         use(sl_yaml_key(nodes, i), sl_yaml_item(nodes, i));
 *     sl_yaml_destroy(yaml);
 *
 * Life:    load | parse -> read -> destroy. Nodes and their texts live as long as the document.
 * Owner:   the document owns all; `text` that was given may go away.
 * Threads: reading from any; a document does not change.
 * Errors:  -errno with a sentence "FILE:LINE:COLUMN: what", followed, where the place is known, by
 * the line itself and a caret under the column (so the text has up to three lines).
 */
#ifndef SL_BASE_YAML_H
#define SL_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#define SL_YAML_SIZE_MAX   (1u << 20) /* bytes of a document */
#define SL_YAML_NODES_MAX  (1u << 16) /* as written */
#define SL_YAML_WEIGHT_MAX (1u << 18) /* nodes with every alias written out */
#define SL_YAML_DEPTH_MAX  32

enum sl_yaml_kind {
    SL_YAML_SCALAR,
    SL_YAML_MAPPING,
    SL_YAML_SEQUENCE
};
extern const char *const sl_yaml_kind_names[]; /* "text", "mapping", "list" */

struct sl_yaml;
struct sl_yaml_node;

/* One document. -ENOENT, -EACCES, -EISDIR... for the file; -E2BIG, -EINVAL for what stands in it.
 * An empty document is a scalar that is null. `name` is what messages call it. */
int sl_yaml_load(const char *path, struct sl_yaml **ret_yaml);
int sl_yaml_parse(const char *name, const char *text, size_t size_bytes, struct sl_yaml **ret_yaml);
void sl_yaml_destroy(struct sl_yaml *yaml); /* NULL is fine */

const struct sl_yaml_node *sl_yaml_root(const struct sl_yaml *yaml);

/* All of these take NULL for a node that is not there. */
bool sl_yaml_is(const struct sl_yaml_node *node, enum sl_yaml_kind kind);
enum sl_yaml_kind sl_yaml_kind(const struct sl_yaml_node *node); /* of a node that is there */

/* A scalar's text, "" if it is empty; NULL for the others. */
const char *sl_yaml_text(const struct sl_yaml_node *node);
/* Written plainly as nothing, ~ or null. */
bool sl_yaml_is_null(const struct sl_yaml_node *node);
/* Written in quotes or as a block: a text, whatever it looks like. */
bool sl_yaml_is_quoted(const struct sl_yaml_node *node);

/* Entries of a mapping or items of a list; 0 for a scalar. */
unsigned sl_yaml_count(const struct sl_yaml_node *node);
/* The value of entry, or item, number `index`; NULL beyond the end. */
const struct sl_yaml_node *sl_yaml_item(const struct sl_yaml_node *node, unsigned index);
/* The key of entry number `index`: a scalar. NULL for lists. */
const struct sl_yaml_node *sl_yaml_key(const struct sl_yaml_node *node, unsigned index);
/* A mapping's value by key, or NULL. */
const struct sl_yaml_node *sl_yaml_get(const struct sl_yaml_node *node, const char *key);

/* Counted from 1. Columns are bytes. */
unsigned sl_yaml_line(const struct sl_yaml_node *node);
unsigned sl_yaml_column(const struct sl_yaml_node *node);
const char *sl_yaml_file(const struct sl_yaml_node *node);

/* A failure of the document's meaning, told as its syntax errors are. Returns `err` as negative. */
int sl_yaml_error(const struct sl_yaml_node *node, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
