/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/packer.h"

#include "core/base/error.h"
#include "rosbag_compat/crc32.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define BEHIND         2                  /* chunks on the way for each thread */
#define KEPT_BYTES_MAX ((size_t)4u << 20) /* memory that a job keeps for the next chunk */

struct slot {
    struct sl_pack_job job;
    bool is_done;
};

struct sl_packer {
    enum sl_compression kind;
    int level;
    struct slot *slots; /* a ring of `room` */
    unsigned room;
    uint64_t given, collected; /* the caller's; `given` is read by threads under the lock */
    uint64_t bytes;            /* of content, given and not collected */

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    uint64_t started;
    bool is_ending;
    unsigned thread_count;
    pthread_t threads[SL_PACKER_THREADS_MAX];
};

/* Packing. ------------------------------------------------------------------------------------- */

static void pack(const struct sl_packer *p, struct sl_pack_job *job)
{
    size_t bound = sl_compress_bound(p->kind, job->content.size_bytes), size = 0;
    sl_buffer_clear(&job->packed);
    uint8_t *to = sl_buffer_take(&job->packed, bound);
    job->crc = job->wants_crc ? sl_crc32(0, job->content.bytes, job->content.size_bytes) : 0;
    job->err = to ? sl_compress(p->kind, p->level, job->content.bytes, job->content.size_bytes, to,
                                bound, &size)
                  : -ENOMEM;
    job->packed.size_bytes = size;
}

static void *run(void *state)
{
    struct sl_packer *p = state;
    pthread_mutex_lock(&p->lock);
    while (!p->is_ending) {
        if (p->started == p->given) {
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        struct slot *slot = &p->slots[p->started++ % p->room];
        pthread_mutex_unlock(&p->lock);
        pack(p, &slot->job);
        pthread_mutex_lock(&p->lock);
        slot->is_done = true;
        pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Life. ---------------------------------------------------------------------------------------- */

/* Signals are the other threads'. */
static int start_threads(struct sl_packer *p, unsigned threads)
{
    sigset_t all, before;
    int err = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; p->thread_count < threads && err == 0; p->thread_count += err == 0)
        err = pthread_create(&p->threads[p->thread_count], NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0 ? 0
                    : sl_error(-err, "no thread to compress chunks can be made: %s", strerror(err));
}

int sl_packer_create(enum sl_compression kind, int level, unsigned threads,
                     struct sl_packer **ret_packer)
{
    if (threads > SL_PACKER_THREADS_MAX)
        return sl_error(-EINVAL, "%u threads to compress chunks; %d are the most", threads,
                        SL_PACKER_THREADS_MAX);
    struct sl_packer *p = calloc(1, sizeof *p);
    unsigned room = BEHIND * threads + 1;
    struct slot *slots = calloc(room, sizeof *slots);
    if (!p || !slots) {
        free(p);
        free(slots);
        return sl_error(-ENOMEM, "no memory to compress chunks");
    }
    *p = (struct sl_packer){.kind = kind, .level = level, .slots = slots, .room = room};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    int err = start_threads(p, threads);
    if (err < 0) {
        sl_packer_destroy(p);
        return err;
    }
    *ret_packer = p;
    return 0;
}

void sl_packer_destroy(struct sl_packer *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->is_ending = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    for (unsigned i = 0; i < p->room; i++) {
        struct sl_pack_job *job = &p->slots[i].job;
        sl_buffer_finish(&job->content);
        sl_buffer_finish(&job->packed);
        sl_buffer_finish(&job->tail);
        sl_buffer_finish(&job->notes);
    }
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->slots);
    free(p);
}

/* Jobs. ---------------------------------------------------------------------------------------- */

bool sl_packer_is_due(const struct sl_packer *p)
{
    uint64_t on_the_way = p->given - p->collected;
    return on_the_way == p->room || (on_the_way > 0 && p->thread_count == 0) ||
           (on_the_way > 1 && p->bytes > SL_PACKER_BYTES_MAX);
}

struct sl_pack_job *sl_packer_take(struct sl_packer *p)
{
    return &p->slots[p->given % p->room].job;
}

void sl_packer_give(struct sl_packer *p, struct sl_pack_job *job)
{
    struct slot *slot = &p->slots[p->given % p->room];
    p->bytes += job->content.size_bytes;
    slot->is_done = p->thread_count == 0;
    if (slot->is_done)
        pack(p, job);
    pthread_mutex_lock(&p->lock);
    p->given++;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

struct sl_pack_job *sl_packer_collect(struct sl_packer *p)
{
    if (p->collected == p->given)
        return NULL;
    struct slot *slot = &p->slots[p->collected % p->room];
    pthread_mutex_lock(&p->lock);
    while (!slot->is_done)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    p->bytes -= slot->job.content.size_bytes;
    return &slot->job;
}

/* A large message must not leave large memory behind in each job. */
static void empty(struct sl_buffer *b)
{
    if (b->room_bytes > KEPT_BYTES_MAX || b->failed)
        sl_buffer_finish(b);
    sl_buffer_clear(b);
}

void sl_packer_put_back(struct sl_packer *p, struct sl_pack_job *job)
{
    empty(&job->content);
    empty(&job->packed);
    empty(&job->tail);
    empty(&job->notes);
    p->collected++;
}
