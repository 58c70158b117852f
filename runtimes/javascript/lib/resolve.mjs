// From a specifier to a file: the resolution algorithms of Node's documentation (ESM, "Resolution Algorithm Specification";
// CommonJS, "All together").
//
// Beside `node_modules`, a package is found in the folder `vendor` of the skill, which is looked at last: `vendor/<name>` or
// `vendor/<name>.js`. What a TypeScript file imports may leave out the extension, and `.js` may mean `.ts`. Symbolic links are not
// resolved: a module is where it is named.

import { decode, open, close, read, stat } from 'runtime:host';

import { coded } from './errors.mjs';
import { path } from './path.mjs';
import { fileURLToPath } from './url.mjs';

const { basename, dirname, extname, join, resolve: absolute } = path;
export const BUILTIN = 'node:';
const REQUIRE_EXTENSIONS = ['.js', '.json', '.node'];
const TYPESCRIPT_EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts'];
const WRITTEN_FOR = { '.js': ['.ts', '.tsx'], '.jsx': ['.tsx'], '.mjs': ['.mts'], '.cjs': ['.cts'] };
const CONDITIONS = { import: new Set(['node', 'import', 'module-sync', 'node-addons']), require: new Set(['node', 'require', 'module-sync', 'node-addons']) };

let vendorFolder = null;
let isBuiltin = () => false;
// What the run decides: where vendored packages lie, and which modules are built in.
export function configure({ vendor, builtin }) {
  if (vendor !== undefined) vendorFolder = vendor;
  if (builtin !== undefined) isBuiltin = builtin;
}

const kindOf = (file) => {
  const answer = stat(file, true);
  return typeof answer === 'number' ? null : answer[0];
};
export const isFile = (file) => kindOf(file) === 'file';
const isFolder = (file) => kindOf(file) === 'directory';
export const isTypeScript = (file) => TYPESCRIPT_EXTENSIONS.includes(extname(file));

export function readText(file) {
  const fd = open(file, 0);
  const bytes = fd < 0 ? fd : read(fd);
  if (fd >= 0) close(fd);
  if (typeof bytes === 'number') throw coded('ERR_MODULE_NOT_FOUND', `Cannot find module '${file}'`);
  const text = decode(bytes);
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

// The package.json of a folder, or null.
const manifests = new Map();
export function manifestOf(folder) {
  if (!manifests.has(folder)) {
    const file = join(folder, 'package.json');
    manifests.set(folder, isFile(file) ? parseManifest(file) : null);
  }
  return manifests.get(folder);
}

function parseManifest(file) {
  let value;
  try {
    value = JSON.parse(readText(file));
  } catch (error) {
    throw Object.assign(coded('ERR_INVALID_PACKAGE_CONFIG', `Invalid package config ${file}. ${error.message}`), { cause: error });
  }
  return value !== null && typeof value === 'object' ? value : {};
}

// The innermost folder around `file` that has a package.json, or null.
export function scopeOf(file) {
  for (let at = dirname(file); basename(at) !== 'node_modules'; at = dirname(at)) {
    if (manifestOf(at)) return at;
    if (at === '/') return null;
  }
  return null;
}

// Errors, with Node's codes and words.

const importedFrom = (base) => (base ? ` imported from ${base}` : '');
const inManifest = (folder) => join(folder, 'package.json');

function notFound(what, specifier, base, kind) {
  if (kind !== 'require') return coded('ERR_MODULE_NOT_FOUND', `Cannot find ${what}${importedFrom(base)}`);
  const error = new Error(`Cannot find module '${specifier}'\nRequire stack:\n- ${base}`);
  return Object.assign(error, { code: 'MODULE_NOT_FOUND', requireStack: [base] });
}

const invalidSpecifier = (specifier, reason, base) => coded('ERR_INVALID_MODULE_SPECIFIER', `Invalid module "${specifier}" ${reason}${importedFrom(base)}`, TypeError);

function invalidTarget(folder, key, target, internal, base) {
  const shown = JSON.stringify(target);
  const kind = internal ? 'imports' : 'exports';
  const hint = !internal && typeof target === 'string' && target.length > 0 && !target.startsWith('./') ? '; targets must start with "./"' : '';
  const where = key === '.' ? `"${kind}" main target ${shown} defined` : `"${kind}" target ${shown} defined for '${key}'`;
  return coded('ERR_INVALID_PACKAGE_TARGET', `Invalid ${where} in the package config ${inManifest(folder)}${importedFrom(base)}${hint}`);
}

function notExported(folder, subpath, base, kind) {
  const what = subpath === '.' ? `No "exports" main defined in ${inManifest(folder)}` : `Package subpath '${subpath}' is not defined by "exports" in ${inManifest(folder)}`;
  return coded('ERR_PACKAGE_PATH_NOT_EXPORTED', what + (kind === 'require' ? '' : importedFrom(base)));
}

// Targets of `exports` and `imports`.

// Whether a piece of a path is one that would lead elsewhere.
const leadsAstray = (path_) => path_.split(/[/\\]/).some((segment) => ['.', '..', 'node_modules'].includes(segment.replace(/%2e/gi, '.').toLowerCase())
  || /^(n|%6e|%4e)(o|%6f|%4f)(d|%64|%44)(e|%65|%45)(_|%5f)(m|%6d|%4d)(o|%6f|%4f)(d|%64|%44)(u|%75|%55)(l|%6c|%4c)(e|%65|%45)(s|%73|%53)$/i.test(segment));
const isUrl = (text) => /^[a-z][a-z0-9+.-]*:/i.test(text);

function targetText(target, { folder, key, match, isPattern, internal, base, kind }) {
  if (!target.startsWith('./')) {
    if (!internal || target.startsWith('../') || target.startsWith('/') || isUrl(target)) {
      throw invalidTarget(folder, key, target, internal, base);
    }
    const specifier = isPattern ? target.replaceAll('*', () => match) : target;
    return isBuiltin(specifier) ? BUILTIN + specifier : resolvePackage(specifier, join(folder, 'package.json'), kind);
  }
  if (leadsAstray(target.slice(2))) throw invalidTarget(folder, key, target, internal, base);
  if (match !== undefined && match !== '' && leadsAstray(match)) {
    const request = isPattern ? key.replace('*', () => match) : key + match;
    throw invalidSpecifier(request, `request is not a valid match in pattern "${key}" for the "${internal ? 'imports' : 'exports'}" resolution of ${inManifest(folder)}`, base);
  }
  const named = isPattern ? target.replaceAll('*', () => match) : target;
  return join(folder, kind === 'import' ? decodePath(named, base) : named);
}

// A file; null where an entry closes the way; undefined where no condition holds.
function resolveTarget(target, context) {
  if (typeof target === 'string') return targetText(target, context);
  if (Array.isArray(target)) {
    let last = target.length === 0 ? null : undefined;
    let failure;
    for (const item of target) {
      try {
        const found = resolveTarget(item, context);
        if (found === undefined) continue;
        failure = undefined;
        last = found;
        if (found !== null) return found;
      } catch (error) {
        if (error.code !== 'ERR_INVALID_PACKAGE_TARGET') throw error;
        failure = error;
      }
    }
    if (failure) throw failure;
    return last;
  }
  if (target === null) return null;
  if (typeof target !== 'object') throw invalidTarget(context.folder, context.key, target, context.internal, context.base);
  const conditions = CONDITIONS[context.kind];
  if (Object.keys(target).some((key) => String(key >>> 0) === key)) {
    throw coded('ERR_INVALID_PACKAGE_CONFIG', `Invalid package config ${inManifest(context.folder)}. "exports" cannot contain numeric property keys.`);
  }
  for (const [condition, value] of Object.entries(target)) {
    if (condition !== 'default' && !conditions.has(condition)) continue;
    const found = resolveTarget(value, context);
    if (found !== undefined) return found;
  }
  return undefined;
}

// The order of patterns: the longer before the asterisk first, then the longer as a whole.
function isMoreSpecific(key, than) {
  if (than === null) return true;
  const [own, other] = [key.indexOf('*'), than.indexOf('*')];
  return own !== other ? own > other : key.length > than.length;
}

// Looks `name` up in the entries of `exports` or `imports`; undefined or null where there is none.
function lookUp(entries, name, context) {
  if (Object.hasOwn(entries, name) && !name.includes('*') && !name.endsWith('/')) {
    return resolveTarget(entries[name], { ...context, key: name, isPattern: false });
  }
  let best = null;
  for (const key of Object.keys(entries)) {
    const star = key.indexOf('*');
    if (star < 0 || key.lastIndexOf('*') !== star) continue;
    const fits = name.length >= key.length && name.startsWith(key.slice(0, star)) && name.endsWith(key.slice(star + 1));
    if (fits && isMoreSpecific(key, best)) best = key;
  }
  if (best === null) return undefined;
  const star = best.indexOf('*');
  const match = name.slice(star, name.length - (best.length - star - 1));
  return resolveTarget(entries[best], { ...context, key: best, isPattern: true, match });
}

function exportsMap(exports, folder, base) {
  if (typeof exports === 'string' || Array.isArray(exports)) return { '.': exports };
  if (typeof exports !== 'object' || exports === null) return {};
  const keys = Object.keys(exports);
  const paths = keys.filter((key) => key === '' || key.startsWith('.'));
  if (paths.length > 0 && paths.length < keys.length) {
    throw coded('ERR_INVALID_PACKAGE_CONFIG', `Invalid package config ${inManifest(folder)}${base ? ` while importing ${base}` : ''}. "exports" cannot contain some keys starting with '.' and some not. The exports object must either be an object of package subpath keys or an object of main entry condition name keys only.`);
  }
  return keys.length > 0 && paths.length === 0 ? { '.': exports } : exports;
}

function resolveExports(folder, subpath, exports, base, kind) {
  const found = lookUp(exportsMap(exports, folder, base), subpath, { folder, internal: false, base, kind });
  if (found === null || found === undefined) throw notExported(folder, subpath, base, kind);
  return found;
}

function resolveImports(specifier, base, kind) {
  if (specifier === '#' || specifier.startsWith('#/') || specifier.endsWith('/')) {
    throw invalidSpecifier(specifier, 'is not a valid internal imports specifier name', base);
  }
  const folder = scopeOf(base);
  const imports = folder === null ? null : manifestOf(folder).imports;
  const found = imports !== null && typeof imports === 'object' ? lookUp(imports, specifier, { folder, internal: true, base, kind }) : undefined;
  if (found !== null && found !== undefined) return found;
  const inPackage = folder === null ? '' : ` in package ${inManifest(folder)}`;
  throw coded('ERR_PACKAGE_IMPORT_NOT_DEFINED', `Package import specifier "${specifier}" is not defined${inPackage}${importedFrom(base)}`, TypeError);
}

// Packages.

function packageName(specifier, base, kind) {
  const [, name, rest = ''] = /^((?:@[^/]*\/)?[^/]*)(\/.*)?$/s.exec(specifier);
  const isValid = name !== '' && !name.startsWith('.') && !/[\\%]/.test(name) && (!specifier.startsWith('@') || /^@[^/]*\/[^/]/.test(name));
  if (!isValid && (kind === 'require' || specifier === '')) throw notFound(`package '${specifier}'`, specifier, base, kind);
  if (!isValid) throw invalidSpecifier(specifier, 'is not a valid package name', base);
  return [name, `.${rest}`];
}

// The folders in which packages lie, from the inside out.
export function packageFolders(base) {
  const folders = [];
  for (let at = dirname(base); ; at = dirname(at)) {
    if (basename(at) !== 'node_modules') folders.push(join(at, 'node_modules'));
    if (at === '/') break;
  }
  if (vendorFolder !== null && base.startsWith(join(dirname(vendorFolder), '/'))) folders.push(vendorFolder);
  return folders;
}

// A package that names itself, by its own `exports`; undefined if it is another's name.
function resolveSelf(name, subpath, base, kind) {
  const folder = scopeOf(base);
  const manifest = folder === null ? null : manifestOf(folder);
  if (manifest === null || manifest.exports === undefined || manifest.exports === null || manifest.name !== name) return undefined;
  return resolveExports(folder, subpath, manifest.exports, base, kind);
}

function legacyMain(folder, main) {
  const tried = typeof main === 'string' ? [main, `${main}.js`, `${main}.json`, `${main}.node`, `${main}/index.js`, `${main}/index.json`, `${main}/index.node`] : [];
  return [...tried, 'index.js', 'index.json', 'index.node'].map((name) => join(folder, name)).find(isFile);
}

function resolvePackage(specifier, base, kind) {
  const [name, subpath] = packageName(specifier, base, kind);
  const self = resolveSelf(name, subpath, base, kind);
  if (self !== undefined) return self;
  for (const parent of packageFolders(base)) {
    const folder = join(parent, name);
    const found = kind === 'require' ? requirePackage(folder, subpath, base) : importPackage(folder, subpath, specifier, base);
    if (found !== undefined) return found;
    // One file that is a package: only among the vendored ones.
    const single = parent === vendorFolder && subpath === '.' ? ['.js', '.mjs', '.cjs', '.json'].map((extension) => folder + extension).find(isFile) : undefined;
    if (single) return single;
  }
  throw notFound(`package '${name}'`, specifier, base, kind);
}

function importPackage(folder, subpath, specifier, base) {
  if (!isFolder(folder)) return undefined;
  const manifest = manifestOf(folder);
  if (manifest?.exports !== undefined && manifest?.exports !== null) return resolveExports(folder, subpath, manifest.exports, base, 'import');
  if (subpath !== '.') return join(folder, decodePath(subpath, base));
  const main = legacyMain(folder, manifest?.main);
  if (!main) throw notFound(`package '${folder}/'`, specifier, base, 'import');
  return main;
}

function requirePackage(folder, subpath, base) {
  const manifest = isFolder(folder) ? manifestOf(folder) : null;
  if (manifest?.exports !== undefined && manifest?.exports !== null) return resolveExports(folder, subpath, manifest.exports, base, 'require');
  return asFileOrFolder(join(folder, subpath), base);
}

// Paths.

function checkEncoded(text, base) {
  if (/%2f|%5c/i.test(text)) throw invalidSpecifier(text, 'must not include encoded "/" or "\\" characters', base);
  return text;
}

const decodePath = (text, base) => {
  checkEncoded(text, base);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const extensionsFor = (base) => (isTypeScript(base) ? [...TYPESCRIPT_EXTENSIONS, ...REQUIRE_EXTENSIONS, '.mjs', '.cjs'] : REQUIRE_EXTENSIONS);

function asFile(file, base) {
  if (isFile(file)) return file;
  const written = isTypeScript(base) ? (WRITTEN_FOR[extname(file)] ?? []).map((extension) => file.slice(0, -extname(file).length) + extension) : [];
  return [...written, ...extensionsFor(base).map((extension) => file + extension)].find(isFile);
}

function asFileOrFolder(file, base) {
  const found = file.endsWith('/') ? undefined : asFile(file, base);
  if (found || !isFolder(file)) return found;
  const main = manifestOf(file)?.main;
  const inFolder = (name) => asFile(join(file, name), base) ?? asIndex(join(file, name), base);
  return (typeof main === 'string' && main !== '' ? inFolder(main) : undefined) ?? asIndex(file, base);
}
const asIndex = (folder, base) => extensionsFor(base).map((extension) => join(folder, `index${extension}`)).find(isFile);

const isPath = (specifier) => /^\.{0,2}\//.test(specifier) || specifier === '.' || specifier === '..';

// The last step of an import: the file must be there.
function existing(file, specifier, base) {
  const kind = kindOf(file);
  if (kind === 'file') return file;
  if (isTypeScript(base)) {
    const found = asFileOrFolder(file, base);
    if (found) return found;
  }
  if (kind === 'directory') throw coded('ERR_UNSUPPORTED_DIR_IMPORT', `Directory import '${file}' is not supported resolving ES modules${importedFrom(base)}`);
  const error = notFound(`module '${file}'`, specifier, base, 'import');
  const other = ['.js', '.mjs', '.cjs', '.ts'].map((extension) => file + extension).find(isFile);
  if (other) error.message += `\nDid you mean to import "${specifier}${extname(other)}"?`;
  throw error;
}

// The file (with the query of the specifier, where it has one) that an `import` of `specifier` in `base` means.
export function resolveImport(specifier, base) {
  if (specifier.startsWith('#')) {
    const found = resolveImports(specifier, base, 'import');
    return found.startsWith(BUILTIN) ? found : existing(found, specifier, base);
  }
  if (isPath(specifier) || specifier.startsWith('file:')) {
    const [, plain, query] = /^([^?#]*)((?:[?#].*)?)$/s.exec(specifier);
    const file = plain.startsWith('file:') ? fileURLToPath(checkEncoded(plain, base)) : absolute(dirname(base), decodePath(plain, base));
    return existing(file, plain, base) + query;
  }
  if (isUrl(specifier)) {
    throw coded('ERR_UNSUPPORTED_ESM_URL_SCHEME', `Cannot import '${specifier}': only files and packages of the skill can be imported`);
  }
  return existing(resolvePackage(specifier, base, 'import'), specifier, base);
}

// The file that a `require` of `specifier` in `base` means.
export function resolveRequire(specifier, base) {
  try {
    return requireTarget(specifier, base);
  } catch (error) {
    // `require` says of a package.json that is no JSON what the parser says.
    throw error.code === 'ERR_INVALID_PACKAGE_CONFIG' && error.cause ? error.cause : error;
  }
}

function requireTarget(specifier, base) {
  if (specifier.startsWith('#')) {
    const found = resolveImports(specifier, base, 'require');
    if (found.startsWith(BUILTIN) || isFile(found)) return found;
    throw notFound('', found, base, 'require');
  }
  const found = isPath(specifier) ? asFileOrFolder(absolute(dirname(base), specifier) + (/(^|\/)\.{0,2}$/.test(specifier) ? '/' : ''), base) : resolvePackage(specifier, base, 'require');
  if (!found || !isFile(found)) throw notFound('', found ?? specifier, base, 'require');
  return found;
}
