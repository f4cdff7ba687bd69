/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - where a lidar's datagrams come from: a socket, the frames of an interface, a topic of
 * raw packets, a capture file, or a simulated sensor.
 *
 * A driver opens one source and then only knows this interface. It waits until
 * lidar_source_fd() is readable or the monotonic clock has reached lidar_source_due_ns(), whichever
 * the source offers, and calls lidar_source_receive() until it gives 0.
 *
 * Life:    lidar_source_open_udp | _packet | _xdp | _topic | _capture | _sim -> receive ... ->
 *          lidar_source_close
 * Owner:   the source owns the bytes of the datagrams; they are valid until its next receive or
 * close. Threads: one at a time; no source starts a thread. Errors:  0 or a count, or -errno with
 * sl_error_text() saying what, where and what to do. Bytes that a sensor or a file got wrong are no
 * errors; they are counted in the statistics.
 */
#ifndef SL_DRIVERS_LIDAR_SOURCE_H
#define SL_DRIVERS_LIDAR_SOURCE_H

#include "core/capture/datagram.h"

#include <stdbool.h>
#include <stdint.h>

#define LIDAR_SOURCE_BATCH_MAX 32 /* datagrams that one receive gives at most */
#define LIDAR_SOURCE_PORTS_MAX 8
#define LIDAR_SOURCE_DUE_NEVER UINT64_MAX
#define LIDAR_SOURCE_DUE_NOW   UINT64_C(0)

/* The sensors' factory settings. */
#define LIDAR_VELODYNE_DATA_PORT      2368
#define LIDAR_VELODYNE_TELEMETRY_PORT 8308
#define LIDAR_ROBOSENSE_DATA_PORT     6699
#define LIDAR_ROBOSENSE_INFO_PORT     7788
#define LIDAR_OUSTER_LIDAR_PORT       7502
#define LIDAR_OUSTER_IMU_PORT         7503

struct lidar_source;

struct lidar_source_stats {
    uint64_t datagrams;    /* given to the caller */
    uint64_t bytes;        /* of their payload */
    uint64_t kernel_drops; /* thrown away by the kernel because the receive buffer was full */
    uint64_t truncated;    /* longer than the buffer, or cut by a capture's snap length */
    uint64_t foreign;      /* left out: another sender than the configured one, another port */
    uint64_t fragments_incomplete; /* IP datagrams of which a fragment never came */
    uint64_t fragments_rejected;   /* overlapping, repeated, or beyond the datagram */
    uint64_t frames_rejected;      /* captured frames that no datagram could be read from */
    uint64_t gaps_skipped;         /* steps of a capture's clock that were not waited for */
    uint64_t loops;                /* times that a capture started again */
    uint64_t stamped_by_kernel;    /* datagrams with the kernel's stamp of their arrival, */
    uint64_t stamped_by_card;      /* with the network card's; others have the reader's */
    uint64_t messages_lost;        /* of a topic: published and not read in time */
    uint64_t messages_rejected;    /* of a topic: no such message, or too large */
    uint64_t slots_wanting;        /* times that the kernel had none to fill (XDP) */
    uint64_t simulated_losses;     /* left out by the simulated sensor as it was told to */
    uint32_t
        receive_buffer_bytes; /* what the kernel granted, of the smallest socket; 0 = no socket */
};

/* How far a capture has been read. */
struct lidar_source_progress {
    uint64_t done_bytes;
    uint64_t total_bytes; /* of the file; 0 = endless */
    uint64_t elapsed_ns;  /* capture's clock since its first datagram, all loops together */
    uint64_t loops;
};

/* Receive up to `max` (at most LIDAR_SOURCE_BATCH_MAX count) datagrams into `batch`, without
 * waiting. Returns their number; 0 = nothing there yet; -ENODATA when the source has ended (and
 * again at every later call); -ENOMSG when a capture ended without one datagram for the ports;
 * other -errno as the system gave it. */
int lidar_source_receive(struct lidar_source *source, struct sl_datagram *batch, unsigned max);

/* A descriptor that is readable when a receive would give something, for poll and epoll; -1 where
 * time alone decides. It belongs to the source. */
int lidar_source_fd(const struct lidar_source *source);

/* Do datagrams come as a sensor sends them, stamped by this host's clock? Only then can that clock
 * tell what is overdue. */
bool lidar_source_is_live(const struct lidar_source *source);

/* Monotonic time at which the next datagram is due: LIDAR_SOURCE_DUE_NOW = call at once,
 * LIDAR_SOURCE_DUE_NEVER = wait for the descriptor, or the source has ended. */
uint64_t lidar_source_due_ns(struct lidar_source *source);

void lidar_source_stats(const struct lidar_source *source, struct lidar_source_stats *ret_stats);

/* False where there is nothing to measure against (socket, simulated sensor). */
bool lidar_source_progress(const struct lidar_source *source,
                           struct lidar_source_progress *ret_progress);

/* What should be told to a person though the source works, in one line, or NULL: a receive buffer
 * that the kernel made smaller, a capture that is cut off at its end. Ask after opening and at the
 * end. */
const char *lidar_source_warning(const struct lidar_source *source);

/* "udp", "packet", "xdp", "topic", "capture", "sim". */
const char *lidar_source_kind(const struct lidar_source *source);

/* NULL is fine. */
void lidar_source_close(struct lidar_source *source);

/* ---- UDP sockets ------------------------------------------------------------------------------
 * One socket a port. Two programs that receive one sensor's unicast packets cannot work (the kernel
 * gives each packet to one of them), so a port in use is an error; a multicast group may be shared.
 */
#define LIDAR_UDP_RECEIVE_BUFFER_BYTES (32u << 20) /* asked of the kernel by default */
#define LIDAR_UDP_DATAGRAM_BYTES       2048u       /* room for one datagram by default */

struct lidar_udp_config {
    const char *address;   /* to bind, IPv4 or IPv6; NULL or "" = 0.0.0.0. Not for a group */
    const char *group;     /* multicast group to join, or NULL; every port then binds to it */
    const char *interface; /* name; the group's, or the only one that is listened on; NULL = any */
    const char *sender;    /* only datagrams from this address, or NULL = from any */
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX]; /* 0 = the kernel chooses, see lidar_source_udp_port */
    unsigned port_count;
    uint32_t receive_buffer_bytes; /* 0 = LIDAR_UDP_RECEIVE_BUFFER_BYTES; a socket */
    uint32_t datagram_bytes;       /* longest datagram kept whole; 0 = LIDAR_UDP_DATAGRAM_BYTES */
};

/* -EADDRINUSE, -EADDRNOTAVAIL (address not on this machine), -ENODEV (interface absent), -EACCES
 * (port below 1024), -EINVAL (address, group or sender that cannot be read), -ENOMEM. */
int lidar_source_open_udp(const struct lidar_udp_config *config, struct lidar_source **ret_source);

/* The card's stamp of a datagram's arrival or the kernel's, whichever is to be believed: the card's
 * where its clock is the system's (as phc2sys keeps it), so that it is a little earlier. 0 = the
 * card gave none. */
uint64_t lidar_udp_choose_stamp(uint64_t kernel_ns, uint64_t card_ns);

/* The port that socket `index` is bound to. */
uint16_t lidar_source_udp_port(const struct lidar_source *source, unsigned index);

/* ---- frames of an interface (AF_PACKET) --------------------------------------------------------
 * They are seen before the kernel's own network stack takes them, so it does not matter to which
 * address they go, whether another program has the port, or how many programs look. Needs
 * CAP_NET_RAW. IP fragments are put together here. VLAN tags are passed over. */
struct lidar_interface_config {
    const char *interface; /* name */
    const char *group;     /* multicast group to join on it, or NULL */
    const char *sender;    /* only datagrams from this address, or NULL = from any */
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX]; /* destination ports that are wanted; none is 0 */
    unsigned port_count;
    uint32_t buffer_bytes;   /* of the ring; 0 = SL_PACKET_RING_BYTES */
    uint32_t datagram_bytes; /* the longest that will come; 0 = none comes in IP fragments */
};

/* -EPERM, -ENODEV (no such interface), -ENETDOWN, -EINVAL, -ENOMEM. */
int lidar_source_open_packet(const struct lidar_interface_config *config,
                             struct lidar_source **ret_source);

/* ---- capture files ----------------------------------------------------------------------------
 * With loop, host stamps go on: each pass is shifted by the capture's length and its mean step. The
 * stamps inside the packets do jump back at the seam, as a restarted sensor's do; the decoder
 * closes the frame there. */
struct lidar_capture_config {
    const char *path;
    double rate; /* 1 = as recorded, 2 = twice as fast; 0 = as fast as possible */
    bool loop;
    uint16_t ports[LIDAR_SOURCE_PORTS_MAX]; /* destination ports that are wanted */
    unsigned port_count;                    /* 0 = every port */
    uint64_t (*now_ns)(void);               /* clock for the pace; NULL = the monotonic clock */
};

/* -ENOENT and what else open gives, -EINVAL for a rate below 0, and core/capture's errors: no
 * capture, unknown link type. */
int lidar_source_open_capture(const struct lidar_capture_config *config,
                              struct lidar_source **ret_source);

/* ---- simulated sensor -------------------------------------------------------------------------
 * The sensor of sim/sim.h in this process. Host stamps are the simulation's own: start_utc_ns and
 * what the sensor has turned since, so a run is the same every time if that is given. */
struct lidar_sim_config;

struct lidar_sim_source_config {
    const struct lidar_sim_config *sim; /* copied */
    double rate;                        /* 1 = real time; 0 = as fast as possible */
    uint16_t data_port;       /* destination that the datagrams carry; 0 = the sensor's own */
    uint16_t telemetry_port;  /* 0 = the sensor's own */
    uint64_t (*now_ns)(void); /* NULL = the monotonic clock */
};

int lidar_source_open_sim(const struct lidar_sim_source_config *config,
                          struct lidar_source **ret_source);

#endif
