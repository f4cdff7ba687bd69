/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/dds_bridge/loss.h"

#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);
    return result < 0 ? -errno : (int)result;
}

static int load(int counter_fd, unsigned percent)
{
    const int32_t threshold = (int32_t)((UINT64_C(1) << 32) / 100 * percent);
    /* clang-format off */
    const struct bpf_insn program[] = {
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_prandom_u32},
        {.code = BPF_JMP | BPF_JGE | BPF_K, .dst_reg = BPF_REG_0, .off = 11, .imm = threshold},
        {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD,
         .imm = counter_fd},
        {.imm = 0}, /* the upper half */
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 4, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
        {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1,
         .imm = BPF_ADD},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP},
        {.code = BPF_JMP | BPF_EXIT},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT},
    };
    /* clang-format on */
    union bpf_attr attributes = {.prog_type = BPF_PROG_TYPE_XDP};
    attributes.insns = (uintptr_t)program;
    attributes.insn_cnt = sizeof program / sizeof *program;
    attributes.license = (uintptr_t) "Apache-2.0";
    return bpf(BPF_PROG_LOAD, &attributes);
}

static int make_counter(void)
{
    union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY};
    attributes.key_size = sizeof(uint32_t);
    attributes.value_size = sizeof(uint64_t);
    attributes.max_entries = 1;
    return bpf(BPF_MAP_CREATE, &attributes);
}

static int attach(int program_fd, const char *interface)
{
    union bpf_attr attributes = {0};
    attributes.link_create.prog_fd = (uint32_t)program_fd;
    attributes.link_create.target_ifindex = if_nametoindex(interface);
    attributes.link_create.attach_type = BPF_XDP;
    return bpf(BPF_LINK_CREATE, &attributes);
}

int loss_open(struct loss *ret_loss, const char *interface, unsigned percent, char *ret_reason,
              size_t reason_size)
{
    struct loss loss = {.counter_fd = make_counter(), .program_fd = -1, .link_fd = -1};
    int err = loss.counter_fd;
    if (err >= 0)
        err = loss.program_fd = load(loss.counter_fd, percent);
    if (err >= 0)
        err = loss.link_fd = attach(loss.program_fd, interface);
    if (err < 0) {
        snprintf(ret_reason, reason_size, "no packets may be dropped by XDP (%s)", strerror(-err));
        loss_close(&loss);
        return err;
    }
    *ret_loss = loss;
    return 0;
}

void loss_close(struct loss *loss)
{
    const int fds[] = {loss->link_fd, loss->program_fd, loss->counter_fd};
    for (unsigned i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *loss = (struct loss){-1, -1, -1};
}

uint64_t loss_count(const struct loss *loss)
{
    const uint32_t key = 0;
    uint64_t count = 0;
    union bpf_attr attributes = {.map_fd = (uint32_t)loss->counter_fd};
    attributes.key = (uintptr_t)&key;
    attributes.value = (uintptr_t)&count;
    return bpf(BPF_MAP_LOOKUP_ELEM, &attributes) < 0 ? 0 : count;
}
