/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the `sluice` command: finds the sub-command, reads its options, runs it. */
#include "core/base/error.h"
#include "core/base/words.h"
#include "core/node/runtime.h"
#include "core/shm/sluice.h"
#include "core/shm/stats.h"
#include "tools/tool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const struct sl_tool *const sl_tools[] = {
    &sl_tool_launch,
    &sl_tool_plan,
    &sl_tool_doctor,
    &sl_tool_topic_list,
    &sl_tool_topic_info,
    &sl_tool_topic_hz,
    &sl_tool_topic_bw,
    &sl_tool_topic_delay,
    &sl_tool_topic_echo,
    &sl_tool_topic_pub,
    &sl_tool_top,
    &sl_tool_snapshot,
    &sl_tool_record,
    &sl_tool_play,
    &sl_tool_info,
    &sl_tool_cat,
    &sl_tool_check,
    &sl_tool_recover,
    &sl_tool_convert,
    &sl_tool_sim_lidar,
    &sl_tool_lidar_models,
    &sl_tool_bench_lidar,
    &sl_tool_bench_bus,
    &sl_tool_bench_dds,
    &sl_tool_bench_pollution,
    &sl_tool_bench_record,
    &sl_tool_bench_play,
    &sl_tool_completion,
    &sl_tool_version,
    NULL,
};

static const struct sl_command main_command = {
    .name = "sluice",
    .summary = "Sensor frames in shared memory: start, look, measure",
    .details = "The first words name a sub-command; \"sluice COMMAND --help\" tells its options.\n"
               "Each has a manual page of its own: sluice-topic-echo(1).",
    .example = "sluice topic list        # what is published, by whom, how often",
};

/* How many words of argv name this tool: 0 if they do not. */
static int words_matching(const struct sl_tool *tool, int count, char **words)
{
    const char *name = tool->name;
    for (int i = 0; i < count; i++) {
        size_t length = strlen(words[i]);
        if (strncmp(name, words[i], length) != 0 || (name[length] != '\0' && name[length] != ' '))
            return 0;
        if (name[length] == '\0')
            return i + 1;
        name += length + 1;
    }
    return 0;
}

static const struct sl_tool *find_tool(int count, char **words, int *ret_used)
{
    for (int i = 0; sl_tools[i]; i++) {
        int used = words_matching(sl_tools[i], count, words);
        if (used > 0) {
            *ret_used = used;
            return sl_tools[i];
        }
    }
    return NULL;
}

/* Is it the first word of sub-commands of two words? */
static bool is_group(const char *word)
{
    size_t length = strlen(word);
    for (int i = 0; sl_tools[i]; i++)
        if (strncmp(sl_tools[i]->name, word, length) == 0 && sl_tools[i]->name[length] == ' ')
            return true;
    return false;
}

static void list_tools(const char *group, FILE *to)
{
    size_t length = group ? strlen(group) : 0;
    for (int i = 0; sl_tools[i]; i++) {
        const struct sl_tool *tool = sl_tools[i];
        if (group && (strncmp(tool->name, group, length) != 0 || tool->name[length] != ' '))
            continue;
        fprintf(to, "  %-16s %s\n", tool->name, sl_tool_command(tool)->summary);
    }
}

static void print_help(const char *group, FILE *to)
{
    fprintf(to, "sluice - %s\n\nUsage: sluice %s\n\nCommands:\n", main_command.summary,
            group ? group : "COMMAND [OPTIONS]");
    list_tools(group, to);
    fprintf(to, "\n\"sluice help COMMAND\" tells more.\n");
    if (!group)
        fprintf(to, "\nExample:\n  %s\n", main_command.example);
}

static void print_man(FILE *to)
{
    sl_command_man(&main_command, to);
    fputs(".SH COMMANDS\n", to);
    for (int i = 0; sl_tools[i]; i++) {
        fputs(".TP\n", to);
        for (const char *c = sl_tools[i]->name; *c; c++)
            fputc(*c, to);
        fprintf(to, "\n%s\n", sl_tool_command(sl_tools[i])->summary);
    }
}

/* What was meant: a name that is nearly what was typed, or whose second word it is. Within a group
 * the second words alone are compared. */
static const char *nearest_tool(const char *group, const char *typed)
{
    const char *names[sizeof sl_tools / sizeof *sl_tools];
    const char *words[sizeof sl_tools / sizeof *sl_tools];
    unsigned count = 0;
    size_t length = group ? strlen(group) : 0;
    for (unsigned i = 0; sl_tools[i]; i++) {
        const char *name = sl_tools[i]->name, *second = strchr(name, ' ');
        if (!group && second && strcmp(second + 1, typed) == 0)
            return name;
        if (group && (strncmp(name, group, length) != 0 || name[length] != ' '))
            continue;
        names[count] = name;
        words[count++] = group ? second + 1 : name;
    }
    words[count] = NULL;
    const char *nearest = sl_nearest_word(typed, words);
    for (unsigned i = 0; nearest && i < count; i++)
        if (words[i] == nearest)
            return names[i];
    return NULL;
}

static int unknown(int count, char **words)
{
    bool group = is_group(words[0]);
    if (group && count == 1) {
        print_help(words[0], stderr);
        return SL_EXIT_USAGE;
    }
    char typed[128];
    snprintf(typed, sizeof typed, "%s%s%s", words[0], group ? " " : "", group ? words[1] : "");
    const char *nearest = nearest_tool(group ? words[0] : NULL, words[group ? 1 : 0]);
    fprintf(stderr, "sluice: no command '%s'%s%s%s; see sluice help\n", typed,
            nearest ? "; did you mean 'sluice " : "", nearest ? nearest : "", nearest ? "'?" : "");
    return SL_EXIT_USAGE;
}

static int report(const struct sl_tool *tool, int err, int status)
{
    const char *text = sl_error_text();
    fflush(stdout);
    fprintf(stderr, "sluice %s: %s\n", tool->name, text[0] ? text : strerror(-err));
    return status;
}

static int run_tool(const struct sl_tool *tool, int argc, char **argv)
{
    int result;
    if (tool->program) {
        bool wants_help =
            argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
        if (!wants_help)
            return sl_program_main(tool->program, argc, argv); /* it tells its failures itself */
        sl_command_help(sl_tool_command(tool), stdout);
        return 0;
    } else if (tool->run_arguments) {
        result = tool->run_arguments(argc, argv);
    } else {
        result = sl_options_parse(tool->command, argc, argv);
        if (result != 0)
            return result > 0 ? 0 : report(tool, result, SL_EXIT_USAGE);
        result = tool->run();
    }
    if (result < 0)
        return report(tool, result, SL_EXIT_FAILURE);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        sl_error(-errno, "standard output: %s", strerror(errno));
        return report(tool, -EIO, SL_EXIT_FAILURE);
    }
    return result;
}

static int help(int count, char **words)
{
    int used;
    if (count == 0 || (count == 1 && is_group(words[0]))) {
        print_help(count ? words[0] : NULL, stdout);
        return 0;
    }
    const struct sl_tool *tool = find_tool(count, words, &used);
    if (!tool)
        return unknown(count, words);
    sl_command_help(sl_tool_command(tool), stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(NULL, stderr);
        return SL_EXIT_USAGE;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow: its writer is told */
    const char *first = argv[1];
    bool wants_help = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
    if (strcmp(first, "help") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return help(0, NULL);
    if (strcmp(first, "--help-man") == 0) {
        print_man(stdout);
        return 0;
    }
    if (strcmp(first, "--version") == 0)
        first = argv[1] = "version";
    if (wants_help && is_group(first))
        return help(1, argv + 1);
    int used;
    const struct sl_tool *tool = find_tool(argc - 1, argv + 1, &used);
    if (!tool)
        return unknown(argc - 1, argv + 1);
    char name[SL_NODE_MAX];
    snprintf(name, sizeof name, "sluice-%s",
             strrchr(tool->name, ' ') ? strrchr(tool->name, ' ') + 1 : tool->name);
    sl_stats_set_name(name);
    return run_tool(tool, argc - used, argv + used);
}
