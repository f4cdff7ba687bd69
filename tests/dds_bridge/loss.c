/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/dds_bridge/loss.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where packets come in, before what came in IP fragments is put together. */
static const char rules[] =
    "table netdev loss {\n"
    "  counter dropped { }\n"
    "  chain in {\n"
    "    type filter hook ingress device \"%s\" priority 0; policy accept;\n"
    "    numgen random mod 100 < %u counter name \"dropped\" drop\n"
    "  }\n"
    "}\n";

static int failure(char *ret_reason, size_t size, const char *what)
{
    snprintf(ret_reason, size,
             "nft drops no packets here: %s (it wants root, Debian's nftables, and a kernel with "
             "nf_tables, its netdev family and numgen)",
             what);
    return -ENOTSUP;
}

int loss_open(const char *interface, unsigned percent, char *ret_reason, size_t reason_size)
{
    FILE *nft = popen("nft -f - 2>&1 >/dev/null", "w");
    if (!nft)
        return failure(ret_reason, reason_size, strerror(errno));
    fprintf(nft, rules, interface, percent);
    if (pclose(nft) != 0)
        return failure(ret_reason, reason_size, "it refuses the rules, or is not there");
    return 0;
}

uint64_t loss_count(void)
{
    char line[256];
    uint64_t count = 0;
    FILE *nft = popen("nft list counter netdev loss dropped", "r");
    while (nft && fgets(line, sizeof line, nft))
        if (sscanf(line, " packets %" SCNu64, &count) == 1)
            break;
    if (nft)
        pclose(nft);
    return count;
}
