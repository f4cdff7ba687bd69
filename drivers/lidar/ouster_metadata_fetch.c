/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lidar/ouster_metadata_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "drivers/lidar/http.h"

#define ADDRESS_MAX 512
/* Ouster's HTTP API, "GET /api/v1/sensor/metadata". */
#define METADATA_PATH "/api/v1/sensor/metadata"

/* Documents have some 10 kB; those of sensors with an angle a pixel some 100 kB. */
static const struct lidar_http_limits limits = {
    .connect_ms = 3000, .total_ms = 8000, .bytes = 4 << 20};

/* A host alone gets the path. */
static int complete(const char *from, char address[ADDRESS_MAX])
{
    const char *host = strstr(from, "://") + 3, *path = strchr(host, '/');
    bool is_bare = !path || path[1] == '\0';
    int bare = path ? (int)(path - from) : (int)strlen(from);
    if (host[0] == '\0' || host == path)
        return sl_error(-EINVAL, "%s: names no host", from);
    int length = is_bare ? snprintf(address, ADDRESS_MAX, "%.*s%s", bare, from, METADATA_PATH)
                         : snprintf(address, ADDRESS_MAX, "%s", from);
    if (length >= ADDRESS_MAX)
        return sl_error(-EINVAL, "%s: an address has at most %d characters", from, ADDRESS_MAX - 1);
    return 0;
}

int ouster_metadata_get(const char *from, struct ouster_metadata *ret_metadata)
{
    char address[ADDRESS_MAX], *text = NULL;
    size_t size = 0;
    if (!lidar_http_is_address(from))
        return ouster_metadata_load(from, ret_metadata);
    int err = complete(from, address);
    if (err == 0)
        err = lidar_http_get(address, &limits, &text, &size);
    if (err < 0)
        return err;
    err = ouster_metadata_parse(address, text, size, ret_metadata);
    free(text);
    return err;
}
