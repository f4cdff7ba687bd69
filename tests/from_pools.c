/* SPDX-License-Identifier: Apache-2.0 */
/* from_pools.c - preloaded into a program of ours: which memory it gives to sendmsg, writev and
 * pread.
 *
 * At the process's end two numbers go to the file $FROM_POOLS_REPORT: bytes that lie in a pool's
 * mapping, its own or another's, and all other ones. */
#include <dlfcn.h>
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
static uint64_t from_pools, from_elsewhere;

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

/* Of a file with 64-bit offsets, as all of ours are. */
ssize_t pread64(int fd, void *to, size_t size, off_t offset);
__attribute__((visibility("default"))) ssize_t pread64(int fd, void *to, size_t size, off_t offset)
{
    static ssize_t (*_Atomic real)(int fd, void *to, size_t size, off_t offset);
    if (!real)
        real = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
    count_all(&(struct iovec){to, size}, 1);
    return real(fd, to, size, offset);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("FROM_POOLS_REPORT");
    FILE *file = path ? fopen(path, "we") : NULL;
    if (!file)
        return;
    fprintf(file, "%lu %lu\n", (unsigned long)from_pools, (unsigned long)from_elsewhere);
    fclose(file);
}
