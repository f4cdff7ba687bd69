/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/log_storage.h"

#include "core/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* <build>/libexec/bench, beside the <build>/bin that this program lies in. */
static bool find_reader(char path[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return false;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return snprintf(path, PATH_MAX, "%s/../libexec/bench/rosbag_storage_reader", self) < PATH_MAX &&
           access(path, X_OK) == 0;
}

bool log_storage_is_here(void)
{
    char path[PATH_MAX];
    return find_reader(path);
}

static int start(const char *bag, pid_t *ret_child, FILE **ret_output)
{
    char path[PATH_MAX];
    int ends[2];
    posix_spawn_file_actions_t actions;
    char *const arguments[] = {"rosbag_storage_reader", (char *)bag, NULL};
    if (!find_reader(path))
        return sl_error(-ENOENT, "the reader by librosbag_storage was not built");
    if (pipe2(ends, O_CLOEXEC) < 0)
        return sl_error(errno, "no pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int err = posix_spawn(ret_child, path, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!err)
        *ret_output = fdopen(ends[0], "r");
    else
        close(ends[0]);
    return err ? sl_error(err, "%s: %s", path, strerror(err)) : 0;
}

int log_storage_read(const char *bag, uint64_t messages, uint64_t bytes, uint64_t *ret_wall_ns)
{
    pid_t child;
    FILE *output = NULL;
    uint64_t wall_ns = 0;
    uint64_t seen[2] = {0};
    int status = 0;
    int err = start(bag, &child, &output);
    if (err)
        return err;
    int fields =
        output ? fscanf(output, "%" SCNu64 " %" SCNu64 " %" SCNu64, &wall_ns, &seen[0], &seen[1])
               : 0;
    if (output)
        fclose(output);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (fields != 3 || status != 0 || seen[0] != messages || seen[1] != bytes)
        return sl_error(-EIO,
                        "librosbag_storage read %" PRIu64 " messages of %" PRIu64
                        " bytes, not %" PRIu64 " of %" PRIu64 " (status %d)",
                        seen[0], seen[1], messages, bytes, status);
    *ret_wall_ns = wall_ns;
    return 0;
}
