/* SPDX-License-Identifier: Apache-2.0 */
/* test_http.c - an Ouster's metadata from a web server of our own, that answers well or badly. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "drivers/lidar/http.h"
#include "drivers/lidar/ouster_metadata_fetch.h"

#define DOCUMENT_MAX 8192

enum answer {
    ANSWER_WELL,
    ANSWER_WITHOUT_LENGTH, /* ended by closing */
    ANSWER_NOT_FOUND,
    ANSWER_ELSEWHERE, /* a redirection */
    ANSWER_NOTHING,   /* and keep the connection */
    ANSWER_SLOWLY,    /* a byte now and then */
    ANSWER_CUT_OFF,   /* less than was promised */
    ANSWER_TOO_MUCH,  /* says so */
    ANSWER_FOR_EVER,  /* without a length */
    ANSWER_NO_HTTP,
    ANSWER_NO_JSON,
};

struct server {
    pid_t pid;
    uint16_t port;
    char address[64];
};

static const struct lidar_http_limits limits = {
    .connect_ms = 2000, .total_ms = 600, .bytes = 65536};

/* An OS-1-64 as firmware 1.13 tells it, but for what has a default. */
static void make_document(char to[DOCUMENT_MAX])
{
    int used = snprintf(to, DOCUMENT_MAX,
                        "{\"prod_line\": \"OS-1-64\", \"prod_sn\": \"991234\", "
                        "\"lidar_mode\": \"1024x10\", \"beam_altitude_angles\": [");
    for (unsigned i = 0; i < 64; i++)
        used += snprintf(to + used, (size_t)(DOCUMENT_MAX - used), "%s%g", i > 0 ? ", " : "",
                         16.0 - 0.5 * i);
    used += snprintf(to + used, (size_t)(DOCUMENT_MAX - used), "], \"beam_azimuth_angles\": [");
    for (unsigned i = 0; i < 64; i++)
        used += snprintf(to + used, (size_t)(DOCUMENT_MAX - used), "%s1", i > 0 ? ", " : "");
    snprintf(to + used, (size_t)(DOCUMENT_MAX - used), "]}\n");
}

static void say(int fd, const char *text)
{
    size_t left = strlen(text);
    for (ssize_t n; left > 0 && (n = send(fd, text, left, MSG_NOSIGNAL)) > 0; left -= (size_t)n)
        text += n;
}

static void say_document(int fd, size_t more)
{
    char document[DOCUMENT_MAX], head[128];
    make_document(document);
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             strlen(document) + more);
    say(fd, head);
    say(fd, document);
}

static void answer_well(int fd, const char *request)
{
    bool is_ours = strncmp(request, "GET /api/v1/sensor/metadata HTTP/1.1\r\n", 38) == 0;
    if (!is_ours && strncmp(request, "GET /other.json HTTP/1.1\r\n", 26) != 0)
        say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    else
        say_document(fd, 0);
}

static void answer_at_length(int fd, enum answer how)
{
    static char kilobyte[1025];
    memset(kilobyte, ' ', sizeof kilobyte - 1);
    say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (unsigned i = 0; i < 100000; i++) {
        say(fd, how == ANSWER_SLOWLY ? " " : kilobyte);
        if (how == ANSWER_SLOWLY)
            usleep(20000);
    }
}

static void answer(int fd, enum answer how, const char *request)
{
    char document[DOCUMENT_MAX];
    switch (how) {
    case ANSWER_WELL:
        answer_well(fd, request);
        break;
    case ANSWER_WITHOUT_LENGTH:
        make_document(document);
        say(fd, "HTTP/1.0 200 OK\r\n\r\n");
        say(fd, document);
        break;
    case ANSWER_NOT_FOUND:
        say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
        break;
    case ANSWER_ELSEWHERE:
        say(fd,
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n");
        break;
    case ANSWER_NOTHING:
        pause();
        break;
    case ANSWER_CUT_OFF:
        say_document(fd, 100);
        break;
    case ANSWER_TOO_MUCH:
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{");
        break;
    case ANSWER_SLOWLY:
    case ANSWER_FOR_EVER:
        answer_at_length(fd, how);
        break;
    case ANSWER_NO_HTTP:
        say(fd, "220 ready\r\n");
        break;
    case ANSWER_NO_JSON:
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>");
        break;
    }
}

static void serve(int listening, enum answer how)
{
    char request[4096] = "";
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        size_t used = 0;
        for (ssize_t n = 1; n > 0 && used < sizeof request - 1 && !strstr(request, "\r\n\r\n");) {
            n = recv(fd, request + used, sizeof request - 1 - used, 0);
            used += n > 0 ? (size_t)n : 0;
            request[used] = '\0';
        }
        answer(fd, how, request);
        close(fd);
        request[0] = '\0';
    }
}

static struct server begin(enum answer how)
{
    struct server server;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    assert_int_equal(listen(fd, 4), 0);
    server.port = ntohs(at.sin_port);
    snprintf(server.address, sizeof server.address, "http://127.0.0.1:%u", server.port);
    server.pid = fork();
    assert_true(server.pid >= 0);
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not leave it */
        serve(fd, how);
        _exit(0);
    }
    close(fd);
    return server;
}

static void end(const struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

static void the_sensor_tells_its_metadata(void **state)
{
    (void)state;
    static const enum answer answers[] = {ANSWER_WELL, ANSWER_WITHOUT_LENGTH};
    static const char *const paths[] = {"", "/", "/other.json"};
    for (unsigned i = 0; i < 6; i++) {
        struct ouster_metadata metadata;
        struct server server = begin(answers[i / 3]);
        char from[128];
        snprintf(from, sizeof from, "%s%s", server.address, paths[i % 3]);
        if (ouster_metadata_get(from, &metadata) < 0)
            fail_msg("%s", sl_error_text());
        assert_int_equal(metadata.format.beams, 64);
        assert_int_equal(metadata.format.frame_columns, 1024);
        assert_int_equal(metadata.serial, 991234);
        assert_true(metadata.altitude_deg[3] == 14.5);
        end(&server);
    }
}

static void expect_failure(enum answer how, int err, const char *text)
{
    struct server server = begin(how);
    char *document = NULL;
    size_t size = 7;
    int got = lidar_http_get(server.address, &limits, &document, &size);
    end(&server);
    if (got != err || !strstr(sl_error_text(), text) || !strstr(sl_error_text(), server.address))
        fail_msg("%d, not %d: %s", got, err, sl_error_text());
    assert_null(document);
    assert_int_equal(size, 7);
}

static void bad_answers_are_told(void **state)
{
    (void)state;
    expect_failure(ANSWER_NOT_FOUND, -EPROTO, "HTTP 404");
    expect_failure(ANSWER_ELSEWHERE, -EPROTO, "HTTP 302");
    expect_failure(ANSWER_NOTHING, -ETIMEDOUT, "in 0.6 s");
    expect_failure(ANSWER_SLOWLY, -ETIMEDOUT, "in 0.6 s");
    expect_failure(ANSWER_CUT_OFF, -EPROTO, "");
    expect_failure(ANSWER_TOO_MUCH, -EFBIG, "more than 65536 bytes");
    expect_failure(ANSWER_FOR_EVER, -EFBIG, "more than 65536 bytes");
    expect_failure(ANSWER_NO_HTTP, -EPROTO, "no web server");
}

static void what_is_no_metadata_is_told_with_its_address(void **state)
{
    (void)state;
    struct ouster_metadata metadata;
    struct server server = begin(ANSWER_NO_JSON);
    assert_int_equal(ouster_metadata_get(server.address, &metadata), -EINVAL);
    assert_non_null(strstr(sl_error_text(), server.address));
    end(&server);
}

static void nobody_there_is_told(void **state)
{
    (void)state;
    struct ouster_metadata metadata;
    struct server server = begin(ANSWER_WELL);
    end(&server); /* its port is free now */
    assert_int_equal(ouster_metadata_get(server.address, &metadata), -ECONNREFUSED);
    assert_non_null(strstr(sl_error_text(), "is the sensor on"));
    assert_int_equal(ouster_metadata_get("http://", &metadata), -EINVAL);
    assert_int_equal(ouster_metadata_get("http:///x", &metadata), -EINVAL);
    assert_int_equal(ouster_metadata_get("http://a b/", &metadata), -EINVAL);
    assert_int_equal(ouster_metadata_get("none.json", &metadata), -ENOENT);
    char *document = NULL;
    size_t size = 0;
    assert_int_equal(lidar_http_get("file:///etc/passwd", &limits, &document, &size), -EINVAL);
}

/* A sensor is a neighbour: a proxy of the environment does not know it. */
static void no_proxy_is_asked(void **state)
{
    (void)state;
    struct ouster_metadata metadata;
    struct server server = begin(ANSWER_WELL);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_int_equal(ouster_metadata_get(server.address, &metadata), 0);
    unsetenv("http_proxy");
    end(&server);
}

int main(void)
{
    char *document = NULL;
    size_t size = 0;
    if (lidar_http_get("http://127.0.0.1:1", &limits, &document, &size) == -ENOTSUP) {
        printf("SKIP: built without libcurl\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sensor_tells_its_metadata),
        cmocka_unit_test(bad_answers_are_told),
        cmocka_unit_test(what_is_no_metadata_is_told_with_its_address),
        cmocka_unit_test(nobody_there_is_told),
        cmocka_unit_test(no_proxy_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
