/* SPDX-License-Identifier: Apache-2.0 */
/* dds_names.c - names of topics and types as other participants of DDS send them, and rules.
 *
 * Input: one byte that selects the reader, and the text. A name that is accepted must be the same
 * again when it is taken back to DDS; what is refused must say why. */
#include "core/base/error.h"
#include "nodes/dds_bridge/names.h"
#include "nodes/dds_bridge/rule.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

enum {
    READ_TOPIC,
    READ_TYPE,
    MAKE_TYPE,
    READ_RULE,
    READERS
};

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void read_topic(const char *text)
{
    char bus[SL_TOPIC_MAX], dds[BRIDGE_TOPIC_MAX];
    if (bridge_topic_from_dds(text, bus) < 0) {
        expect(sl_error_text()[0]);
        return;
    }
    expect(bridge_topic_to_dds(bus, dds) == 0 && strcmp(dds, text) == 0);
}

static void read_type(const char *text)
{
    char bus[SL_TYPE_MAX], dds[BRIDGE_TYPE_MAX];
    if (bridge_type_from_dds(text, bus) < 0) {
        expect(sl_error_text()[0]);
        return;
    }
    expect(bridge_type_to_dds(bus, dds) == 0 && strcmp(dds, text) == 0);
}

static void make_type(const char *text)
{
    char dds[BRIDGE_TYPE_MAX];
    if (bridge_type_to_dds(text, dds) < 0)
        expect(sl_error_text()[0]);
    else
        expect(strlen(dds) < sizeof dds);
}

static void read_rule(const char *text)
{
    struct bridge_rule rule;
    if (bridge_rule_init(&rule, text) < 0)
        expect(sl_error_text()[0]);
    else
        expect(rule.qos.depth >= 1 && rule.qos.depth <= BRIDGE_DEPTH_MAX && rule.period_ns >= 0);
    bridge_rule_finish(&rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static void (*const readers[READERS])(const char *text) = {
        [READ_TOPIC] = read_topic,
        [READ_TYPE] = read_type,
        [MAKE_TYPE] = make_type,
        [READ_RULE] = read_rule,
    };
    if (size_bytes == 0)
        return 0;
    char *text = malloc(size_bytes); /* exactly as long, so that a step too far is seen */
    expect(text != NULL);
    memcpy(text, bytes + 1, size_bytes - 1);
    text[size_bytes - 1] = '\0';
    sl_error_clear();
    readers[bytes[0] % READERS](text);
    free(text);
    return 0;
}
