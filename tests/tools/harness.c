/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/harness.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MAX 16
#define OUTPUT_MAX   (8u << 20)

static char folder[64];
static pid_t children[CHILDREN_MAX];
static unsigned child_count;

/* The folder ------------------------------------------------------------------------------------*/

const char *harness_folder(void)
{
    return folder;
}

const char *harness_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

const char *harness_program(const char *name)
{
    static char path[512];
    const char *build = getenv("SLUICE_BUILD");
    const char *place = strcmp(name, "sluice") == 0            ? "bin"
                        : strcmp(name, "tools_publisher") == 0 ? "tests/tools"
                                                               : "libexec/sluice";
    if (strchr(name, '/'))
        return name;
    snprintf(path, sizeof path, "%s/%s/%s", build ? build : ".", place, name);
    return path;
}

int harness_setup(void **state)
{
    char root[128];
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sluice-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(root, sizeof root, "%s/root", folder);
    setenv("SLUICE_ROOT", root, 1);
    unsetenv("SLUICE_DOMAIN");
    return 0;
}

static int remove_one(const char *path, const struct stat *facts, int what, struct FTW *place)
{
    (void)facts;
    (void)what;
    (void)place;
    return remove(path);
}

int harness_teardown(void **state)
{
    (void)state;
    while (child_count > 0) {
        kill(children[--child_count], SIGKILL);
        waitpid(children[child_count], NULL, 0);
    }
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Running ---------------------------------------------------------------------------------------*/

static void collect(va_list list, const char *program, char **argv)
{
    unsigned count = 0;
    argv[count++] = (char *)harness_program(program);
    while ((argv[count] = va_arg(list, char *)))
        assert_true(++count < ARGUMENTS_MAX);
}

/* `out` and `err` -1: as ours. */
static pid_t spawn(char *const *argv, int out, int err)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    if (err >= 0)
        dup2(err, STDERR_FILENO);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    execvp(argv[0], argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int wait_for(pid_t pid)
{
    uint64_t end_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    int status;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        assert_true(got >= 0);
        if (got == pid)
            break;
        if (sl_clock_monotonic_ns() > end_ns) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            fail_msg("it did not end within %d ms", LIMIT_MS);
        }
        poll(NULL, 0, 2); /* the end of a process that may be no pidfd's */
    }
    for (unsigned i = 0; i < child_count; i++)
        if (children[i] == pid)
            children[i] = children[--child_count];
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static char *read_all(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    assert_in_range(size, 0, OUTPUT_MAX);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    text[size] = '\0';
    return text;
}

static int nameless_file(void)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

struct run run_arguments(char *const *argv)
{
    struct run r;
    int out = nameless_file(), err = nameless_file();
    pid_t pid = spawn(argv, out, err);
    children[child_count++] = pid;
    r.status = wait_for(pid);
    r.out = read_all(out);
    r.err = read_all(err);
    close(out);
    close(err);
    return r;
}

struct run run(const char *program, ...)
{
    char *argv[ARGUMENTS_MAX];
    va_list list;
    va_start(list, program);
    collect(list, program, argv);
    va_end(list);
    return run_arguments(argv);
}

void run_free(struct run *r)
{
    free(r->out);
    free(r->err);
}

struct child start_arguments(char *const *argv)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct child child = {.pid = spawn(argv, ends[1], -1), .out = ends[0]};
    close(ends[1]);
    assert_true(child_count < CHILDREN_MAX);
    children[child_count++] = child.pid;
    return child;
}

struct child start(const char *program, ...)
{
    char *argv[ARGUMENTS_MAX];
    va_list list;
    va_start(list, program);
    collect(list, program, argv);
    va_end(list);
    return start_arguments(argv);
}

void expect_line(struct child *child, const char *line)
{
    char text[256];
    size_t used = 0;
    uint64_t end_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    for (;;) {
        struct pollfd input = {.fd = child->out, .events = POLLIN};
        int left_ms = (int)((int64_t)(end_ns - sl_clock_monotonic_ns()) / (int64_t)SL_NS_PER_MS);
        assert_true(left_ms > 0 && used < sizeof text - 1);
        if (poll(&input, 1, left_ms) <= 0)
            continue;
        assert_int_equal(read(child->out, text + used, 1), 1);
        if (text[used] == '\n')
            break;
        used++;
    }
    text[used] = '\0';
    assert_string_equal(text, line);
}

void freeze(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

int stop(struct child *child, int signal_number)
{
    kill(child->pid, signal_number);
    int status = wait_for(child->pid);
    close(child->out);
    return status;
}

struct child publisher(const char *kind, const char *topic)
{
    struct child child = start("tools_publisher", kind, topic, NULL);
    expect_line(&child, "ready");
    return child;
}

/* Looking ---------------------------------------------------------------------------------------*/

void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("'%s' is in:\n%s", part, text);
}

struct sl_yaml *json_parse(const char *text)
{
    struct sl_yaml *json;
    if (sl_yaml_parse("output", text, strlen(text), &json) < 0)
        fail_msg("no JSON: %s\n%s", sl_error_text(), text);
    return json;
}

const char *json_text(const struct sl_yaml *json, const char *path)
{
    const struct sl_yaml_node *node = sl_yaml_root(json);
    for (const char *at = path; *at;) {
        char key[64];
        size_t length = strcspn(at, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, at);
        node = sl_yaml_is(node, SL_YAML_SEQUENCE) ? sl_yaml_item(node, (unsigned)atoi(key))
                                                  : sl_yaml_get(node, key);
        at += length + (at[length] == '.');
    }
    if (!node || !sl_yaml_text(node))
        fail_msg("no value at %s", path);
    return sl_yaml_text(node);
}

double json_number(const struct sl_yaml *json, const char *path)
{
    const char *text = json_text(json, path);
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end)
        fail_msg("%s: '%s' is no number", path, text);
    return value;
}
