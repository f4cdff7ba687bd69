/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/launch/fixture.h"

#include "core/base/clock.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (16u << 20)
#define ARGS_MAX   16
#define LEAKED_FD  50 /* of whoever started the launcher; no node may have it */

/* Running ---------------------------------------------------------------------------------------*/

int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->output = calloc(1, OUTPUT_MAX);
    strcpy(f->folder, "/tmp/sluice-launch-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof f->file, "%s/f.yaml", f->folder);
    snprintf(f->pids, sizeof f->pids, "%s/pids", f->folder);
    char root[96];
    snprintf(root, sizeof root, "%s/root", f->folder);
    setenv("SLUICE_ROOT", root, 1);
    setenv("PIDS", f->pids, 1);
    mkdir(root, 0700);
    f->fd = -1;
    *state = f;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    if (f->fd >= 0)
        close(f->fd);
    nftw(f->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f->output);
    free(f);
    return 0;
}

void write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* `args` after the file, ended by NULL. */
void start(struct fixture *f, const char *text, const char *const *args)
{
    if (text)
        write_file(f, "f.yaml", text);
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fflush(NULL);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        dup2(fds[1], LEAKED_FD);
        const char *argv[ARGS_MAX + 3] = {"launch", f->file};
        for (int i = 0; args && args[i] && i < ARGS_MAX; i++)
            argv[2 + i] = args[i];
        execv(LAUNCHER, (char **)argv);
        _exit(126);
    }
    close(fds[1]);
    f->fd = fds[0];
}

/* Reads on; false at the end of the output. */
bool read_more(struct fixture *f, uint64_t deadline_ns)
{
    struct pollfd ready = {.fd = f->fd, .events = POLLIN};
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (now_ns >= deadline_ns)
        fail_msg("too late; so far:\n%s", f->output);
    if (poll(&ready, 1, (int)((deadline_ns - now_ns) / SL_NS_PER_MS) + 1) <= 0)
        return true;
    ssize_t n = read(f->fd, f->output + f->used, OUTPUT_MAX - 1 - f->used);
    if (n > 0)
        f->used += (size_t)n;
    return n > 0;
}

void wait_for(struct fixture *f, const char *text)
{
    uint64_t deadline_ns = sl_clock_monotonic_ns() + DEADLINE_NS;
    while (!strstr(f->output, text))
        if (!read_more(f, deadline_ns))
            fail_msg("never said '%s':\n%s", text, f->output);
}

/* Until it has ended; returns the exit status, 256 + a signal's number. */
int finish(struct fixture *f)
{
    uint64_t deadline_ns = sl_clock_monotonic_ns() + DEADLINE_NS;
    while (read_more(f, deadline_ns))
        ;
    int status;
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int launch(struct fixture *f, const char *text, const char *const *args)
{
    start(f, text, args);
    return finish(f);
}

/* Asserting -------------------------------------------------------------------------------------*/

void assert_said(const struct fixture *f, const char *text)
{
    if (!strstr(f->output, text))
        fail_msg("'%s' is not in:\n%s", text, f->output);
}

void assert_order(const struct fixture *f, const char *first, const char *second)
{
    assert_said(f, first);
    assert_said(f, second);
    if (strstr(f->output, first) > strstr(f->output, second))
        fail_msg("'%s' comes after '%s' in:\n%s", first, second, f->output);
}

unsigned count_said(const struct fixture *f, const char *text)
{
    unsigned count = 0;
    for (const char *at = f->output; (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

static unsigned sockets_found;
static int count_socket(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)path, (void)kind, (void)ftw;
    sockets_found += S_ISSOCK(info->st_mode);
    return 0;
}

void assert_no_sockets(void)
{
    sockets_found = 0;
    nftw(getenv("SLUICE_ROOT"), count_socket, 8, FTW_PHYS);
    assert_int_equal(sockets_found, 0);
}

bool is_alive(pid_t pid)
{
    char path[64], state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    fclose(file);
    return state != 'Z' && state != 'X'; /* whoever adopted it may not have reaped it */
}

/* Every process that told its number is gone, at the latest soon. */
void assert_no_processes(const struct fixture *f, unsigned wanted)
{
    FILE *file = fopen(f->pids, "r");
    assert_non_null(file);
    unsigned count = 0;
    int pid;
    while (fscanf(file, "%d", &pid) == 1) {
        uint64_t deadline_ns = sl_clock_monotonic_ns() + DEADLINE_NS;
        while (is_alive(pid)) {
            if (sl_clock_monotonic_ns() > deadline_ns)
                fail_msg("process %d is left", pid);
            poll(NULL, 0, 1);
        }
        count++;
    }
    fclose(file);
    assert_int_equal(count, wanted);
}
