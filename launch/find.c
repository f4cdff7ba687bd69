/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - where a program named by `exec:` lies, and what lies beside it. */
#include "core/base/error.h"
#include "core/base/words.h"
#include "launch/plan.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SLUICE_LIBEXEC_DIR
#define SLUICE_LIBEXEC_DIR "/usr/local/libexec/sluice" /* the build says where it is installed */
#endif

#define PLACES_MAX     40 /* PATH has some */
#define SUGGESTION_MAX 256

struct places {
    char path[PLACES_MAX][PATH_MAX];
    unsigned count;
};

static void add_place(struct places *places, const char *path)
{
    if (path[0] != '/' || strlen(path) >= PATH_MAX || places->count == PLACES_MAX)
        return;
    for (unsigned i = 0; i < places->count; i++)
        if (strcmp(places->path[i], path) == 0)
            return;
    strcpy(places->path[places->count++], path);
}

/* Beside the running program: <prefix>/bin/sluice and <prefix>/libexec/sluice, alike in the build.
 */
static void add_places_beside(struct places *places, bool is_plain)
{
    char self[PATH_MAX], joined[PATH_MAX + 32], resolved[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(joined, sizeof joined, "%s/../libexec/sluice", self);
    if (realpath(joined, resolved))
        add_place(places, resolved);
    if (is_plain)
        add_place(places, self); /* `exec: sluice` */
}

static void list_places(struct places *places, bool is_plain)
{
    places->count = 0;
    const char *own = getenv("SLUICE_LIBEXEC");
    if (own)
        add_place(places, own);
    add_places_beside(places, is_plain);
    add_place(places, SLUICE_LIBEXEC_DIR);
    const char *at = is_plain ? getenv("PATH") : NULL;
    while (at && *at) {
        size_t length = strcspn(at, ":");
        char one[PATH_MAX];
        if (length < sizeof one) {
            memcpy(one, at, length);
            one[length] = '\0';
            add_place(places, one);
        }
        at += length + (at[length] == ':');
    }
}

static bool is_file(const char *path, int access_mode)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, access_mode) == 0;
}

static bool is_program(const char *path)
{
    return is_file(path, X_OK);
}

/* "did you mean", from what lies in the places of Sluice's own programs. */
static void suggest(const struct places *places, const char *name, char *ret_text, size_t size)
{
    char *names[SUGGESTION_MAX + 1] = {NULL};
    unsigned count = 0;
    for (unsigned i = 0; i < places->count; i++) {
        DIR *folder = opendir(places->path[i]);
        struct dirent *entry;
        while (folder && (entry = readdir(folder)) && count < SUGGESTION_MAX)
            if (entry->d_name[0] != '.' && (names[count] = strdup(entry->d_name)))
                count++;
        if (folder)
            closedir(folder);
    }
    const char *near = sl_nearest_word(name, (const char *const *)names);
    ret_text[0] = '\0';
    if (near)
        snprintf(ret_text, size, "; did you mean '%.60s'?", near);
    while (count > 0)
        free(names[--count]);
}

static int not_found(const struct sl_plan_node *node, const struct places *places)
{
    char looked[400] = "";
    size_t used = 0;
    for (unsigned i = 0; i < places->count && used < sizeof looked; i++)
        used += (size_t)snprintf(looked + used, sizeof looked - used, "%s%s", i ? ", " : "",
                                 places->path[i]);
    char near[96];
    suggest(places, node->exec, near, sizeof near);
    return sl_yaml_error(node->exec_place, -ENOENT, "no program '%.60s'%s (looked in %.200s)",
                         node->exec, near, looked);
}

static bool search(const struct places *places, const char *name, int access_mode, char *ret_path,
                   size_t size)
{
    for (unsigned i = 0; i < places->count; i++) {
        char path[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", places->path[i], name);
        if (!is_file(path, access_mode) || strlen(path) >= size)
            continue;
        memcpy(ret_path, path, strlen(path) + 1);
        return true;
    }
    return false;
}

int sl_program_find(const struct sl_plan_node *node, char *ret_path, size_t size)
{
    char path[2 * PATH_MAX];
    if (strchr(node->exec, '/')) {
        /* beside the launch file, wherever one stands */
        const char *file = sl_yaml_file(node->exec_place);
        const char *slash = strrchr(file, '/');
        if (node->exec[0] == '/' || !slash)
            snprintf(path, sizeof path, "%s", node->exec);
        else
            snprintf(path, sizeof path, "%.*s/%s", (int)(slash - file), file, node->exec);
        if (!is_program(path) || strlen(path) >= size)
            return sl_yaml_error(node->exec_place, -ENOENT,
                                 "there is no program at %.200s, or it may not be started", path);
        memcpy(ret_path, path, strlen(path) + 1);
        return 0;
    }
    struct places *places = malloc(sizeof *places);
    if (!places)
        return sl_error(-ENOMEM, "no memory to look for %s", node->exec);
    list_places(places, node->is_plain);
    int err = search(places, node->exec, X_OK, ret_path, size) ? 0 : not_found(node, places);
    free(places);
    return err;
}

static bool search_silently(const char *name, bool is_plain, int access_mode, char *ret_path,
                            size_t size)
{
    struct places *places = malloc(sizeof *places);
    if (!places)
        return false;
    list_places(places, is_plain);
    bool is_there = search(places, name, access_mode, ret_path, size);
    free(places);
    return is_there;
}

bool sl_program_search(const char *name, bool is_plain, char *ret_path, size_t size)
{
    return search_silently(name, is_plain, X_OK, ret_path, size);
}

bool sl_library_search(const char *name, char *ret_path, size_t size)
{
    return search_silently(name, false, R_OK, ret_path, size);
}
