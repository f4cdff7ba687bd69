/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - what may be asked of the link that a frame came by (sl_frame.link).
 *
 * Threads: any, while the frame is held, unless it says otherwise.
 */
#ifndef SL_SHM_LINK_H
#define SL_SHM_LINK_H

#include "core/uncached/probe.h"

#include <stdint.h>

struct sl_link;

/* The kind of the memory that its publisher's slots lie in, as measured in this process. NULL (an
 * inline message) is cached. */
enum sl_memory_kind sl_link_memory_kind(const struct sl_link *link);

/* How many more frames of its publisher may be held now, by the quota; of inline messages (NULL)
 * any number. In the thread that takes, before its next take: other threads may release meanwhile,
 * so there may be more by then, but not fewer. */
uint32_t sl_link_room(const struct sl_link *link);

#endif
