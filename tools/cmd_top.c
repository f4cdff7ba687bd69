/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_top.c - sluice top: the nodes and topics of a domain, live. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "tools/terminal.h"
#include "tools/tool.h"
#include "tools/top_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct top_options {
    bool once, json;
    int64_t period_ns;
    int order;
} given;

static const struct sl_option options[] = {
    {.name = "once",
     .letter = '1',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct top_options, once),
     .help = "Print one page and end"},
    {.name = "json",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct top_options, json),
     .help = "Print one JSON object and end"},
    {.name = "period",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct top_options, period_ns),
     .fallback = "1s",
     .min = 1e7,
     .max = 1e12,
     .help = "Time between two looks, over which rates are told"},
    {.name = "sort",
     .letter = 's',
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct top_options, order),
     .fallback = "name",
     .choices = sl_top_order_names,
     .help = "Order of the topics"},
};

static const struct sl_command command = {
    .name = "sluice top",
    .summary = "Nodes and topics, live: who loses messages, who holds slots, who is late",
    .details = "What is wrong stands on top, in words. Keys: q quits, s sorts by the next column,\n"
               "r reverses, space pauses.",
    .example = "sluice top --once        # one page, for a log",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}, SL_TABLE_SCOPE},
};

static void show(struct sl_census *census, struct sl_top_view *view)
{
    char *text = NULL;
    size_t size = 0;
    FILE *page = open_memstream(&text, &size);
    if (!page)
        return;
    sl_terminal_size(&view->columns, &view->rows);
    sl_top_page(census, view, page);
    if (fclose(page) == 0)
        sl_terminal_show(text, size);
    free(text);
}

/* false: the person has seen enough. */
static bool obey(int key, struct sl_top_view *view)
{
    switch (key) {
    case 'q':
    case 'Q':
    case -1:
        return false;
    case 's':
        view->order = sl_top_order_names[view->order + 1] ? view->order + 1 : SL_TOP_NAME;
        break;
    case 'r':
        view->reverse = !view->reverse;
        break;
    case ' ':
        view->paused = !view->paused;
        break;
    default:
        break;
    }
    return true;
}

static int live(struct sl_census *census)
{
    struct sl_top_view view = {.order = (enum sl_top_order)given.order, .colour = true};
    int err = sl_terminal_open();
    if (err < 0)
        return err;
    err = sl_census_take(census);
    uint64_t next_ns = census->taken_ns + (uint64_t)given.period_ns;
    while (err == 0 && !sl_stopped()) {
        show(census, &view); /* after a key or a resize too */
        if (!obey(sl_terminal_key(next_ns), &view))
            break;
        if (sl_clock_monotonic_ns() < next_ns)
            continue;
        if (!view.paused)
            err = sl_census_take(census);
        next_ns = sl_clock_monotonic_ns() + (uint64_t)given.period_ns;
    }
    sl_terminal_close();
    return err;
}

static int run(void)
{
    struct sl_census *census;
    sl_stop_on_signals();
    int err = sl_census_open(sl_scope.domain, &census);
    if (err < 0)
        return err;
    if (given.once || given.json) {
        struct sl_top_view view = {.order = (enum sl_top_order)given.order};
        err = sl_census_take_rates(census, (uint64_t)given.period_ns);
        if (err == 0 && given.json)
            sl_top_json(census, stdout);
        else if (err == 0)
            sl_top_page(census, &view, stdout);
    } else {
        err = live(census);
    }
    sl_census_close(census);
    return err;
}

const struct sl_tool sl_tool_top = {.name = "top", .command = &command, .run = run};
