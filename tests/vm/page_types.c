/* SPDX-License-Identifier: Apache-2.0 */
/* page_types.c - vm_page_types: how many pages of RAM the kernel keeps as write-combining.
 *
 * x86's kernel notes a page's type in two of its flags, which /proc/kpageflags shows: arch_1 (bit
 * 38) alone is write-combining, uncached (bit 39) alone is uncached, both are write-through. Device
 * memory has no such flags, being no RAM; and mappings by page number (VM_PFNMAP), as vgem's are,
 * are left out of /proc/PID/pagemap: so all pages are counted, and before and after compared.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define ARCH_1   (UINT64_C(1) << 38)
#define UNCACHED (UINT64_C(1) << 39)

int main(void)
{
    static uint64_t flags[65536];
    uint64_t wc = 0;
    int fd = open("/proc/kpageflags", O_RDONLY);
    ssize_t length = -1;
    while (fd >= 0 && (length = read(fd, flags, sizeof flags)) > 0)
        for (size_t i = 0; i < (size_t)length / sizeof *flags; i++)
            wc += (flags[i] & (ARCH_1 | UNCACHED)) == ARCH_1;
    if (length < 0) {
        perror("/proc/kpageflags");
        return 1;
    }
    printf("%llu\n", (unsigned long long)wc);
    return 0;
}
