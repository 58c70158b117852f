// What a module is: built in, a file of the skill, or a package; ES module, CommonJS, JSON or TypeScript. resolve.mjs finds the
// file.
//
// What is `.js` or `.ts` and has no `type` in a package.json is CommonJS if it compiles as such and an ES module otherwise.

import { compileScript, importModule, requireModule } from 'runtime:compile';

import { builtins, refused } from './builtins.mjs';
import { argumentError, coded } from './errors.mjs';
import { path } from './path.mjs';
import { process } from './process.mjs';
import { BUILTIN, configure, isTypeScript, manifestOf, packageFolders, readText, resolveImport, resolveRequire, scopeOf } from './resolve.mjs';
import { stripTypes } from './typescript.mjs';
import { fileHref, fileURLToPath } from './url.mjs';

const { dirname, extname, join, resolve: absolute } = path;
const PACKAGE_ROOT = '/skill';

// The full name of a built-in module, or undefined; an error if Node has it and this runtime does not.
function builtinName(specifier) {
  const plain = specifier.startsWith(BUILTIN) ? specifier.slice(BUILTIN.length) : specifier;
  if (builtins.has(plain)) return BUILTIN + plain;
  if (!specifier.startsWith(BUILTIN) && !refused.has(plain)) return undefined;
  const why = refused.get(plain) ?? 'it is not part of this runtime';
  throw coded('ERR_UNKNOWN_BUILTIN_MODULE', `No such built-in module: ${BUILTIN}${plain} (${why})`);
}
configure({ builtin: (name) => builtins.has(name) });

// The file of a module's name, which may have a query.
const pathOf = (name) => (name.includes('?') || name.includes('#') ? name.replace(/[?#].*$/s, '') : name);

// For the engine: the name of what `specifier` means in the module `base`.
export function resolve(base, specifier, type) {
  if (base === '') return specifier;
  const name = builtinName(specifier) ?? resolveImport(specifier, pathOf(base));
  if (type !== 'json' && !name.startsWith(BUILTIN) && extname(pathOf(name)) === '.json') {
    throw coded('ERR_IMPORT_ATTRIBUTE_MISSING', `Module "${fileHref(name)}" needs an import attribute of "type: json"`, TypeError);
  }
  return name;
}

function parseJson(file) {
  try {
    return JSON.parse(readText(file));
  } catch (error) {
    throw error instanceof SyntaxError ? new SyntaxError(`${file}: ${error.message}`) : error;
  }
}

// What ES modules and what CommonJS modules write. A guess from the text, for files that nothing else says it of.
const ESM_SYNTAX = /^\s*(import\b\s*["'{*\w]|export\b\s*[{*\w])/m;
const COMMONJS_NAMES = /\b(__dirname|__filename|require\.main|module\.exports)\b|\brequire\s*\(/;

// How a file is to be run: { format: 'module' | 'commonjs', text, body }, the body being the compiled function if there is one.
// `required`: CommonJS takes a file with any extension.
function formatOf(file, required = false) {
  if (file.endsWith('.mjs')) return { format: 'module', text: readText(file) };
  const extension = extname(file);
  const declared = () => {
    const scope = scopeOf(file);
    return scope === null ? undefined : manifestOf(scope).type;
  };
  if (isTypeScript(file)) {
    const source = readText(file);
    const type = extension === '.mts' ? 'module' : extension === '.cts' ? 'commonjs' : declared();
    const mixes = type === undefined && ESM_SYNTAX.test(source) && COMMONJS_NAMES.test(source) && !/\bimport\.meta\b|^(?:const .*= )?await\b/m.test(source);
    if (type === 'commonjs' || mixes) return { format: 'commonjs', text: stripTypes(source, file, true) };
    return detect(file, stripTypes(source, file, false), type);
  }
  if (extension === '.cjs') return { format: 'commonjs', text: readText(file) };
  if (extension !== '.js' && extension !== '') {
    if (required) return { format: 'commonjs', text: readText(file) };
    throw coded('ERR_UNKNOWN_FILE_EXTENSION', `Unknown file extension "${extension}" for ${file}`, TypeError);
  }
  return detect(file, readText(file), declared());
}

function detect(file, text, type) {
  if (type === 'module') return { format: 'module', text };
  if (type === 'commonjs') return { format: 'commonjs', text };
  const body = tryCompile(text, file);
  return body ? { format: 'commonjs', text, body } : { format: 'module', text };
}

// What runMain found out of the script of the process, for the load that follows.
let mainKnown = null;

// For the engine: the text of an ES module, or `{ exports }` for anything else.
export function load(name, type) {
  if (name.startsWith(BUILTIN)) return asModule(builtins.get(name.slice(BUILTIN.length)));
  const file = pathOf(name);
  if (type === 'json') return { exports: { default: parseJson(file) } };
  const { format, text, body } = mainKnown ?? formatOf(file);
  mainKnown = null;
  return format === 'module' ? text : asModule(requireFile(file, null, { format, text, body }).exports);
}

// An object's properties as named exports beside the default one, which is the object itself.
function asModule(value) {
  const named = value !== null && (typeof value === 'object' || typeof value === 'function') ? { ...value } : {};
  return { exports: { ...named, default: value } };
}

export function describe(meta, name) {
  const file = pathOf(name);
  meta.dirname = dirname(file);
  meta.filename = file;
  meta.resolve = (specifier) => {
    const found = builtinName(specifier) ?? resolveImport(specifier, file);
    return found.startsWith(BUILTIN) ? found : fileHref(found);
  };
  meta.url = fileHref(file) + name.slice(file.length);
  meta.main = file === process.argv[1];
}

// CommonJS. The wrapper is on the script's first line, so that line numbers are the file's.
function compile(text, name) {
  const code = text.startsWith('#!') ? `//${text}` : text;
  return compileScript(`(function (exports, require, module, __filename, __dirname) {${code}\n})`, name);
}

function tryCompile(text, name) {
  try {
    return compile(text, name);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const cache = Object.create(null);
let mainModule;

export class Module {
  constructor(id, parent) {
    Object.assign(this, { id, path: dirname(id), exports: {}, filename: null, loaded: false, children: [], paths: packageFolders(id) });
    Object.defineProperty(this, 'parent', { value: parent ?? undefined, enumerable: false, writable: true, configurable: true });
    parent?.children.push(this);
  }

  require(specifier) { return requireFrom(specifier, this.filename, this); }
}

function requireFile(file, parent, known) {
  if (cache[file]) return cache[file];
  const module = new Module(file, parent);
  module.filename = file;
  if (known?.isMain) {
    module.id = '.';
    mainModule = module;
  }
  cache[file] = module;
  try {
    const extension = extname(file);
    if (extension === '.json') module.exports = parseJson(file);
    else if (extension === '.node') throw coded('ERR_DLOPEN_FAILED', `${file} is machine code: only JavaScript can be loaded here`);
    else run(module, known ?? formatOf(file, true));
  } catch (error) {
    delete cache[file];
    throw error;
  }
  module.loaded = true;
  return module;
}

function run(module, { format, text, body }) {
  const { filename } = module;
  if (format === 'module') {
    module.exports = asRequired(requireModule(filename));
    return;
  }
  const call = body ?? compile(text, filename);
  call.call(module.exports, module.exports, requireFor(module), module, filename, dirname(filename));
}

// An ES module as `require` answers it: with `__esModule` if it has a default export, so that compiled code finds that.
function asRequired(namespace) {
  if (!('default' in namespace) || '__esModule' in namespace) return namespace['module.exports'] ?? namespace;
  const view = { __proto__: null };
  Object.defineProperty(view, '__esModule', { value: true, enumerable: true });
  for (const name of Object.keys(namespace)) Object.defineProperty(view, name, { get: () => namespace[name], enumerable: true });
  return namespace['module.exports'] ?? view;
}

function requireFrom(specifier, base, parent) {
  if (typeof specifier !== 'string') throw argumentError('id', 'of type string', specifier);
  if (specifier === '') throw coded('ERR_INVALID_ARG_VALUE', "The argument 'id' must be a non-empty string. Received ''", TypeError);
  const builtin = builtinName(specifier);
  if (builtin) return builtins.get(builtin.slice(BUILTIN.length));
  const found = resolveRequire(specifier, base);
  return found.startsWith(BUILTIN) ? builtins.get(found.slice(BUILTIN.length)) : requireFile(found, parent).exports;
}

function requireFor(module) {
  const base = module.filename;
  const require = (specifier) => requireFrom(specifier, base, module);
  require.resolve = (specifier, { paths } = {}) => {
    if (builtins.has(specifier.replace(/^node:/, ''))) return specifier;
    for (const folder of paths ?? [dirname(base)]) {
      try {
        return resolveRequire(specifier, paths ? join(absolute(folder), 'x.js') : base);
      } catch (error) {
        if (folder === (paths ?? [dirname(base)]).at(-1)) throw error;
      }
    }
    return undefined;
  };
  require.resolve.paths = (specifier) => (builtins.has(specifier) ? null : packageFolders(base));
  require.main = mainModule;
  require.extensions = { '.js': () => {}, '.json': () => {}, '.node': () => {} };
  require.cache = cache;
  return require;
}

export function createRequire(from) {
  const isUrl = from instanceof URL || String(from).startsWith('file:');
  if (!isUrl && (typeof from !== 'string' || !from.startsWith('/'))) {
    throw coded('ERR_INVALID_ARG_VALUE', `The argument 'filename' must be a file URL object, file URL string, or absolute path string. Received '${String(from)}'`, TypeError);
  }
  const file = isUrl ? fileURLToPath(from) : from;
  const module = new Module(file.endsWith('/') ? join(file, 'noop.js') : file, null);
  module.filename = module.id;
  return requireFor(module);
}

export const isMainCommonJs = () => mainModule !== undefined;

// Runs the script of the process; a promise that is fulfilled when it has been evaluated.
export function runMain(file) {
  configure({ vendor: file.startsWith(`${PACKAGE_ROOT}/`) || file.startsWith('/workspace/') ? `${PACKAGE_ROOT}/vendor` : '/vendor' });
  const known = formatOf(file, true);
  if (known.format === 'module') {
    mainKnown = known;
    return importModule(file);
  }
  requireFile(file, null, { ...known, isMain: true });
  return Promise.resolve();
}

const names = [...builtins.keys()];
Object.assign(Module, {
  Module, createRequire, builtinModules: names, isBuiltin: (name) => builtins.has(name.replace(/^node:/, '')), _cache: cache, _extensions: {},
  _load: (specifier, parent) => requireFrom(specifier, parent?.filename ?? process.argv[1], parent),
  _resolveFilename: (specifier, parent) => builtinName(specifier) ?? resolveRequire(specifier, parent?.filename ?? process.argv[1]),
  _nodeModulePaths: (folder) => packageFolders(join(folder, 'x')),
  register: () => undefined, enableCompileCache: () => ({ status: 3 }), syncBuiltinESMExports: () => undefined, findSourceMap: () => undefined,
  findPackageJSON: (specifier, base) => { const scope = scopeOf(base === undefined ? absolute(specifier) : fileURLToPath(base)); return scope === null ? undefined : join(scope, 'package.json'); },
  stripTypeScriptTypes: (text) => stripTypes(text, 'input.ts', false),
  wrap: (text) => `(function (exports, require, module, __filename, __dirname) { ${text}\n});`,
});
builtins.set('module', Module);
process.getBuiltinModule = (name) => builtins.get(String(name).replace(/^node:/, ''));
Object.defineProperty(process, 'mainModule', { get: () => mainModule, configurable: true });

// Called when the snapshot is made, so that no run has to do this.
export function prepare() {
  for (const name of builtins.keys()) importModule(BUILTIN + name);
}
