/* SPDX-License-Identifier: Apache-2.0 */
/* core/shm/roudi.h against RouDis in every state. Runs inside tests/with_roudi.sh --bare. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/shm/roudi.h"
#include "tests/shm/support.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATE_NS (15 * SL_NS_PER_S) /* on a busy machine */

static pid_t roudi_pid;

/* `options`: up to two words. */
static void start_program(const char *program, const char *first, const char *second)
{
    const char *config = getenv("SLUICE_ROUDI_CONFIG");
    assert_non_null(config);
    roudi_pid = fork();
    if (roudi_pid == 0) {
        int log = open("/tmp/roudi.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(log, 1);
        dup2(log, 2);
        execlp(program, program, "-c", config, first, second, (char *)NULL);
        _exit(127);
    }
    struct sl_roudi roudi;
    await(sl_roudi_find(&roudi) == 0 && roudi.pid == roudi_pid);
}

static void start_roudi(const char *first, const char *second)
{
    start_program("iox-roudi", first, second);
}

static void end_roudi(int signal_number)
{
    kill(roudi_pid, signal_number);
    assert_int_equal(waitpid(roudi_pid, NULL, 0), roudi_pid);
    roudi_pid = 0;
}

static int teardown(void **state)
{
    (void)state;
    if (roudi_pid > 0)
        end_roudi(SIGKILL);
    return 0;
}

static struct sl_roudi find(void)
{
    struct sl_roudi roudi;
    assert_ok(sl_roudi_find(&roudi));
    assert_true(roudi.identity != 0);
    return roudi;
}

static void none_is_none_and_says_what_to_do(void **state)
{
    (void)state;
    struct sl_roudi roudi = {.pid = 42};
    assert_int_equal(sl_roudi_find(&roudi), -ENOENT);
    assert_has(sl_error_text(), "iox-roudi -m off");
    assert_int_equal(roudi.pid, 42);
}

static void the_dead_leave_no_trace_that_counts(void **state)
{
    (void)state;
    struct sl_roudi roudi;
    struct stat st;
    start_roudi("-m", "off");
    end_roudi(SIGKILL);
    assert_int_equal(stat("/tmp/roudi", &st), 0); /* the files stay */
    assert_int_equal(stat("/dev/shm/iceoryx_mgmt", &st), 0);
    assert_int_equal(sl_roudi_find(&roudi), -ENOENT);
    start_roudi("-m", "off");
    end_roudi(SIGTERM);
    assert_int_equal(sl_roudi_find(&roudi), -ENOENT);
}

static void its_identity_lasts_as_long_as_it_does(void **state)
{
    (void)state;
    uint64_t seen[6];
    for (int i = 0; i < 6; i++) {
        start_roudi("-m", "off");
        seen[i] = find().identity;
        assert_int_equal(chmod("/tmp/roudi", 0666), 0); /* an administrator's hand */
        assert_int_equal(find().identity, seen[i]);
        for (int k = 0; k < i; k++)
            assert_true(seen[k] != seen[i]);
        end_roudi(i % 2 ? SIGKILL : SIGTERM);
    }
}

static void monitoring_is_seen_from_its_command_line(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool is_monitoring;
    } cases[] = {
        {NULL, NULL, true},
        {"-m", "on", true},
        {"-m", "off", false},
        {"--monitoring-mode", "off", false},
        {"--monitoring-mode=off", NULL, false},
        {"--monitoring-mode=on", NULL, true},
        {"-l", "off", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start_roudi(cases[i].first, cases[i].second);
        assert_int_equal(find().is_monitoring, cases[i].is_monitoring);
        end_roudi(SIGKILL);
    }
}

/* As one that is part of another program, or another user's. */
static void one_of_another_name_is_found_by_its_lock(void **state)
{
    (void)state;
    char link[] = "/tmp/not-called-roudi";
    assert_int_equal(symlink("/usr/bin/iox-roudi", link), 0);
    start_program(link, "-m", "off"); /* waits until it is found */
    unlink(link);
    assert_false(find().is_monitoring);
}

static void looking_at_a_stopped_one_does_not_wait(void **state)
{
    (void)state;
    start_roudi("-m", "off");
    struct sl_roudi before = find();
    freeze(roudi_pid);
    for (int i = 0; i < 100; i++) { /* more than its socket's queue could hold */
        struct sl_roudi now = find();
        assert_int_equal(now.pid, before.pid);
        assert_true(now.identity == before.identity);
    }
}

static bool is_ready(void)
{
    char said[4096] = "";
    FILE *log = fopen("/tmp/roudi.log", "re");
    assert_non_null(log);
    said[fread(said, 1, sizeof said - 1, log)] = '\0';
    fclose(log);
    return strstr(said, "ready for clients") != NULL;
}

/* Healthy for as long as it works; stopped, it is known within a second, and again when it is not.
 */
static void one_that_stands_still_is_known_within_a_second(void **state)
{
    (void)state;
    assert_int_equal(sl_roudi_examine(0), SL_ROUDI_WELL); /* not to be seen */
    assert_int_equal(sl_roudi_examine(getpid()), SL_ROUDI_WELL);
    start_roudi("-m", "off");
    await(is_ready());
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL);
    freeze(roudi_pid);
    uint64_t start_ns = sl_clock_monotonic_ns();
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_STOPPED);
    assert_true(sl_clock_monotonic_ns() - start_ns >= SL_ROUDI_STILL_MS * SL_NS_PER_MS);
    assert_true(sl_clock_monotonic_ns() - start_ns < LATE_NS); /* 0.7 s, if the machine is free */
    assert_has(sl_roudi_trouble(SL_ROUDI_STOPPED), "does not answer");
    kill(roudi_pid, SIGCONT);
    assert_int_equal(sl_roudi_examine(roudi_pid), SL_ROUDI_WELL);
    end_roudi(SIGKILL);
}

static void a_user_without_permission_is_told(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    start_roudi("-m", "off");
    pid_t pid = fork();
    if (pid == 0) {
        struct sl_roudi roudi;
        if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2); /* a user namespace that knows one user only */
        _exit(sl_roudi_find(&roudi) == -EACCES && strstr(sl_error_text(), "same user") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    if (!getenv("SLUICE_ROUDI_CONFIG")) {
        printf("run it by tests/with_roudi.sh --bare\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(none_is_none_and_says_what_to_do, teardown),
        cmocka_unit_test_teardown(the_dead_leave_no_trace_that_counts, teardown),
        cmocka_unit_test_teardown(its_identity_lasts_as_long_as_it_does, teardown),
        cmocka_unit_test_teardown(monitoring_is_seen_from_its_command_line, teardown),
        cmocka_unit_test_teardown(one_of_another_name_is_found_by_its_lock, teardown),
        cmocka_unit_test_teardown(looking_at_a_stopped_one_does_not_wait, teardown),
        cmocka_unit_test_teardown(one_that_stands_still_is_known_within_a_second, teardown),
        cmocka_unit_test_teardown(a_user_without_permission_is_told, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
