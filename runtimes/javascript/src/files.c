// Files and folders, by absolute path.
//
// A call that fails returns the negative errno value and never throws for it; `lib/errors.mjs` makes the error that a
// script sees. Nothing here resolves paths: `lib/path.mjs` does.

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP_BYTES (64u << 10)

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

enum open_how { OPEN_READ, OPEN_WRITE, OPEN_APPEND, OPEN_CREATE };

// open(path, how): a descriptor.
static JSValue files_open(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    static const int flags[] = {
        [OPEN_READ] = O_RDONLY,
        [OPEN_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
        [OPEN_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
        [OPEN_CREATE] = O_WRONLY | O_CREAT | O_EXCL,
    };
    int32_t how;
    if (JS_ToInt32(context, &how, argv[1]))
        return JS_EXCEPTION;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    int fd = open(path, flags[how & 3], 0666);
    int error = errno;
    JS_FreeCString(context, path);
    return JS_NewInt32(context, fd < 0 ? -error : fd);
}

static JSValue files_close(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t fd;
    if (JS_ToInt32(context, &fd, argv[0]))
        return JS_EXCEPTION;
    return JS_NewInt32(context, close(fd) ? -errno : 0);
}

// stat(path): [kind, size, modified in milliseconds, inode]; the kind is 'file', 'directory' or 'other'.
static JSValue files_stat(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    struct stat status;
    int error = stat(path, &status) ? errno : 0;
    JS_FreeCString(context, path);
    if (error)
        return JS_NewInt32(context, -error);
    const char *kind = S_ISREG(status.st_mode) ? "file" : S_ISDIR(status.st_mode) ? "directory" : "other";
    JSValue fields[] = {
        JS_NewString(context, kind),
        JS_NewInt64(context, status.st_size),
        JS_NewFloat64(context, (double)status.st_mtim.tv_sec * 1e3 + (double)status.st_mtim.tv_nsec / 1e6),
        JS_NewInt64(context, (int64_t)status.st_ino),
    };
    return JS_NewArrayFrom(context, 4, fields);
}

// readdir(path): the names, in the host's order, which is sorted.
static JSValue files_readdir(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    const char *path = JS_ToCString(context, argv[0]);
    if (!path)
        return JS_EXCEPTION;
    DIR *folder = opendir(path);
    int error = errno;
    JS_FreeCString(context, path);
    if (!folder)
        return JS_NewInt32(context, -error);
    JSValue names = JS_NewArray(context);
    uint32_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            JS_SetPropertyUint32(context, names, count++, JS_NewString(context, entry->d_name));
    }
    closedir(folder);
    return names;
}

enum path_call { PATH_MKDIR, PATH_RMDIR, PATH_UNLINK, PATH_RENAME };

// mkdir(path), rmdir(path), unlink(path), rename(from, to)
static JSValue files_path(JSContext *context, JSValueConst this, int argc, JSValueConst *argv, int magic)
{
    (void)this, (void)argc;
    const char *path = JS_ToCString(context, argv[0]);
    const char *to = magic == PATH_RENAME ? JS_ToCString(context, argv[1]) : NULL;
    if (!path || (magic == PATH_RENAME && !to))
        return JS_EXCEPTION;
    int result = magic == PATH_MKDIR    ? mkdir(path, 0777)
                 : magic == PATH_RMDIR  ? rmdir(path)
                 : magic == PATH_UNLINK ? unlink(path)
                                        : rename(path, to);
    int error = result ? errno : 0;
    JS_FreeCString(context, path);
    JS_FreeCString(context, to);
    return JS_NewInt32(context, -error);
}

const JSCFunctionListEntry files_functions[] = {
    JS_CFUNC_DEF("open", 2, files_open),
    JS_CFUNC_DEF("read", 1, files_read),
    JS_CFUNC_DEF("close", 1, files_close),
    JS_CFUNC_DEF("stat", 1, files_stat),
    JS_CFUNC_DEF("readdir", 1, files_readdir),
    JS_CFUNC_MAGIC_DEF("mkdir", 1, files_path, PATH_MKDIR),
    JS_CFUNC_MAGIC_DEF("rmdir", 1, files_path, PATH_RMDIR),
    JS_CFUNC_MAGIC_DEF("unlink", 1, files_path, PATH_UNLINK),
    JS_CFUNC_MAGIC_DEF("rename", 2, files_path, PATH_RENAME),
};

const int files_count = (int)(sizeof files_functions / sizeof *files_functions);
