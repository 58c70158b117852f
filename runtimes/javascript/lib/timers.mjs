// Timers on the host's clock, run one by one by `turn`, and setImmediate.

import { now, sleep } from 'runtime:host';

import { argumentError } from './errors.mjs';
import { AbortError } from './events.mjs';

const DELAY_LIMIT_MS = 2 ** 31 - 1;

let created = 0;
// Sorted by due time, then by age.
let timers = [];
let immediates = [];

class Timeout {
  constructor(callback, values, delay, repeats) {
    if (typeof callback !== 'function') throw argumentError('callback', 'of type function', callback);
    const wanted = Number(delay);
    created += 1;
    Object.defineProperty(this, 'id', { value: created });
    this.delay = wanted >= 1 && wanted <= DELAY_LIMIT_MS ? Math.trunc(wanted) : 1;
    this.repeats = repeats;
    this.call = () => callback(...values);
  }

  held = true;
  ref() { this.held = true; return this; }
  unref() { this.held = false; return this; }
  hasRef() { return this.held; }
  [Symbol.dispose]() { clear(this); }
  close() { clear(this); return this; }
  refresh() { if (timers.includes(this)) { clear(this); schedule(this); } return this; }
  [Symbol.toPrimitive]() { return this.id; }
}

function schedule(timer) {
  timer.due = now() + timer.delay;
  let at = timers.length;
  while (at > 0 && timers[at - 1].due > timer.due) at -= 1;
  timers.splice(at, 0, timer);
  return timer;
}

function clear(timer) {
  if (timer === undefined || timer === null) return;
  const id = Number(timer);
  if (timer instanceof Timeout) timer.repeats = false;
  timers = timers.filter((other) => other.id !== id);
  immediates = immediates.filter((other) => other.id !== id);
}

export const setTimeout = (callback, delay, ...values) => schedule(new Timeout(callback, values, delay, false));
export const setInterval = (callback, delay, ...values) => schedule(new Timeout(callback, values, delay, true));
export const clearTimeout = (timer) => clear(timer);
export const clearInterval = (timer) => clear(timer);
export const clearImmediate = (timer) => clear(timer);

export function setImmediate(callback, ...values) {
  const immediate = new Timeout(callback, values, 1, false);
  immediates.push(immediate);
  return immediate;
}

// Runs what comes next, sleeping until then. False if there is nothing.
export function turn() {
  const isDue = timers.length > 0 && timers[0].due <= now();
  if (!isDue && immediates.length > 0) {
    immediates.shift().call();
    return true;
  }
  // Timers that nothing waits for do not keep the process.
  const timer = isDue || timers.some((one) => one.held) ? timers[0] : undefined;
  if (!timer) return false;
  sleep(timer.due - now());
  timers.shift();
  try {
    timer.call();
  } finally {
    if (timer.repeats) schedule(timer);
  }
  return true;
}

function promised(start, clearIt) {
  return (value, { signal } = {}) => new Promise((resolve, reject) => {
    const fail = () => reject(new AbortError(signal.reason));
    if (signal?.aborted) return fail();
    const timer = start(() => { signal?.removeEventListener('abort', stop); resolve(value); });
    const stop = () => { clearIt(timer); fail(); };
    signal?.addEventListener('abort', stop, { once: true });
    return undefined;
  });
}

const wait = (delay, value, options) => promised((done) => setTimeout(done, delay), clearTimeout)(value, options);
export const promises = {
  setTimeout: wait,
  setImmediate: (value, options) => promised(setImmediate, clearImmediate)(value, options),
  setInterval: async function* interval(delay, value, options) { for (;;) yield await wait(delay, value, options); },
  scheduler: { wait: (delay, options) => wait(delay, undefined, options), yield: () => promises.setImmediate() },
};
