/* SPDX-License-Identifier: Apache-2.0 */
/* test_domain.c - directories that are not what they should be, and sockets that somebody left. */
#include "core/shm/readers.h"
#include "tests/shm/support.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHER_USER       65534
#define SECOND_GROUP     4711 /* of that user */
#define SWEPT_PUBLISHERS 200

static void expect_both_fail(int err, const char *says)
{
    struct sl_publisher_options publisher = {.topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE};
    struct sl_subscriber_options subscriber = {.topic = TOPIC};
    struct sl_publisher *p = NULL;
    struct sl_subscriber *s = NULL;
    assert_int_equal(sl_publisher_open(&publisher, &p), err);
    assert_has(sl_error_text(), says);
    assert_null(p);
    assert_int_equal(sl_subscriber_open(&subscriber, &s), err);
    assert_has(sl_error_text(), says);
    assert_null(s);
    assert_int_equal(count_sockets(), 0);
}

static const char *below_root(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", shm_root(), name);
    return path;
}

static void names_of_domains_are_checked(void **state)
{
    (void)state;
    char *too_long = long_text(SL_DOMAIN_MAX, 'a');
    const char *wrong[] = {".", "..", ".a", "a/b", "../x", "a b", "a\n", too_long};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sl_publisher_options o = {.topic = TOPIC, .type = TYPE, .domain = wrong[i]};
        struct sl_publisher *p = NULL;
        assert_int_equal(sl_publisher_open(&o, &p), -EINVAL);
        assert_has(sl_error_text(), "domain");
    }
    free(too_long);
}

static void domains_do_not_hear_each_other(void **state)
{
    (void)state;
    struct sl_publisher *a = publisher_of(
        (struct sl_publisher_options){.domain = "a", .slot_size = SLOT_SIZE, .retain = 1});
    assert_ok(publish(a, 1, 10));
    struct sl_subscriber *other = subscriber_of((struct sl_subscriber_options){.domain = "b.2-x_"});
    struct sl_subscriber *same = subscriber_of((struct sl_subscriber_options){.domain = "a"});
    struct sl_frame f;
    assert_int_equal(sl_subscriber_take(other, &f), -EAGAIN);
    assert_int_equal(take_and_release(same), 1);
    setenv("SLUICE_DOMAIN", "a", 1);
    struct sl_subscriber *by_environment = subscriber_of((struct sl_subscriber_options){0});
    unsetenv("SLUICE_DOMAIN");
    assert_int_equal(take_and_release(by_environment), 1);
    sl_subscriber_close(by_environment);
    sl_subscriber_close(same);
    sl_subscriber_close(other);
    sl_publisher_close(a);
}

static void link_in_the_place_of_a_domain_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below_root("elsewhere"), 0700), 0);
    assert_int_equal(symlink("elsewhere", below_root("default")), 0);
    expect_both_fail(-ENOTDIR, "link or a file");
    assert_int_equal(unlink(below_root("default")), 0);
}

static void file_in_the_place_of_a_domain_is_refused(void **state)
{
    (void)state;
    int fd = open(below_root("default"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    expect_both_fail(-ENOTDIR, "link or a file");
    assert_int_equal(unlink(below_root("default")), 0);
}

static void directory_that_everybody_may_write_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below_root("default"), 0700), 0);
    assert_int_equal(chmod(below_root("default"), 0777), 0);
    expect_both_fail(-EACCES, "chmod o-w");
    assert_int_equal(chmod(below_root("default"), 0700), 0);
    assert_int_equal(chmod(shm_root(), 0777), 0);
    expect_both_fail(-EACCES, "everybody");
    assert_int_equal(chmod(shm_root(), 01777), 0); /* as /tmp is */
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){0});
    sl_publisher_close(p);
}

static void directory_of_somebody_else_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("SKIP: only root can give a directory away\n");
        skip();
    }
    assert_int_equal(mkdir(below_root("default"), 0700), 0);
    assert_int_equal(chown(below_root("default"), OTHER_USER, OTHER_USER), 0);
    expect_both_fail(-EACCES, "belongs to user 65534");
}

static void root_with_too_long_a_name_is_refused(void **state)
{
    (void)state;
    char *root = long_text(120, '/');
    setenv("SLUICE_ROOT", root, 1);
    expect_both_fail(-ENAMETOOLONG, "long");
    setenv("SLUICE_ROOT", "/tmp/no/such/place", 1);
    expect_both_fail(-ENOENT, "/tmp/no/such/place");
    free(root);
}

/* ---- Another user -----------------------------------------------------------------------------*/

enum {
    WAS_REFUSED = 1,
    WAS_ATTACHED,
    NOBODY_THERE
};

/* A process of another user opens both ends, and says what became of it. */
static int try_as_other_user(uint64_t wants_publisher)
{
    gid_t second = SECOND_GROUP;
    if (setgroups(1, &second) < 0 || setgid(OTHER_USER) < 0 || setuid(OTHER_USER) < 0)
        return 1;
    int err;
    if (wants_publisher) {
        struct sl_publisher_options o = {.topic = "/other", .type = TYPE, .slot_size = SLOT_SIZE};
        struct sl_publisher *p = NULL;
        err = sl_publisher_open(&o, &p);
        sl_publisher_close(p);
        say(err == -EACCES && strstr(sl_error_text(), "default") ? WAS_REFUSED : NOBODY_THERE);
        return 0;
    }
    struct sl_subscriber_options o = {.topic = TOPIC};
    struct sl_subscriber *s = NULL;
    err = sl_subscriber_open(&o, &s);
    struct sl_subscriber_status status = {0};
    if (s)
        sl_subscriber_status(s, &status);
    sl_subscriber_close(s);
    say(err == -EACCES ? WAS_REFUSED : status.publishers > 0 ? WAS_ATTACHED : NOBODY_THERE);
    return 0;
}

static uint64_t as_other_user(bool publisher)
{
    struct child child = child_start("other-user", publisher);
    uint64_t word = child_hear(&child);
    assert_int_equal(child_end(&child), 0);
    return word;
}

static void user_without_permission_gets_told_and_leaves_nothing(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("SKIP: only root can become somebody else\n");
        skip();
    }
    /* The programs of a build tree may lie where nobody else can go. */
    assert_int_equal(chmod(shm_root(), 0755), 0);
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .mode = 0666});
    unsigned sockets = count_sockets();
    static const mode_t closed[] = {0700, 0500, 0711};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(chmod(below_root("default"), closed[i]), 0);
        assert_int_equal(as_other_user(true), WAS_REFUSED);
        assert_int_equal(as_other_user(false), WAS_REFUSED);
        assert_int_equal(count_sockets(), sockets);
    }
    sl_publisher_close(p);
}

/* As packaging/tmpfiles.conf makes it. */
static void setgid_directory_is_shared_by_its_group(void **state)
{
    (void)state;
    if (is_not_for_iceoryx("RouDi admits its own user only"))
        return;
    if (geteuid() != 0) {
        print_message("SKIP: only root can become somebody else\n");
        skip();
    }
    assert_int_equal(chmod(shm_root(), 0755), 0);
    assert_int_equal(mkdir(below_root("default"), 0700), 0);
    assert_int_equal(chown(below_root("default"), 0, OTHER_USER), 0);
    static const mode_t modes[] = {02770, 0770, 02750};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(chmod(below_root("default"), modes[i]), 0);
        struct sl_domain domain;
        assert_ok(sl_domain_open(NULL, true, &domain));
        assert_int_equal(domain.socket_mode, modes[i] == 02770 ? 0660 : 0600);
        sl_domain_close(&domain);
        struct sl_publisher *p =
            publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
        unsigned sockets = count_sockets();
        assert_int_equal(as_other_user(false), modes[i] == 02770 ? WAS_ATTACHED : WAS_REFUSED);
        assert_int_equal(as_other_user(true), modes[i] == 02750 ? WAS_REFUSED : NOBODY_THERE);
        assert_int_equal(count_sockets(), sockets);
        sl_publisher_close(p);
    }
    assert_int_equal(chown(below_root("default"), 0, OTHER_USER - 1), 0);
    assert_int_equal(chmod(below_root("default"), 02770), 0);
    assert_int_equal(as_other_user(false), WAS_REFUSED);
    assert_int_equal(as_other_user(true), WAS_REFUSED);
}

static void socket_without_permission_is_told(void **state)
{
    (void)state;
    if (is_not_for_iceoryx("RouDi admits its own user only"))
        return;
    if (geteuid() != 0) {
        print_message("SKIP: only root can become somebody else\n");
        skip();
    }
    assert_int_equal(chmod(shm_root(), 0755), 0);
    struct sl_publisher *p;
    for (mode_t mode = 0; mode <= 0660; mode += 0660) { /* the group is ours, not theirs */
        p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .mode = mode});
        unsigned sockets = count_sockets();
        assert_int_equal(chmod(below_root("default"), 01777), 0); /* they may make sockets there */
        assert_int_equal(as_other_user(false), WAS_REFUSED);
        assert_int_equal(status_of(p).subscribers, 0);
        assert_int_equal(count_sockets(), sockets);
        sl_publisher_close(p);
    }
    p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .mode = 0666});
    assert_int_equal(as_other_user(false), WAS_ATTACHED);
    await(status_of(p).subscribers == 0);
    sl_publisher_close(p);
}

static void readers_of_a_topic_are_chosen_by_user_and_group(void **state)
{
    (void)state;
    if (is_not_for_iceoryx("RouDi admits its own user only"))
        return;
    if (geteuid() != 0) {
        print_message("SKIP: only root can become somebody else\n");
        skip();
    }
    assert_int_equal(chmod(shm_root(), 0755), 0);
    static const struct {
        const char *readers;
        uint64_t becomes;
    } cases[] = {
        {"12345", WAS_REFUSED},      {"12345,65534", WAS_ATTACHED},
        {"@12345", WAS_REFUSED},     {"@12345,@65534", WAS_ATTACHED},
        {"root,@root", WAS_REFUSED}, {"@7,root,@4711", WAS_ATTACHED}, /* SECOND_GROUP */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_publisher *p = publisher_of(
            (struct sl_publisher_options){.slot_size = SLOT_SIZE, .readers = cases[i].readers});
        assert_int_equal(chmod(below_root("default"), 01777), 0);
        if (as_other_user(false) != cases[i].becomes)
            fail_msg("readers %s", cases[i].readers);
        struct sl_subscriber *own = subscriber_of((struct sl_subscriber_options){0});
        assert_int_equal(reader_status_of(own).publishers, 1);
        sl_subscriber_close(own);
        sl_publisher_close(p);
    }
}

static void lists_of_readers_are_checked(void **state)
{
    (void)state;
    char many[SL_READERS_MAX * 4 + 8] = "";
    for (int i = 0; i <= SL_READERS_MAX; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "%s%d", i ? "," : "", 10 + i);
    const char *const wrong[] = {",",     "root,",    "root,,root", "nobody-of-that-name",
                                 "@",     "@no-such", "4294967295", "99999999999",
                                 "10 11", "-1",       many};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sl_publisher *p = NULL;
        struct sl_publisher_options o = {.topic = TOPIC, .type = TYPE, .readers = wrong[i]};
        assert_int_equal(sl_publisher_open(&o, &p), -EINVAL);
        assert_non_null(strstr(sl_error_text(), "readers: "));
        assert_int_equal(count_sockets(), 0);
    }
    struct sl_readers readers;
    assert_ok(sl_readers_parse("", &readers));
    assert_ok(sl_readers_parse("root,@root,7,@9", &readers));
    assert_int_equal(readers.user_count, 2);
    assert_int_equal(readers.group_count, 2);
    assert_int_equal(readers.user[1], 7);
    assert_int_equal(readers.group[1], 9);
}

/* ---- Sockets that are left --------------------------------------------------------------------*/

static int stay_until_killed(uint64_t unused)
{
    (void)unused;
    struct sl_publisher_options o = {.topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE};
    struct sl_publisher *p = NULL;
    must(sl_publisher_open(&o, &p));
    say(1);
    hear();
    sl_publisher_close(p);
    return 0;
}

static void socket_of_a_killed_process_is_removed_by_who_finds_it(void **state)
{
    (void)state;
    struct child child = child_start("stay", 0);
    child_hear(&child);
    child_kill(&child);
    assert_int_equal(count_sockets(), 2); /* its publisher, and its statistics */
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_int_equal(reader_status_of(s).publishers, 0);
    assert_string_equal(reader_status_of(s).refusal, "");
    assert_int_equal(count_sockets(), 2); /* its statistics, and our own */
    sl_subscriber_close(s);
    struct sl_domain domain;
    assert_ok(sl_domain_open(NULL, false, &domain));
    sl_domain_sweep(&domain, child.pid);
    sl_domain_close(&domain);
    assert_int_equal(count_sockets(), 0);
}

static void sweeping_spares_the_living(void **state)
{
    (void)state;
    struct sl_publisher *p = publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE});
    struct sl_domain domain;
    assert_ok(sl_domain_open(NULL, false, &domain));
    sl_domain_sweep(&domain, getpid());
    sl_domain_close(&domain);
    assert_int_equal(count_sockets(), 2);
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_int_equal(reader_status_of(s).publishers, 1);
    sl_subscriber_close(s);
    sl_publisher_close(p);
}

static atomic_bool swept_enough;
static void *sweep_again_and_again(void *domain)
{
    while (!atomic_load(&swept_enough))
        sl_domain_sweep(domain, getpid());
    return NULL;
}

/* As between two containers, whose processes have the same numbers. */
static void sweeping_our_number_does_not_keep_us_from_publishing(void **state)
{
    (void)state;
    struct sl_domain domain;
    pthread_t thread;
    assert_ok(sl_domain_open(NULL, true, &domain));
    atomic_store(&swept_enough, false);
    assert_int_equal(pthread_create(&thread, NULL, sweep_again_and_again, &domain), 0);
    int err = 0;
    for (int i = 0; i < SWEPT_PUBLISHERS && err == 0; i++) {
        struct sl_publisher_options o = {.topic = TOPIC, .type = TYPE, .slot_size = SLOT_SIZE};
        struct sl_publisher *p = NULL;
        err = sl_publisher_open(&o, &p);
        sl_publisher_close(p);
    }
    atomic_store(&swept_enough, true);
    pthread_join(thread, NULL);
    sl_domain_close(&domain);
    assert_ok(err);
}

static void other_files_in_the_directory_do_no_harm(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below_root("default"), 0700), 0);
    static const char *const files[] = {"default/readme", "default/a.pub", "default/.hidden.pub",
                                        "default/a.b.c.d.e.pub", "default/x.1.node"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        close(open(below_root(files[i]), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    struct sl_publisher *p =
        publisher_of((struct sl_publisher_options){.slot_size = SLOT_SIZE, .retain = 1});
    assert_ok(publish(p, 3, 10));
    /* One with a right name that is no socket. */
    struct sl_socket_name name;
    sl_socket_name_make(&name, SL_SOCKET_PUBLISHER, TOPIC, 77);
    char path[256];
    snprintf(path, sizeof path, "%s/default/%s", shm_root(), name.file);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    struct sl_subscriber *s = subscriber_of((struct sl_subscriber_options){0});
    assert_int_equal(take_and_release(s), 3);
    sl_subscriber_close(s);
    sl_publisher_close(p);
    unlink(path);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(below_root(files[i]));
}

static void socket_names_can_be_read_back(void **state)
{
    (void)state;
    struct sl_socket_name name, back;
    sl_socket_name_make(&name, SL_SOCKET_PUBLISHER, "/lidar/points", 0x123456789abcdef0);
    assert_true(sl_socket_name_parse(name.file, &back));
    assert_int_equal(back.kind, SL_SOCKET_PUBLISHER);
    assert_true(back.topic_hash == sl_topic_hash("/lidar/points"));
    assert_true(back.instance == 0x123456789abcdef0);
    assert_int_equal(back.pid, getpid());
    sl_socket_name_make(&name, SL_SOCKET_NODE, "viewer", 5);
    assert_true(sl_socket_name_parse(name.file, &back));
    assert_int_equal(back.kind, SL_SOCKET_NODE);
    assert_int_equal(back.instance, 5);
    sl_socket_name_make(&name, SL_SOCKET_PUBLISHER, "/+", 1);
    assert_true(sl_socket_name_parse(name.file, &back));
    static const char *const wrong[] = {"",
                                        "a",
                                        ".pub",
                                        "a.pub",
                                        "a.0123456789abcdef.1.0123456789abcdef.pubx",
                                        "a.0123456789abcdef..0123456789abcdef.pub",
                                        "a.0123456789abcde.1.0123456789abcdef.pub",
                                        "a.0123456789abcdef.1.0123456789abcdeg.pub",
                                        "a.0123456789abcdef.1234567890.0123456789abcdef.pub",
                                        "a.1.0123456789abcdef0.node"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(sl_socket_name_parse(wrong[i], &back));
}

static const struct role roles[] = {
    {"other-user", try_as_other_user}, {"stay", stay_until_killed}, {NULL, NULL}};

int main(int argc, char **argv)
{
    int role = role_main(argc, argv, roles);
    if (role >= 0)
        return role;
#define TEST(name) cmocka_unit_test_setup_teardown(name, shm_setup, shm_teardown)
    const struct CMUnitTest tests[] = {
        TEST(names_of_domains_are_checked),
        TEST(domains_do_not_hear_each_other),
        TEST(link_in_the_place_of_a_domain_is_refused),
        TEST(file_in_the_place_of_a_domain_is_refused),
        TEST(directory_that_everybody_may_write_is_refused),
        TEST(directory_of_somebody_else_is_refused),
        TEST(root_with_too_long_a_name_is_refused),
        TEST(user_without_permission_gets_told_and_leaves_nothing),
        TEST(setgid_directory_is_shared_by_its_group),
        TEST(socket_without_permission_is_told),
        TEST(readers_of_a_topic_are_chosen_by_user_and_group),
        TEST(lists_of_readers_are_checked),
        TEST(socket_of_a_killed_process_is_removed_by_who_finds_it),
        TEST(sweeping_spares_the_living),
        TEST(sweeping_our_number_does_not_keep_us_from_publishing),
        TEST(other_files_in_the_directory_do_no_harm),
        TEST(socket_names_can_be_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
