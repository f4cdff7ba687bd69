/* SPDX-License-Identifier: Apache-2.0 */
/* test_roudi.c - RouDi in the launcher: started, used, stopped, lost; and what is left of it.
 *
 * Runs in a mount namespace with a /dev/shm and a /tmp of its own: there is one RouDi a machine
 * otherwise, and tests run side by side. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/iceoryx.h"
#include "launch/budget.h"
#include "launch/roudi.h"
#include "tests/launch/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUDI        "/usr/bin/iox-roudi"
#define ROUDI_IS_OUT "sluice: RouDi is ready, process "
#define LOCK         "/tmp/iox-unique-roudi.lock"
#define IS_HELD      "test -e " LOCK " && ! flock -n " LOCK " true && echo held || echo free"

/* A node that tells at its start and at its end whether RouDi runs. */
#define WITNESS                                                                 \
    "  witness: {exec: sh, args: [-c, 'look() { echo $$1: $$(" IS_HELD "); }; " \
    "trap \"look at-the-end; exit 0\" TERM; look at-the-start; sleep 1000 & wait']}\n"

/* A place of its own ----------------------------------------------------------------------------*/

static char kept[PATH_MAX]; /* what of /tmp had to stay: the build, if it lies there */

static int keep_build(int fd)
{
    char from[32], path[PATH_MAX];
    snprintf(path, sizeof path, "%s", getenv("SLUICE_BUILD") ? getenv("SLUICE_BUILD") : "");
    if (strncmp(path, "/tmp/", 5) != 0)
        return 0;
    snprintf(kept, sizeof kept, "%.*s", (int)strcspn(path + 5, "/"), path + 5);
    for (char *slash = strchr(path + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    mkdir(path, 0755);
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    return mount(from, path, NULL, MS_BIND, NULL);
}

static int enter_own_place(void)
{
    const char *build = getenv("SLUICE_BUILD");
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    int fd = open(build ? build : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || mount("none", "/dev/shm", "tmpfs", 0, "mode=1777,size=256m") < 0 ||
        mount("none", "/tmp", "tmpfs", 0, "mode=1777,size=256m") < 0 || keep_build(fd) < 0)
        return -errno;
    close(fd);
    return 0;
}

/* What is there --------------------------------------------------------------------------------*/

/* The first thing of RouDi's that is there, or NULL. */
static const char *what_is_left(const struct fixture *f)
{
    static char name[NAME_MAX + 1];
    const char *folders[] = {"/dev/shm", "/tmp"};
    name[0] = '\0';
    for (int i = 0; i < 2; i++) {
        DIR *folder = opendir(folders[i]);
        assert_non_null(folder);
        struct dirent *entry;
        while ((entry = readdir(folder)))
            if (entry->d_name[0] != '.' && strcmp(entry->d_name, kept) != 0 &&
                strcmp(entry->d_name, strrchr(f->folder, '/') + 1) != 0)
                snprintf(name, sizeof name, "%s", entry->d_name);
        closedir(folder);
    }
    return name[0] ? name : NULL;
}

static void assert_nothing_is_left(const struct fixture *f)
{
    const char *left = what_is_left(f);
    if (left)
        fail_msg("%s is left", left);
}

/* Of the process, by the launcher's word. */
static pid_t roudi_of(struct fixture *f)
{
    wait_for(f, ROUDI_IS_OUT);
    const char *at = strstr(f->output, ROUDI_IS_OUT) + strlen(ROUDI_IS_OUT);
    while (!strchr(at, '\n')) /* the rest of the line */
        assert_true(read_more(f, sl_clock_monotonic_ns() + DEADLINE_NS));
    return (pid_t)atoi(at);
}

static void wait_for_death(pid_t pid)
{
    uint64_t deadline_ns = sl_clock_monotonic_ns() + DEADLINE_NS;
    while (is_alive(pid)) {
        if (sl_clock_monotonic_ns() > deadline_ns)
            fail_msg("process %d is left", (int)pid);
        poll(NULL, 0, 1);
    }
}

/* A RouDi of somebody else ----------------------------------------------------------------------*/

static pid_t foreign_start(const struct fixture *f, const char *monitoring)
{
    char config[SL_ROUDI_CONFIG_MAX], path[160], said[4096] = "";
    sl_roudi_config(2, 2, config);
    write_file(f, "foreign.toml", config);
    snprintf(path, sizeof path, "%s/foreign.toml", f->folder);
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        execl(ROUDI, ROUDI, "-c", path, "-m", monitoring, NULL);
        _exit(127);
    }
    close(fds[1]);
    for (size_t used = 0; !strstr(said, "ready for clients");) {
        struct pollfd ready = {.fd = fds[0], .events = POLLIN};
        if (poll(&ready, 1, (int)(DEADLINE_NS / SL_NS_PER_MS)) <= 0)
            fail_msg("RouDi is not ready: %s", said);
        ssize_t n = read(fds[0], said + used, sizeof said - 1 - used);
        if (n <= 0)
            fail_msg("RouDi has ended: %s", said);
        used += (size_t)n;
    }
    close(fds[0]); /* it has nothing more to say */
    return pid;
}

/* What it leaves when it is killed. */
static void foreign_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    const char *traces[] = {"/dev/shm/iceoryx_mgmt", "/tmp/roudi", "/tmp/roudi.lock",
                            "/tmp/iox-unique-roudi.lock"};
    for (int i = 0; i < 4; i++)
        unlink(traces[i]);
    DIR *folder = opendir("/dev/shm"); /* the segment is called as the user's group */
    struct dirent *entry;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

/* A program in its place ------------------------------------------------------------------------*/

static char path_before[PATH_MAX];

static void stand_in(const struct fixture *f, const char *script)
{
    char folder[128], path[256], name[] = "bin/iox-roudi";
    snprintf(folder, sizeof folder, "%s/bin", f->folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    write_file(f, name, script);
    snprintf(path, sizeof path, "%s/iox-roudi", folder);
    assert_int_equal(chmod(path, 0755), 0);
    snprintf(path_before, sizeof path_before, "%s", getenv("PATH"));
    char search[PATH_MAX + 160];
    snprintf(search, sizeof search, "%s:%s", folder, path_before);
    setenv("PATH", search, 1);
}

static int teardown_all(void **state)
{
    if (path_before[0])
        setenv("PATH", path_before, 1);
    path_before[0] = '\0';
    setenv("SLUICE_LIBEXEC", LIBEXEC, 1);
    unsetenv("SLUICE_BUS");
    return teardown(state);
}

/* Configuration ---------------------------------------------------------------------------------*/

static void the_configuration_is_one_pool_of_descriptors(void **state)
{
    (void)state;
    char text[SL_ROUDI_CONFIG_MAX], wanted[64];
    int length = sl_roudi_config(3, 5, text);
    assert_int_equal(length, strlen(text));
    snprintf(wanted, sizeof wanted, "\ncount = %u\n", sl_iceoryx_chunks(3, 5));
    assert_non_null(strstr(text, wanted));
    assert_non_null(strstr(text, "[general]\nversion = 1\n"));
    const char *size = strstr(text, "\nsize = ");
    assert_non_null(size);
    assert_true((size_t)atoi(size + 8) >= sizeof(struct sl_parcel));
    assert_int_equal(atoi(size + 8) % 32, 0);
    assert_null(strstr(strstr(text, "[[segment.mempool]]") + 1, "[[segment.mempool]]"));
    /* the longest there can be */
    assert_true(sl_roudi_config(UINT32_MAX, UINT32_MAX, text) < SL_ROUDI_CONFIG_MAX);
}

static void the_configuration_is_handed_over_and_removed(void **state)
{
    struct fixture *f = *state;
    stand_in(f, "#!/bin/sh\n"
                "echo \"$1 $3 $4\"\n"
                "cat \"$2\"\n"
                "echo 'RouDi is ready for clients'\n"
                "exec sleep 1000\n");
    start(f, "bus: iceoryx\nnodes: {a: {exec: sh, args: [-c, 'sleep 1000']}}\n", NULL);
    pid_t roudi = roudi_of(f);
    wait_for(f, "sluice: a is started");
    assert_said(f, "roudi | -c -m off\n");
    assert_said(f, "roudi | [[segment.mempool]]\nroudi | size = ");
    assert_nothing_is_left(f);
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_false(is_alive(roudi));
}

static void the_pool_is_for_the_ends_that_the_nodes_tell(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {
        "bus: iceoryx\nnodes: {a: {exec: child, bus: native}}\n", /* beside them, for tools */
        "bus: iceoryx\nnodes: {a: {exec: child}}\n",
        "bus: iceoryx\nnodes: {a: {exec: child, params: {mode: publish}},\n"
        "  b: {exec: child, params: {mode: publish}, remap: {data: /a/data}}, c: {exec: child,\n"
        "  params: {mode: subscribe}, remap: {data: /a/data}}, d: {exec: sh, args: []}}\n",
        "bus: iceoryx\nnodes: {a: {exec: child, params: {mode: publish}}, b: {exec: child,\n"
        "  params: {mode: publish}, remap: {data: /a/data}, bus: native}, c: {exec: child,\n"
        "  params: {mode: subscribe}, remap: {data: /a/data}}}\n"};
    uint32_t publishers[4], subscribers[4];
    for (int i = 0; i < 4; i++) {
        struct sl_plan *plan;
        write_file(f, "f.yaml", files[i]);
        assert_int_equal(sl_plan_create(&plan), 0);
        if (sl_plan_read(plan, f->file, NULL, 0, false, sl_yaml_load) < 0 ||
            sl_plan_choose_bus(plan, SL_BUS_DEFAULT) < 0 || sl_plan_check(plan) < 0)
            fail_msg("%s", sl_error_text());
        assert_int_equal(sl_plan_needs_roudi(plan), i > 0);
        assert_int_equal(sl_plan_ends(plan, &publishers[i], &subscribers[i]), 0);
        sl_plan_destroy(plan);
    }
    assert_true(publishers[0] > 0 && subscribers[0] > 0);
    assert_int_equal(publishers[1], publishers[0]);
    assert_int_equal(subscribers[1], subscribers[0]);
    /* two that are known, and what sh may have; the subscriber meets both */
    assert_int_equal(publishers[2], publishers[0] + 2 + 2);
    assert_int_equal(subscribers[2], subscribers[0] + 2 + 4);
    assert_int_equal(publishers[3], publishers[0] + 1);
    assert_int_equal(subscribers[3], subscribers[0] + 1);
}

static void the_budget_has_room_for_roudi_unless_one_runs(void **state)
{
    struct fixture *f = *state;
    struct sl_budget *budget = calloc(1, sizeof *budget);
    pid_t roudi = 0;
    uint64_t total_bytes[3];
    for (int i = 0; i < 3; i++) {
        struct sl_plan *plan;
        if (i == 2)
            roudi = foreign_start(f, "off");
        write_file(f, "f.yaml", "nodes: {a: {exec: child, params: {mode: publish}}}\n");
        assert_int_equal(sl_plan_create(&plan), 0);
        if (sl_plan_read(plan, f->file, NULL, 0, false, sl_yaml_load) < 0 ||
            sl_plan_choose_bus(plan, i == 0 ? SL_BUS_NATIVE : SL_BUS_ICEORYX) < 0 ||
            sl_plan_check(plan) < 0 || sl_budget_make(plan, NULL, budget) < 0)
            fail_msg("%s", sl_error_text());
        total_bytes[i] = budget->total_bytes;
        assert_int_equal(budget->roudi_bytes > 0, i == 1);
        assert_int_equal(budget->total_bytes - budget->roudi_bytes, total_bytes[0]);
        sl_budget_finish(budget);
        sl_plan_destroy(plan);
    }
    assert_true(total_bytes[1] > total_bytes[0] + (64 << 20));
    foreign_end(roudi);
    free(budget);
}

/* Its life --------------------------------------------------------------------------------------*/

static void roudi_is_there_before_the_first_node_until_after_the_last(void **state)
{
    struct fixture *f = *state;
    start(f, "bus: iceoryx\nnodes:\n" WITNESS, NULL);
    pid_t roudi = roudi_of(f);
    wait_for(f, "witness | at-the-start: held\n");
    assert_said(f, "roudi   | RouDi is ready for clients\n");
    assert_true(is_alive(roudi));
    kill(f->pid, SIGINT);
    assert_int_equal(finish(f), 0);
    assert_said(f, "witness | at-the-end: held\n");
    assert_false(is_alive(roudi));
    assert_nothing_is_left(f);
}

static void roudi_ends_when_a_node_fails(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "bus: iceoryx\n"
                            "nodes: {a: {exec: child, params: {mode: fail}, required: true}}\n",
                            NULL),
                     1);
    assert_false(is_alive(roudi_of(f)));
    assert_nothing_is_left(f);
}

static void one_node_on_iceoryx_is_enough(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(launch(f,
                            "nodes:\n"
                            "  a: {exec: sh, args: [-c, 'echo on $$SLUICE_BUS'], bus: iceoryx}\n"
                            "  b: {exec: sh, args: [-c, 'echo on $$SLUICE_BUS']}\n",
                            NULL),
                     0);
    roudi_of(f);
    assert_said(f, "a     | on iceoryx\n");
    assert_said(f, "b     | on native\n");
    assert_nothing_is_left(f);
}

static void native_needs_no_roudi(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "bus: iceoryx\n"
                               "nodes: {a: {exec: sh, args: [-c, 'echo on $$SLUICE_BUS']}}\n";
    assert_int_equal(launch(f, text, ARGS("--bus=native")), 0);
    assert_said(f, "a | on native\n");
    assert_null(strstr(f->output, "RouDi"));
}

static void a_signal_ends_the_waiting_for_roudi(void **state)
{
    struct fixture *f = *state;
    stand_in(f, "#!/bin/sh\necho 'not yet'\nexec sleep 1000\n");
    start(f, "bus: iceoryx\nnodes: {a: {exec: child}}\n", NULL);
    wait_for(f, "roudi | not yet\n");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_said(f, "stopped before RouDi was ready; no node was started");
    assert_nothing_is_left(f);
}

/* As its libraries, while it loads them. */
static void what_roudi_has_open_elsewhere_is_left_alone(void **state)
{
    struct fixture *f = *state;
    char path[128], script[256];
    snprintf(path, sizeof path, "%s/other", f->folder);
    snprintf(script, sizeof script,
             "#!/bin/sh\nexec 9>%s\necho 'RouDi is ready for clients'\nexec sleep 1000\n", path);
    assert_memory_equal(path, "/tmp/", 5);
    stand_in(f, script);
    start(f, "bus: iceoryx\nnodes: {a: {exec: sh, args: [-c, 'sleep 1000']}}\n", NULL);
    wait_for(f, "sluice: a is started");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_int_equal(access(path, F_OK), 0);
}

static unsigned count_clients(void)
{
    glob_t found;
    if (glob("/tmp/sluice.*.lock", 0, NULL, &found) != 0)
        return 0;
    unsigned count = (unsigned)found.gl_pathc;
    globfree(&found);
    return count;
}

static void nodes_meet_over_iceoryx(void **state)
{
    struct fixture *f = *state;
    start(f,
          "bus: iceoryx\n"
          "nodes:\n"
          "  eye: {exec: child, params: {mode: subscribe}, remap: {data: /cam/data}}\n"
          "  cam: {exec: child, params: {mode: publish, count: 100, period: 10ms}, after: eye, "
          "required: true}\n",
          NULL);
    wait_for(f, "sluice: cam is ready");
    assert_int_equal(count_clients(), 2); /* neither fell back to native */
    assert_int_equal(finish(f), 0);
    assert_said(f, "frames 100, losses 0");
    assert_said(f, "  /cam/data: 100 frames, 6.6 MB; taken ");
    assert_no_sockets();
    assert_nothing_is_left(f);
}

static void a_program_that_is_told_its_bus_does_not_fall_back(void **state)
{
    struct fixture *f = *state;
    const char *modes[] = {"publish", "subscribe"};
    for (int i = 0; i < 2; i++) {
        char text[160];
        snprintf(text, sizeof text,
                 "nodes: {a: {exec: child, args: [--mode, %s, --bus, iceoryx]}}\n", modes[i]);
        f->used = 0;
        assert_int_equal(launch(f, text, NULL), 1);
        assert_said(f, "iceoryx: no RouDi runs");
    }
}

static void a_node_killed_on_iceoryx_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    start(f,
          "bus: iceoryx\n"
          "nodes: {cam: {exec: child, params: {mode: publish, pids: $(env PIDS)}}}\n",
          NULL);
    wait_for(f, "sluice: cam is ready");
    assert_int_equal(count_clients(), 1);
    FILE *file = fopen(f->pids, "r");
    int pid = 0;
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    kill(pid, SIGKILL);
    assert_int_equal(finish(f), 1);
    assert_no_sockets();
    assert_nothing_is_left(f);
}

/* It dies with a lock that RouDi needs when the next one comes. */
static void a_node_killed_while_it_publishes_is_followed(void **state)
{
    struct fixture *f = *state;
    char text[400], died[128];
    snprintf(died, sizeof died, "%s/died", f->folder);
    snprintf(text, sizeof text,
             "bus: iceoryx\n"
             "nodes: {cam: {exec: child, params: {mode: publish, count: 10, period: 10ms}, "
             "required: true,\n"
             "  restart: {delay: 10ms}, env: {DIE_SENDING: %s}}}\n",
             died);
    assert_int_equal(launch(f, text, NULL), 0);
    assert_int_equal(access(died, F_OK), 0);
    assert_said(f, "signal 9");
    assert_said(f, "  /cam/data: 10 frames");
    assert_nothing_is_left(f);
}

static void roudi_without_our_library_is_warned_of(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "bus: iceoryx\nnodes: {a: {exec: sh, args: [-c, true]}}\n";
    static const char warning[] = "libsluice_roudi.so is not where Sluice's programs are";
    assert_int_equal(launch(f, text, NULL), 0);
    assert_null(strstr(f->output, warning));
    if (access(INSTALLED_LIBEXEC "/libsluice_roudi.so", F_OK) == 0)
        return; /* it is found there */
    setenv("SLUICE_LIBEXEC", f->folder, 1);
    assert_int_equal(launch(f, text, NULL), 0);
    assert_said(f, warning);
}

/* What clients that were killed leave; the one that lives holds its lock. */
static void traces_of_dead_clients_are_removed_and_of_live_ones_kept(void **state)
{
    struct fixture *f = *state;
    const char *names[] = {"/tmp/sluice.0.ab.default.0", "/tmp/sluice.0.ab.default.0.lock",
                           "/tmp/sluice.0.ab.default.1", "/tmp/sluice.0.ab.default.1.lock"};
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = open(names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fds[i] >= 0);
    }
    assert_int_equal(flock(fds[1], LOCK_EX), 0);
    start(f, "bus: iceoryx\nnodes: {a: {exec: child}}\n", NULL);
    wait_for(f, "sluice: a is ready");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    for (int i = 0; i < 4; i++) {
        bool is_there = access(names[i], F_OK) == 0;
        close(fds[i]);
        unlink(names[i]);
        assert_int_equal(is_there, i < 2);
    }
    assert_nothing_is_left(f);
}

/* The launcher is killed ------------------------------------------------------------------------*/

static void a_killed_launcher_takes_roudi_along(void **state)
{
    struct fixture *f = *state;
    start(f, "bus: iceoryx\nnodes: {a: {exec: sh, args: [-c, 'echo up; sleep 1000']}}\n", NULL);
    pid_t roudi = roudi_of(f);
    wait_for(f, "a     | up\n");
    kill(f->pid, SIGKILL);
    assert_int_equal(finish(f), 256 + SIGKILL);
    wait_for_death(roudi);
    uint64_t deadline_ns = sl_clock_monotonic_ns() + DEADLINE_NS;
    while (what_is_left(f)) { /* the guard is about to remove it */
        if (sl_clock_monotonic_ns() > deadline_ns)
            fail_msg("%s is left", what_is_left(f));
        poll(NULL, 0, 1);
    }
}

/* RouDi is killed -------------------------------------------------------------------------------*/

static void a_killed_roudi_is_told_and_the_nodes_go_on(void **state)
{
    struct fixture *f = *state;
    start(f, "bus: iceoryx\nnodes:\n" WITNESS, NULL);
    pid_t roudi = roudi_of(f);
    wait_for(f, "witness | at-the-start: held\n");
    kill(roudi, SIGKILL);
    wait_for(f, "was ended by signal 9 (Killed): what is connected by iceoryx goes on, but nothing "
                "new connects, nor does a node that is restarted; end this launch and start it "
                "again\n");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 1);
    assert_said(f, "witness | at-the-end: free\n");
    assert_int_equal(count_said(f, "what is connected"), 1);
    assert_nothing_is_left(f);
}

static void the_next_roudi_s_files_are_left_alone(void **state)
{
    struct fixture *f = *state;
    start(f, "bus: iceoryx\nnodes:\n" WITNESS, NULL);
    pid_t roudi = roudi_of(f);
    wait_for(f, "witness | at-the-start: held\n");
    kill(roudi, SIGKILL);
    wait_for(f, "was ended by signal 9 (Killed)");
    pid_t next = foreign_start(f, "off");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 1);
    assert_said(f, "witness | at-the-end: held\n");
    assert_int_equal(access("/tmp/iox-unique-roudi.lock", F_OK), 0);
    assert_int_equal(access("/tmp/roudi", F_OK), 0);
    assert_int_equal(access("/dev/shm/iceoryx_mgmt", F_OK), 0);
    foreign_end(next);
    assert_nothing_is_left(f);
}

/* Somebody else's -------------------------------------------------------------------------------*/

static void a_foreign_roudi_is_used_and_left_running(void **state)
{
    struct fixture *f = *state;
    pid_t roudi = foreign_start(f, "off");
    char said[96];
    snprintf(said, sizeof said, "RouDi (process %d) runs already: it is used as it is", (int)roudi);
    assert_int_equal(
        launch(f, "bus: iceoryx\nnodes: {a: {exec: child, params: {mode: end}}}\n", NULL), 0);
    assert_said(f, said);
    assert_null(strstr(f->output, "watches its processes"));
    assert_true(is_alive(roudi));
    assert_int_equal(access("/tmp/roudi", F_OK), 0);
    foreign_end(roudi);
}

static void a_foreign_roudi_that_monitors_is_warned_of(void **state)
{
    struct fixture *f = *state;
    pid_t roudi = foreign_start(f, "on");
    assert_int_equal(
        launch(f, "bus: iceoryx\nnodes: {a: {exec: child, params: {mode: end}}}\n", NULL), 0);
    assert_said(f, "warning: that RouDi watches its processes: one that stands still for more than "
                   "1.5 s (SIGSTOP, a debugger, heavy load) is declared dead");
    foreign_end(roudi);
}

static void the_roudi_of_a_quicker_launcher_is_used(void **state)
{
    struct fixture *f = *state;
    stand_in(f, "#!/bin/sh\n"
                "echo 'too late'\n"
                "while [ ! -e ${0%/*}/go ]; do sleep 0.01; done\n"
                "exec " ROUDI " \"$@\"\n");
    start(f, "bus: iceoryx\nnodes: {a: {exec: child, params: {mode: end}}}\n", NULL);
    wait_for(f, "roudi | too late\n");
    pid_t roudi = foreign_start(f, "off");
    write_file(f, "bin/go", "");
    assert_int_equal(finish(f), 0);
    assert_order(f, "runs already: it is used as it is", "a is ready");
    assert_true(is_alive(roudi));
    foreign_end(roudi);
}

static void the_end_of_a_foreign_roudi_is_told(void **state)
{
    struct fixture *f = *state;
    pid_t roudi = foreign_start(f, "off");
    start(f, "bus: iceoryx\nnodes:\n" WITNESS, NULL);
    wait_for(f, "witness | at-the-start: held\n");
    foreign_end(roudi);
    wait_for(f, "has ended: what is connected by iceoryx goes on");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 1);
}

static void a_roudi_that_stands_still_is_told_and_that_it_goes_on(void **state)
{
    struct fixture *f = *state;
    start(f, "bus: iceoryx\nnodes:\n" WITNESS, NULL);
    pid_t roudi = roudi_of(f);
    wait_for(f, "witness | at-the-start: held\n");
    kill(roudi, SIGSTOP);
    wait_for(f, "does not answer: it is stopped (SIGSTOP, a debugger); what is connected goes on, "
                "new connections do without iceoryx, and no node that is restarted can open; let "
                "it go on (kill -CONT)");
    kill(roudi, SIGCONT);
    wait_for(f, "answers again");
    kill(f->pid, SIGTERM);
    assert_int_equal(finish(f), 0);
    assert_nothing_is_left(f);
}

/* It cannot be ----------------------------------------------------------------------------------*/

static void a_missing_roudi_is_told_before_anything_starts(void **state)
{
    struct fixture *f = *state;
    char wanted[256];
    snprintf(path_before, sizeof path_before, "%s", getenv("PATH"));
    setenv("PATH", "/none", 1);
    assert_int_equal(launch(f, "nodes: {a: {exec: child, bus: iceoryx}}\n", NULL), 2);
    snprintf(wanted, sizeof wanted,
             "%s:1:31: bus: iceoryx needs RouDi: none runs, and iox-roudi is not in $PATH; install "
             "the Debian package iceoryx, or choose bus: native\n",
             f->file);
    assert_said(f, wanted);
    assert_null(strstr(f->output, "ready"));
    f->used = 0;
    assert_int_equal(launch(f, "nodes: {a: {exec: child}}\n", ARGS("--check", "--bus=iceoryx")), 2);
    assert_said(f, "bus: iceoryx needs RouDi");
}

static void a_roudi_that_fails_is_told_with_its_last_words(void **state)
{
    struct fixture *f = *state;
    stand_in(f, "#!/bin/sh\necho 'no such pool' >&2\nexit 3\n");
    assert_int_equal(launch(f, "bus: iceoryx\nnodes: {a: {exec: child}}\n", NULL), 1);
    assert_said(f, "error: iox-roudi ended before it was ready; its last words: no such pool\n");
    assert_null(strstr(f->output, "a is ready"));
    assert_nothing_is_left(f);
}

static void too_little_shared_memory_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mount("none", "/dev/shm", "tmpfs", 0, "mode=1777,size=8m"), 0);
    int status = launch(f, "bus: iceoryx\nnodes: {a: {exec: child}}\n", NULL);
    umount("/dev/shm");
    assert_int_equal(status, 1);
    assert_said(f, " MB in /dev/shm, of which 8 are free; make room there (of a container: "
                   "--shm-size=");
    assert_nothing_is_left(f);
}

/* The choice ------------------------------------------------------------------------------------*/

static void a_bus_is_written_in_one_place(void **state)
{
    struct fixture *f = *state;
    char wanted[256];
    assert_int_equal(launch(f, "nodes: {a: {exec: child, params: {bus: native}}}\n", NULL), 2);
    snprintf(wanted, sizeof wanted,
             "%s:1:35: bus is not for here; write 'bus: native' as a key of the node or of the "
             "file, or give --bus to the launcher\n",
             f->file);
    assert_said(f, wanted);
    setenv("SLUICE_BUS", "ros", 1);
    assert_int_equal(launch(f, "nodes: {a: {exec: child}}\n", NULL), 2);
    assert_said(f, "$SLUICE_BUS: 'ros' is none of: native, iceoryx\n");
    assert_int_equal(launch(f, NULL, ARGS("--bus=ros")), 2);
    assert_said(f, "option --bus: 'ros' is none of: native, iceoryx\n");
}

static void the_file_stands_above_the_environment(void **state)
{
    struct fixture *f = *state;
    setenv("SLUICE_BUS", "iceoryx", 1);
    static const char node[] = "{a: {exec: sh, args: [-c, 'echo on $$SLUICE_BUS']}}\n";
    char text[128];
    snprintf(text, sizeof text, "bus: native\nnodes: %s", node);
    assert_int_equal(launch(f, text, NULL), 0);
    assert_said(f, "a | on native\n");
    snprintf(text, sizeof text, "nodes: %s", node);
    assert_int_equal(launch(f, text, NULL), 0);
    assert_said(f, "a     | on iceoryx\n");
    roudi_of(f);
}

static int cannot_run(const char *reason)
{
    printf("SKIP: %s\n", reason);
    return 77;
}

int main(void)
{
    setenv("SLUICE_LIBEXEC", LIBEXEC, 1);
    unsetenv("SLUICE_DOMAIN");
    unsetenv("SLUICE_BUS");
    unsetenv("TMPDIR");
    if (!sl_iceoryx_is_there())
        return cannot_run("built without iceoryx");
    if (access(ROUDI, X_OK) < 0)
        return cannot_run("iox-roudi is absent");
    if (enter_own_place() < 0)
        return cannot_run("no mount namespace may be made");
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_all)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_is_one_pool_of_descriptors),
        TEST(the_configuration_is_handed_over_and_removed),
        TEST(the_pool_is_for_the_ends_that_the_nodes_tell),
        TEST(the_budget_has_room_for_roudi_unless_one_runs),
        TEST(roudi_is_there_before_the_first_node_until_after_the_last),
        TEST(roudi_ends_when_a_node_fails),
        TEST(one_node_on_iceoryx_is_enough),
        TEST(native_needs_no_roudi),
        TEST(a_signal_ends_the_waiting_for_roudi),
        TEST(what_roudi_has_open_elsewhere_is_left_alone),
        TEST(nodes_meet_over_iceoryx),
        TEST(a_program_that_is_told_its_bus_does_not_fall_back),
        TEST(a_node_killed_on_iceoryx_leaves_nothing),
        TEST(a_node_killed_while_it_publishes_is_followed),
        TEST(roudi_without_our_library_is_warned_of),
        TEST(traces_of_dead_clients_are_removed_and_of_live_ones_kept),
        TEST(a_killed_launcher_takes_roudi_along),
        TEST(a_killed_roudi_is_told_and_the_nodes_go_on),
        TEST(the_next_roudi_s_files_are_left_alone),
        TEST(a_foreign_roudi_is_used_and_left_running),
        TEST(a_foreign_roudi_that_monitors_is_warned_of),
        TEST(the_roudi_of_a_quicker_launcher_is_used),
        TEST(the_end_of_a_foreign_roudi_is_told),
        TEST(a_roudi_that_stands_still_is_told_and_that_it_goes_on),
        TEST(a_missing_roudi_is_told_before_anything_starts),
        TEST(a_roudi_that_fails_is_told_with_its_last_words),
        TEST(too_little_shared_memory_is_told),
        TEST(a_bus_is_written_in_one_place),
        TEST(the_file_stands_above_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
