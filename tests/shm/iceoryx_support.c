/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/shm/iceoryx_support.h"

#include "core/base/error.h"
#include "core/shm/roudi.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_FILE "/tmp/iceoryx.words" /* what the roles write on stderr */

/* ---- RouDi -----------------------------------------------------------------------------------*/

pid_t roudi_pid;

void stop_roudi(void)
{
    if (roudi_pid > 0) {
        kill(roudi_pid, SIGKILL);
        waitpid(roudi_pid, NULL, 0);
    }
    roudi_pid = 0;
}

void take_precedence(void)
{
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
}

void start_roudi_as(const char *on_or_off, const char *library)
{
    const char *config = getenv("SLUICE_ROUDI_CONFIG");
    assert_non_null(config);
    stop_roudi();
    roudi_pid = fork();
    if (roudi_pid == 0) {
        int log = open(LOG_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(log, 1);
        dup2(log, 2);
        if (strcmp(on_or_off, "on") == 0)
            take_precedence();
        setenv("LD_PRELOAD", library, 1);
        execlp("iox-roudi", "iox-roudi", "-m", on_or_off, "-c", config, (char *)NULL);
        _exit(127);
    }
    struct sl_roudi roudi;
    await(sl_roudi_find(&roudi) == 0 && roudi.pid == roudi_pid);
}

void start_roudi(void)
{
    start_roudi_as("off", "");
}

int iceoryx_main(int argc, char **argv, const struct role *roles)
{
    int status = role_main(argc, argv, roles);
    if (status >= 0)
        return status;
    if (!sl_iceoryx_is_there()) {
        printf("SKIP: built without iceoryx\n");
        return 77;
    }
    if (!getenv("SLUICE_ROUDI_CONFIG")) {
        printf("run it by tests/with_roudi.sh --bare\n");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    return -1;
}

int iceoryx_setup(void **state)
{
    setenv(PATIENCE_VARIABLE, "20000", 1);
    start_roudi();
    unlink(WORDS_FILE);
    return shm_setup(state);
}

int iceoryx_teardown(void **state)
{
    int result = shm_teardown(state);
    stop_roudi();
    return result;
}

/* ---- Roles -----------------------------------------------------------------------------------*/

struct sl_domain domain;

void check_so(bool is_so, int line)
{
    if (!is_so)
        role_failed(line, "it is not so", 0);
}

void begin_role(void)
{
    alarm(HANGS_S);
    int words = open(WORDS_FILE, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(words, 2);
    close(words);
    must(sl_domain_open(NULL, true, &domain));
}

struct sl_descriptor descriptor_of(uint64_t seq)
{
    return (struct sl_descriptor){.seq = seq, .slot = (uint32_t)seq, .stamp_ns = ~seq};
}

void send_plain(struct sl_iceoryx_sender *sender, uint64_t seq)
{
    struct sl_descriptor d = descriptor_of(seq);
    must(sl_iceoryx_reserve(sender));
    sl_iceoryx_send(sender, &d, NULL, 0, NULL);
}

void receive_plain(struct sl_iceoryx_receiver *receiver, uint64_t seq)
{
    struct sl_descriptor d = {0}, expected = descriptor_of(seq);
    struct sl_range ranges[SL_RANGES_MAX];
    unsigned char body[INLINE];
    int got = sl_iceoryx_receive(receiver, &d, ranges, body);
    check(got == 1 && memcmp(&d, &expected, sizeof d) == 0);
}

void await_connected(struct sl_iceoryx_receiver *receiver)
{
    for (int i = 0; !sl_iceoryx_receiver_is_connected(receiver); i++) {
        check(i < 100000);
        look_again_soon();
    }
}

void open_pair(uint64_t instance, struct sl_iceoryx_sender **ret_sender,
               struct sl_iceoryx_receiver **ret_receiver)
{
    must(sl_iceoryx_sender_open(&domain, TOPIC, instance, INLINE, ret_sender));
    must(sl_iceoryx_receiver_open(&domain, TOPIC, instance, INLINE, ret_receiver));
    await_connected(*ret_receiver);
}

bool is_empty(struct sl_iceoryx_receiver *receiver)
{
    struct sl_descriptor d;
    struct sl_range ranges[SL_RANGES_MAX];
    unsigned char body[INLINE];
    return sl_iceoryx_receive(receiver, &d, ranges, body) == 0;
}

int run_stand(uint64_t instance)
{
    struct sl_iceoryx_sender *sender;
    struct sl_iceoryx_receiver *receiver;
    begin_role();
    open_pair(instance, &sender, &receiver);
    say(instance);
    hear();
    send_plain(sender, 1);
    receive_plain(receiver, 1);
    sl_iceoryx_receiver_close(receiver);
    sl_iceoryx_sender_close(sender);
    return 0;
}

/* ---- Tests -----------------------------------------------------------------------------------*/

uint64_t ms_since(uint64_t start_ns)
{
    return (sl_clock_monotonic_ns() - start_ns) / SL_NS_PER_MS;
}

void end_well(struct child *child)
{
    uint64_t start = sl_clock_monotonic_ns();
    int status = child_end(child);
    char words[2000] = "";
    FILE *file = fopen(WORDS_FILE, "re");
    if (file) {
        while (fgets(words, sizeof words, file))
            if (strstr(words, "False leaks are possible")) /* LeakSanitizer in a forked child */
                words[0] = '\0';
            else
                break;
        fclose(file);
    }
    if (status != 0 || words[0])
        fail_msg("exit status %d, words: %s", status, words);
    assert_true(ms_since(start) < LATE_MS);
}

static bool is_over(const struct child *child)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           info.si_pid == child->pid;
}

void run_alone(const char *role, uint64_t argument)
{
    struct child child = child_start(role, argument);
    await(is_over(&child));
    end_well(&child);
}
