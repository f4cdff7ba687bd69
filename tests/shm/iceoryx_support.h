/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx_support.h - for tests of core/shm/iceoryx.h against a RouDi of their own.
 *
 * They run inside tests/with_roudi.sh --bare. A process has one runtime for its life, so each
 * test's ends are in processes of their own, roles; what those write on stderr must be nothing.
 *
 * Life:    iceoryx_setup starts RouDi, iceoryx_teardown ends it
 * Threads: one
 * Errors:  fail the test, or the role
 */
#ifndef SL_TESTS_SHM_ICEORYX_SUPPORT_H
#define SL_TESTS_SHM_ICEORYX_SUPPORT_H

#include "core/shm/iceoryx.h"
#include "tests/shm/support.h"

#define INSTANCE UINT64_C(0x0123456789abcdef)
#define INLINE   64
#define LOG_FILE "/tmp/roudi.log"
/* The bound is 1 s; the machine may be busy. iceoryx by itself would take 60 s. */
#define LATE_MS 15000
#define HANGS_S 60
/* RouDi is late on a busy machine; what is not about that waits for it. */
#define PATIENCE_VARIABLE "SLUICE_ROUDI_PATIENCE_MS"

extern pid_t roudi_pid; /* 0 = none runs */
void start_roudi(void); /* without monitoring */
/* `on_or_off`: its monitoring. `library`: preloaded; "" = none. */
void start_roudi_as(const char *on_or_off, const char *library);
void stop_roudi(void);
/* Where it may be had: a RouDi that watches gives up who is late on a busy machine, too. */
void take_precedence(void);
/* As role_main; besides, the status of a program that cannot test here, which has said why. */
int iceoryx_main(int argc, char **argv, const struct role *roles);
int iceoryx_setup(void **state);
int iceoryx_teardown(void **state);

/* ---- In a role -------------------------------------------------------------------------------*/

extern struct sl_domain domain;
void begin_role(void);
void check_so(bool is_so, int line);
#define check(is_so) check_so(is_so, __LINE__)
void await_connected(struct sl_iceoryx_receiver *receiver);
void open_pair(uint64_t instance, struct sl_iceoryx_sender **ret_sender,
               struct sl_iceoryx_receiver **ret_receiver);
struct sl_descriptor descriptor_of(uint64_t seq);
void send_plain(struct sl_iceoryx_sender *sender, uint64_t seq);
void receive_plain(struct sl_iceoryx_receiver *receiver, uint64_t seq);
bool is_empty(struct sl_iceoryx_receiver *receiver);
/* A role: a pair that stays until it is killed, or told to end. */
int run_stand(uint64_t instance);

/* ---- In a test -------------------------------------------------------------------------------*/

uint64_t ms_since(uint64_t start_ns);
/* The role ends by itself, well, soon, and without a word from iceoryx. */
void end_well(struct child *child);
void run_alone(const char *role, uint64_t argument);

#endif
