/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - one small document from a sensor's web server.
 *
 * By libcurl (http_curl.c), or not at all where it was built without (http_absent.c). The sensor is
 * a neighbour: no proxy of the environment is asked, no redirection is followed, and it is given
 * little time and little memory.
 *
 * Life:    lidar_http_get -> free
 * Owner:   the caller's, once it succeeded.
 * Threads: any.
 * Errors:  0, or -errno with sl_error_text() that names the address and says what to do:
 *          -EINVAL        no such address can be
 *          -ETIMEDOUT     it took too long
 *          -ECONNREFUSED, -EHOSTUNREACH  nobody is there
 *          -EPROTO        the answer is no document, but an error or something broken
 *          -EFBIG         it is larger than allowed
 *          -ENOTSUP       built without libcurl
 *          -ENOMEM
 */
#ifndef SL_DRIVERS_LIDAR_HTTP_H
#define SL_DRIVERS_LIDAR_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct lidar_http_limits {
    long connect_ms; /* to be connected */
    long total_ms;   /* to have it all */
    size_t bytes;    /* of the document */
};

/* Is this text an address, rather than a file's name? */
bool lidar_http_is_address(const char *text);

/* The document at an address "http://..." or "https://...". A NUL stands behind its last byte. */
int lidar_http_get(const char *address, const struct lidar_http_limits *limits, char **ret_text,
                   size_t *ret_size);

#endif
