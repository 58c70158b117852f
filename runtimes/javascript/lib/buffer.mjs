// `node:buffer`: Buffer, Blob and File.

import { decode as decodeUtf8 } from 'runtime:host';

import { TextDecoder, bytesOf, latin1Text, utf16Text, utf8Bytes } from './encoding.mjs';
import { argumentError, coded, rangeError } from './errors.mjs';

const LENGTH_LIMIT = 2 ** 32;
const STRING_LIMIT = 2 ** 29 - 24;

// The short name of an encoding that Node knows by several, or undefined.
function knownEncoding(encoding) {
  switch (String(encoding).toLowerCase()) {
    case 'utf8': case 'utf-8': return 'utf8';
    case 'latin1': case 'binary': return 'latin1';
    case 'ascii': return 'ascii';
    case 'hex': return 'hex';
    case 'base64': return 'base64';
    case 'base64url': return 'base64url';
    case 'utf16le': case 'utf-16le': case 'ucs2': case 'ucs-2': return 'utf16le';
    default: return undefined;
  }
}

export function encodingName(encoding) {
  const name = encoding === undefined || encoding === null || encoding === '' ? 'utf8' : knownEncoding(encoding);
  if (!name) throw coded('ERR_UNKNOWN_ENCODING', `Unknown encoding: ${encoding}`, TypeError);
  return name;
}

const unitsOf = (text) => {
  const units = new Uint16Array(text.length);
  for (let at = 0; at < text.length; at += 1) units[at] = text.charCodeAt(at);
  return units;
};

function fromBase64(text) {
  const cleaned = text.replace(/=.*$/s, '').replace(/-/g, '+').replace(/_/g, '/').replace(/[^A-Za-z0-9+/]/g, '');
  return Uint8Array.fromBase64(cleaned.length % 4 === 1 ? cleaned.slice(0, -1) : cleaned);
}

export function encodeText(text, encoding) {
  switch (encodingName(encoding)) {
    case 'utf8': return utf8Bytes(text);
    case 'latin1': case 'ascii': return Uint8Array.from(unitsOf(text));
    case 'hex': return Uint8Array.fromHex(/^(?:[0-9a-f]{2})*/i.exec(text)[0]);
    case 'utf16le': return new Uint8Array(unitsOf(text).buffer);
    default: return fromBase64(text);
  }
}

export function decodeBytes(bytes, encoding) {
  switch (encodingName(encoding)) {
    case 'utf8': return decodeUtf8(bytes);
    case 'latin1': return latin1Text(bytes);
    case 'ascii': return latin1Text(bytes.map((byte) => byte & 0x7f));
    case 'hex': return Uint8Array.prototype.toHex.call(bytes);
    case 'utf16le': return utf16Text(bytes);
    case 'base64': return Uint8Array.prototype.toBase64.call(bytes);
    default: return Uint8Array.prototype.toBase64.call(bytes, { alphabet: 'base64url', omitPadding: true });
  }
}

const isBytes = (value) => value instanceof Uint8Array;
const isArrayBuffer = (value) => value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;

function checkSize(size) {
  if (typeof size !== 'number') throw argumentError('size', 'of type number', size);
  if (!(size >= 0 && size <= LENGTH_LIMIT)) throw rangeError('size', `>= 0 && <= ${LENGTH_LIMIT}`, size);
  return size;
}

export class Buffer extends Uint8Array {
  static from(source, encodingOrOffset, length) {
    if (typeof source === 'string') return Buffer.view(encodeText(source, encodingOrOffset));
    if (isArrayBuffer(source)) return new Buffer(source, encodingOrOffset, length);
    if (source !== null && typeof source === 'object') {
      if (source.type === 'Buffer' && Array.isArray(source.data)) return Buffer.from(source.data);
      const value = source.valueOf?.();
      if (value !== source && (typeof value === 'string' || (typeof value === 'object' && value !== null))) return Buffer.from(value, encodingOrOffset, length);
      if (typeof source.length === 'number' || isArrayBuffer(source.buffer)) {
        const copy = new Buffer(Number.isInteger(source.length) ? source.length : 0);
        if (ArrayBuffer.isView(source)) copy.set(source);
        else for (let at = 0; at < copy.length; at += 1) copy[at] = source[at];
        return copy;
      }
      if (typeof source[Symbol.toPrimitive] === 'function') return Buffer.from(source[Symbol.toPrimitive]('string'), encodingOrOffset);
    }
    throw firstArgumentError(source);
  }

  static of(...values) { return Buffer.from(values); }

  // The same bytes, not a copy.
  static view(bytes) { return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength); }

  static alloc(size, fill, encoding) {
    const buffer = new Buffer(checkSize(size));
    return fill === undefined || fill === 0 ? buffer : buffer.fill(fill, 0, size, encoding);
  }

  static allocUnsafe(size) { return new Buffer(checkSize(size)); }
  static allocUnsafeSlow(size) { return new Buffer(checkSize(size)); }
  static isBuffer(value) { return value instanceof Buffer; }
  static isEncoding(name) { return typeof name === 'string' && knownEncoding(name) !== undefined; }

  static byteLength(value, encoding) {
    if (typeof value === 'string') return encodeText(value, Buffer.isEncoding(encoding) ? encoding : 'utf8').length;
    if (ArrayBuffer.isView(value) || isArrayBuffer(value)) return value.byteLength;
    throw argumentError('string', 'of type string or an instance of Buffer or ArrayBuffer', value);
  }

  static concat(list, total) {
    if (!Array.isArray(list)) throw argumentError('list', 'an instance of Array', list);
    list.forEach((part, at) => { if (!isBytes(part)) throw argumentError(`list[${at}]`, 'an instance of Buffer or Uint8Array', part); });
    const joined = new Buffer(total ?? list.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of list) {
      const fitting = part.subarray(0, Math.max(0, joined.length - at));
      joined.set(fitting, at);
      at += fitting.length;
    }
    return joined;
  }

  static compare(one, other) {
    if (!isBytes(one)) throw argumentError('buf1', 'an instance of Buffer or Uint8Array', one);
    if (!isBytes(other)) throw argumentError('buf2', 'an instance of Buffer or Uint8Array', other);
    const shared = Math.min(one.length, other.length);
    for (let at = 0; at < shared; at += 1) {
      if (one[at] !== other[at]) return one[at] < other[at] ? -1 : 1;
    }
    return Math.sign(one.length - other.length);
  }

  static copyBytesFrom(view, offset = 0, length = view.length - offset) {
    return Buffer.from(bytesOf(view.slice(offset, offset + length)));
  }

  toString(encoding, start = 0, end = this.length) {
    const from = Math.max(0, Math.trunc(start) || 0);
    const to = end === undefined ? this.length : Math.min(this.length, Math.trunc(end) || 0);
    return to <= from ? '' : decodeBytes(this.subarray(from, to), encoding);
  }
  toLocaleString(encoding, start, end) { return this.toString(encoding, start, end); }
  toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
  get parent() { return this.buffer; }
  get offset() { return this.byteOffset; }

  equals(other) {
    if (!isBytes(other)) throw argumentError('otherBuffer', 'an instance of Buffer or Uint8Array', other);
    return this === other || Buffer.compare(this, other) === 0;
  }

  compare(target, targetStart = 0, targetEnd = target.length, start = 0, end = this.length) {
    return Buffer.compare(this.subarray(start, end), isBytes(target) ? target.subarray(targetStart, targetEnd) : target);
  }

  slice(start, end) { return this.subarray(start, end); }

  // (text), (text, encoding), (text, offset), (text, offset, encoding), (text, offset, length, encoding)
  write(text, ...rest) {
    if (typeof text !== 'string') throw argumentError('argument', 'of type string', text);
    const encoding = rest.find((value) => typeof value === 'string') ?? 'utf8';
    const [offset = 0, length = Infinity] = rest.filter((value) => typeof value === 'number');
    if (offset < 0 || offset > this.length) throw rangeError('offset', `>= 0 && <= ${this.length}`, offset);
    const room = Math.min(length, this.length - offset);
    let bytes = encodeText(text, encoding);
    if (bytes.length > room) {
      // No part of a character.
      let end = Math.max(0, room);
      if (encodingName(encoding) === 'utf8') while (end > 0 && (bytes[end] & 0xc0) === 0x80) end -= 1;
      if (encodingName(encoding) === 'utf16le') end -= end % 2;
      bytes = bytes.subarray(0, end);
    }
    this.set(bytes, offset);
    return bytes.length;
  }

  copy(target, targetStart = 0, start = 0, end = this.length) {
    const part = this.subarray(start, Math.min(end, start + Math.max(0, target.length - targetStart)));
    target.set(part, targetStart);
    return part.length;
  }

  fill(value, ...rest) {
    const encoding = rest.find((item) => typeof item === 'string') ?? 'utf8';
    const [start = 0, end = this.length] = rest.filter((item) => typeof item === 'number');
    if (start < 0 || start > this.length) throw rangeError('offset', `>= 0 && <= ${this.length}`, start);
    if (end < 0 || end > this.length) throw rangeError('end', `>= 0 && <= ${this.length}`, end);
    if (typeof value === 'number' || typeof value === 'boolean') return super.fill(Number(value) & 255, start, end);
    const bytes = typeof value === 'string' ? encodeText(value, encoding) : bytesOf(value);
    if (bytes.length === 0 && typeof value === 'string' && value !== '') throw coded('ERR_INVALID_ARG_VALUE', `The argument 'value' is invalid. Received '${value}'`, TypeError);
    if (bytes.length === 0) return super.fill(0, start, end);
    for (let at = start; at < end; at += 1) this[at] = bytes[(at - start) % bytes.length];
    return this;
  }

  indexOf(value, from, encoding) { return search(this, value, from, encoding, false); }
  lastIndexOf(value, from, encoding) { return search(this, value, from, encoding, true); }
  includes(value, from, encoding) { return this.indexOf(value, from, encoding) >= 0; }

  swap16() { return swap(this, 2); }
  swap32() { return swap(this, 4); }
  swap64() { return swap(this, 8); }

  [Symbol.for('nodejs.util.inspect.custom')](depth, options) {
    const shown = this.subarray(0, 50).toString('hex').replace(/..(?=.)/g, '$& ');
    const more = this.length - 50;
    return `<${this.constructor.name} ${shown}${more > 0 ? ` ... ${more} more byte${more > 1 ? 's' : ''}` : ''}>`.replace(' >', '>');
  }
}

function firstArgumentError(value) {
  const error = argumentError('x', 'x', value);
  return coded('ERR_INVALID_ARG_TYPE', 'The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object.'
    + error.message.slice(error.message.indexOf(' Received')), TypeError);
}

function search(buffer, value, from, encoding, last) {
  const named = typeof from === 'string' ? from : encoding;
  let wanted = value;
  if (typeof value === 'number') wanted = Uint8Array.of(value & 255);
  else if (typeof value === 'string') wanted = encodeText(value, named);
  else if (!isBytes(value)) throw argumentError('value', 'one of type number or string or an instance of Buffer or Uint8Array', value);
  const end = buffer.length - wanted.length;
  let start = typeof from === 'string' || from === undefined || Number.isNaN(Number(from)) ? (last ? end : 0) : Math.trunc(Number(from));
  if (start < 0) start += buffer.length;
  if (start < 0 && last) return -1;
  const first = wanted[0];
  for (let at = last ? Math.min(start, end) : Math.max(0, start); at >= 0 && at <= end; at += last ? -1 : 1) {
    if (!last && wanted.length > 0 && buffer[at] !== first) {
      at = Uint8Array.prototype.indexOf.call(buffer, first, at);
      if (at < 0 || at > end) return -1;
    }
    let matched = 0;
    while (matched < wanted.length && buffer[at + matched] === wanted[matched]) matched += 1;
    if (matched === wanted.length) return at;
  }
  return -1;
}

function swap(buffer, size) {
  if (buffer.length % size !== 0) throw coded('ERR_INVALID_BUFFER_SIZE', `Buffer size must be a multiple of ${size * 8}-bits`, RangeError);
  for (let at = 0; at < buffer.length; at += size) Uint8Array.prototype.reverse.call(buffer.subarray(at, at + size));
  return buffer;
}

// readUInt32BE and its relatives, on top of DataView.
const numbers = {
  UInt8: ['Uint8', 1, 0, 255], Int8: ['Int8', 1, -128, 127], UInt16: ['Uint16', 2, 0, 65535], UInt32: ['Uint32', 4, 0, 2 ** 32 - 1],
  Int16: ['Int16', 2, -32768, 32767], Int32: ['Int32', 4, -(2 ** 31), 2 ** 31 - 1],
  Float: ['Float32', 4], Double: ['Float64', 8], BigInt64: ['BigInt64', 8], BigUInt64: ['BigUint64', 8],
};
const define = (name, value) => {
  Object.defineProperty(value, 'name', { value: name });
  for (const alias of [name, name.replace('UInt', 'Uint')]) Object.defineProperty(Buffer.prototype, alias, { value, writable: true, configurable: true });
};
const viewOf = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);

function checkOffset(buffer, offset, size) {
  if (typeof offset !== 'number') throw argumentError('offset', 'of type number', offset);
  if (!Number.isInteger(offset)) throw rangeError('offset', 'an integer', offset);
  if (size > buffer.length) throw coded('ERR_BUFFER_OUT_OF_BOUNDS', 'Attempt to access memory outside buffer bounds', RangeError);
  if (offset < 0 || offset > buffer.length - size) throw rangeError('offset', `>= 0 and <= ${buffer.length - size}`, offset);
}

function checkValue(value, low, high) {
  if (low !== undefined && (value < low || value > high)) throw rangeError('value', `>= ${low} and <= ${high}`, value);
}

for (const [name, [kind, size, low, high]] of Object.entries(numbers)) {
  for (const [order, little] of size === 1 ? [['', true]] : [['LE', true], ['BE', false]]) {
    define(`read${name}${order}`, function read(offset = 0) {
      checkOffset(this, offset, size);
      return viewOf(this)[`get${kind}`](offset, little);
    });
    define(`write${name}${order}`, function write(value, offset = 0) {
      checkValue(value, low, high);
      checkOffset(this, offset, size);
      viewOf(this)[`set${kind}`](offset, value, little);
      return offset + size;
    });
  }
}

// readUIntBE(offset, length) and its relatives: one to six bytes.
for (const signed of [false, true]) {
  for (const little of [true, false]) {
    const name = `${signed ? 'Int' : 'UInt'}${little ? 'LE' : 'BE'}`;
    const checkLength = (length) => { if (!(length >= 1 && length <= 6)) throw rangeError('byteLength', '>= 1 and <= 6', length); };
    define(`read${name}`, function read(offset, length) {
      checkLength(length);
      checkOffset(this, offset, length);
      let value = 0;
      for (let at = 0; at < length; at += 1) value = value * 256 + this[little ? offset + length - 1 - at : offset + at];
      return signed && value >= 2 ** (8 * length - 1) ? value - 2 ** (8 * length) : value;
    });
    define(`write${name}`, function write(value, offset, length) {
      checkLength(length);
      checkValue(value, signed ? -(2 ** (8 * length - 1)) : 0, 2 ** (8 * length - (signed ? 1 : 0)) - 1);
      checkOffset(this, offset, length);
      let rest = value < 0 ? value + 2 ** (8 * length) : value;
      for (let at = 0; at < length; at += 1) {
        this[little ? offset + at : offset + length - 1 - at] = rest % 256;
        rest = Math.floor(rest / 256);
      }
      return offset + length;
    });
  }
}
for (const encoding of ['utf8', 'latin1', 'ascii', 'hex', 'base64', 'base64url', 'ucs2']) {
  define(`${encoding}Slice`, function slice(start, end) { return this.toString(encoding, start, end); });
  define(`${encoding}Write`, function write(text, offset = 0, length = this.length) { return this.write(text, offset, length, encoding); });
}
Buffer.poolSize = 8192;

// Blob and File after the File API standard.

const parts = Symbol('parts');

export class Blob {
  #bytes;
  #type;

  constructor(sources = [], { type = '', endings } = {}) {
    if (sources === null || typeof sources !== 'object' || typeof sources[Symbol.iterator] !== 'function') {
      throw argumentError('sources', 'a sequence', sources);
    }
    const native = (text) => (endings === 'native' ? text.replace(/\r\n|\r/g, '\n') : text);
    this.#bytes = Buffer.concat(Array.from(sources, (source) => {
      if (source instanceof Blob) return source[parts]();
      if (ArrayBuffer.isView(source) || isArrayBuffer(source)) return bytesOf(source);
      return utf8Bytes(native(String(source)));
    }));
    this.#type = /[^\x20-\x7e]/.test(type) ? '' : String(type).toLowerCase();
  }

  [parts]() { return this.#bytes; }
  get size() { return this.#bytes.length; }
  get type() { return this.#type; }
  slice(start = 0, end = this.size, type = '') { return new Blob([Uint8Array.prototype.slice.call(this.#bytes, start, end)], { type }); }
  async text() { return decodeUtf8(this.#bytes); }
  async arrayBuffer() { return Uint8Array.from(this.#bytes).buffer; }
  async bytes() { return Uint8Array.from(this.#bytes); }
  get [Symbol.toStringTag]() { return 'Blob'; }
}

export class File extends Blob {
  #name;
  #modified;

  constructor(sources, name, options = {}) {
    super(sources, options);
    if (arguments.length < 2) throw coded('ERR_MISSING_ARGS', 'The "sources" and "fileName" arguments must be specified', TypeError);
    this.#name = String(name).toWellFormed();
    this.#modified = options.lastModified ?? Date.now();
  }

  get name() { return this.#name; }
  get lastModified() { return this.#modified; }
  get [Symbol.toStringTag]() { return 'File'; }
}

function isUtf8(bytes) {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

const constants = { MAX_LENGTH: LENGTH_LIMIT, MAX_STRING_LENGTH: STRING_LIMIT };
export const buffer = {
  Buffer, Blob, File, SlowBuffer: Buffer, constants, kMaxLength: LENGTH_LIMIT, kStringMaxLength: STRING_LIMIT, INSPECT_MAX_BYTES: 50,
  atob: globalThis.atob, btoa: globalThis.btoa,
  isUtf8: (bytes) => isUtf8(bytesOf(bytes)),
  isAscii: (bytes) => bytesOf(bytes).every((byte) => byte < 128),
  transcode: (bytes, from, to) => Buffer.from(decodeBytes(bytes, from), to),
};
