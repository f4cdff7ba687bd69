/* SPDX-License-Identifier: Apache-2.0 */
/* test_top.c - sluice top: on a real terminal (a pseudo one), once, as JSON; and what it finds. */
#include "core/shm/counters.h"
#include "tests/tools/harness.h"

#include "core/base/clock.h"
#include "core/base/yaml.h"
#include "tools/findings.h"
#include "tools/top_page.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

/* The terminal ----------------------------------------------------------------------------------*/

struct terminal {
    int fd, held; /* the master, and the slave, held open so that its settings can be read */
    pid_t pid;
    char text[1 << 18]; /* all it printed */
    size_t used;
};

static struct terminal terminal;

static bool is_cooked(void)
{
    struct termios settings;
    assert_int_equal(tcgetattr(terminal.held, &settings), 0);
    return (settings.c_lflag & ICANON) && (settings.c_lflag & ECHO);
}

static void terminal_start(unsigned columns, unsigned rows, const char *period)
{
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
    char program[512];
    snprintf(program, sizeof program, "%s", harness_program("sluice"));
    terminal.used = 0;
    assert_int_equal(openpty(&terminal.fd, &terminal.held, NULL, NULL, &size), 0);
    assert_true(is_cooked());
    terminal.pid = fork();
    assert_true(terminal.pid >= 0);
    if (terminal.pid == 0) {
        login_tty(terminal.held);
        execl(program, program, "top", "--period", period, (char *)NULL);
        _exit(127);
    }
}

/* Read until `what` was printed (from `from` on). */
static void terminal_expect(const char *what, size_t from)
{
    uint64_t end_ns = sl_clock_monotonic_ns() + LIMIT_MS * SL_NS_PER_MS;
    for (;;) {
        terminal.text[terminal.used] = '\0';
        if (strstr(terminal.text + from, what))
            return;
        struct pollfd output = {.fd = terminal.fd, .events = POLLIN};
        if (sl_clock_monotonic_ns() > end_ns || terminal.used + 4096 > sizeof terminal.text)
            fail_msg("'%s' did not come; there was:\n%s", what, terminal.text + from);
        if (poll(&output, 1, 100) > 0) {
            ssize_t got = read(terminal.fd, terminal.text + terminal.used, 4095);
            terminal.used += got > 0 ? (size_t)got : 0;
        }
    }
}

static void terminal_stop(void)
{
    close(terminal.fd);
    close(terminal.held);
}

static void screen_lives_and_is_put_back_on_q(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    terminal_start(120, 40, "100ms");
    terminal_expect("\033[?1049h", 0);
    terminal_expect("/points", 0);
    terminal_expect("tools_publisher", 0);
    assert_false(is_cooked());
    size_t at = terminal.used;
    assert_int_equal(write(terminal.fd, "s", 1), 1);
    terminal_expect("s sort (rate)", at);
    assert_int_equal(write(terminal.fd, " ", 1), 1);
    terminal_expect("(paused)", at);
    assert_int_equal(write(terminal.fd, "q", 1), 1);
    terminal_expect("\033[?25h\033[?1049l", at);
    assert_int_equal(wait_for(terminal.pid), 0);
    assert_true(is_cooked());
    terminal_stop();
}

static void interrupt_puts_the_screen_back(void **state)
{
    (void)state;
    terminal_start(100, 30, "100ms");
    terminal_expect("NODE", 0);
    assert_int_equal(write(terminal.fd, "\003", 1), 1); /* Ctrl-C */
    terminal_expect("\033[?1049l", 0);
    assert_int_equal(wait_for(terminal.pid), 0);
    assert_true(is_cooked());
    terminal_stop();
}

static void resize_is_followed_at_once(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    terminal_start(120, 40, "15min"); /* no page but for the resize */
    terminal_expect("BANDWIDTH", 0);
    const struct winsize small = {.ws_col = 20, .ws_row = 10};
    assert_int_equal(ioctl(terminal.fd, TIOCSWINSZ, &small), 0);
    /* the title is cut at 20 columns: what follows in a wide line is the end-of-line sequence */
    terminal_expect("sluice top  domain d\033[0m\033[K", 0);
    assert_int_equal(write(terminal.fd, "q", 1), 1);
    assert_int_equal(wait_for(terminal.pid), 0);
    terminal_stop();
}

/* Once ------------------------------------------------------------------------------------------*/

static void without_a_terminal_it_says_what_to_do(void **state)
{
    (void)state;
    struct run r = run("sluice", "top", NULL);
    assert_int_equal(r.status, 1);
    assert_has(r.err, "use --once or --json");
    run_free(&r);
}

static void once_and_json_tell_nodes_topics_and_subscribers(void **state)
{
    (void)state;
    publisher("cloud", "/points");
    struct child monitor = start("monitor", "--topics", "/points", NULL);
    struct run r;
    for (int i = 0; i < 40; i++) {
        r = run("sluice", "top", "--json", "--period", "100ms", NULL);
        assert_int_equal(r.status, 0);
        if (strstr(r.out, "\"policy\""))
            break;
        run_free(&r);
    }
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "nodes.0.node"), "monitor");
    assert_int_equal((int)json_number(json, "nodes.0.pid"), monitor.pid);
    assert_true(json_number(json, "nodes.0.rss_bytes") > 100000);
    assert_string_equal(json_text(json, "topics.0.topic"), "/points");
    assert_string_equal(json_text(json, "subscribers.0.node"), "monitor");
    sl_yaml_destroy(json);
    run_free(&r);
    r = run("sluice", "top", "--once", "--period", "100ms", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "SUBSCRIBED");
    assert_has_not(r.out, "\033");
    run_free(&r);
}

/* As many as there may be, and more: those are counted where nobody sees it. */
static void counters_of_a_program_are_shown(void **state)
{
    (void)state;
    static const char *const names[] = {"sent", "never", "odd\"\033name", NULL};
    struct sl_counters *counters[SL_STATS_SHEETS + 3];
    for (unsigned i = 0; i < SL_STATS_SHEETS + 3; i++) {
        const uint64_t values[] = {1000 + i, 0, 7};
        char title[32];
        snprintf(title, sizeof title, "/from\033/%03u -> to", i);
        assert_int_equal(sl_counters_open(NULL, title, names, &counters[i]), 0);
        sl_counters_set(counters[i], values);
    }
    struct run r = run("sluice", "top", "--once", "--period", "10ms", NULL);
    assert_int_equal(r.status, 0);
    assert_has(r.out, "/from?/000 -> to: sent 1000 (0.0/s)  odd__name 7\n");
    assert_has(r.out, "/from?/071 -> to: sent 1071 ");
    assert_has_not(r.out, "/from?/072");
    run_free(&r);
    for (unsigned i = 1; i < SL_STATS_SHEETS + 3; i++)
        sl_counters_close(counters[i]);
    r = run("sluice", "top", "--json", "--period", "10ms", NULL);
    struct sl_yaml *json = json_parse(r.out);
    assert_string_equal(json_text(json, "counters.0.of"), "/from?/000 -> to");
    assert_true(json_number(json, "counters.0.counts.sent") == 1000);
    assert_true(json_number(json, "counters.0.counts.never") == 0);
    assert_true(json_number(json, "counters.0.counts.odd__name") == 7);
    assert_has_not(r.out, "/from?/001");
    sl_yaml_destroy(json);
    run_free(&r);
    sl_counters_close(counters[0]);
}

static void stopped_node_is_found(void **state)
{
    (void)state;
    struct child cloud = publisher("cloud", "/points");
    freeze(cloud.pid);
    struct run r;
    for (int i = 0; i < 40; i++) {
        r = run("sluice", "top", "--once", "--period", "20ms", NULL);
        if (strstr(r.out, "is stopped"))
            break;
        run_free(&r);
    }
    assert_has(r.out, "! tools_publisher (pid ");
    assert_has(r.out, "is stopped; kill -CONT lets it go on");
    run_free(&r);
    kill(cloud.pid, SIGCONT);
}

/* Findings, from a census made by hand
 * ------------------------------------------------------------*/

static struct sl_stats_node slow_node = {.pid = 10, .name = "mapper"};
static struct sl_stats_node lidar_node = {.pid = 11, .name = "lidar"};

static struct sl_census *make_census(struct sl_census_row *rows)
{
    struct sl_census *census = calloc(1, sizeof *census);
    assert_non_null(census);
    census->rows = rows;
    census->row_count = 2;
    census->taken_ns = 100 * SL_NS_PER_S;
    rows[0] = (struct sl_census_row){
        .view = {.node = &lidar_node, .kind = SL_STATS_PUBLISHER, .topic = "/points"},
        .known = true};
    rows[1] = (struct sl_census_row){.view = {.node = &slow_node,
                                              .kind = SL_STATS_SUBSCRIBER,
                                              .topic = "/points",
                                              .held = 4,
                                              .quota = 4},
                                     .known = true};
    return census;
}

static void who_loses_and_who_holds_is_told_worst_first(void **state)
{
    (void)state;
    struct sl_census_row rows[2];
    struct sl_census *census = make_census(rows);
    struct sl_findings found;
    sl_findings_make(census, &found);
    assert_int_equal(found.count, 0);
    rows[0].refused_s = 3;
    rows[1].lost_s[SL_LOSS_OVERRUN] = 2.5;
    rows[1].lost_s[SL_LOSS_SKIPPED] = 100; /* it asked for that */
    sl_findings_make(census, &found);
    assert_int_equal(found.count, 2);
    assert_has(found.finding[0].text, "mapper loses 2.5/s of /points (overrun)");
    assert_has(found.finding[1].text, "lidar finds no free slot for /points, 3.0/s");
    assert_has(found.finding[1].text, "mapper holds 4 of 4");
    rows[0].expired = 7;
    sl_findings_make(census, &found);
    assert_int_equal(found.count, 3);
    assert_has(found.finding[2].text, "/points: 7 slots were taken from subscribers");
    free(census);
}

static void page_keeps_to_the_screen(void **state)
{
    (void)state;
    static char names[300][24];
    struct sl_census_row rows[2];
    struct sl_census *census = make_census(rows);
    struct sl_census_sheet sheet = {
        .view = {.node = &slow_node, .title = "a", .count = 1, .name = {"sent"}}};
    census->sheets = &sheet;
    census->sheet_count = 1;
    census->topic_count = 300;
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "/topic\033[2J%d", i);
        census->topics[i] = (struct sl_census_topic){.name = names[i], .type = "t", .hz = i};
    }
    for (unsigned height = 1; height < 60; height += 7) {
        char *text;
        size_t size;
        FILE *page = open_memstream(&text, &size);
        const struct sl_top_view view = {.order = SL_TOP_RATE, .columns = 50, .rows = height};
        sl_top_page(census, &view, page);
        fclose(page);
        unsigned lines = 0;
        for (char *c = text, *end; (end = strchr(c, '\n')); c = end + 1, lines++)
            assert_true(end - c <= 50);
        assert_true(lines <= height);
        assert_null(strchr(text, '\033')); /* nobody's name steers the terminal */
        if (height > 30)
            assert_has(text, "/topic?[2J299"); /* the fastest is among those that are shown */
        if (height > 30)
            assert_has(text, "a: sent 0 (0.0/s)");
        free(text);
    }
    free(census);
}

static void rate_goes_by_the_time_of_messages(void **state)
{
    (void)state;
    const uint64_t s = SL_NS_PER_S;
    const struct sl_census_count before = {10, 5 * s}, now = {15, 10 * s};
    /* five messages in five seconds, though the looks are 5.9 s apart */
    assert_true(sl_census_hz(before, now, 5 * s, 11 * s) == 1.0);
    assert_true(sl_census_hz(now, now, 5 * s, 11 * s) == 0);
    const struct sl_census_count none = {0, 0};
    assert_true(sl_census_hz(none, now, 5 * s, 10 * s) == 3.0);
    assert_true(sl_census_hz(now, before, 5 * s, 10 * s) == 0); /* began anew */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        CASE(screen_lives_and_is_put_back_on_q),
        CASE(interrupt_puts_the_screen_back),
        CASE(resize_is_followed_at_once),
        CASE(without_a_terminal_it_says_what_to_do),
        CASE(once_and_json_tell_nodes_topics_and_subscribers),
        CASE(counters_of_a_program_are_shown),
        CASE(stopped_node_is_found),
        cmocka_unit_test(who_loses_and_who_holds_is_told_worst_first),
        cmocka_unit_test(page_keeps_to_the_screen),
        cmocka_unit_test(rate_goes_by_the_time_of_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
