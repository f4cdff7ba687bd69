/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_metadata_fetch.h - an Ouster's metadata from a file, or from the sensor itself.
 *
 * Life, owner, threads: as ouster_metadata.h says.
 * Errors:  those of ouster_metadata.h and of http.h.
 */
#ifndef SL_DRIVERS_LIDAR_OUSTER_METADATA_FETCH_H
#define SL_DRIVERS_LIDAR_OUSTER_METADATA_FETCH_H

#include "drivers/lidar/ouster_metadata.h"

/* `from`: a file, or "http://HOST", which means the place below it where firmware 2.x and later
 * tells its metadata, or a whole address. Waits for a sensor for at most some seconds. */
int ouster_metadata_get(const char *from, struct ouster_metadata *ret_metadata);

#endif
