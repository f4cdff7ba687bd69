/* SPDX-License-Identifier: Apache-2.0 */
/* link_kind.h - a link that tells nothing but the kind of its pool's memory, for frames that no bus
 * brought. One at a time; one thread. */
#ifndef SL_TESTS_SHM_LINK_KIND_H
#define SL_TESTS_SHM_LINK_KIND_H

#include "core/uncached/probe.h"

struct sl_link *link_of_kind(enum sl_memory_kind kind);

#endif
