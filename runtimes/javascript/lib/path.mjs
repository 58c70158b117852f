// `node:path`, POSIX only, and the working folder.

import { argumentError } from './errors.mjs';

let workingFolder = '/';
export const cwd = () => workingFolder;
export function setCwd(folder) { workingFolder = folder; }

function text(path) {
  if (typeof path !== 'string') throw argumentError('path', 'of type string', path);
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
  for (const path of paths.toReversed()) {
    if (text(path) === '') continue;
    resolved = resolved === '' ? path : `${path}/${resolved}`;
    if (path.startsWith('/')) break;
  }
  if (!resolved.startsWith('/')) resolved = `${workingFolder}/${resolved}`;
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
  const dot = base === '..' ? -1 : base.lastIndexOf('.');
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
  const dir = folder === '.' && !/^\.\/+[^/]/.test(path) ? '' : folder;
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
path.win32 = path;
path.matchesGlob = (name, pattern) => globPattern(pattern).test(name);

// A glob as a regular expression over whole paths: `*`, `?`, `**`, `{a,b}`, `[a-z]`.
export function globPattern(glob) {
  let source = '';
  for (let at = 0; at < glob.length; at += 1) {
    const character = glob[at];
    if (character === '*' && glob[at + 1] === '*') {
      const slash = glob[at + 2] === '/';
      source += slash ? '(?:[^/]+/)*' : '.*';
      at += slash ? 2 : 1;
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '{') source += '(?:';
    else if (character === '}') source += ')';
    else if (character === ',' && /\{[^}]*$/.test(glob.slice(0, at))) source += '|';
    else if (character === '[' && glob.includes(']', at)) {
      const end = glob.indexOf(']', at);
      source += glob.slice(at, end + 1).replace(/^\[!/, '[^');
      at = end;
    } else source += character.replace(/[.+^$()|\\\]]/g, '\\$&');
  }
  return new RegExp(`^${source}$`);
}
