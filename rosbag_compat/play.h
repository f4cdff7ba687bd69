/* SPDX-License-Identifier: Apache-2.0 */
/* play.h - the player: recorded logs onto the bus, each message from where it was read to. */
#ifndef SL_ROSBAG_COMPAT_PLAY_H
#define SL_ROSBAG_COMPAT_PLAY_H

#include "core/node/runtime.h"

extern const struct sl_program play_program;

#endif
