/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/domain.h"

#include "core/base/error.h"
#include "core/shm/failpoint.h"

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
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      128
#define HIDDEN_CHARS 40
#define LISTEN_TRIES 100
#define SHORT_CHARS  24 /* of the topic in a file name, for people who look into the directory */

static int check_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= SL_DOMAIN_MAX || name[0] == '.')
        return sl_error(-EINVAL, "domain '%s': give 1 to %d letters, not beginning with a dot",
                        name, SL_DOMAIN_MAX - 1);
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return sl_error(-EINVAL, "domain '%s': '%c' is not a letter, a digit, '.', '_' or '-'",
                            name, *c);
    return 0;
}

int sl_domain_root(char *path, size_t size, bool *ret_private)
{
    int length;
    const char *root = getenv("SLUICE_ROOT");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    *ret_private = false;
    if (root && *root) {
        length = snprintf(path, size, "%s", root);
    } else if (access("/run/sluice", F_OK) == 0) {
        length = snprintf(path, size, "/run/sluice");
    } else if (runtime && *runtime && access(runtime, W_OK | X_OK) == 0) {
        length = snprintf(path, size, "%s/sluice", runtime);
        *ret_private = true;
    } else {
        length = snprintf(path, size, "/tmp/sluice-%u", (unsigned)geteuid());
        *ret_private = true;
    }
    if (length < 0 || (size_t)length >= size)
        return sl_error(-ENAMETOOLONG,
                        "directory %s: longer than %zu bytes; set SLUICE_ROOT to a "
                        "shorter one",
                        root && *root ? root : runtime, size - 1);
    return 0;
}

static int not_opened(int at, const char *name, const char *path, int err)
{
    struct stat st;
    if (err == EACCES && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return sl_error(-err,
                        "directory %s cannot be opened: %s (user %u's, group %u's, mode %04o): "
                        "join that group, or set SLUICE_ROOT",
                        path, strerror(err), (unsigned)st.st_uid, (unsigned)st.st_gid,
                        st.st_mode & 07777u);
    return sl_error(-err, "directory %s cannot be opened: %s", path,
                    err == ELOOP || err == ENOTDIR ? "it is a link or a file" : strerror(err));
}

/* Open a directory without following a link, and look at what was opened, not at its name. */
static int open_checked(int at, const char *name, const char *path, bool create, mode_t mode,
                        struct stat *ret_stat)
{
    if (create && mkdirat(at, name, mode) < 0 && errno != EEXIST)
        return sl_error(-errno, "directory %s cannot be made: %s", path, strerror(errno));
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return not_opened(at, name, path, errno);
    struct stat st;
    int err = 0;
    if (fstat(fd, &st) < 0)
        err = -errno;
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        err = sl_error(-EACCES,
                       "directory %s belongs to user %u, not to us (%u) or root; remove it or set "
                       "SLUICE_ROOT",
                       path, (unsigned)st.st_uid, (unsigned)geteuid());
    else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        err =
            sl_error(-EACCES, "directory %s may be written by everybody (mode %04o); chmod o-w it",
                     path, st.st_mode & 07777u);
    if (err < 0) {
        close(fd);
        return err;
    }
    *ret_stat = st;
    return fd;
}

int sl_domain_open(const char *name, bool create, struct sl_domain *ret_domain)
{
    if (!name || !*name)
        name = getenv("SLUICE_DOMAIN");
    if (!name || !*name)
        name = "default";
    int err = check_name(name);
    if (err < 0)
        return err;
    char root[96];
    bool is_private;
    if ((err = sl_domain_root(root, sizeof root, &is_private)) < 0)
        return err;
    struct sl_domain d = {.fd = -1};
    snprintf(d.name, sizeof d.name, "%s", name);
    if ((size_t)snprintf(d.path, sizeof d.path, "%s/%s", root, name) >= sizeof d.path)
        return sl_error(-ENAMETOOLONG, "%s/%s is too long for a directory of sockets", root, name);
    struct stat st;
    int root_fd = open_checked(AT_FDCWD, root, root, create, is_private ? 0700 : 0755, &st);
    if (root_fd < 0)
        return root_fd;
    d.fd = open_checked(root_fd, name, d.path, create, 0700, &st);
    close(root_fd);
    if (d.fd < 0)
        return d.fd;
    d.socket_mode = (st.st_mode & S_ISGID) && (st.st_mode & S_IWGRP) ? 0660 : 0600;
    if (create && faccessat(d.fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        err = sl_error(-errno,
                       "directory %s: we may not write there (%s); ask its owner, or set "
                       "SLUICE_ROOT",
                       d.path, strerror(errno));
        close(d.fd);
        return err;
    }
    *ret_domain = d;
    return 0;
}

void sl_domain_close(struct sl_domain *domain)
{
    if (domain->fd >= 0)
        close(domain->fd);
    domain->fd = -1;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

int sl_topic_check(const char *topic, const char *type)
{
    if (!topic || topic[0] != '/' || !topic[1] || !is_printable(topic))
        return sl_error(-EINVAL, "topic '%s': give a name that begins with '/', without blanks",
                        topic ? topic : "");
    if (strlen(topic) >= SL_TOPIC_MAX)
        return sl_error(-EINVAL, "topic %.40s...: longer than %d bytes", topic, SL_TOPIC_MAX - 1);
    if (type && (!type[0] || !is_printable(type) || strlen(type) >= SL_TYPE_MAX))
        return sl_error(-EINVAL,
                        "type '%.140s' of topic %s: give a name such as "
                        "sensor_msgs/msg/PointCloud2",
                        type, topic);
    return 0;
}

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t sl_topic_hash(const char *topic)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *topic; topic++)
        hash = (hash ^ (unsigned char)*topic) * UINT64_C(0x100000001b3);
    return hash;
}

void sl_socket_name_make(struct sl_socket_name *name, enum sl_socket_kind kind, const char *text,
                         uint64_t instance)
{
    *name = (struct sl_socket_name){
        .kind = kind,
        .topic_hash = kind == SL_SOCKET_PUBLISHER ? sl_topic_hash(text) : 0,
        .instance = instance,
        .pid = getpid(),
    };
    char brief[SHORT_CHARS + 1];
    size_t used = 0;
    for (const char *c = text; *c && used < SHORT_CHARS; c++)
        if (isalnum((unsigned char)*c) || *c == '_' || (*c == '/' && used > 0))
            brief[used++] = *c == '/' ? '-' : *c;
    if (used == 0) /* nothing is left of "/+"; a name that began with a dot would be hidden */
        brief[used++] = '_';
    brief[used] = '\0';
    if (kind == SL_SOCKET_PUBLISHER)
        snprintf(name->file, sizeof name->file, "%s.%016" PRIx64 ".%d.%016" PRIx64 ".pub", brief,
                 name->topic_hash, (int)name->pid, instance);
    else
        snprintf(name->file, sizeof name->file, "%s.%d.%016" PRIx64 ".node", brief, (int)name->pid,
                 instance);
}

static bool parse_hex(const char **at, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++, ++*at) {
        char c = **at;
        if (!isxdigit((unsigned char)c))
            return false;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    *ret_value = value;
    return true;
}

static bool parse_pid(const char **at, pid_t *ret_pid)
{
    long value = 0;
    const char *start = *at;
    for (; isdigit((unsigned char)**at) && *at - start < 9; ++*at)
        value = value * 10 + (**at - '0');
    *ret_pid = (pid_t)value;
    return *at > start;
}

bool sl_socket_name_parse(const char *file, struct sl_socket_name *ret_name)
{
    struct sl_socket_name n = {0};
    const char *at = strchr(file, '.');
    if (!at || file[0] == '.' || strlen(file) >= sizeof n.file)
        return false;
    at++;
    const char *ending = strrchr(file, '.');
    if (strcmp(ending, ".pub") == 0) {
        n.kind = SL_SOCKET_PUBLISHER;
        if (!parse_hex(&at, &n.topic_hash) || *at++ != '.')
            return false;
    } else if (strcmp(ending, ".node") == 0) {
        n.kind = SL_SOCKET_NODE;
    } else {
        return false;
    }
    if (!parse_pid(&at, &n.pid) || *at++ != '.' || !parse_hex(&at, &n.instance) || at != ending)
        return false;
    snprintf(n.file, sizeof n.file, "%s", file);
    *ret_name = n;
    return true;
}

/* sun_path is short; the directory's descriptor makes every path short enough. */
static int socket_address(const struct sl_domain *domain, const char *file, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", domain->fd, file);
    if (n < 0 || (size_t)n >= sizeof ret->sun_path)
        return sl_error(-ENAMETOOLONG, "socket name %s is too long", file);
    return 0;
}

/* Bound under a hidden name, shown by rename when it listens. Raw errors. */
static int listen_and_show(const struct sl_domain *domain, const struct sl_socket_name *name,
                           const char *hidden, const struct sockaddr_un *address, mode_t mode)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        (SL_FAIL_POINT(LISTEN_BOUND), fchmodat(domain->fd, hidden, mode, 0) == 0) &&
        listen(fd, BACKLOG) == 0 &&
        (SL_FAIL_POINT(LISTEN_LISTENING),
         renameat(domain->fd, hidden, domain->fd, name->file) == 0))
        return fd;
    int err = -errno;
    unlinkat(domain->fd, hidden, 0);
    close(fd);
    return err;
}

int sl_domain_listen(const struct sl_domain *domain, const struct sl_socket_name *name, mode_t mode)
{
    char hidden[HIDDEN_CHARS];
    /* Not shown yet. The pid is for sl_domain_sweep, should we die before the rename. */
    snprintf(hidden, sizeof hidden, ".%d.%016" PRIx64, (int)name->pid, name->instance);
    struct sockaddr_un address;
    int err = socket_address(domain, hidden, &address);
    if (err < 0)
        return err;
    if (mode == 0)
        mode = domain->socket_mode;
    /* In another container our pid may be that of a dead process which is swept up after. */
    int tries = 0;
    int fd;
    do
        fd = listen_and_show(domain, name, hidden, &address, mode);
    while (fd == -ENOENT && ++tries < LISTEN_TRIES);
    if (fd < 0)
        return sl_error(fd, "socket %s/%s cannot be made: %s", domain->path, name->file,
                        strerror(-fd));
    SL_FAIL_POINT(LISTEN_SHOWN);
    return fd;
}

void sl_domain_unlink(const struct sl_domain *domain, const struct sl_socket_name *name)
{
    unlinkat(domain->fd, name->file, 0);
    SL_FAIL_POINT(CLOSE_UNLINKED);
}

static int connect_to(const struct sl_domain *domain, const char *file)
{
    struct sockaddr_un address;
    int err = socket_address(domain, file, &address);
    if (err < 0)
        return err;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return sl_error(-errno, "no socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    err = -errno;
    close(fd);
    return sl_error(err, "socket %s/%s: %s", domain->path, file, strerror(-err));
}

int sl_domain_probe(const struct sl_domain *domain, const char *file)
{
    int fd = connect_to(domain, file);
    if (fd < 0)
        return fd == -ECONNREFUSED ? 0 : fd;
    close(fd);
    return 1;
}

int sl_domain_connect(const struct sl_domain *domain, const char *file)
{
    int fd = connect_to(domain, file);
    /* It listened before it got this name, and no name comes twice: nobody is there any more. */
    if (fd == -ECONNREFUSED)
        unlinkat(domain->fd, file, 0);
    return fd;
}

int sl_domain_list(const struct sl_domain *domain,
                   int (*visit)(void *context, const struct sl_socket_name *name), void *context)
{
    int fd = openat(domain->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return sl_error(-errno, "directory %s: %s", domain->path, strerror(errno));
    DIR *directory = fdopendir(fd);
    if (!directory) {
        close(fd);
        return sl_error(-ENOMEM, "no memory to read %s", domain->path);
    }
    int result = 0;
    struct sl_socket_name name;
    for (struct dirent *entry; result == 0 && (entry = readdir(directory));)
        if (sl_socket_name_parse(entry->d_name, &name))
            result = visit(context, &name);
    closedir(directory);
    return result;
}

struct sweep {
    const struct sl_domain *domain;
    pid_t pid;
};

static int sweep_one(void *context, const struct sl_socket_name *name)
{
    const struct sweep *s = context;
    if (name->pid == s->pid) {
        /* The number may have been given to another process: connecting tells, and removes. */
        int fd = sl_domain_connect(s->domain, name->file);
        if (fd >= 0)
            close(fd);
    }
    return 0;
}

/* What a process left that died between binding a socket and showing it. */
static void sweep_hidden(const struct sl_domain *domain, pid_t pid)
{
    char start[16];
    int length = snprintf(start, sizeof start, ".%d.", (int)pid);
    int fd = openat(domain->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strncmp(entry->d_name, start, (size_t)length) == 0)
            unlinkat(domain->fd, entry->d_name, 0);
    closedir(directory);
}

void sl_domain_sweep(const struct sl_domain *domain, pid_t pid)
{
    struct sweep s = {domain, pid};
    sl_domain_list(domain, sweep_one, &s);
    sweep_hidden(domain, pid);
}
