/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the command line of `sluice launch`. */
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/node/bus.h"
#include "launch/budget.h"
#include "launch/launch.h"
#include "launch/plan.h"
#include "launch/roudi.h"
#include "launch/supervise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_WRONG 2

struct launch_options {
    const char *file;
    struct sl_option_list given;
    struct sl_option_list set;
    const char *domain;
    int64_t duration_ns;
    int64_t grace_ns;
    int64_t stats_period_ns;
    int log_level; /* enum sl_log_level */
    int bus;       /* index of sl_bus_names; counts if it was given */
    bool no_table;
    bool no_summary;
    bool check;
    bool arguments;
};
static struct launch_options options;

#define AT(field) offsetof(struct launch_options, field)
static const struct sl_option table[] = {
    {.name = "file",
     .kind = SL_OPTION_TEXT,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = AT(file),
     .value = "FILE",
     .help = "The launch file"},
    {.name = "argument",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL,
     .offset = AT(given),
     .value = "KEY=VALUE",
     .help = "A value for one of the file's arguments"},
    {.name = "set",
     .kind = SL_OPTION_LIST,
     .offset = AT(set),
     .value = "NODE.PARAM=VALUE",
     .help = "Another value for a node's parameter; may be given several times"},
    {.name = "domain",
     .kind = SL_OPTION_TEXT,
     .offset = AT(domain),
     .value = "NAME",
     .help = "The domain (default: the file's, else $SLUICE_DOMAIN)"},
    {.name = "bus",
     .kind = SL_OPTION_CHOICE,
     .offset = AT(bus),
     .choices = sl_bus_names,
     .help = "What carries the messages of all nodes (default: as the file says)"},
    {.name = "duration",
     .kind = SL_OPTION_DURATION,
     .offset = AT(duration_ns),
     .max = 1e17,
     .help = "Stop everything after this time (default: the file's, else never)"},
    {.name = "grace",
     .kind = SL_OPTION_DURATION,
     .offset = AT(grace_ns),
     .fallback = "5s",
     .max = 1e13,
     .help = "How long a node may take to end before it is killed"},
    {.name = "stats-period",
     .kind = SL_OPTION_DURATION,
     .offset = AT(stats_period_ns),
     .fallback = "5s",
     .max = 1e14,
     .help = "Without a table, print a line a topic this often; 0 = never"},
    {.name = "log-level",
     .kind = SL_OPTION_CHOICE,
     .offset = AT(log_level),
     .fallback = "info",
     .choices = sl_log_level_names,
     .help = "The last level of the launcher's own lines that is shown"},
    {.name = "no-table",
     .kind = SL_OPTION_FLAG,
     .offset = AT(no_table),
     .help = "No table of topics on the terminal, plain lines instead"},
    {.name = "no-summary",
     .kind = SL_OPTION_FLAG,
     .offset = AT(no_summary),
     .help = "No summary at the end"},
    {.name = "check",
     .kind = SL_OPTION_FLAG,
     .offset = AT(check),
     .help = "Read and check everything, start nothing"},
    {.name = "arguments",
     .kind = SL_OPTION_FLAG,
     .offset = AT(arguments),
     .help = "Show the file's arguments and end"},
};

const struct sl_command sl_launch_command = {
    .name = "sluice launch",
    .summary = "Start the processes of a launch file and look after them",
    .details =
        "Starts what FILE names below nodes:, in the order that after: asks for, shows what they "
        "write,\nrestarts them as restart: says, and shows topics, rates, losses and latencies. "
        "SIGINT or SIGTERM stops\nthem all in reverse order; a second one kills them.\n\n"
        "The exit status is 0 if all ended well or were stopped, 1 if a node failed, 2 if the "
        "file or the\narguments are wrong.",
    .example = "sluice launch launch/vlp16_capture.yaml capture=drive.pcap   (replay a capture)",
    .tables = {{"Options", table, sizeof table / sizeof *table, &options}},
};

static int wrong(void)
{
    fprintf(stderr, "%s\n", sl_error_text());
    return EXIT_WRONG;
}

static void show_arguments(const struct sl_plan *plan)
{
    for (unsigned i = 0; i < plan->argument_count; i++) {
        const struct sl_plan_argument *a = &plan->argument[i];
        printf("%s=%s%s%s\n", a->name, a->value ? a->value : "(must be given)",
               a->help ? "    " : "", a->help ? a->help : "");
    }
}

static int make_directories(const struct sl_plan *plan)
{
    for (unsigned i = 0; i < plan->directory_count; i++)
        if (mkdir(plan->directory[i], 0777) < 0 && errno != EEXIST)
            return sl_error(-errno, "cannot make the directory %s: %s", plan->directory[i],
                            strerror(errno));
    return 0;
}

static int read_plan(struct sl_plan *plan)
{
    int err = sl_plan_read(plan, options.file, options.given.text, options.given.count,
                           options.arguments, sl_yaml_load);
    for (unsigned i = 0; i < options.set.count && err == 0 && !options.arguments; i++)
        err = sl_plan_set(plan, options.set.text[i]);
    if (err < 0 || options.arguments)
        return err;
    bool has_bus = sl_options_given(&sl_launch_command, "bus");
    err = sl_plan_choose_bus(plan, has_bus ? sl_bus_at(options.bus) : SL_BUS_DEFAULT);
    if (err == 0)
        err = sl_plan_check(plan);
    return err < 0 ? err : sl_roudi_check(plan);
}

/* Told before anything starts, and started all the same: not every restart happens, and each node
 * checks again when it makes its pools. */
static void warn_of_memory(const struct sl_plan *plan)
{
    struct sl_budget *budget = malloc(sizeof *budget);
    if (budget && sl_budget_make(plan, NULL, budget) == 0) {
        if (!budget->does_fit)
            fprintf(stderr, "sluice: %s may not fit: %s (see sluice plan %s)\n", options.file,
                    budget->note[0].text, options.file);
        sl_budget_finish(budget);
    }
    free(budget);
}

static int launch(struct sl_plan *plan)
{
    if (read_plan(plan) < 0)
        return wrong();
    if (options.arguments) {
        show_arguments(plan);
        return 0;
    }
    if (options.check) {
        printf("%s: %u nodes, all fine\n", options.file, plan->node_count);
        return 0;
    }
    if (make_directories(plan) < 0) {
        fprintf(stderr, "%s\n", sl_error_text());
        return 1;
    }
    warn_of_memory(plan);
    const struct sl_supervise_options supervise = {
        .domain = options.domain ? options.domain : plan->domain,
        .duration_ns = sl_options_given(&sl_launch_command, "duration") ? options.duration_ns
                                                                        : plan->duration_ns,
        .grace_ns = options.grace_ns,
        .stats_period_ns = options.stats_period_ns,
        .with_table = !options.no_table,
        .with_summary = !options.no_summary,
        .log_level = options.log_level,
    };
    return sl_supervise(plan, &supervise);
}

int sl_launch_main(int argc, char **argv)
{
    int err = sl_options_parse(&sl_launch_command, argc, argv);
    if (err < 0)
        fputs("sluice launch: ", stderr); /* what is wrong with a file begins with its place */
    if (err != 0)
        return err < 0 ? wrong() : 0;
    struct sl_plan *plan;
    if (sl_plan_create(&plan) < 0)
        return wrong();
    int status = launch(plan);
    sl_plan_destroy(plan);
    return status;
}
