// WASI for the runtime's own JavaScript: streams, command line, clock, randomness, text, exit; files are in files.c, digests and
// compression in codecs.c.
//
// A call that fails returns the negative errno value and never throws for it; `lib/errors.mjs` makes the error that a
// script sees. Standard output is buffered here and flushed at the end, standard error is not: it must be there when a
// guest is stopped from outside.

#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>
#include <wasi/libc-environ.h>

#include "codecs.h"
#include "cutils.h"
#include "files.h"

#define STDOUT_BUFFER_BYTES (16u << 10)

static char stdout_buffer[STDOUT_BUFFER_BYTES];
static size_t stdout_length;

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0)
            return errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static int flush_stdout(void)
{
    size_t length = stdout_length;
    stdout_length = 0;
    return write_all(STDOUT_FILENO, stdout_buffer, length);
}

int host_write(int fd, const void *bytes, size_t length)
{
    if (fd != STDOUT_FILENO)
        return write_all(fd, bytes, length);
    if (length > STDOUT_BUFFER_BYTES - stdout_length) {
        int error = flush_stdout();
        if (error)
            return error;
    }
    if (length > STDOUT_BUFFER_BYTES)
        return write_all(fd, bytes, length);
    memcpy(stdout_buffer + stdout_length, bytes, length);
    stdout_length += length;
    return 0;
}

void host_flush(void)
{
    flush_stdout();
}

_Noreturn void host_exit(int code)
{
    flush_stdout();
    _Exit(code);
}

// The bytes of a Uint8Array or of a string as UTF-8. `*text` must be freed with JS_FreeCString if it is not NULL.
static const uint8_t *bytes_of(JSContext *context, JSValueConst value, size_t *length, const char **text)
{
    *text = NULL;
    if (!JS_IsString(value))
        return JS_GetUint8Array(context, length, value);
    *text = JS_ToCStringLen(context, length, value);
    return (const uint8_t *)*text;
}

// write(fd, text or bytes)
static JSValue host_write_value(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t fd;
    if (JS_ToInt32(context, &fd, argv[0]))
        return JS_EXCEPTION;
    size_t length;
    const char *text;
    const uint8_t *bytes = bytes_of(context, argv[1], &length, &text);
    if (!bytes && JS_HasException(context))
        return JS_EXCEPTION;
    int error = host_write(fd, bytes, length);
    JS_FreeCString(context, text);
    return JS_NewInt32(context, -error);
}

static double milliseconds(struct timespec time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

// environment(): ['NAME=value', …]
static JSValue host_environment(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc, (void)argv;
    JSValue entries = JS_NewArray(context);
    uint32_t count = 0;
    for (char **entry = __wasilibc_get_environ(); entry && *entry; entry++)
        JS_SetPropertyUint32(context, entries, count++, JS_NewString(context, *entry));
    return entries;
}

// arguments_(): the command line. A module without a `main` has to ask for it.
static JSValue host_arguments(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc, (void)argv;
    __wasi_size_t count = 0, size = 0;
    if (__wasi_args_sizes_get(&count, &size))
        return JS_NewArray(context);
    uint8_t **pointers = malloc((count + 1) * sizeof *pointers);
    uint8_t *bytes = malloc(size + 1);
    if (!pointers || !bytes || __wasi_args_get(pointers, bytes))
        return JS_ThrowOutOfMemory(context);
    JSValue list = JS_NewArray(context);
    for (uint32_t at = 0; at < count; at++)
        JS_SetPropertyUint32(context, list, at, JS_NewString(context, (const char *)pointers[at]));
    free(pointers);
    free(bytes);
    return list;
}

// now(): monotonic milliseconds.
static JSValue host_now(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc, (void)argv;
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return JS_NewFloat64(context, milliseconds(time));
}

// sleep(milliseconds)
static JSValue host_sleep(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    double duration;
    if (JS_ToFloat64(context, &duration, argv[0]))
        return JS_EXCEPTION;
    if (duration > 0) {
        double seconds = duration / 1e3;
        struct timespec time = { .tv_sec = (time_t)seconds };
        time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
        nanosleep(&time, NULL);
    }
    return JS_UNDEFINED;
}

// random(bytes): fills a Uint8Array.
static JSValue host_random(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    size_t length;
    uint8_t *bytes = JS_GetUint8Array(context, &length, argv[0]);
    if (!bytes)
        return JS_EXCEPTION;
    for (size_t done = 0; done < length;) {
        size_t step = length - done < 256 ? length - done : 256;
        if (getentropy(bytes + done, step))
            return JS_NewInt32(context, -errno);
        done += step;
    }
    return JS_UNDEFINED;
}

// How many bytes at `bytes` are one character of UTF-8. Where they are none, 0, and `*bad` is how many of them the Encoding
// Standard replaces by one U+FFFD: the longest piece that begins a character, or one byte.
static size_t character_length(const uint8_t *bytes, size_t left, size_t *bad)
{
    uint8_t first = bytes[0];
    *bad = 1;
    if (first < 0x80)
        return 1;
    size_t length = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    for (size_t at = 1; at < length; at++, low = 0x80, high = 0xbf) {
        if (at >= left || bytes[at] < low || bytes[at] > high) {
            *bad = at;
            return 0;
        }
    }
    return length;
}

// Where the first thing that is no UTF-8 begins; `length` if everything is.
static size_t valid_length(const uint8_t *bytes, size_t length)
{
    size_t at = 0, bad;
    while (at < length) {
        uint64_t eight;
        if (at + 8 <= length && (memcpy(&eight, bytes + at, 8), (eight & 0x8080808080808080u) == 0)) {
            at += 8;
            continue;
        }
        size_t step = character_length(bytes + at, length - at, &bad);
        if (step == 0)
            break;
        at += step;
    }
    return at;
}

// decode(bytes): UTF-8 to text; what is not UTF-8 becomes U+FFFD, as the Encoding Standard says.
static JSValue host_decode(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    size_t length;
    uint8_t *bytes = JS_GetUint8Array(context, &length, argv[0]);
    if (!bytes)
        return JS_HasException(context) ? JS_EXCEPTION : JS_NewString(context, "");
    size_t valid = valid_length(bytes, length);
    if (valid == length)
        return JS_NewStringLen(context, (const char *)bytes, length);
    DynBuf repaired;
    dbuf_init(&repaired);
    for (size_t at = 0; at < length;) {
        size_t bad, step = valid_length(bytes + at, length - at);
        dbuf_put(&repaired, bytes + at, step);
        at += step;
        if (at == length)
            break;
        character_length(bytes + at, length - at, &bad);
        dbuf_putstr(&repaired, "\xef\xbf\xbd");
        at += bad;
    }
    JSValue text = dbuf_error(&repaired) ? JS_ThrowOutOfMemory(context) : JS_NewStringLen(context, (char *)repaired.buf, repaired.size);
    dbuf_free(&repaired);
    return text;
}

// encode(text): a Uint8Array of UTF-8. The text must be well formed.
static JSValue host_encode(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    size_t length;
    const char *text = JS_ToCStringLen(context, &length, argv[0]);
    if (!text)
        return JS_EXCEPTION;
    JSValue bytes = JS_NewUint8ArrayCopy(context, (const uint8_t *)text, length);
    JS_FreeCString(context, text);
    return bytes;
}

static JSValue host_exit_value(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t code = 1;
    JS_ToInt32(context, &code, argv[0]);
    host_exit(code);
}

// promiseParts(promise): [state, value or reason], the state being 0 while it is pending, 1 or 2 when it is not.
static JSValue host_promise_parts(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    JSPromiseStateEnum state = JS_PromiseState(context, argv[0]);
    JSValue parts[] = { JS_NewInt32(context, state), state > 0 ? JS_PromiseResult(context, argv[0]) : JS_UNDEFINED };
    return JS_NewArrayFrom(context, 2, parts);
}

// errorNumbers: { ENOENT: 44, … }, of the errors that have a name in lib/errors.mjs.
#define ERROR_NUMBER(name) JS_PROP_INT32_DEF(#name, name, JS_PROP_ENUMERABLE)
static const JSCFunctionListEntry error_numbers[] = {
    ERROR_NUMBER(E2BIG), ERROR_NUMBER(EACCES), ERROR_NUMBER(EAGAIN), ERROR_NUMBER(EBADF), ERROR_NUMBER(EBUSY),
    ERROR_NUMBER(EDQUOT), ERROR_NUMBER(EEXIST), ERROR_NUMBER(EFAULT), ERROR_NUMBER(EFBIG), ERROR_NUMBER(EILSEQ),
    ERROR_NUMBER(EINTR), ERROR_NUMBER(EINVAL), ERROR_NUMBER(EIO), ERROR_NUMBER(EISDIR), ERROR_NUMBER(ELOOP),
    ERROR_NUMBER(EMFILE), ERROR_NUMBER(EMLINK), ERROR_NUMBER(ENAMETOOLONG), ERROR_NUMBER(ENFILE),
    ERROR_NUMBER(ENODEV), ERROR_NUMBER(ENOENT), ERROR_NUMBER(ENOMEM), ERROR_NUMBER(ENOSPC), ERROR_NUMBER(ENOSYS),
    ERROR_NUMBER(ENOTCAPABLE), ERROR_NUMBER(ENOTDIR), ERROR_NUMBER(ENOTEMPTY), ERROR_NUMBER(ENOTSUP),
    ERROR_NUMBER(ENXIO), ERROR_NUMBER(EOVERFLOW), ERROR_NUMBER(EPERM), ERROR_NUMBER(EPIPE), ERROR_NUMBER(ERANGE),
    ERROR_NUMBER(EROFS), ERROR_NUMBER(ESPIPE), ERROR_NUMBER(ETXTBSY), ERROR_NUMBER(EXDEV),
};

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("write", 2, host_write_value),
    JS_CFUNC_DEF("arguments_", 0, host_arguments),
    JS_CFUNC_DEF("environment", 0, host_environment),
    JS_CFUNC_DEF("now", 0, host_now),
    JS_CFUNC_DEF("sleep", 1, host_sleep),
    JS_CFUNC_DEF("random", 1, host_random),
    JS_CFUNC_DEF("decode", 1, host_decode),
    JS_CFUNC_DEF("encode", 1, host_encode),
    JS_CFUNC_DEF("exit", 1, host_exit_value),
    JS_CFUNC_DEF("promiseParts", 1, host_promise_parts),
    JS_OBJECT_DEF("errorNumbers", error_numbers, sizeof error_numbers / sizeof *error_numbers, 0),
};

#define FUNCTION_COUNT (int)(sizeof functions / sizeof *functions)

static int export_functions(JSContext *context, JSModuleDef *module)
{
    return JS_SetModuleExportList(context, module, functions, FUNCTION_COUNT)
           || JS_SetModuleExportList(context, module, files_functions, files_count)
           || JS_SetModuleExportList(context, module, codecs_functions, codecs_count);
}

JSModuleDef *host_module(JSContext *context)
{
    JSModuleDef *module = JS_NewCModule(context, "runtime:host", export_functions);
    if (module) {
        JS_AddModuleExportList(context, module, functions, FUNCTION_COUNT);
        JS_AddModuleExportList(context, module, files_functions, files_count);
        JS_AddModuleExportList(context, module, codecs_functions, codecs_count);
    }
    return module;
}
