// `node:events`, `EventTarget` and `AbortController`.

import { argumentError, coded } from './errors.mjs';

const errorMonitor = Symbol('events.errorMonitor');

function check(listener) {
  if (typeof listener !== 'function') throw argumentError('listener', 'of type function', listener);
}

const entriesOf = (emitter) => {
  if (!Object.hasOwn(emitter, '_events')) {
    Object.defineProperty(emitter, '_events', { value: new Map(), writable: true, configurable: true, enumerable: false });
  }
  return emitter._events;
};

// Whether an emitter ever had a listener. Costs less than to ask for one.
export const hasListeners = (emitter) => emitter._events !== undefined;

// A plain function, so that what inherits in the old way can call it.
export function EventEmitter() { }

Object.assign(EventEmitter.prototype, {
  on(name, listener) { return add(this, name, listener, listener, false); },
  once(name, listener) { return add(this, name, listener, onceCall(this, name, listener), false); },
  prependListener(name, listener) { return add(this, name, listener, listener, true); },
  prependOnceListener(name, listener) { return add(this, name, listener, onceCall(this, name, listener), true); },

  off(name, listener) {
    const entries = entriesOf(this);
    const left = [...(entries.get(name) ?? [])];
    const at = left.findLastIndex((entry) => entry.listener === listener || entry.call === listener);
    if (at < 0) return this;
    left.splice(at, 1);
    if (left.length > 0) entries.set(name, left);
    else entries.delete(name);
    if (entries.has('removeListener')) this.emit('removeListener', name, listener);
    return this;
  },

  removeAllListeners(name) {
    if (arguments.length === 0) entriesOf(this).clear();
    else entriesOf(this).delete(name);
    return this;
  },

  emit(name, ...values) {
    const all = entriesOf(this);
    if (name === 'error') for (const { call } of all.get(errorMonitor) ?? []) call.apply(this, values);
    const entries = all.get(name);
    if (!entries) {
      if (name !== 'error') return false;
      if (values[0] instanceof Error) throw values[0];
      const error = coded('ERR_UNHANDLED_ERROR', `Unhandled error. (${typeof values[0] === 'string' ? `'${values[0]}'` : String(values[0])})`);
      error.context = values[0];
      throw error;
    }
    for (const { call } of entries) call.apply(this, values);
    return true;
  },

  listenerCount(name, listener) {
    const entries = entriesOf(this).get(name) ?? [];
    return listener === undefined ? entries.length : entries.filter((entry) => entry.listener === listener).length;
  },
  listeners(name) { return (entriesOf(this).get(name) ?? []).map((entry) => entry.listener); },
  rawListeners(name) { return (entriesOf(this).get(name) ?? []).map((entry) => entry.call); },
  eventNames() { return [...entriesOf(this).keys()]; },
  setMaxListeners() { return this; },
  getMaxListeners() { return EventEmitter.defaultMaxListeners; },
});
Object.assign(EventEmitter.prototype, { addListener: EventEmitter.prototype.on, removeListener: EventEmitter.prototype.off });
for (const name of Object.keys(EventEmitter.prototype)) Object.defineProperty(EventEmitter.prototype, name, { enumerable: false });

function onceCall(emitter, name, listener) {
  check(listener);
  const call = function once(...values) {
    emitter.off(name, call);
    return listener.apply(emitter, values);
  };
  call.listener = listener;
  return call;
}

function add(emitter, name, listener, call, first) {
  check(listener);
  const entries = entriesOf(emitter);
  if (entries.has('newListener')) emitter.emit('newListener', name, listener);
  const before = entries.get(name) ?? [];
  const entry = { listener, call };
  entries.set(name, first ? [entry, ...before] : [...before, entry]);
  return emitter;
}

// A promise of the values of the next event `name`.
function once(emitter, name, { signal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new AbortError(signal.reason));
    if (emitter instanceof EventTarget) {
      emitter.addEventListener(name, (event) => resolve([event]), { once: true });
      return undefined;
    }
    const failed = (error) => { emitter.off(name, done); reject(error); };
    const done = (...values) => { emitter.off('error', failed); resolve(values); };
    emitter.once(name, done);
    if (name !== 'error') emitter.once('error', failed);
    signal?.addEventListener('abort', () => { emitter.off(name, done); emitter.off('error', failed); reject(new AbortError(signal.reason)); });
    return undefined;
  });
}

// An endless asynchronous iterator over the values of the events `name`.
function on(emitter, name, { signal, close = [] } = {}) {
  const queue = [];
  let wake = () => {};
  let failure;
  let closed = false;
  const push = (...values) => { queue.push(values); wake(); };
  const fail = (error) => { failure = { error }; wake(); };
  const end = () => { closed = true; wake(); };
  emitter.on(name, push);
  if (name !== 'error') emitter.on('error', fail);
  for (const other of close) emitter.on(other, end);
  signal?.addEventListener('abort', () => fail(new AbortError(signal.reason)));
  return (async function* values() {
    try {
      for (;;) {
        while (queue.length > 0) yield queue.shift();
        if (failure) throw failure.error;
        if (closed) return;
        await new Promise((resolve) => { wake = resolve; });
      }
    } finally {
      emitter.off(name, push);
      emitter.off('error', fail);
      for (const other of close) emitter.off(other, end);
    }
  }());
}

// The module is the function; what it exports by name are its properties.
Object.assign(EventEmitter, {
  EventEmitter, once, on, errorMonitor, captureRejectionSymbol: Symbol.for('nodejs.rejection'), defaultMaxListeners: 10,
  listenerCount: (emitter, name) => emitter.listenerCount(name),
  getEventListeners: (emitter, name) => (emitter instanceof EventTarget ? emitter[listenersOf](name) : emitter.listeners(name)),
  getMaxListeners: () => EventEmitter.defaultMaxListeners,
  setMaxListeners: () => undefined,
  addAbortListener: (signal, listener) => {
    signal.addEventListener('abort', listener, { once: true });
    return { [Symbol.dispose]() { signal.removeEventListener('abort', listener); } };
  },
});

export class AbortError extends Error {
  constructor(cause, message = 'The operation was aborted') {
    super(message, cause === undefined ? undefined : { cause });
    this.code = 'ABORT_ERR';
    this.name = 'AbortError';
  }
}

// Events after the DOM standard, without a tree to bubble in.

const state = Symbol('state');
const listenersOf = Symbol('listeners');

export class Event {
  constructor(type, options = {}) {
    if (arguments.length === 0) throw coded('ERR_MISSING_ARGS', 'The "type" argument must be specified', TypeError);
    const { bubbles = false, cancelable = false, composed = false } = options ?? {};
    Object.defineProperty(this, state, {
      value: { type: String(type), bubbles: Boolean(bubbles), cancelable: Boolean(cancelable), composed: Boolean(composed),
        target: null, current: null, prevented: false, stopped: false, stoppedNow: false, dispatching: false, time: performance.now() },
    });
  }

  get type() { return this[state].type; }
  get bubbles() { return this[state].bubbles; }
  get cancelable() { return this[state].cancelable; }
  get composed() { return this[state].composed; }
  get target() { return this[state].target; }
  get srcElement() { return this[state].target; }
  get currentTarget() { return this[state].current; }
  get defaultPrevented() { return this[state].prevented; }
  get returnValue() { return !this[state].prevented; }
  get cancelBubble() { return this[state].stopped; }
  set cancelBubble(value) { if (value) this.stopPropagation(); }
  get eventPhase() { return this[state].dispatching ? Event.AT_TARGET : Event.NONE; }
  get timeStamp() { return this[state].time; }
  get isTrusted() { return false; }
  composedPath() { return this[state].dispatching ? [this[state].target] : []; }
  preventDefault() { if (this[state].cancelable && !this[state].passive) this[state].prevented = true; }
  stopPropagation() { this[state].stopped = true; }
  stopImmediatePropagation() { this[state].stopped = true; this[state].stoppedNow = true; }
  get [Symbol.toStringTag]() { return 'Event'; }
}
Object.assign(Event, { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 });

export class CustomEvent extends Event {
  #detail;

  constructor(type, options = {}) {
    super(type, options);
    this.#detail = options?.detail ?? null;
  }

  get detail() { return this.#detail; }
  get [Symbol.toStringTag]() { return 'CustomEvent'; }
}

export class EventTarget {
  #listeners = [];

  [listenersOf](type) { return this.#listeners.filter((entry) => entry.type === type).map((entry) => entry.listener); }

  addEventListener(type, listener, options) {
    const { capture = false, once: isOnce = false, passive = false, signal } = typeof options === 'boolean' ? { capture: options } : options ?? {};
    if (listener === null || listener === undefined || signal?.aborted) return;
    if (typeof listener !== 'function' && typeof listener !== 'object') throw argumentError('listener', 'an instance of EventListener', listener);
    const name = String(type);
    if (this.#listeners.some((entry) => entry.type === name && entry.listener === listener && entry.capture === Boolean(capture))) return;
    this.#listeners.push({ type: name, listener, capture: Boolean(capture), once: isOnce, passive, removed: false });
    signal?.addEventListener('abort', () => this.removeEventListener(type, listener, options), { once: true });
  }

  removeEventListener(type, listener, options) {
    const capture = Boolean(typeof options === 'boolean' ? options : options?.capture);
    const at = this.#listeners.findIndex((entry) => entry.type === String(type) && entry.listener === listener && entry.capture === capture);
    if (at >= 0) this.#listeners.splice(at, 1)[0].removed = true;
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) throw argumentError('event', 'an instance of Event', event);
    const now = event[state];
    if (now.dispatching) throw new DOMException('The event is already being dispatched', 'InvalidStateError');
    Object.assign(now, { dispatching: true, target: this, current: this });
    for (const entry of this.#listeners.filter((candidate) => candidate.type === event.type)) {
      if (entry.removed || now.stoppedNow) continue;
      if (entry.once) this.removeEventListener(entry.type, entry.listener, entry.capture);
      now.passive = entry.passive;
      try {
        if (typeof entry.listener === 'function') entry.listener.call(this, event);
        else entry.listener.handleEvent(event);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
    Object.assign(now, { dispatching: false, current: null, passive: false, stopped: false, stoppedNow: false });
    return !now.prevented;
  }

  get [Symbol.toStringTag]() { return 'EventTarget'; }
}

// `target.onname`: one listener that can be assigned.
function handlerProperty(Target, type) {
  const handlers = new WeakMap();
  Object.defineProperty(Target.prototype, `on${type}`, {
    get() { return handlers.get(this)?.handler ?? null; },
    set(handler) {
      const before = handlers.get(this);
      if (before) this.removeEventListener(type, before.call);
      if (typeof handler !== 'function') return handlers.delete(this);
      const call = (event) => handler.call(this, event);
      handlers.set(this, { handler, call });
      return this.addEventListener(type, call);
    },
    configurable: true,
    enumerable: true,
  });
}

const made = Symbol('made');
let startTimer;
// Timers need nothing of this module, but the abort of a timer does of them.
export function useTimers(setTimeout) { startTimer = setTimeout; }

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;
  #dependents = [];

  constructor(key) {
    super();
    if (key !== made) throw coded('ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor', TypeError);
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  static abort(reason = new DOMException('This operation was aborted', 'AbortError')) {
    const signal = new AbortSignal(made);
    signal.#aborted = true;
    signal.#reason = reason;
    return signal;
  }

  static timeout(delay) {
    const signal = new AbortSignal(made);
    const timer = startTimer(() => trigger(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), delay);
    timer.unref();
    return signal;
  }

  static any(signals) {
    const all = [...signals];
    const signal = new AbortSignal(made);
    const aborted = all.find((one) => one.aborted);
    if (aborted) return AbortSignal.abort(aborted.reason);
    for (const one of all) one.#dependents.push(signal);
    return signal;
  }

  static trigger(signal, reason) {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason;
    signal.dispatchEvent(new Event('abort'));
    for (const dependent of signal.#dependents) trigger(dependent, reason);
  }

  get [Symbol.toStringTag]() { return 'AbortSignal'; }
}
handlerProperty(AbortSignal, 'abort');
const { trigger } = AbortSignal;
delete AbortSignal.trigger;

export class AbortController {
  #signal = new AbortSignal(made);

  get signal() { return this.#signal; }
  abort(reason = new DOMException('This operation was aborted', 'AbortError')) { trigger(this.#signal, reason); }
  get [Symbol.toStringTag]() { return 'AbortController'; }
}
