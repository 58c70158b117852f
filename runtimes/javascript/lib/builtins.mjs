// The modules a script can import by name, and why it cannot import others that Node has.

import { assert, isDeepEqual } from './assert.mjs';
import { Buffer } from './buffer.mjs';
import { console } from './console.mjs';
import { crypto } from './crypto.mjs';
import { TextDecoder, TextEncoder } from './encoding.mjs';
import { EventEmitter } from './events.mjs';
import { constants as fsConstants, fs, promises as fsPromises } from './fs.mjs';
import { format, inspect } from './inspect.mjs';
import { path } from './path.mjs';
import { performance } from './performance.mjs';
import { process } from './process.mjs';
import { consumers, readline } from './streams.mjs';
import * as timers from './timers.mjs';
import { URL, URLSearchParams, fileURLToPath, pathToFileURL } from './url.mjs';

function promisify(call) {
  return (...values) => new Promise((resolve, reject) => {
    call(...values, (error, value) => (error ? reject(error) : resolve(value)));
  });
}

function inherits(Child, Parent) {
  Object.defineProperty(Child, 'super_', { value: Parent, writable: true, configurable: true });
  Object.setPrototypeOf(Child.prototype, Parent.prototype);
}

const util = {
  inspect, format, promisify, inherits, TextDecoder, TextEncoder,
  deprecate: (call) => call,
  isDeepStrictEqual: (one, other) => isDeepEqual(one, other),
  types: {
    isDate: (value) => value instanceof Date,
    isMap: (value) => value instanceof Map,
    isPromise: (value) => value instanceof Promise,
    isRegExp: (value) => value instanceof RegExp,
    isSet: (value) => value instanceof Set,
    isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
    isUint8Array: (value) => value instanceof Uint8Array,
  },
};

const os = {
  EOL: '\n', arch: () => 'wasm32', cpus: () => [], endianness: () => 'LE', homedir: () => '/tmp', hostname: () => 'localhost',
  platform: () => 'linux', release: () => '0', tmpdir: () => '/tmp', type: () => 'Linux', availableParallelism: () => 1,
};

const { turn: _, promises: timersPromises, ...timerFunctions } = timers;

// By name without `node:`. `module` is added by modules.mjs.
export const builtins = new Map(Object.entries({
  assert, 'assert/strict': assert,
  buffer: { Buffer, atob, btoa },
  console,
  crypto,
  events: EventEmitter,
  fs, 'fs/promises': { ...fsPromises, constants: fsConstants },
  os,
  path, 'path/posix': path,
  perf_hooks: { performance },
  process,
  readline,
  'stream/consumers': consumers,
  timers: timerFunctions, 'timers/promises': timersPromises,
  url: { URL, URLSearchParams, fileURLToPath, pathToFileURL },
  util,
}));

const NETWORK = 'a skill has no network';
const PROCESSES = 'a skill is one process with one thread';
const NATIVE = 'the native backend has it';

export const refused = new Map([
  ...['dgram', 'dns', 'dns/promises', 'http', 'http2', 'https', 'net', 'tls'].map((name) => [name, NETWORK]),
  ...['child_process', 'cluster', 'worker_threads'].map((name) => [name, PROCESSES]),
  ...['async_hooks', 'diagnostics_channel', 'inspector', 'querystring', 'repl', 'sqlite', 'stream', 'stream/promises', 'string_decoder',
    'test', 'tty', 'v8', 'vm', 'wasi', 'zlib'].map((name) => [name, NATIVE]),
]);
