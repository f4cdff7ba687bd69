/* SPDX-License-Identifier: Apache-2.0 */
#include "core/node/publishing.h"

#include <errno.h>

#include "core/base/error.h"

int sl_publishing_check(const struct sl_publishing *p)
{
    if (p->wait_for > p->subscribers)
        return sl_error(-EINVAL,
                        "option --wait-for-subscribers: %d will never come where --subscribers "
                        "allows %d",
                        (int)p->wait_for, (int)p->subscribers);
    return 0;
}

void sl_publishing_apply(const struct sl_publishing *p, struct sl_publisher_options *topic)
{
    topic->subscribers = (uint32_t)p->subscribers;
    topic->quota = (uint32_t)p->quota;
    topic->lease_ns = p->lease_ns;
    topic->lossless = p->lossless || p->block;
    topic->relay = p->relay;
    topic->lossless_timeout_ns = p->lossless_timeout_ns;
}
