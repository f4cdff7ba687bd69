/* SPDX-License-Identifier: Apache-2.0 */
/* http_absent.c - built without libcurl. */
#include <errno.h>
#include <string.h>

#include "core/base/error.h"
#include "drivers/lidar/http.h"

bool lidar_http_is_address(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

int lidar_http_get(const char *address, const struct lidar_http_limits *limits, char **ret_text,
                   size_t *ret_size)
{
    (void)limits, (void)ret_text, (void)ret_size;
    return sl_error(-ENOTSUP,
                    "%s: built without libcurl; get the document otherwise and give the file",
                    address);
}
