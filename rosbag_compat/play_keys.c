/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/play_keys.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool is_open;

void play_keys_close(void)
{
    if (is_open)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    is_open = false;
}

/* A program in the background is not given the terminal: asking would stop it. */
bool play_keys_open(void)
{
    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
        tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &keys) < 0)
        return false;
    is_open = true;
    atexit(play_keys_close);
    return true;
}

static enum play_key key_of(const char *bytes, size_t count)
{
    static const struct {
        const char *bytes;
        enum play_key key;
    } keys[] = {
        {" ", PLAY_KEY_PAUSE},       {"s", PLAY_KEY_STEP},      {"+", PLAY_KEY_FASTER},
        {"-", PLAY_KEY_SLOWER},      {"b", PLAY_KEY_BACK},      {"n", PLAY_KEY_ON},
        {"q", PLAY_KEY_QUIT},        {"\033[C", PLAY_KEY_STEP}, {"\033[A", PLAY_KEY_FASTER},
        {"\033[B", PLAY_KEY_SLOWER}, {"\033[D", PLAY_KEY_BACK}, {"=", PLAY_KEY_FASTER},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strlen(keys[i].bytes) == count && memcmp(keys[i].bytes, bytes, count) == 0)
            return keys[i].key;
    return PLAY_KEY_NONE;
}

enum play_key play_keys_next(void)
{
    char bytes[3];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (!is_open || poll(&input, 1, 0) <= 0 || !(input.revents & POLLIN) ||
        read(STDIN_FILENO, bytes, 1) != 1)
        return PLAY_KEY_NONE;
    if (bytes[0] == '\033' && read(STDIN_FILENO, bytes + 1, 2) == 2)
        return key_of(bytes, 3);
    return key_of(bytes, 1);
}
