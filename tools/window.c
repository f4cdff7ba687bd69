/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/window.h"

#include "core/base/error.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int sl_window_init(struct sl_window *window, unsigned size)
{
    *window = (struct sl_window){.size = size};
    window->values = calloc(size, sizeof *window->values);
    window->sorted = calloc(size, sizeof *window->sorted);
    if (window->values && window->sorted)
        return 0;
    sl_window_finish(window);
    return sl_error(-ENOMEM, "no memory for a window of %u messages", size);
}

void sl_window_finish(struct sl_window *window)
{
    free(window->values);
    free(window->sorted);
    *window = (struct sl_window){0};
}

void sl_window_add(struct sl_window *window, double value_ns)
{
    window->values[window->next] = value_ns;
    window->next = (window->next + 1) % window->size;
    if (window->count < window->size)
        window->count++;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void sl_window_tell(const struct sl_window *window, struct sl_window_facts *ret_facts)
{
    unsigned n = window->count;
    *ret_facts = (struct sl_window_facts){.count = n};
    if (n == 0)
        return;
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < n; i++)
        sum += window->values[i];
    double mean = sum / n;
    for (unsigned i = 0; i < n; i++)
        squares += (window->values[i] - mean) * (window->values[i] - mean);
    memcpy(window->sorted, window->values, n * sizeof *window->values);
    qsort(window->sorted, n, sizeof *window->sorted, by_value);
    ret_facts->mean = mean;
    ret_facts->deviation = sqrt(squares / n);
    ret_facts->min = window->sorted[0];
    ret_facts->max = window->sorted[n - 1];
    ret_facts->p50 = window->sorted[n / 2];
    ret_facts->p99 = window->sorted[n - 1 - (n - 1) / 100];
}
