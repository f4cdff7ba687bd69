/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - the answer to --plan: what this program would publish and read with these options, and
 * what memory that takes. For `sluice plan` and the launcher.
 *
 * A line an item: a word, then KEY=VALUE separated by tabs. Sizes are bytes.
 *
 *   process    bytes (its counters), vm_bytes (mapped now, before any topic), mlock (0 or 1)
 *   publish    topic, type, slot_count, slot_size (their distance), loans, retain, subscribers,
 *              quota, visitors, ring, inline_max, side_size, lossless, huge (the pool lies in huge
 *              pages), memory, fallback (as written; empty = the default), pool_bytes, device_bytes
 *              (of these, not of the machine's memory), control_bytes, ring_bytes, ledgers,
 *              ledger_bytes (of one), total_bytes (of the machine's memory)
 *   subscribe  topic, type (empty = any), policy, quota, visitor
 *   expect     topic, or pattern (a regular expression, POSIX, extended, for whole names): what is
 *              read when it is found; policy, quota, retained_quota (of a topic that retains
 *              messages; 0 = the next), more_than_retained (so many more than it retains; 0 = as
 *              quota). Of a program's lines the first that fits a topic counts
 *   unknown    the program does not tell its topics
 *   end        nothing was cut off
 *
 * Keys may be added, and come in any order; none changes its meaning.
 */
#include "core/base/error.h"
#include "core/node/private.h"
#include "core/shm/domain.h"
#include "core/shm/publisher.h"
#include "core/shm/sizes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const policies[] = {"keep-last", "latest", "lossless"};

int sl_plan_publisher(struct sl_runtime *runtime, const struct sl_publisher_options *options)
{
    struct sl_publisher_options o = *options;
    struct sl_publisher_sizes sizes;
    int err = sl_topic_check(o.topic, o.type ? o.type : "");
    if (err == 0)
        err = sl_publisher_sizes(&o, &sizes);
    if (err < 0)
        return err;
    fprintf(
        runtime->plan,
        "publish\ttopic=%s\ttype=%s\tslot_count=%" PRIu32 "\tslot_size=%" PRIu64 "\tloans=%" PRIu32
        "\tretain=%" PRIu32 "\tsubscribers=%" PRIu32 "\tquota=%" PRIu32 "\tvisitors=%d"
        "\tring=%" PRIu32 "\tinline_max=%" PRIu32 "\tside_size=%" PRIu32 "\tlossless=%d\thuge=%d",
        o.topic, o.type ? o.type : "", o.slot_count, sizes.pool.slot_size, o.loans, o.retain,
        o.subscribers, o.quota, SL_VISITORS, o.ring, o.inline_max, sizes.pool.side_size, o.lossless,
        sizes.pool.is_huge);
    fprintf(runtime->plan,
            "\tmemory=%s\tfallback=%s\tpool_bytes=%" PRIu64 "\tdevice_bytes=%" PRIu64
            "\tcontrol_bytes=%" PRIu64 "\tring_bytes=%" PRIu64 "\tledgers=%" PRIu32
            "\tledger_bytes=%" PRIu64 "\ttotal_bytes=%" PRIu64 "\n",
            o.memory ? o.memory : "", o.fallback ? o.fallback : "", sizes.pool.pool_bytes,
            sizes.pool.device_bytes, sizes.pool.control_bytes, sizes.ring_bytes, sizes.ledgers,
            sizes.ledger_bytes, sizes.total_bytes);
    return 0;
}

int sl_plan_subscriber(struct sl_runtime *runtime, const struct sl_subscriber_options *options)
{
    struct sl_subscriber_options o = *options;
    int err = sl_topic_check(o.topic, o.type);
    if (err == 0)
        err = sl_subscriber_complete(&o);
    if (err < 0)
        return err;
    fprintf(runtime->plan,
            "subscribe\ttopic=%s\ttype=%s\tpolicy=%s\tquota=%" PRIu32 "\tvisitor=%d\n", o.topic,
            o.type ? o.type : "", policies[o.policy], o.quota, o.visitor);
    return 0;
}

int sl_runtime_expect(struct sl_runtime *runtime, const struct sl_expected *expected)
{
    char topic[SL_TOPIC_MAX];
    int err = expected->topic ? sl_runtime_topic(runtime, expected->topic, topic) : 0;
    if (err < 0 || !runtime->plan)
        return err;
    runtime->has_expected = true;
    fprintf(runtime->plan,
            "expect\t%s=%s\tpolicy=%s\tquota=%" PRIu32 "\tretained_quota=%" PRIu32
            "\tmore_than_retained=%" PRIu32 "\n",
            expected->topic ? "topic" : "pattern", expected->topic ? topic : expected->pattern,
            policies[expected->policy], expected->quota, expected->retained_quota,
            expected->more_than_retained);
    return 0;
}

/* What is mapped already: program, libraries, stacks. mlock counts that too. */
static uint64_t mapped_bytes(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%" SCNu64, &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int collect(struct sl_runtime *runtime, void *state)
{
    const struct sl_program *program = runtime->program;
    int err = 0;
    if (program->topics)
        err = program->topics(state, runtime);
    else
        fputs("unknown\n", runtime->plan);
    if (err < 0)
        return err;
    bool is_on_the_bus = !program->topics || runtime->has_expected ||
                         runtime->publisher_count + runtime->subscriber_count > 0;
    fprintf(runtime->plan, "process\tbytes=%" PRIu64 "\tvm_bytes=%" PRIu64 "\tmlock=%d\nend\n",
            is_on_the_bus ? sl_process_bytes() : 0, mapped_bytes(), runtime->common.mlock);
    return 0;
}

int sl_plan_answer(struct sl_runtime *runtime, void *state)
{
    char *text = NULL;
    size_t size = 0;
    runtime->plan = open_memstream(&text, &size);
    if (!runtime->plan)
        return sl_error(-ENOMEM, "no memory for an answer");
    int err = collect(runtime, state);
    bool is_whole = fclose(runtime->plan) == 0;
    if (err == 0 && (!is_whole || fputs(text, stdout) < 0 || fflush(stdout) != 0))
        err = sl_error(-EIO, "the answer cannot be written");
    free(text);
    return err;
}
