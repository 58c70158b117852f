// `node:events`.

export class EventEmitter {
  #listeners = new Map();

  on(name, listener) { return this.#add(name, listener, listener); }
  addListener(name, listener) { return this.on(name, listener); }

  once(name, listener) {
    const wrapper = (...values) => {
      this.off(name, listener);
      return listener.apply(this, values);
    };
    return this.#add(name, listener, wrapper);
  }

  prependListener(name, listener) {
    this.#listeners.set(name, [{ listener, call: listener }, ...(this.#listeners.get(name) ?? [])]);
    return this;
  }

  #add(name, listener, call) {
    if (typeof listener !== 'function') throw new TypeError('The "listener" argument must be of type function');
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), { listener, call }]);
    return this;
  }

  off(name, listener) {
    const left = [...(this.#listeners.get(name) ?? [])];
    const at = left.findLastIndex((entry) => entry.listener === listener);
    if (at >= 0) left.splice(at, 1);
    if (left.length > 0) this.#listeners.set(name, left);
    else this.#listeners.delete(name);
    return this;
  }

  removeListener(name, listener) { return this.off(name, listener); }

  removeAllListeners(name) {
    if (name === undefined) this.#listeners.clear();
    else this.#listeners.delete(name);
    return this;
  }

  emit(name, ...values) {
    const entries = this.#listeners.get(name);
    if (!entries) {
      if (name === 'error') throw values[0] instanceof Error ? values[0] : new Error(`Unhandled error. (${values[0]})`);
      return false;
    }
    for (const { call } of entries) call.apply(this, values);
    return true;
  }

  listenerCount(name) { return this.#listeners.get(name)?.length ?? 0; }
  listeners(name) { return (this.#listeners.get(name) ?? []).map((entry) => entry.listener); }
  eventNames() { return [...this.#listeners.keys()]; }
  setMaxListeners() { return this; }
}

// A promise of the values of the next event `name`.
function once(emitter, name) {
  return new Promise((resolve, reject) => {
    const failed = (error) => { emitter.off(name, done); reject(error); };
    const done = (...values) => { emitter.off('error', failed); resolve(values); };
    emitter.once(name, done);
    if (name !== 'error') emitter.once('error', failed);
  });
}

// The module is the class; what it exports by name are its properties.
Object.assign(EventEmitter, { EventEmitter, once, defaultMaxListeners: 10 });
