// `node:stream` (readable-stream, which is Node's own), `node:string_decoder`, and the standard streams of the process.

import streamModule from 'readable-stream/lib/stream.js';
import { readInto, write } from 'runtime:host';

import { Blob, Buffer, encodeText } from './buffer.mjs';
import { utf8Bytes } from './encoding.mjs';
import { argumentError, checked } from './errors.mjs';
import { streamProcess } from './npm/process.mjs';
import { nextTick } from './ticks.mjs';

export const stream = streamModule;
export const { Readable, Writable, Transform, Duplex, PassThrough, pipeline, finished } = streamModule;

const INPUT_BYTES = 64 << 10;

// Standard output and standard error. A write is done when the call returns.
class Output extends Writable {
  constructor(fd) {
    super({ decodeStrings: false, autoDestroy: false, emitClose: false });
    this.fd = fd;
    this._type = 'pipe';
    this._isStdio = true;
  }

  write(chunk, encoding, done) {
    const callback = typeof encoding === 'function' ? encoding : done;
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) {
      throw argumentError('chunk', 'of type string or an instance of Buffer or Uint8Array', chunk);
    }
    if (this.writableEnded) return super.write(chunk, encoding, done);
    const isPlain = typeof chunk === 'string' && (typeof encoding !== 'string' || /^utf-?8$/i.test(encoding));
    checked(write(this.fd, isPlain ? chunk.toWellFormed() : typeof chunk === 'string' ? encodeText(chunk, encoding) : chunk), 'write');
    if (callback) nextTick(callback);
    return true;
  }

  _write(chunk, encoding, done) { done(); }
  destroySoon() { this.end(); }
  _destroy(error, done) { done(error); }
}

class Input extends Readable {
  constructor() {
    super({ highWaterMark: INPUT_BYTES, autoDestroy: false, emitClose: true });
    this.fd = 0;
    this._type = 'pipe';
  }

  _read() {
    const chunk = Buffer.alloc(INPUT_BYTES);
    const count = readInto(0, chunk, -1);
    if (count < 0) this.destroy(checked(count, 'read'));
    else this.push(count > 0 ? chunk.subarray(0, count) : null);
  }

  setRawMode() { return this; }
  ref() { return this; }
  unref() { return this; }
}

export const stdin = new Input();
export const stdout = new Output(1);
export const stderr = new Output(2);
Object.assign(streamProcess, { stdin, stdout, stderr });

export { StringDecoder } from './string-decoder.mjs';

async function bufferOf(source) {
  const chunks = [];
  for await (const chunk of source) chunks.push(typeof chunk === 'string' ? utf8Bytes(chunk) : chunk);
  return Buffer.concat(chunks);
}

export const consumers = {
  buffer: bufferOf,
  text: async (source) => (await bufferOf(source)).toString(),
  json: async (source) => JSON.parse((await bufferOf(source)).toString()),
  arrayBuffer: async (source) => Uint8Array.from(await bufferOf(source)).buffer,
  blob: async (source) => new Blob([await bufferOf(source)]),
};
