/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - what a launch file asks for, read, checked and with every $(argument) put in.
 *
 * The file's form is described in docs/launch.md.
 *
 * Life:    sl_plan_create -> sl_plan_read -> sl_plan_set (overrides) -> sl_plan_choose_bus ->
 *          sl_plan_check -> use -> destroy
 * Owner:   the plan owns every text in it, and the documents that the places point into.
 * Threads: one at a time.
 * Errors:  -errno with a sentence "FILE:LINE:COLUMN: what" and the line with a caret.
 */
#ifndef SL_LAUNCH_PLAN_H
#define SL_LAUNCH_PLAN_H

#include "core/base/yaml.h"
#include "core/shm/sluice.h"

#include <stdint.h>
#include <stdio.h>

#define SL_PLAN_NODES_MAX       64
#define SL_PLAN_FILES_MAX       32  /* includes, counted each time */
#define SL_PLAN_ARGUMENTS_MAX   64  /* of one file */
#define SL_PLAN_SETTINGS_MAX    128 /* parameters, remappings, ... of one node */
#define SL_PLAN_DIRECTORIES_MAX 16
#define SL_PLAN_TEXT_MAX        4096 /* bytes of a text with its arguments put in */

/* A name and a value, and where in the file they stand (for messages). */
struct sl_plan_setting {
    const char *name;
    const char *value;
    const struct sl_yaml_node *place;
    const struct sl_yaml_node *name_place; /* NULL where there is no name */
};

struct sl_plan_settings {
    unsigned count;
    struct sl_plan_setting *at; /* NULL, or room for SL_PLAN_SETTINGS_MAX */
};

enum sl_restart {
    SL_RESTART_NEVER,
    SL_RESTART_ON_FAILURE,
    SL_RESTART_ALWAYS
};

struct sl_plan_node {
    const char *name;
    const char *exec;
    char *path;   /* of the program, found by sl_plan_check */
    char *answer; /* what it said of its topics (core/node/plan.c), by sl_plan_check; or NULL */
    /* `args:` was given: any program. Otherwise one that is built on core/node. */
    bool is_plain;
    struct sl_plan_settings args;   /* values only */
    struct sl_plan_settings params; /* a list is one entry for each item */
    struct sl_plan_settings remap;
    struct sl_plan_settings env;
    struct sl_plan_settings after; /* names of nodes */
    const char *cpus;              /* "0,1", or NULL */
    const char *sched;             /* "fifo:10", or NULL */
    const char *nice;              /* "-20", or NULL */
    enum sl_bus bus;               /* SL_BUS_DEFAULT = as the file; sl_plan_choose_bus puts it in */
    const struct sl_yaml_node *bus_place; /* NULL = nowhere in the file */
    /* What its pools are made of; NULL, 0 = as the program says. */
    const char *pool_memory, *pool_fallback; /* "vgem"; "hugetlb,memfd" */
    uint64_t pool_slots, pool_slot_size;
    bool mlock;
    bool required;
    enum sl_restart restart;
    int64_t restart_delay_ns, restart_max_delay_ns;
    int64_t restart_max; /* in a row; 0 = no limit */
    int64_t ready_timeout_ns;
    int64_t grace_ns; /* to end; 0: as the launcher's options say */

    const struct sl_yaml_node *place, *exec_place, *cpus_place, *sched_place, *nice_place,
        *mlock_place;
    const struct sl_yaml_node *pool_place, *memory_place, *fallback_place, *slots_place,
        *slot_size_place; /* in the pool's mapping; NULL = not there */
};

/* An argument of the first file, for --arguments. */
struct sl_plan_argument {
    const char *name;
    const char *value; /* as it is used; NULL = must be given and was not */
    const char *help;  /* or NULL */
    bool is_required;
};

struct sl_plan {
    const char *domain; /* or NULL */
    enum sl_bus bus;    /* SL_BUS_DEFAULT = the file does not say */
    const struct sl_yaml_node *bus_place;
    int64_t duration_ns; /* 0 = until the nodes end */
    struct sl_plan_node node[SL_PLAN_NODES_MAX];
    unsigned node_count;
    const char *directory[SL_PLAN_DIRECTORIES_MAX]; /* made before anything starts */
    unsigned directory_count;
    struct sl_plan_argument argument[SL_PLAN_ARGUMENTS_MAX];
    unsigned argument_count;

    struct sl_yaml *document[SL_PLAN_FILES_MAX];
    char *document_path[SL_PLAN_FILES_MAX];
    unsigned document_count;
    struct sl_plan_text *texts; /* everything that was allocated */
};

/* Reads one file; sl_yaml_load, or a test's own. */
typedef int sl_plan_loader(const char *path, struct sl_yaml **ret_yaml);

int sl_plan_create(struct sl_plan **ret_plan);
void sl_plan_destroy(struct sl_plan *plan); /* NULL is fine */

/* `given` are `count` texts "key=value" for the file's arguments. With `only_arguments` the file's
 * arguments are looked at and nothing else, and a required one may be missing. */
int sl_plan_read(struct sl_plan *plan, const char *path, const char *const *given, unsigned count,
                 bool only_arguments, sl_plan_loader *load);

/* "node.parameter=value": in place of what the file says. */
int sl_plan_set(struct sl_plan *plan, const char *override);

/* bus.c: settle every node's bus: `given` (of --bus), else the node's own, else the file's, else
 * $SLUICE_BUS, else native. */
int sl_plan_choose_bus(struct sl_plan *plan, enum sl_bus given);
/* bus.c: is any node on iceoryx? */
bool sl_plan_needs_roudi(const struct sl_plan *plan);
/* bus.c: of a checked plan, how many publishers and subscribers there will be on iceoryx, with some
 * to spare for tools. */
int sl_plan_ends(const struct sl_plan *plan, uint32_t *ret_publishers, uint32_t *ret_subscribers);
struct sl_budget;
void sl_plan_count_ends(const struct sl_budget *budget, uint32_t *ret_publishers,
                        uint32_t *ret_subscribers);

/* Find every program and let it check its parameters; it tells what it would publish and read. */
int sl_plan_check(struct sl_plan *plan);

/* The node of that name; -1 = none. */
int sl_plan_find(const struct sl_plan *plan, const char *name);

/* A copy of the text that lives as long as the plan; NULL = no memory. */
char *sl_plan_keep(struct sl_plan *plan, const char *text);
void *sl_plan_allocate(struct sl_plan *plan, size_t size_bytes);

/* find.c: where the program of a node lies; -ENOENT names the places. */
int sl_program_find(const struct sl_plan_node *node, char *ret_path, size_t size);
/* A name without '/', silently. `is_plain`: also beside this program and in $PATH. */
bool sl_program_search(const char *name, bool is_plain, char *ret_path, size_t size);
/* A library beside Sluice's own programs, silently. */
bool sl_library_search(const char *name, char *ret_path, size_t size);

/* command.c: the command line and the additions to the environment of a node's process. Arrays and
 * texts are the plan's, ended by NULL. `check` = for its answer to --plan. */
int sl_plan_command(struct sl_plan *plan, const struct sl_plan_node *node, bool check,
                    char ***ret_argv);

#endif
