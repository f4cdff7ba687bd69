/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - what a person may have meant to type.
 *
 * Threads: any; pure.
 */
#ifndef SL_BASE_WORDS_H
#define SL_BASE_WORDS_H

/* The nearest of `words` (ended by NULL) for "did you mean", or NULL if none is near: letters were
 * forgotten, doubled, swapped or mistaken. */
const char *sl_nearest_word(const char *written, const char *const *words);

#endif
