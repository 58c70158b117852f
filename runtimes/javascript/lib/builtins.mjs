// The modules a script can import by name, and why it cannot import others that Node has.

import { absent } from './absent.mjs';
import { assert } from './assert.mjs';
import { AsyncLocalStorage, AsyncResource } from './async.mjs';
import { buffer } from './buffer.mjs';
import { console } from './console.mjs';
import { crypto } from './crypto.mjs';
import { EventEmitter } from './events.mjs';
import { constants as fsConstants, fs, promises as fsPromises } from './fs.mjs';
import './fs-streams.mjs';
import { os } from './os.mjs';
import { path } from './path.mjs';
import { performance } from './performance.mjs';
import { process } from './process.mjs';
import { querystring } from './querystring.mjs';
import { promises as readlinePromises, readline } from './readline.mjs';
import { consumers, stream, StringDecoder } from './streams.mjs';
import * as timers from './timers.mjs';
import { url } from './url.mjs';
import { types, util } from './util.mjs';
import { vm } from './vm.mjs';
import { zlib } from './zlib.mjs';

const { turn: _, promises: timersPromises, ...timerFunctions } = timers;

// By name without `node:`. `module` is added by modules.mjs.
export const builtins = new Map(Object.entries({
  assert, 'assert/strict': assert.strict,
  async_hooks: { AsyncLocalStorage, AsyncResource, executionAsyncId: () => 1, triggerAsyncId: () => 0, createHook: () => ({ enable() { return this; }, disable() { return this; } }) },
  buffer,
  console,
  constants: { ...os.constants.errno, ...os.constants.signals, ...fsConstants },
  crypto,
  diagnostics_channel: { channel: (name) => ({ name, hasSubscribers: false, publish() { }, subscribe() { }, unsubscribe() { return false; } }), hasSubscribers: () => false, subscribe: () => undefined, unsubscribe: () => false },
  events: EventEmitter,
  fs, 'fs/promises': fsPromises,
  os,
  path, 'path/posix': path, 'path/win32': path,
  perf_hooks: { performance, PerformanceObserver: class PerformanceObserver { observe() { } disconnect() { } }, constants: {} },
  process,
  querystring,
  readline, 'readline/promises': readlinePromises,
  stream, 'stream/promises': stream.promises, 'stream/consumers': consumers,
  string_decoder: { StringDecoder },
  sys: util,
  timers: { ...timerFunctions, promises: timersPromises }, 'timers/promises': timersPromises,
  tty: { isatty: () => false, ReadStream: process.stdin.constructor, WriteStream: process.stdout.constructor },
  url,
  util, 'util/types': types,
  v8: { serialize: (value) => globalThis.Buffer.from(JSON.stringify(value)), deserialize: (bytes) => JSON.parse(bytes.toString()), getHeapStatistics: () => ({ total_heap_size: 0, used_heap_size: 0, heap_size_limit: 0 }), setFlagsFromString: () => undefined },
  vm,
  zlib,
  ...absent,
}));

const NATIVE = 'the native backend has it';

export const refused = new Map(['domain', 'inspector', 'inspector/promises', 'punycode', 'repl', 'sea', 'sqlite', 'stream/web', 'test', 'test/reporters', 'trace_events', 'wasi'].map((name) => [name, NATIVE]));
