// Where a module comes from: built in, a file of the package, or a vendored package; ES module, CommonJS or JSON.
//
// A module's name is its path without the leading slash. Node's rules are followed as far as a package without
// `node_modules` needs them: `vendor/<name>` in the package root stands for it. What is `.js` and has no `type` in a
// package.json is CommonJS if it compiles as such and an ES module otherwise.

import { compileScript } from 'runtime:compile';
import { decode, open, close, read, stat } from 'runtime:host';

import { builtins, refused } from './builtins.mjs';
import { coded } from './errors.mjs';
import { path } from './path.mjs';
import { fileHref, fileURLToPath } from './url.mjs';

const { dirname, extname, join, resolve: absolute } = path;
const BUILTIN = 'node:';
const EXTENSIONS = ['.js', '.mjs', '.cjs', '.json'];
const REQUIRE_EXTENSIONS = ['.js', '.json', '.cjs'];

const isKind = (file, kind) => {
  const answer = stat(`/${file}`);
  return typeof answer !== 'number' && answer[0] === kind;
};
const isFile = (file) => isKind(file, 'file');

function readText(file) {
  const fd = open(`/${file}`, 0);
  const bytes = fd < 0 ? fd : read(fd);
  if (fd >= 0) close(fd);
  if (typeof bytes === 'number') throw coded('ERR_MODULE_NOT_FOUND', `Cannot read module '${file}'`);
  const text = decode(bytes);
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function parseJson(file) {
  try {
    return JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof SyntaxError) error.message = `${file}: ${error.message}`;
    throw error;
  }
}

const manifests = new Map();
// The package.json in `folder`, or null.
function manifest(folder) {
  if (!manifests.has(folder)) {
    const file = join(folder, 'package.json');
    manifests.set(folder, isFile(file) ? parseJson(file) : null);
  }
  return manifests.get(folder);
}

// The `type` that the nearest package.json gives the files of `folder`.
function typeOf(folder) {
  for (let at = folder; ; at = dirname(at)) {
    const found = manifest(at);
    if (found) return found.type;
    if (at === '.' || at === '/') return undefined;
  }
}

function notFound(what, base, kind) {
  const from = base === '' ? '' : ` imported from ${base}`;
  const code = kind === 'require' ? 'MODULE_NOT_FOUND' : 'ERR_MODULE_NOT_FOUND';
  return coded(code, `Cannot find ${what}${from}`);
}

// The target of an entry in `exports` or `imports` under the conditions of `kind`, or null.
function target(entry, kind) {
  if (typeof entry === 'string') return entry;
  if (Array.isArray(entry)) return entry.map((item) => target(item, kind)).find(Boolean) ?? null;
  if (entry === null || typeof entry !== 'object') return null;
  for (const [condition, value] of Object.entries(entry)) {
    if (condition !== kind && condition !== 'default' && condition !== 'node' && condition !== 'module-sync') continue;
    const found = target(value, kind);
    if (found) return found;
  }
  return null;
}

// Looks `subpath` (`.` or `./x`) up in a map of exports, patterns included.
function lookUp(map, subpath, kind) {
  if (Object.hasOwn(map, subpath)) return target(map[subpath], kind);
  for (const [pattern, entry] of Object.entries(map)) {
    const [before, after] = pattern.split('*');
    if (after === undefined || !subpath.startsWith(before) || !subpath.endsWith(after)) continue;
    const middle = subpath.slice(before.length, subpath.length - after.length);
    return target(entry, kind)?.replaceAll('*', middle) ?? null;
  }
  return null;
}

function asFile(file, extensions) {
  if (isFile(file)) return file;
  const extended = extensions.map((extension) => file + extension).find(isFile);
  return extended ?? extensions.map((extension) => join(file, `index${extension}`)).find(isFile);
}

function resolvePackage(specifier, base, kind) {
  const [, name, rest] = /^((?:@[^/]+\/)?[^/]+)(\/.*)?$/.exec(specifier) ?? [];
  const folder = name && ['vendor', 'node_modules'].map((parent) => `${parent}/${name}`).find((path_) => isKind(path_, 'directory'));
  const single = name && !rest && EXTENSIONS.map((extension) => `vendor/${name}${extension}`).find(isFile);
  if (!folder && single) return single;
  if (!folder) throw notFound(`package '${name ?? specifier}'`, base, kind);
  const { exports, module: _, main } = manifest(folder) ?? {};
  if (exports !== undefined && exports !== null) {
    const isMap = typeof exports === 'object' && Object.keys(exports).some((key) => key.startsWith('.'));
    const found = lookUp(isMap ? exports : { '.': exports }, `.${rest ?? ''}`, kind);
    if (!found) throw coded('ERR_PACKAGE_PATH_NOT_EXPORTED', `Package '${name}' does not export '.${rest ?? ''}'`);
    return join(folder, found);
  }
  const wanted = join(folder, rest ?? main ?? 'index.js');
  const file = asFile(wanted, EXTENSIONS) ?? (rest ? undefined : asFile(join(folder, 'index'), EXTENSIONS));
  if (!file) throw notFound(`module '${wanted}'`, base, kind);
  return file;
}

function resolveAny(base, specifier, kind) {
  const plain = specifier.startsWith(BUILTIN) ? specifier.slice(BUILTIN.length) : specifier;
  if (builtins.has(plain)) return BUILTIN + plain;
  if (specifier.startsWith(BUILTIN) || refused.has(plain)) {
    const why = refused.get(plain) ?? 'it is not part of this runtime';
    throw coded('ERR_UNKNOWN_BUILTIN_MODULE', `No such built-in module: ${BUILTIN}${plain} (${why})`);
  }
  const isPath = /^(\.{0,2}\/|\.{1,2}$)/.test(specifier);
  if (!isPath && !specifier.startsWith('file:')) {
    if (/^[a-z][a-z0-9+.-]+:/i.test(specifier)) {
      throw coded('ERR_UNSUPPORTED_ESM_URL_SCHEME', `Cannot import '${specifier}': only files and packages of the skill can be imported`);
    }
    return resolvePackage(specifier, base, kind);
  }
  const file = (isPath ? absolute('/', dirname(base), specifier) : fileURLToPath(specifier)).slice(1);
  // An import names the file in full; `require` may leave out the extension.
  const found = kind === 'require' ? asFile(file, REQUIRE_EXTENSIONS) : isFile(file) ? file : undefined;
  if (!found) throw notFound(`module '${file}'`, base, kind);
  return found;
}

// For the engine: the name of what `specifier` means in the module `base`.
export function resolve(base, specifier, type) {
  const name = base === '' ? specifier : resolveAny(base, specifier, 'import');
  if (!name.startsWith(BUILTIN) && extname(name) === '.json' && type !== 'json') {
    throw coded('ERR_IMPORT_ATTRIBUTE_MISSING', `Module "${name}" needs an import attribute of "type: json"`, TypeError);
  }
  return name;
}

// For the engine: the text of an ES module, or `{ exports }` for anything else.
export function load(name, type) {
  if (name.startsWith(BUILTIN)) return asModule(builtins.get(name.slice(BUILTIN.length)));
  if (type === 'json') return { exports: { default: parseJson(name) } };
  const extension = extname(name);
  if (extension === '.mjs') return readText(name);
  if (extension !== '.cjs' && extension !== '.js' && extension !== '') {
    throw coded('ERR_UNKNOWN_FILE_EXTENSION', `Unknown file extension "${extension}" for ${name}`, TypeError);
  }
  if (extension === '.cjs') return asModule(requireFile(name).exports);
  const declared = typeOf(dirname(name));
  if (declared === 'module') return readText(name);
  if (declared === 'commonjs') return asModule(requireFile(name).exports);
  const text = readText(name);
  const body = tryCompile(text, name);
  return body ? asModule(requireFile(name, body).exports) : text;
}

// An object's properties as named exports beside the default one.
function asModule(value) {
  const named = value !== null && (typeof value === 'object' || typeof value === 'function') ? { ...value } : {};
  return { exports: { ...named, default: value?.__esModule && 'default' in value ? value.default : value } };
}

export function describe(meta, name) {
  meta.filename = `/${name}`;
  meta.dirname = dirname(meta.filename);
  meta.url = fileHref(meta.filename);
  meta.resolve = (specifier) => {
    const found = resolveAny(name, specifier, 'import');
    return found.startsWith(BUILTIN) ? found : fileHref(`/${found}`);
  };
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

function requireFile(name, body) {
  const filename = `/${name}`;
  if (cache[filename]) return cache[filename];
  const module = { exports: {}, id: filename, filename, loaded: false, children: [], paths: [] };
  cache[filename] = module;
  try {
    if (extname(name) === '.json') {
      module.exports = parseJson(name);
    } else {
      const require = createRequire(filename);
      module.require = require;
      const run = body ?? compile(readText(name), name);
      run.call(module.exports, module.exports, require, module, filename, dirname(filename));
    }
  } catch (error) {
    delete cache[filename];
    throw error;
  }
  module.loaded = true;
  return module;
}

export function createRequire(from) {
  const base = (from instanceof URL || String(from).startsWith('file:') ? fileURLToPath(from) : absolute(from)).slice(1);
  const find = (specifier) => resolveAny(base, specifier, 'require');
  const require = (specifier) => {
    const name = find(specifier);
    if (name.startsWith(BUILTIN)) return builtins.get(name.slice(BUILTIN.length));
    if (extname(name) === '.mjs' || (extname(name) === '.js' && typeOf(dirname(name)) === 'module')) {
      throw coded('ERR_REQUIRE_ESM', `require() of ES module ${name} from ${base} is not supported; use import()`);
    }
    return requireFile(name).exports;
  };
  require.resolve = (specifier) => {
    const name = find(specifier);
    return name.startsWith(BUILTIN) ? name : `/${name}`;
  };
  require.cache = cache;
  return require;
}

builtins.set('module', {
  createRequire,
  builtinModules: [...builtins.keys()],
  isBuiltin: (name) => builtins.has(name.replace(/^node:/, '')),
});
