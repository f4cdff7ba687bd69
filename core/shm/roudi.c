/* SPDX-License-Identifier: Apache-2.0 */
/* roudi.c - what RouDi 2.0 shows of itself (seen with strace):
 *
 *   /tmp/roudi                  its AF_UNIX datagram socket; refuses when the process is gone
 *   /tmp/iox-unique-roudi.lock  flock()ed for its life, which /proc tells of its process
 *   /dev/shm/iceoryx_mgmt       made anew at each start
 *
 * and of what it does: its thread IPC-msg-process waits for messages, 100 ms at a time, and handles
 * them under a lock of the list of processes; Mon+Discover connects publishers and subscribers
 * every 100 ms, under the same lock. Both take the mutex that each publisher has in shared memory,
 * which its process holds while it hands a message over. If that process is stopped there, or does
 * not come back (iceoryx.c, the dead), one of the two waits, and then the other, which gdb shows;
 * if it is killed there, too, unless RouDi runs with libsluice_roudi.so.
 */
#include "core/shm/roudi.h"

#include "core/base/clock.h"
#include "core/base/error.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM      "iox-roudi"
#define SOCKET_PATH  "/tmp/roudi"
#define LOCK_PATH    "/tmp/iox-unique-roudi.lock"
#define SEGMENT_PATH "/dev/shm/iceoryx_mgmt"
#define LOCKS_MAX    100000 /* lines of /proc/locks */
#define EXAMINE_MS   50

/* Connecting a datagram socket sends nothing and cannot block. */
static int probe_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return sl_error(-errno, "no socket: %s", strerror(errno));
    int err = connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
    close(fd);
    if (err == 0)
        return 0;
    if (err == -EACCES || err == -EPERM)
        return sl_error(-EACCES,
                        "iceoryx: RouDi runs, but we may not write to its socket " SOCKET_PATH
                        " (%s); run as the same user or join its group",
                        strerror(-err));
    return sl_error(-ENOENT,
                    "iceoryx: no RouDi runs (" SOCKET_PATH ": %s); start `iox-roudi -m off` or use "
                    "`bus: native`",
                    strerror(-err));
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        hash = (hash ^ (value & 0xff)) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

/* Inode numbers may come again, births do not; changes of mode or owner do not count. */
static int mix_file(const char *path, uint64_t *hash)
{
    struct statx st;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) < 0)
        return sl_error(-ENOENT, "iceoryx: RouDi is gone or just starting (%s: %s); try again",
                        path, strerror(errno));
    *hash = mix(*hash, makedev(st.stx_dev_major, st.stx_dev_minor));
    *hash = mix(*hash, st.stx_ino);
    if (st.stx_mask & STATX_BTIME)
        *hash = mix(*hash, (uint64_t)st.stx_btime.tv_sec * 1000000000u + st.stx_btime.tv_nsec);
    return 0;
}

/* The beginning of a file below /proc, as a string; "" if we may not look. */
static void read_text(int folder_fd, const char *path, char *to, size_t size)
{
    int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, to, size - 1);
    if (fd >= 0)
        close(fd);
    to[length > 0 ? length : 0] = '\0';
}

/* Has the process locked that file? False also if we may not look. */
static bool has_locked(int proc_fd, const char *pid, const struct stat *file)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "%.16s/fd", pid);
    int fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(folder));) {
        struct stat st;
        if (fstatat(fd, entry->d_name, &st, 0) < 0 || st.st_ino != file->st_ino ||
            st.st_dev != file->st_dev)
            continue;
        snprintf(path, sizeof path, "%.16s/fdinfo/%.16s", pid, entry->d_name);
        read_text(proc_fd, path, text, sizeof text);
        found = strstr(text, "FLOCK") != NULL;
    }
    closedir(folder);
    return found;
}

static bool is_named(int proc_fd, const char *pid, const char *name)
{
    char path[32], text[32];
    snprintf(path, sizeof path, "%.16s/comm", pid);
    read_text(proc_fd, path, text, sizeof text);
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

/* The program of that name that has the file locked: seen by its own user and by root. */
static pid_t find_program(const struct stat *lock)
{
    DIR *proc = opendir("/proc");
    pid_t pid = 0;
    if (!proc)
        return 0;
    for (struct dirent *entry; pid == 0 && (entry = readdir(proc));)
        if (isdigit((unsigned char)entry->d_name[0]) &&
            is_named(dirfd(proc), entry->d_name, PROGRAM) &&
            has_locked(dirfd(proc), entry->d_name, lock))
            pid = (pid_t)strtol(entry->d_name, NULL, 10);
    closedir(proc);
    return pid;
}

/* Whoever has it locked. Reading this takes 10 to 20 ms, in which nobody on the machine gets a file
 * lock: the kernel excludes them all, and waits for an RCU grace period to do so. */
static pid_t find_locker(const struct stat *lock)
{
    FILE *locks = fopen("/proc/locks", "re");
    if (!locks)
        return 0;
    pid_t pid = 0;
    char line[256];
    for (int i = 0; pid == 0 && i < LOCKS_MAX && fgets(line, sizeof line, locks); i++) {
        int owner;
        unsigned major, minor;
        uint64_t inode;
        if (sscanf(line, "%*s FLOCK %*s WRITE %d %x:%x:%" SCNu64, &owner, &major, &minor, &inode) ==
                4 &&
            inode == lock->st_ino && makedev(major, minor) == lock->st_dev && owner > 0)
            pid = owner;
    }
    fclose(locks);
    return pid;
}

static pid_t find_owner(void)
{
    struct stat lock;
    if (stat(LOCK_PATH, &lock) < 0)
        return 0;
    pid_t pid = find_program(&lock);
    return pid ? pid : find_locker(&lock);
}

/* Does one argument, or it and the next, say "off"? RouDi takes no "-moff". */
static bool says_off(const char *argument, const char *next)
{
    if (strcmp(argument, "-m") == 0 || strcmp(argument, "--monitoring-mode") == 0)
        return next && strcmp(next, "off") == 0;
    return strcmp(argument, "--monitoring-mode=off") == 0;
}

static bool is_monitoring(pid_t pid)
{
    char path[32], line[4096];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return true;
    ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    if (length <= 0)
        return true;
    line[length] = '\0';
    for (const char *at = line, *end = line + length; at < end;) {
        const char *next = at + strlen(at) + 1;
        if (says_off(at, next < end ? next : NULL))
            return false;
        at = next;
    }
    return true;
}

int sl_roudi_identify(uint64_t *ret_identity)
{
    uint64_t identity = UINT64_C(0xcbf29ce484222325);
    int err = probe_socket();
    if (err < 0 || (err = mix_file(SOCKET_PATH, &identity)) < 0 ||
        (err = mix_file(SEGMENT_PATH, &identity)) < 0)
        return err;
    *ret_identity = identity ? identity : 1;
    return 0;
}

int sl_roudi_find(struct sl_roudi *ret_roudi)
{
    struct sl_roudi roudi;
    int err = sl_roudi_identify(&roudi.identity);
    if (err < 0)
        return err;
    roudi.pid = find_owner();
    roudi.is_monitoring = is_monitoring(roudi.pid);
    *ret_roudi = roudi;
    return 0;
}

/* Its pulse. ----------------------------------------------------------------------------------- */

/* Of a thread: how often it has gone to sleep, and the letter of its state. False: not to be seen.
 */
static bool read_thread(int tasks_fd, const char *tid, char name[32], uint64_t *ret_beats,
                        char *ret_state)
{
    char path[32], text[4096];
    snprintf(path, sizeof path, "%.16s/status", tid);
    read_text(tasks_fd, path, text, sizeof text);
    const char *state = strstr(text, "\nState:");
    const char *sleeps = strstr(text, "\nvoluntary_ctxt_switches:");
    return state && sleeps && sscanf(text, "Name: %31[^\n]", name) == 1 &&
           sscanf(state, " State: %c", ret_state) == 1 &&
           sscanf(sleeps, " voluntary_ctxt_switches: %" SCNu64, ret_beats) == 1;
}

static enum sl_roudi_health judge(struct sl_roudi_pulse *pulse, int which, uint64_t beats,
                                  char state, uint64_t now_ns)
{
    bool has_beaten = beats != pulse->beats[which] || pulse->seen_ns[which] == 0;
    if (has_beaten || state == 'R' || state == 'D') { /* or it waits for a processor, or a disk */
        pulse->beats[which] = beats;
        pulse->seen_ns[which] = now_ns;
        return SL_ROUDI_WELL;
    }
    if (now_ns - pulse->seen_ns[which] < SL_ROUDI_STILL_MS * SL_NS_PER_MS)
        return SL_ROUDI_WELL;
    return state == 'T' || state == 't' ? SL_ROUDI_STOPPED : SL_ROUDI_STUCK;
}

enum sl_roudi_health sl_roudi_look(pid_t pid, struct sl_roudi_pulse *pulse)
{
    static const char *const names[] = {"IPC-msg-process", "Mon+Discover"};
    enum sl_roudi_health health = SL_ROUDI_WELL;
    uint64_t now_ns = sl_clock_monotonic_ns();
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = pid > 0 ? opendir(path) : NULL;
    if (!tasks)
        return SL_ROUDI_WELL;
    for (struct dirent *entry; (entry = readdir(tasks));) {
        char name[32], state;
        uint64_t beats;
        if (entry->d_name[0] == '.' ||
            !read_thread(dirfd(tasks), entry->d_name, name, &beats, &state))
            continue;
        for (int i = 0; i < 2; i++) {
            if (strcmp(name, names[i]) != 0)
                continue;
            enum sl_roudi_health its = judge(pulse, i, beats, state, now_ns);
            if (its != SL_ROUDI_WELL)
                health = its;
        }
    }
    closedir(tasks);
    return health;
}

enum sl_roudi_health sl_roudi_examine(pid_t pid)
{
    const struct timespec pause = {.tv_nsec = EXAMINE_MS * SL_NS_PER_MS};
    struct sl_roudi_pulse pulse = {0};
    sl_roudi_look(pid, &pulse);
    if (pulse.seen_ns[0] == 0 || pulse.seen_ns[1] == 0) /* not to be seen */
        return SL_ROUDI_WELL;
    uint64_t enough[2] = {pulse.beats[0] + 2,
                          pulse.beats[1] + 2}; /* to be stopped looks like one */
    /* Bounded: it may end meanwhile, or be too busy to sleep. */
    for (int looks = 0; looks <= 2 * SL_ROUDI_STILL_MS / EXAMINE_MS; looks++) {
        nanosleep(&pause, NULL);
        enum sl_roudi_health health = sl_roudi_look(pid, &pulse);
        if (health != SL_ROUDI_WELL)
            return health;
        if (pulse.beats[0] >= enough[0] && pulse.beats[1] >= enough[1])
            break;
    }
    return SL_ROUDI_WELL;
}

const char *sl_roudi_trouble(enum sl_roudi_health health)
{
    switch (health) {
    case SL_ROUDI_STOPPED:
        return "does not answer: it is stopped (SIGSTOP, a debugger)";
    case SL_ROUDI_STUCK:
        return "does not answer: it waits for a lock of a process that is stopped, or was killed, "
               "in iceoryx";
    default:
        return NULL;
    }
}

const char *sl_roudi_remedy(enum sl_roudi_health health)
{
    switch (health) {
    case SL_ROUDI_STOPPED:
        return "let it go on (kill -CONT), or end it and restart what uses it";
    case SL_ROUDI_STUCK:
        return "let stopped processes go on (kill -CONT); else end it (kill -KILL), start it again "
               "with libsluice_roudi.so preloaded, and restart what uses it";
    default:
        return NULL;
    }
}
