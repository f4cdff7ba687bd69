/* SPDX-License-Identifier: Apache-2.0 */
/* publishing.h - the options of programs that publish frames as fast as a sensor makes them: how
 * many may read, what they may hold, and what happens when somebody is behind.
 *
 * Life:    a member of the program's state, filled by the options of the table.
 * Threads: any; nothing is kept.
 * Errors:  -EINVAL with sl_error_text() that names the option.
 */
#ifndef SL_NODE_PUBLISHING_H
#define SL_NODE_PUBLISHING_H

#include "core/base/options.h"
#include "core/shm/sluice.h"

struct sl_publishing {
    int64_t subscribers, quota;
    int64_t lease_ns; /* 0 = holds end only when they are released */
    int64_t lossless_timeout_ns;
    int64_t wait_for; /* subscribers that must have attached before the first frame */
    bool lossless, block, relay;
};

/* Entries of a table of options. `at` is the offset of the struct in the state; then the defaults
 * of
 * --subscribers and --quota, as texts, and the helps of the two that depend on where frames come
 * from. */
// clang-format off
#define SL_PUBLISHING_OPTIONS(at, subscribers_text, quota_text, block_help, wait_help)               \
    {.name = "subscribers",                                                                          \
     .kind = SL_OPTION_INT,                                                                          \
     .offset = (at) + offsetof(struct sl_publishing, subscribers),                                   \
     .value = "N",                                                                                   \
     .fallback = subscribers_text,                                                                   \
     .min = 1,                                                                                       \
     .max = 1024,                                                                                    \
     .help = "Subscribers at one time"},                                                             \
    {.name = "quota",                                                                                \
     .kind = SL_OPTION_INT,                                                                          \
     .offset = (at) + offsetof(struct sl_publishing, quota),                                         \
     .value = "N",                                                                                   \
     .fallback = quota_text,                                                                         \
     .min = 1,                                                                                       \
     .max = 1024,                                                                                    \
     .help = "Frames that one subscriber may hold"},                                                 \
    {.name = "lease",                                                                                \
     .kind = SL_OPTION_DURATION,                                                                     \
     .offset = (at) + offsetof(struct sl_publishing, lease_ns),                                      \
     .value = "TIME",                                                                                \
     .fallback = "0",                                                                                \
     .max = 1e12,                                                                                    \
     .help = "When slots run out, take those back that have been held for longer; 0 = never"},       \
    {.name = "relay",                                                                                \
     .kind = SL_OPTION_FLAG,                                                                         \
     .offset = (at) + offsetof(struct sl_publishing, relay),                                         \
     .help = "Let a thread of its own wake subscribers: publishing takes as long whoever sleeps"},   \
    {.name = "lossless",                                                                             \
     .kind = SL_OPTION_FLAG,                                                                         \
     .offset = (at) + offsetof(struct sl_publishing, lossless),                                      \
     .help = "Let subscribers ask for every frame; while one is behind, new frames are left out"},   \
    {.name = "lossless-timeout",                                                                     \
     .kind = SL_OPTION_DURATION,                                                                     \
     .offset = (at) + offsetof(struct sl_publishing, lossless_timeout_ns),                           \
     .value = "TIME",                                                                                \
     .fallback = "1s",                                                                               \
     .min = 1e6,                                                                                     \
     .max = 1e12,                                                                                    \
     .help = "A subscriber that is behind for longer loses that right"},                             \
    {.name = "block",                                                                                \
     .kind = SL_OPTION_FLAG,                                                                         \
     .offset = (at) + offsetof(struct sl_publishing, block),                                         \
     .help = block_help},                                                                            \
    {.name = "wait-for-subscribers",                                                                 \
     .kind = SL_OPTION_INT,                                                                          \
     .offset = (at) + offsetof(struct sl_publishing, wait_for),                                      \
     .value = "N",                                                                                   \
     .max = 1024,                                                                                    \
     .help = wait_help}
// clang-format on

/* What the table cannot check. */
int sl_publishing_check(const struct sl_publishing *publishing);

/* Sets what they mean for a topic with slots; all else of `topic` stays as it is. */
void sl_publishing_apply(const struct sl_publishing *publishing,
                         struct sl_publisher_options *topic);

#endif
