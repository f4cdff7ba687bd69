/* SPDX-License-Identifier: Apache-2.0 */
/* sent.c - preloaded into the bridge: from which memory the bytes come that it gives to sendmsg.
 *
 * At the process's end two numbers go to the file $SENT_REPORT: bytes that lie in shared mappings
 * which it cannot write (pools of others), and all other ones. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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
    char line[512], access[8];
    FILE *file = fopen("/proc/self/maps", "re");
    pool_count = 0;
    while (file && fgets(line, sizeof line, file) && pool_count < MAPPINGS_MAX) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx %7s", &start, &end, access) == 3 && !strcmp(access, "r--s") &&
            strstr(line, "/memfd:")) {
            pool[pool_count].start = start;
            pool[pool_count++].end = end;
        }
    }
    if (file)
        fclose(file);
}

/* Large pieces tell; small ones are headers, and looked up only in what is known. */
static void count(const struct iovec *piece)
{
    uintptr_t at = (uintptr_t)piece->iov_base;
    if (!lies_in_pool(at) && piece->iov_len >= 512)
        read_mappings();
    *(lies_in_pool(at) ? &from_pools : &from_elsewhere) += piece->iov_len;
}

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message,
                                                       int flags)
{
    static ssize_t (*real)(int fd, const struct msghdr *message, int flags);
    pthread_mutex_lock(&lock);
    if (!real)
        real = (ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    for (size_t i = 0; i < message->msg_iovlen; i++)
        count(&message->msg_iov[i]);
    pthread_mutex_unlock(&lock);
    return real(fd, message, flags);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("SENT_REPORT");
    FILE *file = path ? fopen(path, "we") : NULL;
    if (!file)
        return;
    fprintf(file, "%lu %lu\n", (unsigned long)from_pools, (unsigned long)from_elsewhere);
    fclose(file);
}
