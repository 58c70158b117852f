// Module loading: the engine asks, `lib/modules.mjs` decides, this file carries out.
#pragma once

#include "quickjs.h"

// Installs the loader. Until `modules_use` is called only the runtime's own modules (`runtime:…`) can be imported.
void modules_install(JSContext *context);

// Hands over to the functions `resolve(base, specifier, type)`, `load(name, type)` and `describe(meta, name)` of `hooks`.
void modules_use(JSContext *context, JSValueConst hooks);

// Registers `runtime:compile`, which gives the runtime's JavaScript `importModule(name)`,
// `requireModule(name)` and `compileScript(text, name)`.
JSModuleDef *modules_compile_module(JSContext *context);
