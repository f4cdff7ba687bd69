/* SPDX-License-Identifier: Apache-2.0 */
/* source_address.c - reading addresses, and looking around on the machine when one does not work.
 */
#include "drivers/lidar/source_address.h"

#include "core/base/error.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_TEXT_MAX 300 /* of names or addresses in a sentence */

static struct sockaddr_in *v4(const struct sockaddr_storage *address)
{
    return (struct sockaddr_in *)address;
}

static struct sockaddr_in6 *v6(const struct sockaddr_storage *address)
{
    return (struct sockaddr_in6 *)address;
}

int lidar_address_parse(const char *what, const char *text, struct sockaddr_storage *ret_address)
{
    struct sockaddr_storage address = {0};
    if (inet_pton(AF_INET, text, &v4(&address)->sin_addr) == 1) {
        address.ss_family = AF_INET;
        *ret_address = address;
        return 0;
    }
    char bare[INET6_ADDRSTRLEN];
    const char *scope = strchr(text, '%');
    size_t size = scope ? (size_t)(scope - text) : strlen(text);
    if (size < sizeof bare) {
        memcpy(bare, text, size);
        bare[size] = '\0';
        if (inet_pton(AF_INET6, bare, &v6(&address)->sin6_addr) == 1) {
            address.ss_family = AF_INET6;
            if (scope) {
                int index = lidar_interface_index(scope + 1);
                if (index < 0)
                    return index;
                v6(&address)->sin6_scope_id = (uint32_t)index;
            }
            *ret_address = address;
            return 0;
        }
    }
    return sl_error(-EINVAL,
                    "%s \"%s\" is no IPv4 or IPv6 address; write it in numbers, such as "
                    "192.168.1.77 or fe80::1%%eth0",
                    what, text);
}

static int parse_port(const char *what, const char *whole, const char *text, uint16_t *ret_port)
{
    char *end;
    errno = 0;
    unsigned long port = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
    if (port == 0 || port > UINT16_MAX || *end)
        return sl_error(-EINVAL, "%s \"%s\": the port is a number from 1 to 65535", what, whole);
    *ret_port = (uint16_t)port;
    return 0;
}

int lidar_address_parse_with_port(const char *what, const char *text, uint16_t port,
                                  struct sockaddr_storage *ret_address)
{
    char host[LIDAR_ADDRESS_TEXT_MAX];
    if (strlen(text) >= sizeof host)
        return sl_error(-EINVAL, "%s: too long for an address", what);
    strcpy(host, text);
    char *begin = host, *port_text = NULL;
    if (host[0] == '[') {
        begin = host + 1;
        char *close = strchr(begin, ']');
        if (!close || (close[1] && close[1] != ':'))
            return sl_error(-EINVAL, "%s \"%s\": write [IPv6 address]:port", what, text);
        port_text = close[1] ? close + 2 : NULL;
        *close = '\0';
    } else {
        char *colon = strchr(host, ':');
        if (colon && !strchr(colon + 1, ':')) { /* one colon: not a bare IPv6 address */
            port_text = colon + 1;
            *colon = '\0';
        }
    }
    int err = port_text ? parse_port(what, text, port_text, &port) : 0;
    if (err == 0)
        err = lidar_address_parse(what, begin, ret_address);
    if (err == 0)
        lidar_address_set_port(ret_address, port);
    return err;
}

void lidar_address_set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        v6(address)->sin6_port = htons(port);
    else
        v4(address)->sin_port = htons(port);
}

uint16_t lidar_address_port(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? v6(address)->sin6_port : v4(address)->sin_port);
}

socklen_t lidar_address_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

bool lidar_address_is_multicast(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? IN6_IS_ADDR_MULTICAST(&v6(address)->sin6_addr)
                                          : IN_MULTICAST(ntohl(v4(address)->sin_addr.s_addr));
}

const char *lidar_address_text(const struct sockaddr_storage *address,
                               char text[LIDAR_ADDRESS_TEXT_MAX])
{
    char number[INET6_ADDRSTRLEN] = "?";
    bool six = address->ss_family == AF_INET6;
    inet_ntop(address->ss_family,
              six ? (const void *)&v6(address)->sin6_addr : (const void *)&v4(address)->sin_addr,
              number, sizeof number);
    snprintf(text, LIDAR_ADDRESS_TEXT_MAX, six ? "[%s]:%u" : "%s:%u", number,
             lidar_address_port(address));
    return text;
}

struct sl_endpoint lidar_address_endpoint(const struct sockaddr_storage *address)
{
    struct sl_endpoint endpoint = {.port = lidar_address_port(address)};
    if (address->ss_family == AF_INET6) {
        endpoint.family = 6;
        memcpy(endpoint.address, &v6(address)->sin6_addr, 16);
    } else if (address->ss_family == AF_INET) {
        endpoint.family = 4;
        memcpy(endpoint.address, &v4(address)->sin_addr, 4);
    }
    return endpoint;
}

/* A list for a sentence: "a, b, c". What does not fit ends it with "...". */
static void append(char list[LIST_TEXT_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void append(char list[LIST_TEXT_MAX], const char *format, ...)
{
    const size_t used = strlen(list), spare = sizeof ", ...";
    if (used + spare >= LIST_TEXT_MAX || (used > 3 && strcmp(list + used - 3, "...") == 0))
        return;
    char item[LIST_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(item, sizeof item, format, arguments);
    va_end(arguments);
    bool fits = used + strlen(item) + 2 + spare < LIST_TEXT_MAX;
    snprintf(list + used, LIST_TEXT_MAX - used, "%s%s", used ? ", " : "", fits ? item : "...");
}

int lidar_interface_index(const char *name)
{
    unsigned index = if_nametoindex(name);
    if (index)
        return (int)index;
    char list[LIST_TEXT_MAX] = "";
    struct if_nameindex *all = if_nameindex();
    for (struct if_nameindex *i = all; i && i->if_index; i++)
        append(list, "%s", i->if_name);
    if_freenameindex(all);
    return sl_error(-ENODEV, "network interface \"%s\" is not there; this machine has: %s", name,
                    list[0] ? list : "none");
}

int lidar_address_not_local(const char *text)
{
    char list[LIST_TEXT_MAX] = "";
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        all = NULL;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        char number[INET6_ADDRSTRLEN];
        if (!i->ifa_addr ||
            (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        const struct sockaddr_storage *address = (const struct sockaddr_storage *)i->ifa_addr;
        bool six = i->ifa_addr->sa_family == AF_INET6;
        if (inet_ntop(i->ifa_addr->sa_family,
                      six ? (const void *)&v6(address)->sin6_addr
                          : (const void *)&v4(address)->sin_addr,
                      number, sizeof number))
            append(list, "%s (%s)", number, i->ifa_name);
    }
    freeifaddrs(all);
    return sl_error(-EADDRNOTAVAIL,
                    "address %s is not on this machine, which has: %s; bind one of "
                    "these, or 0.0.0.0 for all",
                    text, list[0] ? list : "none");
}

/* The inode of the socket that is bound to a UDP port, from one of /proc/net/udp{,6}: lines of
 * "sl local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode", in hexadecimal. */
static unsigned long inode_of_port(const char *table, uint16_t port)
{
    FILE *file = fopen(table, "re");
    if (!file)
        return 0;
    char line[512];
    unsigned long found = 0;
    while (!found && fgets(line, sizeof line, file)) {
        unsigned local = 0;
        unsigned long inode = 0;
        if (sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*u %*u %lu", &local, &inode) ==
                2 &&
            local == port)
            found = inode;
    }
    fclose(file);
    return found;
}

static bool process_has_socket(const char *pid, const char *link)
{
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
    DIR *fds = opendir(path);
    if (!fds)
        return false; /* not ours to look at */
    bool found = false;
    for (struct dirent *fd; !found && (fd = readdir(fds));) {
        ssize_t size = readlinkat(dirfd(fds), fd->d_name, target, sizeof target - 1);
        if (size > 0) {
            target[size] = '\0';
            found = strcmp(target, link) == 0;
        }
    }
    closedir(fds);
    return found;
}

/* "name (pid N)" of who holds a socket, or "" if this user may not see it. */
static void name_holder(unsigned long inode, char *text, size_t size)
{
    text[0] = '\0';
    char link[40];
    snprintf(link, sizeof link, "socket:[%lu]", inode);
    DIR *processes = inode ? opendir("/proc") : NULL;
    if (!processes)
        return;
    for (struct dirent *entry; !text[0] && (entry = readdir(processes));) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !process_has_socket(entry->d_name, link))
            continue;
        char path[64], name[32] = "?";
        snprintf(path, sizeof path, "/proc/%.16s/comm", entry->d_name);
        FILE *comm = fopen(path, "re");
        if (comm) {
            if (fgets(name, sizeof name, comm))
                name[strcspn(name, "\n")] = '\0';
            fclose(comm);
        }
        snprintf(text, size, "%s (pid %.16s)", name, entry->d_name);
    }
    closedir(processes);
}

int lidar_port_in_use(const struct sockaddr_storage *address)
{
    char text[LIDAR_ADDRESS_TEXT_MAX], holder[64];
    uint16_t port = lidar_address_port(address);
    unsigned long inode = inode_of_port("/proc/net/udp", port);
    if (!inode)
        inode = inode_of_port("/proc/net/udp6", port);
    name_holder(inode, holder, sizeof holder);
    return sl_error(-EADDRINUSE,
                    "UDP port %u (%s) is in use by %s; stop it, or take another port "
                    "and set the sensor to it",
                    port, lidar_address_text(address, text),
                    holder[0] ? holder : "a program that this user may not see");
}
