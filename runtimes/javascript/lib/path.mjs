// `node:path`, POSIX only. The working directory is `/`, the package.

function text(path) {
  if (typeof path !== 'string') throw new TypeError(`The "path" argument must be of type string. Received ${typeof path}`);
  return path;
}

function reduce(path, absolute) {
  const parts = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!absolute) parts.push('..');
  }
  return parts.join('/');
}

const isAbsolute = (path) => text(path).startsWith('/');

function normalize(path) {
  const absolute = isAbsolute(path);
  let reduced = reduce(path, absolute);
  if (reduced === '') return absolute ? '/' : path.endsWith('/') ? './' : '.';
  if (path.endsWith('/')) reduced += '/';
  return absolute ? `/${reduced}` : reduced;
}

function join(...paths) {
  const joined = paths.map(text).filter((path) => path !== '').join('/');
  return joined === '' ? '.' : normalize(joined);
}

export function resolve(...paths) {
  let resolved = '';
  for (const path of paths.reverse()) {
    if (text(path) === '') continue;
    resolved = resolved === '' ? path : `${path}/${resolved}`;
    if (path.startsWith('/')) break;
  }
  return `/${reduce(resolved, true)}`;
}

export function dirname(path) {
  const end = text(path).replace(/\/+$/, '');
  const slash = end.lastIndexOf('/');
  if (slash < 0) return path.startsWith('/') ? '/' : '.';
  return end.slice(0, slash).replace(/\/+$/, '') || '/';
}

function basename(path, suffix = '') {
  const end = text(path).replace(/\/+$/, '');
  const base = end.slice(end.lastIndexOf('/') + 1);
  return suffix !== '' && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base;
}

export function extname(path) {
  const base = basename(path);
  const dot = base.lastIndexOf('.');
  return dot > 0 ? base.slice(dot) : '';
}

function relative(from, to) {
  const source = resolve(from).split('/').filter(Boolean);
  const target = resolve(to).split('/').filter(Boolean);
  let shared = 0;
  while (shared < source.length && source[shared] === target[shared]) shared += 1;
  return [...source.slice(shared).map(() => '..'), ...target.slice(shared)].join('/');
}

function parse(path) {
  const base = basename(path);
  const ext = extname(path);
  const root = isAbsolute(path) ? '/' : '';
  const folder = dirname(path);
  const dir = folder === '.' && !path.startsWith('.') ? '' : folder;
  return { root, dir, base, ext, name: ext === '' ? base : base.slice(0, -ext.length) };
}

function format({ root = '', dir, base, name = '', ext = '' }) {
  const file = base ?? name + (ext === '' || ext.startsWith('.') ? ext : `.${ext}`);
  if (!dir) return root + file;
  return dir === root ? dir + file : `${dir}/${file}`;
}

export const path = {
  sep: '/', delimiter: ':',
  basename, dirname, extname, format, isAbsolute, join, normalize, parse, relative, resolve,
  toNamespacedPath: (value) => value,
};
path.posix = path;
