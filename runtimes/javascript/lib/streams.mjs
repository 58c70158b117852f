// `process.stdin`, `process.stdout`, `process.stderr`, and the consumers and line readers built on them.

import { read, write } from 'runtime:host';

import { Buffer, decodeBytes, encodeText } from './buffer.mjs';
import { argumentError, checked } from './errors.mjs';
import { EventEmitter } from './events.mjs';
import { setImmediate } from './timers.mjs';

class Output extends EventEmitter {
  constructor(fd) {
    super();
    this.fd = fd;
    this.isTTY = false;
    this.writable = true;
  }

  write(chunk, encoding, done) {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) throw argumentError('chunk', 'a string or a Uint8Array', chunk);
    const isPlain = typeof chunk === 'string' && (typeof encoding !== 'string' || /^utf-?8$/i.test(encoding));
    const bytes = isPlain ? chunk.toWellFormed() : typeof chunk === 'string' ? encodeText(chunk, encoding) : chunk;
    checked(write(this.fd, bytes), 'write');
    const callback = typeof encoding === 'function' ? encoding : done;
    if (callback) queueMicrotask(callback);
    return true;
  }

  end(chunk, encoding, done) {
    const callback = [chunk, encoding, done].find((value) => typeof value === 'function');
    if (chunk !== undefined && typeof chunk !== 'function') this.write(chunk, encoding);
    if (callback) queueMicrotask(callback);
    return this;
  }
}

// Standard input as a stream with one chunk: all of it.
class Input extends EventEmitter {
  #encoding = null;
  #state = 'waiting';

  constructor() {
    super();
    this.fd = 0;
    this.isTTY = false;
    this.readable = true;
  }

  setEncoding(encoding = 'utf8') {
    this.#encoding = encoding;
    return this;
  }

  read() {
    if (this.#state === 'ended') return null;
    this.#state = 'ended';
    const bytes = checked(read(0), 'read');
    if (bytes.length === 0) return null;
    return this.#encoding === null ? Buffer.view(bytes) : decodeBytes(bytes, this.#encoding);
  }

  on(name, listener) {
    super.on(name, listener);
    if (name === 'data') this.resume();
    if (name === 'readable') this.#deliver(() => { this.emit('readable'); if (this.#state === 'ended') this.emit('end'); });
    return this;
  }

  once(name, listener) {
    super.once(name, listener);
    if (name === 'data') this.resume();
    return this;
  }

  addListener(name, listener) { return this.on(name, listener); }

  resume() {
    this.#deliver(() => {
      const chunk = this.read();
      if (chunk !== null) this.emit('data', chunk);
      this.emit('end');
      this.emit('close');
    });
    return this;
  }

  #deliver(how) {
    if (this.#state !== 'waiting') return;
    this.#state = 'flowing';
    setImmediate(how);
  }

  pause() { return this; }
  unref() { return this; }
  ref() { return this; }

  pipe(target) {
    this.on('data', (chunk) => target.write(chunk));
    this.on('end', () => target.end());
    return target;
  }

  async* [Symbol.asyncIterator]() {
    const chunk = this.read();
    if (chunk !== null) yield chunk;
  }
}

export const stdin = new Input();
export const stdout = new Output(1);
export const stderr = new Output(2);

async function bufferOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}

export const consumers = {
  buffer: bufferOf,
  text: async (stream) => (await bufferOf(stream)).toString(),
  json: async (stream) => JSON.parse((await bufferOf(stream)).toString()),
  arrayBuffer: async (stream) => Uint8Array.from(await bufferOf(stream)).buffer,
};

class LineReader extends EventEmitter {
  #input;

  constructor(input) {
    super();
    this.#input = input;
    setImmediate(async () => {
      if (this.listenerCount('line') + this.listenerCount('close') === 0) return;
      for await (const line of this) this.emit('line', line);
      this.emit('close');
    });
  }

  async* [Symbol.asyncIterator]() {
    const lines = (await consumers.text(this.#input)).split(/\r\n|\n|\r/);
    if (lines.at(-1) === '') lines.pop();
    yield* lines;
  }

  close() { return this; }
}

export const readline = { createInterface: (options) => new LineReader(options.input ?? options) };
