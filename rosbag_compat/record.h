/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - the recorder: topics of the bus into log files, each body from where it lies. */
#ifndef SL_ROSBAG_COMPAT_RECORD_H
#define SL_ROSBAG_COMPAT_RECORD_H

#include "core/node/runtime.h"

extern const struct sl_program record_program;

#endif
