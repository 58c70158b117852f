// `node:fs` and `node:fs/promises`: a synchronous subset, its promises and its callbacks.
//
// The package is read-only below `/`, `/tmp` can be written. Paths are strings, Buffers or file: URLs.

import * as host from 'runtime:host';

import { Buffer, decodeBytes, encodeText } from './buffer.mjs';
import { bytesOf } from './encoding.mjs';
import { argumentError, checked, systemError } from './errors.mjs';
import { path as paths } from './path.mjs';
import { fileURLToPath } from './url.mjs';

const { join, resolve } = paths;
const HOW = { r: 0, w: 1, a: 2, wx: 3 };
const DESCRIPTOR_FILES = new Map([['/dev/stdin', 0], ['/dev/stdout', 1], ['/dev/stderr', 2], ['/proc/self/fd/0', 0]]);

function pathText(path) {
  if (typeof path === 'string') {
    if (path.includes('\0')) throw argumentError('path', 'a string without null bytes', path);
    return path;
  }
  if (path instanceof Uint8Array) return host.decode(path);
  if (path instanceof URL) return fileURLToPath(path);
  throw argumentError('path', 'of type string or an instance of Buffer or URL', path);
}

const encodingOf = (options) => (typeof options === 'string' ? options : options?.encoding ?? null);

// Calls `use` with an open descriptor, and closes it unless it was open before.
function withFile(path, how, use) {
  const open = typeof path === 'number' ? path : DESCRIPTOR_FILES.get(pathText(path));
  if (open !== undefined) return use(open);
  const name = pathText(path);
  const fd = checked(host.open(resolve(name), how), 'open', name);
  try {
    return use(fd, name);
  } finally {
    host.close(fd);
  }
}

function readFileSync(path, options) {
  const bytes = withFile(path, HOW.r, (fd, name) => {
    const read = host.read(fd);
    if (typeof read !== 'number') return read;
    // A folder can be opened; what its read answers differs between hosts.
    const isFolder = name !== undefined && host.stat(resolve(name))[0] === 'directory';
    throw systemError(isFolder ? host.errorNumbers.EISDIR : -read, 'read');
  });
  const encoding = encodingOf(options);
  return encoding === null || encoding === 'buffer' ? Buffer.view(bytes) : decodeBytes(bytes, encoding);
}

function writeWith(how, path, data, options) {
  const bytes = typeof data === 'string' ? encodeText(data, encodingOf(options) ?? 'utf8') : bytesOf(data);
  withFile(path, HOW[options?.flag] ?? how, (fd, name) => checked(host.write(fd, bytes), 'write', name));
}

const writeFileSync = (path, data, options) => writeWith(HOW.w, path, data, options);
const appendFileSync = (path, data, options) => writeWith(HOW.a, path, data, options);

class Stats {
  constructor([kind, size, modified, inode]) {
    Object.defineProperty(this, 'kind', { value: kind });
    const time = new Date(modified);
    Object.assign(this, {
      dev: 0, mode: kind === 'directory' ? 0o40755 : 0o100644, nlink: 1, uid: 0, gid: 0, ino: inode, size,
      blksize: 4096, blocks: Math.ceil(size / 512),
      atimeMs: modified, mtimeMs: modified, ctimeMs: modified, birthtimeMs: modified,
      atime: time, mtime: time, ctime: time, birthtime: time,
    });
  }

  isFile() { return this.kind === 'file'; }
  isDirectory() { return this.kind === 'directory'; }
  isSymbolicLink() { return false; }
  isFIFO() { return false; }
  isSocket() { return false; }
  isBlockDevice() { return false; }
  isCharacterDevice() { return false; }
}

function statSync(path, { throwIfNoEntry = true } = {}) {
  const name = pathText(path);
  const answer = host.stat(resolve(name));
  if (typeof answer !== 'number') return new Stats(answer);
  const error = systemError(-answer, 'stat', name);
  if (!throwIfNoEntry && error.code === 'ENOENT') return undefined;
  throw error;
}

function existsSync(path) {
  try {
    return typeof host.stat(resolve(pathText(path))) !== 'number';
  } catch {
    return false;
  }
}

function accessSync(path) {
  const name = pathText(path);
  checked(host.stat(resolve(name)), 'access', name);
}

class Dirent {
  constructor(parentPath, name, stats) {
    Object.assign(this, { name, parentPath, path: parentPath });
    Object.defineProperty(this, 'stats', { value: stats });
  }

  isFile() { return this.stats.isFile(); }
  isDirectory() { return this.stats.isDirectory(); }
  isSymbolicLink() { return false; }
}

function list(folder, prefix, recursive) {
  const names = checked(host.readdir(resolve(folder)), 'scandir', folder).sort();
  return names.flatMap((name) => {
    const path = join(folder, name);
    const inside = recursive && statSync(path).isDirectory() ? list(path, `${prefix}${name}/`, true) : [];
    return [{ folder, name, shown: prefix + name }, ...inside];
  });
}

function readdirSync(path, options) {
  const entries = list(pathText(path), '', options?.recursive ?? false);
  if (!options?.withFileTypes) return entries.map((entry) => entry.shown);
  return entries.map(({ folder, name }) => new Dirent(folder, name, statSync(join(folder, name))));
}

function mkdirSync(path, options) {
  const name = pathText(path);
  if (!options?.recursive) {
    checked(host.mkdir(resolve(name)), 'mkdir', name);
    return undefined;
  }
  let first;
  const parts = resolve(name).split('/').slice(1);
  for (let count = 1; count <= parts.length; count += 1) {
    const folder = `/${parts.slice(0, count).join('/')}`;
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) continue;
    checked(host.mkdir(folder), 'mkdir', name);
    first ??= folder;
  }
  return first;
}

function unlinkSync(path) {
  const name = pathText(path);
  checked(host.unlink(resolve(name)), 'unlink', name);
}

function rmdirSync(path) {
  const name = pathText(path);
  checked(host.rmdir(resolve(name)), 'rmdir', name);
}

function rmSync(path, { recursive = false, force = false } = {}) {
  const stats = statSync(path, { throwIfNoEntry: !force });
  if (!stats) return;
  if (!stats.isDirectory()) {
    unlinkSync(path);
    return;
  }
  if (!recursive) throw systemError(host.errorNumbers.EISDIR, 'rm', pathText(path));
  for (const name of readdirSync(path)) rmSync(join(pathText(path), name), { recursive, force });
  rmdirSync(path);
}

function renameSync(from, to) {
  const source = pathText(from);
  const target = pathText(to);
  checked(host.rename(resolve(source), resolve(target)), 'rename', source, target);
}

function copyFileSync(from, to) { writeFileSync(to, readFileSync(from)); }

let temporary = 0;
function mkdtempSync(prefix) {
  for (;;) {
    temporary += 1;
    const name = pathText(prefix) + String(temporary).padStart(6, '0');
    if (existsSync(name)) continue;
    mkdirSync(name);
    return name;
  }
}

const realpathSync = (path) => {
  accessSync(path);
  return resolve(pathText(path));
};

const synchronous = {
  accessSync, appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, renameSync,
  rmSync, rmdirSync, statSync, lstatSync: statSync, unlinkSync, writeFileSync,
};

export const constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };
export const promises = { constants };
export const fs = { ...synchronous, existsSync, constants, promises, Stats, Dirent };

for (const [name, call] of Object.entries(synchronous)) {
  const plain = name.slice(0, -'Sync'.length);
  promises[plain] = async (...values) => call(...values);
  fs[plain] = (...values) => {
    const done = values.pop();
    if (typeof done !== 'function') throw argumentError('cb', 'of type function', done);
    promises[plain](...values).then((value) => done(null, value), (error) => done(error));
  };
}
