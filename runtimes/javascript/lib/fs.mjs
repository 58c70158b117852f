// `node:fs` and `node:fs/promises`: the synchronous calls, and their promises and callbacks made of them.
//
// Paths are strings, Buffers or file: URLs. Owners and permissions do not exist here: `chmod` and `chown` check that the file is
// there and do nothing else. Streams are in fs-streams.mjs.

import * as host from 'runtime:host';

import { Buffer, decodeBytes, encodeText } from './buffer.mjs';
import { bytesOf } from './encoding.mjs';
import { argumentError, checked, coded, namedError, rangeError, systemError } from './errors.mjs';
import { globPattern, path as paths } from './path.mjs';
import { fileURLToPath } from './url.mjs';

const { dirname, join, resolve } = paths;

export const constants = {
  UV_FS_SYMLINK_DIR: 1, UV_FS_SYMLINK_JUNCTION: 2, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, UV_DIRENT_UNKNOWN: 0, UV_DIRENT_FILE: 1,
  UV_DIRENT_DIR: 2, UV_DIRENT_LINK: 3, UV_DIRENT_FIFO: 4, UV_DIRENT_SOCKET: 5, UV_DIRENT_CHAR: 6, UV_DIRENT_BLOCK: 7,
  S_IFMT: 0o170000, S_IFREG: 0o100000, S_IFDIR: 0o40000, S_IFCHR: 0o20000, S_IFBLK: 0o60000, S_IFIFO: 0o10000, S_IFLNK: 0o120000,
  S_IFSOCK: 0o140000, O_CREAT: 64, O_EXCL: 128, UV_FS_O_FILEMAP: 0, O_NOCTTY: 256, O_TRUNC: 512, O_APPEND: 1024,
  O_DIRECTORY: 65536, O_NOATIME: 262144, O_NOFOLLOW: 131072, O_SYNC: 1052672, O_DSYNC: 4096, O_DIRECT: 16384, O_NONBLOCK: 2048,
  S_IRWXU: 448, S_IRUSR: 256, S_IWUSR: 128, S_IXUSR: 64, S_IRWXG: 56, S_IRGRP: 32, S_IWGRP: 16, S_IXGRP: 8, S_IRWXO: 7,
  S_IROTH: 4, S_IWOTH: 2, S_IXOTH: 1, F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, UV_FS_COPYFILE_EXCL: 1, COPYFILE_EXCL: 1,
  UV_FS_COPYFILE_FICLONE: 2, COPYFILE_FICLONE: 2, UV_FS_COPYFILE_FICLONE_FORCE: 4, COPYFILE_FICLONE_FORCE: 4,
};
const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_SYNC } = constants;

const FLAGS = {
  r: O_RDONLY, rs: O_RDONLY | O_SYNC, 'r+': O_RDWR, 'rs+': O_RDWR | O_SYNC,
  w: O_TRUNC | O_CREAT | O_WRONLY, wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  'w+': O_TRUNC | O_CREAT | O_RDWR, 'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  a: O_APPEND | O_CREAT | O_WRONLY, ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL, as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  'a+': O_APPEND | O_CREAT | O_RDWR, 'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL, 'as+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
  sr: O_RDONLY | O_SYNC, 'sr+': O_RDWR | O_SYNC, xw: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL, xa: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
};
const DESCRIPTOR_FILES = new Map([
  ['/dev/stdin', 0], ['/dev/stdout', 1], ['/dev/stderr', 2], ['/proc/self/fd/0', 0], ['/dev/fd/0', 0], ['/dev/fd/1', 1], ['/dev/fd/2', 2],
]);
const LINKS_LIMIT = 40;

function pathText(path, name = 'path') {
  if (path instanceof Uint8Array) return host.decode(path);
  const text = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof text !== 'string') throw argumentError(name, 'of type string or an instance of Buffer or URL', path);
  if (text.includes('\0')) {
    const shown = JSON.stringify(text).slice(1, -1).replaceAll('\\u0000', '\\x00');
    throw coded('ERR_INVALID_ARG_VALUE', `The argument '${name}' must be a string, Uint8Array, or URL without null bytes. Received '${shown}'`, TypeError);
  }
  return text;
}

// The absolute path of what a script calls `name`.
const absolute = (name, syscall) => {
  if (name === '') throw namedError('ENOENT', syscall, name);
  return resolve(name);
};

function flagNumber(flag) {
  if (typeof flag === 'number') return flag;
  if (flag === undefined || flag === null) return O_RDONLY;
  if (!Object.hasOwn(FLAGS, flag)) throw coded('ERR_INVALID_ARG_VALUE', `The argument 'flags' is invalid. Received '${flag}'`, TypeError);
  return FLAGS[flag];
}

const encodingOf = (options) => (typeof options === 'string' ? options : options?.encoding ?? null);
const inEncoding = (bytes, encoding) => (encoding === null || encoding === 'buffer' ? Buffer.view(bytes) : decodeBytes(bytes, encoding));
const shownAs = (text, options) => (encodingOf(options) === 'buffer' ? Buffer.from(text) : text);

function checkDescriptor(fd) {
  if (typeof fd !== 'number') throw argumentError('fd', 'of type number', fd);
  if (!Number.isInteger(fd) || fd < 0 || fd > 2147483647) throw rangeError('fd', '>= 0 && <= 2147483647', fd);
  return fd;
}

export function openSync(path, flags = 'r') {
  const name = pathText(path);
  const how = flagNumber(flags);
  const stream = DESCRIPTOR_FILES.get(name);
  if (stream !== undefined) return stream;
  const target = absolute(name, 'open');
  if (name.endsWith('/') && how & O_CREAT) throw namedError('EISDIR', 'open', name);
  const fd = host.open(target, how);
  // What a folder answers that shall be written differs between hosts.
  if (fd < 0 && how & (O_WRONLY | O_RDWR) && isFolder(target)) throw namedError('EISDIR', 'open', name);
  return checked(fd, 'open', name);
}

function isFolder(path) {
  const answer = host.stat(path, true);
  return typeof answer !== 'number' && answer[0] === 'directory';
}

export function closeSync(fd) { checked(host.close(checkDescriptor(fd)), 'close'); }

// Calls `use` with an open descriptor, and closes it unless it was open before.
function withFile(path, flags, use) {
  if (typeof path === 'number') return use(checkDescriptor(path));
  const fd = openSync(path, flags);
  try {
    return use(fd);
  } finally {
    if (fd > 2) host.close(fd);
  }
}

function readFileSync(path, options) {
  return withFile(path, options?.flag ?? 'r', (fd) => {
    const bytes = host.read(fd);
    if (typeof bytes !== 'number') return inEncoding(bytes, encodingOf(options));
    const stats = host.fstat(fd);
    throw stats[0] === 'directory' ? namedError('EISDIR', 'read') : systemError(-bytes, 'read');
  });
}

function dataBytes(data, encoding, name = 'data') {
  if (typeof data === 'string') return encodeText(data, encoding ?? 'utf8');
  if (ArrayBuffer.isView(data)) return bytesOf(data);
  throw argumentError(name, 'of type string or an instance of Buffer, TypedArray, or DataView', data);
}

function writeAll(fd, bytes) {
  for (let at = 0; at < bytes.length;) at += checked(host.writeFrom(fd, bytes.subarray(at), -1), 'write');
}

const writeWith = (flags) => (path, data, options) => {
  const bytes = dataBytes(data, encodingOf(options));
  withFile(path, options?.flag ?? flags, (fd) => writeAll(fd, bytes));
};
const writeFileSync = writeWith('w');
const appendFileSync = writeWith('a');

// The arguments of read and write: (fd, bytes, offset, length, position) or (fd, bytes, { offset, length, position }).
function part(buffer, offset, length, position) {
  const options = offset !== null && typeof offset === 'object' ? offset : { offset, length, position };
  if (!ArrayBuffer.isView(buffer)) throw argumentError('buffer', 'an instance of Buffer, TypedArray, or DataView', buffer);
  const bytes = bytesOf(buffer);
  const from = options.offset ?? 0;
  const count = options.length ?? bytes.length - from;
  if (from < 0 || from > bytes.length) throw rangeError('offset', `>= 0 && <= ${bytes.length}`, from);
  if (count < 0 || count > bytes.length - from) throw rangeError('length', `>= 0 && <= ${bytes.length - from}`, count);
  const at = options.position;
  return [bytes.subarray(from, from + count), at === null || at === undefined ? -1 : Number(at)];
}

export function readSync(fd, buffer, offset, length, position) {
  const [bytes, at] = part(buffer, offset, length, position);
  return bytes.length === 0 ? 0 : checked(host.readInto(checkDescriptor(fd), bytes, at), 'read');
}

export function writeSync(fd, data, offset, length, position) {
  checkDescriptor(fd);
  if (typeof data === 'string') {
    const bytes = encodeText(data, typeof length === 'string' ? length : 'utf8');
    return checked(host.writeFrom(fd, bytes, typeof offset === 'number' ? offset : -1), 'write');
  }
  const [bytes, at] = part(data, offset, length, position);
  return checked(host.writeFrom(fd, bytes, at), 'write');
}

const gathered = (call) => (fd, parts, position) => {
  let total = 0;
  for (const bytes of parts) {
    const count = call(fd, bytes, 0, bytes.byteLength, typeof position === 'number' ? position + total : null);
    total += count;
    if (count < bytes.byteLength) break;
  }
  return total;
};
const readvSync = gathered(readSync);
const writevSync = gathered(writeSync);

const MODES = { file: 0o100644, directory: 0o40755, link: 0o120777, device: 0o20620, other: 0o100000 };

export class Stats {
  constructor([kind, size, modified, inode, read, links], big = false) {
    const number = big ? (value) => BigInt(Math.trunc(value)) : (value) => value;
    const fields = {
      dev: 1, mode: MODES[kind], nlink: links, uid: 0, gid: 0, rdev: 0, blksize: 4096, ino: inode, size, blocks: Math.ceil(size / 512),
      atimeMs: read, mtimeMs: modified, ctimeMs: modified, birthtimeMs: modified,
    };
    for (const [name, value] of Object.entries(fields)) this[name] = number(value);
    if (big) for (const name of ['atime', 'mtime', 'ctime', 'birthtime']) this[`${name}Ns`] = BigInt(Math.round(fields[`${name}Ms`] * 1e6));
    // As Node: rounded to whole milliseconds.
    const date = (value) => new Date(Math.trunc(value + 0.5));
    Object.assign(this, { atime: date(read), mtime: date(modified), ctime: date(modified), birthtime: date(modified) });
  }

  #is(type) { return (Number(this.mode) & constants.S_IFMT) === type; }
  isFile() { return this.#is(constants.S_IFREG); }
  isDirectory() { return this.#is(constants.S_IFDIR); }
  isSymbolicLink() { return this.#is(constants.S_IFLNK); }
  isCharacterDevice() { return this.#is(constants.S_IFCHR); }
  isFIFO() { return false; }
  isSocket() { return false; }
  isBlockDevice() { return false; }
}

const statWith = (syscall, follow) => (path, { throwIfNoEntry = true, bigint = false } = {}) => {
  const name = pathText(path);
  const answer = name === '' ? -host.errorNumbers.ENOENT : host.stat(resolve(name), follow);
  if (typeof answer !== 'number') {
    if (!name.endsWith('/') || answer[0] === 'directory') return new Stats(answer, bigint);
    if (throwIfNoEntry) throw namedError('ENOTDIR', syscall, name);
    return undefined;
  }
  const error = systemError(-answer, syscall, name);
  if (!throwIfNoEntry && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined;
  throw error;
};
const statSync = statWith('stat', true);
const lstatSync = statWith('lstat', false);
const fstatSync = (fd, { bigint = false } = {}) => new Stats(checked(host.fstat(checkDescriptor(fd)), 'fstat'), bigint);

function existsSync(path) {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

// Folders that a script may write to where the host says that it can: what the host shows of a folder does not say it.
const writable = (path) => /^\/(workspace|home\/skill|tmp)(\/|$)/.test(path);

function accessSync(path, mode = constants.F_OK) {
  const name = pathText(path);
  const stats = checked(host.stat(absolute(name, 'access'), true), 'access', name);
  if (mode & constants.W_OK && !writable(resolve(name))) throw namedError('EROFS', 'access', name);
  if (mode & constants.X_OK && stats[0] !== 'directory' && writable(resolve(name))) throw namedError('EACCES', 'access', name);
}

export class Dirent {
  #kind;

  constructor(parentPath, name, kind) {
    Object.assign(this, { name, parentPath, path: parentPath });
    this.#kind = kind;
  }

  isFile() { return this.#kind === 'file'; }
  isDirectory() { return this.#kind === 'directory'; }
  isSymbolicLink() { return this.#kind === 'link'; }
  isCharacterDevice() { return this.#kind === 'device'; }
  isFIFO() { return false; }
  isSocket() { return false; }
  isBlockDevice() { return false; }
}

const byText = (one, other) => (one < other ? -1 : Number(one > other));

// The entries of a folder as { folder, name, kind }, sorted by name.
function entriesOf(name) {
  const answer = checked(host.readdir(absolute(name, 'scandir')), 'scandir', name);
  const entries = [];
  for (let at = 0; at < answer.length; at += 2) entries.push({ folder: name, name: answer[at], kind: answer[at + 1] });
  return entries.sort((one, other) => byText(one.name, other.name));
}

function readdirSync(path, options) {
  const top = pathText(path);
  const found = [];
  // Breadth first, as Node does.
  for (const queue = [{ name: top, prefix: '' }]; queue.length > 0;) {
    const { name, prefix } = queue.shift();
    for (const entry of entriesOf(name)) {
      found.push({ ...entry, shown: prefix + entry.name });
      if (options?.recursive && entry.kind === 'directory') queue.push({ name: join(name, entry.name), prefix: `${prefix}${entry.name}/` });
    }
  }
  if (options?.withFileTypes) return found.map(({ folder, name, kind }) => new Dirent(folder, shownAs(name, options), kind));
  return found.map((entry) => shownAs(entry.shown, options));
}

export class Dir {
  #left;

  constructor(path) {
    this.path = path;
    this.#left = readdirSync(path, { withFileTypes: true });
  }

  readSync() { return this.#left.shift() ?? null; }
  async read() { return this.readSync(); }
  closeSync() { this.#left = []; }
  async close() { this.closeSync(); }
  async* entries() { for (let entry = this.readSync(); entry; entry = this.readSync()) yield entry; }
  [Symbol.asyncIterator]() { return this.entries(); }
}
const opendirSync = (path) => {
  const name = pathText(path);
  if (typeof host.stat(resolve(name), true) === 'number') throw namedError('ENOENT', 'opendir', name);
  if (!isFolder(resolve(name))) throw namedError('ENOTDIR', 'opendir', name);
  return new Dir(name);
};

function mkdirSync(path, options) {
  const name = pathText(path);
  const target = absolute(name, 'mkdir');
  if (!options?.recursive) {
    checked(host.mkdir(target), 'mkdir', name);
    return undefined;
  }
  const missing = [];
  for (let at = target; !isFolder(at); at = dirname(at)) {
    if (typeof host.stat(at, true) !== 'number') throw namedError(at === target ? 'EEXIST' : 'ENOTDIR', 'mkdir', name);
    missing.unshift(at);
  }
  for (const folder of missing) checked(host.mkdir(folder), 'mkdir', name);
  return missing.length === 0 || name.startsWith('/') ? missing[0] : paths.relative('', missing[0]);
}

const onPath = (call) => (path) => {
  const name = pathText(path);
  checked(host[call](absolute(name, call)), call, name);
};
const plainUnlink = onPath('unlink');
const plainRmdir = onPath('rmdir');

function unlinkSync(path) {
  const target = resolve(pathText(path));
  // What a folder answers differs between systems; Linux has EISDIR.
  const answer = host.stat(target, false);
  if (typeof answer !== 'number' && answer[0] === 'directory') throw namedError('EISDIR', 'unlink', pathText(path));
  plainUnlink(path);
}

function rmdirSync(path, options) {
  if (options?.recursive) return rmSync(path, { recursive: true, force: true });
  const name = pathText(path);
  const answer = host.stat(absolute(name, 'rmdir'), false);
  if (typeof answer !== 'number' && answer[0] !== 'directory') throw namedError('ENOTDIR', 'rmdir', name);
  return plainRmdir(path);
}

function fileSystemError(code, what, message, syscall, path, number) {
  const error = coded(code, `${what} (${message}) ${path}`);
  return Object.assign(error, { name: 'SystemError', errno: number, syscall, path });
}

function removeAll(target, name) {
  const answer = host.stat(target, false);
  if (typeof answer !== 'number' && answer[0] === 'directory') {
    for (const entry of entriesOf(target)) removeAll(join(target, entry.name), join(name, entry.name));
    checked(host.rmdir(target), 'rm', name);
  } else {
    checked(host.unlink(target), 'rm', name);
  }
}

function rmSync(path, { recursive = false, force = false } = {}) {
  const name = pathText(path);
  const stats = host.stat(absolute(name, 'lstat'), false);
  if (typeof stats === 'number') {
    if (force && -stats === host.errorNumbers.ENOENT) return;
    throw systemError(-stats, 'lstat', name);
  }
  if (stats[0] === 'directory' && !recursive) {
    throw fileSystemError('ERR_FS_EISDIR', 'Path is a directory: rm returned EISDIR', 'is a directory', 'rm', name, 21);
  }
  removeAll(resolve(name), name);
}

const onPaths = (call) => (from, to) => {
  const source = pathText(from);
  const target = pathText(to);
  checked(host[call](absolute(source, call), absolute(target, call)), call, source, target);
};
const plainRename = onPaths('rename');
const linkSync = onPaths('link');

function renameSync(from, to) {
  try {
    plainRename(from, to);
  } catch (error) {
    // Two folders that the host opened are one file system to a script.
    if (error.code !== 'EXDEV') throw error;
    cpSync(from, to, { recursive: true, force: true });
    rmSync(from, { recursive: true });
  }
}

function symlinkSync(target, path) {
  const text = pathText(target, 'target');
  const name = pathText(path);
  checked(host.symlink(text, absolute(name, 'symlink')), 'symlink', text, name);
}

function readlinkSync(path, options) {
  const name = pathText(path);
  return shownAs(checked(host.readlink(absolute(name, 'readlink')), 'readlink', name), options);
}

function realpathSync(path, options) {
  const name = pathText(path);
  let real = '';
  let left = absolute(name === '' ? '.' : name, 'lstat').split('/').slice(1);
  for (let links = 0; left.length > 0;) {
    const [part_, ...rest] = left;
    const next = `${real}/${part_}`;
    const answer = part_ === '' ? ['directory'] : checked(host.stat(next, false), 'lstat', next);
    left = rest;
    if (answer[0] === 'link') {
      links += 1;
      if (links > LINKS_LIMIT) throw namedError('ELOOP', 'realpath', name);
      left = [...resolve(real === '' ? '/' : real, checked(host.readlink(next), 'readlink', next)).split('/').slice(1), ...rest];
      real = '';
    } else if (part_ !== '') {
      real = next;
    }
  }
  return shownAs(real === '' ? '/' : real, options);
}
realpathSync.native = realpathSync;

function copyFileSync(from, to, mode = 0) {
  const source = pathText(from, 'src');
  const target = pathText(to, 'dest');
  const fail = (code) => { throw namedError(code, 'copyfile', source, target); };
  const answer = host.stat(absolute(source, 'copyfile'), true);
  if (typeof answer === 'number') throw systemError(-answer, 'copyfile', source, target);
  if (answer[0] === 'directory') fail('EISDIR');
  if (resolve(source) === resolve(target)) return;
  if (isFolder(resolve(target))) fail('EISDIR');
  const bytes = readFileSync(source);
  try {
    writeFileSync(target, bytes, { flag: mode & constants.COPYFILE_EXCL ? 'wx' : 'w' });
  } catch (error) {
    throw error.syscall === 'open' ? namedError(error.code, 'copyfile', source, target) : error;
  }
}

function copyTree(from, to, options) {
  if (options.filter && !options.filter(from, to)) return;
  const stats = options.dereference ? statSync(from) : lstatSync(from);
  const there = lstatSync(to, { throwIfNoEntry: false });
  if (stats.isDirectory()) {
    if (there && !there.isDirectory()) {
      throw coded('ERR_FS_CP_DIR_TO_NON_DIR', `Cannot overwrite non-directory with directory: cannot overwrite non-directory ${to} with directory ${from}`);
    }
    mkdirSync(to, { recursive: true });
    for (const entry of entriesOf(from)) copyTree(join(from, entry.name), join(to, entry.name), options);
    return;
  }
  if (there?.isDirectory()) {
    throw coded('ERR_FS_CP_NON_DIR_TO_DIR', `Cannot overwrite directory with non-directory: cannot overwrite directory ${to} with non-directory ${from}`);
  }
  if (there && !options.force) {
    if (options.errorOnExist) throw coded('ERR_FS_CP_EEXIST', `Target already exists: cp returned EEXIST (${to} already exists) ${to}`);
    return;
  }
  mkdirSync(dirname(resolve(to)), { recursive: true });
  if (stats.isSymbolicLink()) {
    if (there) unlinkSync(to);
    const target = readlinkSync(from);
    symlinkSync(options.verbatimSymlinks ? target : resolve(dirname(from), target), to);
  } else {
    copyFileSync(from, to);
    if (options.preserveTimestamps) utimesSync(to, stats.atime, stats.mtime);
  }
}

function cpSync(from, to, options = {}) {
  const source = pathText(from, 'src');
  const target = pathText(to, 'dest');
  const stats = options.dereference ? statSync(source) : lstatSync(source);
  if (stats.isDirectory() && !options.recursive) {
    throw fileSystemError('ERR_FS_EISDIR', 'Path is a directory: cp returned EISDIR', `${source} is a directory (not copied)`, 'cp', source, 22);
  }
  if (stats.isDirectory() && `${resolve(target)}/`.startsWith(`${resolve(source)}/`)) {
    throw coded('ERR_FS_CP_EINVAL', `Cannot copy ${source} to a subdirectory of self ${target}`);
  }
  copyTree(source, target, { force: true, ...options });
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
function mkdtempSync(prefix, options) {
  const start = pathText(prefix, 'prefix');
  for (;;) {
    const random = new Uint8Array(6);
    host.random(random);
    const name = start + Array.from(random, (byte) => LETTERS[byte % LETTERS.length]).join('');
    const answer = host.mkdir(absolute(name, 'mkdtemp'));
    if (answer === 0) return shownAs(name, options);
    if (-answer !== host.errorNumbers.EEXIST) throw systemError(-answer, 'mkdtemp', `${start}XXXXXX`);
  }
}

function ftruncateSync(fd, length = 0) { checked(host.truncate(checkDescriptor(fd), Math.max(0, length)), 'ftruncate'); }
function truncateSync(path, length = 0) { withFile(path, 'r+', (fd) => ftruncateSync(fd, length)); }

const toSeconds = (time, name) => {
  const value = time instanceof Date ? time.getTime() / 1e3 : Number(time);
  if (!Number.isFinite(value)) throw argumentError(name, 'of type number or an instance of Date', time);
  return value;
};
const utimesWith = (syscall, follow) => (path, read, modified) => {
  const name = pathText(path);
  const times = [toSeconds(read, 'atime'), toSeconds(modified, 'mtime')];
  checked(host.utimes(absolute(name, syscall), ...times, follow), syscall, name);
};
const utimesSync = utimesWith('utime', true);
const lutimesSync = utimesWith('lutime', false);
const futimesSync = (fd, read, modified) => { checked(host.utimes(checkDescriptor(fd), toSeconds(read), toSeconds(modified)), 'futime'); };

// Checks that the file is there: permissions and owners are not kept.
const checkPath = (syscall) => (path) => {
  const name = pathText(path);
  checked(host.stat(absolute(name, syscall), true), syscall, name);
};
const checkOpen = (syscall) => (fd) => { checked(host.fstat(checkDescriptor(fd)), syscall); };

// node:fs has had this since 22.
function globSync(pattern, { cwd = '.', exclude, withFileTypes = false } = {}) {
  const patterns = [pattern].flat().map((one) => globPattern(paths.normalize(one)));
  const entries = readdirSync(cwd, { recursive: true, withFileTypes: true });
  const named = entries.map((entry) => [paths.relative(resolve(pathText(cwd)), resolve(entry.parentPath, entry.name)), entry]);
  const wanted = named.filter(([name]) => patterns.some((one) => one.test(name)) && !(typeof exclude === 'function' && exclude(name)));
  return wanted.map(([name, entry]) => (withFileTypes ? entry : name));
}

const synchronous = {
  accessSync, appendFileSync, chmodSync: checkPath('chmod'), chownSync: checkPath('chown'), closeSync, copyFileSync, cpSync,
  fchmodSync: checkOpen('fchmod'), fchownSync: checkOpen('fchown'), fdatasyncSync: checkOpen('fdatasync'), fstatSync, fsyncSync: checkOpen('fsync'),
  ftruncateSync, futimesSync, globSync, lchownSync: checkPath('lchown'), linkSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, openSync,
  opendirSync, readFileSync, readSync, readdirSync, readlinkSync, readvSync, realpathSync, renameSync, rmSync, rmdirSync, statSync,
  symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync, writeSync, writevSync,
};
for (const [name, call] of Object.entries(synchronous)) Object.defineProperty(call, 'name', { value: name, configurable: true });

export const promises = { constants };
export const fs = { ...synchronous, existsSync, constants, ...constants, promises, Stats, Dirent, Dir };
for (const name of Object.keys(fs)) if (/^[A-Z]_OK$/.test(name) === false && /^(UV_|O_|S_I|COPYFILE)/.test(name)) delete fs[name];

// The stream, or promise, of a file: what a call that takes data accepts beside bytes and text.
async function gatherData(data, encoding) {
  if (typeof data === 'string' || ArrayBuffer.isView(data) || typeof (data?.[Symbol.asyncIterator] ?? data?.[Symbol.iterator]) !== 'function') return data;
  const chunks = [];
  for await (const chunk of data) chunks.push(dataBytes(chunk, encoding));
  return Buffer.concat(chunks);
}

// How many values a callback gets, where it is not one: (error, count, buffer).
const WITH_BUFFER = { read: 'bytesRead', write: 'bytesWritten', readv: 'bytesRead', writev: 'bytesWritten' };
const AFTER_CLOSE = ['close', 'fchmod', 'fchown', 'fdatasync', 'fstat', 'fsync', 'ftruncate', 'futimes', 'read', 'readv', 'write', 'writev'];

for (const [name, call] of Object.entries(synchronous)) {
  const plain = name.slice(0, -'Sync'.length);
  const promised = async (...values) => call(...values);
  Object.defineProperty(promised, 'name', { value: plain });
  if (!AFTER_CLOSE.includes(plain) && plain !== 'open' && plain !== 'glob') promises[plain] = promised;
  fs[plain] = (...values) => {
    const done = values.findLast((value) => typeof value === 'function');
    if (typeof done !== 'function') throw argumentError('cb', 'of type function', done);
    const own = values.slice(0, values.lastIndexOf(done));
    promised(...own).then(
      (value) => queueTask(() => (plain in WITH_BUFFER ? done(null, value, own[1]) : value === undefined ? done(null) : done(null, value))),
      (error) => queueTask(() => done(error)),
    );
  };
  Object.defineProperty(fs[plain], 'name', { value: plain });
}
fs.exists = (path, done) => { queueTask(() => done(existsSync(path))); };
fs.realpath.native = fs.realpath;
promises.writeFile = async (path, data, options) => writeFileSync(descriptorOf(path), await gatherData(data, encodingOf(options)), options);
promises.appendFile = async (path, data, options) => appendFileSync(descriptorOf(path), await gatherData(data, encodingOf(options)), options);
promises.readFile = async (path, options) => {
  options?.signal?.throwIfAborted();
  return readFileSync(descriptorOf(path), options);
};
promises.glob = async function* glob(...values) { yield* globSync(...values); };
promises.open = async (path, flags) => new FileHandle(openSync(path, flags));

// What a callback throws is nobody's rejection but an exception of its own.
let queueTask = (task) => task();
export function useTasks(setImmediate) { queueTask = setImmediate; }

const descriptorOf = (path) => (path instanceof FileHandle ? path.fd : path);
let streamsOf;
export function useStreams(makers) { streamsOf = makers; }

export class FileHandle {
  #fd;

  constructor(fd) { this.#fd = fd; }
  get fd() { return this.#fd; }

  async close() {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  async read(buffer, ...rest) {
    const isOptions = !ArrayBuffer.isView(buffer);
    const target = isOptions ? buffer?.buffer ?? Buffer.alloc(16384) : buffer;
    const bytesRead = isOptions ? readSync(this.#fd, target, buffer ?? {}) : readSync(this.#fd, target, ...rest);
    return { bytesRead, buffer: target };
  }

  async write(data, ...rest) { return { bytesWritten: writeSync(this.#fd, data, ...rest), buffer: data }; }
  async readv(buffers, position) { return { bytesRead: readvSync(this.#fd, buffers, position), buffers }; }
  async writev(buffers, position) { return { bytesWritten: writevSync(this.#fd, buffers, position), buffers }; }
  async readFile(options) { return readFileSync(this.#fd, options); }
  async writeFile(data, options) { return promises.writeFile(this, data, options); }
  async appendFile(data, options) { return promises.writeFile(this, data, options); }
  async stat(options) { return fstatSync(this.#fd, options); }
  async truncate(length) { ftruncateSync(this.#fd, length); }
  async utimes(read, modified) { futimesSync(this.#fd, read, modified); }
  async chmod() { }
  async chown() { }
  async sync() { }
  async datasync() { }
  createReadStream(options) { return streamsOf.createReadStream(null, { ...options, fd: this.#fd }); }
  createWriteStream(options) { return streamsOf.createWriteStream(null, { ...options, fd: this.#fd }); }
  readLines(options) { return streamsOf.readLines(this.createReadStream(options)); }
  [Symbol.asyncDispose]() { return this.close(); }
}
