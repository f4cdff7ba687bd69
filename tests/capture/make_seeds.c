/* SPDX-License-Identifier: Apache-2.0 */
/* make_seeds.c - writes the seeds of the fuzz target "capture" into the folder given: small
 * captures of each format, byte order, link type and kind of fragment. Run by hand when the writer
 * learns something new; the seeds are committed. */
#include <stdio.h>
#include <string.h>

#include "tests/capture/support.h"

static struct capture capture;

static int save(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(capture.bytes, 1, capture_size(&capture), file) != capture_size(&capture) ||
        fclose(file) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

/* Two datagrams, one of them in fragments of the smallest MTU, its frames in a bent order. */
static void fill(const struct sl_capture_write_options *options, unsigned bend)
{
    uint8_t family = options->link_type == SL_LINK_IPV6 || bend % 2 ? 6 : 4;
    if (options->link_type == SL_LINK_IPV4)
        family = 4;
    struct sl_datagram whole = datagram_of(family, 40, 1);
    struct sl_datagram split = datagram_of(family, 1100, 2);
    capture_begin(&capture, options);
    capture_add(&capture, &whole);
    int count = sl_capture_write_count(&capture.writer, &split);
    for (int i = 0; i < count; i++) {
        int index = bend & 2 ? count - 1 - i : i;
        capture_add_frame(&capture, &split, index, 7, SUPPORT_TIME_NS + (uint64_t)i);
        if (bend & 4)
            capture_add_frame(&capture, &split, index, 7 + (bend & 1), SUPPORT_TIME_NS);
    }
}

int main(int argc, char **argv)
{
    static const uint32_t links[] = {
        SL_LINK_NULL, SL_LINK_ETHERNET, SL_LINK_RAW,  SL_LINK_LOOP,
        SL_LINK_SLL,  SL_LINK_IPV4,     SL_LINK_IPV6, SL_LINK_SLL2,
    };
    int failed = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (unsigned i = 0; i < 4 * sizeof links / sizeof links[0]; i++) {
        char name[64];
        const struct sl_capture_write_options options = {
            .format = i & 1 ? SL_CAPTURE_PCAPNG : SL_CAPTURE_PCAP,
            .big_endian = i & 2,
            .microseconds = i & 4,
            .mtu_bytes = SL_CAPTURE_WRITE_MTU_MIN,
            .link_type = links[i / 4],
            .tag_count = links[i / 4] == SL_LINK_ETHERNET ? i % 4 : 0,
            .tags = {1, 2, 3},
        };
        fill(&options, i * 5 % 8);
        if (i % 4 == 3 && options.format == SL_CAPTURE_PCAPNG) {
            struct sl_capture_write_options other = options;
            struct sl_datagram d = datagram_of(links[i / 4] == SL_LINK_IPV6 ? 6 : 4, 30, 3);
            other.big_endian = !options.big_endian;
            if (sl_capture_write_section(&capture.writer, &other) == 0)
                capture_add(&capture, &d);
        }
        snprintf(name, sizeof name, "link%03u-%u.%s", links[i / 4], i % 4,
                 i & 1 ? "pcapng" : "pcap");
        failed |= save(argv[1], name);
    }
    return failed;
}
