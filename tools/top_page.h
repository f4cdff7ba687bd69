/* SPDX-License-Identifier: Apache-2.0 */
/* top_page.h - a census as a page of text, for sluice top. Pure; any thread. */
#ifndef SL_TOOLS_TOP_PAGE_H
#define SL_TOOLS_TOP_PAGE_H

#include "tools/census.h"

#include <stdbool.h>
#include <stdio.h>

enum sl_top_order {
    SL_TOP_NAME,
    SL_TOP_RATE,
    SL_TOP_BANDWIDTH,
    SL_TOP_LOSSES,
    SL_TOP_LATENCY
};
extern const char *const sl_top_order_names[]; /* "name" ... "latency", NULL */

struct sl_top_view {
    enum sl_top_order order;
    bool reverse;
    bool paused;
    bool colour;      /* bold and red by control sequences; widths count without them */
    unsigned columns; /* lines are cut to this; 0 = not */
    unsigned rows;    /* sections are cut to this; 0 = not */
};

/* Sorts the census's topics and nodes by the view's order on the way. */
void sl_top_page(struct sl_census *census, const struct sl_top_view *view, FILE *to);
void sl_top_json(const struct sl_census *census, FILE *to);

#endif
