// `node:readline` and `node:readline/promises`, without a terminal: lines of a stream, and questions answered by its next line.

import { AbortError, EventEmitter } from './events.mjs';
import { stdin, StringDecoder } from './streams.mjs';
import { useLineReader } from './fs-streams.mjs';

export class Interface extends EventEmitter {
  #input;
  #output;
  #decoder = new StringDecoder('utf8');
  #rest = '';
  #prompt;
  #question = null;
  #afterReturn = false;

  constructor(input, output) {
    super();
    const options = typeof input?.on === 'function' ? { input, output } : input ?? {};
    this.#input = options.input ?? stdin;
    this.#output = options.output;
    this.#prompt = options.prompt ?? '> ';
    Object.assign(this, { terminal: false, line: '', closed: false, history: [] });
    this.onData = (chunk) => this.#take(chunk);
    this.onEnd = () => {
      const last = this.#rest + this.#decoder.end();
      this.#rest = '';
      if (last !== '') this.#line(last);
      this.close();
    };
    for (const name of ['onData', 'onEnd']) Object.defineProperty(this, name, { enumerable: false });
    this.#input.on('data', this.onData);
    this.#input.on('end', this.onEnd);
    if (options.signal) options.signal.addEventListener('abort', () => this.close(), { once: true });
    this.#input.resume();
  }

  get input() { return this.#input; }
  get output() { return this.#output; }

  #take(chunk) {
    let text = this.#decoder.write(chunk);
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1);
    if (text !== '') this.#afterReturn = text.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|[\n\r\u2028\u2029]/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    const question = this.#question;
    this.#question = null;
    if (question) question(line);
    else this.emit('line', line);
  }

  question(text, options, done) {
    const answer = typeof options === 'function' ? options : done;
    if (this.closed) throw Object.assign(new Error('readline was closed'), { code: 'ERR_USE_AFTER_CLOSE' });
    if (this.#question) return;
    this.#output?.write(text);
    this.#question = answer;
    options?.signal?.addEventListener('abort', () => { this.#question = null; }, { once: true });
  }

  setPrompt(text) { this.#prompt = text; }
  getPrompt() { return this.#prompt; }
  prompt() { this.#output?.write(this.#prompt); }
  write(text) { if (typeof text === 'string') this.#take(text); }
  getCursorPos() { return { rows: 0, cols: 0 }; }

  pause() {
    this.#input.pause();
    this.emit('pause');
    return this;
  }

  resume() {
    this.#input.resume();
    this.emit('resume');
    return this;
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.#input.off('data', this.onData);
    this.#input.off('end', this.onEnd);
    this.#input.pause();
    this.emit('close');
  }

  [Symbol.dispose]() { this.close(); }

  [Symbol.asyncIterator]() {
    const lines = EventEmitter.on(this, 'line', { close: ['close'] });
    const reader = this;
    return (async function* each() {
      try {
        for await (const [line] of lines) yield line;
      } finally {
        reader.close();
      }
    }());
  }
}

class PromiseInterface extends Interface {
  question(text, options = {}) {
    return new Promise((resolve, reject) => {
      options.signal?.addEventListener('abort', () => reject(new AbortError(options.signal.reason)), { once: true });
      super.question(text, options, resolve);
    });
  }
}

const control = (sequence) => (stream, ...rest) => {
  stream?.write?.(sequence(...rest));
  rest.findLast((value) => typeof value === 'function')?.();
  return true;
};
const helpers = {
  clearLine: control((direction) => (direction < 0 ? '\x1b[1K' : direction > 0 ? '\x1b[0K' : '\x1b[2K')),
  clearScreenDown: control(() => '\x1b[0J'),
  cursorTo: control((x, y) => (typeof y === 'number' ? `\x1b[${y + 1};${x + 1}H` : `\x1b[${x + 1}G`)),
  moveCursor: control((x, y) => (x < 0 ? `\x1b[${-x}D` : x > 0 ? `\x1b[${x}C` : '') + (y < 0 ? `\x1b[${-y}A` : y > 0 ? `\x1b[${y}B` : '')),
  emitKeypressEvents: () => undefined,
};

export const promises = { Interface: PromiseInterface, createInterface: (...values) => new PromiseInterface(...values) };
export const readline = { Interface, createInterface: (...values) => new Interface(...values), ...helpers, promises };

useLineReader((input) => new Interface({ input }));
