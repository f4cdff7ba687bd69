/* SPDX-License-Identifier: Apache-2.0 */
/* child.c - the nodes of the launcher's tests: one program on the runtime that behaves as it is
 * told. */
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/node/runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum mode {
    RUN,        /* ready, then until it is stopped */
    END,        /* ready, then an end with 0 */
    FAIL,       /* an error in open() */
    CRASH,      /* ready, then abort() */
    ERROR,      /* ready, then an error in work() */
    LATE,       /* never ready */
    STUBBORN,   /* ready, deaf to SIGTERM */
    GRANDCHILD, /* ready, with a child of its own in its group and one in another */
    LINES,      /* a long one, `count` short ones, one without an end */
    PUBLISH,    /* `count` messages of 64 kB, then an end; count 0 = until it is stopped */
    SUBSCRIBE,  /* reads them */
};
static const char *const mode_names[] = {"run",   "end",     "fail",      "crash",
                                         "error", "late",    "stubborn",  "grandchild",
                                         "lines", "publish", "subscribe", NULL};

/* iox::posix::mutex::unlock, which iceoryx's libraries call by name; the program's comes first.
 * Where $DIE_SENDING names a file that is not there, whoever hands a message over makes it, and
 * dies with the lock; once, so that who is restarted lives. */
#define UNLOCK_SYMBOL "_ZN3iox5posix5mutex6unlockEv"
bool unlock_mutex(void *mutex) __asm__(UNLOCK_SYMBOL) __attribute__((visibility("default")));

static bool is_sending;

bool unlock_mutex(void *mutex)
{
    bool (*original)(void *) = (bool (*)(void *))dlsym(RTLD_NEXT, UNLOCK_SYMBOL);
    const char *once = getenv("DIE_SENDING");
    if (is_sending && once && open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0)
        kill(getpid(), SIGKILL);
    return original(mutex);
}

struct child {
    int mode;
    const char *pids; /* file that gets the pids, one a line */
    const char *say;
    int64_t count;
    struct sl_option_list item;
    int64_t period_ns;
    struct sl_publisher *publisher;
    struct sl_subscriber *subscriber;
    uint64_t next_ns, published;
};

static const struct sl_option options[] = {
    {.name = "mode",
     .kind = SL_OPTION_CHOICE,
     .offset = offsetof(struct child, mode),
     .choices = mode_names,
     .fallback = "run",
     .help = "What to do"},
    {.name = "pids",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct child, pids),
     .help = "A file to add the process numbers to"},
    {.name = "say",
     .kind = SL_OPTION_TEXT,
     .offset = offsetof(struct child, say),
     .help = "A line to print when it opens"},
    {.name = "count",
     .kind = SL_OPTION_INT,
     .offset = offsetof(struct child, count),
     .max = 1e9,
     .help = "Messages to publish, or lines to print"},
    {.name = "item",
     .kind = SL_OPTION_LIST,
     .offset = offsetof(struct child, item),
     .help = "Printed when it opens"},
    {.name = "period",
     .kind = SL_OPTION_DURATION,
     .offset = offsetof(struct child, period_ns),
     .fallback = "5ms",
     .max = 1e10,
     .help = "Between two messages"},
};

static void tell_pid(const struct child *c, pid_t pid)
{
    if (!c->pids)
        return;
    int fd = open(c->pids, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        dprintf(fd, "%d\n", (int)pid);
        close(fd);
    }
}

static void make_grandchild(const struct child *c, bool with_own_group)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (with_own_group)
            setsid();
        signal(SIGTERM, SIG_IGN);
        for (;;)
            pause();
    }
    tell_pid(c, pid);
}

static void write_lines(int64_t count)
{
    char line[5000];
    memset(line, 'x', sizeof line);
    printf("%.*s\n", (int)sizeof line, line);
    for (int64_t i = 0; i < count; i++)
        printf("line %d\n", (int)i);
    fprintf(stderr, "to standard error\n");
    printf("an end without newline");
    fflush(stdout);
}

static int child_topics(void *state, struct sl_runtime *runtime)
{
    struct child *c = state;
    if (c->mode == PUBLISH)
        return sl_runtime_publish(runtime,
                                  &(struct sl_publisher_options){.topic = "data",
                                                                 .type = "test/msg/Bytes",
                                                                 .slot_size = 65536},
                                  &c->publisher);
    if (c->mode == SUBSCRIBE)
        return sl_runtime_subscribe(runtime, &(struct sl_subscriber_options){.topic = "data"},
                                    &c->subscriber);
    return 0;
}

static int child_open(void *state, struct sl_runtime *runtime)
{
    struct child *c = state;
    tell_pid(c, getpid());
    if (c->say)
        printf("%s\n", c->say);
    for (unsigned i = 0; i < c->item.count; i++)
        printf("item %u: %s\n", i, c->item.text[i]);
    switch ((enum mode)c->mode) {
    case FAIL:
        printf("about to fail\n");
        return sl_error(-ENODEV, "no device /dev/lidar0; plug it in");
    case LATE:
        while (!sl_runtime_stopping(runtime))
            usleep(1000);
        return -ECANCELED;
    case GRANDCHILD:
        make_grandchild(c, false);
        make_grandchild(c, true);
        return 0;
    default:
        return child_topics(state, runtime);
    }
}

static int publish_one(struct child *c, struct sl_runtime *runtime)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (c->next_ns > now_ns) {
        sl_runtime_wake_at(runtime, c->next_ns);
        return 0;
    }
    if (c->count > 0 && c->published == (uint64_t)c->count)
        return -ECANCELED;
    struct sl_loan loan;
    int err = sl_publisher_loan(c->publisher, &loan);
    if (err == -EAGAIN)
        return 0;
    if (err < 0)
        return err;
    memset(loan.data, (int)c->published, 65536);
    const struct sl_message message = {.body_length = 65536, .data_length = 65536};
    is_sending = true;
    err = sl_publisher_publish(c->publisher, &loan, &message);
    is_sending = false;
    c->published++;
    c->next_ns = now_ns + (uint64_t)c->period_ns;
    return err < 0 ? err : 1;
}

static int take_one(struct child *c)
{
    struct sl_frame frame;
    int err = sl_subscriber_take(c->subscriber, &frame);
    if (err == -EAGAIN)
        return 0;
    if (err < 0)
        return err;
    sl_frame_release(&frame);
    return 1;
}

static int child_work(void *state, struct sl_runtime *runtime)
{
    struct child *c = state;
    switch ((enum mode)c->mode) {
    case END:
        return -ECANCELED;
    case CRASH:
        abort();
    case ERROR:
        return sl_error(-EIO, "the sensor sends nothing any more");
    case STUBBORN:
        for (;;)
            pause(); /* SIGTERM is blocked: only SIGKILL ends this */
    case LINES:
        write_lines(c->count);
        return -ECANCELED;
    case PUBLISH:
        return publish_one(c, runtime);
    case SUBSCRIBE:
        return take_one(c);
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct sl_program program = {
        .name = "child",
        .summary = "A node for the launcher's tests",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .state_size = sizeof(struct child),
        .open = child_open,
        .topics = child_topics,
        .work = child_work,
    };
    return sl_program_main(&program, argc, argv);
}
