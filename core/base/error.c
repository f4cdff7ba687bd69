/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[SL_ERROR_TEXT_MAX];

int sl_error(int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    /* The sentence may quote the old one: build it aside. */
    char next[SL_ERROR_TEXT_MAX];
    vsnprintf(next, sizeof next, format, args);
    va_end(args);
    memcpy(text, next, sizeof text);
    return err > 0 ? -err : err;
}

int sl_error_at(int err, const char *format, ...)
{
    char next[SL_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(next, sizeof next, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof next)
        snprintf(next + used, sizeof next - (size_t)used, ": %s",
                 text[0] ? text : strerror(err > 0 ? err : -err));
    memcpy(text, next, sizeof text);
    return err;
}

const char *sl_error_text(void)
{
    return text;
}

void sl_error_clear(void)
{
    text[0] = '\0';
}
