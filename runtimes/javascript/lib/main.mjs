// The runtime's own program: sets up the global scope when the snapshot is made, then runs a script in each instance.
//
// main.c calls `start`, then `turn` whenever no job is left, `rejection` when a promise is rejected or handled after
// all, and `failed` with an exception that nobody caught.

import './npm/packages.mjs';
import { arguments_, exit as exitHost, write } from 'runtime:host';

import { absent, fetch } from './absent.mjs';
import { Blob, Buffer, File } from './buffer.mjs';
import { builtins } from './builtins.mjs';
import { structuredClone } from './clone.mjs';
import { console } from './console.mjs';
import { webcrypto } from './crypto.mjs';
import { TextDecoder, TextEncoder } from './encoding.mjs';
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget, hasListeners, useTimers } from './events.mjs';
import { useTasks } from './fs.mjs';
import { inspect } from './inspect.mjs';
import './locale.mjs';
import { isMainCommonJs, runMain } from './modules.mjs';
import { beginClock, performance } from './performance.mjs';
import { process } from './process.mjs';
import { runTicks } from './ticks.mjs';
import * as timers from './timers.mjs';
import { URL, URLSearchParams } from './url.mjs';

export { describe, load, prepare, resolve } from './modules.mjs';

const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = timers;
useTimers(setTimeout);
useTasks(setImmediate);

const globals = {
  AbortController, AbortSignal, Blob, Buffer, CustomEvent, Event, EventTarget, File, TextDecoder, TextEncoder, URL, URLSearchParams, console, crypto: webcrypto,
  fetch, global: globalThis, performance, process, structuredClone, setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate,
};
for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}
delete globalThis.navigator;

const UNSETTLED_AWAIT = 13;

let settled = false;

export function start() {
  beginClock();
  runMain(process.begin(arguments_())).then(() => { settled = true; }, failed);
  if (isMainCommonJs()) runTicks();
}

// Rejected promises that nobody handles yet, with their reasons.
const unhandled = new Map();

export function rejection(promise, reason, handled) {
  if (handled) unhandled.delete(promise);
  else unhandled.set(promise, reason);
}

function reportUnhandled() {
  const [first] = unhandled;
  unhandled.clear();
  const [promise, reason] = first;
  if (process.listenerCount('unhandledRejection') > 0) process.emit('unhandledRejection', reason, promise);
  else failed(reason);
}

// Called whenever no promise is left that could go on.
export function turn() {
  if (runTicks()) return;
  if (unhandled.size > 0) reportUnhandled();
  else if (timers.turn()) runTicks();
  else leave();
}

let told = false;

function leave() {
  // Who listens may have more to do.
  if (!told && hasListeners(process) && process.listenerCount('beforeExit') > 0) {
    told = true;
    process.emit('beforeExit', process.exitCode ?? 0);
    return;
  }
  if (!settled && process.exitCode === undefined) {
    write(2, 'Warning: a top-level await never settled: nothing is left that could\n');
    exitHost(UNSETTLED_AWAIT);
  }
  process.exit();
}

export function failed(error) {
  if (process.listenerCount('uncaughtException') > 0) {
    process.emit('uncaughtException', error);
    settled = true;
    return;
  }
  write(2, `Uncaught ${inspect(error)}\n`.toWellFormed());
  const hint = hintFor(error);
  if (hint) write(2, `note: ${hint}\n`);
  process.exitCode = 1;
  process.exit(1);
}

// One line for those who miss something that a process under Node would have.
function hintFor(error) {
  const missing = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_UNKNOWN_BUILTIN_MODULE'];
  if (missing.includes(error?.code)) {
    return `this runtime has ${[...builtins.keys()].filter((name) => !(name in absent)).join(', ')}; a pure-JavaScript package can be vendored as vendor/<name>, `
      + 'and a skill that needs more can run on the native backend';
  }
  const name = error instanceof ReferenceError && /^'?(\w+)'? is not defined/.exec(error.message)?.[1];
  if (['WebSocket', 'XMLHttpRequest', 'EventSource'].includes(name)) return 'a skill has no network';
  if (['Worker', 'SharedWorker'].includes(name)) return 'a skill is one process with one thread';
  if (['Intl', 'WebAssembly'].includes(name)) return `${name} is not part of this runtime; the native backend has it`;
  if (['require', 'module', 'exports', '__dirname', '__filename'].includes(name)) {
    return `${name} belongs to CommonJS; this file is an ES module: use import, or name it .cjs`;
  }
  return null;
}
