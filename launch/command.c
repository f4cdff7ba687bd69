/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - the command line of each node, and the check of its parameters by its own program. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "launch/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_MAX       (3 * SL_PLAN_SETTINGS_MAX + 16)
#define CHECK_TIMEOUT_MS  5000
#define CHECK_ANSWER_MAX  65536 /* 64 ends of a process, 500 bytes each */
#define EXIT_BAD_OPTIONS  2
#define EXIT_CANNOT_START 127

/* Command lines ---------------------------------------------------------------------------------*/

struct builder {
    struct sl_plan *plan;
    char **argv;
    unsigned count;
    int err;
};

static void add(struct builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct builder *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    va_end(args);
    char *kept = n < 0 ? NULL : sl_plan_keep(b->plan, text);
    if (n >= 0)
        free(text);
    if (!kept || b->count + 1 >= COMMAND_MAX)
        b->err = sl_error(-ENOMEM, "a node's command line is too long");
    else
        b->argv[b->count++] = kept;
}

static void add_own_options(struct builder *b, const struct sl_plan_node *node, bool check)
{
    if (check)
        add(b, "--plan");
    add(b, "--name=%s", node->name);
    for (unsigned i = 0; i < node->remap.count; i++)
        add(b, "--remap=%s:=%s", node->remap.at[i].name, node->remap.at[i].value);
    if (node->cpus)
        add(b, "--cpus=%s", node->cpus);
    if (node->sched)
        add(b, "--sched=%s", node->sched);
    if (node->nice)
        add(b, "--nice=%s", node->nice);
    if (node->mlock)
        add(b, "--mlock");
    if (node->pool_memory)
        add(b, "--memory=%s", node->pool_memory);
    if (node->pool_fallback)
        add(b, "--memory-fallback=%s", node->pool_fallback);
    if (node->pool_slots)
        add(b, "--slots=%" PRIu64, node->pool_slots);
    if (node->pool_slot_size)
        add(b, "--slot-size=%" PRIu64, node->pool_slot_size);
    for (unsigned i = 0; i < node->params.count; i++)
        add(b, "--%s=%s", node->params.at[i].name, node->params.at[i].value);
}

int sl_plan_command(struct sl_plan *plan, const struct sl_plan_node *node, bool check,
                    char ***ret_argv)
{
    struct builder b = {.plan = plan, .argv = sl_plan_allocate(plan, COMMAND_MAX * sizeof *b.argv)};
    if (!b.argv)
        return -ENOMEM;
    add(&b, "%s", node->exec);
    if (!node->is_plain)
        add_own_options(&b, node, check);
    for (unsigned i = 0; i < node->args.count; i++)
        add(&b, "%s", node->args.at[i].value);
    *ret_argv = b.argv;
    return b.err;
}

/* Asking the program ----------------------------------------------------------------------------*/

static void start_check(const struct sl_plan_node *node, char **argv, int answer_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(answer_fd, STDOUT_FILENO) < 0 ||
        dup2(null_fd, STDERR_FILENO) < 0)
        _exit(EXIT_CANNOT_START);
    for (unsigned i = 0; i < node->env.count; i++)
        setenv(node->env.at[i].name, node->env.at[i].value, 1);
    unsetenv("SLUICE_LAUNCHED");
    unsetenv("SLUICE_READY_FD");
    execv(node->path, argv);
    _exit(EXIT_CANNOT_START);
}

/* What the program prints until it closes its output; false if that takes too long. */
static bool read_answer(int fd, char *answer)
{
    size_t used = 0;
    uint64_t deadline_ns = sl_clock_monotonic_ns() + CHECK_TIMEOUT_MS * SL_NS_PER_MS;
    answer[0] = '\0';
    for (;;) {
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (now_ns >= deadline_ns)
            return false;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, (int)((deadline_ns - now_ns) / SL_NS_PER_MS) + 1) <= 0)
            continue;
        char bytes[512];
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
        size_t kept = n < 0 ? 0 : (size_t)n;
        if (kept > CHECK_ANSWER_MAX - 1 - used)
            kept = CHECK_ANSWER_MAX - 1 - used; /* the rest is read and dropped */
        memcpy(answer + used, bytes, kept);
        used += kept;
        answer[used] = '\0';
    }
}

/* Returns the exit status (above 0x100: a signal's number on top), or -errno. */
static int ask(const struct sl_plan_node *node, char **argv, char *answer)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return sl_error(-errno, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0) {
        int err = sl_error(-errno, "cannot start a process: %s", strerror(errno));
        close(fds[0]);
        close(fds[1]);
        return err;
    }
    if (pid == 0)
        start_check(node, argv, fds[1]);
    close(fds[1]);
    bool in_time = read_answer(fds[0], answer);
    close(fds[0]);
    if (!in_time)
        kill(pid, SIGKILL);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time)
        return sl_yaml_error(node->exec_place, -ETIMEDOUT,
                             "%s does not answer within %d s when asked to check its options",
                             node->exec, CHECK_TIMEOUT_MS / 1000);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0x100 + WTERMSIG(status);
}

/* Underscores are taken for dashes, as the options table does. */
static bool same_option(const char *written, const char *option, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((written[i] == '_' ? '-' : written[i]) != (option[i] == '_' ? '-' : option[i]) ||
            written[i] == '\0')
            return false;
    return written[length] == '\0';
}

static const struct sl_yaml_node *option_place(const struct sl_plan_node *node, const char *option,
                                               size_t length, const char *message)
{
    const struct sl_yaml_node *place = NULL;
    bool is_unknown = strncmp(message, "no option", 9) == 0; /* then the name is what is wrong */
    for (unsigned i = 0; i < node->params.count; i++) {
        const struct sl_plan_setting *p = &node->params.at[i];
        /* of several values the one that the message shows, else the first */
        if (same_option(p->name, option, length) && (!place || strstr(message, p->value)))
            place = is_unknown && p->name_place ? p->name_place : p->place;
    }
    const struct {
        const char *name;
        const struct sl_yaml_node *place;
    } others[] = {{"cpus", node->cpus_place},
                  {"sched", node->sched_place},
                  {"nice", node->nice_place},
                  {"mlock", node->mlock_place},
                  {"memory", node->memory_place},
                  {"memory-fallback", node->fallback_place},
                  {"slots", node->slots_place},
                  {"slot-size", node->slot_size_place},
                  {"remap", node->remap.count ? node->remap.at[0].place : NULL}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!place && same_option(others[i].name, option, length))
            place = others[i].place;
    return place ? place : node->place;
}

/* "model<TAB>option --model: 'x' is none of: ..." */
static int tell_answer(const struct sl_plan_node *node, char *answer)
{
    answer[strcspn(answer, "\n")] = '\0';
    size_t length = strcspn(answer, "\t");
    const char *message = answer[length] ? answer + length + 1 : "wrong options";
    const struct sl_yaml_node *place = option_place(node, answer, length, message);
    if (strncmp(message, "option --", 9) == 0)
        message += 9; /* in a launch file it is a parameter */
    return sl_yaml_error(place, -EINVAL, "%s: %.220s", node->exec, message);
}

/* `answer` has room for CHECK_ANSWER_MAX bytes. */
static int check_node(struct sl_plan *plan, struct sl_plan_node *node, char *answer)
{
    char path[PATH_MAX];
    int err = sl_program_find(node, path, sizeof path);
    if (err < 0)
        return err;
    node->path = sl_plan_keep(plan, path);
    if (!node->path)
        return -ENOMEM;
    if (node->is_plain)
        return 0;
    char **argv = NULL;
    err = sl_plan_command(plan, node, true, &argv);
    if (err < 0)
        return err;
    int status = ask(node, argv, answer);
    if (status == 0)
        node->answer = sl_plan_keep(plan, answer);
    if (status <= 0)
        return status < 0 || node->answer ? status : -ENOMEM;
    if (status == EXIT_BAD_OPTIONS && strchr(answer, '\t'))
        return tell_answer(node, answer);
    return sl_yaml_error(node->exec_place, -ENOEXEC,
                         "%s ended with %s %d when asked to check its options; a program that is "
                         "not Sluice's takes args: in place of params:",
                         node->exec, status > 0x100 ? "signal" : "status", status & 0xff);
}

int sl_plan_check(struct sl_plan *plan)
{
    char *answer = malloc(CHECK_ANSWER_MAX);
    int err = answer ? 0 : sl_error(-ENOMEM, "no memory for the answers of programs");
    for (unsigned i = 0; i < plan->node_count && err == 0; i++)
        err = check_node(plan, &plan->node[i], answer);
    free(answer);
    return err;
}
