/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lidar/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

#define STATUS_OK     200
#define FIRST_BYTES   16384
#define NO_PROXY_EVER "*"

struct document {
    char *text;
    size_t size, room, most;
    bool is_too_large, has_no_memory;
};

bool lidar_http_is_address(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static bool make_room(struct document *d, size_t more)
{
    size_t room = d->room;
    while (room - d->size <= more) /* and the NUL */
        room *= 2;
    char *text = room == d->room ? d->text : realloc(d->text, room);
    if (!text)
        return false;
    d->text = text;
    d->room = room;
    return true;
}

/* libcurl's: whatever is not `size * count` ends it. */
static size_t take(char *bytes, size_t size, size_t count, void *context)
{
    struct document *d = context;
    size_t more = size * count;
    d->is_too_large = more > d->most - d->size;
    d->has_no_memory = !d->is_too_large && !make_room(d, more);
    if (d->is_too_large || d->has_no_memory)
        return 0;
    memcpy(d->text + d->size, bytes, more);
    d->size += more;
    d->text[d->size] = '\0';
    return more;
}

static void set_options(CURL *curl, const char *address, const struct lidar_http_limits *limits,
                        struct document *d)
{
    curl_easy_setopt(curl, CURLOPT_URL, address);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, NO_PROXY_EVER);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, limits->connect_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limits->total_ms);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)limits->bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, d);
}

static int tell_failure(const char *address, CURLcode code, const struct lidar_http_limits *limits,
                        const struct document *d)
{
    const char *said = curl_easy_strerror(code);
    if (d->has_no_memory || code == CURLE_OUT_OF_MEMORY)
        return sl_error(-ENOMEM, "%s: no memory", address);
    if (d->is_too_large || code == CURLE_FILESIZE_EXCEEDED)
        return sl_error(-EFBIG, "%s: more than %zu bytes; is it a sensor's?", address,
                        limits->bytes);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return sl_error(-ETIMEDOUT, "%s: no whole answer in %g s; is the sensor on?", address,
                        (double)limits->total_ms / 1000);
    case CURLE_COULDNT_CONNECT:
        return sl_error(-ECONNREFUSED,
                        "%s: nobody answers there; is the sensor on, and that its address?",
                        address);
    case CURLE_COULDNT_RESOLVE_HOST:
        return sl_error(-EHOSTUNREACH, "%s: no host has that name; give the sensor's address",
                        address);
    case CURLE_URL_MALFORMAT:
        return sl_error(-EINVAL, "%s: no address of a web server (%s)", address, said);
    case CURLE_UNSUPPORTED_PROTOCOL: /* the address says http: it is the answer that does not */
        return sl_error(-EPROTO, "%s: what answers there is no web server", address);
    default:
        return sl_error(-EPROTO, "%s: %s", address, said);
    }
}

static int check_status(const char *address, long status)
{
    if (status == STATUS_OK)
        return 0;
    return sl_error(-EPROTO,
                    "%s: the answer is HTTP %ld, no document; old firmware does not tell its "
                    "metadata there: give a file",
                    address, status);
}

static int get(CURL *curl, const char *address, const struct lidar_http_limits *limits,
               struct document *d)
{
    long status = 0;
    if (!d->text)
        return sl_error(-ENOMEM, "%s: no memory", address);
    d->text[0] = '\0';
    set_options(curl, address, limits, d);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        return tell_failure(address, code, limits, d);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return check_status(address, status);
}

int lidar_http_get(const char *address, const struct lidar_http_limits *limits, char **ret_text,
                   size_t *ret_size)
{
    if (!lidar_http_is_address(address))
        return sl_error(-EINVAL, "%s: an address begins with http:// or https://", address);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return sl_error(-ENOMEM, "%s: libcurl does not begin", address);
    CURL *curl = curl_easy_init();
    struct document d = {.text = malloc(FIRST_BYTES), .room = FIRST_BYTES, .most = limits->bytes};
    int err = curl ? get(curl, address, limits, &d) : sl_error(-ENOMEM, "%s: no memory", address);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    if (err < 0) {
        free(d.text);
        return err;
    }
    *ret_text = d.text;
    *ret_size = d.size;
    return 0;
}
