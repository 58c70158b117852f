// Digests, PBKDF2 and zlib for the runtime's own JavaScript; part of the module `runtime:host`.

#include "codecs.h"

#include <stdlib.h>
#include <string.h>

#include "zlib.h"

// hash.zig
extern size_t hash_state_bytes(void);
extern void hash_start(uint32_t which, void *state);
extern void hash_update(uint32_t which, void *state, const uint8_t *bytes, size_t length);
extern size_t hash_finish(uint32_t which, void *state, uint8_t *out);
extern bool hash_pbkdf2(uint32_t which, const uint8_t *password, size_t password_length, const uint8_t *salt, size_t salt_length,
                        uint32_t rounds, uint8_t *out, size_t out_length);

#define DIGEST_BYTES 64
#define STATE_BYTES 1024

// Arguments 0 and 1: which function, and a state that the caller holds as a Uint8Array.
static bool state_of(JSContext *context, JSValueConst *argv, uint32_t *which, uint8_t **state)
{
    size_t length;
    if (JS_ToUint32(context, which, argv[0]))
        return false;
    *state = JS_GetUint8Array(context, &length, argv[1]);
    if (*state && length != hash_state_bytes()) {
        JS_ThrowTypeError(context, "not a state of a hash function");
        return false;
    }
    return *state != NULL;
}

// hashStart(which): a state.
static JSValue codecs_hash_start(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    uint32_t which;
    if (JS_ToUint32(context, &which, argv[0]))
        return JS_EXCEPTION;
    _Alignas(16) uint8_t state[STATE_BYTES] = { 0 };
    hash_start(which, state);
    return JS_NewUint8ArrayCopy(context, state, hash_state_bytes());
}

// hashUpdate(which, state, bytes)
static JSValue codecs_hash_update(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    uint32_t which;
    uint8_t *kept;
    size_t length;
    if (!state_of(context, argv, &which, &kept))
        return JS_EXCEPTION;
    const uint8_t *bytes = JS_GetUint8Array(context, &length, argv[2]);
    if (!bytes && JS_HasException(context))
        return JS_EXCEPTION;
    _Alignas(16) uint8_t state[STATE_BYTES];
    memcpy(state, kept, hash_state_bytes());
    if (length > 0)
        hash_update(which, state, bytes, length);
    memcpy(kept, state, hash_state_bytes());
    return JS_UNDEFINED;
}

// hashFinish(which, state): the digest; the state stays as it was.
static JSValue codecs_hash_finish(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    uint32_t which;
    uint8_t *kept, digest[DIGEST_BYTES];
    if (!state_of(context, argv, &which, &kept))
        return JS_EXCEPTION;
    _Alignas(16) uint8_t state[STATE_BYTES];
    memcpy(state, kept, hash_state_bytes());
    return JS_NewUint8ArrayCopy(context, digest, hash_finish(which, state, digest));
}

static void *realloc_bytes(JSRuntime *runtime, void *opaque, void *bytes, size_t size)
{
    (void)runtime, (void)opaque;
    if (size)
        return realloc(bytes, size);
    free(bytes);
    return NULL;
}

// pbkdf2(which, password, salt, rounds, length): a Uint8Array, or false.
static JSValue codecs_pbkdf2(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    uint32_t which, rounds, length;
    size_t password_length, salt_length;
    const uint8_t *password = JS_GetUint8Array(context, &password_length, argv[1]);
    const uint8_t *salt = JS_GetUint8Array(context, &salt_length, argv[2]);
    if (JS_HasException(context) || JS_ToUint32(context, &which, argv[0]) || JS_ToUint32(context, &rounds, argv[3])
        || JS_ToUint32(context, &length, argv[4]))
        return JS_EXCEPTION;
    uint8_t *out = malloc(length + 1), empty = 0;
    if (!out)
        return JS_ThrowOutOfMemory(context);
    if (hash_pbkdf2(which, password ? password : &empty, password_length, salt ? salt : &empty, salt_length, rounds, out, length))
        return JS_NewUint8Array(context, out, length, realloc_bytes, NULL, false);
    free(out);
    return JS_FALSE;
}

struct output {
    uint8_t *bytes;
    size_t length, capacity;
};

// Room for more output; false if memory runs out.
static bool grow(struct output *output, z_stream *stream)
{
    output->length = output->bytes ? (size_t)(stream->next_out - output->bytes) : 0;
    size_t capacity = output->capacity ? output->capacity * 2 : 16u << 10;
    uint8_t *bytes = realloc(output->bytes, capacity);
    if (!bytes)
        return false;
    output->bytes = bytes;
    output->capacity = capacity;
    stream->next_out = bytes + output->length;
    stream->avail_out = (uInt)(capacity - output->length);
    return true;
}

static JSValue finished(JSContext *context, struct output *output, const z_stream *stream, int result)
{
    if (result == Z_STREAM_END || result == Z_OK)
        return JS_NewUint8Array(context, output->bytes, (size_t)(stream->next_out - output->bytes), realloc_bytes, NULL, false);
    free(output->bytes);
    if (result == Z_MEM_ERROR)
        return JS_ThrowOutOfMemory(context);
    JSValue parts[] = { JS_NewInt32(context, result), JS_NewString(context, stream->msg ? stream->msg : "") };
    return JS_NewArrayFrom(context, 2, parts);
}

// deflate(bytes, window bits, level, memory level, strategy, dictionary): a Uint8Array, or [zlib's error, message].
static JSValue codecs_deflate(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t settings[4];
    for (int at = 0; at < 4; at++) {
        if (JS_ToInt32(context, &settings[at], argv[at + 1]))
            return JS_EXCEPTION;
    }
    size_t length, dictionary_length = 0;
    uint8_t *bytes = JS_GetUint8Array(context, &length, argv[0]);
    uint8_t *dictionary = JS_IsObject(argv[5]) ? JS_GetUint8Array(context, &dictionary_length, argv[5]) : NULL;
    if (JS_HasException(context))
        return JS_EXCEPTION;
    z_stream stream = { .next_in = bytes, .avail_in = (uInt)length };
    struct output output = { 0 };
    int result = deflateInit2(&stream, settings[1], Z_DEFLATED, settings[0], settings[2], settings[3]);
    if (result == Z_OK && dictionary)
        result = deflateSetDictionary(&stream, dictionary, (uInt)dictionary_length);
    while (result == Z_OK)
        result = stream.avail_out == 0 && !grow(&output, &stream) ? Z_MEM_ERROR : deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    return finished(context, &output, &stream, result);
}

// inflate(bytes, window bits, dictionary, limit, may end early): a Uint8Array, or [zlib's error, message].
static JSValue codecs_inflate(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    int32_t window_bits;
    double limit;
    size_t length, dictionary_length = 0;
    if (JS_ToInt32(context, &window_bits, argv[1]) || JS_ToFloat64(context, &limit, argv[3]))
        return JS_EXCEPTION;
    uint8_t *bytes = JS_GetUint8Array(context, &length, argv[0]);
    uint8_t *dictionary = JS_IsObject(argv[2]) ? JS_GetUint8Array(context, &dictionary_length, argv[2]) : NULL;
    if (JS_HasException(context))
        return JS_EXCEPTION;
    z_stream stream = { .next_in = bytes, .avail_in = (uInt)length };
    struct output output = { 0 };
    int result = inflateInit2(&stream, window_bits);
    if (result == Z_OK && dictionary && window_bits < 0)
        result = inflateSetDictionary(&stream, dictionary, (uInt)dictionary_length);
    while (result == Z_OK) {
        if (stream.avail_out == 0 && !grow(&output, &stream)) {
            result = Z_MEM_ERROR;
            break;
        }
        result = inflate(&stream, Z_NO_FLUSH);
        if (result == Z_NEED_DICT && dictionary)
            result = inflateSetDictionary(&stream, dictionary, (uInt)dictionary_length);
        // A gzip file may consist of several, and end with bytes that mean nothing.
        bool another = result == Z_STREAM_END && window_bits > 15 && stream.avail_in > 1 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b;
        if (another)
            result = inflateReset(&stream);
        if (result == Z_OK && (double)(stream.next_out - output.bytes) > limit)
            result = Z_VERSION_ERROR;
    }
    if (result == Z_BUF_ERROR && stream.avail_in == 0 && JS_ToBool(context, argv[4]))
        result = Z_OK;
    inflateEnd(&stream);
    return finished(context, &output, &stream, result);
}

// crc32(bytes, start)
static JSValue codecs_crc32(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    uint32_t start;
    size_t length;
    if (JS_ToUint32(context, &start, argv[1]))
        return JS_EXCEPTION;
    const uint8_t *bytes = JS_GetUint8Array(context, &length, argv[0]);
    if (!bytes && JS_HasException(context))
        return JS_EXCEPTION;
    return JS_NewUint32(context, bytes ? (uint32_t)crc32(start, bytes, (uInt)length) : start);
}

const JSCFunctionListEntry codecs_functions[] = {
    JS_CFUNC_DEF("hashStart", 1, codecs_hash_start),
    JS_CFUNC_DEF("hashUpdate", 3, codecs_hash_update),
    JS_CFUNC_DEF("hashFinish", 2, codecs_hash_finish),
    JS_CFUNC_DEF("pbkdf2", 5, codecs_pbkdf2),
    JS_CFUNC_DEF("deflate", 6, codecs_deflate),
    JS_CFUNC_DEF("inflate", 5, codecs_inflate),
    JS_CFUNC_DEF("crc32", 2, codecs_crc32),
};

const int codecs_count = (int)(sizeof codecs_functions / sizeof *codecs_functions);
