// A small Buffer: a Uint8Array whose toString() is text. Enough for what reads and writes files and streams.

import { decode as decodeUtf8 } from 'runtime:host';

import { bytesOf, latin1Text, utf16Text, utf8Bytes } from './encoding.mjs';
import { argumentError, coded } from './errors.mjs';

function unknownEncoding(encoding) {
  return coded('ERR_UNKNOWN_ENCODING', `Unknown encoding: ${encoding}`, TypeError);
}

// The short name of an encoding that Node knows by several.
export function encodingName(encoding = 'utf8') {
  switch (String(encoding).toLowerCase()) {
    case 'utf8': case 'utf-8': return 'utf8';
    case 'latin1': case 'binary': return 'latin1';
    case 'ascii': return 'ascii';
    case 'hex': return 'hex';
    case 'base64': return 'base64';
    case 'base64url': return 'base64url';
    case 'utf16le': case 'utf-16le': case 'ucs2': case 'ucs-2': return 'utf16le';
    default: throw unknownEncoding(encoding);
  }
}

export function encodeText(text, encoding) {
  switch (encodingName(encoding)) {
    case 'utf8': return utf8Bytes(text);
    case 'latin1': case 'ascii': return Uint8Array.from(text, (character) => character.charCodeAt(0));
    case 'hex': return Uint8Array.from(/^(?:[0-9a-f]{2})*/i.exec(text)[0].match(/../g) ?? [], (pair) => parseInt(pair, 16));
    case 'utf16le': return new Uint8Array(Uint16Array.from({ length: text.length }, (_, at) => text.charCodeAt(at)).buffer);
    default: {
      const cleaned = text.replace(/=.*$/s, '').replace(/-/g, '+').replace(/_/g, '/').replace(/[^A-Za-z0-9+/]/g, '');
      const whole = cleaned.length % 4 === 1 ? cleaned.slice(0, -1) : cleaned;
      return Uint8Array.from(atob(whole), (character) => character.charCodeAt(0));
    }
  }
}

export function decodeBytes(bytes, encoding) {
  switch (encodingName(encoding)) {
    case 'utf8': return decodeUtf8(bytes);
    case 'latin1': return latin1Text(bytes);
    case 'ascii': return latin1Text(bytes.map((byte) => byte & 0x7f));
    case 'hex': return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    case 'utf16le': return utf16Text(bytes);
    case 'base64': return btoa(latin1Text(bytes));
    default: return btoa(latin1Text(bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  }
}

export class Buffer extends Uint8Array {
  static from(source, encodingOrOffset, length) {
    if (typeof source === 'string') return Buffer.view(encodeText(source, encodingOrOffset));
    if (source instanceof ArrayBuffer) return new Buffer(source, encodingOrOffset, length);
    if (source?.type === 'Buffer' && Array.isArray(source.data)) return Buffer.from(source.data);
    if (source === null || typeof source !== 'object') {
      throw argumentError('value', 'a string, an array, an ArrayBuffer or a Buffer', source);
    }
    const copy = new Buffer(source.length ?? 0);
    copy.set(source);
    return copy;
  }

  // The same bytes, not a copy.
  static view(bytes) { return new Buffer(bytes.buffer, bytes.byteOffset, bytes.byteLength); }

  static alloc(size, fill, encoding) {
    const buffer = new Buffer(size);
    return fill === undefined ? buffer : buffer.fill(fill, 0, size, encoding);
  }

  static allocUnsafe(size) { return new Buffer(size); }

  static isBuffer(value) { return value instanceof Buffer; }

  static isEncoding(name) {
    try {
      return Boolean(encodingName(name));
    } catch {
      return false;
    }
  }

  static byteLength(value, encoding) {
    return typeof value === 'string' ? encodeText(value, encoding).length : bytesOf(value).length;
  }

  static concat(list, total = list.reduce((sum, part) => sum + part.length, 0)) {
    const joined = new Buffer(total);
    let at = 0;
    for (const part of list) {
      const fitting = part.subarray(0, Math.max(0, total - at));
      joined.set(fitting, at);
      at += fitting.length;
    }
    return joined;
  }

  static compare(one, other) {
    const shared = Math.min(one.length, other.length);
    for (let at = 0; at < shared; at += 1) {
      if (one[at] !== other[at]) return one[at] < other[at] ? -1 : 1;
    }
    return Math.sign(one.length - other.length);
  }

  toString(encoding, start = 0, end = this.length) { return decodeBytes(this.subarray(start, end), encoding); }
  toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
  equals(other) { return Buffer.compare(this, other) === 0; }
  compare(other) { return Buffer.compare(this, other); }
  slice(start, end) { return this.subarray(start, end); }

  write(text, offset = 0, length = this.length - offset, encoding = 'utf8') {
    const bytes = encodeText(text, encoding).subarray(0, Math.min(length, this.length - offset));
    this.set(bytes, offset);
    return bytes.length;
  }

  copy(target, targetStart = 0, start = 0, end = this.length) {
    const part = this.subarray(start, Math.min(end, start + target.length - targetStart));
    target.set(part, targetStart);
    return part.length;
  }

  fill(value, start = 0, end = this.length, encoding = 'utf8') {
    if (typeof value === 'number') return super.fill(value, start, end);
    const bytes = typeof value === 'string' ? encodeText(value, encoding) : value;
    for (let at = start; at < end; at += 1) this[at] = bytes.length > 0 ? bytes[(at - start) % bytes.length] : 0;
    return this;
  }

  indexOf(value, from = 0, encoding = 'utf8') {
    if (typeof value === 'number') return super.indexOf(value, from);
    const wanted = typeof value === 'string' ? encodeText(value, encoding) : value;
    for (let at = Math.max(0, from); at <= this.length - wanted.length; at += 1) {
      if (wanted.every((byte, offset) => this[at + offset] === byte)) return at;
    }
    return -1;
  }

  includes(value, from, encoding) { return this.indexOf(value, from, encoding) >= 0; }
}

// readUInt32BE and its relatives, on top of DataView.
const numbers = {
  UInt16: ['Uint16', 2], UInt32: ['Uint32', 4], Int16: ['Int16', 2], Int32: ['Int32', 4],
  Float: ['Float32', 4], Double: ['Float64', 8], BigInt64: ['BigInt64', 8], BigUInt64: ['BigUint64', 8],
};
const method = (value) => ({ value, writable: true, configurable: true });
const viewOf = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
for (const [name, [kind, size]] of Object.entries(numbers)) {
  for (const [order, little] of [['LE', true], ['BE', false]]) {
    Object.defineProperty(Buffer.prototype, `read${name}${order}`, method(function read(offset = 0) {
      return viewOf(this)[`get${kind}`](offset, little);
    }));
    Object.defineProperty(Buffer.prototype, `write${name}${order}`, method(function write(value, offset = 0) {
      viewOf(this)[`set${kind}`](offset, value, little);
      return offset + size;
    }));
  }
}
for (const [name, kind] of [['UInt8', 'Uint8'], ['Int8', 'Int8']]) {
  Object.defineProperty(Buffer.prototype, `read${name}`, method(function read(offset = 0) {
    return viewOf(this)[`get${kind}`](offset);
  }));
  Object.defineProperty(Buffer.prototype, `write${name}`, method(function write(value, offset = 0) {
    viewOf(this)[`set${kind}`](offset, value);
    return offset + 1;
  }));
}
