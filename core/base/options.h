/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - one table gives the command line, the launch-file parameters, the defaults, --help,
 * the man page and the shell completion.
 *
 * An option's name is written with dashes ("cut-angle"); underscores are taken for dashes, so a
 * launch file may say cut_angle. Every value enters as text through sl_options_set, wherever it
 * comes from, so there is one place that checks it.
 *
 * Life:    a `const struct sl_command` and its tables live as long as the program. Values of
 *          SL_OPTION_TEXT and SL_OPTION_LIST point into the text that was given (argv, a file that
 *          stays loaded); it must outlive the state.
 * Threads: one at a time.
 * Errors:  -EINVAL with sl_error_text() naming the option, the value and what would be right;
 *          -ENOENT for an option that the table has not.
 */
#ifndef SL_BASE_OPTIONS_H
#define SL_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum sl_option_kind {
    SL_OPTION_FLAG,     /* bool: --name, --no-name, name=true|false */
    SL_OPTION_INT,      /* int64_t */
    SL_OPTION_REAL,     /* double */
    SL_OPTION_SIZE,     /* uint64_t, bytes: 4096, 64k, 32M, 1G (powers of 1024) */
    SL_OPTION_DURATION, /* int64_t, nanoseconds: 250us, 10ms, 1.5s, 2min; a bare number is seconds
                         */
    SL_OPTION_TEXT,     /* const char * */
    SL_OPTION_CHOICE,   /* int: index into choices */
    SL_OPTION_LIST, /* struct sl_option_list: may be given several times, or separated by ',' in a
                       launch file's list */
};

#define SL_OPTION_LIST_MAX 64
struct sl_option_list {
    unsigned count;
    const char *text[SL_OPTION_LIST_MAX];
};

/* flags */
#define SL_OPTION_REQUIRED   0x1u /* it is an error not to give it */
#define SL_OPTION_POSITIONAL 0x2u /* stands without its name, in the order of the table */
#define SL_OPTION_HIDDEN     0x4u /* not shown by --help */

struct sl_option {
    const char *name;
    char letter; /* short form, or 0 */
    enum sl_option_kind kind;
    unsigned flags;
    size_t offset;              /* of the value in the state */
    const char *value;          /* what --help calls the value: "DEGREES" */
    const char *fallback;       /* the default, as text; NULL = zero, nothing */
    const char *const *choices; /* SL_OPTION_CHOICE: names, ended by NULL */
    double min, max;            /* numbers, in the value's unit; both 0 = no limit */
    const char *help;           /* one sentence without a full stop */
};

/* A heading of options and the memory that they fill. */
struct sl_option_table {
    const char *heading;
    const struct sl_option *options;
    unsigned count;
    void *state;
};

#define SL_COMMAND_TABLES_MAX 4

/* What a person types: used by programs and by each `sluice` sub-command. */
struct sl_command {
    const char *name;    /* "sluice topic hz" */
    const char *summary; /* one line */
    const char *details; /* paragraphs, or NULL */
    const char *example; /* one command line with a word what it does */
    struct sl_option_table tables[SL_COMMAND_TABLES_MAX]; /* ended by one of count 0 */
};

/* Set every value of the tables to its default. */
void sl_options_default(const struct sl_command *command);

/* Set one value from text. `value` NULL is right for flags only. */
int sl_options_set(const struct sl_command *command, const char *name, const char *value);

/* Read argv[1..]: defaults first, then the arguments, then what is required is checked. `--` ends
 * the options. Returns 0, 1 if help (or another of the standard requests below) was asked for and
 * printed, or an error.
 *   --help  --help-man (man page source)  --help-options (a line an option, for completion) */
int sl_options_parse(const struct sl_command *command, int argc, char **argv);

/* Was it given, rather than left at its default? Counts since the last sl_options_parse or
 * sl_options_default of this thread. */
bool sl_options_given(const struct sl_command *command, const char *name);

void sl_command_help(const struct sl_command *command, FILE *to);
void sl_command_man(const struct sl_command *command, FILE *to);
void sl_command_options(const struct sl_command *command, FILE *to);

/* The pieces, for those who read numbers with units elsewhere. -EINVAL or -ERANGE. */
int sl_parse_int(const char *text, int64_t *ret_value);
int sl_parse_real(const char *text, double *ret_value);
int sl_parse_size(const char *text, uint64_t *ret_bytes);
int sl_parse_duration(const char *text, int64_t *ret_ns);
int sl_parse_bool(const char *text, bool *ret_value);

#endif
