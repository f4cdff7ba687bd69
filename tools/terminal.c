/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/terminal.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "tools/tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Control sequences: ECMA-48, and xterm's private modes 1049 (alternate screen) and 25 (cursor). */
#define ENTER            "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE            "\033[?25h\033[?1049l"
#define HOME             "\033[H"
#define CLEAR_LINE_END   "\033[K"
#define CLEAR_SCREEN_END "\033[J"

static struct termios before;
static sigset_t mask_before;
static atomic_int is_open;

/* Only calls that are allowed in a signal handler. */
static void put(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        length -= (size_t)written;
    }
}

void sl_terminal_close(void)
{
    if (!atomic_exchange(&is_open, 0))
        return;
    put(LEAVE, sizeof LEAVE - 1);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

static void fatal(int signal_number)
{
    sl_terminal_close();
    raise(signal_number); /* SA_RESETHAND: this time it ends the process */
}

static void resized(int signal_number)
{
    (void)signal_number; /* it is enough that poll is interrupted */
}

static void handle(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

/* They come only while a key is waited for: none can slip in between a look and the wait. */
static void hold_signals(void)
{
    static const int held[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        sigaddset(&set, held[i]);
    sigprocmask(SIG_BLOCK, &set, &mask_before);
}

int sl_terminal_open(void)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
        return sl_error(-ENOTTY, "standard input and output are no terminal; "
                                 "use --once or --json");
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ISIG stays: Ctrl-C is a signal */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    hold_signals();
    atomic_store(&is_open, 1);
    atexit(sl_terminal_close);
    handle(SIGWINCH, resized, 0);
    handle(SIGSEGV, fatal, SA_RESETHAND);
    handle(SIGBUS, fatal, SA_RESETHAND);
    handle(SIGABRT, fatal, SA_RESETHAND);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    put(ENTER, sizeof ENTER - 1);
    return 0;
}

void sl_terminal_size(unsigned *ret_columns, unsigned *ret_rows)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *ret_columns = known ? size.ws_col : 80;
    *ret_rows = known ? size.ws_row : 24;
}

int sl_terminal_key(uint64_t until_ns)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const struct timespec timeout = {(time_t)(left_ns / SL_NS_PER_S),
                                     (long)(left_ns % SL_NS_PER_S)};
    if (sl_stopped() || ppoll(&input, 1, &timeout, &mask_before) <= 0)
        return 0;
    unsigned char key;
    ssize_t got = input.revents & POLLIN ? read(STDIN_FILENO, &key, 1) : 0;
    return got == 1 ? key : -1;
}

/* Written at once, each line's rest cleared as it is overwritten: nothing flickers. */
void sl_terminal_show(const char *page, size_t length)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return;
    fputs(HOME, memory);
    const char *end = page + length;
    while (page < end) {
        const char *newline = memchr(page, '\n', (size_t)(end - page));
        size_t line = newline ? (size_t)(newline - page) : (size_t)(end - page);
        fwrite(page, 1, line, memory);
        fputs(CLEAR_LINE_END, memory);
        page += line + (newline ? 1 : 0);
        if (page < end)
            fputs("\r\n", memory);
    }
    fputs(CLEAR_SCREEN_END, memory);
    if (fclose(memory) == 0)
        put(text, size);
    free(text);
}
