// Files and folders, by absolute path or descriptor.
//
// A call that fails returns the negative errno value and never throws for it; `lib/errors.mjs` makes the error that a
// script sees. Relative paths, `.` and `..` are resolved by `lib/path.mjs`. The folders that the host opened are looked
// up here and not by the C library, for which the folders `/` and `.` are the same.

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

#include "host.h"

#define READ_STEP_BYTES (64u << 10)
#define FIRST_FOLDER_FD 3
#define FOLDERS_LIMIT 16

// The folders that the host opened, absolute and without a slash at the end, so that `/` is the empty text.
static struct folder {
    char path[64];
    size_t length;
} folders[FOLDERS_LIMIT];
static int folder_count = -1;

static void find_folders(void)
{
    folder_count = 0;
    __wasi_prestat_t answer;
    while (folder_count < FOLDERS_LIMIT && __wasi_fd_prestat_get(FIRST_FOLDER_FD + folder_count, &answer) == 0) {
        struct folder *folder = &folders[folder_count];
        size_t length = answer.u.dir.pr_name_len;
        bool fits = length < sizeof folder->path
                    && __wasi_fd_prestat_dir_name(FIRST_FOLDER_FD + folder_count, (uint8_t *)folder->path, length) == 0;
        // `.` is the working folder under another name.
        bool is_absolute = fits && length > 0 && folder->path[0] == '/';
        while (is_absolute && length > 0 && folder->path[length - 1] == '/')
            length--;
        folder->length = is_absolute ? length : SIZE_MAX;
        folder_count++;
    }
}

// The descriptor of the innermost folder that `path` lies in, and the rest of the path.
static int folder_of(const char *path, const char **rest)
{
    if (folder_count < 0)
        find_folders();
    int found = -1;
    for (int at = 0; at < folder_count; at++) {
        size_t length = folders[at].length;
        bool is_longer = length != SIZE_MAX && (found < 0 || length > folders[found].length);
        if (is_longer && strncmp(path, folders[at].path, length) == 0 && (path[length] == '/' || path[length] == 0))
            found = at;
    }
    if (found < 0)
        return -1;
    *rest = path + folders[found].length;
    while (**rest == '/')
        ++*rest;
    if (**rest == 0)
        *rest = ".";
    return FIRST_FOLDER_FD + found;
}

static JSValue answer(JSContext *context, int result)
{
    return JS_NewInt32(context, result < 0 ? -errno : result);
}

static void *realloc_bytes(JSRuntime *runtime, void *opaque, void *bytes, size_t size)
{
    (void)runtime, (void)opaque;
    if (size)
        return realloc(bytes, size);
    free(bytes);
    return NULL;
}

// read(fd): everything up to the end, as a Uint8Array.
static JSValue files_read(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t fd;
    if (JS_ToInt32(context, &fd, argv[0]))
        return JS_EXCEPTION;
    struct stat status;
    size_t capacity = READ_STEP_BYTES, length = 0;
    // One byte more than the file has: the read that finds the end needs room.
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        capacity = (size_t)status.st_size + 1;
    char *bytes = malloc(capacity);
    if (!bytes)
        return JS_ThrowOutOfMemory(context);
    for (;;) {
        ssize_t count = read(fd, bytes + length, capacity - length);
        if (count < 0) {
            int error = errno;
            free(bytes);
            return JS_NewInt32(context, -error);
        }
        if (count == 0)
            break;
        length += (size_t)count;
        if (length < capacity)
            continue;
        char *grown = realloc(bytes, capacity *= 2);
        if (!grown) {
            free(bytes);
            return JS_ThrowOutOfMemory(context);
        }
        bytes = grown;
    }
    return JS_NewUint8Array(context, (uint8_t *)bytes, length, realloc_bytes, NULL, false);
}

// readInto(fd, bytes, position) and writeFrom(fd, bytes, position): a part, at the descriptor's place where the position
// is negative; how many bytes.
static JSValue files_transfer(JSContext *context, JSValueConst this, int argc, JSValueConst *argv, int writes)
{
    (void)this, (void)argc;
    int32_t fd;
    int64_t position;
    size_t length;
    if (JS_ToInt32(context, &fd, argv[0]) || JS_ToInt64(context, &position, argv[2]))
        return JS_EXCEPTION;
    uint8_t *bytes = JS_GetUint8Array(context, &length, argv[1]);
    if (!bytes && JS_HasException(context))
        return JS_EXCEPTION;
    if (writes && fd == STDOUT_FILENO) {
        int error = host_write(fd, bytes, length);
        return JS_NewInt32(context, error ? -error : (int)length);
    }
    ssize_t count = writes ? position < 0 ? write(fd, bytes, length) : pwrite(fd, bytes, length, position)
                    : position < 0 ? read(fd, bytes, length)
                                   : pread(fd, bytes, length, position);
    return answer(context, (int)count);
}

// The flags of open(2) as Linux numbers them, which is how scripts and `lib/fs.mjs` do.
enum linux_flag {
    LINUX_WRONLY = 01, LINUX_RDWR = 02, LINUX_CREAT = 0100, LINUX_EXCL = 0200, LINUX_TRUNC = 01000, LINUX_APPEND = 02000,
    LINUX_DIRECTORY = 0200000, LINUX_NOFOLLOW = 0400000,
};

static int open_flags(int32_t linux_flags)
{
    int access = linux_flags & LINUX_RDWR ? O_RDWR : linux_flags & LINUX_WRONLY ? O_WRONLY : O_RDONLY;
    return access | (linux_flags & LINUX_CREAT ? O_CREAT : 0) | (linux_flags & LINUX_EXCL ? O_EXCL : 0)
           | (linux_flags & LINUX_TRUNC ? O_TRUNC : 0) | (linux_flags & LINUX_APPEND ? O_APPEND : 0)
           | (linux_flags & LINUX_DIRECTORY ? O_DIRECTORY : 0) | (linux_flags & LINUX_NOFOLLOW ? O_NOFOLLOW : 0);
}

// open(path, flags): a descriptor.
static JSValue files_open(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t flags;
    if (JS_ToInt32(context, &flags, argv[1]))
        return JS_EXCEPTION;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    const char *rest;
    int folder = folder_of(path, &rest);
    int fd = folder < 0 ? -1 : openat(folder, rest, open_flags(flags), 0666);
    int error = folder < 0 ? ENOENT : errno;
    JS_FreeCString(context, path);
    return JS_NewInt32(context, fd < 0 ? -error : fd);
}

static JSValue files_close(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t fd;
    if (JS_ToInt32(context, &fd, argv[0]))
        return JS_EXCEPTION;
    // The standard streams and the host's folders stay.
    if (fd >= 0 && fd < FIRST_FOLDER_FD + folder_count)
        return JS_NewInt32(context, 0);
    return answer(context, close(fd));
}

// truncate(fd, length)
static JSValue files_truncate(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t fd;
    int64_t length;
    if (JS_ToInt32(context, &fd, argv[0]) || JS_ToInt64(context, &length, argv[1]))
        return JS_EXCEPTION;
    return answer(context, ftruncate(fd, length));
}

static double milliseconds(struct timespec time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static JSValue described(JSContext *context, const struct stat *status)
{
    const char *kind = S_ISREG(status->st_mode)   ? "file"
                       : S_ISDIR(status->st_mode) ? "directory"
                       : S_ISLNK(status->st_mode) ? "link"
                       : S_ISCHR(status->st_mode) ? "device"
                                                  : "other";
    JSValue fields[] = {
        JS_NewString(context, kind),
        JS_NewInt64(context, status->st_size),
        JS_NewFloat64(context, milliseconds(status->st_mtim)),
        JS_NewInt64(context, (int64_t)status->st_ino),
        JS_NewFloat64(context, milliseconds(status->st_atim)),
        JS_NewInt64(context, (int64_t)status->st_nlink),
    };
    return JS_NewArrayFrom(context, sizeof fields / sizeof *fields, fields);
}

// stat(path, follow): [kind, size, modified in milliseconds, inode, read in milliseconds, links].
static JSValue files_stat(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    int flags = JS_ToBool(context, argv[1]) ? 0 : AT_SYMLINK_NOFOLLOW;
    struct stat status;
    const char *rest;
    int folder = folder_of(path, &rest);
    int error = folder < 0 ? ENOENT : fstatat(folder, rest, &status, flags) ? errno : 0;
    JS_FreeCString(context, path);
    return error ? JS_NewInt32(context, -error) : described(context, &status);
}

// fstat(fd): the same of an open file.
static JSValue files_fstat(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t fd;
    if (JS_ToInt32(context, &fd, argv[0]))
        return JS_EXCEPTION;
    struct stat status;
    return fstat(fd, &status) ? JS_NewInt32(context, -errno) : described(context, &status);
}

static const char *entry_kind(const struct dirent *entry)
{
    switch (entry->d_type) {
    case DT_REG: return "file";
    case DT_DIR: return "directory";
    case DT_LNK: return "link";
    case DT_CHR: return "device";
    default: return "other";
    }
}

// readdir(path): [name, kind, name, kind, …], in the host's order.
static JSValue files_readdir(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    const char *rest;
    int parent = folder_of(path, &rest);
    int fd = parent < 0 ? -1 : openat(parent, rest, O_RDONLY | O_DIRECTORY);
    int error = parent < 0 ? ENOENT : errno;
    JS_FreeCString(context, path);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder)
        return JS_NewInt32(context, -(fd < 0 ? error : errno));
    JSValue list = JS_NewArray(context);
    uint32_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        JS_SetPropertyUint32(context, list, count++, JS_NewString(context, entry->d_name));
        JS_SetPropertyUint32(context, list, count++, JS_NewString(context, entry_kind(entry)));
    }
    closedir(folder);
    return list;
}

enum path_call { PATH_MKDIR, PATH_RMDIR, PATH_UNLINK };

// mkdir(path), rmdir(path), unlink(path)
static JSValue files_path(JSContext *context, JSValueConst this, int argc, JSValueConst *argv, int call)
{
    (void)this, (void)argc;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    const char *rest;
    int folder = folder_of(path, &rest);
    int result = folder < 0            ? (errno = ENOENT, -1)
                 : call == PATH_MKDIR ? mkdirat(folder, rest, 0777)
                                       : unlinkat(folder, rest, call == PATH_RMDIR ? AT_REMOVEDIR : 0);
    int error = result ? errno : 0;
    JS_FreeCString(context, path);
    return JS_NewInt32(context, -error);
}

enum pair_call { PAIR_RENAME, PAIR_LINK, PAIR_SYMLINK };

// rename(from, to), link(from, to), symlink(target, path); the target of a symbolic link is any text.
static JSValue files_pair(JSContext *context, JSValueConst this, int argc, JSValueConst *argv, int call)
{
    (void)this, (void)argc;
    const char *from = JS_ToCString(context, argv[0]);
    const char *to = from ? JS_ToCString(context, argv[1]) : NULL;
    if (!to) {
        JS_FreeCString(context, from);
        return JS_EXCEPTION;
    }
    const char *from_rest = from, *to_rest = to;
    int from_folder = call == PAIR_SYMLINK ? 0 : folder_of(from, &from_rest);
    int to_folder = folder_of(to, &to_rest);
    int result = from_folder < 0 || to_folder < 0 ? (errno = ENOENT, -1)
                 : call == PAIR_RENAME            ? renameat(from_folder, from_rest, to_folder, to_rest)
                 : call == PAIR_LINK              ? linkat(from_folder, from_rest, to_folder, to_rest, 0)
                                                  : symlinkat(from, to_folder, to_rest);
    int error = result ? errno : 0;
    JS_FreeCString(context, from);
    JS_FreeCString(context, to);
    return JS_NewInt32(context, -error);
}

// readlink(path): the target of a symbolic link.
static JSValue files_readlink(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    static char target[PATH_MAX];
    const char *rest;
    int folder = folder_of(path, &rest);
    ssize_t length = folder < 0 ? (errno = ENOENT, -1) : readlinkat(folder, rest, target, sizeof target);
    int error = errno;
    JS_FreeCString(context, path);
    return length < 0 ? JS_NewInt32(context, -error) : JS_NewStringLen(context, target, (size_t)length);
}

static struct timespec seconds(double value)
{
    struct timespec time = { .tv_sec = (time_t)value };
    if (value < (double)time.tv_sec)
        time.tv_sec--;
    time.tv_nsec = (long)((value - (double)time.tv_sec) * 1e9);
    return time;
}

// utimes(path or fd, read, modified, follow): times in seconds.
static JSValue files_utimes(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    double read_at, modified_at;
    if (JS_ToFloat64(context, &read_at, argv[1]) || JS_ToFloat64(context, &modified_at, argv[2]))
        return JS_EXCEPTION;
    struct timespec times[] = { seconds(read_at), seconds(modified_at) };
    int32_t fd;
    if (JS_IsNumber(argv[0]))
        return JS_ToInt32(context, &fd, argv[0]) ? JS_EXCEPTION : answer(context, futimens(fd, times));
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    const char *rest;
    int folder = folder_of(path, &rest);
    int flags = JS_ToBool(context, argv[3]) ? 0 : AT_SYMLINK_NOFOLLOW;
    int result = folder < 0 ? (errno = ENOENT, -1) : utimensat(folder, rest, times, flags);
    int error = result ? errno : 0;
    JS_FreeCString(context, path);
    return JS_NewInt32(context, -error);
}

const JSCFunctionListEntry files_functions[] = {
    JS_CFUNC_DEF("open", 2, files_open),
    JS_CFUNC_DEF("read", 1, files_read),
    JS_CFUNC_MAGIC_DEF("readInto", 3, files_transfer, 0),
    JS_CFUNC_MAGIC_DEF("writeFrom", 3, files_transfer, 1),
    JS_CFUNC_DEF("close", 1, files_close),
    JS_CFUNC_DEF("truncate", 2, files_truncate),
    JS_CFUNC_DEF("stat", 2, files_stat),
    JS_CFUNC_DEF("fstat", 1, files_fstat),
    JS_CFUNC_DEF("readdir", 1, files_readdir),
    JS_CFUNC_MAGIC_DEF("mkdir", 1, files_path, PATH_MKDIR),
    JS_CFUNC_MAGIC_DEF("rmdir", 1, files_path, PATH_RMDIR),
    JS_CFUNC_MAGIC_DEF("unlink", 1, files_path, PATH_UNLINK),
    JS_CFUNC_MAGIC_DEF("rename", 2, files_pair, PAIR_RENAME),
    JS_CFUNC_MAGIC_DEF("link", 2, files_pair, PAIR_LINK),
    JS_CFUNC_MAGIC_DEF("symlink", 2, files_pair, PAIR_SYMLINK),
    JS_CFUNC_DEF("readlink", 1, files_readlink),
    JS_CFUNC_DEF("utimes", 4, files_utimes),
};

const int files_count = (int)(sizeof files_functions / sizeof *files_functions);
