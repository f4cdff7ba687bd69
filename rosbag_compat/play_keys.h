/* SPDX-License-Identifier: Apache-2.0 */
/* play_keys.h - keys from a terminal without Enter, while the program goes on.
 *
 * Life:    open -> next ... -> close; the terminal is put back at exit() too
 * Threads: one; one a process
 */
#ifndef SL_ROSBAG_COMPAT_PLAY_KEYS_H
#define SL_ROSBAG_COMPAT_PLAY_KEYS_H

#include <stdbool.h>

enum play_key {
    PLAY_KEY_NONE,
    PLAY_KEY_PAUSE,  /* space */
    PLAY_KEY_STEP,   /* s, right */
    PLAY_KEY_FASTER, /* + up */
    PLAY_KEY_SLOWER, /* - down */
    PLAY_KEY_BACK,   /* b, left: 10 s back */
    PLAY_KEY_ON,     /* n: 10 s on */
    PLAY_KEY_QUIT,   /* q */
};

/* False: standard input is no terminal of ours. */
bool play_keys_open(void);
enum play_key play_keys_next(void); /* never waits */
void play_keys_close(void);

#endif
