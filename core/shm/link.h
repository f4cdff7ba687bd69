/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - what may be asked of the link that a frame came by (sl_frame.link).
 *
 * Threads: any, while the frame is held.
 */
#ifndef SL_SHM_LINK_H
#define SL_SHM_LINK_H

#include "core/uncached/probe.h"

struct sl_link;

/* The kind of the memory that its publisher's slots lie in, as measured in this process. NULL (an
 * inline message) is cached. */
enum sl_memory_kind sl_link_memory_kind(const struct sl_link *link);

#endif
