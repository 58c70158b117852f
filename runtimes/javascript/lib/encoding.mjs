// TextEncoder, TextDecoder (UTF-8, UTF-16LE, Latin-1) and the byte encodings that Buffer offers.

import { decode as decodeUtf8, encode as encodeUtf8 } from 'runtime:host';

import { coded } from './errors.mjs';

export function bytesOf(source) {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  throw coded('ERR_INVALID_ARG_TYPE', 'expected an ArrayBuffer or a view of one', TypeError);
}

// Text as UTF-8; lone surrogates become U+FFFD.
export const utf8Bytes = (text) => encodeUtf8(text.toWellFormed());

export class TextEncoder {
  get encoding() { return 'utf-8'; }

  encode(text = '') { return utf8Bytes(String(text)); }

  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = utf8Bytes(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }

  get [Symbol.toStringTag]() { return 'TextEncoder'; }
}

export function latin1Text(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

export function utf16Text(bytes) {
  const units = new Uint16Array(bytes.length >> 1);
  new Uint8Array(units.buffer).set(bytes.subarray(0, units.byteLength));
  let text = '';
  for (let at = 0; at < units.length; at += 4096) text += String.fromCharCode(...units.subarray(at, at + 4096));
  return text;
}

// How many bytes at the end begin a UTF-8 character that more bytes could complete.
function unfinished(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}

function isUtf8(bytes, text) {
  if (!text.includes('\ufffd')) return true;
  const again = encodeUtf8(text);
  return again.length === bytes.length && again.every((byte, at) => byte === bytes[at]);
}

const labels = new Map([
  ['utf-8', 'utf-8'], ['utf8', 'utf-8'], ['unicode-1-1-utf-8', 'utf-8'], ['utf-16le', 'utf-16le'], ['utf-16', 'utf-16le'],
  ['latin1', 'windows-1252'], ['ascii', 'windows-1252'], ['iso-8859-1', 'windows-1252'], ['windows-1252', 'windows-1252'],
]);

export class TextDecoder {
  #encoding;
  #pending = new Uint8Array(0);
  #started = false;

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    this.#encoding = labels.get(String(label).trim().toLowerCase());
    if (!this.#encoding) throw coded('ERR_ENCODING_NOT_SUPPORTED', `The "${label}" encoding is not supported`, RangeError);
    Object.defineProperties(this, { fatal: { value: fatal }, ignoreBOM: { value: ignoreBOM } });
  }

  get encoding() { return this.#encoding; }

  decode(source = new Uint8Array(0), { stream = false } = {}) {
    let bytes = bytesOf(source);
    if (this.#encoding === 'windows-1252') return latin1Text(bytes);
    if (this.#pending.length > 0) {
      const joined = new Uint8Array(this.#pending.length + bytes.length);
      joined.set(this.#pending);
      joined.set(bytes, this.#pending.length);
      bytes = joined;
    }
    const keep = !stream ? 0 : this.#encoding === 'utf-8' ? unfinished(bytes) : bytes.length % 2;
    this.#pending = bytes.slice(bytes.length - keep);
    bytes = bytes.subarray(0, bytes.length - keep);
    let text = this.#encoding === 'utf-8' ? decodeUtf8(bytes) : utf16Text(bytes);
    if (this.fatal && this.#encoding === 'utf-8' && !isUtf8(bytes, text)) {
      throw coded('ERR_ENCODING_INVALID_ENCODED_DATA', 'The encoded data was not valid for encoding utf-8', TypeError);
    }
    if (!this.#started && !this.ignoreBOM && text.startsWith('\ufeff')) text = text.slice(1);
    this.#started = stream && (this.#started || text !== '');
    return text;
  }

  get [Symbol.toStringTag]() { return 'TextDecoder'; }
}
