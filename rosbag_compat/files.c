/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/files.h"

#include "core/base/error.h"
#include "rosbag_compat/rosbag2_metadata.h"
#include "rosbag_compat/sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_BYTES        16
#define PIECE_BYTES        65536
#define METADATA_MAX_BYTES (1 << 20)
#define DIRECT_LEAST_BYTES (1 << 17) /* smaller reads are not worth it */
#define CACHED_SAMPLES     8
static const char sqlite_magic[] = "SQLite format 3"; /* and its NUL: 16 bytes */
static const uint8_t zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};

/* Files -----------------------------------------------------------------------------------------*/

/* One more of the set's notes. */
static int note(struct sl_log_set *set, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int note(struct sl_log_set *set, const char *format, ...)
{
    va_list args;
    char **notes = realloc(set->notes, (set->note_count + 1) * sizeof *notes);
    if (!notes)
        return sl_error(-ENOMEM, "no memory for a log");
    set->notes = notes;
    va_start(args, format);
    int length = vasprintf(&notes[set->note_count], format, args);
    va_end(args);
    if (length < 0)
        return sl_error(-ENOMEM, "no memory for a log");
    set->note_count++;
    return 0;
}

static int read_through(const struct sl_log_file *file, uint64_t offset, void *to,
                        size_t size_bytes)
{
    uint8_t *at = to;
    while (size_bytes > 0) {
        ssize_t count = pread(file->fd, at, size_bytes, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return sl_error(errno, "byte %" PRIu64 " cannot be read: %s", offset, strerror(errno));
        if (count == 0)
            return sl_error(-ESTALE, "became shorter than %" PRIu64 " bytes while it was read",
                            offset + size_bytes);
        at += count;
        offset += (uint64_t)count;
        size_bytes -= (size_t)count;
    }
    return 0;
}

/* Whole pages past the page cache, as many as come. A file system that does not do it after all is
 * not asked again. */
static size_t read_directly(struct sl_log_file *file, uint64_t offset, uint8_t *to,
                            size_t size_bytes)
{
    size_t done = 0;
    while (size_bytes - done >= SL_LOG_READ_ALIGNMENT) {
        ssize_t count = pread(file->direct_fd, to + done,
                              (size_bytes - done) & ~(size_t)(SL_LOG_READ_ALIGNMENT - 1),
                              (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            close(file->direct_fd);
            file->direct_fd = -1;
        }
        if (count <= 0 || count % SL_LOG_READ_ALIGNMENT)
            return done;
        done += (size_t)count;
    }
    return done;
}

/* Is most of a range in the page cache, by some of its pages? Where the kernel does not tell (a
 * file of somebody else's), it says of all that they are. */
static bool is_cached(const struct sl_log_file *file, uint64_t offset, uint64_t size_bytes)
{
    unsigned cached = 0;
    for (unsigned i = 0; i < CACHED_SAMPLES; i++) {
        uint64_t at = offset + size_bytes / CACHED_SAMPLES * i;
        unsigned char page = 1;
        at -= at % SL_LOG_READ_ALIGNMENT;
        if (at < file->map_bytes)
            mincore((uint8_t *)file->map + at, SL_LOG_READ_ALIGNMENT, &page);
        cached += page & 1;
    }
    return cached > CACHED_SAMPLES / 2;
}

static bool goes_directly(const struct sl_log_file *file, uint64_t offset, const void *to,
                          uint64_t size_bytes)
{
    return file->direct_fd >= 0 && size_bytes >= DIRECT_LEAST_BYTES &&
           ((uintptr_t)to - offset) % SL_LOG_READ_ALIGNMENT == 0 &&
           !(file->map && is_cached(file, offset, size_bytes));
}

static int read_at(void *state, uint64_t offset, void *to, size_t size_bytes)
{
    struct sl_log_file *file = state;
    size_t head = (size_t)(-offset % SL_LOG_READ_ALIGNMENT);
    if (!goes_directly(file, offset, to, size_bytes))
        return read_through(file, offset, to, size_bytes);
    int err = read_through(file, offset, to, head);
    if (err < 0)
        return err;
    head += read_directly(file, offset + head, (uint8_t *)to + head, size_bytes - head);
    return read_through(file, offset + head, (uint8_t *)to + head, size_bytes - head);
}

struct sl_log_read sl_log_file_read(const struct sl_log_file *file, uint64_t offset, void *to,
                                    uint64_t size_bytes)
{
    if (!goes_directly(file, offset, to, size_bytes))
        return (struct sl_log_read){file->fd, false, offset, to, size_bytes};
    uint64_t head = offset % SL_LOG_READ_ALIGNMENT;
    uint64_t whole = head + size_bytes + SL_LOG_READ_ALIGNMENT - 1;
    return (struct sl_log_read){file->direct_fd, true, offset - head, (uint8_t *)to - head,
                                whole - whole % SL_LOG_READ_ALIGNMENT};
}

/* The same file, not what has its name by now. */
static void open_directly(struct sl_log_file *file, enum sl_log_caching caching)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file->fd);
    file->direct_fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    if (file->direct_fd < 0 || caching != SL_LOG_UNCACHED)
        return;
    file->map_bytes = (size_t)file->log->source.size_bytes;
    file->map = mmap(NULL, file->map_bytes, PROT_NONE, MAP_SHARED, file->fd, 0);
    if (file->map == MAP_FAILED) { /* what is cached is not known: then all of it */
        file->map = NULL;
        close(file->direct_fd);
        file->direct_fd = -1;
    }
}

unsigned sl_log_set_read_directly(struct sl_log_set *set, enum sl_log_caching caching)
{
    unsigned count = 0;
    for (unsigned i = 0; i < set->count; i++) {
        struct sl_log_file *file = &set->files[i];
        if (caching != SL_LOG_CACHED && file->direct_fd < 0 && file->log->source.read_at)
            open_directly(file, caching);
        count += file->direct_fd >= 0;
    }
    return count;
}

static int open_fd(struct sl_log_file *file)
{
    struct stat status;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0 || fstat(file->fd, &status) < 0)
        return sl_error(errno, "%s", strerror(errno));
    if (!S_ISREG(status.st_mode))
        return sl_error(-ESPIPE, "is no regular file; save what it gives into one");
    if (status.st_size == 0)
        return sl_error(-EBADMSG, "is empty (0 bytes)");
    file->size_bytes = (uint64_t)status.st_size;
    return 0;
}

struct unpacking {
    int from, to;
    uint8_t bytes[PIECE_BYTES];
};

static int get_piece(void *state, const void **ret_bytes, size_t *ret_size_bytes)
{
    struct unpacking *u = state;
    ssize_t count;
    do
        count = read(u->from, u->bytes, sizeof u->bytes);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return sl_error(errno, "cannot be read: %s", strerror(errno));
    *ret_bytes = u->bytes;
    *ret_size_bytes = (size_t)count;
    return 0;
}

static int write_all(int fd, const void *bytes, size_t size_bytes)
{
    const uint8_t *at = bytes;
    while (size_bytes > 0) {
        ssize_t count = write(fd, at, size_bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return sl_error(errno, "cannot be written: %s", strerror(errno));
        at += count;
        size_bytes -= (size_t)count;
    }
    return 0;
}

static int put_piece(void *state, const void *bytes, size_t size_bytes)
{
    return write_all(((struct unpacking *)state)->to, bytes, size_bytes);
}

/* A file in $TMPDIR whose name is taken away as soon as its log is open: SQLite wants one. */
static int open_temporary(char path[PATH_MAX])
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, PATH_MAX, "%s/sluice-XXXXXX", folder ? folder : "/var/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        return fd;
    path[0] = '\0';
    return sl_error(errno, "no room to unpack it in %s: %s; set TMPDIR",
                    folder ? folder : "/var/tmp", strerror(errno));
}

/* rosbag2's FILE mode: the file's content takes its place. What comes before a damaged part stays.
 */
static int unpack(struct sl_log_set *set, struct sl_log_file *file, char path[PATH_MAX])
{
    struct unpacking *u = malloc(sizeof *u);
    if (!u)
        return sl_error(-ENOMEM, "no memory to unpack it");
    struct sl_zstd_ends ends = {get_piece, put_piece, u};
    u->from = file->fd;
    u->to = open_temporary(path);
    int err = u->to < 0 ? u->to : sl_zstd_unpack(&ends);
    if (err == -EBADMSG)
        err = note(set, "%s: %s", file->path, sl_error_text());
    if (u->to >= 0) {
        close(file->fd);
        file->fd = u->to;
    }
    free(u);
    return err;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* pcap in either byte order, with microseconds or nanoseconds or the longer record header; pcapng.
 */
static bool is_capture(const uint8_t *magic)
{
    static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34, 0x0a0d0d0a};
    for (unsigned i = 0; i < sizeof magics / sizeof *magics; i++)
        if (sl_get_le32(magic) == magics[i] || sl_get_be32(magic) == magics[i])
            return true;
    return false;
}

/* By its first bytes; where those are damaged, by its name. `path` is where the file's bytes are.
 */
static int open_plain(struct sl_log_file *file, const char *path, unsigned flags)
{
    uint8_t magic[MAGIC_BYTES] = {0};
    struct stat status;
    if (pread(file->fd, magic, sizeof magic, 0) < 0 || fstat(file->fd, &status) < 0)
        return sl_error(errno, "cannot be read: %s", strerror(errno));
    struct sl_log_source source = {read_at, file, (uint64_t)status.st_size,
                                   file->decompressed_bytes};
    if (memcmp(magic, sqlite_magic, sizeof sqlite_magic) == 0) {
        int err = sl_sqlite_open(path, file->fd, &file->db);
        if (!err)
            err = sl_rosbag2_sqlite_open(file->db, flags, &file->log);
        if (!err)
            file->log->source.decompressed_bytes = file->decompressed_bytes;
        return err;
    }
    bool is_mcap = memcmp(magic, "\x89MCAP", 5) == 0;
    bool is_ros1 = memcmp(magic, "#ROS", 4) == 0;
    bool is_packets = is_capture(magic);
    if (!is_mcap && !is_ros1 && !is_packets) {
        is_mcap = ends_with(file->path, ".mcap");
        is_ros1 = ends_with(file->path, ".bag");
        is_packets = ends_with(file->path, ".pcap") || ends_with(file->path, ".pcapng");
    }
    if (is_mcap)
        return sl_mcap_open(&source, flags, &file->log);
    if (is_ros1)
        return sl_ros1_open(&source, flags, &file->log);
    if (is_packets)
        return sl_pcap_open(&source, flags, &file->log);
    return status.st_size == 0
               ? sl_error(-EBADMSG, "nothing of it can be unpacked")
               : sl_error(-EBADMSG,
                          "is no log: no MCAP, no ROS 1 bag, no database of rosbag2, no capture");
}

static int open_log(struct sl_log_set *set, struct sl_log_file *file, unsigned flags)
{
    uint8_t magic[sizeof zstd_magic] = {0};
    char unpacked[PATH_MAX] = "";
    int err = 0;
    if (pread(file->fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
        memcmp(magic, zstd_magic, sizeof magic) == 0)
        err = unpack(set, file, unpacked);
    if (!err)
        err = open_plain(file, unpacked[0] ? unpacked : file->path, flags);
    if (unpacked[0])
        unlink(unpacked);
    return err;
}

static void close_file(struct sl_log_file *file)
{
    sl_log_close(file->log);
    sl_sqlite_close(file->db);
    if (file->fd >= 0)
        close(file->fd);
    if (file->direct_fd >= 0)
        close(file->direct_fd);
    if (file->map)
        munmap(file->map, file->map_bytes);
    free(file->path);
}

/* Sources point to the files, so their array may not move: it is made anew only with its sources
 * set again. */
static int grow(struct sl_log_set *set)
{
    struct sl_log_file *files = realloc(set->files, (set->count + 1) * sizeof *files);
    if (files)
        set->files = files;
    struct sl_log **logs = realloc(set->logs, (set->count + 1) * sizeof *logs);
    if (logs)
        set->logs = logs;
    for (unsigned i = 0; files && i < set->count; i++)
        if (files[i].log->source.read_at)
            files[i].log->source.state = &files[i];
    return files && logs ? 0 : sl_error(-ENOMEM, "no memory for a log");
}

static int add_file(struct sl_log_set *set, const char *path, unsigned flags)
{
    int err = grow(set);
    if (err)
        return err;
    struct sl_log_file *file = &set->files[set->count];
    *file = (struct sl_log_file){.fd = -1,
                                 .direct_fd = -1,
                                 .path = strdup(path),
                                 .decompressed_bytes = set->decompressed_bytes};
    err = file->path ? open_fd(file) : sl_error(-ENOMEM, "no memory for a log");
    if (!err)
        err = open_log(set, file, flags);
    if (err) {
        close_file(file);
        return sl_error_at(err, "%s", path);
    }
    set->logs[set->count++] = file->log;
    return 0;
}

/* Folders ---------------------------------------------------------------------------------------*/

/* metadata.yaml names a file relative to the folder, in early versions to the folder above it. */
static bool find_file(const char *folder, const char *name, char path[PATH_MAX])
{
    const char *base = strrchr(name, '/');
    const struct {
        const char *between, *name;
    } places[] = {{"/", name}, {"/../", name}, {"/", base ? base + 1 : name}};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, PATH_MAX, "%s%s%s", folder, places[i].between, places[i].name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static int is_log_name(const struct dirent *entry)
{
    static const char *const endings[] = {".db3", ".mcap", ".db3.zstd", ".mcap.zstd"};
    for (unsigned i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(entry->d_name, endings[i]))
            return 1;
    return 0;
}

/* "drive_12.mcap": where its number begins and ends; false: it has none. */
static bool find_number(const char *name, size_t *ret_stem, unsigned long *ret_number,
                        const char **ret_ending)
{
    const char *line = strrchr(name, '_');
    char *end;
    if (!line || line[1] < '0' || line[1] > '9')
        return false;
    *ret_number = strtoul(line + 1, &end, 10);
    *ret_stem = (size_t)(line - name);
    *ret_ending = end;
    return *end == '.';
}

/* "drive_3.mcap" behind "drive_2.mcap" */
static bool continues(const char *last, const char *name)
{
    const char *last_ending, *ending;
    unsigned long last_number, number;
    size_t last_stem, stem;
    return find_number(last, &last_stem, &last_number, &last_ending) &&
           find_number(name, &stem, &number, &ending) && stem == last_stem &&
           memcmp(last, name, stem) == 0 && strcmp(last_ending, ending) == 0 &&
           number > last_number;
}

static bool is_of_machine(int err)
{
    return err == -ENOMEM || err == -EMFILE || err == -ENFILE || err == -ENOSPC;
}

/* A fault of one file leaves the folder's others to be read; what the machine lacks ends it all. */
static int add_member(struct sl_log_set *set, const char *path, unsigned flags)
{
    int err = add_file(set, path, flags);
    if (!err || is_of_machine(err))
        return err;
    return note(set, "%s; it is left out", sl_error_text());
}

/* metadata.yaml tells of the files that have ended. One that a killed recorder was writing stands
 * beside them, under the next number. It may have nothing that can be read yet. */
static int add_unnamed(struct sl_log_set *set, const char *folder, const char *last, unsigned flags)
{
    struct dirent **entries;
    int err = 0, count = scandir(folder, &entries, is_log_name, versionsort);
    if (count < 0)
        return sl_error(errno, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (!err && continues(last, name)) {
            err = note(set, "%s: metadata.yaml does not name %s: its recorder was stopped", folder,
                       name);
            if (!err)
                err = add_member(set, path, flags);
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

static int set_compression(struct sl_log_set *set, unsigned first, const char *folder,
                           const struct sl_rosbag2_metadata *m)
{
    if (strcmp(m->compression_mode, "MESSAGE") != 0 && strcmp(m->compression_mode, "message") != 0)
        return 0;
    if (strcmp(m->compression_format, "zstd") != 0)
        return sl_error(-ENOTSUP, "%s: messages are compressed by '%s', which is not known", folder,
                        m->compression_format);
    for (unsigned i = first; i < set->count; i++)
        set->logs[i]->body_compression = SL_COMPRESSION_ZSTD;
    return 0;
}

static int add_named(struct sl_log_set *set, const char *folder,
                     const struct sl_rosbag2_metadata *m, unsigned flags)
{
    unsigned before = set->count;
    int err = 0;
    for (unsigned i = 0; i < m->file_count && !err; i++) {
        char path[PATH_MAX];
        if (find_file(folder, m->files[i].path, path))
            err = add_member(set, path, flags);
        else
            err =
                note(set, "%s: %s is missing, which metadata.yaml names", folder, m->files[i].path);
    }
    const char *last = m->files[m->file_count - 1].path, *slash = strrchr(last, '/');
    if (!err)
        err = add_unnamed(set, folder, slash ? slash + 1 : last, flags);
    return err ? err : set_compression(set, before, folder, m);
}

static int add_everything(struct sl_log_set *set, const char *folder, unsigned flags)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_log_name, versionsort);
    int err = count < 0 ? sl_error(errno, "%s: %s", folder, strerror(errno)) : 0;
    if (count == 0)
        err = sl_error(-ENOENT, "%s: has no metadata.yaml to go by and no .db3 or .mcap file",
                       folder);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (!err)
            err = add_member(set, path, flags);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return err;
}

int sl_log_folder_metadata(const char *folder, struct sl_rosbag2_metadata *ret_metadata)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/metadata.yaml", folder);
    FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT)
        return sl_error(-ENOENT, "%s: has no metadata.yaml: its recorder was stopped", folder);
    char *text = malloc(METADATA_MAX_BYTES + 1);
    int err = !file   ? sl_error(errno, "%s: %s", path, strerror(errno))
              : !text ? sl_error(-ENOMEM, "%s: no memory", path)
                      : 0;
    size_t size = err ? 0 : fread(text, 1, METADATA_MAX_BYTES + 1, file);
    if (!err && size > METADATA_MAX_BYTES)
        err = sl_error(-E2BIG, "%s: has more than %d bytes", path, METADATA_MAX_BYTES);
    if (!err)
        err = sl_rosbag2_metadata_parse(path, text, size, ret_metadata);
    if (!err && ret_metadata->file_count == 0) {
        sl_rosbag2_metadata_finish(ret_metadata);
        err = sl_error(-EBADMSG, "%s: names no file", path);
    }
    free(text);
    if (file)
        fclose(file);
    return err;
}

/* The files that metadata.yaml names; all of them where it is absent or damaged: it is written
 * when a recording ends. */
static int add_members(struct sl_log_set *set, const char *folder, unsigned flags)
{
    struct sl_rosbag2_metadata m;
    int err = sl_log_folder_metadata(folder, &m);
    if (is_of_machine(err) || err == -ENOTSUP)
        return err;
    if (err) {
        err = note(set, "%s", sl_error_text());
        return err ? err : add_everything(set, folder, flags);
    }
    err = add_named(set, folder, &m, flags);
    sl_rosbag2_metadata_finish(&m);
    return err;
}

static int add_folder(struct sl_log_set *set, const char *folder, unsigned flags)
{
    unsigned before = set->count;
    int err = add_members(set, folder, flags);
    if (err || set->count > before)
        return err;
    return sl_error(-ENOENT, "%s: none of its files can be read: %s", folder,
                    set->notes[set->note_count - 1]);
}

int sl_log_set_add(struct sl_log_set *set, const char *path, unsigned flags)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return sl_error(errno, "%s: %s", path, strerror(errno));
    return S_ISDIR(status.st_mode) ? add_folder(set, path, flags) : add_file(set, path, flags);
}

void sl_log_set_close(struct sl_log_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        close_file(&set->files[i]);
    for (unsigned i = 0; i < set->note_count; i++)
        free(set->notes[i]);
    free(set->files);
    free(set->logs);
    free(set->notes);
    *set = (struct sl_log_set){0};
}
