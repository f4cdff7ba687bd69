/* SPDX-License-Identifier: Apache-2.0 */
/* crash_board.c - what all processes of the crash test share, but for the bus. */
#include "tests/shm/crash.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct board *board;

static const char *board_path(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/board", getenv("SLUICE_ROOT"));
    return path;
}

void crash_board_open(bool create)
{
    int fd = open(board_path(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (fd < 0 || (create && ftruncate(fd, sizeof *board) < 0))
        role_failed(__LINE__, board_path(), -errno);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (board == MAP_FAILED)
        role_failed(__LINE__, "mmap", -errno);
}

void crash_board_close(void)
{
    munmap(board, sizeof *board);
    unlink(board_path());
}

uint64_t crash_order_pack(struct order order)
{
    return (uint64_t)order.point | (uint64_t)order.nth << 16 | (uint64_t)order.kind << 48 |
           (uint64_t)order.stops << 62 | UINT64_C(1) << 63; /* never 0, which ends a role */
}

struct order crash_order_of(uint64_t argument)
{
    return (struct order){
        .point = (enum sl_failpoint)(argument & UINT16_MAX),
        .nth = (uint32_t)(argument >> 16),
        .kind = (uint32_t)(argument >> 48) & 0x3fff,
        .stops = argument >> 62 & 1,
    };
}

uint64_t crash_random(void)
{
    static uint64_t state; /* of this process: begun from the board once */
    while (state == 0)
        state = atomic_fetch_add(&board->random, UINT64_C(0x9e3779b97f4a7c15));
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void crash_nap_us(uint64_t us)
{
    struct timespec pause = {.tv_nsec = (long)us * 1000};
    nanosleep(&pause, NULL);
}
