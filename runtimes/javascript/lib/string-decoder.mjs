// `node:string_decoder`: text out of bytes that come in pieces.

import { Buffer, decodeBytes, encodingName } from './buffer.mjs';
import { argumentError } from './errors.mjs';

// How many bytes at the end begin a character (or a group of three, in base64) that more bytes could complete.
function unfinished(bytes, encoding) {
  const { length } = bytes;
  if (encoding === 'base64' || encoding === 'base64url') return length % 3;
  if (encoding === 'utf16le') {
    const odd = length % 2;
    const isHigh = length - odd >= 2 && (bytes[length - odd - 1] & 0xfc) === 0xd8;
    return odd + (isHigh ? 2 : 0);
  }
  if (encoding !== 'utf8') return 0;
  for (let back = 1; back <= Math.min(3, length); back += 1) {
    const byte = bytes[length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xc2 && byte < 0xe0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}

export class StringDecoder {
  #pending = new Uint8Array(0);

  constructor(encoding) { this.encoding = encodingName(encoding); }

  write(chunk) {
    if (typeof chunk === 'string') return chunk;
    if (!ArrayBuffer.isView(chunk)) throw argumentError('buf', 'an instance of Buffer, TypedArray, or DataView', chunk);
    const bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    const end = bytes.length - unfinished(bytes, this.encoding);
    this.#pending = Uint8Array.prototype.slice.call(bytes, end);
    return decodeBytes(bytes.subarray(0, end), this.encoding);
  }

  end(chunk) {
    const text = chunk === undefined ? '' : this.write(chunk);
    const rest = this.#pending;
    this.#pending = new Uint8Array(0);
    return rest.length > 0 ? text + decodeBytes(rest, this.encoding) : text;
  }

  text(bytes, offset) {
    this.#pending = new Uint8Array(0);
    return this.write(bytes.subarray(offset));
  }
}
