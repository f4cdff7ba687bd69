/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - JSON, written straight to a stream: commas, quotes and escapes are seen to.
 *
 *     struct sl_json json = {.to = stdout};
 *     sl_json_open(&json, NULL, '{');
 *     sl_json_text(&json, "topic", "/points");
 *     sl_json_open(&json, "lost", '[');
 *     sl_json_count(&json, NULL, 3);           a NULL key: an element of a list
 *     sl_json_close(&json, ']');
 *     sl_json_close(&json, '}');
 *     sl_json_end(&json);                      the newline
 *
 * Life:    a value on the stack.
 * Threads: one at a time.
 * Errors:  the stream's, which main asks at the end. Texts as core/frame/print.h escapes them;
 * numbers that are not finite are null.
 */
#ifndef SL_TOOLS_JSON_H
#define SL_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct sl_json {
    FILE *to;
    bool comma; /* something stands before in this list */
};

void sl_json_open(struct sl_json *json, const char *key, char bracket);
void sl_json_close(struct sl_json *json, char bracket);
void sl_json_end(struct sl_json *json);

void sl_json_text(struct sl_json *json, const char *key, const char *text); /* NULL: null */
void sl_json_count(struct sl_json *json, const char *key, uint64_t value);
void sl_json_int(struct sl_json *json, const char *key, int64_t value);
void sl_json_real(struct sl_json *json, const char *key, double value);
void sl_json_flag(struct sl_json *json, const char *key, bool value);

/* A line on standard output: an object that begins with this; and its end. */
void sl_json_line(struct sl_json *json, const char *key, const char *text);
void sl_json_line_end(struct sl_json *json);

/* The key alone; what follows is written by somebody else. */
void sl_json_key(struct sl_json *json, const char *key);

#endif
