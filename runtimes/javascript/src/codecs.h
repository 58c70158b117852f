// Digests and compression for the runtime's own JavaScript; part of the module `runtime:host`.
#pragma once

#include "quickjs.h"

// The functions of the module, `codecs_count` of them.
extern const JSCFunctionListEntry codecs_functions[];
extern const int codecs_count;
