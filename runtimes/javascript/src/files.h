// Files and folders for the runtime's own JavaScript; part of the module `runtime:host`.
#pragma once

#include "quickjs.h"

// The functions of the module, `files_count` of them.
extern const JSCFunctionListEntry files_functions[];
extern const int files_count;
