/* SPDX-License-Identifier: Apache-2.0 */
/* domain.h - a directory of sockets: who is there.
 *
 * /run/sluice/<domain> where the system provides /run/sluice, else
 * $XDG_RUNTIME_DIR/sluice/<domain>, else /tmp/sluice-<uid>/<domain>. $SLUICE_ROOT names another
 * place for all of it (tests). A socket's name tells what it is and never comes twice:
 *
 *   <short topic>.<hash of topic>.<pid>.<instance>.pub      a publisher
 *   <short name>.<pid>.<instance>.node                      a process's statistics
 *
 * It appears by rename when it is ready. A socket that refuses connections belonged to a process
 * that died, and is removed by whoever notices.
 *
 * Threads: a domain is one thread's; the sockets are anybody's.
 * Errors:  -EACCES with a sentence that names the directory, its owner and mode, and what to do;
 *          -ENAMETOOLONG, -EINVAL for the name.
 */
#ifndef SL_SHM_DOMAIN_H
#define SL_SHM_DOMAIN_H

#include "core/shm/sluice.h"

#include <sys/types.h>

#define SL_DOMAIN_MAX 64

struct sl_domain {
    int fd; /* the directory, O_PATH-like; -1 = closed */
    char name[SL_DOMAIN_MAX];
    char path[128]; /* for messages */
    /* Of sockets that ask for no other: 0600, or 0660 where the directory is setgid and its group
     * may write, as a system's shared domain is made. */
    mode_t socket_mode;
};

enum sl_socket_kind {
    SL_SOCKET_PUBLISHER,
    SL_SOCKET_NODE
};

struct sl_socket_name {
    enum sl_socket_kind kind;
    uint64_t topic_hash; /* publishers */
    uint64_t instance;
    pid_t pid;
    char file[108];
};

/* The directory that holds the domains, by the rules above; private ones are ours alone. Nothing is
 * made or looked into. */
int sl_domain_root(char *path, size_t size, bool *ret_private);

/* NULL = $SLUICE_DOMAIN or "default". Makes the directory if `create`; else -ENOENT. */
int sl_domain_open(const char *name, bool create, struct sl_domain *ret_domain);
void sl_domain_close(struct sl_domain *domain);

/* Are these names that a topic and its type (NULL = any) may have? -EINVAL. */
int sl_topic_check(const char *topic, const char *type);
uint64_t sl_topic_hash(const char *topic);
void sl_socket_name_make(struct sl_socket_name *name, enum sl_socket_kind kind, const char *text,
                         uint64_t instance);
/* Reads a file's name back; false if it is none of ours. */
bool sl_socket_name_parse(const char *file, struct sl_socket_name *ret_name);

/* A listening socket under that name, non-blocking; it appears when it listens. `mode` 0 = the
 * domain's. */
int sl_domain_listen(const struct sl_domain *domain, const struct sl_socket_name *name,
                     mode_t mode);
void sl_domain_unlink(const struct sl_domain *domain, const struct sl_socket_name *name);

/* A connection, non-blocking. -ECONNREFUSED: its process died (the file is removed); -ENOENT;
 * -EAGAIN: its queue is full; -EACCES. */
int sl_domain_connect(const struct sl_domain *domain, const char *file);

/* Does somebody listen there? 1; 0 = nobody, its process died (the file stays); or -errno as above.
 */
int sl_domain_probe(const struct sl_domain *domain, const char *file);

/* Call `visit` for each socket; it may return non-zero to stop. Returns that, 0, or -errno. */
int sl_domain_list(const struct sl_domain *domain,
                   int (*visit)(void *context, const struct sl_socket_name *name), void *context);

/* Remove the sockets of a process that is known to be dead (a launcher's child). */
void sl_domain_sweep(const struct sl_domain *domain, pid_t pid);

#endif
