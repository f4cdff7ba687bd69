/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench.h"

#include "core/base/error.h"
#include "core/shm/sluice.h"
#include "tools/machine.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct sl_bench_given sl_bench_given;
const struct sl_option sl_bench_options[] = {
    {.name = "json",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct sl_bench_given, json),
     .help = "One flat JSON object; a key ends in its unit"},
};

static int refuse_part(const char *part, size_t length, const char *const *names)
{
    char list[128] = "";
    for (size_t used = 0; *names && used < sizeof list; names++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *names);
    return sl_error(-EINVAL,
                    "--only: there is no part '%.*s'; give some of %s, with commas between",
                    (int)length, part, list);
}

int sl_bench_choose(const char *only, const char *const *names, unsigned *ret_chosen)
{
    unsigned chosen = 0, count = 0;
    while (names[count])
        count++;
    for (const char *at = only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t length = strcspn(at, ",");
        unsigned i = 0;
        while (i < count && (strlen(names[i]) != length || strncmp(at, names[i], length) != 0))
            i++;
        if (i == count)
            return refuse_part(at, length, names);
        chosen |= 1u << i;
    }
    *ret_chosen = only ? chosen : (1u << count) - 1;
    return 0;
}

void sl_bench_begin(struct sl_bench *bench, const char *command)
{
    struct sl_machine machine;
    *bench = (struct sl_bench){.as_json = sl_bench_given.json, .json = {.to = stdout}};
    sl_machine_read(&machine);
    if (bench->as_json) {
        sl_json_open(&bench->json, NULL, '{');
        sl_json_text(&bench->json, "command", command);
        sl_json_text(&bench->json, "version", sl_version());
        sl_machine_json(&machine, &bench->json);
    } else {
        sl_machine_print(&machine, stdout);
        printf("command   %s  (version %s)\n\n", command, sl_version());
    }
    fflush(stdout); /* what follows takes a while, and may fork: nothing is to come twice */
}

/* 512.3 million is easier read than 512300000. */
static void print_value(double value)
{
    double size = fabs(value);
    if (size >= 1e9)
        printf("%12.3f G", value / 1e9);
    else if (size >= 1e6)
        printf("%12.3f M", value / 1e6);
    else if (size >= 1000)
        printf("%12.0f  ", value);
    else
        printf("%12.3f  ", value);
}

void sl_bench_figure(struct sl_bench *bench, const char *key, double value, const char *bar)
{
    if (bench->as_json) {
        sl_json_real(&bench->json, key, value);
        return;
    }
    printf("%-34s", key);
    print_value(value);
    printf("%s%s\n", bar ? "  " : "", bar ? bar : "");
}

void sl_bench_text(struct sl_bench *bench, const char *key, const char *text)
{
    if (bench->as_json)
        sl_json_text(&bench->json, key, text);
    else
        printf("%-34s  %s\n", key, text);
}

void sl_bench_end(struct sl_bench *bench)
{
    if (!bench->as_json)
        return;
    sl_json_close(&bench->json, '}');
    sl_json_end(&bench->json);
}
