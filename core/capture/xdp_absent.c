/* SPDX-License-Identifier: Apache-2.0 */
/* xdp_absent.c - xdp.h where there is no libxdp. */
#include "core/capture/xdp.h"

#include <errno.h>

#include "core/base/error.h"

int sl_xdp_open(const struct sl_xdp_options *options, struct sl_xdp **ret_xdp)
{
    (void)ret_xdp;
    return sl_error(-ENOTSUP,
                    "frames of %s by XDP: built without libxdp; install libxdp-dev and libbpf-dev "
                    "and build again",
                    options->interface);
}

void sl_xdp_close(struct sl_xdp *xdp)
{
    (void)xdp;
}

bool sl_xdp_give(struct sl_xdp *xdp, uint32_t slot)
{
    (void)xdp, (void)slot;
    return false;
}

int sl_xdp_next(struct sl_xdp *xdp, struct sl_xdp_frame *ret_frame)
{
    (void)xdp, (void)ret_frame;
    return 0;
}

void sl_xdp_flush(struct sl_xdp *xdp)
{
    (void)xdp;
}

int sl_xdp_fd(const struct sl_xdp *xdp)
{
    (void)xdp;
    return -1;
}

void sl_xdp_stats(const struct sl_xdp *xdp, struct sl_xdp_stats *ret_stats)
{
    (void)xdp;
    *ret_stats = (struct sl_xdp_stats){0};
}

unsigned sl_xdp_queues(const struct sl_xdp *xdp)
{
    (void)xdp;
    return 1;
}

const char *sl_xdp_mode(const struct sl_xdp *xdp)
{
    (void)xdp;
    return "";
}

bool sl_xdp_is_zero_copy(const struct sl_xdp *xdp)
{
    (void)xdp;
    return false;
}
