/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/words.h"

#include <stddef.h>
#include <string.h>

#define WORD_MAX 48

/* How many letters must be put in, taken out, replaced, or swapped with the next. */
static unsigned word_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    if (la >= WORD_MAX || lb >= WORD_MAX)
        return WORD_MAX;
    unsigned row[3][WORD_MAX + 1]; /* two back, one back, this */
    for (size_t j = 0; j <= lb; j++)
        row[1][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        row[2][0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = row[1][j - 1] + (a[i - 1] != b[j - 1]);
            if (row[1][j] + 1 < best)
                best = row[1][j] + 1;
            if (row[2][j - 1] + 1 < best)
                best = row[2][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                row[0][j - 2] + 1 < best)
                best = row[0][j - 2] + 1;
            row[2][j] = best;
        }
        memcpy(row[0], row[1], sizeof row[0]);
        memcpy(row[1], row[2], sizeof row[1]);
    }
    return row[1][lb];
}

const char *sl_nearest_word(const char *written, const char *const *words)
{
    const char *best = NULL;
    unsigned best_distance = (unsigned)strlen(written) / 3 + 1; /* farther is no typing error */
    for (; *words; words++) {
        unsigned distance = word_distance(written, *words);
        if (distance <= best_distance && distance < strlen(*words) &&
            (!best || distance < best_distance)) {
            best = *words;
            best_distance = distance;
        }
    }
    return best;
}
