/* SPDX-License-Identifier: Apache-2.0 */
/* iceoryx_absent.c - for builds without iceoryx: the same interface, which says so. */
#include "core/base/error.h"
#include "core/shm/iceoryx.h"
#include <errno.h>
bool sl_iceoryx_is_there(void)
{
    return false;
}
int sl_iceoryx_start(const struct sl_domain *d)
{
    (void)d;
    return sl_error(-ENOTSUP, "built without iceoryx");
}
uint64_t sl_iceoryx_roudi(void)
{
    return 0;
}
int sl_iceoryx_sender_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                           uint32_t inline_max, struct sl_iceoryx_sender **ret)
{
    (void)domain;
    (void)topic;
    (void)instance;
    (void)inline_max;
    (void)ret;
    return -ENOTSUP;
}
int sl_iceoryx_reserve(struct sl_iceoryx_sender *s)
{
    (void)s;
    return -ENOTSUP;
}
void sl_iceoryx_send(struct sl_iceoryx_sender *s, const struct sl_descriptor *d,
                     const struct sl_range *r, uint32_t n, const void *b)
{
    (void)s;
    (void)d;
    (void)r;
    (void)n;
    (void)b;
}
void sl_iceoryx_sender_close(struct sl_iceoryx_sender *s)
{
    (void)s;
}
int sl_iceoryx_receiver_open(const struct sl_domain *domain, const char *topic, uint64_t instance,
                             uint32_t inline_max, struct sl_iceoryx_receiver **ret)
{
    (void)domain;
    (void)topic;
    (void)instance;
    (void)inline_max;
    (void)ret;
    return -ENOTSUP;
}
int sl_iceoryx_receive(struct sl_iceoryx_receiver *r, struct sl_descriptor *d,
                       struct sl_range ra[SL_RANGES_MAX], void *b)
{
    (void)r;
    (void)d;
    (void)ra;
    (void)b;
    return 0;
}
void sl_iceoryx_receiver_close(struct sl_iceoryx_receiver *r)
{
    (void)r;
}
