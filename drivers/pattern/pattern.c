/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c - a camera that needs no hardware: pictures (or plain bytes) of any size at any rate,
 * of which readers know every byte (core/frame/pattern.h). */
#include "drivers/pattern/pattern.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/node/publishing.h"
#include "drivers/pattern/writer.h"

#define LOOK_FOR_SUBSCRIBERS_NS (2 * SL_NS_PER_MS)
#define RATE_MIN_HZ             0.001
#define RATE_MAX_HZ             1e6

static const char *const write_names[] = {"stream", "cached", NULL};
enum {
    WRITE_STREAM,
    WRITE_CACHED
};

struct driver {
    const char *topic, *frame_id;
    int encoding, write;
    int64_t width, height;
    uint64_t size_bytes;
    double rate_hz;
    bool fast;
    int64_t count, seed;
    struct sl_publishing publishing;

    struct sl_runtime *runtime;
    struct sl_publisher *publisher;
    struct pattern_content content;
    struct pattern_writer writer;
    uint64_t period_ns; /* 0: as fast as it goes */
    uint64_t next_ns;   /* when the next frame is due; 0 = none was yet */
    uint64_t late;      /* frames that were left out because their time had passed */
};

#define FIELD(field) offsetof(struct driver, field)

static const struct sl_option options[] = {
    {.name = "topic",
     .letter = 't',
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(topic),
     .value = "TOPIC",
     .fallback = "image",
     .help = "What is published"},
    {.name = "encoding",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(encoding),
     .choices = sl_pattern_encodings,
     .fallback = "rgb8",
     .help = "Of the pixels; bytes: no picture, see --size"},
    {.name = "width",
     .kind = SL_OPTION_INT,
     .offset = FIELD(width),
     .value = "PIXELS",
     .fallback = "1920",
     .min = 1,
     .max = SL_PATTERN_ROW_MAX,
     .help = "Of a picture"},
    {.name = "height",
     .kind = SL_OPTION_INT,
     .offset = FIELD(height),
     .value = "PIXELS",
     .fallback = "1080",
     .min = 1,
     .max = 1 << 20,
     .help = "Of a picture"},
    {.name = "size",
     .kind = SL_OPTION_SIZE,
     .offset = FIELD(size_bytes),
     .value = "BYTES",
     .min = SL_PATTERN_SIZE_MIN,
     .max = SL_PATTERN_SIZE_MAX,
     .help = "Publish messages of so many plain bytes, no pictures"},
    {.name = "rate",
     .kind = SL_OPTION_REAL,
     .offset = FIELD(rate_hz),
     .value = "HZ",
     .fallback = "30",
     .min = RATE_MIN_HZ,
     .max = RATE_MAX_HZ,
     .help = "Frames a second; those whose time has passed are left out and counted"},
    {.name = "fast",
     .kind = SL_OPTION_FLAG,
     .offset = FIELD(fast),
     .help = "As fast as slots come free, at no rate"},
    {.name = "count",
     .letter = 'n',
     .kind = SL_OPTION_INT,
     .offset = FIELD(count),
     .value = "FRAMES",
     .max = 1e15,
     .help = "End after so many were published; 0 = never"},
    {.name = "write",
     .kind = SL_OPTION_CHOICE,
     .offset = FIELD(write),
     .choices = write_names,
     .fallback = "stream",
     .help = "Past the caches, or through them, which evicts what others have there"},
    {.name = "seed",
     .kind = SL_OPTION_INT,
     .offset = FIELD(seed),
     .value = "N",
     .max = 9e15,
     .help = "The same seed, the same frames; 0 = one of its own"},
    {.name = "frame-id",
     .kind = SL_OPTION_TEXT,
     .offset = FIELD(frame_id),
     .value = "NAME",
     .fallback = "pattern",
     .help = "The coordinate frame that pictures name"},

    SL_PUBLISHING_OPTIONS(FIELD(publishing), "4", "2",
                          "Wait for a slot rather than leave a frame out; means --lossless",
                          "Begin when so many have attached"),
};

/* Options ---------------------------------------------------------------------------------------*/

static int not_together(const char *a, const char *b, const char *why)
{
    return sl_error(-EINVAL, "option --%s: does not go with --%s: %s", a, b, why);
}

/* What the table cannot check. */
static int check_options(struct driver *d, const struct sl_runtime *runtime)
{
    bool is_picture = sl_runtime_given(runtime, "encoding") && d->encoding != SL_PATTERN_BYTES;
    if (d->size_bytes > 0 && is_picture)
        return not_together("size", "encoding", "a picture has the size that its sides give it");
    if (d->size_bytes > 0 && sl_runtime_given(runtime, "width"))
        return not_together("width", "size", "plain bytes have no sides");
    if (d->size_bytes > 0 && sl_runtime_given(runtime, "height"))
        return not_together("height", "size", "plain bytes have no sides");
    if (d->size_bytes == 0 && d->encoding == SL_PATTERN_BYTES)
        return sl_error(-EINVAL, "option --encoding: bytes needs --size BYTES");
    if (d->fast && sl_runtime_given(runtime, "rate"))
        return not_together("fast", "rate", "it is one or the other");
    if (strlen(d->frame_id) > PATTERN_FRAME_ID_MAX)
        return sl_error(-EINVAL, "option --frame-id: longer than %d bytes", PATTERN_FRAME_ID_MAX);
    d->content = (struct pattern_content){
        .encoding = d->size_bytes > 0 ? SL_PATTERN_BYTES : (uint32_t)d->encoding,
        .width = (uint32_t)d->width,
        .height = (uint32_t)d->height,
        .size_bytes = d->size_bytes,
        .frame_id = d->frame_id,
    };
    int err = pattern_content_complete(&d->content);
    return err < 0 ? sl_error_at(err, "option --width") : sl_publishing_check(&d->publishing);
}

static int open_topics(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    int err = check_options(d, runtime);
    if (err < 0)
        return err;
    struct sl_publisher_options publisher = {
        .topic = d->topic,
        .type = pattern_content_type(&d->content),
        .slot_size = pattern_content_slot_bytes(&d->content),
    };
    sl_publishing_apply(&d->publishing, &publisher);
    return sl_runtime_publish(runtime, &publisher, &d->publisher);
}

/* Running ---------------------------------------------------------------------------------------*/

/* May a slot be waited for? Until somebody wants the program to end. */
static bool may_wait(void *context)
{
    struct driver *d = context;
    return !sl_runtime_stopping(d->runtime);
}

static uint64_t choose_key(const struct driver *d)
{
    return d->seed > 0 ? (uint64_t)d->seed : sl_clock_realtime_ns() * 65536 + (uint64_t)getpid();
}

static int open_driver(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    d->runtime = runtime;
    int err = open_topics(d, runtime);
    if (err < 0)
        return err;
    d->period_ns = d->fast ? 0 : (uint64_t)(1e9 / d->rate_hz);
    const struct pattern_writer_config config = {
        .publisher = d->publisher,
        .content = d->content,
        .key = choose_key(d),
        .is_cached = d->write == WRITE_CACHED,
        .may_wait = d->fast || d->publishing.block ? may_wait : NULL,
        .context = d,
    };
    pattern_writer_init(&d->writer, &config);
    return 0;
}

/* Are there as many subscribers as were asked for? */
static bool may_begin(struct driver *d)
{
    struct sl_publisher_status status;
    if (d->next_ns > 0 || d->publishing.wait_for == 0 ||
        (sl_publisher_status(d->publisher, &status) == 0 &&
         status.subscribers >= d->publishing.wait_for))
        return true;
    sl_runtime_wake_at(d->runtime, sl_clock_monotonic_ns() + LOOK_FOR_SUBSCRIBERS_NS);
    return false;
}

/* Is a frame due? Frames whose time has passed altogether are left out, not made up for. */
static bool is_due(struct driver *d)
{
    uint64_t now_ns = sl_clock_monotonic_ns();
    if (d->next_ns == 0)
        d->next_ns = now_ns;
    if (d->period_ns == 0)
        return true;
    if (now_ns < d->next_ns) {
        sl_runtime_wake_at(d->runtime, d->next_ns);
        return false;
    }
    uint64_t passed = (now_ns - d->next_ns) / d->period_ns;
    d->late += passed;
    d->next_ns += (passed + 1) * d->period_ns;
    return true;
}

static int work(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    (void)runtime;
    if (d->count > 0 && d->writer.counts.frames >= (uint64_t)d->count)
        return -ECANCELED;
    if (!may_begin(d) || !is_due(d))
        return 0;
    int err = pattern_write(&d->writer, sl_clock_realtime_ns());
    return err < 0 && err != -EAGAIN ? err : 1;
}

static void close_driver(void *state, struct sl_runtime *runtime)
{
    struct driver *d = state;
    const struct pattern_counts *c = &d->writer.counts;
    (void)runtime;
    if (!d->writer.config.publisher)
        return;
    sl_log(SL_LOG_INFO,
           "%" PRIu64 " frames of %" PRIu64 " bytes, written at %.2f GB/s; left out: %" PRIu64
           " without a slot, %" PRIu64 " late",
           c->frames, d->content.size_bytes,
           c->writing_ns > 0 ? (double)c->bytes / (double)c->writing_ns : 0, c->refused, d->late);
}

const struct sl_program pattern_program = {
    .name = "pattern",
    .summary = "A camera without hardware: a test picture of which every byte is known",
    .details =
        "Topic: image (sensor_msgs/msg/Image): colour bars, a wandering band, and noise that is\n"
        "not seen but tells frames, rows and places apart. With --size, plain bytes of noise\n"
        "(" SL_TYPE_PATTERN "). `monitor --pattern` checks every byte of every frame.",
    .example = "pattern --width 3840 --height 2160 --rate 60",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .state_size = sizeof(struct driver),
    .open = open_driver,
    .topics = open_topics,
    .work = work,
    .close = close_driver,
};
