/* SPDX-License-Identifier: Apache-2.0 */
/* crash_read.c - the readers of the crash test: those that survive, guests, victims. */
#include "tests/shm/crash.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *topic;
    enum sl_policy policy;
    uint32_t hoard;
    bool by_fd;
} kinds[READER_KINDS] = {
    [HOARDER] = {"hoarder", FRAMES, SL_KEEP_LAST, QUOTA, false},
    [POLLER] = {"poller", FRAMES, SL_KEEP_LAST, 1, true},
    [KEEPER] = {"keeper", EVERY, SL_LOSSLESS, 1, false},
    [GUEST] = {"guest", FRAMES, SL_KEEP_LAST, 2, false},
    [VICTIM_HOARDER] = {"victim", FRAMES, SL_KEEP_LAST, QUOTA, false},
    [VICTIM_POLLER] = {"victim", FRAMES, SL_KEEP_LAST, 2, true},
    [VICTIM_KEEPER] = {"victim", EVERY, SL_LOSSLESS, 1, false},
};

/* The instances that were read last: an old one may have messages left when a new one has begun. */
struct track {
    uint64_t instance, run, last;
};

static struct reader {
    uint32_t kind;
    bool survives;
    struct sl_subscriber *subscriber;
    struct sl_frame held[QUOTA];
    uint32_t count;
    struct track track[4];
    unsigned turn;
    uint64_t taken;
} r;

static void refuse(const struct sl_frame *f, const char *why, uint64_t what)
{
    fprintf(stderr, "%s: message %" PRIu64 " of run %" PRIu64 ": %s %" PRIu64 "\n",
            kinds[r.kind].name, f->seq, f->stamp_ns >> 32, why, what);
    _exit(4);
}

/* Nothing of it may ever change while it is held. */
static void check(const struct sl_frame *f)
{
    ssize_t wrong = pattern_check_lines(f->body, f->body_length, f->stamp_ns);
    if (wrong >= 0)
        refuse(f, "torn at byte", (uint64_t)wrong);
    if (sl_frame_check(f) < 0)
        refuse(f, "revoked", 0);
    atomic_fetch_add(&board->checked_bytes, f->body_length);
}

static void found(const struct sl_frame *f)
{
    uint64_t run = f->stamp_ns >> 32;
    /* One that is killed leaves its first messages standing until it was found. */
    bool stands = atomic_load(&board->successor) > 0;
    if (f->seq != 1 + f->lost_before || (stands && f->lost_before > 0))
        refuse(f, "is not the oldest that stands; lost", f->lost_before);
    if (run == atomic_load(&board->successor) && atomic_load(&board->killed_ns))
        atomic_store(&board->recovered_ns[r.kind], sl_clock_monotonic_ns());
    atomic_store(&board->run[run].seen[r.kind], true);
}

/* What is missing was told. */
static void follow(const struct sl_frame *f)
{
    struct track *t = NULL;
    if ((f->stamp_ns & UINT32_MAX) != f->seq)
        refuse(f, "has the number", f->stamp_ns & UINT32_MAX);
    for (unsigned i = 0; i < sizeof r.track / sizeof *r.track; i++)
        if (r.track[i].instance == f->instance)
            t = &r.track[i];
    if (!t) {
        t = &r.track[r.turn++ % (sizeof r.track / sizeof *r.track)];
        *t = (struct track){f->instance, f->stamp_ns >> 32, f->seq};
        if (r.survives)
            found(f);
    } else if (t->run != f->stamp_ns >> 32 || f->seq != t->last + f->lost_before + 1) {
        refuse(f, "does not follow", t->last);
    }
    if (kinds[r.kind].policy == SL_LOSSLESS && f->lost_before > 0)
        refuse(f, "lost before it", f->lost_before);
    t->last = f->seq;
}

static void let_oldest_go(void)
{
    check(&r.held[0]);
    sl_frame_release(&r.held[0]);
    memmove(r.held, r.held + 1, --r.count * sizeof r.held[0]);
}

static bool take_one(void)
{
    if (r.count == kinds[r.kind].hoard)
        let_oldest_go();
    struct sl_frame *f = &r.held[r.count];
    int err = sl_subscriber_take(r.subscriber, f);
    if (err == -EAGAIN)
        return false;
    must(err);
    r.count++;
    r.taken++;
    follow(f);
    check(f);
    return true;
}

static void open_end(void)
{
    struct sl_subscriber_options o = {
        .topic = kinds[r.kind].topic,
        .policy = kinds[r.kind].policy,
        .quota = kinds[r.kind].hoard,
    };
    memset(r.track, 0, sizeof r.track);
    must(open_subscriber(&o, &r.subscriber));
    if (kinds[r.kind].by_fd)
        must(sl_subscriber_fd(r.subscriber));
}

static void close_end(void)
{
    while (r.count > 0)
        let_oldest_go();
    sl_subscriber_close(r.subscriber);
    r.subscriber = NULL;
}

static void wait_a_little(void)
{
    if (kinds[r.kind].by_fd) {
        struct pollfd in = {.fd = sl_subscriber_fd(r.subscriber), .events = POLLIN};
        poll(&in, 1, 5);
    } else {
        sl_subscriber_wait(r.subscriber, 5 * (int64_t)SL_NS_PER_MS);
    }
}

/* Taken and lost are all that was shown, of each publisher that was found. */
static void account(void)
{
    struct sl_subscriber_status status;
    must(sl_subscriber_status(r.subscriber, &status));
    uint64_t least = 0, most = 0, lost = 0;
    for (uint64_t i = 1; i <= atomic_load(&board->run_count); i++) {
        const struct run *run = &board->run[i];
        uint64_t begun = atomic_load(&run->begun), shown = atomic_load(&run->shown);
        if (!atomic_load(&run->seen[r.kind]))
            continue;
        least += atomic_load(&run->is_uncertain) ? begun - 1 : shown;
        most += atomic_load(&run->is_uncertain) ? begun : shown;
    }
    for (int i = 0; i < SL_LOSS_REASONS; i++)
        lost += status.lost[i];
    atomic_store(&board->read[r.kind], r.taken);
    atomic_store(&board->lost[r.kind], lost);
    if (status.taken != r.taken || r.taken + lost < least || r.taken + lost > most) {
        fprintf(stderr,
                "%s: %" PRIu64 " taken and %" PRIu64 " lost, of %" PRIu64 " to %" PRIu64 " shown\n",
                kinds[r.kind].name, r.taken, lost, least, most);
        _exit(5);
    }
}

static int survive(void)
{
    open_end();
    say(1);
    for (;;) {
        bool is_end = atomic_load(&board->drained);
        bool any = false;
        while (take_one())
            any = true;
        if (is_end && !any)
            break;
        wait_a_little();
    }
    account();
    close_end();
    return 0;
}

static void come_and_go(void)
{
    open_end();
    uint64_t until_ns = sl_clock_monotonic_ns() + (1 + crash_random() % 4) * SL_NS_PER_MS;
    while (sl_clock_monotonic_ns() < until_ns && !atomic_load(&board->stop)) {
        if (!take_one())
            wait_a_little();
    }
    close_end();
}

static void die(enum sl_failpoint point)
{
    (void)point;
    atomic_store(&board->killed_ns, sl_clock_monotonic_ns());
    kill(getpid(), SIGKILL);
}

int crash_read(uint64_t argument)
{
    struct order order = crash_order_of(argument);
    r = (struct reader){.kind = order.kind, .survives = order.kind < SURVIVORS};
    crash_board_open(false);
    if (order.nth > 0)
        sl_failpoint_arm(order.point, order.nth, order.stops ? sl_failpoint_stop : die);
    if (r.survives)
        return survive();
    say(1);
    while (!atomic_load(&board->stop))
        come_and_go();
    return 0;
}
