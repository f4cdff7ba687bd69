/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx_absent.c - iceoryx.h for builds without iceoryx. */
#include "core/base/error.h"
#include "core/shm/iceoryx.h"

#include <errno.h>

static int absent(void)
{
    return sl_error(-ENOTSUP, "bus iceoryx: this build has no iceoryx; install "
                              "libiceoryx-binding-c-dev and build again with -DSLUICE_ICEORYX=ON");
}

bool sl_iceoryx_is_there(void)
{
    return false;
}

int sl_iceoryx_start(const struct sl_domain *domain)
{
    (void)domain;
    return absent();
}

uint64_t sl_iceoryx_roudi(void)
{
    return 0;
}

int sl_iceoryx_sender_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                           uint32_t inline_max, struct sl_iceoryx_sender **ret_sender)
{
    (void)domain;
    (void)topic;
    (void)instance;
    (void)inline_max;
    (void)ret_sender;
    return absent();
}

int sl_iceoryx_reserve(struct sl_iceoryx_sender *sender)
{
    (void)sender;
    return absent();
}

void sl_iceoryx_send(struct sl_iceoryx_sender *sender, const struct sl_descriptor *d,
                     const struct sl_range *ranges, uint32_t range_count, const void *inline_body)
{
    (void)sender;
    (void)d;
    (void)ranges;
    (void)range_count;
    (void)inline_body;
}

void sl_iceoryx_sender_close(struct sl_iceoryx_sender *sender)
{
    (void)sender;
}

int sl_iceoryx_receiver_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                             uint32_t inline_max, struct sl_iceoryx_receiver **ret_receiver)
{
    (void)domain;
    (void)topic;
    (void)instance;
    (void)inline_max;
    (void)ret_receiver;
    return absent();
}

bool sl_iceoryx_receiver_is_connected(struct sl_iceoryx_receiver *receiver)
{
    (void)receiver;
    return false;
}

int sl_iceoryx_receive(struct sl_iceoryx_receiver *receiver, struct sl_descriptor *ret_d,
                       struct sl_range ret_ranges[SL_RANGES_MAX], void *inline_to)
{
    (void)receiver;
    (void)ret_d;
    (void)ret_ranges;
    (void)inline_to;
    return absent();
}

void sl_iceoryx_receiver_close(struct sl_iceoryx_receiver *receiver)
{
    (void)receiver;
}
