/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - keys from a terminal without Enter, while the program goes on.
 *
 * Life:    open -> next ... -> close; the terminal is put back at exit() too
 * Threads: one; one a process
 */
#ifndef SL_ROSBAG_COMPAT_KEYS_H
#define SL_ROSBAG_COMPAT_KEYS_H

#include <stdbool.h>

enum key {
    KEY_NONE,
    KEY_SPACE,
    KEY_RIGHT, /* or s */
    KEY_UP,    /* or + */
    KEY_DOWN,  /* or - */
    KEY_LEFT,  /* or b */
    KEY_N,
    KEY_Q,
};

/* False: standard input is no terminal of ours. */
bool keys_open(void);
enum key keys_next(void); /* never waits */
void keys_close(void);

#endif
