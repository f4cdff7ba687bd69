/* SPDX-License-Identifier: Apache-2.0 */
/* readers.h - who may subscribe to a topic: users and groups, beside the publisher's own user.
 *
 * The socket's permission decides who may knock; this list, whom of them the publisher lets in. The
 * kernel tells who it is: what the peer was when it connected, not what it says of itself.
 *
 * Life:    sl_readers_parse once; sl_readers_admit for each who knocks
 * Threads: any; parsing a name asks the system's user database (NSS), and may wait for it.
 * Errors:  -errno with a sentence.
 */
#ifndef SL_SHM_READERS_H
#define SL_SHM_READERS_H

#include <stdbool.h>
#include <sys/types.h>

#define SL_READERS_MAX 32

struct sl_readers {
    unsigned user_count, group_count;
    uid_t user[SL_READERS_MAX];
    gid_t group[SL_READERS_MAX];
};

/* "alice,@video,1001": users, and groups behind '@', by name or number. NULL or "" = an empty list,
 * which admits everybody. -EINVAL: no such user or group, or more than SL_READERS_MAX. */
int sl_readers_parse(const char *text, struct sl_readers *ret_readers);

/* Is the process behind this connection one of them? 0, or -EACCES and who it is. Root and our own
 * user always are. */
int sl_readers_admit(const struct sl_readers *readers, int fd);

#endif
