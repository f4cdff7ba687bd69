/* SPDX-License-Identifier: Apache-2.0 */
/* test_doctor.c - sluice doctor: machines made of files, rights given up, and what killed processes
 * leave. */
#include "tests/tools/harness.h"

#include "core/base/capability.h"
#include "core/base/error.h"
#include "core/base/yaml.h"
#include "core/shm/leftovers.h"
#include "tools/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A machine of files ----------------------------------------------------------------------------*/

static char machine[128];

static char *place(const char *path)
{
    static char full[400];
    assert_true((size_t)snprintf(full, sizeof full, "%s%s", machine, path) < sizeof full);
    for (char *slash = full + strlen(machine) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    return full;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(place(path), "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int make_machine(void **state)
{
    if (harness_setup(state) < 0)
        return -1;
    snprintf(machine, sizeof machine, "%s/machine", harness_folder());
    if (mkdir(machine, 0700) < 0)
        return -1;
    put("/proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable: 4194304 kB\nSwapTotal: 0 kB\n"
                         "SwapFree: 0 kB\nHugePages_Total: 0\nHugePages_Free: 0\n"
                         "Hugepagesize: 2048 kB\n");
    put("/proc/sys/vm/overcommit_memory", "0\n");
    put("/proc/sys/vm/max_map_count", "65530\n");
    put("/proc/sys/kernel/sched_rt_runtime_us", "950000\n");
    put("/proc/sys/kernel/sched_rt_period_us", "1000000\n");
    put("/proc/sys/net/core/rmem_max", "33554432\n");
    put("/proc/sys/net/core/rmem_default", "212992\n");
    put("/proc/sys/fs/inotify/max_user_instances", "128\n");
    put("/proc/sys/fs/inotify/max_user_watches", "8192\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
    put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    return 0;
}

static struct sl_doctor doctor;

/* The finding of that subject that has this in its text; fails if there is none. */
static const struct sl_doctor_finding *finding(const char *subject, const char *part)
{
    for (unsigned i = 0; i < doctor.count; i++)
        if (strcmp(doctor.finding[i].subject, subject) == 0 && strstr(doctor.finding[i].text, part))
            return &doctor.finding[i];
    for (unsigned i = 0; i < doctor.count; i++)
        print_message("%s: %s\n", doctor.finding[i].subject, doctor.finding[i].text);
    fail_msg("nothing of %s says '%s'", subject, part);
    return NULL;
}

static void expect(enum sl_doctor_level level, const char *subject, const char *part,
                   const char *advice)
{
    const struct sl_doctor_finding *f = finding(subject, part);
    assert_int_equal(f->level, level);
    if (advice)
        assert_has(f->advice, advice);
    else
        assert_string_equal(f->advice, "");
}

static void examine(void)
{
    sl_doctor_examine(machine, NULL, &doctor);
}

static void good_machine_has_no_problem(void **state)
{
    (void)state;
    examine();
    expect(SL_DOCTOR_OK, "memory", "4.00 GiB may be taken (free memory of the machine)", NULL);
    expect(SL_DOCTOR_OK, "swap", "none", NULL);
    expect(SL_DOCTOR_OK, "hugepages", "none are set aside", NULL);
    expect(SL_DOCTOR_OK, "pools", "vgem is not here: no card of the driver vgem", NULL);
    expect(SL_DOCTOR_OK, "pools", "dma-heap:NAME is not here: there is no ", NULL);
    expect(SL_DOCTOR_OK, "pools", "bar:DEVICE/N is not here: no PCI device", NULL);
    expect(SL_DOCTOR_OK, "pools", "reserved:ADDRESS+SIZE is not here: there is no ", NULL);
    expect(SL_DOCTOR_OK, "real-time", "95% of a processor", NULL);
    expect(SL_DOCTOR_OK, "governor", "performance, on 2 processors", NULL);
    expect(SL_DOCTOR_OK, "clock", "tsc", NULL);
    expect(SL_DOCTOR_OK, "simd", "scalar; past the caches by ", NULL);
    expect(SL_DOCTOR_OK, "mappings", "65530", NULL);
    /* 2 * 32 MiB / (1508 packets a second * 4352 bytes) */
    expect(SL_DOCTOR_OK, "sockets", "32.0 MiB holds 10225 ms", NULL);
    expect(SL_DOCTOR_OK, "inotify", "0 of 128 instances", NULL);
    expect(SL_DOCTOR_OK, "inotify", "0 of 8192 watches", NULL);
    expect(SL_DOCTOR_OK, "domain", "not there yet, the first node makes it", NULL);
    assert_true(doctor.worst < SL_DOCTOR_PROBLEM);
}

static void memory_of_devices_is_told_where_it_is(void **state)
{
    (void)state;
    put("/dev/dma_heap/system", "");
    put("/dev/mem", "");
    put("/sys/bus/pci/devices/0000:00:04.0/resource",
        "0x00000000fe000000 0x00000000fe3fffff 0x000000000014220c\n");
    put("/sys/bus/pci/devices/0000:00:04.0/resource0", "");
    examine();
    expect(SL_DOCTOR_OK, "pools", "dma-heap:NAME: system", NULL);
    expect(SL_DOCTOR_OK, "pools", "1 BARs: 0000:00:04.0/0 (4.0 MiB, prefetchable)", NULL);
    expect(SL_DOCTOR_OK, "pools", "reserved:ADDRESS+SIZE: /dev/mem can be opened", NULL);
}

static void memory_that_is_scarce_or_may_leave_is_told(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemAvailable: 307200 kB\nSwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n"
                         "HugePages_Total: 8\nHugePages_Free: 5\nHugepagesize: 2048 kB\n");
    put("/proc/sys/vm/overcommit_memory", "2\n");
    examine();
    expect(SL_DOCTOR_WARNING, "memory", "300 MiB may be taken", "sluice plan FILE");
    expect(SL_DOCTOR_WARNING, "overcommit", "is 2", "sysctl -w vm.overcommit_memory=0");
    expect(SL_DOCTOR_WARNING, "swap", "2.00 GiB, 1.00 GiB of it in use", "mlock: true");
    expect(SL_DOCTOR_OK, "hugepages", "5 of 8 are free, 2.00 MiB each", NULL);
    /* the narrowest cgroup counts, wherever above us it is */
    put("/proc/self/mountinfo", "31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/robot/lidars\n");
    put("/sys/fs/cgroup/robot/memory.max", "104857600\n");
    put("/sys/fs/cgroup/robot/memory.current", "52428800\n");
    examine();
    expect(SL_DOCTOR_PROBLEM, "memory", "50.0 MiB may be taken (memory.max of cgroup",
           "raise that limit");
    assert_int_equal(doctor.worst, SL_DOCTOR_PROBLEM);
}

static void kernel_settings_that_lose_frames_are_told(void **state)
{
    (void)state;
    put("/proc/sys/vm/max_map_count", "1024\n");
    put("/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
    put("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
    put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    examine();
    expect(SL_DOCTOR_WARNING, "mappings", "1024", "sysctl -w vm.max_map_count=65530");
    expect(SL_DOCTOR_WARNING, "real-time", "takes its processor for good",
           "sysctl -w kernel.sched_rt_runtime_us=950000");
    expect(SL_DOCTOR_WARNING, "governor", "powersave on 1 of 2 processors",
           "cpupower frequency-set -g performance");
    expect(SL_DOCTOR_WARNING, "clock", "hpet", "dmesg");
    put("/proc/sys/kernel/sched_rt_runtime_us", "0\n");
    put("/proc/sys/kernel/sched_autogroup_enabled", "1\n");
    examine();
    expect(SL_DOCTOR_OK, "nice", "it counts among the processes of a session", NULL);
    expect(SL_DOCTOR_PROBLEM, "real-time", "no process may be real-time", "950000");
}

static void nothing_to_read_is_no_finding(void **state)
{
    (void)state;
    snprintf(machine, sizeof machine, "%s/nowhere", harness_folder());
    examine();
    for (unsigned i = 0; i < doctor.count; i++)
        assert_true(strcmp(doctor.finding[i].subject, "swap") != 0 &&
                    strcmp(doctor.finding[i].subject, "sockets") != 0);
    assert_true(doctor.worst < SL_DOCTOR_PROBLEM);
}

static void inotify_is_counted_against_the_limits_of_the_user(void **state)
{
    (void)state;
    put("/proc/sys/fs/inotify/max_user_instances", "2\n");
    put("/proc/sys/fs/inotify/max_user_watches", "100\n");
    put("/proc/41/fdinfo/3", "pos:\t0\ninotify wd:1 ino:1\ninotify wd:2 ino:2\n");
    put("/proc/41/fdinfo/4", "pos:\t0\ninotify wd:1 ino:1\n");
    put("/proc/41/fd/none", "");
    assert_int_equal(symlink("anon_inode:inotify", place("/proc/41/fd/3")), 0);
    assert_int_equal(symlink("anon_inode:[eventfd]", place("/proc/41/fd/4")), 0);
    examine();
    expect(SL_DOCTOR_OK, "inotify", "1 of 2 instances", NULL);
    expect(SL_DOCTOR_OK, "inotify", "2 of 100 watches", NULL);
    put("/proc/42/fdinfo/0", "inotify wd:1 ino:1\n");
    put("/proc/42/fd/none", "");
    assert_int_equal(symlink("anon_inode:inotify", place("/proc/42/fd/0")), 0);
    put("/proc/sys/fs/inotify/max_user_watches", "3\n");
    examine();
    expect(SL_DOCTOR_PROBLEM, "inotify", "2 of 2 instances",
           "sysctl -w fs.inotify.max_user_instances=1024");
    expect(SL_DOCTOR_PROBLEM, "inotify", "3 of 3 watches", "max_user_watches=65536");
    put("/proc/sys/fs/inotify/max_user_instances", "1000\n");
    put("/proc/sys/fs/inotify/max_user_watches", "4\n");
    examine(); /* 3 of 4 is below 80 % */
    expect(SL_DOCTOR_OK, "inotify", "3 of 4 watches", NULL);

    int fds[3];
    unsigned long long used = 0;
    for (int i = 0; i < 3; i++)
        fds[i] = inotify_init1(IN_CLOEXEC);
    sl_doctor_examine("", NULL, &doctor); /* the machine's own */
    assert_int_equal(sscanf(finding("inotify", "instances")->text, "%llu", &used), 1);
    assert_true(used >= 3);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* Rights ----------------------------------------------------------------------------------------*/

/* The effective set without one capability; returns what it was before. */
static struct __user_cap_data_struct set_capability(unsigned capability, bool on)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    struct __user_cap_data_struct before = data[CAP_TO_INDEX(capability)];
    uint32_t mask = CAP_TO_MASK(capability);
    data[CAP_TO_INDEX(capability)].effective =
        on ? before.effective | mask : before.effective & ~mask;
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
    return before;
}

/* With and without the capability: what is said each time. */
static void check_right(unsigned capability, const char *subject, const char *with,
                        const char *without, const char *advice)
{
    struct __user_cap_data_struct before = set_capability(capability, false);
    bool had_it = before.effective & CAP_TO_MASK(capability);
    examine();
    if (had_it)
        set_capability(capability, true);
    expect(SL_DOCTOR_WARNING, subject, without, advice);
    if (!had_it)
        return;
    examine();
    expect(SL_DOCTOR_OK, subject, with, NULL);
}

static void limits_of_the_user_are_told_with_what_raises_them(void **state)
{
    (void)state;
    struct rlimit small = {1 << 20, 1 << 20}, none = {0, 0};
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &small), 0);
    assert_int_equal(setrlimit(RLIMIT_RTPRIO, &none), 0);
    assert_int_equal(setrlimit(RLIMIT_NICE, &none), 0);
    check_right(CAP_IPC_LOCK, "memlock", "(CAP_IPC_LOCK)",
                "a process may lock 1.00 MiB: nodes with mlock: true fail",
                "LimitMEMLOCK=infinity");
    check_right(CAP_SYS_NICE, "priority", "(CAP_SYS_NICE)",
                "real-time priorities up to 0 may be had: nodes with sched: fifo:N fail",
                "LimitRTPRIO=50");
    check_right(CAP_SYS_NICE, "nice", "any nice value may be had",
                "nice values below 0 may not be had: nodes with nice: -20 fail", "LimitNICE=-20");
    put("/proc/sys/net/core/rmem_max", "212992\n"); /* 2 * 208 KiB are 64 ms */
    check_right(CAP_NET_ADMIN, "sockets", "may exceed it (CAP_NET_ADMIN)",
                "208 KiB holds 64 ms of a lidar's packets (VLP-16, two returns): a driver that is "
                "held up longer loses some",
                "sysctl -w net.core.rmem_max=33554432");

    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    struct rlimit few = {200, files.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    examine();
    setrlimit(RLIMIT_NOFILE, &files);
    expect(SL_DOCTOR_WARNING, "descriptors", "a process may have 200", "ulimit -n 4096");
}

/* The domain ------------------------------------------------------------------------------------*/

static char *in_domain(const char *file)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/default/%s", getenv("SLUICE_ROOT"), file);
    return path;
}

static bool is_there(const char *file)
{
    struct stat facts;
    return lstat(in_domain(file), &facts) == 0;
}

/* How many files the domain has whose name ends like that. */
static unsigned count_files(const char *ending)
{
    unsigned count = 0;
    DIR *directory = opendir(in_domain(""));
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        size_t length = strlen(entry->d_name), wanted = strlen(ending);
        count += length > wanted && strcmp(entry->d_name + length - wanted, ending) == 0;
    }
    closedir(directory);
    return count;
}

static void directory_is_described_and_its_faults_are_told(void **state)
{
    (void)state;
    struct sl_domain domain;
    assert_int_equal(sl_domain_open(NULL, true, &domain), 0);
    sl_domain_close(&domain);
    char text[200];
    snprintf(text, sizeof text,
             "/root/default ($SLUICE_ROOT names it), of user %u and group %u, "
             "mode 0700",
             (unsigned)geteuid(), (unsigned)getegid());
    examine();
    expect(SL_DOCTOR_OK, "domain", text, NULL);
    expect(SL_DOCTOR_OK, "leftovers", "none of dead processes; 0 sockets live", NULL);

    assert_int_equal(chmod(in_domain(""), 0777), 0);
    struct run r = run("sluice", "doctor", "--quiet", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.out, "PROBLEM  domain");
    assert_has(r.out, "may be written by everybody (mode 0777); chmod o-w it");
    assert_has_not(r.out, "ok  ");
    run_free(&r);
    assert_int_equal(chmod(in_domain(""), 0700), 0);

    assert_int_equal(symlink("default", in_domain("../linked")), 0);
    r = run("sluice", "doctor", "--domain", "linked", "--json", NULL);
    assert_int_equal(r.status, 1);
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "level"), "problem");
    assert_has(r.out, "it is a link or a file");
    sl_yaml_destroy(json);
    run_free(&r);
    r = run("sluice", "doctor", "--domain", "not here", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.out, "' ' is not a letter");
    run_free(&r);
}

static void sockets_of_killed_processes_are_found_and_cleaned(void **state)
{
    (void)state;
    struct child alive = publisher("bytes", "/alive");
    struct child dead = publisher("bytes", "/dead");
    assert_int_equal(stop(&dead, SIGKILL), 256 + SIGKILL);
    assert_int_equal(count_files(".pub"), 2);
    assert_int_equal(count_files(".node"), 2);

    /* Looking changes nothing. */
    for (int i = 0; i < 2; i++) {
        struct run r = run("sluice", "doctor", NULL);
        assert_int_equal(r.status, 0);
        assert_has(r.out, "WARNING  leftovers    2 of dead processes (");
        assert_has(r.out, "; 2 live");
        assert_has(r.out, "-> sluice doctor --clean --domain default");
        run_free(&r);
    }
    assert_int_equal(count_files(".pub"), 2);

    struct run r = run("sluice", "doctor", "--clean", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "removed  dead.");
    assert_has_not(r.out, "alive.");
    assert_has(r.out, "2 removed, 2 left alone\n");
    run_free(&r);
    assert_int_equal(count_files(".pub"), 1);
    assert_int_equal(count_files(".node"), 1);
    r = run("sluice", "topic", "list", NULL);
    assert_has(r.out, "/alive");
    run_free(&r);
    r = run("sluice", "doctor", "--clean", "--json", NULL);
    struct sl_yaml *json = json_parse(r.out);
    assert_true(json_number(json, "removed") == 0 && json_number(json, "kept") == 2);
    sl_yaml_destroy(json);
    run_free(&r);
    assert_int_equal(stop(&alive, SIGTERM), 0);
}

static void stopped_process_lives_even_when_its_queue_is_full(void **state)
{
    (void)state;
    struct child stopped = publisher("bytes", "/stopped");
    struct sl_domain domain;
    assert_int_equal(sl_domain_open(NULL, false, &domain), 0);
    freeze(stopped.pid);

    char pub[128] = "";
    DIR *directory = opendir(in_domain(""));
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strstr(entry->d_name, ".pub"))
            snprintf(pub, sizeof pub, "%.120s", entry->d_name);
    closedir(directory);
    int fds[1024], count = 0, fd = 0;
    while (count < 1024 && (fd = sl_domain_connect(&domain, pub)) >= 0)
        fds[count++] = fd;
    assert_int_equal(fd, -EAGAIN);
    struct run r = run("sluice", "doctor", "--clean", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "0 removed, 2 left alone\n");
    run_free(&r);
    assert_true(is_there(pub));
    while (count > 0)
        close(fds[--count]);
    sl_domain_close(&domain);
    kill(stopped.pid, SIGCONT);
    r = run("sluice", "topic", "echo", "/stopped", "--once", NULL);
    assert_int_equal(r.status, 0);
    run_free(&r);
    assert_int_equal(stop(&stopped, SIGTERM), 0);
}

/* A socket that nobody listens at, as a process leaves it that dies before it shows it. */
static void leave_socket(const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder = open(in_domain(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, file);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    close(folder);
}

static void make_old(const char *file)
{
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, in_domain(file), old, AT_SYMLINK_NOFOLLOW), 0);
}

static pid_t dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static void only_what_is_certainly_dead_is_removed(void **state)
{
    (void)state;
    struct sl_domain domain;
    assert_int_equal(sl_domain_open(NULL, true, &domain), 0);
    char of_dead[64], young[64], of_living[64], visible[80];
    pid_t pid = dead_pid();
    snprintf(of_dead, sizeof of_dead, ".%d.0123456789abcdef", (int)pid);
    snprintf(young, sizeof young, ".%d.1123456789abcdef", (int)pid);
    snprintf(of_living, sizeof of_living, ".%d.0123456789abcdef", (int)getpid());
    snprintf(visible, sizeof visible, "p.0123456789abcdef.%d.0123456789abcdef.pub", (int)pid);
    leave_socket(of_dead);
    leave_socket(young);
    leave_socket(of_living);
    leave_socket(visible);
    leave_socket("other.sock");
    make_old(of_dead);
    make_old(of_living);

    /* Links, a plain file and a folder under names of sockets, and names that are none. */
    char outside[200];
    snprintf(outside, sizeof outside, "%s", harness_path("outside"));
    close(open(outside, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(symlink(outside, in_domain("l.1.0123456789abcdef.node")), 0);
    assert_int_equal(symlink(outside, in_domain("iceoryx.0.7.lock")), 0);
    assert_int_equal(symlink(visible, in_domain("m.1.0123456789abcdef.node")), 0);
    close(open(in_domain("f.1.0123456789abcdef.node"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(mkdir(in_domain("d.1.0123456789abcdef.node"), 0700), 0);
    close(open(in_domain("iceoryx.3.lock"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(in_domain("iceoryx.1..lock"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

    /* Locks of both kinds, and none. */
    int flocked = open(in_domain("iceoryx.0.0.lock"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(flock(flocked, LOCK_EX), 0);
    int posix = open(in_domain("iceoryx.0.1.lock"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(posix, F_SETLK, &whole), 0);
    close(open(in_domain("iceoryx.1000.12.lock"), O_CREAT | O_RDWR | O_CLOEXEC, 0600));

    struct run r = run("sluice", "doctor", "--quiet", NULL);
    assert_has(r.out, "3 of dead processes (");
    assert_has(r.out, "8 files that are not Sluice's in");
    run_free(&r);
    r = run("sluice", "doctor", "--clean", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "removed  iceoryx.1000.12.lock\n");
    assert_has(r.out, "3 removed, 12 left alone\n");
    run_free(&r);
    assert_false(is_there(of_dead) || is_there(visible) || is_there("iceoryx.1000.12.lock"));
    assert_true(is_there(young) && is_there(of_living) && is_there("other.sock"));
    assert_true(is_there("iceoryx.0.0.lock") && is_there("iceoryx.0.1.lock"));
    assert_true(is_there("l.1.0123456789abcdef.node") && is_there("m.1.0123456789abcdef.node"));
    assert_true(is_there("f.1.0123456789abcdef.node") && is_there("d.1.0123456789abcdef.node"));
    assert_true(is_there("iceoryx.0.7.lock") && is_there("iceoryx.3.lock"));
    assert_int_equal(access(outside, F_OK), 0);
    close(flocked);
    close(posix);
    sl_domain_close(&domain);
}

static int find_one(void *context, const struct sl_leftover *leftover)
{
    *(struct sl_leftover *)context = *leftover;
    return 1;
}

static void what_was_looked_at_is_looked_at_again(void **state)
{
    (void)state;
    struct sl_domain domain;
    struct sl_leftover found;
    assert_int_equal(sl_domain_open(NULL, true, &domain), 0);
    static const char name[] = "p.0123456789abcdef.1.0123456789abcdef.pub";
    leave_socket(name);
    assert_int_equal(sl_leftovers_visit(&domain, find_one, &found), 1);
    assert_int_equal(found.state, SL_LEFTOVER_DEAD);
    /* another file has the name by now: kept open, so that its number is not given anew */
    int keep = open(in_domain(name), O_PATH | O_CLOEXEC);
    assert_int_equal(unlink(in_domain(name)), 0);
    leave_socket(name);
    assert_int_equal(sl_leftovers_remove(&domain, &found), -EBUSY);
    assert_true(is_there(name));
    close(keep);

    assert_int_equal(sl_leftovers_visit(&domain, find_one, &found), 1);
    if (geteuid() == 0) { /* seen by somebody else it stays */
        assert_int_equal(chmod(in_domain(""), 0755), 0);
        assert_int_equal(chmod(in_domain(name), 0777), 0);
        assert_int_equal(seteuid(65534), 0);
        struct sl_leftover others;
        int err = sl_leftovers_visit(&domain, find_one, &others);
        int removed = sl_leftovers_remove(&domain, &others);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(err, 1);
        assert_int_equal(others.state, SL_LEFTOVER_DEAD);
        assert_false(others.is_ours);
        assert_int_equal(removed, -EPERM);
        assert_true(is_there(name));
    }
    assert_int_equal(sl_leftovers_remove(&domain, &found), 0);
    assert_false(is_there(name));
    sl_domain_close(&domain);
}

int main(void)
{
#define CASE(name)    cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
#define MACHINE(name) cmocka_unit_test_setup_teardown(name, make_machine, harness_teardown)
    const struct CMUnitTest tests[] = {
        MACHINE(good_machine_has_no_problem),
        MACHINE(memory_of_devices_is_told_where_it_is),
        MACHINE(memory_that_is_scarce_or_may_leave_is_told),
        MACHINE(kernel_settings_that_lose_frames_are_told),
        MACHINE(nothing_to_read_is_no_finding),
        MACHINE(inotify_is_counted_against_the_limits_of_the_user),
        MACHINE(directory_is_described_and_its_faults_are_told),
        CASE(sockets_of_killed_processes_are_found_and_cleaned),
        CASE(stopped_process_lives_even_when_its_queue_is_full),
        CASE(only_what_is_certainly_dead_is_removed),
        CASE(what_was_looked_at_is_looked_at_again),
        MACHINE(limits_of_the_user_are_told_with_what_raises_them), /* last: they stay lowered */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
