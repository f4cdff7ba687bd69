/* SPDX-License-Identifier: Apache-2.0 */
/* print.h - a body as text for people (YAML) and for programs (JSON).
 *
 * Numbers are printed so that reading them gives the same bits; reals always with a point or an
 * exponent. In strings, control characters and bytes that are no UTF-8 are escaped, so that nothing
 * printed can steer a terminal; a byte that is no UTF-8 is written as the character of that number
 * (\x9f in YAML, \u009f in JSON).
 *
 * Life:    one call; nothing is kept or allocated.
 * Owner:   body, schema and file are the caller's.
 * Threads: one at a time per file. Numbers are printed by the C locale, which programs start with.
 * Errors:  -EBADMSG if the body is no such message; then nothing was printed.
 *          -EIO if the file does not take the text.
 */
#ifndef SL_FRAME_PRINT_H
#define SL_FRAME_PRINT_H

#include "core/frame/cdr.h"
#include "core/frame/schema.h"

#include <stdio.h>

/* For list_max: every element of every list. */
#define SL_PRINT_ALL UINT32_MAX

/* YAML in block style, numbers and strings of a list on one line; ends with a newline.
 * Of each list the first `list_max` elements are printed, then how many there are besides:
 *     data: [0, 0, 128, 63, ... 65532 more]
 * Not a number and the infinities are .nan, .inf, -.inf. */
int sl_message_print_yaml(const struct sl_schema *schema, const void *body, size_t size,
                          uint32_t list_max, FILE *to);

/* JSON, one line without a newline at its end. A list of more than `list_max` elements becomes an
 * object:
 *     "data":{"length":65536,"first":[0,0,128,63]}
 * Not a number and the infinities, which JSON has not, are the strings "NaN", "Infinity",
 * "-Infinity". 64-bit numbers are numbers; many readers of JSON keep 53 bits of them. */
int sl_message_print_json(const struct sl_schema *schema, const void *body, size_t size,
                          uint32_t list_max, FILE *to);

/* One text as a JSON string, quotes included: for tools that print JSON around a message. */
void sl_print_json_text(struct sl_text text, FILE *to);

#endif
