/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/readers.h"

#include "core/base/error.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    NAME_BYTES = 64,
    RECORD_BYTES = 16384, /* of a user or group in the database, its members included */
    GROUPS_MAX = 256,     /* of a peer; who is in more is judged by its first one alone */
};

/* Reading the list. ---------------------------------------------------------------------------- */

static bool read_number(const char *word, uint32_t *ret_id)
{
    if (!isdigit((unsigned char)word[0]))
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(word, &end, 10);
    if (*end || errno || value >= UINT32_MAX) /* (uid_t)-1 is nobody */
        return false;
    *ret_id = (uint32_t)value;
    return true;
}

static bool find_user(const char *word, uid_t *ret_user)
{
    char record[RECORD_BYTES];
    struct passwd user, *found = NULL;
    if (getpwnam_r(word, &user, record, sizeof record, &found) != 0 || !found)
        return false;
    *ret_user = user.pw_uid;
    return true;
}

static bool find_group(const char *word, gid_t *ret_group)
{
    char record[RECORD_BYTES];
    struct group group, *found = NULL;
    if (getgrnam_r(word, &group, record, sizeof record, &found) != 0 || !found)
        return false;
    *ret_group = group.gr_gid;
    return true;
}

static int add(struct sl_readers *readers, const char *word)
{
    bool is_group = word[0] == '@';
    unsigned *count = is_group ? &readers->group_count : &readers->user_count;
    if (*count == SL_READERS_MAX)
        return sl_error(-EINVAL, "readers: more than %d %s; make a group of them", SL_READERS_MAX,
                        is_group ? "groups" : "users");
    bool is_known = is_group ? read_number(word + 1, &readers->group[*count]) ||
                                   find_group(word + 1, &readers->group[*count])
                             : read_number(word, &readers->user[*count]) ||
                                   find_user(word, &readers->user[*count]);
    if (!is_known)
        return sl_error(-EINVAL, "readers: there is no %s '%s' here (getent %s)",
                        is_group ? "group" : "user", word + is_group,
                        is_group ? "group" : "passwd");
    *count += 1;
    return 0;
}

int sl_readers_parse(const char *text, struct sl_readers *ret_readers)
{
    struct sl_readers readers = {0};
    for (const char *at = text ? text : ""; *at;) {
        size_t length = strcspn(at, ",");
        char word[NAME_BYTES];
        if (length == 0 || length >= sizeof word)
            return sl_error(-EINVAL,
                            "readers: '%s' is no list of users and @groups, such as "
                            "alice,@video,1001",
                            text);
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        int err = add(&readers, word);
        if (err < 0)
            return err;
        at += length;
        if (*at == ',' && !*++at)
            return sl_error(-EINVAL, "readers: '%s' ends with a comma", text);
    }
    *ret_readers = readers;
    return 0;
}

/* Letting in. ---------------------------------------------------------------------------------- */

static bool has_group(const struct sl_readers *readers, gid_t group)
{
    for (unsigned i = 0; i < readers->group_count; i++)
        if (readers->group[i] == group)
            return true;
    return false;
}

static bool is_in_a_group(const struct sl_readers *readers, int fd, gid_t own)
{
    gid_t group[GROUPS_MAX];
    socklen_t size = sizeof group;
    if (has_group(readers, own))
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, group, &size) < 0)
        return false; /* more than GROUPS_MAX, or a kernel that does not tell */
    for (unsigned i = 0; i < size / sizeof *group; i++)
        if (has_group(readers, group[i]))
            return true;
    return false;
}

int sl_readers_admit(const struct sl_readers *readers, int fd)
{
    if (readers->user_count == 0 && readers->group_count == 0)
        return 0;
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return sl_error(errno, "who connects is not told: %s", strerror(errno));
    if (peer.uid == 0 || peer.uid == geteuid())
        return 0;
    for (unsigned i = 0; i < readers->user_count; i++)
        if (readers->user[i] == peer.uid)
            return 0;
    if (is_in_a_group(readers, fd, peer.gid))
        return 0;
    return sl_error(-EACCES, "user %u (group %u) is not among those who may read it", peer.uid,
                    peer.gid);
}
