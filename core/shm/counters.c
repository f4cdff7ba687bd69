/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shm/counters.h"

#include "core/base/error.h"
#include "core/shm/service.h"
#include "core/shm/statspage.h"

#include <errno.h>
#include <stdlib.h>

struct sl_counters {
    struct sl_domain domain;
    bool has_service;
    struct sl_stats_sheet *sheet;
};

static int open_sheet(struct sl_counters *c, const char *domain, const char *title,
                      const char *const *names)
{
    int err = sl_domain_open(domain, true, &c->domain);
    if (err < 0 || (err = sl_service_acquire()) < 0)
        return err;
    c->has_service = true;
    sl_service_lock();
    c->sheet = sl_statspage_add_sheet(&c->domain, title, names);
    sl_service_unlock();
    return c->sheet ? 0 : sl_error(-ENOMEM, "no memory for the counters of %s", title);
}

int sl_counters_open(const char *domain, const char *title, const char *const *names,
                     struct sl_counters **ret_counters)
{
    struct sl_counters *c = calloc(1, sizeof *c);
    if (!c)
        return sl_error(-ENOMEM, "no memory for the counters of %s", title);
    c->domain.fd = -1;
    int err = open_sheet(c, domain, title, names);
    if (err < 0)
        sl_counters_close(c);
    else
        *ret_counters = c;
    return err;
}

void sl_counters_set(struct sl_counters *c, const uint64_t *values)
{
    for (unsigned i = 0; i < SL_STATS_COUNTERS && c->sheet->name[i][0]; i++)
        sl_stats_set(&c->sheet->value[i], values[i]);
}

const struct sl_stats_sheet *sl_counters_sheet(const struct sl_counters *c)
{
    return c->sheet;
}

void sl_counters_close(struct sl_counters *c)
{
    if (!c)
        return;
    if (c->has_service) {
        sl_service_lock();
        sl_statspage_remove_sheet(c->sheet);
        sl_service_unlock();
        sl_service_release();
    }
    sl_domain_close(&c->domain);
    free(c);
}
