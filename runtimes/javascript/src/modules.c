// Module loading.
//
// A module's name is its absolute path. The runtime's own modules are `runtime:<file>` and come from the binary. What
// `load` answers is either text, which is compiled as an ES module, or an object whose `exports` become the exports of
// a synthetic module (built-in modules, JSON and CommonJS).

#include "modules.h"

#include <string.h>

#include "cutils.h"
#include "embedded.h"
#include "engine.h"
#include "host.h"

static JSValue resolve_function = JS_UNDEFINED;
static JSValue load_function = JS_UNDEFINED;
static JSValue describe_function = JS_UNDEFINED;

static bool is_internal(const char *name)
{
    return strncmp(name, "runtime:", 8) == 0;
}

// Lets `lib/modules.mjs` fill the module's import.meta.
static int describe(JSContext *context, JSModuleDef *module, const char *name)
{
    JSValue arguments[] = { JS_GetImportMeta(context, module), JS_NewString(context, name) };
    JSValue result = JS_Call(context, describe_function, JS_UNDEFINED, 2, (JSValueConst *)arguments);
    JS_FreeValue(context, arguments[0]);
    JS_FreeValue(context, arguments[1]);
    JS_FreeValue(context, result);
    return JS_IsException(result) ? -1 : 0;
}

static JSModuleDef *compile(JSContext *context, const char *name, const char *text, size_t length)
{
    int flags = JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY;
    JSValue compiled = JS_Eval(context, text, length, name, flags);
    if (JS_IsException(compiled))
        return NULL;
    JSModuleDef *module = JS_VALUE_GET_PTR(compiled);
    // The engine's list of modules holds it.
    JS_FreeValue(context, compiled);
    return module;
}

// The one module that the runtime's own JavaScript is.
static JSModuleDef *load_internal(JSContext *context, const char *name)
{
    if (strcmp(name, "runtime:main.mjs") != 0) {
        JS_ThrowReferenceError(context, "no module %s in the runtime", name);
        return NULL;
    }
    JSValue read = JS_ReadObject(context, (uint8_t *)embedded_main, embedded_main_bytes, JS_READ_OBJ_BYTECODE);
    // The snapshot has what was read.
    memset(embedded_main, 0, embedded_main_bytes);
    if (JS_IsException(read))
        return NULL;
    JSModuleDef *module = JS_VALUE_GET_PTR(read);
    JS_FreeValue(context, read);
    return module;
}

// Gives a synthetic module its values when it is evaluated.
static int evaluate_synthetic(JSContext *context, JSModuleDef *module)
{
    JSValue exports = JS_GetModulePrivateValue(context, module);
    JSPropertyEnum *names;
    uint32_t count;
    int result = JS_GetOwnPropertyNames(context, &names, &count, exports, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY);
    for (uint32_t at = 0; result == 0 && at < count; at++) {
        const char *name = JS_AtomToCString(context, names[at].atom);
        JSValue value = JS_GetProperty(context, exports, names[at].atom);
        if (!name || JS_IsException(value) || JS_SetModuleExport(context, module, name, value))
            result = -1;
        JS_FreeCString(context, name);
    }
    JS_FreePropertyEnum(context, names, count);
    JS_FreeValue(context, exports);
    return result;
}

static JSModuleDef *make_synthetic(JSContext *context, const char *name, JSValue exports)
{
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(context, &names, &count, exports, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) {
        JS_FreeValue(context, exports);
        return NULL;
    }
    JSModuleDef *module = JS_NewCModule(context, name, evaluate_synthetic);
    for (uint32_t at = 0; module && at < count; at++) {
        const char *export = JS_AtomToCString(context, names[at].atom);
        if (export)
            JS_AddModuleExport(context, module, export);
        JS_FreeCString(context, export);
    }
    JS_FreePropertyEnum(context, names, count);
    if (module)
        JS_SetModulePrivateValue(context, module, exports);
    else
        JS_FreeValue(context, exports);
    return module;
}

// The `type` attribute of an import, or undefined.
static JSValue type_of(JSContext *context, JSValueConst attributes)
{
    return JS_IsObject(attributes) ? JS_GetPropertyStr(context, attributes, "type") : JS_UNDEFINED;
}

static char *normalize(JSContext *context, const char *base, const char *specifier, JSValueConst attributes, void *opaque)
{
    (void)opaque;
    if (is_internal(base) && strncmp(specifier, "./", 2) == 0) {
        size_t length = strlen(specifier + 2);
        char *name = js_malloc(context, 8 + length + 1);
        if (name) {
            memcpy(name, "runtime:", 8);
            memcpy(name + 8, specifier + 2, length + 1);
        }
        return name;
    }
    if (is_internal(base))
        return js_strdup(context, specifier);
    JSValue arguments[] = { JS_NewString(context, base), JS_NewString(context, specifier), type_of(context, attributes) };
    JSValue answer = JS_Call(context, resolve_function, JS_UNDEFINED, 3, arguments);
    for (int at = 0; at < 3; at++)
        JS_FreeValue(context, arguments[at]);
    const char *text = JS_IsException(answer) ? NULL : JS_ToCString(context, answer);
    JS_FreeValue(context, answer);
    char *name = text ? js_strdup(context, text) : NULL;
    JS_FreeCString(context, text);
    return name;
}

static JSModuleDef *load(JSContext *context, const char *name, void *opaque, JSValueConst attributes)
{
    STACK_SHARE(1024);
    (void)opaque;
    if (is_internal(name) && JS_IsUndefined(load_function))
        return load_internal(context, name);
    JSValue arguments[] = { JS_NewString(context, name), type_of(context, attributes) };
    JSValue answer = JS_Call(context, load_function, JS_UNDEFINED, 2, arguments);
    JS_FreeValue(context, arguments[0]);
    JS_FreeValue(context, arguments[1]);
    if (JS_IsException(answer))
        return NULL;
    JSModuleDef *module = NULL;
    if (JS_IsString(answer)) {
        size_t length;
        const char *text = JS_ToCStringLen(context, &length, answer);
        if (text)
            module = compile(context, name, text, length);
        JS_FreeCString(context, text);
        if (module && describe(context, module, name))
            module = NULL;
    } else {
        module = make_synthetic(context, name, JS_GetPropertyStr(context, answer, "exports"));
    }
    JS_FreeValue(context, answer);
    return module;
}

static int check_attributes(JSContext *context, void *opaque, JSValueConst attributes)
{
    (void)opaque;
    JSValue type = type_of(context, attributes);
    const char *text = JS_IsUndefined(type) ? NULL : JS_ToCString(context, type);
    int result = 0;
    if (text && strcmp(text, "json") != 0) {
        JS_ThrowTypeError(context, "import attribute type: '%s' is not supported; 'json' is", text);
        result = -1;
    }
    JS_FreeCString(context, text);
    JS_FreeValue(context, type);
    return result;
}

void modules_install(JSContext *context)
{
    JSRuntime *runtime = JS_GetRuntime(context);
    JS_SetModuleLoaderFunc2(runtime, NULL, load, check_attributes, NULL);
    JS_SetModuleNormalizeFunc2(runtime, normalize);
}

void modules_use(JSContext *context, JSValueConst hooks)
{
    resolve_function = JS_GetPropertyStr(context, hooks, "resolve");
    load_function = JS_GetPropertyStr(context, hooks, "load");
    describe_function = JS_GetPropertyStr(context, hooks, "describe");
}

// importModule(name): a promise of the module's namespace.
static JSValue import_module(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    const char *name = JS_ToCString(context, argv[0]);
    if (!name)
        return JS_EXCEPTION;
    JSValue promise = JS_LoadModule(context, "", name);
    JS_FreeCString(context, name);
    return promise;
}

// requireModule(name): the module's namespace, at once.
static JSValue require_module(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    const char *name = JS_ToCString(context, argv[0]);
    if (!name)
        return JS_EXCEPTION;
    JSValue namespace = engine_require_module(context, name);
    JS_FreeCString(context, name);
    return namespace;
}

// compileScript(text, name): the value of a script, evaluated in the global scope.
static JSValue compile_script(JSContext *context, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    size_t length;
    const char *text = JS_ToCStringLen(context, &length, argv[0]);
    const char *name = text ? JS_ToCString(context, argv[1]) : NULL;
    JSValue value = name ? JS_Eval(context, text, length, name, JS_EVAL_TYPE_GLOBAL) : JS_EXCEPTION;
    JS_FreeCString(context, text);
    JS_FreeCString(context, name);
    return value;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("importModule", 1, import_module),
    JS_CFUNC_DEF("requireModule", 1, require_module),
    JS_CFUNC_DEF("compileScript", 2, compile_script),
};

#define FUNCTION_COUNT (int)(sizeof functions / sizeof *functions)

static int export_functions(JSContext *context, JSModuleDef *module)
{
    return JS_SetModuleExportList(context, module, functions, FUNCTION_COUNT);
}

JSModuleDef *modules_compile_module(JSContext *context)
{
    JSModuleDef *module = JS_NewCModule(context, "runtime:compile", export_functions);
    if (module)
        JS_AddModuleExportList(context, module, functions, FUNCTION_COUNT);
    return module;
}
