/* SPDX-License-Identifier: Apache-2.0 */
/* completion.h - what may stand next on a command line of `sluice`: read from the same tables as
 * --help, topics from the domain.
 *
 * Threads: one.
 */
#ifndef SL_TOOLS_COMPLETION_H
#define SL_TOOLS_COMPLETION_H

#include <stdio.h>

/* Instead of a word: the shell completes names of files. */
#define SL_COMPLETION_FILES ":files"

/* Print, one a line, the words that can stand in place of the last of `words` (which may be empty);
 * "sluice" itself is left out. An '=' may be a word of its own, as bash splits it. */
void sl_completion_print(int count, char **words, FILE *to);

#endif
