// `AsyncLocalStorage` for what runs inside `run()` until its first wait, and `AsyncResource`. The engine does not tell where a
// promise was made, so what comes after a wait sees the value that was set last.

export class AsyncLocalStorage {
  #store;

  getStore() { return this.#store; }
  enterWith(store) { this.#store = store; }
  disable() { this.#store = undefined; }

  run(store, call, ...values) {
    const before = this.#store;
    this.#store = store;
    const restore = () => { this.#store = before; };
    let result;
    try {
      result = call(...values);
    } catch (error) {
      restore();
      throw error;
    }
    if (typeof result?.then === 'function') return result.then((value) => { restore(); return value; }, (error) => { restore(); throw error; });
    restore();
    return result;
  }

  exit(call, ...values) { return this.run(undefined, call, ...values); }
  static bind(call) { return call; }
  static snapshot() { return (call, ...values) => call(...values); }
}

export class AsyncResource {
  constructor(type) { this.type = type; }
  runInAsyncScope(call, self, ...values) { return call.apply(self, values); }
  bind(call) { return call; }
  emitDestroy() { return this; }
  asyncId() { return 1; }
  triggerAsyncId() { return 0; }
  static bind(call) { return call; }
}
