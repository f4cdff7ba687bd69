/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/leftovers.h"

#include "core/base/clock.h"
#include "core/base/error.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIDDEN_LEAST_S 10 /* from binding a socket to showing it: microseconds, if not stopped */

/* ".PID.INSTANCE", as sl_domain_listen names what is not shown yet. */
static bool is_hidden_socket(const char *file, pid_t *ret_pid)
{
    char *end;
    if (file[0] != '.' || !isdigit((unsigned char)file[1]))
        return false;
    long pid = strtol(file + 1, &end, 10);
    if (*end != '.' || strlen(end + 1) != 16 || strspn(end + 1, "0123456789abcdef") != 16 ||
        pid <= 0 || pid > INT32_MAX)
        return false;
    *ret_pid = (pid_t)pid;
    return true;
}

/* "iceoryx.UID.K.lock", which a process holds for its place among RouDi's clients (iceoryx.c). */
static bool is_lock_name(const char *file)
{
    static const char start[] = "iceoryx.";
    if (strncmp(file, start, sizeof start - 1) != 0)
        return false;
    const char *at = file + sizeof start - 1;
    for (int i = 0; i < 2; i++) {
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || at[digits] != '.')
            return false;
        at += digits + 1;
    }
    return strcmp(at, "lock") == 0;
}

static enum sl_leftover_state socket_state(const struct sl_domain *domain, const char *file)
{
    int listens = sl_domain_probe(domain, file);
    if (listens < 0)
        return listens == -EAGAIN ? SL_LEFTOVER_LIVES : SL_LEFTOVER_UNSURE;
    return listens ? SL_LEFTOVER_LIVES : SL_LEFTOVER_DEAD;
}

/* It refuses connections until it listens, which is just before it is shown. The process may also
 * live in another pid namespace, where its number says nothing here: hence the age. */
static enum sl_leftover_state hidden_state(const struct sl_domain *domain, const char *file,
                                           pid_t pid, const struct stat *facts)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (kill(pid, 0) == 0 || errno != ESRCH || now.tv_sec - facts->st_mtime < HIDDEN_LEAST_S)
        return SL_LEFTOVER_UNSURE;
    return socket_state(domain, file);
}

/* Open a lock file and take its lock; -1 with errno = EWOULDBLOCK if somebody has it. */
static int take_lock(const struct sl_domain *domain, const char *file)
{
    int fd = openat(domain->fd, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return fd;
    int err = errno == EACCES || errno == EAGAIN ? EWOULDBLOCK : errno;
    close(fd);
    errno = err;
    return -1;
}

static enum sl_leftover_state lock_state(const struct sl_domain *domain, const char *file)
{
    int fd = take_lock(domain, file);
    if (fd < 0)
        return errno == EWOULDBLOCK ? SL_LEFTOVER_LIVES : SL_LEFTOVER_UNSURE;
    close(fd);
    return SL_LEFTOVER_DEAD;
}

/* false: it is gone by now. */
static bool look_at(const struct sl_domain *domain, const char *file, struct sl_leftover *ret)
{
    struct stat facts;
    struct sl_socket_name name;
    if (fstatat(domain->fd, file, &facts, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    *ret = (struct sl_leftover){
        .state = SL_LEFTOVER_FOREIGN,
        .is_ours = facts.st_uid == geteuid() || geteuid() == 0,
        .device = facts.st_dev,
        .inode = facts.st_ino,
    };
    snprintf(ret->file, sizeof ret->file, "%s", file);
    if (S_ISSOCK(facts.st_mode) && sl_socket_name_parse(file, &name)) {
        ret->pid = name.pid;
        ret->state = socket_state(domain, file);
    } else if (S_ISSOCK(facts.st_mode) && is_hidden_socket(file, &ret->pid)) {
        ret->state = hidden_state(domain, file, ret->pid, &facts);
    } else if (S_ISREG(facts.st_mode) && is_lock_name(file)) {
        ret->state = lock_state(domain, file);
    }
    return true;
}

int sl_leftovers_visit(const struct sl_domain *domain,
                       int (*visit)(void *context, const struct sl_leftover *leftover),
                       void *context)
{
    int fd = openat(domain->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        int err = sl_error(-errno, "directory %s: %s", domain->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return err;
    }
    int result = 0;
    struct sl_leftover leftover;
    for (struct dirent *entry; result == 0 && (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (look_at(domain, entry->d_name, &leftover))
            result = visit(context, &leftover);
    }
    closedir(directory);
    return result;
}

static bool is_same(const struct sl_leftover *a, const struct stat *facts)
{
    return a->device == facts->st_dev && a->inode == facts->st_ino;
}

static int changed(const struct sl_domain *domain, const char *file)
{
    return sl_error(-EBUSY, "%s/%s is in use again", domain->path, file);
}

static int unlink_one(const struct sl_domain *domain, const char *file)
{
    if (unlinkat(domain->fd, file, 0) == 0 || errno == ENOENT)
        return 0;
    return sl_error(-errno, "%s/%s cannot be removed: %s", domain->path, file, strerror(errno));
}

/* With the lock held, so that whoever wants it finds the file gone rather than two of them. */
static int remove_lock(const struct sl_domain *domain, const struct sl_leftover *leftover)
{
    struct stat facts;
    int fd = take_lock(domain, leftover->file);
    if (fd < 0)
        return changed(domain, leftover->file);
    int err = fstat(fd, &facts) == 0 && is_same(leftover, &facts)
                  ? unlink_one(domain, leftover->file)
                  : changed(domain, leftover->file);
    close(fd);
    return err;
}

int sl_leftovers_remove(const struct sl_domain *domain, const struct sl_leftover *leftover)
{
    struct sl_leftover now;
    if (leftover->state != SL_LEFTOVER_DEAD || !leftover->is_ours)
        return sl_error(-EPERM, "%s/%s is not ours to remove", domain->path, leftover->file);
    if (is_lock_name(leftover->file))
        return remove_lock(domain, leftover);
    if (!look_at(domain, leftover->file, &now))
        return 0; /* somebody else met it */
    if (now.state != SL_LEFTOVER_DEAD || now.inode != leftover->inode ||
        now.device != leftover->device)
        return changed(domain, leftover->file);
    return unlink_one(domain, leftover->file);
}
