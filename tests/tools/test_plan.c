/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan.c - sluice plan: what it says is what is then opened, and what does not fit is told. */
#include "tests/tools/harness.h"

#include "core/base/error.h"
#include "core/base/yaml.h"
#include "launch/budget.h"
#include "tests/emulated.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>

#define MIB (UINT64_C(1) << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_EMULATED
#define PROGRAM_MOST 1e15 /* terabytes of shadow, or what qemu set aside */
#else
#define PROGRAM_MOST 64e6 /* what a program of ours maps before it has a topic */
#endif

static const char *write_file(const char *name, const char *text)
{
    const char *path = harness_path(name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* The plan of a launch file as JSON; status -1 = whether it fits or not. */
static struct sl_yaml *plan_json(const char *text, int status)
{
    struct run r = run("sluice", "plan", write_file("f.yaml", text), "--json", NULL);
    if (r.status != status && (status >= 0 || r.status > 1))
        fail_msg("status %d\n%s%s", r.status, r.out, r.err);
    struct sl_yaml *json = json_parse(r.out);
    run_free(&r);
    return json;
}

/* What is there ---------------------------------------------------------------------------------*/

/* The segments of a process whose name ends like that: how many, their bytes, the largest. */
struct segments {
    unsigned count;
    double bytes, largest;
};

static struct segments segments_of(pid_t pid, const char *what)
{
    struct segments found = {0};
    char path[300], target[128], wanted[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    snprintf(wanted, sizeof wanted, "/memfd:sluice sluice-%s", what);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat facts;
        snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, entry->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n <= 0 || strncmp(target, wanted, strlen(wanted)) != 0 || stat(path, &facts) < 0)
            continue;
        found.count++;
        found.bytes += (double)facts.st_size;
        if ((double)facts.st_size > found.largest)
            found.largest = (double)facts.st_size;
    }
    closedir(directory);
    return found;
}

static void plan_says_what_is_then_opened(void **state)
{
    (void)state;
    struct sl_yaml *json =
        plan_json("nodes:\n"
                  "  lidar:\n"
                  "    exec: lidar\n"
                  "    params: {source: sim, subscribers: 3, quota: 5, fix: false}\n",
                  0);
    struct child lidar = start("lidar", "--source", "sim", "--no-fix", "--subscribers", "3",
                               "--quota=5", "--wait-for-subscribers=2", NULL);
    struct child reader = start("monitor", "--topics=/lidar/points", NULL);
    /* A frame comes when both are attached, and the first one stays. */
    struct run r = run("monitor", "--topics=/lidar/points", "--expect-frames=1", NULL);
    assert_int_equal(r.status, 0);
    run_free(&r);

    struct segments pools = segments_of(lidar.pid, "pool");
    struct segments controls = segments_of(lidar.pid, "control");
    struct segments rings = segments_of(lidar.pid, "ring");
    struct segments ledgers = segments_of(lidar.pid, "ledger");
    struct segments counters = segments_of(lidar.pid, "stats");
    assert_int_equal(pools.count, 2);
    assert_true(ledgers.count >= 1);
#define OF(i, key) json_number(json, "nodes.0.publishers." #i "." key)
    assert_true(OF(0, "pool_bytes") == pools.largest);
    assert_true(OF(0, "pool_bytes") + OF(1, "pool_bytes") == pools.bytes);
    assert_true(OF(0, "control_bytes") + OF(1, "control_bytes") == controls.bytes);
    assert_true(OF(0, "ring_bytes") + OF(1, "ring_bytes") == rings.bytes);
    assert_true(OF(0, "ledgers_bytes") == 7 * ledgers.largest); /* 3 subscribers, 4 visitors */
    assert_int_equal(counters.count, 1);
    assert_true(json_number(json, "nodes.0.counters_bytes") == counters.bytes);
    double all = pools.bytes + controls.bytes + rings.bytes + 14 * ledgers.largest + counters.bytes;
    assert_true(json_number(json, "total_bytes") == all);
    assert_true(json_number(json, "restart_bytes") == all); /* it is not restarted */

    /* loans (a turn and the one before it) + retained + 3 subscribers * 5 + visitors + 1 */
    assert_true(OF(0, "slots") == 2 + 0 + 3 * 5 + 4 + 1);
    assert_true(OF(1, "slots") == 1 + 0 + 3 * 5 + 4 + 1);
    assert_true(OF(0, "slots") * OF(0, "slot_bytes") == OF(0, "pool_bytes"));
    assert_string_equal(json_text(json, "nodes.0.publishers.0.topic"), "/lidar/points");
#undef OF
    sl_yaml_destroy(json);
    assert_int_equal(stop(&reader, SIGTERM), 0);
    assert_int_equal(stop(&lidar, SIGTERM), 0);
}

static void asking_opens_nothing(void **state)
{
    (void)state;
    struct run r = run("lidar", "--plan", "--source=sim", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "publish\ttopic=/lidar/points\t");
    assert_has(r.out, "\nend\n");
    run_free(&r);
    assert_int_equal(access(getenv("SLUICE_ROOT"), F_OK), -1); /* not even the domain */
    r = run("lidar", "--plan", "--slots=1", NULL);
    assert_int_equal(r.status, 2);
    assert_string_equal(r.out,
                        "\ttopic /lidar/points: 1 slots are too few to retain 0 messages and "
                        "loan 2\n");
    run_free(&r);
}

static void what_may_be_restarted_counts_twice(void **state)
{
    (void)state;
    struct sl_yaml *json =
        plan_json("nodes:\n"
                  "  a: {exec: lidar, params: {source: sim}, restart: on-failure}\n"
                  "  b: {exec: lidar, params: {source: sim}}\n"
                  "  c: {exec: sluice, args: [version]}\n",
                  0);
    double a = json_number(json, "nodes.0.total_bytes"),
           b = json_number(json, "nodes.1.total_bytes");
    assert_true(a > 100e6 && a == b);
    assert_true(json_number(json, "nodes.0.restart_bytes") == 2 * a);
    assert_true(json_number(json, "nodes.1.restart_bytes") == b);
    assert_true(json_number(json, "total_bytes") == a + b);
    assert_true(json_number(json, "restart_bytes") == 2 * a + b);
    assert_true(json_number(json, "limits.machine.wanted_bytes") == 2 * a + b);
    assert_string_equal(json_text(json, "nodes.2.known"), "false");
    assert_true(json_number(json, "unknown_nodes") == 1);
    sl_yaml_destroy(json);

    struct run r = run("sluice", "plan", harness_path("f.yaml"), NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "39 = 2 + 0 + 8*4 + 4 + 1");
    assert_has(r.out, "c     unknown: sluice does not tell what it takes");
    assert_has(r.out, "while all that may be restarted are");
    run_free(&r);
}

/* Readers ---------------------------------------------------------------------------------------*/

static void readers_that_want_more_than_is_planned_are_told(void **state)
{
    (void)state;
    const char *file = write_file(
        "f.yaml",
        "nodes:\n"
        "  lidar: {exec: lidar, params: {source: sim, subscribers: 1, quota: 2, slots: 7}}\n"
        "  m: {exec: monitor, remap: {points: /lidar/points}}\n"
        "  n: {exec: nearest, remap: {points: /lidar/points}}\n"
        "  typed: {exec: monitor, params: {topics: /lidar/points, type: a/msg/B}}\n"
        "  all: {exec: monitor, params: {topics: /lidar/packets, policy: lossless,\n"
        "                               type: velodyne_msgs/msg/VelodyneScan}}\n"
        "  alone: {exec: monitor, params: {topics: /nobody}}\n");
    struct run r = run("sluice", "plan", file, NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "warning: /lidar/points: lidar takes 1 subscribers, this file has 3 (m, n, "
                      "typed)");
    assert_has(r.out,
               "/lidar/points: m wants to hold 4 frames, lidar lets each hold 2; raise quota "
               "of lidar");
    assert_has(r.out, "/lidar/points: lidar publishes sensor_msgs/msg/PointCloud2, typed asks for "
                      "a/msg/B and will be refused");
    assert_has(r.out, "/lidar/points: lidar has 7 slots, its readers (m, n, typed) may leave it "
                      "none: loans 2 + retained 0 + quotas 6 + visitors 4 + 1 = 13");
    assert_has(r.out, "/lidar/packets: all asks for every message, lidar does not allow that");
    assert_has(r.out,
               "/nobody: alone reads it, nobody in this file publishes it; is a remap missing?");
    assert_has(r.out, "7 as asked for");
    run_free(&r);
    r = run("sluice", "plan", file, "--set", "lidar.subscribers=3", "--set", "lidar.quota=4",
            "--set", "lidar.slots=0", NULL);
    assert_int_equal(r.status, 0);
    assert_has_not(r.out, "takes 3 subscribers");
    assert_has_not(r.out, "wants to hold");
    assert_has_not(r.out, "may leave it none");
    run_free(&r);
}

static void delivered_launch_files_fit_without_a_warning(void **state)
{
    (void)state;
    static const struct {
        const char *file, *argument;
    } cases[] = {
        {"demo.yaml", NULL},
        {"vlp16.yaml", NULL},
        {"vlp16_capture.yaml", NULL},
        {"velodyne.yaml", "model=hdl-32e"},
        {"hesai.yaml", "model=qt64"},
        {"velodyne_capture.yaml", "model=vls-128"},
        {"ouster.yaml", NULL},
        {"hesai_capture.yaml", "model=xt32"},
        {"pattern.yaml", NULL},
        {"ouster_capture.yaml", NULL},
        {"robosense.yaml", "model=helios"},
        {"robosense_capture.yaml", "model=rs-16"},
        {"livox.yaml", "model=mid-360"},
        {"livox_capture.yaml", "model=hap"},
        {"sim_hesai.yaml", NULL},
        {"sim_livox.yaml", NULL},
        {"sim_ouster.yaml", NULL},
        {"record.yaml", NULL},
        {"replay.yaml", "log=some.mcap"},
        {"replay_lidar.yaml", "log=some.mcap"},
        {"dds_bridge.yaml", NULL},
        {"dds_bridge_capture.yaml", NULL},
    };
    enum {
        CASES = sizeof cases / sizeof *cases
    };
    unsigned files = 0;
    char path[512], metadata[512];
    snprintf(path, sizeof path, "%s/launch", getenv("SLUICE_SOURCE"));
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        files += strstr(entry->d_name, ".yaml") != NULL;
    closedir(folder);
    assert_int_equal(files, CASES); /* whoever adds one adds it here */
    for (size_t i = 0; i < CASES; i++) {
        if (strncmp(cases[i].file, "dds_bridge", strlen("dds_bridge")) == 0 &&
            access(harness_program("dds_bridge"), X_OK) < 0)
            continue; /* built without DDS */
        const char *arguments[4] = {NULL};
        unsigned count = 0;
        snprintf(path, sizeof path, "%s/launch/%s", getenv("SLUICE_SOURCE"), cases[i].file);
        snprintf(metadata, sizeof metadata, "metadata=%s/tests/fuzz/seeds/ouster_metadata/flat",
                 getenv("SLUICE_SOURCE"));
        if (strncmp(cases[i].file, "ouster", strlen("ouster")) == 0)
            arguments[count++] = metadata;
        if (strstr(cases[i].file, "capture"))
            arguments[count++] = "capture=some.pcap";
        if (cases[i].argument && *cases[i].argument)
            arguments[count++] = cases[i].argument;
        struct run r = run("sluice", "plan", path, arguments[0], arguments[1], arguments[2], NULL);
        if (r.status != 0 || strstr(r.out, "warning:"))
            fail_msg("%s: status %d\n%s%s", cases[i].file, r.status, r.out, r.err);
        run_free(&r);
    }
}

static void mistakes_are_told_at_their_place(void **state)
{
    (void)state;
    struct run r =
        run("sluice", "plan",
            write_file("f.yaml", "nodes:\n  l: {exec: lidar, params: {quota: many}}\n"), NULL);
    assert_int_equal(r.status, 2);
    assert_string_equal(r.out, "");
    assert_has(r.err, "f.yaml:2:36: lidar: quota: 'many' is not a whole number");
    run_free(&r);
    /* and what only the whole of the options shows */
    r = run("sluice", "plan",
            write_file("f.yaml", "nodes:\n  l: {exec: lidar, params: {source: capture}}\n"), NULL);
    assert_int_equal(r.status, 2);
    assert_has(r.err, "f.yaml:2:37: lidar: source: capture needs --capture FILE");
    run_free(&r);
}

/* A machine of our own --------------------------------------------------------------------------*/

static void put(const char *root, const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static uint64_t lock_limit; /* 0 = this process's own */
static struct sl_memory_limits budget_limits;

/* The budget of a file on a machine with so many MiB free, in a cgroup with so many. */
static void budget_on(const char *text, const char *available_kb, const char *cgroup_max,
                      struct sl_budget *ret_budget, struct sl_plan **ret_plan)
{
    char root[128], file[256], libexec[512];
    snprintf(root, sizeof root, "%s/machine", harness_folder());
    mkdir(root, 0700);
    put(root, "/proc/meminfo", available_kb);
    put(root, "/proc/self/mountinfo", "31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put(root, "/proc/self/cgroup", "0::/robot/lidars\n");
    put(root, "/sys/fs/cgroup/robot/memory.max", cgroup_max);
    put(root, "/sys/fs/cgroup/robot/memory.current", "0\n");
    put(root, "/sys/fs/cgroup/robot/lidars/memory.max", "max\n");
    put(root, "/sys/fs/cgroup/robot/lidars/memory.current", "0\n");
    sl_memory_available_below(root, &budget_limits);
    if (lock_limit)
        budget_limits.lock_all_bytes = lock_limit;
    snprintf(file, sizeof file, "%s", write_file("f.yaml", text));
    snprintf(libexec, sizeof libexec, "%s/libexec/sluice", getenv("SLUICE_BUILD"));
    setenv("SLUICE_LIBEXEC", libexec, 1);
    assert_int_equal(sl_plan_create(ret_plan), 0);
    if (sl_plan_read(*ret_plan, file, NULL, 0, false, sl_yaml_load) < 0 ||
        sl_plan_check(*ret_plan) < 0 || sl_budget_make(*ret_plan, &budget_limits, ret_budget) < 0)
        fail_msg("%s", sl_error_text());
}

/* Limits ----------------------------------------------------------------------------------------*/

static struct run plan_under(int resource, uint64_t bytes, const char *file)
{
    struct rlimit before, small;
    assert_int_equal(getrlimit(resource, &before), 0);
    /* RLIMIT_MEMLOCK: a process may raise it up to the hard limit; that stays lowered */
    small = (struct rlimit){bytes, resource == RLIMIT_MEMLOCK ? bytes : before.rlim_max};
    assert_int_equal(setrlimit(resource, &small), 0);
    struct run r = run("sluice", "plan", file, NULL);
    setrlimit(resource, &before);
    return r;
}

static void locked_memory_beyond_its_limit_does_not_fit(void **state)
{
    (void)state;
    const char *const text =
        "nodes:\n"
        "  lidar: {exec: lidar, params: {source: sim}, mlock: true, restart: always}\n"
        "  m: {exec: monitor, remap: {points: /lidar/points}, mlock: true}\n"
        "  n: {exec: nearest, remap: {points: /lidar/points}}\n";
    struct sl_yaml *json = plan_json(text, -1);
    double lidar = json_number(json, "nodes.0.total_bytes");
    double pool = json_number(json, "nodes.0.publishers.0.pool_bytes");
    double lock = json_number(json, "nodes.0.lock_bytes");
    double reader_lock = json_number(json, "nodes.1.lock_bytes");
    /* and the program itself */
    assert_true(lock > lidar && lock < lidar + PROGRAM_MOST);
    /* the pool of before, and the one of anew */
    assert_true(reader_lock > 2 * pool && reader_lock < 2 * pool + PROGRAM_MOST);
    assert_string_equal(json_text(json, "nodes.2.locked"), "false");
    sl_yaml_destroy(json);

    prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK); /* of those who are started from now on */
    char file[256];
    snprintf(file, sizeof file, "%s", harness_path("f.yaml"));
    struct run r = plan_under(RLIMIT_MEMLOCK, 1 * MIB, file);
    assert_int_equal(r.status, 1);
    assert_has(r.out, "does not fit: lidar locks at least ");
    assert_has(r.out, "does not fit: m locks at least");
    assert_has(r.out, "(mlock: true), RLIMIT_MEMLOCK allows 1.0 MiB; raise it (ulimit -l");
    assert_has_not(r.out, "n locks");
    run_free(&r);

    /* The largest decides; a page less is too little. */
    static struct sl_budget budget;
    struct sl_plan *plan;
    lock_limit = UINT64_MAX - 1;
    budget_on(text, "MemAvailable: 10240000 kB\n", "max\n", &budget, &plan);
    unsigned largest = budget.node[1].lock_bytes > budget.node[0].lock_bytes;
    uint64_t most = budget.node[largest].lock_bytes;
    assert_true(budget.does_fit);
    const struct sl_budget_limit *limit = budget.limit;
    while (limit->kind != SL_BUDGET_LOCK && limit < budget.limit + budget.limit_count - 1)
        limit++;
    assert_int_equal(limit->kind, SL_BUDGET_LOCK);
    assert_true(limit->is_asked && limit->wanted_bytes == most);
    struct sl_memory_limits limits = budget_limits;
    sl_budget_finish(&budget);
    limits.lock_all_bytes = most;
    assert_int_equal(sl_budget_make(plan, &limits, &budget), 0);
    assert_true(budget.does_fit);
    sl_budget_finish(&budget);
    limits.lock_all_bytes = most - 1;
    assert_int_equal(sl_budget_make(plan, &limits, &budget), 0);
    assert_false(budget.does_fit);
    assert_int_equal(budget.note_count, 1);
    assert_has(budget.note[0].text, largest ? "m locks at least" : "lidar locks at least");
    sl_budget_finish(&budget);
    sl_plan_destroy(plan);
}

static void file_size_limit_is_for_one_pool(void **state)
{
    (void)state;
    char file[256];
    snprintf(file, sizeof file, "%s",
             write_file("f.yaml", "nodes:\n  lidar: {exec: lidar, params: {source: sim}}\n"));
    struct run r = plan_under(RLIMIT_FSIZE, 64 * MIB, file);
    assert_int_equal(r.status, 1);
    assert_has(r.out, "does not fit: the pool of lidar's /lidar/points has 98.0 MiB, RLIMIT_FSIZE "
                      "allows 64.0 MiB");
    run_free(&r);
    r = plan_under(RLIMIT_FSIZE, 99 * MIB, file); /* not for the sum, 112 MiB */
    assert_int_equal(r.status, 0);
    run_free(&r);
}

static void launcher_says_before_starting_what_may_not_fit(void **state)
{
    (void)state;
    const char *file =
        write_file("f.yaml", "nodes:\n  lidar: {exec: lidar, params: {source: sim}}\n");
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){64 * MIB, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct run r = run("sluice", "launch", file, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r.status, 1); /* the node says it again, at its end */
    assert_has(r.err, "f.yaml may not fit: the pool of lidar's /lidar/points has 98.0 MiB");
    assert_has(r.err, "(see sluice plan ");
    run_free(&r);
}

/* Memory ----------------------------------------------------------------------------------------*/

static const char lidar_once[] = "nodes:\n  l: {exec: lidar, params: {source: sim}}\n";
static const char lidar_again[] =
    "nodes:\n  l: {exec: lidar, params: {source: sim}, restart: always}\n";

static void check_budget(const char *text, const char *available_kb, const char *cgroup_max,
                         const char *problem)
{
    static struct sl_budget budget;
    struct sl_plan *plan;
    budget_on(text, available_kb, cgroup_max, &budget, &plan);
    if (problem) {
        assert_false(budget.does_fit);
        assert_int_equal(budget.note_count, 1);
        assert_true(budget.note[0].is_problem);
        assert_has(budget.note[0].text, problem);
    } else {
        assert_true(budget.does_fit);
        assert_int_equal(budget.note_count, 0);
    }
    sl_budget_finish(&budget);
    sl_plan_destroy(plan);
}

/* The lidar takes 98.0 + 14.2 MiB and some control words: 112.6 MiB. */
static void memory_of_the_machine_and_of_every_cgroup_counts(void **state)
{
    (void)state;
    check_budget(lidar_once, "MemAvailable: 122880 kB\n", "125829120\n", NULL); /* 120 MiB each */
    check_budget(
        lidar_once, "MemAvailable: 102400 kB\n", "max\n",
        "112.6 MiB are wanted, 100.0 MiB are left of free memory of the machine; take fewer "
        "or smaller slots (l's /l/points has 39 of 2.5 MiB: its subscribers and quota say "
        "how many), end something else, or add memory");
    check_budget(lidar_once, "MemAvailable: 1024000 kB\n", "104857600\n",
                 "100.0 MiB are left of memory.max of cgroup");
}

static void a_restart_must_fit_too(void **state)
{
    (void)state;
    check_budget(lidar_again, "MemAvailable: 235520 kB\n", "max\n", NULL); /* 230 MiB */
    check_budget(lidar_again, "MemAvailable: 204800 kB\n", "max\n",
                 "225.2 MiB are wanted while nodes are restarted");
    check_budget(lidar_again, "MemAvailable: 1024000 kB\n", "209715200\n",
                 "/sys/fs/cgroup/robot; ");
}

static void huge_pages_are_counted_by_themselves(void **state)
{
    (void)state;
    struct sl_memory_limits own;
    sl_memory_available(&own);
    if (own.huge_page_bytes != 2 * MIB)
        return; /* the figures below are of such */
    static const char lidar_huge[] =
        "nodes:\n  l: {exec: lidar, params: {source: sim}, pool: {memory: hugetlb}}\n";
    /* Pools of 97.96 and 14.20 MiB take 49 and 8 pages; the rest is little and ordinary. */
    check_budget(lidar_huge,
                 "MemAvailable: 1024 kB\nHugePages_Free: 61\nHugePages_Rsvd: 4\n"
                 "Hugepagesize: 2048 kB\n",
                 "max\n", NULL);
    check_budget(lidar_huge,
                 "MemAvailable: 10240000 kB\nHugePages_Free: 60\nHugePages_Rsvd: 4\n"
                 "Hugepagesize: 2048 kB\n",
                 "max\n",
                 "114.0 MiB of huge pages are wanted, 112.0 MiB are free; set 1 more aside");
}

static void memory_of_devices_is_told_beside_the_machines(void **state)
{
    (void)state;
    static const char text[] =
        "nodes:\n  l: {exec: lidar, params: {source: sim}, restart: always,\n"
        "      pool: {memory: bar:ff:1f.7/0, slots: 10, slot_size: 4M}}\n";
    struct sl_yaml *json = plan_json(text, 0);
    assert_string_equal(json_text(json, "nodes.0.publishers.0.memory"), "bar:ff:1f.7/0");
    assert_true(json_number(json, "nodes.0.publishers.0.slots") == 10);
    assert_true(json_number(json, "nodes.0.publishers.0.device_bytes") == 40 * MIB);
    assert_true(json_number(json, "nodes.0.publishers.0.total_bytes") < MIB);
    assert_true(json_number(json, "device_bytes") == 80 * MIB);
    assert_true(json_number(json, "restart_bytes") < 2 * MIB);
    sl_yaml_destroy(json);
    struct run r = run("sluice", "plan", harness_path("f.yaml"), NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "Beside it 40.0 MiB of bar:ff:1f.7/0, for /l/points.");
    assert_has(r.out, "warning: /l/points: the pool of l is to be made of bar:ff:1f.7/0, which is "
                      "not here: ");
    run_free(&r);
    /* what may fall back on the machine's memory counts as that */
    json = plan_json("nodes:\n  l: {exec: lidar, params: {source: sim},\n"
                     "      pool: {memory: bar:ff:1f.7/0, fallback: memfd}}\n",
                     0);
    assert_true(json_number(json, "device_bytes") == 0);
    assert_true(json_number(json, "total_bytes") > 100e6);
    sl_yaml_destroy(json);
}

/* Wrong answers ---------------------------------------------------------------------------------*/

static int budget_of_answer(const char *answer)
{
    static struct sl_budget budget;
    struct sl_plan *plan;
    struct sl_memory_limits limits = {.machine_bytes = UINT64_MAX,
                                      .cgroup_bytes = UINT64_MAX,
                                      .file_bytes = UINT64_MAX,
                                      .lock_all_bytes = UINT64_MAX};
    char text[1024];
    snprintf(text, sizeof text, "%s", answer);
    assert_int_equal(sl_plan_create(&plan), 0);
    const char *file = write_file("f.yaml", lidar_once);
    assert_int_equal(sl_plan_read(plan, file, NULL, 0, false, sl_yaml_load), 0);
    plan->node[0].answer = text;
    int err = sl_budget_make(plan, &limits, &budget);
    if (err == 0)
        sl_budget_finish(&budget);
    sl_plan_destroy(plan);
    return err;
}

static void answers_that_make_no_sense_are_refused(void **state)
{
    (void)state;
#define NUMBERS                                                                             \
    "\tslot_count=1\tslot_size=4096\tloans=1\tretain=0\tsubscribers=1\tquota=1\tvisitors=4" \
    "\tpool_bytes=4096\tcontrol_bytes=4096\tring_bytes=4096\tledgers=5\tledger_bytes=4096"
    assert_int_equal(budget_of_answer("end\n"), 0);
    assert_int_equal(budget_of_answer("word of tomorrow\tx=1\nend\n"), 0);
    assert_int_equal(
        budget_of_answer("publish\ttopic=/a\ttype=t" NUMBERS "\ttotal_bytes=32768\nend\n"), 0);
    assert_int_equal(budget_of_answer(""), -EPROTO); /* cut off */
    assert_int_equal(budget_of_answer("publish\ttopic=/a\ttype=t" NUMBERS "\ttotal_bytes=32768\n"),
                     -EPROTO);
    assert_int_equal(budget_of_answer("publish\ttopic=/a\ttype=t" NUMBERS "\nend\n"), -EPROTO);
    assert_int_equal(
        budget_of_answer("publish\ttopic=/a\ttype=t" NUMBERS "\ttotal_bytes=-1\nend\n"), -EPROTO);
    assert_int_equal(
        budget_of_answer("publish\ttopic=/a\ttype=t" NUMBERS "\ttotal_bytes=1x\nend\n"), -EPROTO);
    assert_int_equal(budget_of_answer("publish\ttopic=/a\ttype=t" NUMBERS
                                      "\ttotal_bytes=1\tmemory=vgem\tdevice_bytes=99999999\nend\n"),
                     -EPROTO);
    assert_int_equal(budget_of_answer("subscribe\ttopic=/a\ttype=\tquota=4\nend\n"), -EPROTO);
#define QUOTAS "\tpolicy=latest\tquota=4\tretained_quota=0\tmore_than_retained=0\nend\n"
    assert_int_equal(budget_of_answer("expect\tpattern=/a.*" QUOTAS), 0);
    assert_int_equal(budget_of_answer("expect\tpattern=/a(" QUOTAS), -EPROTO);
    assert_int_equal(budget_of_answer("expect" QUOTAS), -EPROTO);
    assert_int_equal(budget_of_answer("expect\ttopic=/a\tpolicy=latest\tquota=4\nend\n"), -EPROTO);
    assert_int_equal(budget_of_answer("process\tbytes=1\nend\n"), -EPROTO);
    assert_has(sl_error_text(), "is it of another version?");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(plan_says_what_is_then_opened),
        CASE(asking_opens_nothing),
        CASE(what_may_be_restarted_counts_twice),
        CASE(readers_that_want_more_than_is_planned_are_told),
        CASE(delivered_launch_files_fit_without_a_warning),
        CASE(mistakes_are_told_at_their_place),
        CASE(file_size_limit_is_for_one_pool),
        CASE(launcher_says_before_starting_what_may_not_fit),
        CASE(memory_of_the_machine_and_of_every_cgroup_counts),
        CASE(a_restart_must_fit_too),
        CASE(huge_pages_are_counted_by_themselves),
        CASE(memory_of_devices_is_told_beside_the_machines),
        CASE(answers_that_make_no_sense_are_refused),
        CASE(locked_memory_beyond_its_limit_does_not_fit), /* last: gives a right up for good */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
