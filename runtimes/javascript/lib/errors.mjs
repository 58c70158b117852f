// Errors with the codes and words that scripts know from Node.

import { errorNumbers } from 'runtime:host';

const names = new Map(Object.entries(errorNumbers).map(([name, number]) => [number, name]));

// What Linux numbers them, and what Node says of them.
const systemErrors = {
  E2BIG: [7, 'argument list too long'],
  EACCES: [13, 'permission denied'],
  EAGAIN: [11, 'resource temporarily unavailable'],
  EBADF: [9, 'bad file descriptor'],
  EBUSY: [16, 'resource busy or locked'],
  EDQUOT: [122, 'Unknown system error -122'],
  EEXIST: [17, 'file already exists'],
  EFAULT: [14, 'bad address in system call argument'],
  EFBIG: [27, 'file too large'],
  EILSEQ: [84, 'illegal byte sequence'],
  EINTR: [4, 'interrupted system call'],
  EINVAL: [22, 'invalid argument'],
  EIO: [5, 'i/o error'],
  EISDIR: [21, 'illegal operation on a directory'],
  ELOOP: [40, 'too many symbolic links encountered'],
  EMFILE: [24, 'too many open files'],
  EMLINK: [31, 'too many links'],
  ENAMETOOLONG: [36, 'name too long'],
  ENFILE: [23, 'file table overflow'],
  ENODEV: [19, 'no such device'],
  ENOENT: [2, 'no such file or directory'],
  ENOMEM: [12, 'not enough memory'],
  ENOSPC: [28, 'no space left on device'],
  ENOSYS: [38, 'function not implemented'],
  ENOTDIR: [20, 'not a directory'],
  ENOTEMPTY: [39, 'directory not empty'],
  ENOTSUP: [95, 'operation not supported on socket'],
  ENXIO: [6, 'no such device or address'],
  EOVERFLOW: [75, 'value too large for defined data type'],
  EPERM: [1, 'operation not permitted'],
  EPIPE: [32, 'broken pipe'],
  ERANGE: [34, 'result too large'],
  EROFS: [30, 'read-only file system'],
  ESPIPE: [29, 'invalid seek'],
  ETXTBSY: [26, 'text file is busy'],
  EXDEV: [18, 'cross-device link not permitted'],
};

export const errno = Object.fromEntries(Object.entries(systemErrors).map(([name, [number]]) => [name, number]));

// An error with a `code`, such as ERR_MODULE_NOT_FOUND, which its stack names: `Error [CODE]: message`.
export function coded(code, message, Kind = Error) {
  const error = new Kind(message);
  error.code = code;
  const named = `${error.name} [${code}]`;
  if (error.stack.startsWith(error.name)) error.stack = named + error.stack.slice(error.name.length);
  return error;
}

// An error as a failed system call makes it: `ENOENT: no such file or directory, open 'x'`.
export function namedError(code, syscall, path, dest) {
  const [number, text] = systemErrors[code] ?? [0, 'unknown error'];
  const target = path === undefined ? '' : ` '${path}'`;
  const error = new Error(`${code}: ${text}, ${syscall}${target}${dest === undefined ? '' : ` -> '${dest}'`}`);
  Object.assign(error, { errno: -number, code, syscall });
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  return error;
}

// The error of a failed call of the host, by its number. What a host refuses because it leads out of a folder is a
// permission that is missing.
export function systemError(number, syscall, path, dest) {
  const name = names.get(number) ?? 'EIO';
  return namedError(name === 'ENOTCAPABLE' ? 'EPERM' : name, syscall, path, dest);
}

// What a call of the host answered, or its error thrown.
export function checked(answer, syscall, path, dest) {
  if (typeof answer === 'number' && answer < 0) throw systemError(-answer, syscall, path, dest);
  return answer;
}

// How Node shows a value that it did not expect.
function received(value) {
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'object') return value.constructor?.name ? `an instance of ${value.constructor.name}` : '[Object: null prototype] {}';
  const text = typeof value === 'string' ? `'${value.length > 28 ? `${value.slice(0, 25)}...` : value}'` : String(value);
  return `type ${typeof value} (${text}${typeof value === 'bigint' ? 'n' : ''})`;
}

export function argumentError(name, expected, value) {
  const what = name.includes('.') ? 'property' : 'argument';
  return coded('ERR_INVALID_ARG_TYPE', `The "${name}" ${what} must be ${expected}. Received ${received(value)}`, TypeError);
}

export function rangeError(name, range, value) {
  return coded('ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be ${range}. Received ${String(value)}`, RangeError);
}
