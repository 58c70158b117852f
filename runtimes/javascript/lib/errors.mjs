// Errors with the codes and words that scripts know from Node.

import { errorNumbers, errorText } from 'runtime:host';

const names = new Map(Object.entries(errorNumbers).map(([name, number]) => [number, name]));

// An error with a `code`, such as ERR_MODULE_NOT_FOUND. Shows as `Error [CODE]: message`.
export function coded(code, message, Kind = Error) {
  const error = new Kind(message);
  error.code = code;
  return error;
}

// The error of a failed call of the host: `ENOENT: no such file or directory, open 'x'`.
export function systemError(number, syscall, path, dest) {
  const code = names.get(number) ?? `ERRNO${number}`;
  const text = errorText(number).toLowerCase();
  const target = path === undefined ? '' : ` '${path}'`;
  const error = new Error(`${code}: ${text}, ${syscall}${target}${dest === undefined ? '' : ` -> '${dest}'`}`);
  Object.assign(error, { errno: -number, code, syscall });
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  return error;
}

// What a call of the host answered, or its error thrown.
export function checked(answer, syscall, path, dest) {
  if (typeof answer === 'number' && answer < 0) throw systemError(-answer, syscall, path, dest);
  return answer;
}

export function argumentError(name, expected, value) {
  const shown = value === null ? 'null' : typeof value;
  return coded('ERR_INVALID_ARG_TYPE', `The "${name}" argument must be ${expected}. Received ${shown}`, TypeError);
}
