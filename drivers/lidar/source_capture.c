/* SPDX-License-Identifier: Apache-2.0 */
/* source_capture.c - a capture file as if it happened now.
 *
 * Two times run side by side. The host stamps that the datagrams carry are the capture's own, moved
 * forward at each loop. The pace is counted in steps from one wanted datagram to the next, so that
 * a clock that was set while the capture was made neither stops the replay nor makes it rush. */
#include "drivers/lidar/source.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/capture/datagrams.h"
#include "drivers/lidar/source_ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP_MAX_NS      (60 * SL_NS_PER_S) /* longer silence in a capture is not waited for */
#define BACKWARD_MAX_NS SL_NS_PER_S        /* a smaller step back is disorder, not a set clock */
#define LONE_STEP_NS    SL_NS_PER_MS       /* between loops of a capture of one datagram */
#define PORTS_SEEN_MAX  8
#define PORTS_TEXT_MAX  160
#define ARENA_BYTES     ((size_t)LIDAR_SOURCE_BATCH_MAX * SL_DATAGRAM_MAX_BYTES)

struct port_seen {
    uint16_t port;
    uint64_t count;
};

struct capture_source {
    struct lidar_source base;
    struct sl_datagram_reader *reader;
    char *path;
    bool loop;
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX];
    unsigned port_count;
    struct lidar_pace pace;

    struct sl_datagram next; /* read, not given yet; its bytes are the reader's */
    bool has_next;
    uint64_t next_at_ns; /* its place on the pace's clock, which starts at 0 */
    int end;             /* what receive says from now on; 0 = it goes on */

    /* this pass over the file */
    uint64_t wanted;            /* datagrams for our ports */
    uint64_t first_ns, last_ns; /* capture's clock of the first and the latest of them */
    uint64_t shift_ns;          /* what is added to the capture's clock */
    uint64_t given_at_ns;       /* pace's clock of the last one given */

    uint64_t foreign_this_pass;
    struct port_seen seen[PORTS_SEEN_MAX]; /* of the ones left out, for the sentence at the end */
    unsigned seen_count;
    uint8_t *arena; /* a batch's bytes: the reader keeps one datagram only */
};

static struct capture_source *capture(const struct lidar_source *source)
{
    return (struct capture_source *)source;
}

static bool is_wanted(const struct capture_source *source, uint16_t port)
{
    for (unsigned i = 0; i < source->port_count; i++)
        if (source->ports[i] == port)
            return true;
    return source->port_count == 0;
}

static void note_foreign(struct capture_source *source, uint16_t port)
{
    source->base.stats.foreign++;
    source->foreign_this_pass++;
    for (unsigned i = 0; i < source->seen_count; i++)
        if (source->seen[i].port == port) {
            source->seen[i].count++;
            return;
        }
    if (source->seen_count < PORTS_SEEN_MAX)
        source->seen[source->seen_count++] = (struct port_seen){.port = port, .count = 1};
}

/* Where the capture's own clock puts a datagram that comes after `last_ns`. */
static uint64_t step_from_last(struct capture_source *source, uint64_t time_ns)
{
    if (time_ns >= source->last_ns) {
        uint64_t step_ns = time_ns - source->last_ns;
        if (step_ns <= GAP_MAX_NS)
            return step_ns;
        source->base.stats.gaps_skipped++;
        return 0;
    }
    if (source->last_ns - time_ns > BACKWARD_MAX_NS)
        source->base.stats.gaps_skipped++;
    return 0;
}

/* Between the last datagram of one pass and the first of the next: as between any two. */
static uint64_t mean_step_ns(const struct capture_source *source)
{
    if (source->wanted < 2 || source->last_ns <= source->first_ns)
        return LONE_STEP_NS;
    return (source->last_ns - source->first_ns) / (source->wanted - 1);
}

static void place(struct capture_source *source, const struct sl_datagram *datagram)
{
    uint64_t time_ns = datagram->time_ns ? datagram->time_ns : source->last_ns;
    if (source->wanted > 0) {
        source->next_at_ns += step_from_last(source, time_ns);
    } else {
        source->first_ns = time_ns;
        source->last_ns = time_ns;
    }
    /* Disorder of less than a second leaves the pace's clock where it was. */
    if (time_ns > source->last_ns || source->last_ns - time_ns > BACKWARD_MAX_NS)
        source->last_ns = time_ns;
    source->wanted++;
    source->next = *datagram;
    source->next.time_ns = time_ns ? time_ns + source->shift_ns : 0;
    source->has_next = true;
}

static void list_ports(const struct capture_source *source, char text[PORTS_TEXT_MAX])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < source->seen_count && used < PORTS_TEXT_MAX; i++)
        used += (size_t)snprintf(text + used, PORTS_TEXT_MAX - used, "%s%u (%llu)", i ? ", " : "",
                                 source->seen[i].port, (unsigned long long)source->seen[i].count);
}

static int tell_nothing_found(const struct capture_source *source, const char *damage)
{
    char wanted[PORTS_TEXT_MAX] = "", seen[PORTS_TEXT_MAX];
    size_t used = 0;
    for (unsigned i = 0; i < source->port_count; i++)
        used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%s%u", i ? " or " : "",
                                 source->ports[i]);
    list_ports(source, seen);
    if (source->foreign_this_pass == 0) {
        struct sl_datagram_counters counters;
        char reasons[PORTS_TEXT_MAX];
        sl_datagram_reader_counters(source->reader, &counters);
        sl_datagram_counters_print(&counters, reasons, sizeof reasons);
        return sl_error(-ENOMSG, "%s: no UDP datagrams in it%s%s%s%s", source->path,
                        reasons[0] ? ": " : "", reasons, damage ? "; " : "", damage ? damage : "");
    }
    return sl_error(-ENOMSG,
                    "%s: %llu datagrams, none for port %s; destination ports seen: %s; "
                    "choose one of these as port%s%s",
                    source->path, (unsigned long long)source->foreign_this_pass, wanted, seen,
                    damage ? "; " : "", damage ? damage : "");
}

/* What of the reader's errors means that the file, not the system, is at fault. */
static bool is_damage(int err)
{
    return err == -ENODATA || err == -EPROTO || err == -EMSGSIZE || err == -EOVERFLOW;
}

static void begin_pass(struct capture_source *source)
{
    uint64_t seam_ns = mean_step_ns(source);
    uint64_t span_ns = source->last_ns > source->first_ns ? source->last_ns - source->first_ns : 0;
    source->shift_ns += span_ns + seam_ns;
    source->next_at_ns += seam_ns;
    source->wanted = 0;
    source->foreign_this_pass = 0;
    source->seen_count = 0;
    source->base.stats.loops++;
    sl_datagram_reader_rewind(source->reader);
}

/* The file's end, for whatever reason. Returns 0 if it begins again. */
static int finish_pass(struct capture_source *source, int err)
{
    char damage[LIDAR_SOURCE_WARNING_MAX];
    const bool damaged = is_damage(err);
    if (err < 0 && !damaged)
        return err; /* said by the reader */
    if (damaged)
        snprintf(damage, sizeof damage, "%s", sl_error_text());
    if (source->wanted == 0)
        return tell_nothing_found(source, damaged ? damage : NULL);
    if (damaged)
        snprintf(source->base.warning, sizeof source->base.warning,
                 "%.400s; what stands before it was used", damage);
    if (!source->loop)
        return -ENODATA;
    begin_pass(source);
    return 0;
}

/* Have a wanted datagram at hand, or know that there is none. */
static bool look_ahead(struct capture_source *source)
{
    while (!source->has_next && source->end == 0) {
        struct sl_datagram datagram;
        int got = sl_datagram_reader_next(source->reader, &datagram);
        if (got <= 0)
            source->end = finish_pass(source, got);
        else if (is_wanted(source, datagram.destination.port))
            place(source, &datagram);
        else
            note_foreign(source, datagram.destination.port);
    }
    return source->has_next;
}

static int receive(struct lidar_source *base, struct sl_datagram *batch, unsigned max)
{
    struct capture_source *source = capture(base);
    uint8_t *to = source->arena;
    unsigned count = 0;
    while (count < max && look_ahead(source) &&
           lidar_pace_reached(&source->pace, source->next_at_ns)) {
        struct sl_datagram *given = &batch[count++];
        *given = source->next;
        memcpy(to, given->bytes, given->size_bytes);
        given->bytes = to;
        to += given->size_bytes;
        source->base.stats.truncated += (given->flags & SL_DATAGRAM_TRUNCATED) != 0;
        source->given_at_ns = source->next_at_ns;
        source->has_next = false;
    }
    return count > 0 ? (int)count : source->has_next ? 0 : source->end;
}

static uint64_t due_ns(struct lidar_source *base)
{
    struct capture_source *source = capture(base);
    /* At the end the caller shall come and hear of it. */
    return look_ahead(source) ? lidar_pace_due_ns(&source->pace, source->next_at_ns)
                              : LIDAR_SOURCE_DUE_NOW;
}

static bool progress(const struct lidar_source *base, struct lidar_source_progress *ret_progress)
{
    const struct capture_source *source = capture(base);
    *ret_progress = (struct lidar_source_progress){.elapsed_ns = source->given_at_ns,
                                                   .loops = source->base.stats.loops};
    sl_datagram_reader_progress(source->reader, &ret_progress->done_bytes,
                                &ret_progress->total_bytes);
    return true;
}

static void refresh(const struct lidar_source *base, struct lidar_source_stats *stats)
{
    struct sl_datagram_counters counters;
    sl_datagram_reader_counters(capture(base)->reader, &counters);
    lidar_source_count_frames(&counters, stats);
}

static void close_source(struct lidar_source *base)
{
    struct capture_source *source = capture(base);
    sl_datagram_reader_close(source->reader);
    free(source->path);
    free(source->arena);
    free(source);
}

static const struct lidar_source_ops capture_ops = {
    .kind = "capture",
    .receive = receive,
    .due_ns = due_ns,
    .progress = progress,
    .refresh = refresh,
    .close = close_source,
};

static int open_all(struct capture_source *source, const struct lidar_capture_config *config)
{
    if (!(config->rate >= 0))
        return sl_error(-EINVAL,
                        "capture rate %g; give 1 for as recorded, 2 for twice as fast, 0 for "
                        "no waiting",
                        config->rate);
    if (config->port_count > LIDAR_SOURCE_PORTS_MAX)
        return sl_error(-EINVAL, "%u ports; a capture is searched for at most %u",
                        config->port_count, LIDAR_SOURCE_PORTS_MAX);
    source->loop = config->loop;
    source->port_count = config->port_count;
    memcpy(source->ports, config->ports, sizeof source->ports);
    source->pace = (struct lidar_pace){.rate = config->rate, .now_ns = config->now_ns};
    source->path = strdup(config->path);
    source->arena = malloc(ARENA_BYTES); /* untouched pages cost nothing */
    if (!source->path || !source->arena)
        return sl_error(-ENOMEM, "no memory for a capture source");
    return sl_datagram_reader_open(config->path, NULL, &source->reader);
}

int lidar_source_open_capture(const struct lidar_capture_config *config,
                              struct lidar_source **ret_source)
{
    struct capture_source *source = calloc(1, sizeof *source);
    if (!source)
        return sl_error(-ENOMEM, "no memory for a capture source");
    source->base.ops = &capture_ops;
    int err = open_all(source, config);
    if (err < 0) {
        close_source(&source->base);
        return err;
    }
    *ret_source = &source->base;
    return 0;
}
