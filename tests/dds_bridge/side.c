/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/dds_bridge/side.h"

#include "core/base/clock.h"
#include "core/shm/stats.h"
#include "tests/tools/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DOMAINS 200 /* from 1 on */

/* No multicast: not every loopback interface has it, and nothing gets out by it. What was lost, as
 * it is where a reader is stopped or the machine busy, is asked for soon. An interface is what `%s`
 * says first, then come two addresses. */
static const char config[] =
    "<CycloneDDS><Domain id=\"any\"><General><Interfaces><NetworkInterface %s/>"
    "</Interfaces><AllowMulticast>false</AllowMulticast></General><Discovery>"
    "<ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>9</MaxAutoParticipantIndex>"
    "<Peers><Peer address=\"%s\"/><Peer address=\"%s\"/></Peers>"
    "<SPDPInterval>500ms</SPDPInterval></Discovery>"
    "<Internal><NackDelay>10ms</NackDelay><SocketReceiveBufferSize max=\"4MB\"/></Internal>"
    "</Domain></CycloneDDS>";

/* Behind it: what this process sends and receives goes to a file. */
static const char recording[] =
    ",<CycloneDDS><Domain id=\"any\"><Tracing><PacketCaptureFile>%s</PacketCaptureFile></Tracing>"
    "</Domain></CycloneDDS>";

static uint32_t domain;
static int domain_claim = -1;
static dds_entity_t participant;

/* A domain that no other test has, as the other's topics would be seen in it: who has the abstract
 * socket of its number has the domain. Both are of a network namespace, and end with the process.
 */
static int claim_domain(void)
{
    static uint32_t tried; /* by this process: what a test left behind does not harm the next */
    domain_claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; domain_claim >= 0 && i < DOMAINS; i++) {
        domain = 1 + tried++ % DOMAINS;
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1,
                              "sluice-test-dds-domain-%u", domain);
        if (bind(domain_claim, (struct sockaddr *)&name,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
    }
    perror("no DDS domain is free for a test");
    return -1;
}

static int set_up(void **state, const char *interface, const char *one, const char *other)
{
    char uri[sizeof config + 256];
    if (harness_setup(state) != 0 || claim_domain() != 0)
        return -1;
    snprintf(uri, sizeof uri, config, interface, one, other);
    setenv("CYCLONEDDS_URI", uri, 1);
    participant = dds_create_participant(domain, NULL, NULL);
    return participant > 0 ? 0 : -1;
}

int side_setup(void **state)
{
    return set_up(state, "name=\"lo\"", "127.0.0.1", "127.0.0.1");
}

int side_setup_between(void **state, const char *one, const char *other)
{
    return set_up(state, "autodetermine=\"true\"", one, other);
}

int side_teardown(void **state)
{
    dds_delete(participant);
    int result = harness_teardown(state); /* the domain has others until its programs have ended */
    close(domain_claim);
    return result;
}

int side_setup_recorded(void **state)
{
    if (side_setup(state) != 0)
        return -1;
    char uri[sizeof config + sizeof recording + 1024], *plain = strdup(getenv("CYCLONEDDS_URI"));
    int used = snprintf(uri, sizeof uri, "%s", plain);
    snprintf(uri + used, sizeof uri - (size_t)used, recording, harness_path("packets.pcap"));
    setenv("CYCLONEDDS_URI", uri, 1);
    side_next_participant();
    setenv("CYCLONEDDS_URI", plain, 1); /* of all that come later */
    free(plain);
    return participant > 0 ? 0 : -1;
}

void side_next_participant(void)
{
    dds_delete(participant);
    participant = dds_create_participant(domain, NULL, NULL);
    assert_true(participant > 0);
}

dds_entity_t side_participant(void)
{
    return participant;
}

uint32_t side_domain(void)
{
    return domain;
}

const char *side_domain_option(void)
{
    static char text[32];
    snprintf(text, sizeof text, "--dds-domain=%u", domain);
    return text;
}

const char *side_domain_title(void)
{
    static char text[32];
    snprintf(text, sizeof text, "DDS domain %u", domain);
    return text;
}

static dds_qos_t *make_qos(struct side_qos wanted)
{
    dds_qos_t *qos = dds_create_qos();
    dds_qset_reliability(
        qos, wanted.best_effort ? DDS_RELIABILITY_BEST_EFFORT : DDS_RELIABILITY_RELIABLE,
        DDS_SECS(10));
    dds_qset_history(qos, wanted.keep_all ? DDS_HISTORY_KEEP_ALL : DDS_HISTORY_KEEP_LAST,
                     wanted.depth ? wanted.depth : 100);
    if (wanted.transient_local) {
        dds_qset_durability(qos, DDS_DURABILITY_TRANSIENT_LOCAL);
        dds_qset_durability_service(qos, 0, DDS_HISTORY_KEEP_LAST,
                                    wanted.depth ? wanted.depth : 100, -1, -1, -1);
    }
    if (wanted.deadline_ns > 0)
        dds_qset_deadline(qos, wanted.deadline_ns);
    return qos;
}

static dds_entity_t end_of(const char *topic, const dds_topic_descriptor_t *type,
                           struct side_qos wanted, bool is_writer)
{
    dds_entity_t t = dds_create_topic(participant, type, topic, NULL, NULL);
    assert_true(t > 0);
    dds_qos_t *qos = make_qos(wanted);
    dds_entity_t end = is_writer ? dds_create_writer(participant, t, qos, NULL)
                                 : dds_create_reader(participant, t, qos, NULL);
    dds_delete_qos(qos);
    assert_true(end > 0);
    return end;
}

dds_entity_t side_reader(const char *topic, const dds_topic_descriptor_t *type, struct side_qos qos)
{
    return end_of(topic, type, qos, false);
}

dds_entity_t side_writer(const char *topic, const dds_topic_descriptor_t *type, struct side_qos qos)
{
    return end_of(topic, type, qos, true);
}

/* Sleep until the entity has one of these statuses. */
static bool await_status(dds_entity_t entity, uint32_t status, int64_t patience_ns)
{
    dds_entity_t set = dds_create_waitset(participant);
    dds_attach_t which;
    dds_set_status_mask(entity, status);
    assert_int_equal(dds_waitset_attach(set, entity, 1), 0);
    int got = dds_waitset_wait(set, &which, 1, patience_ns);
    dds_delete(set);
    return got > 0;
}

void side_await_writers(dds_entity_t reader, uint32_t count)
{
    dds_subscription_matched_status_t s;
    while (dds_get_subscription_matched_status(reader, &s) == 0 && s.current_count != count)
        if (!await_status(reader, DDS_SUBSCRIPTION_MATCHED_STATUS, SIDE_PATIENCE_NS))
            fail_msg("%u writers, not %u", s.current_count, count);
}

void side_await_readers(dds_entity_t writer, uint32_t count)
{
    dds_publication_matched_status_t s;
    while (dds_get_publication_matched_status(writer, &s) == 0 && s.current_count != count)
        if (!await_status(writer, DDS_PUBLICATION_MATCHED_STATUS, SIDE_PATIENCE_NS))
            fail_msg("%u readers, not %u", s.current_count, count);
}

int64_t side_take(dds_entity_t reader, uint32_t (*check)(const void *sample), int64_t patience_ns)
{
    for (;;) {
        void *sample = NULL;
        dds_sample_info_t info;
        int got = dds_take(reader, &sample, &info, 1, 1);
        assert_true(got >= 0);
        int64_t result = got > 0 && info.valid_data ? (int64_t)check(sample) : -1;
        if (got > 0)
            dds_return_loan(reader, &sample, got);
        if (result >= 0)
            return result;
        if (got == 0 && !await_status(reader, DDS_DATA_AVAILABLE_STATUS, patience_ns))
            return -1;
    }
}

/* Counters --------------------------------------------------------------------------------------*/

struct search {
    const char *title, *name;
    uint64_t value;
};

static int see_sheet(void *context, const struct sl_stats_sheet_view *view)
{
    struct search *search = context;
    for (unsigned i = 0; strcmp(view->title, search->title) == 0 && i < view->count; i++)
        if (strcmp(view->name[i], search->name) == 0)
            search->value = view->value[i];
    return 0;
}

uint64_t side_counter(const char *title, const char *name)
{
    static struct sl_stats_watch watch;
    struct search search = {title, name, 0};
    assert_int_equal(sl_stats_watch_open(NULL, &watch), 0);
    /* as soon as all have answered */
    assert_int_equal(sl_stats_watch_refresh(&watch, SIDE_PATIENCE_NS / SL_NS_PER_MS), 0);
    assert_int_equal(sl_stats_each_sheet(&watch, see_sheet, &search), 0);
    sl_stats_watch_close(&watch);
    return search.value;
}

static void await_counter(const char *title, const char *name, uint64_t least, uint64_t most)
{
    uint64_t until_ns = sl_clock_monotonic_ns() + (uint64_t)SIDE_PATIENCE_NS, value;
    while ((value = side_counter(title, name)) < least || value > most) {
        if (sl_clock_monotonic_ns() > until_ns)
            fail_msg("%s: %s is %llu, not %llu", title, name, (unsigned long long)value,
                     (unsigned long long)least);
        poll(NULL, 0, 20);
    }
}

void side_await_counter(const char *title, const char *name, uint64_t least)
{
    await_counter(title, name, least, UINT64_MAX);
}

void side_await_counter_to_be(const char *title, const char *name, uint64_t wanted)
{
    await_counter(title, name, wanted, wanted);
}
