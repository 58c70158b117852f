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

// Takes everything that exists now out of what later collections of cycles visit: a snapshot is never garbage, and to visit
// it takes as long as a small script.
void engine_keep_all(JSRuntime *runtime);

// Bytes in use.
size_t engine_used_bytes(JSRuntime *runtime);

// Loads and evaluates the ES module `name` at once; its namespace. Throws what it throws, and a TypeError where it
// awaits something.
JSValue engine_require_module(JSContext *context, const char *name);
