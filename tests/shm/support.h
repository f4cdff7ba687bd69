/* SPDX-License-Identifier: Apache-2.0 */
/* support.h - a domain of each test's own, processes that it can kill, and bytes that tell who
 * wrote them.
 *
 * Life:    shm_setup and shm_teardown are cmocka's fixtures of each test: a fresh $SLUICE_ROOT; at
 *          the end no socket, descriptor or mapping of the bus may be left.
 * Owner:   the test; children are killed at its end.
 * Threads: one.
 * Errors:  what goes wrong fails the test.
 */
#ifndef SL_TESTS_SHM_SUPPORT_H
#define SL_TESTS_SHM_SUPPORT_H

#include "core/base/clock.h"
#include "core/shm/domain.h"
#include "core/shm/sluice.h"
#include "tests/emulated.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#define TOPIC "/test/topic"
#define TYPE  "test/msg/Bytes"
#define PATIENCE_MS                                                               \
    60000 /* longer than anything takes, also under a sanitizer on a busy machine \
           */
#define SLOT_SIZE 4096

#define assert_ok(call)                                          \
    do {                                                         \
        int ok_ = (call);                                        \
        if (ok_ < 0)                                             \
            fail_msg("%s: %d, %s", #call, ok_, sl_error_text()); \
    } while (0)

/* Look again and again until it is so. */
#define await(condition)                                                        \
    do {                                                                        \
        uint64_t until_ = sl_clock_monotonic_ns() + PATIENCE_MS * SL_NS_PER_MS; \
        while (!(condition)) {                                                  \
            if (sl_clock_monotonic_ns() > until_)                               \
                fail_msg("it never came true: %s", #condition);                 \
            look_again_soon();                                                  \
        }                                                                       \
    } while (0)
void look_again_soon(void);

int shm_setup(void **state);
int shm_teardown(void **state);
const char *shm_root(void);
/* The suite runs over both transports ($SLUICE_BUS). True: over iceoryx, where what the test asks
 * for is not to be had; it says why, and the test returns. */
bool is_not_for_iceoryx(const char *why);
bool is_over_iceoryx(void);
/* SIGSTOP to a child, which does nothing more when this returns. */
void freeze(pid_t pid);
unsigned count_sockets(void); /* files in the default domain */
unsigned count_fds(void);
unsigned count_mappings(void); /* of segments */
void assert_has(const char *text, const char *part);
char *long_text(size_t length, char first);

/* ---- Bytes -----------------------------------------------------------------------------------*/

void pattern_fill(void *to, size_t size, uint64_t seed);
/* The offset of the first byte that `seed` has not written, or -1. */
ssize_t pattern_check(const void *bytes, size_t size, uint64_t seed);
/* The same, looking at eight bytes of each 64 and at the last ones. */
ssize_t pattern_check_lines(const void *bytes, size_t size, uint64_t seed);

/* ---- Ends ------------------------------------------------------------------------------------*/

/* Of children, and where the machine is busy: as sl_publisher_open and sl_subscriber_open, but over
 * iceoryx they try again as long as RouDi, which has a second to answer, is late. */
int open_publisher(const struct sl_publisher_options *options, struct sl_publisher **ret_publisher);
int open_subscriber(const struct sl_subscriber_options *options,
                    struct sl_subscriber **ret_subscriber);
struct sl_publisher *publisher_of(struct sl_publisher_options options);
struct sl_subscriber *subscriber_of(struct sl_subscriber_options options);
/* Publish a message whose body is the pattern of `seed`; its stamp is the seed. */
int publish(struct sl_publisher *publisher, uint64_t seed, size_t length);
/* Take a message, waiting for it, and check every byte of it. Returns its seed. */
uint64_t take(struct sl_subscriber *subscriber, struct sl_frame *ret_frame);
uint64_t take_and_release(struct sl_subscriber *subscriber);
void check_frame(const struct sl_frame *frame);
struct sl_publisher_status status_of(struct sl_publisher *publisher);
struct sl_subscriber_status reader_status_of(struct sl_subscriber *subscriber);
uint64_t lost_in_all(struct sl_subscriber *subscriber);
/* The file name of the only publisher in the domain. */
void find_publisher(struct sl_domain *domain, struct sl_socket_name *ret_name);

/* ---- Other processes: this program again, in another role ------------------------------------*/

struct child {
    pid_t pid;
    int to, from;
};
struct role {
    const char *name;
    int (*run)(uint64_t argument);
};

/* main: runs a role if the command line names one; else returns -1. */
int role_main(int argc, char **argv, const struct role *roles);
struct child child_start(const char *role, uint64_t argument);
void child_tell(struct child *child, uint64_t word);
uint64_t child_hear(struct child *child);
void child_kill(struct child *child); /* -9, and wait until it is dead */
int child_end(struct child *child);   /* close its input, wait; its exit status */
/* In the role. */
void say(uint64_t word);
uint64_t hear(void); /* 0 = no more is to come: close everything and end */
#define must(call)                               \
    do {                                         \
        int must_ = (call);                      \
        if (must_ < 0)                           \
            role_failed(__LINE__, #call, must_); \
    } while (0)
void role_failed(int line, const char *call, int err) __attribute__((noreturn));

#endif
