/* SPDX-License-Identifier: Apache-2.0 */
/* roudi.h - iceoryx's daemon, for launches with nodes on that bus.
 *
 * One that runs already is used as it is and never stopped. Otherwise one is started with a small
 * memory pool, without monitoring and with libsluice_roudi.so (core/shm/roudi_library.c), so that
 * it does not wait for nodes that were killed, and ended when the nodes have ended. It ends by
 * SIGKILL, and what it leaves is removed here: asked to end, RouDi 2.0 sends SIGTERM, later
 * SIGKILL, to every process that ever connected to it, those of other people included, and aborts
 * if one of them is gone. If this process is killed, the kernel ends RouDi, and a small process
 * that was left behind for this removes the rest.
 *
 * Life:    init -> open -> look now and then -> reap when it has ended -> close
 * Owner:   the started process, its guard, and what it leaves in /dev/shm and /tmp.
 * Threads: one; the calling one must live as long as RouDi.
 * Errors:  -errno with a sentence.
 */
#ifndef SL_LAUNCH_ROUDI_H
#define SL_LAUNCH_ROUDI_H

#include "core/shm/roudi.h"
#include "launch/child.h"
#include "launch/plan.h"

#include <limits.h>

#define SL_ROUDI_CONFIG_MAX 512
#define SL_ROUDI_TRACES_MAX 8

/* A file that ours has made. */
struct sl_roudi_trace {
    char path[PATH_MAX];
    dev_t device;
    ino_t inode;
};

struct sl_roudi_host {
    struct sl_plan_node node; /* what `child` is started from */
    struct sl_child child;    /* ours; pid 0 = none, or it has ended */
    int pid_fd; /* readable when the RouDi that is used has ended; -1 = not to be known */
    pid_t pid;  /* of it; 0 = in another pid namespace, or none */
    struct sl_roudi_pulse pulse;
    enum sl_roudi_health health; /* as was told last */
    pid_t guard;
    struct sl_roudi_trace trace[SL_ROUDI_TRACES_MAX];
    unsigned trace_count;
};

/* Can the plan have what it needs: a running RouDi, or the program? Starts nothing. */
int sl_roudi_check(const struct sl_plan *plan);

/* The configuration for so many publishers and subscribers. Returns its length. */
int sl_roudi_config(uint32_t publishers, uint32_t subscribers, char to[SL_ROUDI_CONFIG_MAX]);

/* Bytes of shared memory that it takes with this configuration, at most. */
uint64_t sl_roudi_memory(uint32_t publishers, uint32_t subscribers);

void sl_roudi_init(struct sl_roudi_host *host);

/* Find or start what the plan needs, which may be nothing, and wait until it is ready. Lines are
 * given to the output. -ECANCELED: a signal other than SIGCHLD came by `signal_fd`; it was read. */
int sl_roudi_open(struct sl_roudi_host *host, const struct sl_plan *plan, int signal_fd);

/* Every SL_ROUDI_PULSE_MS: does it still do its work? Tells when that changes. */
void sl_roudi_watch(struct sl_roudi_host *host);

/* pid_fd is readable: tell what that means. */
void sl_roudi_reap(struct sl_roudi_host *host);

/* End what was started, and remove what it left. */
void sl_roudi_close(struct sl_roudi_host *host);

#endif
