/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_domain.c - the domain's directory: which one, whose, and what lies in it; and iceoryx's
 * daemon. */
#include "core/base/error.h"
#include "core/shm/iceoryx.h"
#include "core/shm/leftovers.h"
#include "core/shm/roudi.h"
#include "tools/doctor.h"
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *why(bool is_private)
{
    const char *root = getenv("SLUICE_ROOT");
    if (root && *root)
        return "$SLUICE_ROOT names it";
    if (!is_private)
        return "the system provides /run/sluice";
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    return runtime && *runtime && access(runtime, W_OK | X_OK) == 0
               ? "there is no /run/sluice, so $XDG_RUNTIME_DIR"
               : "there is no /run/sluice and no $XDG_RUNTIME_DIR";
}

/* Others meet only in a directory that all of them may use. */
static void examine_place(struct sl_doctor *doctor, const struct sl_domain *domain,
                          const char *reason, bool is_private)
{
    struct stat facts;
    if (fstat(domain->fd, &facts) < 0)
        return;
    sl_doctor_add(doctor, SL_DOCTOR_OK, "domain", NULL,
                  "%s (%s), of user %u and group %u, mode %04o%s", domain->path, reason,
                  (unsigned)facts.st_uid, (unsigned)facts.st_gid, facts.st_mode & 07777u,
                  is_private ? ": other users do not meet here" : "");
    if (faccessat(domain->fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
        sl_doctor_add(doctor, SL_DOCTOR_PROBLEM, "domain",
                      "ask to be added to its group (usermod -aG GROUP USER), or set SLUICE_ROOT",
                      "we may not publish in %s: %s", domain->path, strerror(errno));
}

struct counts {
    unsigned alive, dead, dead_others, unsure, foreign;
    char first_dead[64], first_foreign[64];
};

static int count_one(void *context, const struct sl_leftover *leftover)
{
    struct counts *c = context;
    switch (leftover->state) {
    case SL_LEFTOVER_LIVES:
        c->alive++;
        break;
    case SL_LEFTOVER_DEAD:
        c->dead += leftover->is_ours;
        c->dead_others += !leftover->is_ours;
        if (!c->first_dead[0])
            snprintf(c->first_dead, sizeof c->first_dead, "%.63s", leftover->file);
        break;
    case SL_LEFTOVER_UNSURE:
        c->unsure++;
        break;
    case SL_LEFTOVER_FOREIGN:
        c->foreign++;
        if (!c->first_foreign[0])
            snprintf(c->first_foreign, sizeof c->first_foreign, "%.63s", leftover->file);
        break;
    }
    return 0;
}

static void examine_content(struct sl_doctor *doctor, const struct sl_domain *domain)
{
    struct counts c = {0};
    char advice[160];
    if (sl_leftovers_visit(domain, count_one, &c) < 0) {
        sl_doctor_add(doctor, SL_DOCTOR_PROBLEM, "sockets of nodes", NULL, "%s", sl_error_text());
        return;
    }
    sl_text_tame(c.first_dead);
    sl_text_tame(c.first_foreign);
    snprintf(advice, sizeof advice, "%ssluice doctor --clean --domain %s",
             c.dead_others ? "as root: " : "", domain->name);
    if (c.dead + c.dead_others > 0)
        sl_doctor_add(doctor, SL_DOCTOR_WARNING, "leftovers", advice,
                      "%u of dead processes (%s%s); %u live", c.dead + c.dead_others, c.first_dead,
                      c.dead + c.dead_others > 1 ? ", ..." : "", c.alive);
    else
        sl_doctor_add(doctor, SL_DOCTOR_OK, "leftovers", NULL,
                      "none of dead processes; %u sockets live", c.alive);
    if (c.foreign > 0)
        sl_doctor_add(doctor, SL_DOCTOR_WARNING, "leftovers",
                      "look who put it there; Sluice leaves it alone",
                      "%u files that are not Sluice's in %s (%s%s)", c.foreign, domain->path,
                      c.first_foreign, c.foreign > 1 ? ", ..." : "");
}

void sl_doctor_iceoryx(struct sl_doctor *doctor)
{
    struct sl_roudi roudi;
    char who[48] = "in another pid namespace";
    if (!sl_iceoryx_is_there()) {
        sl_doctor_add(doctor, SL_DOCTOR_OK, "iceoryx", NULL,
                      "this Sluice was built without it: bus: native only");
        return;
    }
    sl_error_clear();
    int err = sl_roudi_find(&roudi);
    if (err == -ENOENT) {
        sl_doctor_add(doctor, SL_DOCTOR_OK, "iceoryx", NULL,
                      "no RouDi runs; bus: native needs none, sluice launch starts one for bus: "
                      "iceoryx");
        return;
    }
    if (err < 0) {
        sl_doctor_add(doctor, SL_DOCTOR_WARNING, "iceoryx", NULL, "%s", sl_error_text());
        return;
    }
    if (roudi.pid > 0)
        snprintf(who, sizeof who, "process %d", (int)roudi.pid);
    enum sl_roudi_health health = sl_roudi_examine(roudi.pid);
    if (health != SL_ROUDI_WELL)
        sl_doctor_add(doctor, SL_DOCTOR_PROBLEM, "iceoryx", sl_roudi_remedy(health),
                      "RouDi (%s) %s", who, sl_roudi_trouble(health));
    if (roudi.is_monitoring)
        sl_doctor_add(doctor, SL_DOCTOR_WARNING, "iceoryx",
                      "stop it and start it with 'iox-roudi -m off'",
                      "RouDi (%s) watches its processes: one that stands still for 1.5 s loses "
                      "iceoryx for good",
                      who);
    else if (health == SL_ROUDI_WELL)
        sl_doctor_add(doctor, SL_DOCTOR_OK, "iceoryx", NULL,
                      "RouDi runs (%s) and lets stopped processes live", who);
}

void sl_doctor_domain(const char *name, struct sl_doctor *doctor)
{
    char root[96];
    bool is_private;
    struct sl_domain domain;
    sl_error_clear();
    if (sl_domain_root(root, sizeof root, &is_private) < 0) {
        sl_doctor_add(doctor, SL_DOCTOR_PROBLEM, "domain", NULL, "%s", sl_error_text());
        return;
    }
    int err = sl_domain_open(name, false, &domain);
    if (err == -ENOENT) {
        bool is_fine = access(root, W_OK | X_OK) == 0 || errno == ENOENT;
        sl_doctor_add(doctor, is_fine ? SL_DOCTOR_OK : SL_DOCTOR_PROBLEM, "domain",
                      is_fine ? NULL : "ask its owner to make it, or set SLUICE_ROOT",
                      "in %s (%s): not there yet, %s", root, why(is_private),
                      is_fine ? "the first node makes it" : "and we may not make it");
        return;
    }
    if (err < 0) {
        sl_doctor_add(doctor, SL_DOCTOR_PROBLEM, "domain", NULL, "%s", sl_error_text());
        return;
    }
    examine_place(doctor, &domain, why(is_private), is_private);
    examine_content(doctor, &domain);
    sl_domain_close(&domain);
}
