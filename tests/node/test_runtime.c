/* SPDX-License-Identifier: Apache-2.0 */
/* test_runtime.c - a program on the runtime, as a process: options, life, signals, readiness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/capability.h"
#include "core/base/clock.h"
#include "core/shm/sluice.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX  65536
#define DEADLINE_NS (60 * SL_NS_PER_S)
#define ARGS_MAX    12

struct fixture {
    char root[64];
    pid_t pid;
    int fd;       /* output and errors */
    int ready_fd; /* what a launcher would read */
    char output[OUTPUT_MAX];
    size_t used;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->root, "/tmp/sluice-node-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    setenv("SLUICE_ROOT", f->root, 1);
    f->fd = f->ready_fd = -1;
    *state = f;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->pid > 0) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    if (f->fd >= 0)
        close(f->fd);
    if (f->ready_fd >= 0)
        close(f->ready_fd);
    nftw(f->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void start(struct fixture *f, const char *const *args)
{
    int out[2], ready[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t self = getpid();
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        char number[16];
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        fcntl(ready[1], F_SETFD, 0);
        snprintf(number, sizeof number, "%d", ready[1]);
        setenv("SLUICE_READY_FD", number, 1);
        if (getenv("SLUICE_TEST_LAUNCHED")) {
            snprintf(number, sizeof number, "%d", (int)self);
            setenv("SLUICE_LAUNCHED", number, 1);
        }
        if (getenv("SLUICE_TEST_MEEK")) {
            prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0);
            setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0});
        }
        const char *argv[ARGS_MAX + 2] = {"program"};
        for (int i = 0; args[i] && i < ARGS_MAX; i++)
            argv[1 + i] = args[i];
        execv(PROGRAM, (char **)argv);
        _exit(126);
    }
    close(out[1]);
    close(ready[1]);
    f->fd = out[0];
    f->ready_fd = ready[0];
}

#define START(...) start(f, (const char *const[]){__VA_ARGS__, NULL})

/* Waits for bytes with a deadline; 0 at the end. */
static size_t read_until(int fd, char *to, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, (int)(DEADLINE_NS / SL_NS_PER_MS)) <= 0)
        fail_msg("nothing came");
    ssize_t n = read(fd, to, size);
    return n > 0 ? (size_t)n : 0;
}

static void wait_ready(struct fixture *f)
{
    char word[16] = "";
    assert_int_equal(read_until(f->ready_fd, word, sizeof word - 1), 6);
    assert_string_equal(word, "ready\n");
    assert_int_equal(read_until(f->ready_fd, word, sizeof word), 0); /* and closed */
}

static int finish(struct fixture *f)
{
    size_t n;
    while ((n = read_until(f->fd, f->output + f->used, OUTPUT_MAX - 1 - f->used)) > 0)
        f->used += n;
    int status;
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    f->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void assert_no_word(struct fixture *f)
{
    char word[16];
    assert_int_equal(read_until(f->ready_fd, word, sizeof word), 0);
}

static void assert_said(const struct fixture *f, const char *text)
{
    if (!strstr(f->output, text))
        fail_msg("'%s' is not in:\n%s", text, f->output);
}

static void wait_said(struct fixture *f, const char *text)
{
    while (!strstr(f->output, text)) {
        size_t n = read_until(f->fd, f->output + f->used, OUTPUT_MAX - 1 - f->used);
        if (n == 0)
            fail_msg("it ended, and '%s' is not in:\n%s", text, f->output);
        f->used += n;
    }
}

/* Ready for another program. */
static void again(struct fixture *f)
{
    close(f->fd);
    close(f->ready_fd);
    memset(f->output, 0, f->used);
    f->used = 0;
}

/* Life ------------------------------------------------------------------------------------------*/

static void it_opens_is_ready_works_and_closes(void **state)
{
    struct fixture *f = *state;
    START("--mode=end");
    wait_ready(f);
    assert_int_equal(finish(f), 0);
    assert_string_equal(f->output, "open program\nclose\n");
}

static void a_program_stops_itself(void **state)
{
    struct fixture *f = *state;
    START("--mode=stop", "--name=other");
    assert_int_equal(finish(f), 0);
    assert_string_equal(f->output, "open other\nclose\n");
}

static void signals_end_it_in_order(void **state)
{
    struct fixture *f = *state;
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    const char *modes[] = {"--mode=wait", "--mode=busy"};
    for (int i = 0; i < 6; i++) {
        START(modes[i / 3]);
        wait_ready(f);
        kill(f->pid, signals[i % 3]);
        assert_int_equal(finish(f), 0);
        assert_said(f, "close\n");
        close(f->fd);
        close(f->ready_fd);
        memset(f->output, 0, f->used);
        f->used = 0;
    }
    f->fd = f->ready_fd = -1;
}

static void an_open_that_takes_long_can_ask_for_signals(void **state)
{
    struct fixture *f = *state;
    START("--mode=slow-open");
    char text[64] = "";
    read_until(f->fd, text, sizeof text - 1);
    assert_string_equal(text, "open program\n");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_said(f, "close\n");
}

static void a_failing_open_is_told_in_one_line_and_closed(void **state)
{
    struct fixture *f = *state;
    START("--mode=open-fails");
    assert_no_word(f);
    assert_int_equal(finish(f), 1);
    assert_string_equal(f->output, "open program\n"
                                   "program: error: no sensor at port 2368; plug it in\n"
                                   "close\n");
}

static void a_failing_work_is_told_in_one_line_and_closed(void **state)
{
    struct fixture *f = *state;
    START("--mode=work-fails");
    wait_ready(f);
    assert_int_equal(finish(f), 1);
    assert_string_equal(f->output, "open program\n"
                                   "program: error: the cable was pulled; plug it in again\n"
                                   "close\n");
}

static void a_failing_close_is_told_although_work_ended_well(void **state)
{
    struct fixture *f = *state;
    START("--mode=close-fails");
    wait_ready(f);
    assert_int_equal(finish(f), 1);
    assert_string_equal(f->output, "open program\n"
                                   "program: error: the last line is lost; make room\n"
                                   "close\n");
}

/* Waiting ---------------------------------------------------------------------------------------*/

static void the_timer_wakes_on_time_and_never_early(void **state)
{
    struct fixture *f = *state;
    START("--mode=timer");
    assert_int_equal(finish(f), 0);
    unsigned long long late_ns = 0;
    const char *said = strstr(f->output, "late p50 ");
    assert_non_null(said);
    assert_int_equal(sscanf(said, "late p50 %llu", &late_ns), 1);
    assert_true(late_ns <
                50 * SL_NS_PER_MS); /* a busy machine; a polling loop of 100 ms would fail */
    print_message("timer late p50 %llu ns\n", late_ns);
}

static void a_watched_descriptor_wakes(void **state)
{
    struct fixture *f = *state;
    START("--mode=watch");
    assert_int_equal(finish(f), 0);
    assert_said(f, "watched 3\n");
}

static void a_subscriber_wakes_the_loop(void **state)
{
    struct fixture *f = *state;
    START("--mode=echo");
    wait_ready(f);
    assert_int_equal(finish(f), 0);
    assert_said(f, "taken 200\n");
}

static struct sl_publisher *publisher_of_type(const char *type)
{
    struct sl_publisher *publisher = NULL;
    const struct sl_publisher_options options = {.topic = "/data", .type = type, .retain = 1};
    if (sl_publisher_open(&options, &publisher) < 0)
        fail_msg("%s", sl_error_text());
    return publisher;
}

static unsigned times_said(const struct fixture *f, const char *text)
{
    unsigned times = 0;
    for (const char *at = f->output; (at = strstr(at, text)); at++)
        times++;
    return times;
}

/* The node was first, and would wait for ever without a word. */
static void publishers_that_do_not_suit_are_told_of_once(void **state)
{
    struct fixture *f = *state;
    START("--mode=take");
    wait_ready(f);
    struct sl_publisher *publisher[4] = {publisher_of_type("test/msg/Other")};
    wait_said(f, "warning: a publisher is not read: topic /data: published as test/msg/Other, "
                 "asked for as test/msg/Bytes\n");
    publisher[1] = publisher_of_type("test/msg/Third");
    wait_said(f, "published as test/msg/Third");
    publisher[2] = publisher_of_type("test/msg/Third");
    publisher[3] = publisher_of_type("test/msg/Bytes");
    assert_int_equal(sl_publisher_publish_inline(publisher[3], "", 1, &(struct sl_message){0}), 0);
    assert_int_equal(finish(f), 0);
    assert_int_equal(times_said(f, "published as test/msg/Other"), 1);
    assert_int_equal(times_said(f, "published as test/msg/Third"), 1);
    for (int i = 0; i < 4; i++)
        sl_publisher_close(publisher[i]);
}

static void spinning_does_the_same_without_sleeping(void **state)
{
    struct fixture *f = *state;
    START("--mode=echo", "--spin=1s");
    assert_int_equal(finish(f), 0);
    assert_said(f, "taken 200\n");
}

static void pools_are_made_of_what_the_options_say(void **state)
{
    struct fixture *f = *state;
    START("--mode=echo", "--memory=bar:ff:1f.7/0", "--memory-fallback=vgen2,memfd");
    assert_int_equal(finish(f), 2);
    assert_said(f, "option --memory-fallback: there is no memory of kind 'vgen2'");
    again(f);
    START("--mode=echo", "--memory=bar:ff:1f.7/0");
    assert_int_equal(finish(f), 1);
    assert_said(f, "bar: there is no PCI device 0000:ff:1f.7");
    again(f);
    START("--mode=echo", "--memory=bar:ff:1f.7/0", "--memory-fallback=memfd", "--slots=7",
          "--slot-size=8k");
    assert_int_equal(finish(f), 0);
    assert_said(f, "warning: topic /program/data: its slots lie in memfd, since bar:ff:1f.7/0 is "
                   "not to be had (");
    assert_said(f, "taken 200\n");
    again(f);
    START("--mode=echo", "--plan", "--memory=memfd:thp", "--slots=7", "--slot-size=8k");
    assert_int_equal(finish(f), 0);
}

/* Each message is the answer to the one before, so no batch ever becomes full. */
static void messages_by_the_batch_wait_for_their_time(void **state)
{
    struct fixture *f = *state;
    uint64_t start_ns = sl_clock_monotonic_ns();
    START("--mode=echo", "--wake-batch=4", "--wake-after=2ms");
    assert_int_equal(finish(f), 0);
    assert_said(f, "taken 200\n");
    assert_true(sl_clock_monotonic_ns() - start_ns >= 199 * 2 * SL_NS_PER_MS);
}

/* The sanitizers and qemu have threads of their own, so they are told by their names. */
static unsigned count_threads(pid_t pid, const char *name)
{
    char path[320], line[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/comm", (int)pid, entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue; /* "." and "..", or it has ended */
        if (fgets(line, sizeof line, file)) {
            line[strcspn(line, "\n")] = '\0';
            count += strcmp(line, name) == 0;
        }
        fclose(file);
    }
    closedir(folder);
    return count;
}

/* What woke it, is not seen; that there is such a thread, is. */
static void relay_is_a_thread_of_its_own(void **state)
{
    struct fixture *f = *state;
    START("--mode=hold-loan", "--relay");
    wait_ready(f);
    assert_int_equal(count_threads(f->pid, "sluice-relay"), 1);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    START("--mode=hold-loan");
    wait_ready(f);
    assert_int_equal(count_threads(f->pid, "sluice-relay"), 0);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    START("--mode=echo", "--relay");
    assert_int_equal(finish(f), 0);
    assert_said(f, "taken 200\n");
}

static void a_line_of_statistics_comes_every_period(void **state)
{
    struct fixture *f = *state;
    START("--mode=hold-loan", "--stats-period=10ms");
    /* its rate is zero the second time round; what is zero otherwise is left out */
    while (!strstr(f->output, "program: /a -> b: done 5 (0.0/s), odd 2\n"))
        f->used += read_until(f->fd, f->output + f->used, OUTPUT_MAX - 1 - f->used);
    assert_said(f, "program: /program/data: 0.0/s, 0.0 MB/s, ");
    assert_said(f, "program: /program/data: 0.0/s taken, 0 lost (0 more), latency p50 0.0 us, ");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
}

/* Readiness -------------------------------------------------------------------------------------*/

static void a_loan_that_open_keeps_counts_as_possible(void **state)
{
    struct fixture *f = *state;
    START("--mode=hold-loan");
    wait_ready(f);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
}

static void a_launched_program_dies_with_its_launcher(void **state)
{
    struct fixture *f = *state;
    /* a parent in between plays the launcher: the program is its child and it is killed */
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t launcher = fork();
    assert_true(launcher >= 0);
    if (launcher == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", (int)getpid());
        setenv("SLUICE_LAUNCHED", number, 1);
        pid_t pid = fork();
        if (pid == 0) {
            dup2(out[1], STDOUT_FILENO);
            dup2(out[1], STDERR_FILENO);
            execl(PROGRAM, "program", "--mode=wait", (char *)NULL);
            _exit(126);
        }
        close(out[1]);
        pause();
        _exit(0);
    }
    close(out[1]);
    f->fd = out[0];
    char text[64] = "";
    read_until(f->fd, text, sizeof text - 1);
    assert_string_equal(text, "open program\n");
    kill(launcher, SIGKILL);
    waitpid(launcher, NULL, 0);
    size_t n, used = 0;
    while ((n = read_until(f->fd, text + used, sizeof text - 1 - used)) > 0)
        used += n;
    text[used] = '\0';
    assert_string_equal(text, "close\n"); /* in order, not by SIGKILL */
}

static void a_launcher_that_is_gone_already_is_noticed(void **state)
{
    struct fixture *f = *state;
    setenv("SLUICE_LAUNCHED", "1", 1); /* not our parent's number */
    START("--mode=wait");
    unsetenv("SLUICE_LAUNCHED");
    assert_int_equal(finish(f), 1);
    assert_string_equal(f->output, "error: the launcher (process 1) has ended\n");
}

static void the_launchers_marks_do_not_reach_children(void **state)
{
    struct fixture *f = *state;
    setenv("SLUICE_TEST_LAUNCHED", "1", 1);
    START("--mode=parent");
    unsetenv("SLUICE_TEST_LAUNCHED");
    wait_ready(f); /* its end is seen although the child lives on */
    while (!strstr(f->output, "\nchild: "))
        f->used += read_until(f->fd, f->output + f->used, OUTPUT_MAX - 1 - f->used);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_said(f, "child: none none\n");
}

/* Options ---------------------------------------------------------------------------------------*/

static void topics_stand_below_the_node_and_are_remapped(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *topic, *remap, *name;
    } cases[] = {
        {"points", "x:=y", "topic /lidar/points given 1\n"},
        {"/points", "x:=y", "topic /points given 1\n"},
        {"points", "points:=/p", "topic /p given 1\n"},
        {"points", "/lidar/points:=q", "topic /lidar/q given 1\n"},
        {"/a", "/a:=/b", "topic /b given 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        START("--mode=topics", "--name=lidar", "--topic", cases[i].topic, "--remap",
              cases[i].remap);
        assert_int_equal(finish(f), 0);
        assert_said(f, cases[i].name);
        close(f->fd);
        close(f->ready_fd);
        memset(f->output, 0, f->used);
        f->used = 0;
    }
    START("--mode=topics");
    assert_int_equal(finish(f), 0);
    assert_said(f, "topic /program/points given 0\n");
}

static void the_bus_is_the_library_s_choice_unless_it_is_given(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *arg;
        enum sl_bus bus;
    } cases[] = {{"--topic=a", SL_BUS_DEFAULT},
                 {"--bus=native", SL_BUS_NATIVE},
                 {"--bus=iceoryx", SL_BUS_ICEORYX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[16];
        snprintf(said, sizeof said, "\nbus %d\n", (int)cases[i].bus);
        START("--mode=topics", cases[i].arg);
        assert_int_equal(finish(f), 0);
        assert_said(f, said);
        close(f->fd);
        close(f->ready_fd);
        memset(f->output, 0, f->used);
        f->used = 0;
    }
    f->fd = f->ready_fd = -1;
}

static void wrong_options_are_told_and_end_with_2(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *arg, *message;
    } cases[] = {
        {"--mode=x", "program: error: option --mode: 'x' is none of: wait, busy, "},
        {"--nane=x", "program: error: no option --nane; did you mean --name?\n"},
        {"--name=a b", "program: error: option --name: 'a b' is no name: 1 to 63 letters, digits, "
                       "'_' and '-'\n"},
        {"--remap=a", "program: error: option --remap: 'a' is not FROM:=TO, two names of topics\n"},
        {"--cpus=1-", "program: error: option --cpus: '1-' is no list of processors such as "
                      "0,2-3\n"},
        {"--cpus=1000", "program: error: option --cpus: none of 1000 can be used here; there are "},
        {"--sched=fifo:100", "program: error: option --sched: 'fifo:100' is none of: other, batch, "
                             "idle, fifo:N, rr:N (N 1 to 99)\n"},
        {"--nice=-21", "program: error: option --nice: -21 is out of range; give -20 to 19\n"},
        {"--bus=ros", "program: error: option --bus: 'ros' is none of: native, iceoryx\n"},
        {"--memory=vgen", "program: error: option --memory: there is no memory of kind 'vgen'; did "
                          "you mean 'vgem'?\n"},
        {"--memory=dma-heap", "program: error: option --memory: memory 'dma-heap': write "
                              "dma-heap:NAME\n"},
        {"--slot-size=5000",
         "program: error: option --slot-size: 5000 is no multiple of 4096, a page\n"},
        {"--slot-size=0", "program: error: option --slot-size: 0 is no multiple of 4096, a page\n"},
        {"--spin=1h", "program: error: option --spin: 1h is out of range; give 0 to 10 seconds\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        START(cases[i].arg);
        assert_int_equal(finish(f), 2);
        if (strncmp(f->output, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: %s", cases[i].arg, f->output);
        again(f);
    }
    f->fd = f->ready_fd = -1;
}

static void check_options_names_the_option_for_the_launcher(void **state)
{
    struct fixture *f = *state;
    START("--check-options", "--cpus=x");
    assert_int_equal(finish(f), 2);
    assert_string_equal(f->output, "cpus\toption --cpus: 'x' is no list of processors such as "
                                   "0,2-3\n");
    again(f);
    START("--check-options", "--mode=busy");
    assert_int_equal(finish(f), 0);
    assert_string_equal(f->output, "");
}

static void processors_and_scheduling_are_set(void **state)
{
    struct fixture *f = *state;
    START("--cpus=0", "--sched=batch", "--mode=wait");
    wait_ready(f);
    cpu_set_t set;
    CPU_ZERO(&set);
    assert_int_equal(sched_getaffinity(f->pid, sizeof set, &set), 0);
    assert_int_equal(CPU_COUNT(&set), 1);
    assert_true(CPU_ISSET(0, &set));
    assert_int_equal(sched_getscheduler(f->pid), SCHED_BATCH);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
}

static void nice_is_set_or_it_is_told_what_it_takes(void **state)
{
    struct fixture *f = *state;
    const bool may = sl_capability_has(CAP_SYS_NICE);
    START(may ? "--nice=-20" : "--nice=19", "--sched=other", "--mode=wait");
    wait_ready(f);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)f->pid), may ? -20 : 19);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    again(f);
    START("--nice=-1", "--sched=rr:1", "--mode=wait");
    assert_int_equal(finish(f), 2);
    assert_string_equal(f->output,
                        "program: error: option --nice: it counts for the scheduling other and "
                        "batch, not for rr:1; leave one of them out\n");
    again(f);
    setenv("SLUICE_TEST_MEEK", "1", 1);
    START("--nice=-20", "--mode=wait");
    unsetenv("SLUICE_TEST_MEEK");
    assert_int_equal(finish(f), 1);
    assert_string_equal(f->output, "program: error: option --nice: -20: Permission denied; raise "
                                   "the limit nice (ulimit -e 40) or give CAP_SYS_NICE\n");
}

static void help_shows_own_and_common_options(void **state)
{
    struct fixture *f = *state;
    START("--help");
    assert_int_equal(finish(f), 0);
    assert_said(f, "--mode CHOICE");
    assert_said(f, "Common options:");
    assert_said(f, "--remap FROM:=TO");
    assert_said(f, "native|iceoryx");
    assert_said(f, "program --mode echo");
    assert_null(strstr(f->output, "check-options"));
}

int main(void)
{
    unsetenv("SLUICE_DOMAIN");
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_opens_is_ready_works_and_closes),
        TEST(a_program_stops_itself),
        TEST(signals_end_it_in_order),
        TEST(an_open_that_takes_long_can_ask_for_signals),
        TEST(a_failing_open_is_told_in_one_line_and_closed),
        TEST(a_failing_work_is_told_in_one_line_and_closed),
        TEST(a_failing_close_is_told_although_work_ended_well),
        TEST(the_timer_wakes_on_time_and_never_early),
        TEST(a_watched_descriptor_wakes),
        TEST(a_subscriber_wakes_the_loop),
        TEST(publishers_that_do_not_suit_are_told_of_once),
        TEST(spinning_does_the_same_without_sleeping),
        TEST(pools_are_made_of_what_the_options_say),
        TEST(messages_by_the_batch_wait_for_their_time),
        TEST(relay_is_a_thread_of_its_own),
        TEST(a_line_of_statistics_comes_every_period),
        TEST(a_loan_that_open_keeps_counts_as_possible),
        TEST(a_launched_program_dies_with_its_launcher),
        TEST(a_launcher_that_is_gone_already_is_noticed),
        TEST(the_launchers_marks_do_not_reach_children),
        TEST(topics_stand_below_the_node_and_are_remapped),
        TEST(the_bus_is_the_library_s_choice_unless_it_is_given),
        TEST(wrong_options_are_told_and_end_with_2),
        TEST(check_options_names_the_option_for_the_launcher),
        TEST(processors_and_scheduling_are_set),
        TEST(nice_is_set_or_it_is_told_what_it_takes),
        TEST(help_shows_own_and_common_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
