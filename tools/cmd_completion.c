/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_completion.c - sluice completion: what makes a shell complete the command line.
 *
 * The scripts are short: at each Tab they ask `sluice completion words`, which reads the tables. */
#include "tools/completion.h"
#include "tools/tool.h"

#include <stdio.h>

enum shell {
    SHELL_BASH,
    SHELL_ZSH,
    SHELL_WORDS
};
static const char *const shell_names[] = {"bash", "zsh", "words", NULL};

static struct completion_options {
    int shell;
    struct sl_option_list words;
} given;

static const struct sl_option options[] = {
    {.name = "shell",
     .kind = SL_OPTION_CHOICE,
     .flags = SL_OPTION_POSITIONAL | SL_OPTION_REQUIRED,
     .offset = offsetof(struct completion_options, shell),
     .value = "SHELL",
     .choices = shell_names,
     .help = "Whose script is printed; words is what the scripts call"},
    {.name = "words",
     .kind = SL_OPTION_LIST,
     .flags = SL_OPTION_POSITIONAL,
     .offset = offsetof(struct completion_options, words),
     .value = "WORD",
     .help = "For words: those of the line after sluice; the last is completed"},
};

static const struct sl_command command = {
    .name = "sluice completion",
    .summary = "A script that makes the shell complete commands, options and topics",
    .details = "Installed packages have it in place already.",
    .example = "source <(sluice completion bash)        # for this shell",
    .tables = {{"Arguments", options, sizeof options / sizeof *options, &given}},
};

/* bash: completions that are names of files are left to readline, which knows to quote them. A word
 * that ends in '=' gets no space behind it. */
static const char bash_script[] =
    "# bash completion for sluice: source it, or put it into a folder of bash-completion\n"
    "_sluice()\n"
    "{\n"
    "    local IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]}\n"
    "    local -a found\n"
    "    COMPREPLY=()\n"
    "    found=($(\"${COMP_WORDS[0]}\" completion words -- \\\n"
    "        \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
    "    if [[ ${found[0]-} == " SL_COMPLETION_FILES " ]]; then\n"
    "        [[ $word == \"=\" ]] && word=\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
    "        return\n"
    "    fi\n"
    "    COMPREPLY=(\"${found[@]}\")\n"
    "    [[ ${#found[@]} -eq 1 && ${found[0]} == *= ]] && compopt -o nospace 2>/dev/null\n"
    "    return 0\n"
    "}\n"
    "complete -F _sluice sluice\n";

static const char zsh_script[] =
    "#compdef sluice\n"
    "# zsh completion for sluice: put it as _sluice into a folder of $fpath, or source it\n"
    "_sluice()\n"
    "{\n"
    "    local -a found\n"
    "    found=(${(f)\"$(\"$words[1]\" completion words -- \"${(@)words[2,CURRENT]}\" "
    "2>/dev/null)\"})\n"
    "    if [[ ${found[1]-} == " SL_COMPLETION_FILES " ]]; then\n"
    "        _files\n"
    "    else\n"
    "        compadd -a found\n"
    "    fi\n"
    "}\n"
    "if [[ $funcstack[1] == _sluice ]]; then\n"
    "    _sluice \"$@\"\n"
    "else\n"
    "    compdef _sluice sluice\n"
    "fi\n";

static int run(void)
{
    if (given.shell == SHELL_BASH)
        fputs(bash_script, stdout);
    else if (given.shell == SHELL_ZSH)
        fputs(zsh_script, stdout);
    else
        sl_completion_print((int)given.words.count, (char **)given.words.text, stdout);
    return 0;
}

const struct sl_tool sl_tool_completion = {.name = "completion", .command = &command, .run = run};
