/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/roudi.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/node/process.h"
#include "core/shm/iceoryx.h"
#include "core/shm/roudi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM          "iox-roudi"
#define LIBRARY          "libsluice_roudi.so" /* core/shm/roudi_library.c */
#define READY_WORD       "RouDi is ready for clients"
#define SECOND_WORD      "Could not acquire lock"
#define LOOK_AGAIN_MS    10
#define READY_TIMEOUT_NS (20 * SL_NS_PER_S)
#define SOCKET_PATH      "/tmp/roudi"
#define CLIENT_LOCKS     "/tmp/sluice.*.lock" /* core/shm/iceoryx.h says how they are called */
#define MEMORY_FOLDER    "/dev/shm"
#define MANAGEMENT_BYTES (66u << 20) /* that RouDi takes beside the pool, in Debian's build */
#define CHUNK_HEADER     64u         /* at most */
#define FOLDER_MAX       128

/* Before the start ------------------------------------------------------------------------------*/

static const struct sl_plan_node *first_on_iceoryx(const struct sl_plan *plan)
{
    for (unsigned i = 0; i < plan->node_count; i++)
        if (plan->node[i].bus == SL_BUS_ICEORYX)
            return &plan->node[i];
    return NULL;
}

static int no_program(const struct sl_plan_node *node)
{
    static const char text[] = "bus: iceoryx needs RouDi: none runs, and " PROGRAM
                               " is not in $PATH; install the Debian package iceoryx, or choose "
                               "bus: native";
    return node->bus_place ? sl_yaml_error(node->bus_place, -ENOENT, "%s", text)
                           : sl_error(-ENOENT, "%s", text);
}

int sl_roudi_check(const struct sl_plan *plan)
{
    const struct sl_plan_node *node = first_on_iceoryx(plan);
    struct sl_roudi roudi;
    char path[PATH_MAX];
    if (!node)
        return 0;
    if (!sl_iceoryx_is_there()) {
        static const char text[] = "bus: iceoryx: this Sluice was built without it";
        return node->bus_place ? sl_yaml_error(node->bus_place, -ENOTSUP, "%s", text)
                               : sl_error(-ENOTSUP, "%s", text);
    }
    int err = sl_roudi_find(&roudi);
    if (err != -ENOENT || sl_program_search(PROGRAM, true, path, sizeof path))
        return err == -ENOENT ? 0 : err;
    return no_program(node);
}

/* A segment belongs to the user's own group where no other is named. */
int sl_roudi_config(uint32_t publishers, uint32_t subscribers, char to[SL_ROUDI_CONFIG_MAX])
{
    return snprintf(to, SL_ROUDI_CONFIG_MAX,
                    "# for %u publishers and %u subscribers of Sluice: descriptors only\n"
                    "[general]\n"
                    "version = 1\n"
                    "\n"
                    "[[segment]]\n"
                    "\n"
                    "[[segment.mempool]]\n"
                    "size = %u\n"
                    "count = %u\n",
                    publishers, subscribers, sl_iceoryx_chunk_size(),
                    sl_iceoryx_chunks(publishers, subscribers));
}

uint64_t sl_roudi_memory(uint32_t publishers, uint32_t subscribers)
{
    uint64_t chunks = sl_iceoryx_chunks(publishers, subscribers);
    return MANAGEMENT_BYTES + chunks * (sl_iceoryx_chunk_size() + CHUNK_HEADER);
}

/* RouDi would be ended by SIGBUS half-way. */
static int check_memory(uint32_t publishers, uint32_t subscribers)
{
    struct statvfs info;
    uint64_t wanted = sl_roudi_memory(publishers, subscribers);
    if (statvfs(MEMORY_FOLDER, &info) < 0)
        return sl_error(-errno, "%s, which RouDi needs: %s", MEMORY_FOLDER, strerror(errno));
    uint64_t free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    if (free_bytes >= wanted)
        return 0;
    return sl_error(-ENOSPC,
                    "RouDi needs %u MB in %s, of which %u are free; make room there (of a "
                    "container: --shm-size=%um), or choose bus: native",
                    (unsigned)(wanted >> 20) + 1, MEMORY_FOLDER, (unsigned)(free_bytes >> 20),
                    (unsigned)(wanted >> 19) + 1);
}

/* One that runs already -------------------------------------------------------------------------*/

static void use_foreign(struct sl_roudi_host *host, const struct sl_roudi *roudi)
{
    char who[48] = "in another pid namespace";
    host->pid = roudi->pid;
    if (roudi->pid > 0) {
        snprintf(who, sizeof who, "process %d", (int)roudi->pid);
        host->pid_fd = (int)syscall(SYS_pidfd_open, roudi->pid, 0);
    }
    sl_output_note(SL_LOG_INFO, "RouDi (%s) runs already: it is used as it is, and not stopped",
                   who);
    if (roudi->is_monitoring)
        sl_output_note(SL_LOG_WARN,
                       "that RouDi watches its processes: one that stands still for more than "
                       "1.5 s (SIGSTOP, a debugger, heavy load) is declared dead; its topics go "
                       "on without iceoryx, and it can open no more; start it with "
                       "'iox-roudi -m off'");
}

/* What it leaves --------------------------------------------------------------------------------*/

static void add_trace(struct sl_roudi_host *host, const char *path, const struct stat *info)
{
    if (host->trace_count == SL_ROUDI_TRACES_MAX)
        return;
    struct sl_roudi_trace *trace = &host->trace[host->trace_count++];
    snprintf(trace->path, sizeof trace->path, "%s", path);
    trace->device = info->st_dev;
    trace->inode = info->st_ino;
}

/* Not what lies deeper: its libraries are open as well while it is loaded, and may be anywhere. */
static bool lies_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && !strchr(path + length, '/');
}

/* The segments and locks that it has open, and its socket. */
static void find_traces(struct sl_roudi_host *host)
{
    char folder[48];
    snprintf(folder, sizeof folder, "/proc/%d/fd", (int)host->child.pid);
    DIR *fds = opendir(folder);
    struct dirent *entry;
    while (fds && (entry = readdir(fds))) {
        char path[PATH_MAX];
        struct stat info;
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, path, sizeof path - 1);
        if (n <= 0)
            continue;
        path[n] = '\0';
        bool is_its = lies_in(path, "/dev/shm/") || lies_in(path, "/tmp/");
        if (is_its && fstatat(dirfd(fds), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode))
            add_trace(host, path, &info);
    }
    if (fds)
        closedir(fds);
    struct stat info;
    if (lstat(SOCKET_PATH, &info) == 0 && S_ISSOCK(info.st_mode))
        add_trace(host, SOCKET_PATH, &info);
}

static bool is_lock(const struct sl_roudi_trace *trace)
{
    size_t length = strlen(trace->path);
    return length > 5 && strcmp(trace->path + length - 5, ".lock") == 0;
}

static bool is_still_there(const struct sl_roudi_trace *trace)
{
    struct stat info;
    return lstat(trace->path, &info) == 0 && info.st_dev == trace->device &&
           info.st_ino == trace->inode;
}

/* The sockets and locks of its clients that were killed; who lives holds his lock. */
static void remove_clients(void)
{
    glob_t found;
    if (glob(CLIENT_LOCKS, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char path[PATH_MAX];
        int length = (int)(strlen(found.gl_pathv[i]) - strlen(".lock"));
        int fd = open(found.gl_pathv[i], O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        snprintf(path, sizeof path, "%.*s", length, found.gl_pathv[i]);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            unlink(path);
            unlink(found.gl_pathv[i]);
        }
        if (fd >= 0)
            close(fd);
    }
    globfree(&found);
}

/* Removes the files, unless another RouDi has taken them over: it would hold the lock. */
static void remove_traces(const struct sl_roudi_host *host)
{
    int locks[SL_ROUDI_TRACES_MAX];
    unsigned lock_count = 0;
    bool is_taken = false;
    for (unsigned i = 0; i < host->trace_count; i++) {
        const struct sl_roudi_trace *trace = &host->trace[i];
        if (!is_lock(trace) || !is_still_there(trace))
            continue;
        int fd = open(trace->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        is_taken = is_taken || flock(fd, LOCK_EX | LOCK_NB) < 0;
        locks[lock_count++] = fd;
    }
    for (unsigned i = 0; i < host->trace_count && !is_taken; i++)
        if (is_still_there(&host->trace[i]))
            unlink(host->trace[i].path);
    if (host->trace_count > 0 && !is_taken)
        remove_clients();
    while (lock_count > 0)
        close(locks[--lock_count]);
}

/* The guard: it outlives this process, if that is killed ----------------------------------------*/

static void guard_main(const struct sl_roudi_host *host, int launcher_fd)
{
    setsid(); /* a terminal's Ctrl-C is the launcher's */
    prctl(PR_SET_NAME, "sluice-guard");
    /* Nobody shall wait for the end of a pipe because of it. */
    int fds[2] = {fcntl(launcher_fd, F_DUPFD, 3), fcntl(host->pid_fd, F_DUPFD, 3)};
    if (dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0)
        _exit(1);
    syscall(SYS_close_range, 2U, ~0U, 0);
    for (int fd = 0; fd < 2; fd++) {
        struct pollfd end = {.fd = fd, .events = POLLIN};
        while (poll(&end, 1, -1) < 0 && errno == EINTR)
            ;
        if (fd == 0) /* the kernel has done so, unless it runs with other rights */
            syscall(SYS_pidfd_send_signal, 1, SIGKILL, NULL, 0);
    }
    remove_traces(host);
    _exit(0);
}

static int start_guard(struct sl_roudi_host *host)
{
    /* Opened here: the launcher may be killed before its child begins to run. */
    int launcher_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    host->guard = launcher_fd < 0 ? -1 : fork();
    if (host->guard == 0)
        guard_main(host, launcher_fd);
    int err = host->guard < 0 ? -errno : 0;
    if (launcher_fd >= 0)
        close(launcher_fd);
    if (err < 0)
        host->guard = 0;
    return err < 0 ? sl_error(err, "cannot start a process: %s", strerror(-err)) : 0;
}

static void end_guard(struct sl_roudi_host *host)
{
    if (host->guard <= 0)
        return;
    kill(host->guard, SIGKILL);
    while (waitpid(host->guard, NULL, 0) < 0 && errno == EINTR)
        ;
    host->guard = 0;
}

/* Starting --------------------------------------------------------------------------------------*/

void sl_roudi_init(struct sl_roudi_host *host)
{
    memset(host, 0, sizeof *host);
    host->node = (struct sl_plan_node){.name = "roudi", .exec = PROGRAM, .is_plain = true};
    sl_child_init(&host->child, &host->node, NULL);
    host->child.ready_word = READY_WORD;
    host->pid_fd = -1;
}

static int write_config(const struct sl_plan *plan, char folder[FOLDER_MAX], char *path)
{
    char text[SL_ROUDI_CONFIG_MAX];
    uint32_t publishers, subscribers;
    int err = sl_plan_ends(plan, &publishers, &subscribers);
    if (err == 0)
        err = check_memory(publishers, subscribers);
    if (err < 0)
        return err;
    int length = sl_roudi_config(publishers, subscribers, text);
    if (!mkdtemp(folder))
        return sl_error(-errno, "cannot make the directory %s: %s", folder, strerror(errno));
    snprintf(path, PATH_MAX, "%s/roudi.toml", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    err = fd < 0 || write(fd, text, (size_t)length) != length ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return err < 0 ? sl_error(err, "cannot write %s: %s", path, strerror(-err)) : 0;
}

/* 1: a signal that asks for an end; 0: none. */
static int read_signals(int signal_fd)
{
    struct signalfd_siginfo info;
    int asked = 0;
    while (read(signal_fd, &info, sizeof info) == sizeof info)
        asked = asked || info.ssi_signo != SIGCHLD;
    return asked;
}

/* Until it says that it is ready: 0; -ESRCH it has ended, -ETIMEDOUT, -ECANCELED. */
static int wait_for_word(struct sl_child *child, int signal_fd)
{
    uint64_t deadline_ns = sl_clock_monotonic_ns() + READY_TIMEOUT_NS;
    while (!child->has_said_it) {
        uint64_t now_ns = sl_clock_monotonic_ns();
        if (now_ns >= deadline_ns)
            return -ETIMEDOUT;
        struct pollfd fds[] = {{.fd = child->output.fd, .events = POLLIN},
                               {.fd = child->error.fd, .events = POLLIN},
                               {.fd = child->pid_fd, .events = POLLIN},
                               {.fd = signal_fd, .events = POLLIN}};
        if (poll(fds, 4, (int)((deadline_ns - now_ns) / SL_NS_PER_MS) + 1) <= 0)
            continue;
        if (fds[3].revents && read_signals(signal_fd))
            return -ECANCELED;
        if (fds[0].revents)
            sl_child_drain(child, &child->output);
        if (fds[1].revents)
            sl_child_drain(child, &child->error);
        if (fds[2].revents && !child->has_said_it)
            return -ESRCH;
        sl_output_settle();
    }
    return 0;
}

static const char *last_words(const struct sl_child *child)
{
    unsigned count = child->last_count;
    return count > 0 ? child->last[(count - 1) % SL_CHILD_LAST_LINES] : "nothing";
}

/* Did it end because another one holds the place, which may not be ready yet either? */
static bool was_second(const struct sl_child *child)
{
    for (unsigned i = 0; i < SL_CHILD_LAST_LINES && i < child->last_count; i++)
        if (strstr(child->last[i], SECOND_WORD))
            return true;
    return false;
}

/* The one of a launcher that was quicker. Nothing tells us when it is ready, so we look now and
 * then. -ENOENT: there is none. */
static int wait_for_other(struct sl_roudi *ret_roudi, int signal_fd)
{
    uint64_t deadline_ns = sl_clock_monotonic_ns() + READY_TIMEOUT_NS;
    for (;;) {
        int err = sl_roudi_find(ret_roudi);
        if (err != -ENOENT || sl_clock_monotonic_ns() >= deadline_ns)
            return err;
        struct pollfd signals = {.fd = signal_fd, .events = POLLIN};
        if (poll(&signals, 1, LOOK_AGAIN_MS) > 0 && read_signals(signal_fd))
            return -ECANCELED;
    }
}

/* It did not become ready. */
static int tell_failure(struct sl_roudi_host *host, int err, int signal_fd)
{
    struct sl_roudi roudi;
    sl_child_signal(&host->child, SIGKILL, true);
    sl_child_reap(&host->child);
    if (err == -ECANCELED)
        return err;
    if (err == -ESRCH && was_second(&host->child)) {
        int found = wait_for_other(&roudi, signal_fd);
        if (found == 0)
            use_foreign(host, &roudi);
        if (found != -ENOENT)
            return found;
    }
    if (err == -ETIMEDOUT)
        return sl_error(err, PROGRAM " is not ready after %d s; its last words: %.200s",
                        (int)(READY_TIMEOUT_NS / SL_NS_PER_S), last_words(&host->child));
    return sl_error(err, PROGRAM " ended before it was ready; its last words: %.200s",
                    last_words(&host->child));
}

/* What keeps it from waiting for the locks of the killed, before what else is to be preloaded. */
static bool write_preload(char *to, size_t size)
{
    char path[PATH_MAX];
    const char *others = getenv("LD_PRELOAD");
    bool has_others = others && others[0];
    /* blanks and colons part one library from the next */
    if (!sl_library_search(LIBRARY, path, sizeof path) || path[strcspn(path, " :")])
        return false;
    return (size_t)snprintf(to, size, "%s%s%s", path, has_others ? ":" : "",
                            has_others ? others : "") < size;
}

static int start(struct sl_roudi_host *host, char *config, int signal_fd)
{
    char *argv[] = {(char *)PROGRAM, (char *)"-c", config, (char *)"-m", (char *)"off", NULL};
    char libraries[2 * PATH_MAX];
    struct sl_plan_setting preload = {.name = "LD_PRELOAD", .value = libraries};
    host->child.argv = argv;
    host->node.env = (struct sl_plan_settings){.at = &preload};
    host->node.env.count = write_preload(libraries, sizeof libraries);
    if (host->node.env.count == 0)
        sl_output_note(SL_LOG_WARN,
                       LIBRARY " is not where Sluice's programs are: a node that is killed while "
                               "it publishes may leave RouDi waiting for ever; install Sluice "
                               "anew, in a folder without blank or colon");
    int err = sl_child_start(&host->child, NULL);
    host->child.argv = NULL;
    host->node.env = (struct sl_plan_settings){0};
    if (err < 0)
        return err;
    err = wait_for_word(&host->child, signal_fd);
    if (err < 0)
        return tell_failure(host, err, signal_fd);
    find_traces(host);
    host->pid = host->child.pid;
    host->pid_fd = host->child.pid_fd;
    sl_output_note(SL_LOG_INFO, "RouDi is ready, process %d", (int)host->pid);
    return start_guard(host);
}

int sl_roudi_open(struct sl_roudi_host *host, const struct sl_plan *plan, int signal_fd)
{
    const struct sl_plan_node *node = first_on_iceoryx(plan);
    struct sl_roudi roudi;
    if (!node)
        return 0;
    int err = sl_roudi_find(&roudi);
    if (err == 0)
        use_foreign(host, &roudi);
    if (err != -ENOENT)
        return err;
    char program[PATH_MAX], folder[FOLDER_MAX], config[PATH_MAX] = "";
    if (!sl_program_search(PROGRAM, true, program, sizeof program))
        return no_program(node);
    host->node.path = program;
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sluice-roudi-XXXXXX",
             place && place[0] == '/' && strlen(place) < FOLDER_MAX - 32 ? place : "/tmp");
    err = write_config(plan, folder, config);
    if (err == 0)
        err = start(host, config, signal_fd);
    host->node.path = NULL;
    if (config[0]) { /* it was read at the start */
        unlink(config);
        rmdir(folder);
    }
    return err;
}

/* While it runs ---------------------------------------------------------------------------------*/

/* It is not started again: that would purge the memory that the nodes still use. */
void sl_roudi_watch(struct sl_roudi_host *host)
{
    if (host->pid_fd < 0)
        return;
    enum sl_roudi_health health = sl_roudi_look(host->pid, &host->pulse);
    if (health == host->health)
        return;
    if (health == SL_ROUDI_WELL)
        sl_output_note(SL_LOG_INFO, "RouDi (process %d) answers again", (int)host->pid);
    else
        sl_output_note(SL_LOG_ERROR,
                       "RouDi (process %d) %s; what is connected goes on, new connections do "
                       "without iceoryx, and no node that is restarted can open; %s",
                       (int)host->pid, sl_roudi_trouble(health),
                       host->child.pid > 0 && health == SL_ROUDI_STUCK
                           ? "end this launch and start it again"
                           : sl_roudi_remedy(health));
    host->health = health;
}

/* The end ---------------------------------------------------------------------------------------*/

void sl_roudi_reap(struct sl_roudi_host *host)
{
    char what[64] = "has ended";
    if (host->child.pid > 0) {
        int status = sl_child_reap(&host->child);
        if (WIFSIGNALED(status))
            snprintf(what, sizeof what, "was ended by signal %d (%s)", WTERMSIG(status),
                     strsignal(WTERMSIG(status)));
        else
            snprintf(what, sizeof what, "ended with status %d", WEXITSTATUS(status));
    } else if (host->pid_fd >= 0) {
        close(host->pid_fd);
    }
    host->pid_fd = -1;
    sl_output_note(SL_LOG_ERROR,
                   "RouDi (process %d) %s: what is connected by iceoryx goes on, but nothing new "
                   "connects, nor does a node that is restarted; end this launch and start it "
                   "again",
                   (int)host->pid, what);
}

void sl_roudi_close(struct sl_roudi_host *host)
{
    end_guard(host);
    if (host->child.pid > 0) {
        sl_child_signal(&host->child, SIGKILL, true);
        sl_child_reap(&host->child);
    } else if (host->pid_fd >= 0) {
        close(host->pid_fd);
    }
    host->pid_fd = -1;
    sl_child_finish(&host->child);
    remove_traces(host);
    host->trace_count = 0;
}
