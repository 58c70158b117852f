// Timers on the host's clock, run one by one by `turn`, and setImmediate.

import { now, sleep } from 'runtime:host';

import { argumentError } from './errors.mjs';

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

  ref() { return this; }
  unref() { return this; }
  hasRef() { return true; }
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
  const immediate = immediates.shift();
  if (immediate) {
    immediate.call();
    return true;
  }
  const timer = timers[0];
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

export const promises = {
  setTimeout: (delay, value) => new Promise((resolve) => { setTimeout(resolve, delay, value); }),
  setImmediate: (value) => new Promise((resolve) => { setImmediate(resolve, value); }),
};
