/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/shm/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHILDREN_MAX = 64,
    LATE_MOST = 20, /* seconds that a program waits for RouDi */
    ROLE_IN = 3,    /* descriptors of a role */
    ROLE_OUT = 4,
};

static char root[64];
static unsigned fds_before;
static pid_t children[CHILDREN_MAX];

void look_again_soon(void)
{
    struct timespec pause = {.tv_nsec = 200000};
    nanosleep(&pause, NULL);
}

const char *shm_root(void)
{
    return root;
}

unsigned count_fds(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

unsigned count_mappings(void)
{
    unsigned count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        count += strstr(line, "memfd:sluice") != NULL;
    fclose(maps);
    return count;
}

/* A process that sends by iceoryx keeps its place there, a lock file, as long as it lives; a killed
 * one leaves the file (its lock is free). */
static bool is_iceoryx_place(const char *name)
{
    return strncmp(name, "iceoryx.", 8) == 0;
}

unsigned count_sockets(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/default", root);
    DIR *folder = opendir(path);
    if (!folder)
        return 0;
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 !is_iceoryx_place(entry->d_name);
    closedir(folder);
    return count;
}

static unsigned things_left;

static int remove_thing(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    if (kind != FTW_DP && kind != FTW_D && !is_iceoryx_place(path + ftw->base)) {
        fprintf(stderr, "left behind: %s\n", path);
        things_left++;
    }
    return remove(path);
}

void freeze(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

bool is_over_iceoryx(void)
{
    const char *bus = getenv("SLUICE_BUS");
    return bus && strcmp(bus, "iceoryx") == 0;
}

bool is_not_for_iceoryx(const char *why)
{
    if (is_over_iceoryx())
        print_message("not over iceoryx: %s\n", why);
    return is_over_iceoryx();
}

static char place_root[64];

static void leave_place(void)
{
    nftw(place_root, remove_thing, 8, FTW_DEPTH | FTW_PHYS);
}

/* Over iceoryx: what a process has of it, it has until it exits, and the place is in the domain of
 * its first publisher. Let that be none of a test's. */
static int take_place(void)
{
    if (place_root[0] || !is_over_iceoryx())
        return 0;
    snprintf(place_root, sizeof place_root, "/tmp/sluice-place-XXXXXX");
    if (!mkdtemp(place_root) || setenv("SLUICE_ROOT", place_root, 1) < 0)
        return -1;
    atexit(leave_place);
    struct sl_publisher *publisher;
    const struct sl_publisher_options options = {.topic = "/place", .type = TYPE};
    int err = sl_publisher_open(&options, &publisher);
    if (err < 0) {
        fprintf(stderr, "%s\n", sl_error_text());
        return err;
    }
    sl_publisher_close(publisher);
    return 0;
}

int shm_setup(void **state)
{
    (void)state;
    if (take_place() < 0)
        return -1;
    fds_before = count_fds();
    snprintf(root, sizeof root, "/tmp/sluice-test-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    return setenv("SLUICE_ROOT", root, 1);
}

int shm_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (children[i] > 0) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
            children[i] = 0;
        }
    }
    things_left = 0;
    setenv("SLUICE_ROOT", root, 1);
    nftw(root, remove_thing, 8, FTW_DEPTH | FTW_PHYS);
    /* A test that failed half-way leaves its ends open; those that follow are not to blame. */
    static bool is_spoilt;
    if (is_spoilt)
        return 0;
    unsigned fds = count_fds(), mappings = count_mappings();
    if (fds != fds_before)
        fprintf(stderr, "%u descriptors before, %u after\n", fds_before, fds);
    if (mappings > 0)
        fprintf(stderr, "%u segments are still mapped\n", mappings);
    is_spoilt = things_left > 0 || fds != fds_before || mappings > 0;
    return is_spoilt ? -1 : 0;
}

void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in '%s'", part, text);
}

char *long_text(size_t length, char first)
{
    char *text = malloc(length + 1);
    assert_non_null(text);
    memset(text, 'x', length);
    text[0] = first;
    text[length] = '\0';
    return text;
}

/* Bytes. --------------------------------------------------------------------------------------- */

static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
    return (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + index * UINT64_C(0xd1342543de82ef95);
}

void pattern_fill(void *to, size_t size, uint64_t seed)
{
    unsigned char *bytes = to;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = pattern_word(seed, at / 8);
        memcpy(bytes + at, &word, size - at < 8 ? size - at : 8);
    }
}

ssize_t pattern_check(const void *data, size_t size, uint64_t seed)
{
    const unsigned char *bytes = data;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = pattern_word(seed, at / 8);
        if (memcmp(bytes + at, &word, size - at < 8 ? size - at : 8) != 0)
            return (ssize_t)at;
    }
    return -1;
}

ssize_t pattern_check_lines(const void *data, size_t size, uint64_t seed)
{
    const unsigned char *bytes = data;
    for (size_t at = 0; at + 8 <= size; at += 64) {
        uint64_t word = pattern_word(seed, at / 8);
        if (memcmp(bytes + at, &word, 8) != 0)
            return (ssize_t)at;
    }
    size_t last = size > 0 ? (size - 1) / 8 * 8 : 0;
    uint64_t word = pattern_word(seed, last / 8);
    return memcmp(bytes + last, &word, size - last) == 0 ? -1 : (ssize_t)last;
}

/* Ends. ---------------------------------------------------------------------------------------- */

static bool is_late(int err)
{
    static int tries; /* of a whole program: a RouDi that is stopped is no reason to go on */
    return err == -ETIMEDOUT && is_over_iceoryx() && tries++ < LATE_MOST;
}

int open_publisher(const struct sl_publisher_options *options, struct sl_publisher **ret_publisher)
{
    int err;
    do
        err = sl_publisher_open(options, ret_publisher);
    while (is_late(err));
    return err;
}

int open_subscriber(const struct sl_subscriber_options *options,
                    struct sl_subscriber **ret_subscriber)
{
    int err;
    do
        err = sl_subscriber_open(options, ret_subscriber);
    while (is_late(err));
    return err;
}

struct sl_publisher *publisher_of(struct sl_publisher_options options)
{
    struct sl_publisher *publisher = NULL;
    options.topic = options.topic ? options.topic : TOPIC;
    options.type = options.type ? options.type : TYPE;
    assert_ok(open_publisher(&options, &publisher));
    return publisher;
}

struct sl_subscriber *subscriber_of(struct sl_subscriber_options options)
{
    struct sl_subscriber *subscriber = NULL;
    options.topic = options.topic ? options.topic : TOPIC;
    assert_ok(open_subscriber(&options, &subscriber));
    return subscriber;
}

int publish(struct sl_publisher *publisher, uint64_t seed, size_t length)
{
    struct sl_loan loan;
    int err = sl_publisher_loan(publisher, &loan);
    if (err < 0)
        return err;
    pattern_fill(loan.data, length, seed);
    struct sl_message message = {.stamp_ns = seed, .body_length = (uint32_t)length};
    return sl_publisher_publish(publisher, &loan, &message);
}

void check_frame(const struct sl_frame *frame)
{
    ssize_t wrong = pattern_check(frame->body, frame->body_length, frame->stamp_ns);
    if (wrong >= 0)
        fail_msg("message %" PRIu64 " of seed %" PRIu64 " is wrong at byte %zd of %zu", frame->seq,
                 frame->stamp_ns, wrong, frame->body_length);
}

uint64_t take(struct sl_subscriber *subscriber, struct sl_frame *ret_frame)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + PATIENCE_MS * SL_NS_PER_MS;
    int err;
    while ((err = sl_subscriber_take(subscriber, ret_frame)) == -EAGAIN) {
        assert_true(sl_clock_monotonic_ns() < until_ns);
        assert_ok(sl_subscriber_wait(subscriber, PATIENCE_MS * (int64_t)SL_NS_PER_MS));
    }
    assert_ok(err);
    check_frame(ret_frame);
    return ret_frame->stamp_ns;
}

uint64_t take_and_release(struct sl_subscriber *subscriber)
{
    struct sl_frame frame;
    uint64_t seed = take(subscriber, &frame);
    sl_frame_release(&frame);
    return seed;
}

struct sl_publisher_status status_of(struct sl_publisher *publisher)
{
    struct sl_publisher_status status;
    assert_ok(sl_publisher_status(publisher, &status));
    return status;
}

struct sl_subscriber_status reader_status_of(struct sl_subscriber *subscriber)
{
    struct sl_subscriber_status status;
    assert_ok(sl_subscriber_status(subscriber, &status));
    return status;
}

uint64_t lost_in_all(struct sl_subscriber *subscriber)
{
    struct sl_subscriber_status status = reader_status_of(subscriber);
    uint64_t lost = 0;
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        lost += status.lost[i];
    return lost;
}

static int note_publisher(void *context, const struct sl_socket_name *name)
{
    if (name->kind != SL_SOCKET_PUBLISHER)
        return 0;
    *(struct sl_socket_name *)context = *name;
    return 1;
}

void find_publisher(struct sl_domain *domain, struct sl_socket_name *ret_name)
{
    assert_ok(sl_domain_open(NULL, true, domain));
    assert_int_equal(sl_domain_list(domain, note_publisher, ret_name), 1);
}

/* Other processes. ----------------------------------------------------------------------------- */

int role_main(int argc, char **argv, const struct role *roles)
{
    if (argc < 3 || strcmp(argv[1], "--role") != 0)
        return -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (; roles->name; roles++)
        if (strcmp(roles->name, argv[2]) == 0)
            return roles->run(argc > 3 ? strtoull(argv[3], NULL, 0) : 0);
    fprintf(stderr, "no role %s\n", argv[2]);
    return 2;
}

static void become_role(const char *role, uint64_t argument, int in, int out)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, argument);
    /* out of the way of the numbers that they shall have */
    in = fcntl(in, F_DUPFD, 10);
    out = fcntl(out, F_DUPFD, 10);
    dup2(in, ROLE_IN);
    dup2(out, ROLE_OUT);
    close(in);
    close(out);
    /* not /proc/self/exe: under qemu-user that is qemu */
    execl(program_invocation_name, "role", "--role", role, number, (char *)NULL);
    _exit(127);
}

struct child child_start(const char *role, uint64_t argument)
{
    int to[2], from[2];
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become_role(role, argument, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (children[i] == 0) {
            children[i] = pid;
            return (struct child){pid, to[1], from[0]};
        }
    }
    fail_msg("more than %d children", CHILDREN_MAX);
    return (struct child){0};
}

void child_tell(struct child *child, uint64_t word)
{
    assert_int_equal(write(child->to, &word, sizeof word), sizeof word);
}

uint64_t child_hear(struct child *child)
{
    uint64_t word = 0;
    struct pollfd in = {.fd = child->from, .events = POLLIN};
    if (poll(&in, 1, 3 * PATIENCE_MS) != 1)
        fail_msg("process %d says nothing", (int)child->pid);
    if (read(child->from, &word, sizeof word) != sizeof word)
        fail_msg("process %d has ended before it said what it should", (int)child->pid);
    return word;
}

static int finish_child(struct child *child)
{
    int status = 0;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == child->pid)
            children[i] = 0;
    if (child->to >= 0)
        close(child->to);
    close(child->from);
    child->to = child->from = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

void child_kill(struct child *child)
{
    kill(child->pid, SIGKILL);
    assert_int_equal(finish_child(child), 256 + SIGKILL);
}

int child_end(struct child *child)
{
    close(child->to);
    child->to = -1;
    return finish_child(child);
}

void say(uint64_t word)
{
    if (write(ROLE_OUT, &word, sizeof word) != sizeof word)
        _exit(3);
}

uint64_t hear(void)
{
    uint64_t word;
    ssize_t got;
    do
        got = read(ROLE_IN, &word, sizeof word);
    while (got < 0 && errno == EINTR);
    return got == sizeof word ? word : 0;
}

void role_failed(int line, const char *call, int err)
{
    fprintf(stderr, "role, line %d: %s: %d, %s\n", line, call, err, sl_error_text());
    exit(1);
}
