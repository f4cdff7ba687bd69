/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.c - sluice doctor: what the machine lacks, and what dead processes left. */
#include "core/base/error.h"
#include "core/shm/leftovers.h"
#include "tools/doctor.h"
#include "tools/json.h"
#include "tools/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct doctor_options {
    bool json, clean, quiet;
} given;

static const struct sl_option options[] = {
    {.name = "json",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct doctor_options, json),
     .help = "Print one JSON object"},
    {.name = "quiet",
     .letter = 'q',
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct doctor_options, quiet),
     .help = "Leave out what is fine"},
    {.name = "clean",
     .kind = SL_OPTION_FLAG,
     .offset = offsetof(struct doctor_options, clean),
     .help = "Instead of looking at the machine, remove what dead processes left in the domain"},
};

static const struct sl_command command = {
    .name = "sluice doctor",
    .summary = "What this machine lacks for sensor frames, and what to do about it",
    .details =
        "Looks at memory, limits, priorities, socket buffers, processor clocks, inotify, iceoryx's "
        "RouDi and the\ndomain, as they are for the user who asks. A problem keeps something from "
        "working; a warning means that\nframes may be lost or late under load. Nothing is "
        "changed.\n\n"
        "With --clean it removes sockets and lock files of processes that were killed, and says "
        "which: only in\nthe domain's directory, only what is yours (anybody's for root), nothing "
        "of a process that lives or is\nstopped.\n\n"
        "The exit status is 0 if there is no problem (there may be warnings), 1 if there is one, "
        "or "
        "if something\ncould not be removed.",
    .example = "sluice doctor --quiet        # only what there is to do",
    .tables = {{"Options", options, sizeof options / sizeof *options, &given}, SL_TABLE_SCOPE},
};

/* Findings --------------------------------------------------------------------------------------*/

static void print_finding(const struct sl_doctor_finding *f)
{
    static const char *const marks[] = {"ok     ", "WARNING", "PROBLEM"};
    printf("%s  %-12s %s\n", marks[f->level], f->subject, f->text);
    if (f->advice[0])
        printf("                       -> %s\n", f->advice);
}

static void print_doctor(const struct sl_doctor *doctor)
{
    unsigned count[3] = {0};
    for (unsigned i = 0; i < doctor->count; i++) {
        const struct sl_doctor_finding *f = &doctor->finding[i];
        count[f->level]++;
        if (!given.quiet || f->level != SL_DOCTOR_OK)
            print_finding(f);
    }
    printf("%s%u fine, %u warnings, %u problems\n", given.quiet ? "" : "\n", count[SL_DOCTOR_OK],
           count[SL_DOCTOR_WARNING], count[SL_DOCTOR_PROBLEM]);
}

static void json_doctor(const struct sl_doctor *doctor)
{
    struct sl_json json = {.to = stdout};
    sl_json_open(&json, NULL, '{');
    sl_json_text(&json, "level", sl_doctor_level_names[doctor->worst]);
    sl_json_open(&json, "findings", '[');
    for (unsigned i = 0; i < doctor->count; i++) {
        const struct sl_doctor_finding *f = &doctor->finding[i];
        if (given.quiet && f->level == SL_DOCTOR_OK)
            continue;
        sl_json_open(&json, NULL, '{');
        sl_json_text(&json, "subject", f->subject);
        sl_json_text(&json, "level", sl_doctor_level_names[f->level]);
        sl_json_text(&json, "text", f->text);
        sl_json_text(&json, "advice", f->advice[0] ? f->advice : NULL);
        sl_json_close(&json, '}');
    }
    sl_json_close(&json, ']');
    sl_json_close(&json, '}');
    sl_json_end(&json);
}

static int examine(void)
{
    struct sl_doctor *doctor = malloc(sizeof *doctor);
    if (!doctor)
        return sl_error(-ENOMEM, "no memory");
    sl_doctor_examine("", sl_scope.domain, doctor);
    if (given.json)
        json_doctor(doctor);
    else
        print_doctor(doctor);
    int status = doctor->worst == SL_DOCTOR_PROBLEM ? SL_EXIT_FAILURE : 0;
    free(doctor);
    return status;
}

/* Cleaning --------------------------------------------------------------------------------------*/

struct cleaning {
    const struct sl_domain *domain;
    struct sl_json json;
    unsigned removed, kept, failed;
};

static void tell(struct cleaning *c, const struct sl_leftover *leftover, const char *problem)
{
    char file[sizeof leftover->file];
    snprintf(file, sizeof file, "%s", leftover->file);
    sl_text_tame(file);
    if (given.json) {
        sl_json_open(&c->json, NULL, '{');
        sl_json_text(&c->json, "file", file);
        sl_json_text(&c->json, "problem", problem);
        sl_json_close(&c->json, '}');
    } else if (problem) {
        printf("left     %s: %s\n", file, problem);
    } else {
        printf("removed  %s\n", file);
    }
}

static int clean_one(void *context, const struct sl_leftover *leftover)
{
    struct cleaning *c = context;
    if (leftover->state != SL_LEFTOVER_DEAD) {
        c->kept++;
        return 0;
    }
    int err = leftover->is_ours ? sl_leftovers_remove(c->domain, leftover)
                                : sl_error(-EPERM, "it belongs to another user; try it as root");
    if (err == 0)
        c->removed++;
    else if (err == -EBUSY)
        c->kept++;
    else
        c->failed++;
    tell(c, leftover, err < 0 ? sl_error_text() : NULL);
    return 0;
}

static int clean(void)
{
    struct sl_domain domain;
    struct cleaning c = {.domain = &domain, .json = {.to = stdout}};
    int err = sl_domain_open(sl_scope.domain, false, &domain);
    if (err < 0 && err != -ENOENT)
        return err;
    if (given.json) {
        sl_json_open(&c.json, NULL, '{');
        sl_json_open(&c.json, "leftovers", '[');
    }
    if (err == 0) {
        err = sl_leftovers_visit(&domain, clean_one, &c);
        sl_domain_close(&domain);
        if (err < 0)
            return err;
    }
    if (given.json) {
        sl_json_close(&c.json, ']');
        sl_json_count(&c.json, "removed", c.removed);
        sl_json_count(&c.json, "kept", c.kept);
        sl_json_count(&c.json, "failed", c.failed);
        sl_json_close(&c.json, '}');
        sl_json_end(&c.json);
    } else {
        printf("%u removed, %u left alone%s\n", c.removed, c.kept + c.failed,
               c.failed ? ", not all of them because they live" : "");
    }
    return c.failed ? SL_EXIT_FAILURE : 0;
}

static int run(void)
{
    return given.clean ? clean() : examine();
}

const struct sl_tool sl_tool_doctor = {.name = "doctor", .command = &command, .run = run};
