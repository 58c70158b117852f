// The functions that the runtime's own JavaScript calls to reach WASI, as the module `runtime:host`.
#pragma once

#include "quickjs.h"

// Registers the module. NULL with an exception pending when memory runs out.
JSModuleDef *host_module(JSContext *context);

// Writes all bytes to a descriptor; an errno value, 0 if none.
int host_write(int fd, const void *bytes, size_t length);

// Writes what standard output still holds back.
void host_flush(void);

// Flushes standard output and ends the process.
_Noreturn void host_exit(int code);
