// What the runtime needs from inside QuickJS beyond its public interface.
#pragma once

#include "quickjs.h"

// A runtime that keeps `reserve_bytes` back, so that a script that runs out of memory still gets an error that says so.
JSRuntime *engine_new_runtime(size_t reserve_bytes);

// Makes the engine's clock stand still at 0 (while the snapshot is made) or run.
void engine_freeze_clock(bool frozen);

// Seeds Math.random. The state in the snapshot is a constant; every run replaces it before a script runs.
void engine_seed_random(JSContext *context, uint64_t seed);

// Makes the engine throw a RangeError once the stack pointer is below `address`. The public JS_SetMaxStackSize does
// nothing under WASI.
void engine_set_stack_limit(JSRuntime *runtime, uintptr_t address);

// Keeps everything that exists now for ever: references to it are not counted, and later collections of cycles do not visit it.
// What a run writes to has to be copied, so it must not write a count into everything it uses; and to visit a snapshot takes
// as long as a small script.
void engine_keep_all(JSRuntime *runtime);

// Bytes in use.
size_t engine_used_bytes(JSRuntime *runtime);

// Loads and evaluates the ES module `name` at once; its namespace. Throws what it throws, and a TypeError where it
// awaits something.
JSValue engine_require_module(JSContext *context, const char *name);
