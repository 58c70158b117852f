// Randomness from the host's generator, and SHA-256.

import { random } from 'runtime:host';

import { Buffer, decodeBytes, encodeText } from './buffer.mjs';
import { bytesOf } from './encoding.mjs';
import { checked, coded } from './errors.mjs';

const QUOTA_BYTES = 65536;

function getRandomValues(array) {
  if (!ArrayBuffer.isView(array) || array instanceof Float32Array || array instanceof Float64Array) {
    throw new TypeError('The data argument must be an integer-type TypedArray');
  }
  if (array.byteLength > QUOTA_BYTES) throw new DOMException('The requested length exceeds 65,536 bytes', 'QuotaExceededError');
  checked(random(bytesOf(array)) ?? 0, 'getrandom');
  return array;
}

function randomBytes(size) {
  const bytes = Buffer.alloc(size);
  checked(random(bytes) ?? 0, 'getrandom');
  return bytes;
}

function randomUUID() {
  const bytes = randomBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// A whole number in [from, to), each as likely as any other.
function randomInt(from, to) {
  const [low, high] = to === undefined ? [0, from] : [from, to];
  const range = high - low;
  if (!(range > 0 && range <= 2 ** 48)) throw new RangeError('The range of randomInt must lie in (0, 2**48]');
  const limit = 2 ** 48 - (2 ** 48 % range);
  for (;;) {
    const value = randomBytes(6).reduce((sum, byte) => sum * 256 + byte, 0);
    if (value < limit) return low + (value % range);
  }
}

// The first 32 bits of the fractional parts of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
const primes = [];
for (let candidate = 2; primes.length < 64; candidate += 1) {
  if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
}
const fraction = (value) => ((value - Math.floor(value)) * 2 ** 32) | 0;
const ROUND = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

const rotate = (word, by) => (word >>> by) | (word << (32 - by));

function compress(state, view, at, words) {
  for (let i = 0; i < 16; i += 1) words[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i += 1) {
    const early = words[i - 15];
    const late = words[i - 2];
    const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    words[i] = words[i - 16] + s0 + words[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0;
    const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] += word; });
}

export function sha256(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n);
  const state = Int32Array.from(START);
  const words = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) compress(state, view, at, words);
  const digest = Buffer.alloc(32);
  state.forEach((word, i) => digest.writeInt32BE(word, 4 * i));
  return digest;
}

class Hash {
  #parts = [];

  update(data, encoding) {
    this.#parts.push(typeof data === 'string' ? encodeText(data, encoding) : Uint8Array.from(bytesOf(data)));
    return this;
  }

  digest(encoding) {
    const digest = sha256(Buffer.concat(this.#parts));
    return encoding === undefined || encoding === 'buffer' ? digest : decodeBytes(digest, encoding);
  }
}

function createHash(algorithm) {
  if (!/^sha-?256$/i.test(algorithm)) {
    throw coded('ERR_CRYPTO_INVALID_DIGEST', `Digest method not supported: ${algorithm}; sha256 is`, TypeError);
  }
  return new Hash();
}

export const webcrypto = { getRandomValues, randomUUID };
export const crypto = { webcrypto, getRandomValues, randomBytes, randomInt, randomUUID, createHash, getHashes: () => ['sha256'] };
