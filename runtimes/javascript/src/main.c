// The runtime's two moments: `initialize`, once at build time, after which the memory is kept as a snapshot, and
// `_start`, in every instance of that snapshot.
//
// Nothing of the building machine gets into the snapshot: no WASI function can be called while it is made, but for the
// C library's question for folders, to which the build answers that there are none (snapshot-host.wat). Nothing of a run is left
// from another: the host starts each from the snapshot.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine.h"
#include "host.h"
#include "modules.h"
#include "quickjs.h"

// The C stack lies at the bottom of memory, from STACK_BYTES down to 0. Both are set by build.sh, which says why.
#ifndef STACK_RESERVE_BYTES
#error "build.sh defines STACK_RESERVE_BYTES"
#endif

// How much a script may allocate before cycles are collected for the first time: more than most do.
#define GC_FIRST_BYTES (8u << 20)

// What most scripts need.
#define FREE_BYTES (1u << 20)

// Enough for an error, its stack as text and the report of it.
#define MEMORY_RESERVE_BYTES (128u << 10)

static JSContext *context;
// What lib/main.mjs exports: `start`, `turn`, `rejection`, `failed` and the functions of modules.h.
static JSValue hooks;

static JSValue call_hook(const char *name, int argc, JSValueConst *argv)
{
    JSValue function = JS_GetPropertyStr(context, hooks, name);
    JSValue result = JS_Call(context, function, JS_UNDEFINED, argc, argv);
    JS_FreeValue(context, function);
    return result;
}

// The last resort: the pending exception as text, without help from JavaScript.
static _Noreturn void die(void)
{
    JSValue error = JS_GetException(context);
    const char *text = JS_ToCString(context, error);
    if (!text)
        text = "out of memory";
    host_write(STDERR_FILENO, "Uncaught ", 9);
    host_write(STDERR_FILENO, text, strlen(text));
    host_write(STDERR_FILENO, "\n", 1);
    JSValue stack = JS_IsObject(error) ? JS_GetPropertyStr(context, error, "stack") : JS_UNDEFINED;
    const char *frames = JS_IsString(stack) ? JS_ToCString(context, stack) : NULL;
    if (frames)
        host_write(STDERR_FILENO, frames, strlen(frames));
    host_exit(1);
}

// Reports the pending exception and exits with code 1, unless the script handles it.
static void uncaught(void)
{
    JSValue error = JS_GetException(context);
    JSValue result = call_hook("failed", 1, (JSValueConst *)&error);
    if (JS_IsException(result))
        die();
    JS_FreeValue(context, result);
    JS_FreeValue(context, error);
}

static void track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool handled, void *opaque)
{
    (void)opaque;
    JSValueConst arguments[] = { promise, reason, JS_NewBool(ctx, handled) };
    JSValue result = call_hook("rejection", 3, arguments);
    if (JS_IsException(result))
        JS_FreeValue(ctx, JS_GetException(ctx));
    JS_FreeValue(ctx, result);
}

// Runs jobs until none is left.
static void run_jobs(void)
{
    JSContext *failed;
    int state;
    while ((state = JS_ExecutePendingJob(JS_GetRuntime(context), &failed)) != 0) {
        if (state < 0)
            uncaught();
    }
}

static void seed(void)
{
    uint64_t value = 0;
    if (getentropy(&value, sizeof value))
        abort();
    engine_seed_random(context, value);
}

__attribute__((export_name("_start"))) void start(void)
{
    engine_freeze_clock(false);
    seed();
    JSValue begun = call_hook("start", 0, NULL);
    if (JS_IsException(begun))
        uncaught();
    JS_FreeValue(context, begun);
    for (;;) {
        run_jobs();
        // Handles rejections, then runs a timer, sleeping if it must; ends the process when nothing is left to do.
        JSValue turned = call_hook("turn", 0, NULL);
        if (JS_IsException(turned))
            uncaught();
        JS_FreeValue(context, turned);
    }
}

// Makes the free memory of the snapshot one piece at its end: the holes in it are given up, for the reason that engine_keep_all
// has, and the end is free memory, since to ask the host for some takes longer.
static void leave_one_piece_free(void)
{
    char *end = malloc(FREE_BYTES);
    for (size_t size = FREE_BYTES; size >= 16; size /= 2) {
        for (;;) {
            char *hole = malloc(size);
            // The compiler may not leave out what it thinks is not used.
            __asm__ volatile("" : : "r"(hole) : "memory");
            if (hole < end)
                continue;
            free(hole);
            break;
        }
    }
    free(end);
}

__attribute__((export_name("wizer-initialize"))) void initialize(void)
{
    JSRuntime *runtime = engine_new_runtime(MEMORY_RESERVE_BYTES);
    engine_set_stack_limit(runtime, STACK_RESERVE_BYTES);
    context = JS_NewContext(runtime);
    modules_install(context);
    host_module(context);
    modules_compile_module(context);
    JSValue loaded = JS_LoadModule(context, "runtime:", "./main.mjs");
    run_jobs();
    if (JS_PromiseState(context, loaded) != JS_PROMISE_FULFILLED) {
        // Shows where a host has standard error; the build's host ends here.
        JS_Throw(context, JS_PromiseResult(context, loaded));
        die();
    }
    hooks = JS_PromiseResult(context, loaded);
    JS_FreeValue(context, loaded);
    modules_use(context, hooks);
    // Makes the built-in modules, so that an import finds them made.
    JSValue prepared = call_hook("prepare", 0, NULL);
    if (JS_IsException(prepared))
        die();
    JS_FreeValue(context, prepared);
    run_jobs();
    JS_SetHostPromiseRejectionTracker(runtime, track_rejection, NULL);
    JS_RunGC(runtime);
    engine_keep_all(runtime);
    leave_one_piece_free();
    JS_SetGCThreshold(runtime, engine_used_bytes(runtime) + GC_FIRST_BYTES);
}
