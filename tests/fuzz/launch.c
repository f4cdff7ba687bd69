/* SPDX-License-Identifier: Apache-2.0 */
/* launch.c - any bytes as a launch file: read, checked against the schema, turned into command
 * lines.
 *
 * Every file that it includes is the same bytes again, so that includes, arguments and circles are
 * reached. No program is looked for and none is started. */
#include "core/base/error.h"
#include "launch/plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* libfyaml 0.7.12 loses the list of a text's pieces when there are many (fy_atom_format_text): a
 * few kB for each such text of a launch file, once. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static const char *text;
static size_t text_size;

static int load_same(const char *path, struct sl_yaml **ret_yaml)
{
    return sl_yaml_parse(path, text, text_size, ret_yaml);
}

static void read_plan(bool only_arguments)
{
    static const char *const given[] = {"capture=file.pcap", "rate=$(dirname)"};
    struct sl_plan *plan;
    if (sl_plan_create(&plan) < 0)
        abort();
    /* most files have not these arguments: those are read without */
    int err = sl_plan_read(plan, "fuzz.yaml", given, 2, only_arguments, load_same);
    if (err < 0) {
        sl_plan_destroy(plan);
        if (sl_plan_create(&plan) < 0)
            abort();
        err = sl_plan_read(plan, "fuzz.yaml", NULL, 0, only_arguments, load_same);
    }
    if (err < 0 && strlen(sl_error_text()) == 0)
        abort(); /* every refusal says why */
    if (err == 0)
        sl_plan_set(plan, "lidar.rate=2");
    for (unsigned i = 0; err == 0 && i < plan->node_count; i++) {
        char **argv = NULL;
        if (sl_plan_command(plan, &plan->node[i], i % 2 == 0, &argv) == 0 && !argv[0])
            abort();
    }
    sl_plan_destroy(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    text = (const char *)bytes;
    text_size = size_bytes;
    read_plan(false);
    read_plan(true);
    return 0;
}
