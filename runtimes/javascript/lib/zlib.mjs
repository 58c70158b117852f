// `node:zlib`: deflate and gzip, as calls and as streams that work when all input is there. No Brotli.

import { crc32, deflate, inflate } from 'runtime:host';

import { Buffer, encodeText } from './buffer.mjs';
import { bytesOf } from './encoding.mjs';
import { argumentError, coded } from './errors.mjs';
import { Transform } from './streams.mjs';

const constants = {
  Z_NO_FLUSH: 0, Z_PARTIAL_FLUSH: 1, Z_SYNC_FLUSH: 2, Z_FULL_FLUSH: 3, Z_FINISH: 4, Z_BLOCK: 5, Z_OK: 0, Z_STREAM_END: 1, Z_NEED_DICT: 2,
  Z_ERRNO: -1, Z_STREAM_ERROR: -2, Z_DATA_ERROR: -3, Z_MEM_ERROR: -4, Z_BUF_ERROR: -5, Z_VERSION_ERROR: -6, Z_NO_COMPRESSION: 0, Z_BEST_SPEED: 1,
  Z_BEST_COMPRESSION: 9, Z_DEFAULT_COMPRESSION: -1, Z_FILTERED: 1, Z_HUFFMAN_ONLY: 2, Z_RLE: 3, Z_FIXED: 4, Z_DEFAULT_STRATEGY: 0,
  DEFLATE: 1, INFLATE: 2, GZIP: 3, GUNZIP: 4, DEFLATERAW: 5, INFLATERAW: 6, UNZIP: 7, Z_MIN_WINDOWBITS: 8, Z_MAX_WINDOWBITS: 15, Z_DEFAULT_WINDOWBITS: 15,
  Z_MIN_CHUNK: 64, Z_MAX_CHUNK: Infinity, Z_DEFAULT_CHUNK: 16384, Z_MIN_MEMLEVEL: 1, Z_MAX_MEMLEVEL: 9, Z_DEFAULT_MEMLEVEL: 8, Z_MIN_LEVEL: -1,
  Z_MAX_LEVEL: 9, Z_DEFAULT_LEVEL: -1,
};
const names = Object.fromEntries(['Z_NEED_DICT', 'Z_ERRNO', 'Z_STREAM_ERROR', 'Z_DATA_ERROR', 'Z_MEM_ERROR', 'Z_BUF_ERROR'].map((name) => [constants[name], name]));
const texts = { Z_NEED_DICT: 'Missing dictionary', Z_BUF_ERROR: 'unexpected end of file', Z_DATA_ERROR: 'incorrect data', Z_STREAM_ERROR: 'stream error' };

function inputBytes(data) {
  if (typeof data === 'string') return encodeText(data, 'utf8');
  if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) return bytesOf(data);
  throw argumentError('buffer', 'of type string or an instance of Buffer, TypedArray, DataView, or ArrayBuffer', data);
}

function result(answer, limit) {
  if (answer instanceof Uint8Array && answer.length <= limit) return Buffer.view(answer);
  if (answer instanceof Uint8Array || answer[0] === constants.Z_VERSION_ERROR) {
    throw coded('ERR_BUFFER_TOO_LARGE', `Cannot create a Buffer larger than ${limit} bytes`, RangeError);
  }
  const [number, message] = answer;
  const code = names[number] ?? 'Z_STREAM_ERROR';
  throw Object.assign(new Error(message || texts[code]), { errno: number, code });
}

const LARGEST = 2 ** 32 - 1;
const compressor = (wrap) => (data, { level = -1, windowBits = 15, memLevel = 8, strategy = 0, dictionary, maxOutputLength = LARGEST } = {}) => result(
  deflate(inputBytes(data), wrap(windowBits), level, memLevel, strategy, dictionary === undefined ? undefined : bytesOf(dictionary)), maxOutputLength,
);
const decompressor = (wrap) => (data, { windowBits = 15, dictionary, finishFlush = constants.Z_FINISH, maxOutputLength = LARGEST } = {}) => {
  const bytes = inputBytes(data);
  return result(inflate(bytes, wrap(windowBits || 15, bytes), dictionary === undefined ? undefined : bytesOf(dictionary), maxOutputLength, finishFlush !== constants.Z_FINISH), maxOutputLength);
};
const calls = {
  deflate: compressor((bits) => bits),
  gzip: compressor((bits) => bits + 16),
  deflateRaw: compressor((bits) => -Math.max(9, bits)),
  inflate: decompressor((bits) => bits),
  gunzip: decompressor((bits) => bits + 16),
  inflateRaw: decompressor((bits) => -bits),
  unzip: decompressor((bits, bytes) => (bytes[0] === 0x1f && bytes[1] === 0x8b ? bits + 16 : bits)),
};

// Collects its input and works when it ends.
class ZlibStream extends Transform {
  #call;
  #options;
  #chunks = [];

  constructor(call, options) {
    super(options);
    this.#call = call;
    this.#options = options;
    this.bytesWritten = 0;
  }

  _transform(chunk, encoding, done) {
    this.#chunks.push(chunk);
    this.bytesWritten += chunk.length;
    done();
  }

  _flush(done) {
    try {
      this.push(this.#call(Buffer.concat(this.#chunks), this.#options));
      done();
    } catch (error) {
      done(error);
    }
  }

  flush(kind, done) { (typeof kind === 'function' ? kind : done)?.(); }
  close(done) {
    if (done) this.once('close', done);
    this.destroy();
  }
}

export const zlib = {
  constants, codes: { ...names, ...Object.fromEntries(Object.entries(names).map(([number, name]) => [name, Number(number)])) },
  crc32: (data, start = 0) => crc32(inputBytes(data), start),
};
for (const [name, call] of Object.entries(calls)) {
  const Class = name[0].toUpperCase() + name.slice(1);
  zlib[`${name}Sync`] = call;
  zlib[name] = (data, ...rest) => {
    const done = rest.pop();
    if (typeof done !== 'function') throw argumentError('callback', 'of type function', done);
    new Promise((resolve) => { resolve(call(data, rest[0])); }).then((value) => done(null, value), done);
  };
  zlib[Class] = class extends ZlibStream { constructor(options) { super(call, options); } };
  Object.defineProperty(zlib[Class], 'name', { value: Class });
  zlib[`create${Class}`] = (options) => new zlib[Class](options);
}
for (const name of ['brotliCompress', 'brotliCompressSync', 'brotliDecompress', 'brotliDecompressSync', 'createBrotliCompress', 'createBrotliDecompress']) {
  zlib[name] = () => { throw coded('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', `zlib.${name}() is not available: this runtime has deflate and gzip; the native backend has Brotli`); };
}
Object.assign(zlib, constants);
