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

// What the snapshot holds; see engine.h. Collections do not look into it, and so take its references for ones from outside.
static struct list_head kept;

// Gives up the free blocks between the used ones, and takes the arenas out of the engine's lists. What a run allocates then
// lies close together and not scattered over the snapshot, of which every page that is written to has to be copied.
static void close_arenas(JSRuntime *runtime)
{
    for (int size_index = 0; size_index < JS_ARENA_BLOCK_SIZE_COUNT; size_index++) {
        struct list_head *entry, *next_entry;
        list_for_each_safe(entry, next_entry, &runtime->arena_state.arena_list[size_index]) {
            JSArena *arena = list_entry(entry, JSArena, link);
            unsigned size = arena_block_sizes[arena->block_size_idx];
            for (unsigned next = arena->first_free_block; arena->n_used_blocks < arena->n_blocks; arena->n_used_blocks++) {
                JSMallocBlockHeader *block = arena_get_block(arena, next, size);
                memset(block->user_data, 0, size - sizeof *block);
                next = block->u.free_next;
            }
            arena->first_free_block = JS_ARENA_FREE_NIL;
            // Strings are in no other list. Blocks of other kinds have no use for the count.
            for (int at = 0; at < arena->n_blocks; at++)
                ((JSMallocBlockHeader *)arena_get_block(arena, at, size))->ref_count = JS_REF_KEPT;
            init_list_head(&arena->link);
        }
        init_list_head(&runtime->arena_state.arena_list[size_index]);
        init_list_head(&runtime->arena_state.free_arena_list[size_index]);
    }
}

// Ends the counting of references to all that exists.
static void stop_counting(JSRuntime *runtime)
{
    struct list_head *entry;
    list_for_each(entry, &runtime->gc_obj_list)
        JS_REF_COUNT(list_entry(entry, JSGCObjectHeader, link)) = JS_REF_KEPT;
    for (int atom = 0; atom < runtime->atom_size; atom++) {
        if (!atom_is_free(runtime->atom_array[atom]))
            JS_REF_COUNT(runtime->atom_array[atom]) = JS_REF_KEPT;
    }
}

void engine_keep_all(JSRuntime *runtime)
{
    close_arenas(runtime);
    stop_counting(runtime);
    init_list_head(&kept);
    if (list_empty(&runtime->gc_obj_list))
        return;
    struct list_head *first = runtime->gc_obj_list.next, *last = runtime->gc_obj_list.prev;
    kept.next = first;
    kept.prev = last;
    first->prev = &kept;
    last->next = &kept;
    init_list_head(&runtime->gc_obj_list);
}

size_t engine_used_bytes(JSRuntime *runtime)
{
    return runtime->malloc_state.malloc_size;
}

JSValue engine_require_module(JSContext *context, const char *name)
{
    JSModuleDef *module = js_host_resolve_imported_module(context, "", name, JS_UNDEFINED);
    if (!module)
        return JS_EXCEPTION;
    if (js_resolve_module(context, module) < 0) {
        js_free_modules(context, JS_FREE_MODULE_NOT_RESOLVED);
        return JS_EXCEPTION;
    }
    JSValue promise = JS_EvalFunction(context, JS_NewModuleValue(context, module));
    if (JS_IsException(promise))
        return JS_EXCEPTION;
    JSPromiseStateEnum state = JS_PromiseState(context, promise);
    JSValue result = state == JS_PROMISE_FULFILLED ? JS_GetModuleNamespace(context, module)
                     : state == JS_PROMISE_REJECTED
                         ? JS_Throw(context, JS_PromiseResult(context, promise))
                         : JS_ThrowTypeError(context, "require() of a module with a top-level await: use import() for %s", name);
    JS_FreeValue(context, promise);
    return result;
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

// While the snapshot is made, what is freed is cleared: the file holds every byte of memory that is not zero.
static void clearing_free(void *opaque, void *bytes)
{
    if (clock_frozen && bytes)
        memset(bytes, 0, js__malloc_usable_size(bytes));
    // The compiler knows that nobody reads what is freed.
    __asm__ volatile("" : : "r"(bytes) : "memory");
    js_def_free(opaque, bytes);
}

static void *reserving_realloc(void *opaque, void *bytes, size_t size)
{
    if (clock_frozen && bytes && size) {
        void *copy = malloc(size);
        size_t before = js__malloc_usable_size(bytes);
        if (copy)
            memcpy(copy, bytes, before < size ? before : size);
        clearing_free(opaque, bytes);
        return copy;
    }
    void *moved = js_def_realloc(opaque, bytes, size);
    return size ? or_give_up_reserve(moved) : moved;
}

JSRuntime *engine_new_runtime(size_t reserve_bytes)
{
    JSMallocFunctions functions = def_malloc_funcs;
    functions.js_calloc = reserving_calloc;
    functions.js_malloc = reserving_malloc;
    functions.js_realloc = reserving_realloc;
    functions.js_free = clearing_free;
    reserve = malloc(reserve_bytes);
    return JS_NewRuntime2(&functions, NULL);
}
