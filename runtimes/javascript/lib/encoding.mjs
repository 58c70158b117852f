// TextEncoder, TextDecoder and the byte encodings that Buffer offers.
//
// UTF-8 is the engine's; every other encoding of the WHATWG Encoding Standard is @exodus/bytes', which has the standard's index
// tables.

import { TextDecoder as LegacyDecoder, normalizeEncoding } from '@exodus/bytes/encoding.js';
import { decode as decodeUtf8, encode as encodeUtf8 } from 'runtime:host';

import { argumentError, coded } from './errors.mjs';

export function bytesOf(source) {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  throw argumentError('input', 'an instance of ArrayBuffer or ArrayBufferView', source);
}

// Text as UTF-8; lone surrogates become U+FFFD.
export const utf8Bytes = (text) => encodeUtf8(text.toWellFormed());

export class TextEncoder {
  get encoding() { return 'utf-8'; }

  encode(text = '') { return utf8Bytes(String(text)); }

  encodeInto(source, target) {
    if (!(target instanceof Uint8Array)) throw argumentError('dest', 'an instance of Uint8Array', target);
    const text = String(source);
    const whole = utf8Bytes(text);
    if (whole.length <= target.length) {
      target.set(whole);
      return { read: text.length, written: whole.length };
    }
    let end = target.length;
    while (end > 0 && (whole[end] & 0xc0) === 0x80) end -= 1;
    target.set(whole.subarray(0, end));
    return { read: decodeUtf8(whole.subarray(0, end)).length, written: end };
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

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBom;
  // The package's decoder, made at the first text that the engine cannot decode alone: a part of one, or one that must be checked.
  #decoder;

  constructor(label = 'utf-8', options = {}) {
    const encoding = normalizeEncoding(String(label));
    if (!encoding || encoding === 'replacement') {
      throw coded('ERR_ENCODING_NOT_SUPPORTED', `The "${label}" encoding is not supported`, RangeError);
    }
    if (options !== null && options !== undefined && typeof options !== 'object') throw argumentError('options', 'of type object', options);
    this.#encoding = encoding;
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBom = Boolean(options?.ignoreBOM);
  }

  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBom; }

  decode(source = new Uint8Array(0), options = {}) {
    const bytes = bytesOf(source);
    const stream = Boolean(options?.stream);
    if (this.#encoding === 'utf-8' && !this.#fatal && !stream && !this.#decoder) {
      const hasBom = !this.#ignoreBom && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
      return decodeUtf8(hasBom ? bytes.subarray(3) : bytes);
    }
    if (this.#encoding === 'utf-8' && !stream && !this.#decoder) {
      const text = decodeUtf8(bytes);
      if (!text.includes('\ufffd')) return !this.#ignoreBom && text.startsWith('\ufeff') ? text.slice(1) : text;
    }
    this.#decoder ??= new LegacyDecoder(this.#encoding, { fatal: this.#fatal, ignoreBOM: this.#ignoreBom });
    try {
      return this.#decoder.decode(bytes, { stream });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw coded('ERR_ENCODING_INVALID_ENCODED_DATA', `The encoded data was not valid for encoding ${this.#encoding}`, TypeError);
    }
  }

  get [Symbol.toStringTag]() { return 'TextDecoder'; }
}
