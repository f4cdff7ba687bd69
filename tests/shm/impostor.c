/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/shm/impostor.h"

#include "core/shm/iceoryx.h"
#include "core/shm/pool.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void await_readable(int fd)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    if (poll(&in, 1, PATIENCE_MS) != 1)
        fail_msg("descriptor %d: nothing comes", fd);
}

void await_hang_up(int fd)
{
    char byte;
    ssize_t got;
    do {
        await_readable(fd);
        got = recv(fd, &byte, 1, 0);
    } while (got > 0);
    assert_int_equal(got, 0);
}

void impostor_appear(struct impostor *i)
{
    *i = (struct impostor){.listener = -1, .fd = -1};
    i->ring = i->ledger = i->control = i->pool = SL_MEMORY_NONE;
    assert_ok(sl_domain_open(NULL, true, &i->domain));
    sl_socket_name_make(&i->name, SL_SOCKET_PUBLISHER, TOPIC, 0xbad);
    i->listener = sl_domain_listen(&i->domain, &i->name, 0600);
    assert_ok(i->listener);
}

void impostor_meet(struct impostor *i)
{
    await_readable(i->listener);
    i->fd = accept4(i->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(i->fd >= 0);
    struct sl_hello hello;
    await_readable(i->fd);
    assert_ok(sl_hello_receive(i->fd, &hello));
    assert_string_equal(hello.topic, TOPIC);
}

static void make(const char *name, uint64_t size, enum sl_memory_sharing sharing,
                 struct sl_memory *to)
{
    struct sl_memory_config config = {.name = name, .size_bytes = size, .sharing = sharing};
    assert_ok(sl_memory_create(&config, to));
}

void impostor_segments(struct impostor *i)
{
    make("sluice-ring", sl_ring_size(16, 64, 4), SL_MEMORY_READ_ONLY, &i->ring);
    make("sluice-ledger", sl_ledger_segment_size(IMPOSTOR_SLOTS), SL_MEMORY_LEDGER, &i->ledger);
    make("sluice-control", sl_control_size(IMPOSTOR_SLOTS, IMPOSTOR_SIDE), SL_MEMORY_READ_ONLY,
         &i->control);
    make("sluice-pool", IMPOSTOR_SLOTS * SLOT_SIZE, SL_MEMORY_READ_ONLY, &i->pool);
    sl_ring_format(i->ring.base, 0xbad, 16, 64, 4, &i->map);
    i->map.ring->header.size_bytes = i->ring.size_bytes;
    struct sl_segment_header head = {
        .magic = SL_MAGIC, .version = SL_PROTOCOL_VERSION, .instance = 0xbad};
    struct sl_ledger *ledger = sl_ledger_at(i->ledger.base, 0);
    ledger->header = head;
    ledger->header.kind = SL_SEGMENT_LEDGER;
    struct sl_control *control = (void *)i->control.base;
    *control = (struct sl_control){
        .header = head,
        .slot_size = SLOT_SIZE,
        .slot_count = IMPOSTOR_SLOTS,
        .side_size = IMPOSTOR_SIDE,
        .states_offset = sizeof *control,
        .sides_offset = sl_control_size(IMPOSTOR_SLOTS, 0),
    };
    control->header.kind = SL_SEGMENT_CONTROL;

    struct sl_welcome *w = &i->welcome;
    sl_welcome_init(w, SL_HELLO_SUBSCRIBE);
    w->instance = 0xbad;
    w->ring_bytes = i->ring.size_bytes;
    w->ledger_bytes = i->ledger.size_bytes;
    w->control_bytes = i->control.size_bytes;
    w->pool_bytes = i->pool.size_bytes;
    w->slot_size = SLOT_SIZE;
    w->slot_count = IMPOSTOR_SLOTS;
    w->side_size = IMPOSTOR_SIDE;
    w->quota = 4;
    w->fd_count = 4;
    snprintf(w->topic, sizeof w->topic, "%s", TOPIC);
    snprintf(w->type, sizeof w->type, "%s", TYPE);
    i->fds[0] = i->ring.fd;
    i->fds[1] = i->ledger.fd;
    i->fds[2] = i->control.fd;
    i->fds[3] = i->pool.fd;
}

void impostor_answer(struct impostor *i)
{
    if (is_over_iceoryx()) /* it lies about that, too: nobody sends there */
        i->welcome.roudi = sl_iceoryx_roudi();
    assert_ok(sl_welcome_send(i->fd, &i->welcome, i->fds));
}

void impostor_leave(struct impostor *i)
{
    sl_domain_unlink(&i->domain, &i->name);
    close(i->listener);
    if (i->fd >= 0)
        close(i->fd);
    sl_domain_close(&i->domain);
    sl_memory_close(&i->ring);
    sl_memory_close(&i->ledger);
    sl_memory_close(&i->control);
    sl_memory_close(&i->pool);
}

int intruder_knock(void)
{
    struct sl_domain domain;
    struct sl_socket_name name;
    find_publisher(&domain, &name);
    int fd = -EAGAIN;
    await((fd = sl_domain_connect(&domain, name.file)) != -EAGAIN);
    assert_ok(fd);
    sl_domain_close(&domain);
    return fd;
}

void intruder_connect(struct intruder *in, enum sl_policy policy, uint32_t quota)
{
    *in = (struct intruder){.fd = intruder_knock(), .ledger_memory = SL_MEMORY_NONE};
    struct sl_hello hello;
    sl_hello_init(&hello, SL_HELLO_SUBSCRIBE);
    hello.policy = (uint32_t)policy;
    hello.quota = quota;
    snprintf(hello.topic, sizeof hello.topic, "%s", TOPIC);
    assert_ok(sl_hello_send(in->fd, &hello));
    await_readable(in->fd);
    assert_ok(sl_welcome_receive(in->fd, &in->welcome, in->fds));
    assert_int_equal(in->welcome.status, 0);
    assert_ok(sl_memory_attach(in->fds[1], in->welcome.ledger_bytes, true, &in->ledger_memory));
    in->ledger = sl_ledger_at(in->ledger_memory.base, in->welcome.word_index);
}

void intruder_leave(struct intruder *in)
{
    close(in->fd);
    for (unsigned i = 0; i < in->welcome.fd_count; i++)
        if (i != 1)
            close(in->fds[i]);
    sl_memory_close(&in->ledger_memory);
}

static uint64_t random_state = 88172645463325252;
uint64_t random_word(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

uint64_t wild_word(void)
{
    static const uint64_t edges[] = {
        0,    1,     2,          63,        64,         4095,           4096,
        4097, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 1, 1u << 31,
        65536};
    uint64_t word = random_word();
    switch (word % 4) {
    case 0:
        return edges[(word >> 8) % (sizeof edges / sizeof *edges)];
    case 1:
        return edges[(word >> 8) % (sizeof edges / sizeof *edges)] |
               edges[(word >> 16) % (sizeof edges / sizeof *edges)] << 32;
    case 2:
        return (word >> 8) % 32;
    default:
        return word;
    }
}
