/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dds_crew.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "launch/plan.h"
#include "tests/bench/bus_crew.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX   20
#define FIRST_DDS       201 /* domains; each run has two of these, for tests have the others */
#define RUNS            14
#define PERF_PATIENCE_S 20
#define PERF_LINE_S     1.0 /* between two of ddsperf's lines */
#define PERF_LINES_MAX  90  /* in a turn */

/* One for all. Nothing leaves the loopback interface; large messages go in large datagrams, have a
 * socket that takes many of these, and what was lost of one is soon sent again. */
static const char config[] =
    "<CycloneDDS><Domain id=\"any\"><General><Interfaces><NetworkInterface name=\"lo\"/>"
    "</Interfaces><AllowMulticast>false</AllowMulticast><MaxMessageSize>65500B</MaxMessageSize>"
    "<FragmentSize>65000B</FragmentSize></General><Discovery>"
    "<ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>9</MaxAutoParticipantIndex>"
    "<Peers><Peer address=\"127.0.0.1\"/></Peers></Discovery><Internal>"
    "<SocketReceiveBufferSize max=\"4MB\"/><MaxQueuedRexmitBytes>16MB</MaxQueuedRexmitBytes>"
    "<NackDelay>10ms</NackDelay></Internal></Domain></CycloneDDS>";

/* Processes ------------------------------------------------------------------------------------ */

static cpu_set_t allowed; /* to this process when the crew started */

void dds_crew_pin(bool receives)
{
    cpu_set_t one;
    int left = receives;
    if (CPU_COUNT(&allowed) < 2)
        return;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &allowed) && left-- == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

void dds_crew_roam(void)
{
    if (CPU_COUNT(&allowed) > 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
}

/* `out` becomes the child's standard output, `kept` stays open; -1 = none. A name without a slash
 * is looked for in PATH. */
static pid_t spawn(enum dds_role role, char *const *arguments, int out, int kept)
{
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return sl_error(-errno, "no process for the bench: %s", strerror(errno));
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || (out >= 0 && dup2(out, STDOUT_FILENO) < 0) ||
        (kept >= 0 && fcntl(kept, F_SETFD, 0) < 0))
        _exit(126);
    dds_crew_pin(role == DDS_READER || role == DDS_PERF_SUB);
    execvp(arguments[0], arguments);
    _exit(127);
}

/* Arguments are texts, ended by NULL. */
static int begin(struct dds_crew *crew, enum dds_role role, int out, char *const *arguments)
{
    pid_t pid = spawn(role, arguments, out, crew->page_fd);
    if (pid < 0)
        return pid;
    crew->pid[role] = pid;
    return 0;
}

static void end(struct dds_crew *crew, enum dds_role role)
{
    pid_t pid = crew->pid[role];
    crew->pid[role] = 0;
    if (pid <= 0)
        return;
    kill(pid, role == DDS_BRIDGE ? SIGTERM : SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int check_alive(const struct dds_crew *crew)
{
    static const char *const names[DDS_ROLES] = {"the bridge", "the reader", "the writer",
                                                 "ddsperf's subscriber", "ddsperf's publisher"};
    for (int role = 0; role < DDS_ROLES; role++) {
        siginfo_t info = {0};
        if (crew->pid[role] > 0 &&
            waitid(P_PID, (id_t)crew->pid[role], &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid != 0)
            return sl_error(-ECHILD, "%s of the bench has ended (status %d)", names[role],
                            info.si_status);
    }
    return 0;
}

static int find(const char *name, char path[PATH_MAX])
{
    if (sl_program_search(name, false, path, PATH_MAX))
        return 0;
    return sl_error(-ENOENT,
                    "there is no program %s: build where Cyclone DDS is (Debian: cyclonedds-dev, "
                    "cyclonedds-tools)",
                    name);
}

static unsigned own_dds_domain(void)
{
    return FIRST_DDS + 2 * ((unsigned)getpid() % RUNS);
}

static int start_bridge(struct dds_crew *crew, const struct dds_work *work)
{
    char path[PATH_MAX], rule[80], number[12];
    int err = find("dds_bridge", path);
    if (err < 0)
        return err;
    snprintf(rule, sizeof rule, DDS_BUS_TOPIC " %s when-full=block depth=%u",
             work->best_effort ? "best-effort" : "reliable", work->depth);
    snprintf(number, sizeof number, "%u", own_dds_domain());
    char *arguments[] = {path,
                         "--out",
                         rule,
                         "--dds-domain",
                         number,
                         "--domain",
                         (char *)work->domain,
                         "--ros-graph",
                         "none",
                         "--log-level",
                         "warn",
                         NULL};
    return begin(crew, DDS_BRIDGE, -1, arguments);
}

static int start_peer(struct dds_crew *crew, enum dds_role role)
{
    char path[PATH_MAX], number[12], fd[12];
    int err = find(DDS_PEER, path);
    if (err < 0)
        return err;
    snprintf(number, sizeof number, "%u", own_dds_domain());
    snprintf(fd, sizeof fd, "%d", crew->page_fd);
    char *arguments[] = {path, role == DDS_READER ? "reader" : "writer", number, fd, NULL};
    return begin(crew, role, -1, arguments);
}

/* ddsperf -------------------------------------------------------------------------------------- */

bool dds_has_ddsperf(void)
{
    char path[PATH_MAX];
    return sl_program_search("ddsperf", true, path, sizeof path);
}

static int read_line(struct dds_crew *crew, char *line, int size)
{
    struct pollfd readable = {.fd = fileno(crew->perf), .events = POLLIN};
    if (poll(&readable, 1, PERF_PATIENCE_S * 1000) == 1 && fgets(line, size, crew->perf))
        return 0;
    int err = check_alive(crew);
    return err < 0 ? err : sl_error(-ETIMEDOUT, "ddsperf tells nothing");
}

/* "[PID] TIME  size N total N lost N delta N lost N rate R kS/s ..." */
static bool parse(const char *line, double *ret_time_s, unsigned long *ret_messages)
{
    const char *at = strstr(line, " delta ");
    return at && sscanf(line, "[%*d] %lf size", ret_time_s) == 1 &&
           sscanf(at, " delta %lu lost", ret_messages) == 1;
}

static void signal_ddsperf(const struct dds_crew *crew, int number)
{
    for (int role = DDS_PERF_SUB; role <= DDS_PERF_PUB; role++)
        if (crew->pid[role] > 0)
            kill(crew->pid[role], number);
}

/* Until its publisher has found its subscriber, which counts then. */
static int await_ddsperf(struct dds_crew *crew)
{
    char line[512];
    double time_s;
    unsigned long messages;
    int err;
    while ((err = read_line(crew, line, sizeof line)) == 0 && !parse(line, &time_s, &messages))
        ;
    signal_ddsperf(crew, SIGSTOP);
    return err;
}

static int start_ddsperf(struct dds_crew *crew, const struct dds_work *work)
{
    char number[12];
    int ends[2], nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return sl_error(-errno, "no pipe for ddsperf: %s", strerror(errno));
    snprintf(number, sizeof number, "%u", own_dds_domain() + 1);
    char *qos = work->best_effort ? "-u" : "-kall"; /* which it is anyway */
    char *subscriber[] = {"ddsperf", "-1", qos, "-i", number, "sub", NULL};
    char *publisher[] = {"ddsperf", qos, "-i", number, "pub", "size", (char *)work->size, NULL};
    int err = begin(crew, DDS_PERF_SUB, ends[1], subscriber);
    if (err == 0)
        err = begin(crew, DDS_PERF_PUB, nowhere, publisher);
    close(ends[1]);
    close(nowhere);
    crew->perf = fdopen(ends[0], "r");
    if (crew->perf)
        setvbuf(crew->perf, NULL, _IONBF, 0); /* poll must see what is left */
    else
        close(ends[0]);
    if (err == 0)
        err = crew->perf ? await_ddsperf(crew) : sl_error(-ENOMEM, "no memory for ddsperf");
    return err;
}

/* It is stopped between its turns, and the first line after each such pause tells of the pause.
 * Where none arrives within a line's time, as large ones on a busy machine, the turn is longer. */
int dds_crew_run_ddsperf(struct dds_crew *crew, double *ret_messages_per_s)
{
    char line[512];
    double begin_s = -1, last_s = -1, now_s = -1;
    unsigned long messages, sum = 0;
    int err = 0, lines = 0;
    signal_ddsperf(crew, SIGCONT);
    while (err == 0 && (sum == 0 || now_s - begin_s < 0.9 * PERF_LINE_S)) {
        err = lines++ < PERF_LINES_MAX ? read_line(crew, line, sizeof line)
                                       : sl_error(-ETIMEDOUT, "no message of ddsperf arrives");
        if (err < 0 || !parse(line, &now_s, &messages))
            continue;
        if (begin_s < 0 && last_s >= 0 && now_s - last_s < 1.2 * PERF_LINE_S)
            begin_s = last_s;
        if (begin_s >= 0)
            sum += messages;
        last_s = now_s;
    }
    signal_ddsperf(crew, SIGSTOP);
    if (err == 0)
        *ret_messages_per_s = (double)sum / (now_s - begin_s);
    return err;
}

/* Life ----------------------------------------------------------------------------------------- */

static int make_page(struct dds_crew *crew, const struct dds_work *work)
{
    void *page = MAP_FAILED;
    crew->page_fd = memfd_create("bench", MFD_CLOEXEC);
    if (crew->page_fd >= 0 && ftruncate(crew->page_fd, sizeof *crew->page) == 0)
        page = mmap(NULL, sizeof *crew->page, PROT_READ | PROT_WRITE, MAP_SHARED, crew->page_fd, 0);
    if (page == MAP_FAILED)
        return sl_error(-errno, "no memory for the bench: %s", strerror(errno));
    crew->page = page;
    crew->page->data_bytes = work->data_bytes;
    crew->page->clouds = work->clouds;
    crew->page->best_effort = work->best_effort;
    return 0;
}

int dds_crew_start(struct dds_crew *crew, const struct dds_work *work)
{
    *crew = (struct dds_crew){.page_fd = -1};
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        CPU_ZERO(&allowed); /* then nobody is pinned */
    if (setenv("CYCLONEDDS_URI", config, 1) < 0)
        return sl_error(-ENOMEM, "no memory for a configuration");
    int err = make_page(crew, work);
    if (err == 0)
        err = start_peer(crew, DDS_READER);
    if (err == 0)
        err = start_peer(crew, DDS_WRITER);
    if (err == 0)
        err = start_bridge(crew, work);
    if (err == 0 && dds_has_ddsperf())
        err = start_ddsperf(crew, work);
    return err;
}

int dds_crew_meet(struct dds_crew *crew)
{
    const struct timespec pause = {.tv_nsec = SL_NS_PER_MS};
    uint64_t until_ns = sl_clock_monotonic_ns() + BUS_OPENING_S * SL_NS_PER_S;
    const struct dds_page *page = crew->page;
    while (atomic_load(&page->readers) == 0 || atomic_load(&page->lane[DDS_TYPED].writers) == 0 ||
           atomic_load(&page->lane[DDS_BRIDGED].writers) == 0) {
        int err = check_alive(crew);
        if (err < 0)
            return err;
        if (sl_clock_monotonic_ns() > until_ns)
            return sl_error(-ETIMEDOUT, "bridge, writer and reader do not find each other in DDS");
        nanosleep(&pause, NULL);
    }
    return 0;
}

uint64_t dds_crew_cpu_ns(const struct dds_crew *crew, enum dds_role role)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(crew->pid[role], &clock) == 0)
        clock_gettime(clock, &used);
    return (uint64_t)used.tv_sec * SL_NS_PER_S + (uint64_t)used.tv_nsec;
}

void dds_crew_stop(struct dds_crew *crew)
{
    for (int role = 0; role < DDS_ROLES; role++)
        end(crew, role);
    if (crew->perf)
        fclose(crew->perf);
    if (crew->page)
        munmap(crew->page, sizeof *crew->page);
    if (crew->page_fd >= 0)
        close(crew->page_fd);
}
