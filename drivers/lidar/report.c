/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - lines for people. */
#include "drivers/lidar/report.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"

#define TICK_NS         (200 * SL_NS_PER_MS)
#define LOSS_NS         SL_NS_PER_S
#define SILENCE_NS      (5 * SL_NS_PER_S)
#define ODD_PACKETS_MAX 16 /* while a rotor starts, say */
#define LINE_BYTES      400
#define TEXT_BYTES      900 /* a sentence with such a line in it */
#define ERASE_LINE      "\r\033[K"

static void add_loss(struct lidar_losses *to, const char *name, uint64_t count)
{
    if (to->kinds == LIDAR_LOSS_MAX)
        return; /* a kind was added and the room was not: it is not told, and nothing breaks */
    to->name[to->kinds] = name;
    to->count[to->kinds++] = count;
}

/* Where the summary tells each of a decoder's counts. */
enum place {
    IN_ITS_FIRST_WORDS = 1,
    AS_LOST,
    BESIDES
};
static const enum place place_of[LIDAR_COUNTS] = {
    [LIDAR_PACKETS] = IN_ITS_FIRST_WORDS,
    [LIDAR_TELEMETRY] = IN_ITS_FIRST_WORDS,
    [LIDAR_IMU] = IN_ITS_FIRST_WORDS,
    [LIDAR_BAD_SHORT] = AS_LOST,
    [LIDAR_BAD_LONG] = AS_LOST,
    [LIDAR_BAD_FLAG] = AS_LOST,
    [LIDAR_BAD_AZIMUTH] = AS_LOST,
    [LIDAR_BAD_RETURN_MODE] = AS_LOST,
    [LIDAR_BAD_CRC] = AS_LOST,
    [LIDAR_BAD_TELEMETRY] = AS_LOST,
    [LIDAR_BAD_SENTENCE] = BESIDES,
    [LIDAR_OTHER_MODEL] = AS_LOST,
    [LIDAR_UNIDENTIFIED] = AS_LOST,
    [LIDAR_BAD_ROTATION] = AS_LOST,
    [LIDAR_GAP] = AS_LOST,
    [LIDAR_REORDERED] = BESIDES,
    [LIDAR_LATE] = AS_LOST,
    [LIDAR_DUPLICATE] = BESIDES,
    [LIDAR_RESTART_BACK] = BESIDES,
    [LIDAR_RESTART_AHEAD] = BESIDES,
    [LIDAR_RESTART_ROTATION] = BESIDES,
    [LIDAR_RESTART_MODE] = BESIDES,
    [LIDAR_RESTART_SENSOR] = BESIDES,
    [LIDAR_FRAMES] = IN_ITS_FIRST_WORDS,
    [LIDAR_FRAMES_PARTIAL] = IN_ITS_FIRST_WORDS,
    [LIDAR_FRAMES_OVERFLOW] = BESIDES,
    [LIDAR_FRAMES_OVERDUE] = BESIDES,
    [LIDAR_FRAMES_DROPPED] = AS_LOST,
};

static void add_counts(struct lidar_losses *to, const uint64_t *count, enum place place)
{
    for (unsigned i = 0; i < LIDAR_COUNTS; i++) {
        uint64_t number = count[i];
        assert(place_of[i] != 0);
        if (i == LIDAR_GAP) /* what came late after all was not lost */
            number = number > count[LIDAR_REORDERED] ? number - count[LIDAR_REORDERED] : 0;
        if (place_of[i] == place)
            add_loss(to, lidar_count_names[i], number);
    }
}

void lidar_losses_of(const struct lidar_flow *flow, struct lidar_losses *ret_losses)
{
    struct lidar_source_stats stats;
    lidar_source_stats(flow->source, &stats);
    ret_losses->kinds = 0;
    add_counts(ret_losses, lidar_decoder_counts(flow->decoder)->count, AS_LOST);
    add_loss(ret_losses, "scans_dropped", flow->publish.counts.scans_dropped);
    add_loss(ret_losses, "unpublishable", flow->publish.counts.unpublishable);
    add_loss(ret_losses, "kernel_drops", stats.kernel_drops);
    add_loss(ret_losses, "fragments_incomplete", stats.fragments_incomplete);
    add_loss(ret_losses, "fragments_rejected", stats.fragments_rejected);
    add_loss(ret_losses, "frames_rejected", stats.frames_rejected);
    add_loss(ret_losses, "messages_lost", stats.messages_lost);
    add_loss(ret_losses, "messages_rejected", stats.messages_rejected);
}

void lidar_events_of(const struct lidar_flow *flow, struct lidar_losses *ret_events)
{
    struct lidar_source_stats stats;
    lidar_source_stats(flow->source, &stats);
    ret_events->kinds = 0;
    add_counts(ret_events, lidar_decoder_counts(flow->decoder)->count, BESIDES);
    add_loss(ret_events, "foreign", stats.foreign);
    add_loss(ret_events, "truncated", stats.truncated);
    add_loss(ret_events, "gaps_skipped", stats.gaps_skipped);
    add_loss(ret_events, "loops", stats.loops);
    add_loss(ret_events, "slots_wanting", stats.slots_wanting);
    add_loss(ret_events, "simulated_losses", stats.simulated_losses);
}

/* "gap 12, kernel_drops 4" of what is more than in `before`; empty if nothing is. */
static void print_losses(const struct lidar_losses *now, const struct lidar_losses *before,
                         char text[LINE_BYTES])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < now->kinds && used < LINE_BYTES; i++) {
        uint64_t old = i < before->kinds ? before->count[i] : 0;
        if (now->count[i] > old)
            used += (size_t)snprintf(text + used, LINE_BYTES - used, "%s%s %" PRIu64,
                                     used > 0 ? ", " : "", now->name[i], now->count[i] - old);
    }
}

static void erase(struct lidar_report *report)
{
    if (report->has_line)
        fputs(ERASE_LINE, stderr);
    report->has_line = false;
}

static void say(const struct lidar_report *report, enum sl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(const struct lidar_report *report, enum sl_log_level level, const char *format, ...)
{
    char line[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (report->name)
        sl_log(level, "%s: %s", report->name, line);
    else
        sl_log(level, "%s", line);
}

static void tell_losses(struct lidar_report *report, uint64_t now_ns)
{
    struct lidar_losses now;
    char text[LINE_BYTES];
    if (now_ns < report->next_loss_ns)
        return;
    report->next_loss_ns = now_ns + LOSS_NS;
    lidar_losses_of(report->flow, &now);
    print_losses(&now, &report->told, text);
    if (text[0]) {
        erase(report);
        say(report, SL_LOG_WARN, "lost: %s", text);
        report->told = now;
    }
}

static void tell_model(struct lidar_report *report)
{
    const char *product = lidar_decoder_product(report->flow->decoder);
    if (report->told_model || !product)
        return;
    report->told_model = true;
    erase(report);
    say(report, SL_LOG_INFO, "packets of a%s %s; its points are made by %s",
        strchr("AEIOU", product[0]) ? "n" : "", product,
        lidar_simd_names[lidar_decoder_simd(report->flow->decoder)]);
}

/* Each once. */
static void tell_notes(struct lidar_report *report)
{
    for (enum lidar_note i = 0; i < LIDAR_NOTES; i++) {
        const char *note = lidar_decoder_note(report->flow->decoder, i);
        if (report->told_note[i] || !note)
            continue;
        report->told_note[i] = true;
        erase(report);
        say(report, SL_LOG_WARN, "%s", note);
    }
}

/* Where stamps come from, when that is known and whenever it changes. */
static void tell_clock(struct lidar_report *report)
{
    static const char *const sentences[] = {
        [LIDAR_CLOCK_FREE_RUNNING] = "the sensor's free-running clock, put on this host's",
        [LIDAR_CLOCK_GPS] = "the sensor's clock, which GPS sets (UTC)",
        [LIDAR_CLOCK_HOST] = "the arrival times at this host",
        [LIDAR_CLOCK_PTP] = "the sensor's clock, which PTP sets (UTC)",
        [LIDAR_CLOCK_FITTED] = "the sensor's clock, fitted to this host's",
    };
    const struct lidar_publish *publish = &report->flow->publish;
    if (publish->counts.frames == 0 || (report->told_clock && report->clock == publish->clock))
        return;
    report->told_clock = true;
    report->clock = publish->clock;
    erase(report);
    say(report, SL_LOG_INFO, "stamps (%s): %s", lidar_clock_kind_names[report->clock],
        sentences[report->clock]);
}

/* Each packet is counted, too, but that does not say what to do. */
static void tell_rotation(const struct lidar_report *report)
{
    const uint64_t *count = lidar_decoder_counts(report->flow->decoder)->count;
    if (count[LIDAR_FRAMES] == 0 && count[LIDAR_BAD_ROTATION] > ODD_PACKETS_MAX)
        say(report, SL_LOG_WARN,
            "no frame came of the first %d s, as in %" PRIu64
            " packets the azimuth stands still or does not go on evenly at %g to %g turns a "
            "second: does the sensor's motor turn?",
            (int)(SILENCE_NS / SL_NS_PER_S), count[LIDAR_BAD_ROTATION], LIDAR_ROTATION_MIN_HZ,
            LIDAR_ROTATION_MAX_HZ);
}

/* Packets of telemetry and of an IMU are short: they come where IP fragments are lost. */
static const char *silence_advice(const struct lidar_report *report, uint64_t others)
{
    if (!lidar_source_is_live(report->flow->source))
        return "is the topic right? 'sluice topic list' shows those that there are";
    return others > 0 ? "is the port right, and do IP fragments reach this program?"
                      : "is the sensor on, and this machine its destination?";
}

static void tell_silence(struct lidar_report *report, uint64_t now_ns)
{
    const uint64_t *count = lidar_decoder_counts(report->flow->decoder)->count;
    uint64_t others = count[LIDAR_TELEMETRY] + count[LIDAR_IMU];
    if (report->told_silence || now_ns - report->begin_ns < SILENCE_NS)
        return;
    report->told_silence = true;
    tell_rotation(report);
    if (report->flow->datagrams > others || lidar_source_fd(report->flow->source) < 0)
        return;
    say(report, SL_LOG_WARN, "no %spacket came in the first %d s; %s", others > 0 ? "data " : "",
        (int)(SILENCE_NS / SL_NS_PER_S), silence_advice(report, others));
}

static void draw(struct lidar_report *report, uint64_t now_ns)
{
    struct lidar_source_progress progress;
    if (!report->draws || !lidar_source_progress(report->flow->source, &progress))
        return;
    double percent = progress.total_bytes
                         ? 100.0 * (double)progress.done_bytes / (double)progress.total_bytes
                         : 0;
    double passed = (double)(now_ns - report->drawn_ns);
    double rate =
        passed > 0 ? (double)(progress.elapsed_ns - report->drawn_elapsed_ns) / passed : 0;
    fprintf(stderr, ERASE_LINE "%3.0f%%  %.1f s  %.1fx  %" PRIu64 " frames", percent,
            (double)progress.elapsed_ns / 1e9, rate, report->flow->publish.counts.frames);
    if (progress.loops > 0)
        fprintf(stderr, "  pass %" PRIu64, progress.loops + 1);
    fflush(stderr);
    report->has_line = true;
    report->drawn_ns = now_ns;
    report->drawn_elapsed_ns = progress.elapsed_ns;
}

void lidar_report_begin(struct lidar_report *report, const struct lidar_flow *flow,
                        const char *name, bool may_draw)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    *report = (struct lidar_report){
        .flow = flow,
        .name = name,
        .draws = may_draw && isatty(STDERR_FILENO) && sl_log_shows(SL_LOG_INFO),
        .begin_ns = now_ns,
        .drawn_ns = now_ns,
        .next_loss_ns = now_ns + LOSS_NS,
    };
}

uint64_t lidar_report_tick(struct lidar_report *report, uint64_t now_ns)
{
    if (now_ns >= report->next_ns) {
        report->next_ns = now_ns + TICK_NS;
        tell_model(report);
        tell_notes(report);
        tell_clock(report);
        tell_losses(report, now_ns);
        tell_silence(report, now_ns);
        draw(report, now_ns);
    }
    return report->next_ns;
}

static void tell_delay(const struct lidar_report *report, const struct sl_histogram *delay)
{
    if (delay->count > 0)
        say(report, SL_LOG_INFO,
            "from a turn's last packet to its publishing: p50 %.1f us, p99 %.1f us",
            (double)sl_histogram_quantile_ns(delay, 0.5) / 1e3,
            (double)sl_histogram_quantile_ns(delay, 0.99) / 1e3);
}

/* Who took the stamps of arrival: most of them, as the first ones come before the kernel does. */
static void tell_stamps(const struct lidar_report *report)
{
    struct lidar_source_stats stats;
    lidar_source_stats(report->flow->source, &stats);
    uint64_t own = stats.datagrams - stats.stamped_by_kernel - stats.stamped_by_card;
    const char *who = stats.stamped_by_card > stats.stamped_by_kernel + own ? "the network card"
                      : stats.stamped_by_kernel > own                       ? "the kernel"
                                                                            : "this program";
    if (stats.datagrams > 0)
        say(report, SL_LOG_INFO, "arrivals were stamped by %s", who);
}

void lidar_report_end(struct lidar_report *report)
{
    const struct lidar_flow *flow = report->flow;
    const struct lidar_publish_counts *out = &flow->publish.counts;
    const uint64_t *count = lidar_decoder_counts(flow->decoder)->count;
    struct lidar_losses losses;
    char text[LINE_BYTES];
    erase(report);
    tell_model(report);
    tell_notes(report);
    tell_clock(report);
    lidar_losses_of(flow, &losses);
    print_losses(&losses, &(struct lidar_losses){0}, text);
    say(report, SL_LOG_INFO,
        "%" PRIu64 " frames (%" PRIu64 " partial), %" PRIu64 " points, %" PRIu64
        " of them returns, from %" PRIu64 " data and %" PRIu64 " telemetry packets; lost: %s",
        out->frames, count[LIDAR_FRAMES_PARTIAL], out->points, out->returns, count[LIDAR_PACKETS],
        count[LIDAR_TELEMETRY] + count[LIDAR_IMU], text[0] ? text : "nothing");
    lidar_events_of(flow, &losses);
    print_losses(&losses, &(struct lidar_losses){0}, text);
    if (text[0])
        say(report, SL_LOG_INFO, "besides: %s", text);
    if (out->filtered > 0)
        say(report, SL_LOG_INFO, "%" PRIu64 " returns were filtered", out->filtered);
    if (lidar_source_is_live(flow->source)) {
        tell_delay(report, &flow->publish.delay);
        tell_stamps(report);
    }
}
