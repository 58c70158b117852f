// The first of two builds: compiles the runtime's own JavaScript and writes it to standard output as the engine keeps it. The
// second build embeds that, so that the snapshot has no trace of the compiler's work between what is used.

#include <unistd.h>

#include "embedded.h"
#include "engine.h"
#include "host.h"
#include "modules.h"
#include "quickjs.h"

#define RESERVE_BYTES (64u << 10)

__attribute__((export_name("precompile"))) void precompile(void)
{
    JSContext *context = JS_NewContext(engine_new_runtime(RESERVE_BYTES));
    modules_install(context);
    host_module(context);
    modules_compile_module(context);
    JSValue module = JS_Eval(context, embedded_main, embedded_main_bytes, "runtime:main.mjs", JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    size_t length = 0;
    uint8_t *bytes = JS_IsException(module) ? NULL : JS_WriteObject(context, &length, module, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_DEBUG);
    if (!bytes) {
        const char *message = JS_ToCString(context, JS_GetException(context));
        host_write(STDERR_FILENO, message, __builtin_strlen(message));
        __builtin_trap();
    }
    host_write(STDOUT_FILENO, bytes, length);
    host_flush();
}
