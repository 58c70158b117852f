// `node:crypto`: randomness from the host's generator, hashes, HMAC, PBKDF2 and HKDF. No ciphers, no keys.

import { hashFinish, hashStart, hashUpdate, pbkdf2, random } from 'runtime:host';

import { Buffer, decodeBytes, encodeText } from './buffer.mjs';
import { bytesOf } from './encoding.mjs';
import { argumentError, checked, coded, rangeError } from './errors.mjs';
import { Transform } from './streams.mjs';

const QUOTA_BYTES = 65536;
// In the order of `functions` in hash.zig, with the size of a block in bytes.
const FUNCTIONS = [
  ['md5', 64], ['sha1', 64], ['sha224', 64], ['sha256', 64], ['sha384', 128], ['sha512', 128], ['sha512-256', 128],
  ['sha3-224', 144], ['sha3-256', 136], ['sha3-384', 104], ['sha3-512', 72], ['blake2b512', 128], ['blake2s256', 64],
];
const byName = new Map(FUNCTIONS.map(([name, blockBytes], number) => [name, { name, number, blockBytes }]));

function algorithm(name) {
  if (typeof name !== 'string') throw argumentError('algorithm', 'of type string', name);
  const plain = name.toLowerCase().replace(/^rsa-/, '').replace(/^sha-(1|224|256|384|512)$/, 'sha$1').replace('sha512/256', 'sha512-256');
  const found = byName.get(plain);
  if (!found) throw new Error(`Digest method not supported: ${name}; there are ${[...byName.keys()].join(', ')}`);
  return found;
}

const dataBytes = (data, encoding, name = 'data') => {
  if (typeof data === 'string') return encodeText(data, encoding === 'buffer' ? 'utf8' : encoding ?? 'utf8');
  if (data instanceof KeyObject) return data.export();
  if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) return bytesOf(data);
  throw argumentError(name, 'of type string or an instance of Buffer, TypedArray, or DataView', data);
};
const shown = (digest, encoding) => (encoding === undefined || encoding === null || encoding === 'buffer' ? Buffer.view(digest) : decodeBytes(digest, encoding));

// A hash or HMAC is also a stream: what is written goes in, what is read at the end is the digest.
class Digest extends Transform {
  #finished = false;

  use() {
    if (this.#finished) throw coded('ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    return this;
  }

  end_() {
    this.use();
    this.#finished = true;
  }

  _transform(chunk, encoding, done) {
    this.update(chunk, encoding);
    done();
  }

  _flush(done) {
    this.push(this.digest());
    done();
  }
}

export class Hash extends Digest {
  #algorithm;
  #state;

  constructor(name, options) {
    super(options);
    this.#algorithm = algorithm(name);
    this.#state = hashStart(this.#algorithm.number);
  }

  update(data, encoding) {
    this.use();
    hashUpdate(this.#algorithm.number, this.#state, dataBytes(data, encoding));
    return this;
  }

  digest(encoding) {
    this.end_();
    return shown(hashFinish(this.#algorithm.number, this.#state), encoding);
  }

  copy() {
    const copy = new Hash(this.use().#algorithm.name);
    copy.#state = this.#state.slice();
    return copy;
  }
}

const digestOf = ({ number }, ...parts) => {
  const state = hashStart(number);
  for (const part of parts) hashUpdate(number, state, part);
  return hashFinish(number, state);
};

export class Hmac extends Digest {
  #algorithm;
  #outer;
  #state;

  constructor(name, key, options) {
    super(options);
    this.#algorithm = algorithm(name);
    const { blockBytes, number } = this.#algorithm;
    const given = dataBytes(key, 'utf8', 'key');
    const block = new Uint8Array(blockBytes);
    block.set(given.length > blockBytes ? digestOf(this.#algorithm, given) : given);
    this.#outer = block.map((byte) => byte ^ 0x5c);
    this.#state = hashStart(number);
    hashUpdate(number, this.#state, block.map((byte) => byte ^ 0x36));
  }

  update(data, encoding) {
    this.use();
    hashUpdate(this.#algorithm.number, this.#state, dataBytes(data, encoding));
    return this;
  }

  digest(encoding) {
    this.end_();
    return shown(digestOf(this.#algorithm, this.#outer, hashFinish(this.#algorithm.number, this.#state)), encoding);
  }
}

export class KeyObject {
  #bytes;

  constructor(bytes) { this.#bytes = Buffer.from(bytes); }
  get type() { return 'secret'; }
  get symmetricKeySize() { return this.#bytes.length; }
  export() { return this.#bytes; }
}

const createHash = (name, options) => new Hash(name, options);
const createHmac = (name, key, options) => new Hmac(name, key, options);
const hash = (name, data, encoding = 'hex') => shown(digestOf(algorithm(name), dataBytes(data)), encoding);

function getRandomValues(array) {
  if (!ArrayBuffer.isView(array) || array instanceof Float32Array || array instanceof Float64Array || array instanceof DataView) {
    throw new DOMException('The data argument must be an integer-type TypedArray', 'TypeMismatchError');
  }
  if (array.byteLength > QUOTA_BYTES) throw new DOMException(`The requested length exceeds ${QUOTA_BYTES} bytes`, 'QuotaExceededError');
  checked(random(bytesOf(array)) ?? 0, 'getrandom');
  return array;
}

// Calls back, or answers at once where there is no callback.
const answer = (done, make) => {
  if (done === undefined) return make();
  if (typeof done !== 'function') throw argumentError('callback', 'of type function', done);
  const value = make();
  queueMicrotask(() => done(null, value));
  return undefined;
};

function randomFillSync(target, offset = 0, size = undefined) {
  const bytes = bytesOf(target);
  checked(random(bytes.subarray(offset, size === undefined ? bytes.length : offset + size)) ?? 0, 'getrandom');
  return target;
}

function randomBytes(size, done) {
  if (typeof size !== 'number') throw argumentError('size', 'of type number', size);
  if (!(size >= 0 && size <= 2147483647)) throw rangeError('size', '>= 0 && <= 2147483647', size);
  return answer(done, () => randomFillSync(Buffer.alloc(size)));
}

function randomUUID() {
  const bytes = randomBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// A whole number in [from, to), each as likely as any other.
function randomInt(from, to, done) {
  const [low, high, call] = to === undefined || typeof to === 'function' ? [0, from, to] : [from, to, done];
  if (!Number.isSafeInteger(low)) throw argumentError('min', 'a safe integer', low);
  if (!Number.isSafeInteger(high)) throw argumentError('max', 'a safe integer', high);
  const range = high - low;
  if (!(range > 0)) throw rangeError('max', `greater than the value of "min" (${low})`, high);
  if (range >= 2 ** 48) throw rangeError('max - min', `<= ${2 ** 48 - 1}`, range);
  const limit = 2 ** 48 - (2 ** 48 % range);
  return answer(call, () => {
    for (;;) {
      const value = randomBytes(6).readUIntBE(0, 6);
      if (value < limit) return low + (value % range);
    }
  });
}

function timingSafeEqual(one, other) {
  const [left, right] = [bytesOf(one), bytesOf(other)];
  if (left.length !== right.length) throw coded('ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length', RangeError);
  let difference = 0;
  for (let at = 0; at < left.length; at += 1) difference |= left[at] ^ right[at];
  return difference === 0;
}

function pbkdf2Sync(password, salt, iterations, length, name) {
  if (!(Number.isInteger(iterations) && iterations >= 1)) throw rangeError('iterations', '>= 1 && <= 2147483647', iterations);
  const derived = pbkdf2(algorithm(name).number, dataBytes(password), dataBytes(salt), iterations, length);
  if (derived === false) throw coded('ERR_CRYPTO_INVALID_DIGEST', `Invalid digest: ${name}`, TypeError);
  return Buffer.view(derived);
}

function hkdfSync(name, key, salt, info, length) {
  const mac = (secret, ...parts) => parts.reduce((hmac, part) => hmac.update(part), createHmac(name, secret)).digest();
  const extracted = mac(dataBytes(salt), dataBytes(key));
  const blocks = [];
  for (let size = 0, last = Buffer.alloc(0); size < length; size += last.length) {
    last = mac(extracted, last, dataBytes(info), Uint8Array.of(blocks.length + 1));
    blocks.push(last);
  }
  return Uint8Array.from(Buffer.concat(blocks).subarray(0, length)).buffer;
}

const NO_CIPHERS = 'is not available: this runtime has random values, hashes, HMAC, PBKDF2 and HKDF; the native backend has the rest';
const refused = Object.fromEntries([
  'createCipheriv', 'createDecipheriv', 'createSign', 'createVerify', 'sign', 'verify', 'generateKeyPair', 'generateKeyPairSync', 'generateKey', 'generateKeySync',
  'createPrivateKey', 'createPublicKey', 'publicEncrypt', 'privateDecrypt', 'privateEncrypt', 'publicDecrypt', 'createDiffieHellman', 'createECDH', 'diffieHellman',
  'scrypt', 'scryptSync', 'checkPrime', 'checkPrimeSync', 'generatePrime', 'generatePrimeSync',
].map((name) => [name, () => { throw coded('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', `crypto.${name}() ${NO_CIPHERS}`); }]));

const subtle = {
  async digest(name, data) {
    const bytes = bytesOf(data);
    return Uint8Array.from(digestOf(algorithm(typeof name === 'string' ? name : name.name), bytes)).buffer;
  },
};
for (const name of ['encrypt', 'decrypt', 'sign', 'verify', 'generateKey', 'deriveKey', 'deriveBits', 'importKey', 'exportKey', 'wrapKey', 'unwrapKey']) {
  subtle[name] = async () => { throw new DOMException(`crypto.subtle.${name}() ${NO_CIPHERS}`, 'NotSupportedError'); };
}

export const webcrypto = { getRandomValues, randomUUID, subtle };
export const crypto = {
  webcrypto, subtle, getRandomValues, randomUUID, randomBytes, randomInt, randomFillSync, timingSafeEqual, createHash, createHmac, hash, Hash, Hmac, KeyObject,
  pseudoRandomBytes: randomBytes,
  randomFill: (target, ...rest) => answer(rest.pop(), () => randomFillSync(target, ...rest)),
  createSecretKey: (key, encoding) => new KeyObject(dataBytes(key, encoding)),
  getHashes: () => [...byName.keys()],
  getCiphers: () => [],
  getCurves: () => [],
  pbkdf2Sync,
  pbkdf2: (password, salt, iterations, length, name, done) => answer(done, () => pbkdf2Sync(password, salt, iterations, length, name)),
  hkdfSync,
  hkdf: (name, key, salt, info, length, done) => answer(done, () => hkdfSync(name, key, salt, info, length)),
  constants: {},
  ...refused,
};
