// `node:util`.

import { parseArgs as parseArguments } from '@pkgjs/parseargs';

import { isDeepEqual } from './assert.mjs';
import { Buffer } from './buffer.mjs';
import { TextDecoder, TextEncoder } from './encoding.mjs';
import { argumentError, coded, errno } from './errors.mjs';
import { AbortController } from './events.mjs';
import { format, formatWithOptions, inspect, stripVTControlCharacters } from './inspect.mjs';
import { process } from './process.mjs';
import { setTimeout } from './timers.mjs';

const customPromisify = Symbol.for('nodejs.util.promisify.custom');
Object.defineProperty(setTimeout, customPromisify, { value: (delay, value) => new Promise((resolve) => { setTimeout(resolve, delay, value); }) });

function promisify(call) {
  if (typeof call !== 'function') throw argumentError('original', 'of type function', call);
  if (call[customPromisify]) return call[customPromisify];
  const promised = function promised(...values) {
    return new Promise((resolve, reject) => {
      call.call(this, ...values, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };
  Object.setPrototypeOf(promised, Object.getPrototypeOf(call));
  return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(call));
}
promisify.custom = customPromisify;

function callbackify(call) {
  return function called(...values) {
    const done = values.pop();
    if (typeof done !== 'function') throw argumentError('last argument', 'of type function', done);
    call.apply(this, values).then(
      (value) => process.nextTick(done, null, value),
      (error) => process.nextTick(done, error ?? Object.assign(new Error('Promise was rejected with falsy value'), { code: 'ERR_FALSY_VALUE_REJECTION', reason: error })),
    );
  };
}

function inherits(Child, Parent) {
  if (typeof Child !== 'function') throw argumentError('ctor', 'of type function', Child);
  if (typeof Parent !== 'function') throw argumentError('superCtor', 'of type function', Parent);
  Object.defineProperty(Child, 'super_', { value: Parent, writable: true, configurable: true });
  Object.setPrototypeOf(Child.prototype, Parent.prototype);
}

const warned = new Set();
function deprecate(call, message, code) {
  return function deprecated(...values) {
    if (!warned.has(code ?? call)) process.emitWarning(message, { type: 'DeprecationWarning', code });
    warned.add(code ?? call);
    return new.target ? Reflect.construct(call, values, new.target) : call.apply(this, values);
  };
}

// The package's errors are of the class Error.
function parseArgs(config = {}) {
  try {
    return parseArguments({ args: process.argv.slice(2), ...config });
  } catch (error) {
    throw error.code?.startsWith('ERR_PARSE_ARGS_') ? coded(error.code, error.message, TypeError) : error;
  }
}

// Standard output is no terminal, for which Node leaves one style out but not a list of them.
function styleText(style, text, { validateStream = true } = {}) {
  if (typeof text !== 'string') throw argumentError('text', 'of type string', text);
  if (validateStream && typeof style === 'string' && inspect.colors[style]) return text;
  let [before, after] = ['', ''];
  for (const name of [style].flat()) {
    const codes = inspect.colors[name];
    if (!codes) throw coded('ERR_INVALID_ARG_VALUE', `The argument 'format' must be one of: ${Object.keys(inspect.colors).map((key) => `'${key}'`).join(', ')}. Received '${name}'`, TypeError);
    before += `\x1b[${codes[0]}m`;
    after = `\x1b[${codes[1]}m${after}`;
  }
  return before + text + after;
}

const debugging = (set) => new RegExp(`(^|,)${set}(,|$)`, 'i').test(process.env.NODE_DEBUG ?? '');
function debuglog(set) {
  const name = set.toUpperCase();
  const log = (...values) => { if (debugging(name)) process.stderr.write(`${name} ${process.pid}: ${format(...values)}\n`); };
  return Object.defineProperty(log, 'enabled', { get: () => debugging(name) });
}

function parseEnv(text) {
  const pairs = {};
  const line = /^\s*(?:export\s+)?([\w.-]+)\s*=[^\S\n]*('(?:[^'])*'|"(?:[^"])*"|`(?:[^`])*`|[^#\n]*)?[^\S\n]*(?:#.*)?$/gm;
  for (const [, name, raw = ''] of text.replace(/\r\n?/g, '\n').matchAll(line)) {
    const value = raw.trim();
    const quoted = /^(['"`])([\s\S]*)\1$/.exec(value);
    pairs[name] = quoted ? (quoted[1] === '"' ? quoted[2].replace(/\\n/g, '\n') : quoted[2]) : value;
  }
  return pairs;
}

// Whether a getter of a prototype accepts a value: only what the engine made itself passes.
const brand = (prototype, name, kind = 'get') => {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  const check = kind === 'get' ? descriptor.get : descriptor.value;
  return (value) => {
    try {
      check.call(value, Symbol.iterator);
      return true;
    } catch {
      return false;
    }
  };
};
const isObject = (value) => value !== null && typeof value === 'object';
const arrayTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
const tagOf = (value) => Object.prototype.toString.call(value);
const isTypedArray = (value) => ArrayBuffer.isView(value) && !(value instanceof DataView);
const isMap = brand(Map.prototype, 'size');
const isSet = brand(Set.prototype, 'size');
const isArrayBuffer = brand(ArrayBuffer.prototype, 'byteLength');
const isSharedArrayBuffer = brand(SharedArrayBuffer.prototype, 'byteLength');
const boxed = Object.fromEntries([Number, String, Boolean, BigInt, Symbol].map((Kind) => [Kind.name, (value) => isObject(value) && brand(Kind.prototype, 'valueOf', 'value')(value)]));
const typedArrays = ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'];
const isAsync = (value) => typeof value === 'function' && /^\[object Async(Generator)?Function\]$/.test(tagOf(value));

export const types = {
  isAnyArrayBuffer: (value) => isArrayBuffer(value) || isSharedArrayBuffer(value),
  isArrayBuffer,
  isArrayBufferView: ArrayBuffer.isView,
  isArgumentsObject: (value) => isObject(value) && tagOf(value) === '[object Arguments]',
  isAsyncFunction: isAsync,
  isBigIntObject: boxed.BigInt,
  isBooleanObject: boxed.Boolean,
  isBoxedPrimitive: (value) => Object.values(boxed).some((check) => check(value)),
  isDataView: (value) => ArrayBuffer.isView(value) && !isTypedArray(value),
  isDate: brand(Date.prototype, 'getTime', 'value'),
  isExternal: () => false,
  isGeneratorFunction: (value) => typeof value === 'function' && /^\[object (Async)?GeneratorFunction\]$/.test(tagOf(value)),
  isGeneratorObject: (value) => isObject(value) && tagOf(value) === '[object Generator]',
  isMap,
  isMapIterator: (value) => isObject(value) && tagOf(value) === '[object Map Iterator]',
  isModuleNamespaceObject: (value) => isObject(value) && tagOf(value) === '[object Module]',
  isNativeError: (value) => Error.isError(value),
  isNumberObject: boxed.Number,
  isPromise: (value) => value instanceof Promise,
  isProxy: () => false,
  isRegExp: (value) => isObject(value) && tagOf(value) === '[object RegExp]' && value instanceof RegExp,
  isSet,
  isSetIterator: (value) => isObject(value) && tagOf(value) === '[object Set Iterator]',
  isSharedArrayBuffer,
  isStringObject: boxed.String,
  isSymbolObject: boxed.Symbol,
  isTypedArray,
  isWeakMap: (value) => value instanceof WeakMap,
  isWeakSet: (value) => value instanceof WeakSet,
  ...Object.fromEntries(typedArrays.map((name) => [`is${name}`, (value) => isTypedArray(value) && arrayTag.call(value) === name])),
};

export const util = {
  _extend: (target, source) => Object.assign(target, source),
  aborted: (signal) => new Promise((resolve) => { signal.addEventListener('abort', () => resolve(), { once: true }); }),
  callbackify, debug: debuglog, debuglog, deprecate, format, formatWithOptions, inherits, inspect, parseArgs, parseEnv, promisify,
  isDeepStrictEqual: (one, other) => isDeepEqual(one, other),
  stripVTControlCharacters, styleText,
  toUSVString: (text) => String(text).toWellFormed(),
  getSystemErrorName: (number) => Object.keys(errno).find((name) => errno[name] === -number),
  TextDecoder, TextEncoder, types,
  transferableAbortController: () => new AbortController(),
  transferableAbortSignal: (signal) => signal,
  // What old code still asks.
  isArray: Array.isArray,
  isBoolean: (value) => typeof value === 'boolean',
  isBuffer: Buffer.isBuffer,
  isDate: types.isDate,
  isError: (value) => value instanceof Error,
  isFunction: (value) => typeof value === 'function',
  isNull: (value) => value === null,
  isNullOrUndefined: (value) => value === null || value === undefined,
  isNumber: (value) => typeof value === 'number',
  isObject,
  isPrimitive: (value) => value === null || (typeof value !== 'object' && typeof value !== 'function'),
  isRegExp: types.isRegExp,
  isString: (value) => typeof value === 'string',
  isSymbol: (value) => typeof value === 'symbol',
  isUndefined: (value) => value === undefined,
};
