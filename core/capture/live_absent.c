/* SPDX-License-Identifier: Apache-2.0 */
/* live_absent.c - live.h for builds without libpcap. */
#include <errno.h>

#include "core/base/error.h"
#include "core/capture/live.h"

static int absent(const char *what)
{
    return sl_error(-ENOTSUP,
                    "%s: this build has no libpcap; install libpcap-dev and build again with "
                    "-DSLUICE_WITH_PCAP=ON",
                    what);
}

int sl_filter_create(const char *text, struct sl_filter **ret_filter)
{
    (void)text;
    (void)ret_filter;
    return absent("capture filter");
}

void sl_filter_destroy(struct sl_filter *filter)
{
    (void)filter;
}

int sl_filter_match(struct sl_filter *filter, const struct sl_capture_record *record)
{
    (void)filter;
    (void)record;
    return absent("capture filter");
}

int sl_live_open(const struct sl_live_options *options, struct sl_live **ret_live)
{
    (void)options;
    (void)ret_live;
    return absent("live capture");
}

void sl_live_close(struct sl_live *live)
{
    (void)live;
}

int sl_live_next(struct sl_live *live, struct sl_capture_record *ret_record)
{
    (void)live;
    (void)ret_record;
    return absent("live capture");
}

int sl_live_fd(const struct sl_live *live)
{
    (void)live;
    return -ENOTSUP;
}

int sl_live_statistics(struct sl_live *live, struct sl_live_statistics *ret_statistics)
{
    (void)live;
    (void)ret_statistics;
    return absent("live capture");
}
