/* SPDX-License-Identifier: Apache-2.0 */
/* ouster_data.h - the recorded Ouster data of the tests: where it is, and reading it.
 *
 * Life, owner, threads: helpers of a test program; find_ouster_data first.
 * Errors:  the test fails.
 */
#ifndef SL_TESTS_LIDAR_OUSTER_DATA_H
#define SL_TESTS_LIDAR_OUSTER_DATA_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/capture/datagrams.h"
#include "drivers/lidar/ouster_metadata.h"

static char ouster_folder[3000];

/* False if there is none. */
static inline bool find_ouster_data(void)
{
    const char *data = getenv("SLUICE_TEST_DATA");
    const char *source = getenv("SLUICE_SOURCE");
    if (data)
        snprintf(ouster_folder, sizeof ouster_folder, "%s/lidar/ouster/sdk", data);
    else
        snprintf(ouster_folder, sizeof ouster_folder, "%s/../shared/data/lidar/ouster/sdk",
                 source ? source : ".");
    return access(ouster_folder, R_OK) == 0;
}

static inline void ouster_path(const char *name, char ret_path[4096])
{
    snprintf(ret_path, 4096, "%s/%s", ouster_folder, name);
}

static inline void load_metadata(const char *name, struct ouster_metadata *ret_metadata)
{
    char path[4096];
    ouster_path(name, path);
    if (ouster_metadata_load(path, ret_metadata) < 0)
        fail_msg("%s", sl_error_text());
}

typedef void ouster_datagram_fn(void *context, const struct sl_datagram *datagram);

static inline void each_datagram(const char *name, ouster_datagram_fn *fn, void *context)
{
    char path[4096];
    struct sl_datagram_reader *reader = NULL;
    struct sl_datagram datagram;
    ouster_path(name, path);
    int err = sl_datagram_reader_open(path, NULL, &reader);
    if (err < 0)
        fail_msg("%s", sl_error_text());
    while ((err = sl_datagram_reader_next(reader, &datagram)) > 0)
        fn(context, &datagram);
    assert_int_equal(err, 0);
    sl_datagram_reader_close(reader);
}

#endif
