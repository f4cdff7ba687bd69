/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/json.h"

#include "core/frame/print.h"

#include <inttypes.h>
#include <math.h>

static void begin(struct sl_json *json, const char *key)
{
    if (json->comma)
        fputs(", ", json->to);
    json->comma = true;
    if (key) {
        sl_print_json_text(sl_text(key), json->to);
        fputs(": ", json->to);
    }
}

void sl_json_open(struct sl_json *json, const char *key, char bracket)
{
    begin(json, key);
    fputc(bracket, json->to);
    json->comma = false;
}

void sl_json_close(struct sl_json *json, char bracket)
{
    fputc(bracket, json->to);
    json->comma = true;
}

void sl_json_end(struct sl_json *json)
{
    fputc('\n', json->to);
    fflush(json->to);
    json->comma = false;
}

void sl_json_text(struct sl_json *json, const char *key, const char *text)
{
    begin(json, key);
    if (text)
        sl_print_json_text(sl_text(text), json->to);
    else
        fputs("null", json->to);
}

void sl_json_count(struct sl_json *json, const char *key, uint64_t value)
{
    begin(json, key);
    fprintf(json->to, "%" PRIu64, value);
}

void sl_json_int(struct sl_json *json, const char *key, int64_t value)
{
    begin(json, key);
    fprintf(json->to, "%" PRId64, value);
}

void sl_json_real(struct sl_json *json, const char *key, double value)
{
    begin(json, key);
    if (isfinite(value))
        fprintf(json->to, "%.9g", value);
    else
        fputs("null", json->to);
}

void sl_json_flag(struct sl_json *json, const char *key, bool value)
{
    begin(json, key);
    fputs(value ? "true" : "false", json->to);
}

void sl_json_key(struct sl_json *json, const char *key)
{
    begin(json, key);
}

void sl_json_line(struct sl_json *json, const char *key, const char *text)
{
    *json = (struct sl_json){.to = stdout};
    sl_json_open(json, NULL, '{');
    sl_json_text(json, key, text);
}

void sl_json_line_end(struct sl_json *json)
{
    sl_json_close(json, '}');
    sl_json_end(json);
}
