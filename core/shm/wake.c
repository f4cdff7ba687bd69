/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/wake.h"

#include "core/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* futex words are shared between processes: no FUTEX_PRIVATE_FLAG but where the name says so. */

void sl_wake_futex_unchanged(const _Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void sl_wake_futex(_Atomic uint32_t *word)
{
    atomic_fetch_add_explicit(word, 1, memory_order_release);
    sl_wake_futex_unchanged(word);
}

void sl_sleep_private(const _Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void sl_wake_private(const _Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void sl_wake_connection(int fd)
{
    ssize_t sent = send(fd, "w", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}

static _Atomic bool waitv_is_refused;

unsigned sl_sleep_words_max(void)
{
    return atomic_load_explicit(&waitv_is_refused, memory_order_relaxed) ? 1 : SL_WAKE_WORDS_MAX;
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / SL_NS_PER_S),
                             .tv_nsec = (long)(ns % SL_NS_PER_S)};
}

int sl_sleep_futex(const _Atomic uint32_t *const *words, const uint32_t *values, unsigned count,
                   uint64_t deadline_ns)
{
    if (count > sl_sleep_words_max())
        return -ENOSYS;
    struct timespec deadline = to_timespec(deadline_ns);
    struct timespec *until = deadline_ns ? &deadline : NULL;
    long result;
    if (count == 1) {
        /* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time. */
        result = syscall(SYS_futex, words[0], FUTEX_WAIT_BITSET, values[0], until, NULL,
                         FUTEX_BITSET_MATCH_ANY);
    } else {
#ifdef SYS_futex_waitv
        struct futex_waitv wait[SL_WAKE_WORDS_MAX];
        for (unsigned i = 0; i < count; i++)
            wait[i] = (struct futex_waitv){
                .val = values[i],
                .uaddr = (uintptr_t)words[i],
                .flags = FUTEX_32,
            };
        result = syscall(SYS_futex_waitv, wait, count, 0, until, CLOCK_MONOTONIC);
        if (result < 0 && (errno == ENOSYS || errno == EPERM)) /* an old kernel, or a sandbox */
            atomic_store_explicit(&waitv_is_refused, true, memory_order_relaxed);
#else
        return -ENOSYS;
#endif
    }
    if (result >= 0 || errno == EAGAIN)
        return 0;
    return errno == ETIMEDOUT || errno == EINTR ? -errno : -ENOSYS;
}
