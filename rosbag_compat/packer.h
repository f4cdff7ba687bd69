/* SPDX-License-Identifier: Apache-2.0 */
/* packer.h - chunks that are compressed by threads, and come back in the order in which they went.
 *
 * Who writes a chunk gives it and collects an older one, so many behind that every thread has one
 * to work on and one that waits. When which chunk is collected follows from the chunks alone, never
 * from how quick a thread was: a log is the same with any number of threads.
 *
 * Life:    create -> take, give, collect, put_back ... -> destroy, which ends the threads
 * Owner:   jobs are the packer's; between take and give, and between collect and put_back, they are
 *          the caller's to change.
 * Threads: all calls from one; without threads of its own give does the work.
 * Errors:  -ENOMEM, -EAGAIN (no thread can be made); a job's own in job->err
 */
#ifndef SL_ROSBAG_COMPAT_PACKER_H
#define SL_ROSBAG_COMPAT_PACKER_H

#include "rosbag_compat/buffer.h"
#include "rosbag_compat/compress.h"

#define SL_PACKER_THREADS_MAX 64
#define SL_PACKER_BYTES_MAX   (64u << 20) /* of content on the way, or a single chunk */

struct sl_pack_job {
    struct sl_buffer content;     /* to be compressed */
    struct sl_buffer tail, notes; /* the caller's own */
    uint64_t first_ns, last_ns;   /* likewise */
    bool wants_crc;

    struct sl_buffer packed;
    uint32_t crc; /* of the content, or 0 */
    int err;      /* 0, or why there is nothing in `packed` */
};

struct sl_packer;
int sl_packer_create(enum sl_compression kind, int level, unsigned threads,
                     struct sl_packer **ret_packer);
void sl_packer_destroy(struct sl_packer *packer); /* NULL is fine */

/* An empty job. There is one whenever nothing is due. */
struct sl_pack_job *sl_packer_take(struct sl_packer *packer);
void sl_packer_give(struct sl_packer *packer, struct sl_pack_job *job);
/* Must the oldest be collected before another is taken? */
bool sl_packer_is_due(const struct sl_packer *packer);
/* The oldest that was given; waits for it. NULL: none is on the way. */
struct sl_pack_job *sl_packer_collect(struct sl_packer *packer);
void sl_packer_put_back(struct sl_packer *packer, struct sl_pack_job *job);

#endif
