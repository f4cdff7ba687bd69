/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - one failure, one line: what, where, what to do.
 *
 * Functions of the library return 0 or a positive value, or -errno. Next to the number they leave a
 * sentence for the person who has to act on it; whoever decides that a failure is worth showing
 * (a node's main, a tool) prints sl_error_text() once.
 *
 * Threads: the text belongs to the calling thread.
 * Errors:  none; a text that is too long is cut.
 */
#ifndef SL_BASE_ERROR_H
#define SL_BASE_ERROR_H

#define SL_ERROR_TEXT_MAX 512

/* Keep the sentence and hand the number back: `return sl_error(-ENOENT, "no %s", path);`
 * `err` may be given as errno or as -errno; the result is always negative. A sentence that ends in
 * ": %m" or that needs strerror says so itself. */
int sl_error(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put more of the place in front of the sentence that is there: "topic /points: no slot free".
 * Returns `err` as it is. */
int sl_error_at(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last sentence of this thread, never NULL, without a newline. Part of the public interface
 * (sluice.h). */
__attribute__((visibility("default"))) const char *sl_error_text(void);

/* Forget the sentence, so that an old one is not shown for a new failure. */
void sl_error_clear(void);

#endif
