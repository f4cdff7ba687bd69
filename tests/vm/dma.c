/* SPDX-License-Identifier: Apache-2.0 */
/* dma.c - frames that a device writes: QEMU's edu puts them into the slots of a pool, and this
 * publisher, whose own mapping of the slots is read-only by then, only says where they are.
 *
 *   vm_dma publish DEVICE TOPIC FRAMES [MEMORY]   then tries to let the device write elsewhere
 *   vm_dma read TOPIC FRAMES                      checks every byte, in place
 *
 * The device needs a frame to write. It is loaded with one, piece by piece, from a page that it may
 * read only; a sensor would have made it itself. Exit status 0: all was as it must be.
 */
#include "core/shm/sluice.h"
#include "tests/vm/edu.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define TYPE        "example/msg/Bytes"
#define SLOT_SIZE   8192u
#define SLOT_COUNT  3u
#define PAGE        4096u
#define PATIENCE_NS 60000000000

/* The device's view: a page that it may read, one more that it does not even read, then the slots
 * with as much nothing behind each, so that a frame that is too long ends at the IOMMU and not in
 * its neighbour. */
#define IOVA_SOURCE    0x100000u
#define IOVA_UNTOUCHED (IOVA_SOURCE + PAGE)
#define IOVA_SLOT(n)   (0x1000000u + (n)*2 * SLOT_SIZE)
#define IOVA_NOTHING   0x8000000u
#define SOURCE_SIZE    (2 * PAGE)
static_assert(IOVA_SLOT(SLOT_COUNT) <= EDU_IOVA_END, "the device can address all slots");

static uint32_t word_of(uint64_t seq, uint32_t index)
{
    return (uint32_t)seq * 0x9e3779b1u + index;
}

/* Publishing ------------------------------------------------------------------------------------*/

struct source {
    struct edu edu;
    struct sl_publisher *publisher;
    uint32_t *page;                  /* what the device may read */
    const uint8_t *slot[SLOT_COUNT]; /* where the CPU sees them */
};

static int complain(const char *what, int err)
{
    fprintf(stderr, "vm_dma: %s: %s\n", what, err < 0 ? sl_error_text() : "not as it must be");
    return err < 0 ? err : -EIO;
}

/* Shows the device every slot, once for all their frames, and takes writing from the CPU: the
 * kernel has pinned the pages for the device by then, and asks nobody again. */
static int map_slots(struct source *s)
{
    struct sl_loan loan[SLOT_COUNT];
    uint32_t count;
    int err = 0;
    for (count = 0; count < SLOT_COUNT; count++) {
        err = sl_publisher_loan(s->publisher, &loan[count]);
        if (err < 0)
            break;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (err >= 0)
            err = edu_map(&s->edu, loan[i].data, SLOT_SIZE, IOVA_SLOT(loan[i].slot), true);
        if (err >= 0 && mprotect(loan[i].data, SLOT_SIZE, PROT_READ) < 0)
            err = -errno;
        s->slot[loan[i].slot] = loan[i].data;
        sl_publisher_discard(s->publisher, &loan[i]);
    }
    return err;
}

static int open_source(const char *device, const char *topic, const char *memory, struct source *s)
{
    const struct sl_publisher_options options = {.topic = topic,
                                                 .type = TYPE,
                                                 .slot_size = SLOT_SIZE,
                                                 .slot_count = SLOT_COUNT,
                                                 .loans = SLOT_COUNT,
                                                 .subscribers = 1,
                                                 .quota = 1,
                                                 .memory = memory};
    int err = sl_publisher_open(&options, &s->publisher);
    if (err < 0)
        return complain(topic, err);
    /* Not MAP_PRIVATE: pinned for reading before it is written, that is the one page of zeros. */
    s->page = mmap(NULL, SOURCE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->page == MAP_FAILED)
        return complain("a page", -errno);
    err = edu_open(device, &s->edu);
    if (err >= 0)
        err = edu_map(&s->edu, s->page, SOURCE_SIZE, IOVA_SOURCE, false);
    if (err >= 0)
        err = map_slots(s);
    return err;
}

static int wait_for_reader(struct source *s)
{
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    struct sl_publisher_status status = {0};
    for (int64_t waited = 0; waited < PATIENCE_NS; waited += moment.tv_nsec) {
        int err = sl_publisher_status(s->publisher, &status);
        if (err < 0 || status.subscribers > 0)
            return err;
        nanosleep(&moment, NULL);
    }
    return complain("waiting for a reader", 0);
}

static int publish_frame(struct source *s, uint64_t seq)
{
    struct sl_loan loan;
    int err = sl_publisher_wait(s->publisher, PATIENCE_NS);
    if (err >= 0)
        err = sl_publisher_loan(s->publisher, &loan);
    if (err < 0)
        return complain("loan", err);
    for (uint32_t at = 0; err >= 0 && at < SLOT_SIZE; at += EDU_TRANSFER_MAX) {
        for (uint32_t i = 0; i < EDU_TRANSFER_MAX / 4; i++)
            s->page[i] = word_of(seq, at / 4 + i);
        err = edu_load(&s->edu, IOVA_SOURCE, EDU_TRANSFER_MAX);
        if (err >= 0)
            err = edu_store(&s->edu, IOVA_SLOT(loan.slot) + at, EDU_TRANSFER_MAX);
    }
    if (err < 0) {
        sl_publisher_discard(s->publisher, &loan);
        return err;
    }
    const struct sl_message message = {.stamp_ns = seq, .body_length = SLOT_SIZE};
    err = sl_publisher_publish(s->publisher, &loan, &message);
    return err < 0 ? complain("publish", err) : 0;
}

/* The device writes where it may not: behind a slot, onto a page that it may only read (not one
 * that it has read: QEMU's IOMMU then knows the page, and keeps the write away without a word), and
 * where nothing ever was. */
static int stray(struct source *s)
{
    static const uint64_t forbidden[] = {IOVA_SLOT(0) + SLOT_SIZE, IOVA_UNTOUCHED, IOVA_NOTHING};
    static uint8_t before[SLOT_COUNT][SLOT_SIZE];
    memset(s->page, 0xa5, SOURCE_SIZE);
    int err = edu_load(&s->edu, IOVA_SOURCE, EDU_TRANSFER_MAX);
    memset(s->page, 0x5a, SOURCE_SIZE);
    for (uint32_t i = 0; i < SLOT_COUNT; i++)
        memcpy(before[i], s->slot[i], SLOT_SIZE);
    for (unsigned i = 0; err >= 0 && i < sizeof forbidden / sizeof *forbidden; i++) {
        err = edu_store(&s->edu, forbidden[i], EDU_TRANSFER_MAX);
        printf("stray write to 0x%llx\n", (unsigned long long)forbidden[i]);
    }
    for (uint32_t i = 0; err >= 0 && i < SLOT_COUNT; i++)
        if (memcmp(before[i], s->slot[i], SLOT_SIZE) != 0)
            err = complain("a slot, after stray writes", 0);
    for (uint32_t i = 0; err >= 0 && i < SOURCE_SIZE / 4; i++)
        if (s->page[i] != 0x5a5a5a5au)
            err = complain("the page, after stray writes", 0);
    return err;
}

static int publish(const char *device, const char *topic, uint64_t frames, const char *memory)
{
    struct source s = {.edu = EDU_NONE};
    int err = open_source(device, topic, memory, &s);
    if (err >= 0)
        err = wait_for_reader(&s);
    for (uint64_t seq = 1; err >= 0 && seq <= frames; seq++)
        err = publish_frame(&s, seq);
    if (err >= 0)
        err = stray(&s);
    edu_close(&s.edu);
    sl_publisher_close(s.publisher);
    return err;
}

/* Reading ---------------------------------------------------------------------------------------*/

static int check_frame(const struct sl_frame *frame)
{
    const uint32_t *word = frame->body;
    if (frame->body_length != SLOT_SIZE)
        return complain("length", 0);
    for (uint32_t i = 0; i < SLOT_SIZE / 4; i++)
        if (word[i] != word_of(frame->stamp_ns, i)) {
            fprintf(stderr, "vm_dma: frame %llu, word %u is %08x instead of %08x\n",
                    (unsigned long long)frame->stamp_ns, i, word[i], word_of(frame->stamp_ns, i));
            return -EIO;
        }
    return 0;
}

static int read_frames(const char *topic, uint64_t frames)
{
    const struct sl_subscriber_options options = {.topic = topic, .type = TYPE, .quota = 1};
    struct sl_subscriber *subscriber;
    int err = sl_subscriber_open(&options, &subscriber);
    if (err < 0)
        return complain(topic, err);
    uint64_t count = 0;
    while (err >= 0 && count < frames) {
        struct sl_frame frame;
        err = sl_subscriber_take(subscriber, &frame);
        if (err == -EAGAIN) {
            err = sl_subscriber_wait(subscriber, PATIENCE_NS);
            continue;
        }
        if (err < 0)
            break;
        err = check_frame(&frame);
        sl_frame_release(&frame);
        count += err >= 0;
    }
    if (err < 0)
        complain(topic, err);
    sl_subscriber_close(subscriber);
    printf("%llu frames of %u bytes, all as the device wrote them\n", (unsigned long long)count,
           SLOT_SIZE);
    return err;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc >= 5 && strcmp(argv[1], "publish") == 0)
        return publish(argv[2], argv[3], strtoull(argv[4], NULL, 10), argv[5]) < 0;
    if (argc == 4 && strcmp(argv[1], "read") == 0)
        return read_frames(argv[2], strtoull(argv[3], NULL, 10)) < 0;
    fprintf(stderr,
            "usage: vm_dma publish DEVICE TOPIC FRAMES [MEMORY] | vm_dma read TOPIC FRAMES\n");
    return 2;
}
