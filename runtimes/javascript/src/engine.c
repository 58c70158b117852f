// QuickJS itself, compiled as one unit with access to the few fields that have no public setter. The engine's source
// is not changed.

#include "cutils.h"
#include "engine.h"

static bool clock_frozen = true;

void engine_freeze_clock(bool frozen)
{
    clock_frozen = frozen;
}

static int64_t engine_gettimeofday_us(void)
{
    return clock_frozen ? 0 : js__gettimeofday_us();
}

static uint64_t engine_hrtime_ns(void)
{
    return clock_frozen ? 0 : js__hrtime_ns();
}

// A context takes its hash seed from the clock: the snapshot would differ with every build.
#define js__gettimeofday_us engine_gettimeofday_us
#define js__hrtime_ns engine_hrtime_ns
#include "quickjs.c"

void engine_seed_random(JSContext *context, uint64_t seed)
{
    context->random_state = seed ? seed : 1;
}

void engine_set_stack_limit(JSRuntime *runtime, uintptr_t address)
{
    runtime->stack_limit = address;
}

// Memory kept back for the error that says that there is none left; given up when an allocation first fails.
static void *reserve;

static void *or_give_up_reserve(void *allocated)
{
    if (!allocated) {
        free(reserve);
        reserve = NULL;
    }
    return allocated;
}

static void *reserving_calloc(void *opaque, size_t count, size_t size)
{
    return or_give_up_reserve(js_def_calloc(opaque, count, size));
}

static void *reserving_malloc(void *opaque, size_t size)
{
    return or_give_up_reserve(js_def_malloc(opaque, size));
}

static void *reserving_realloc(void *opaque, void *bytes, size_t size)
{
    void *moved = js_def_realloc(opaque, bytes, size);
    return size ? or_give_up_reserve(moved) : moved;
}

JSRuntime *engine_new_runtime(size_t reserve_bytes)
{
    JSMallocFunctions functions = def_malloc_funcs;
    functions.js_calloc = reserving_calloc;
    functions.js_malloc = reserving_malloc;
    functions.js_realloc = reserving_realloc;
    reserve = malloc(reserve_bytes);
    return JS_NewRuntime2(&functions, NULL);
}
