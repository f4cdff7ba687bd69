/* SPDX-License-Identifier: Apache-2.0 */
/* from_pools.c - preloaded into a program of ours: which memory it gives to sendmsg, writev, pread
 * and io_uring.
 *
 * At the process's end four numbers go to the file $FROM_POOLS_REPORT: bytes that lie in a pool's
 * mapping, its own or another's, and all other ones; of both together, those that io_uring was
 * asked for, and those of files that are open past the page cache. Reads of io_uring are seen in
 * the queue that liburing's io_uring_submit hands to the kernel. */
#include <dlfcn.h>
#include <fcntl.h>
#ifdef SLUICE_HAVE_URING
#include <liburing.h>
#endif
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define MAPPINGS_MAX 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uintptr_t start, end;
} pool[MAPPINGS_MAX];
static unsigned pool_count;
static uint64_t from_pools, from_elsewhere, by_ring, directly;

static bool lies_in_pool(uintptr_t at)
{
    for (unsigned i = 0; i < pool_count; i++)
        if (at >= pool[i].start && at < pool[i].end)
            return true;
    return false;
}

static void read_mappings(void)
{
    char line[512];
    FILE *file = fopen("/proc/self/maps", "re");
    pool_count = 0;
    while (file && fgets(line, sizeof line, file) && pool_count < MAPPINGS_MAX) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && strstr(line, " sluice-pool")) {
            pool[pool_count].start = start;
            pool[pool_count++].end = end;
        }
    }
    if (file)
        fclose(file);
}

/* Large pieces tell; small ones are headers, and looked up only in what is known. */
static void count(const void *bytes, size_t size)
{
    uintptr_t at = (uintptr_t)bytes;
    if (!lies_in_pool(at) && size >= 512)
        read_mappings();
    *(lies_in_pool(at) ? &from_pools : &from_elsewhere) += size;
}

static void count_all(const struct iovec *pieces, size_t pieces_count)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < pieces_count; i++)
        count(pieces[i].iov_base, pieces[i].iov_len);
    pthread_mutex_unlock(&lock);
}

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message,
                                                       int flags)
{
    static ssize_t (*_Atomic real)(int fd, const struct msghdr *message, int flags);
    if (!real)
        real = (ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    count_all(message->msg_iov, message->msg_iovlen);
    return real(fd, message, flags);
}

__attribute__((visibility("default"))) ssize_t writev(int fd, const struct iovec *pieces, int n)
{
    static ssize_t (*_Atomic real)(int fd, const struct iovec *pieces, int n);
    if (!real)
        real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    count_all(pieces, n > 0 ? (size_t)n : 0);
    return real(fd, pieces, n);
}

static void count_read(int fd, const void *to, size_t size)
{
    count_all(&(struct iovec){(void *)to, size}, 1);
    if (fcntl(fd, F_GETFL) & O_DIRECT)
        __atomic_fetch_add(&directly, size, __ATOMIC_RELAXED);
}

/* Of a file with 64-bit offsets, as all of ours are. */
ssize_t pread64(int fd, void *to, size_t size, off_t offset);
__attribute__((visibility("default"))) ssize_t pread64(int fd, void *to, size_t size, off_t offset)
{
    static ssize_t (*_Atomic real)(int fd, void *to, size_t size, off_t offset);
    if (!real)
        real = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
    count_read(fd, to, size);
    return real(fd, to, size, offset);
}

#ifdef SLUICE_HAVE_URING
__attribute__((visibility("default"))) int io_uring_submit(struct io_uring *ring)
{
    static int (*_Atomic real)(struct io_uring * ring);
    const struct io_uring_sq *queue = &ring->sq;
    if (!real)
        real = (int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");
    for (unsigned at = queue->sqe_head; at != queue->sqe_tail; at++) {
        const struct io_uring_sqe *read = &queue->sqes[at & queue->ring_mask];
        if (read->opcode != IORING_OP_READ && read->opcode != IORING_OP_READ_FIXED)
            continue;
        count_read(read->fd, (const void *)(uintptr_t)read->addr, read->len);
        __atomic_fetch_add(&by_ring, read->len, __ATOMIC_RELAXED);
    }
    return real(ring);
}
#endif

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("FROM_POOLS_REPORT");
    FILE *file = path ? fopen(path, "we") : NULL;
    if (!file)
        return;
    fprintf(file, "%lu %lu %lu %lu\n", (unsigned long)from_pools, (unsigned long)from_elsewhere,
            (unsigned long)by_ring, (unsigned long)directly);
    fclose(file);
}
