/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - launch files from memory: what is read, and what each mistake is told as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/error.h"
#include "launch/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The files that there are. */
static struct {
    const char *path;
    const char *text;
} files[4];

static int load_from_memory(const char *path, struct sl_yaml **ret_yaml)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (files[i].path && strcmp(files[i].path, path) == 0)
            return sl_yaml_parse(path, files[i].text, strlen(files[i].text), ret_yaml);
    return sl_error(-ENOENT, "%s: %s", path, strerror(ENOENT));
}

static int read_with(struct sl_plan **ret_plan, const char *text, const char *const *given,
                     unsigned count)
{
    files[0].path = "f.yaml";
    files[0].text = text;
    sl_error_clear();
    assert_int_equal(sl_plan_create(ret_plan), 0);
    return sl_plan_read(*ret_plan, "f.yaml", given, count, false, load_from_memory);
}

static struct sl_plan *good(const char *text)
{
    struct sl_plan *plan;
    if (read_with(&plan, text, NULL, 0) != 0)
        fail_msg("%s", sl_error_text());
    return plan;
}

/* The whole message, caret and all. */
/* The node's command line has this in it. */
static void check_command(struct sl_plan *plan, const struct sl_plan_node *node, const char *part)
{
    char **argv = NULL, line[1024] = "";
    assert_int_equal(sl_plan_command(plan, node, false, &argv), 0);
    for (; *argv; argv++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s ", *argv);
    if (!strstr(line, part))
        fail_msg("no '%s' in %s", part, line);
}

static void bad(const char *text, const char *message)
{
    struct sl_plan *plan;
    assert_true(read_with(&plan, text, NULL, 0) < 0);
    assert_string_equal(sl_error_text(), message);
    sl_plan_destroy(plan);
}

static int clear_files(void **state)
{
    (void)state;
    memset(files, 0, sizeof files);
    return 0;
}

/* What is read ----------------------------------------------------------------------------------*/

static void every_key_of_a_node_is_read(void **state)
{
    (void)state;
    struct sl_plan *plan = good("domain: bench\n"
                                "bus: native\n"
                                "duration: 1.5s\n"
                                "directories: [a, b]\n"
                                "nodes:\n"
                                "  first: {exec: x, args: [-n, '5']}\n"
                                "  second:\n"
                                "    exec: lidar\n"
                                "    params: {model: vlp-16, item: [a, b], deep: true}\n"
                                "    remap: {points: /p}\n"
                                "    env: {A: 1}\n"
                                "    cpus: 0\n"
                                "    sched: batch\n"
                                "    nice: -20\n"
                                "    mlock: yes\n"
                                "    pool: {memory: vgem, slots: 12, slot_size: 8M,\n"
                                "           fallback: [hugetlb, 'bar:00:04.0/2']}\n"
                                "    restart: {delay: 50ms, max_delay: 2s, max: 0}\n"
                                "    after: [first]\n"
                                "    required: true\n"
                                "    ready_timeout: 3s\n"
                                "    grace: 1min\n");
    assert_string_equal(plan->domain, "bench");
    assert_int_equal(plan->duration_ns, 1500000000);
    assert_int_equal(plan->directory_count, 2);
    assert_int_equal(plan->node_count, 2);
    const struct sl_plan_node *first = &plan->node[0], *n = &plan->node[1];
    assert_true(first->is_plain);
    assert_int_equal(first->args.count, 2);
    assert_string_equal(first->args.at[1].value, "5");
    assert_int_equal(first->restart, SL_RESTART_NEVER);
    assert_string_equal(n->exec, "lidar");
    assert_int_equal(n->params.count, 4);
    assert_string_equal(n->params.at[2].name, "item");
    assert_string_equal(n->params.at[2].value, "b");
    assert_string_equal(n->remap.at[0].value, "/p");
    assert_string_equal(n->env.at[0].name, "A");
    assert_string_equal(n->cpus, "0");
    assert_string_equal(n->sched, "batch");
    assert_string_equal(n->nice, "-20");
    assert_true(n->mlock);
    assert_string_equal(n->pool_memory, "vgem");
    assert_int_equal(n->pool_slots, 12);
    assert_int_equal(n->pool_slot_size, 8 << 20);
    assert_string_equal(n->pool_fallback, "hugetlb,bar:00:04.0/2");
    check_command(plan, n,
                  "--cpus=0 --sched=batch --nice=-20 --mlock "
                  "--memory=vgem --memory-fallback=hugetlb,bar:00:04.0/2 --slots=12 "
                  "--slot-size=8388608 --model");
    assert_int_equal(n->restart, SL_RESTART_ON_FAILURE);
    assert_int_equal(n->restart_delay_ns, 50000000);
    assert_int_equal(n->restart_max, 0);
    assert_string_equal(n->after.at[0].value, "first");
    assert_true(n->required);
    assert_int_equal(n->ready_timeout_ns, 3000000000);
    assert_int_equal(n->grace_ns, 60000000000);
    sl_plan_destroy(plan);
}

static void arguments_are_put_in_everywhere(void **state)
{
    (void)state;
    static const char text[] = "args:\n"
                               "  name: {default: a, help: which}\n"
                               "  file: $(name).pcap\n"
                               "  port:\n"
                               "nodes:\n"
                               "  n:\n"
                               "    exec: $(name)x\n"
                               "    params: {f: '$(dirname)/$(file)', p: $(port), cost: 5$$}\n";
    const char *given[] = {"port=2368", "name=b"};
    struct sl_plan *plan;
    assert_int_equal(read_with(&plan, text, given, 2), 0);
    assert_string_equal(plan->node[0].exec, "bx");
    assert_string_equal(plan->node[0].params.at[0].value, "./b.pcap");
    assert_string_equal(plan->node[0].params.at[1].value, "2368");
    assert_string_equal(plan->node[0].params.at[2].value, "5$");
    sl_plan_destroy(plan);
}

static void the_environment_can_be_asked(void **state)
{
    (void)state;
    setenv("SLUICE_TEST_VALUE", "seen", 1);
    unsetenv("SLUICE_TEST_NONE");
    struct sl_plan *plan = good("nodes: {n: {exec: $(env SLUICE_TEST_VALUE), "
                                "params: {a: $(env SLUICE_TEST_NONE or this)}}}\n");
    assert_string_equal(plan->node[0].exec, "seen");
    assert_string_equal(plan->node[0].params.at[0].value, "or this");
    sl_plan_destroy(plan);
}

static void an_included_file_gets_its_arguments(void **state)
{
    (void)state;
    files[1].path = "./sub/one.yaml";
    files[1].text = "args: {rate: 1, who: me}\n"
                    "duration: 99s\n"
                    "nodes: {inner: {exec: e, params: {rate: $(rate), who: $(who)}}}\n";
    struct sl_plan *plan = good("args: {r: 7}\n"
                                "include: [{file: sub/one.yaml, args: {rate: $(r)}}]\n"
                                "nodes: {outer: {exec: e, after: inner}}\n");
    assert_int_equal(plan->node_count, 2);
    assert_string_equal(plan->node[0].name, "inner");
    assert_string_equal(plan->node[0].params.at[0].value, "7");
    assert_string_equal(plan->node[0].params.at[1].value, "me");
    assert_int_equal(plan->duration_ns, 0);
    sl_plan_destroy(plan);
}

static void a_node_s_bus_stands_above_the_file_s_and_the_first_file_s_above_others(void **state)
{
    (void)state;
    static const char outer[] = "bus: iceoryx\n"
                                "include: one.yaml\n"
                                "nodes: {own: {exec: e, bus: native}, none: {exec: e}}\n";
    setenv("SLUICE_BUS", "native", 1);
    files[1].path = "./one.yaml";
    files[1].text = "bus: native\nnodes: {inner: {exec: e}}\n";
    struct sl_plan *plan = good(outer);
    assert_int_equal(sl_plan_choose_bus(plan, SL_BUS_DEFAULT), 0);
    assert_int_equal(plan->node[sl_plan_find(plan, "inner")].bus, SL_BUS_ICEORYX);
    assert_int_equal(plan->node[sl_plan_find(plan, "own")].bus, SL_BUS_NATIVE);
    assert_int_equal(plan->node[sl_plan_find(plan, "none")].bus, SL_BUS_ICEORYX);
    assert_int_equal(sl_yaml_line(plan->node[sl_plan_find(plan, "none")].bus_place), 1);
    sl_plan_destroy(plan);

    plan = good(outer);
    assert_int_equal(sl_plan_choose_bus(plan, SL_BUS_ICEORYX), 0);
    assert_int_equal(plan->node[sl_plan_find(plan, "own")].bus, SL_BUS_ICEORYX);
    sl_plan_destroy(plan);

    unsetenv("SLUICE_BUS");
    plan = good("nodes: {a: {exec: e}}\n");
    assert_int_equal(sl_plan_choose_bus(plan, SL_BUS_DEFAULT), 0);
    assert_int_equal(plan->node[0].bus, SL_BUS_NATIVE);
    sl_plan_destroy(plan);
}

static void set_overrides_a_parameter(void **state)
{
    (void)state;
    struct sl_plan *plan = good("nodes: {n: {exec: e, params: {a: 1, b: 2}}}\n");
    assert_int_equal(sl_plan_set(plan, "n.a=x=y"), 0);
    assert_int_equal(sl_plan_set(plan, "n.c="), 0);
    assert_int_equal(plan->node[0].params.count, 3);
    assert_string_equal(plan->node[0].params.at[1].name, "a");
    assert_string_equal(plan->node[0].params.at[1].value, "x=y");
    assert_int_equal(sl_plan_set(plan, "m.a=1"), -EINVAL);
    assert_string_equal(sl_error_text(), "option --set: there is no node 'm'");
    assert_int_equal(sl_plan_set(plan, "n=1"), -EINVAL);
    sl_plan_destroy(plan);
}

/* Mistakes --------------------------------------------------------------------------------------*/

static void broken_yaml_is_told_with_place_and_caret(void **state)
{
    (void)state;
    bad("nodes:\n  a: {exec: x\n", "f.yaml:3:1: missing comma in flow mapping");
}

static void an_unknown_key_is_told_with_the_nearest(void **state)
{
    (void)state;
    bad("nodes:\n"
        "  lidar:\n"
        "    exce: lidar\n",
        "f.yaml:3:5: a node has no key 'exce'; did you mean 'exec'?\n"
        "        exce: lidar\n"
        "        ^");
    bad("node: {}\n", "f.yaml:1:1: a launch file has no key 'node'; did you mean 'nodes'?\n"
                      "    node: {}\n"
                      "    ^");
    bad("nodes: {a: {exec: b, restart: {dleay: 1s}}}\n",
        "f.yaml:1:32: restart has no key 'dleay'; did you mean 'delay'?\n"
        "    nodes: {a: {exec: b, restart: {dleay: 1s}}}\n"
        "                                   ^");
    bad("nodes: {a: {exec: b, zzz: 1}}\n",
        "f.yaml:1:22: a node has no key 'zzz'; it may have: exec, params, args, remap, env, cpus, "
        "sched, nice, mlock, restart, bus, pool, after, required, ready_timeout, "
        "grace\n"
        "    nodes: {a: {exec: b, zzz: 1}}\n"
        "                         ^");
}

static void a_key_given_twice_is_told(void **state)
{
    (void)state;
    bad("nodes:\n"
        "  a: {exec: x}\n"
        "  a: {exec: y}\n",
        "f.yaml:3:3: key 'a' stands here already, in line 2\n"
        "      a: {exec: y}\n"
        "      ^");
}

static void a_file_without_nodes_is_told(void **state)
{
    (void)state;
    bad("", "f.yaml: the file is empty; it should have nodes:");
    bad("# only a word\n", "f.yaml: the file is empty; it should have nodes:");
    bad("- a\n", "f.yaml:1:1: a launch file is a mapping with nodes:, not a list\n"
                 "    - a\n"
                 "    ^");
    bad("domain: d\n", "f.yaml:1:1: nothing to start: no file has an entry below nodes:\n"
                       "    domain: d\n"
                       "    ^");
    bad("nodes: [a]\n", "f.yaml:1:8: nodes: a mapping of names to nodes is wanted here\n"
                        "    nodes: [a]\n"
                        "           ^");
}

static void a_node_without_a_program_is_told(void **state)
{
    (void)state;
    bad("nodes: {a: {required: true}}\n",
        "f.yaml:1:9: node a: exec: is missing, the program to start\n"
        "    nodes: {a: {required: true}}\n"
        "            ^");
    bad("nodes: {a: {exec: }}\n", "f.yaml:1:13: exec: the value is missing\n"
                                  "    nodes: {a: {exec: }}\n"
                                  "                ^");
    bad("nodes: {'a b': {exec: x}}\n",
        "f.yaml:1:9: 'a b' is no node's name: 1 to 63 letters, digits, '_' and '-'\n"
        "    nodes: {'a b': {exec: x}}\n"
        "            ^");
}

static void wrong_values_are_told_at_the_value(void **state)
{
    (void)state;
    bad("nodes: {a: {exec: b, required: maybe}}\n",
        "f.yaml:1:32: required: 'maybe' is neither true nor false\n"
        "    nodes: {a: {exec: b, required: maybe}}\n"
        "                                   ^");
    bad("nodes: {a: {exec: b, restart: sometimes}}\n",
        "f.yaml:1:31: restart policy: 'sometimes' is none of: never, on-failure, always\n"
        "    nodes: {a: {exec: b, restart: sometimes}}\n"
        "                                  ^");
    bad("nodes: {a: {exec: b, ready_timeout: soon}}\n",
        "f.yaml:1:37: ready_timeout: 'soon' is no time such as 200ms, 10s or 2min\n"
        "    nodes: {a: {exec: b, ready_timeout: soon}}\n"
        "                                        ^");
    bad("nodes: {a: {exec: b, restart: {max: -1}}}\n",
        "f.yaml:1:37: max: '-1' is no number of restarts (0 = no limit)\n"
        "    nodes: {a: {exec: b, restart: {max: -1}}}\n"
        "                                        ^");
    bad("nodes: {a: {exec: b, sched: fifo}}\n",
        "f.yaml:1:29: sched: 'fifo' is none of: other, batch, idle, fifo:N, rr:N (N 1 to 99)\n"
        "    nodes: {a: {exec: b, sched: fifo}}\n"
        "                                ^");
    bad("nodes: {a: {exec: b, nice: -21}}\n",
        "f.yaml:1:28: nice: '-21' is no number from -20 to 19\n"
        "    nodes: {a: {exec: b, nice: -21}}\n"
        "                               ^");
    bad("nodes: {a: {exec: b, nice: -5, sched: fifo:1}}\n",
        "f.yaml:1:28: nice counts for the scheduling other and batch, not for sched: fifo:1; leave "
        "one of them out\n"
        "    nodes: {a: {exec: b, nice: -5, sched: fifo:1}}\n"
        "                               ^");
    bad("nodes: {a: {exec: b, cpus: [x]}}\n",
        "f.yaml:1:28: cpus: 'x' are no processors of this machine; write [0, 1] or 0-3\n"
        "    nodes: {a: {exec: b, cpus: [x]}}\n"
        "                               ^");
    bad("nodes: {a: {exec: [b]}}\n", "f.yaml:1:19: exec: a text is wanted here, not a list\n"
                                     "    nodes: {a: {exec: [b]}}\n"
                                     "                      ^");
    bad("bus: ros\nnodes: {a: {exec: b}}\n", "f.yaml:1:6: bus: 'ros' is none of: native, iceoryx\n"
                                             "    bus: ros\n"
                                             "         ^");
    bad("nodes: {a: {exec: b, bus: dds}}\n", "f.yaml:1:27: bus: 'dds' is none of: native, iceoryx\n"
                                             "    nodes: {a: {exec: b, bus: dds}}\n"
                                             "                              ^");
}

static void pools_that_cannot_be_are_told_in_place(void **state)
{
    (void)state;
    bad("nodes: {a: {exec: b, pool: {memory: vgen}}}\n",
        "f.yaml:1:37: memory: there is no memory of kind 'vgen'; did you mean 'vgem'?\n"
        "    nodes: {a: {exec: b, pool: {memory: vgen}}}\n"
        "                                        ^");
    bad("nodes: {a: {exec: b, pool: {memory: 'bar:4'}}}\n",
        "f.yaml:1:37: memory: memory bar: '4' is no BAR; write DEVICE/N, as in bar:0000:00:04.0/2 "
        "(lspci -D shows devices), with /wc or /uc behind to insist on one\n"
        "    nodes: {a: {exec: b, pool: {memory: 'bar:4'}}}\n"
        "                                        ^");
    bad("nodes: {a: {exec: b, pool: {fallback: [memfd, tape]}}}\n",
        "f.yaml:1:47: fallback: there is no memory of kind 'tape'; there are memfd[:huge|:thp], "
        "hugetlb, vgem, dma-heap:NAME, bar:DEVICE/N, reserved:ADDRESS+SIZE\n"
        "    nodes: {a: {exec: b, pool: {fallback: [memfd, tape]}}}\n"
        "                                                  ^");
    bad("nodes: {a: {exec: b, pool: {slots: 0}}}\n",
        "f.yaml:1:36: slots: '0' is no number from 1 to 65536\n"
        "    nodes: {a: {exec: b, pool: {slots: 0}}}\n"
        "                                       ^");
    bad("nodes: {a: {exec: b, pool: {slot_size: 0}}}\n",
        "f.yaml:1:40: slot_size: '0' is no multiple of 4096, a page; write 8M, 2048k or a number "
        "of bytes\n"
        "    nodes: {a: {exec: b, pool: {slot_size: 0}}}\n"
        "                                           ^");
    bad("nodes: {a: {exec: b, pool: {slot_size: 5000}}}\n",
        "f.yaml:1:40: slot_size: '5000' is no multiple of 4096, a page; write 8M, 2048k or a "
        "number of bytes\n"
        "    nodes: {a: {exec: b, pool: {slot_size: 5000}}}\n"
        "                                           ^");
    bad("nodes: {a: {exec: b, pool: {kind: vgem}}}\n",
        "f.yaml:1:29: pool has no key 'kind'; it may have: memory, slots, slot_size, fallback\n"
        "    nodes: {a: {exec: b, pool: {kind: vgem}}}\n"
        "                                ^");
    bad("nodes: {a: {exec: b, args: [], pool: {slots: 4}}}\n",
        "f.yaml:1:38: pool is for Sluice's own programs; with args: write all arguments there\n"
        "    nodes: {a: {exec: b, args: [], pool: {slots: 4}}}\n"
        "                                         ^");
}

static void params_and_args_do_not_go_together(void **state)
{
    (void)state;
    bad("nodes: {a: {exec: b, args: [], params: {c: 1}}}\n",
        "f.yaml:1:40: params is for Sluice's own programs; with args: write all arguments there\n"
        "    nodes: {a: {exec: b, args: [], params: {c: 1}}}\n"
        "                                           ^");
}

static void an_unknown_argument_is_told_where_it_is_used(void **state)
{
    (void)state;
    bad("args: {rate: 1}\nnodes: {a: {exec: b, params: {r: $(rat)}}}\n",
        "f.yaml:2:34: no argument 'rat'; did you mean $(rate)?\n"
        "    nodes: {a: {exec: b, params: {r: $(rat)}}}\n"
        "                                     ^");
    bad("nodes: {a: {exec: $(b}}\n",
        "f.yaml:1:19: '$(' without its ')'; write $$( for a plain one\n"
        "    nodes: {a: {exec: $(b}}\n"
        "                      ^");
    bad("args: {a: $(a)}\nnodes: {a: {exec: b}}\n",
        "f.yaml:1:11: no argument 'a'; name it below args:, or write $$(\n"
        "    args: {a: $(a)}\n"
        "              ^");
    unsetenv("SLUICE_TEST_NONE");
    bad("nodes: {a: {exec: $(env SLUICE_TEST_NONE)}}\n",
        "f.yaml:1:19: the environment has no SLUICE_TEST_NONE; set it, or write $(env "
        "SLUICE_TEST_NONE DEFAULT)\n"
        "    nodes: {a: {exec: $(env SLUICE_TEST_NONE)}}\n"
        "                      ^");
}

static void a_missing_argument_is_told_with_its_help(void **state)
{
    (void)state;
    bad("args:\n"
        "  capture: {help: the file to replay}\n"
        "nodes: {a: {exec: b}}\n",
        "f.yaml:2:3: argument capture must be given: capture=VALUE - the file to replay\n"
        "      capture: {help: the file to replay}\n"
        "      ^");
}

static void given_arguments_must_be_known(void **state)
{
    (void)state;
    struct sl_plan *plan;
    const char *given[] = {"rat=1"};
    assert_int_equal(read_with(&plan, "args: {rate: 1}\nnodes: {a: {exec: b}}\n", given, 1),
                     -EINVAL);
    assert_string_equal(sl_error_text(), "f.yaml has no argument 'rat'; did you mean rate=...?");
    sl_plan_destroy(plan);
    given[0] = "rate";
    assert_int_equal(read_with(&plan, "nodes: {a: {exec: b}}\n", given, 1), -EINVAL);
    assert_string_equal(sl_error_text(), "'rate' is no argument; write key=value");
    sl_plan_destroy(plan);
}

static void an_argument_growing_without_bound_is_refused(void **state)
{
    (void)state;
    bad("args:\n"
        "  a: 0123456789012345678901234567890123456789012345678901234567890123\n"
        "  b: $(a)$(a)$(a)$(a)$(a)$(a)$(a)$(a)\n"
        "  c: $(b)$(b)$(b)$(b)$(b)$(b)$(b)$(b)\n"
        "nodes: {a: {exec: b}}\n",
        "f.yaml:4:6: the text is longer than 4095 bytes when its $(...) are put in\n"
        "      c: $(b)$(b)$(b)$(b)$(b)$(b)$(b)$(b)\n"
        "         ^");
}

static void includes_that_fail_are_told_at_the_include(void **state)
{
    (void)state;
    bad("include: none.yaml\nnodes: {a: {exec: b}}\n",
        "f.yaml:1:10: cannot read ./none.yaml: No such file or directory\n"
        "    include: none.yaml\n"
        "             ^");
    files[1].path = "./sub.yaml";
    files[1].text = "nodes: {a: {exec: [}}\n";
    struct sl_plan *plan;
    assert_int_equal(read_with(&plan, "include: sub.yaml\n", NULL, 0), -EINVAL);
    assert_non_null(strstr(sl_error_text(), "./sub.yaml:1:"));
    sl_plan_destroy(plan);
    files[1].text = "nodes: {b: {exec: c}}\n";
    bad("include: [{file: sub.yaml, args: {x: 1}}]\n",
        "f.yaml:1:38: ./sub.yaml has no argument 'x'; it has none\n"
        "    include: [{file: sub.yaml, args: {x: 1}}]\n"
        "                                         ^");
    bad("include: sub.yaml\nnodes: {b: {exec: c}}\n",
        "f.yaml:2:9: a node 'b' stands already at ./sub.yaml:1:9\n"
        "    nodes: {b: {exec: c}}\n"
        "            ^");
}

static void a_circle_of_includes_is_told(void **state)
{
    (void)state;
    files[1].path = "/x/a.yaml";
    files[1].text = "include: b.yaml\n";
    files[2].path = "/x/b.yaml";
    files[2].text = "include: /x/a.yaml\n";
    bad("include: /x/a.yaml\n", "/x/b.yaml:1:10: /x/a.yaml includes itself by way of this file\n"
                                "    include: /x/a.yaml\n"
                                "             ^");
}

static void after_must_name_nodes_and_not_go_round(void **state)
{
    (void)state;
    bad("nodes: {lidar: {exec: b}, a: {exec: b, after: lidra}}\n",
        "f.yaml:1:47: after: there is no node 'lidra'; did you mean 'lidar'?\n"
        "    nodes: {lidar: {exec: b}, a: {exec: b, after: lidra}}\n"
        "                                                  ^");
    bad("nodes:\n"
        "  a: {exec: x, after: [b]}\n"
        "  b: {exec: x, after: [a]}\n",
        "f.yaml:2:24: after: nodes wait for each other in a circle: a for b\n"
        "      a: {exec: x, after: [b]}\n"
        "                           ^");
}

static void a_missing_file_is_told(void **state)
{
    (void)state;
    struct sl_plan *plan;
    assert_int_equal(sl_plan_create(&plan), 0);
    assert_int_equal(sl_plan_read(plan, "/none/x.yaml", NULL, 0, false, sl_yaml_load), -ENOENT);
    assert_string_equal(sl_error_text(), "/none/x.yaml: No such file or directory");
    sl_plan_destroy(plan);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, clear_files)
    const struct CMUnitTest tests[] = {
        TEST(every_key_of_a_node_is_read),
        TEST(arguments_are_put_in_everywhere),
        TEST(the_environment_can_be_asked),
        TEST(an_included_file_gets_its_arguments),
        TEST(a_node_s_bus_stands_above_the_file_s_and_the_first_file_s_above_others),
        TEST(set_overrides_a_parameter),
        TEST(broken_yaml_is_told_with_place_and_caret),
        TEST(an_unknown_key_is_told_with_the_nearest),
        TEST(a_key_given_twice_is_told),
        TEST(a_file_without_nodes_is_told),
        TEST(a_node_without_a_program_is_told),
        TEST(wrong_values_are_told_at_the_value),
        TEST(pools_that_cannot_be_are_told_in_place),
        TEST(params_and_args_do_not_go_together),
        TEST(an_unknown_argument_is_told_where_it_is_used),
        TEST(a_missing_argument_is_told_with_its_help),
        TEST(given_arguments_must_be_known),
        TEST(an_argument_growing_without_bound_is_refused),
        TEST(includes_that_fail_are_told_at_the_include),
        TEST(a_circle_of_includes_is_told),
        TEST(after_must_name_nodes_and_not_go_round),
        TEST(a_missing_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
