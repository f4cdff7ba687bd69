/* SPDX-License-Identifier: Apache-2.0 */
/* bus_roudi.h - iceoryx's daemon for the bench: the one that runs, or one of its own.
 *
 * Life:    bus_roudi_open -> measurements -> bus_roudi_close, which ends what was started
 * Threads: the main thread.
 * Errors:  -errno with a sentence that says why there will be no iceoryx.
 */
#ifndef SL_BENCH_BUS_ROUDI_H
#define SL_BENCH_BUS_ROUDI_H

int bus_roudi_open(void);
void bus_roudi_close(void);

#endif
