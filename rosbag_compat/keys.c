/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/keys.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool is_open;

void keys_close(void)
{
    if (is_open)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    is_open = false;
}

/* A program in the background is not given the terminal: asking would stop it. */
bool keys_open(void)
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
    atexit(keys_close);
    return true;
}

static enum key key_of(const char *bytes, size_t count)
{
    static const struct {
        const char *bytes;
        enum key key;
    } keys[] = {
        {" ", KEY_SPACE},   {"s", KEY_RIGHT},     {"+", KEY_UP},        {"-", KEY_DOWN},
        {"b", KEY_LEFT},    {"n", KEY_N},         {"q", KEY_Q},         {"\033[C", KEY_RIGHT},
        {"\033[A", KEY_UP}, {"\033[B", KEY_DOWN}, {"\033[D", KEY_LEFT}, {"=", KEY_UP},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strlen(keys[i].bytes) == count && memcmp(keys[i].bytes, bytes, count) == 0)
            return keys[i].key;
    return KEY_NONE;
}

enum key keys_next(void)
{
    char bytes[3];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (!is_open || poll(&input, 1, 0) <= 0 || !(input.revents & POLLIN) ||
        read(STDIN_FILENO, bytes, 1) != 1)
        return KEY_NONE;
    if (bytes[0] == '\033' && read(STDIN_FILENO, bytes + 1, 2) == 2)
        return key_of(bytes, 3);
    return key_of(bytes, 1);
}
