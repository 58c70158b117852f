// `node:assert` and the deep comparison behind it.

import { inspect } from './inspect.mjs';

// Whether two values have the same content; `strict` compares leaves with Object.is and prototypes too.
export function isDeepEqual(one, other, strict = true, seen = new Map()) {
  if (Object.is(one, other)) return true;
  if (one === null || other === null || typeof one !== 'object' || typeof other !== 'object') return !strict && one == other;
  if (strict && Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  if (seen.get(one) === other) return true;
  seen.set(one, other);
  const same = (left, right) => isDeepEqual(left, right, strict, seen);
  if (one instanceof Date && other instanceof Date && one.getTime() !== other.getTime()) return false;
  if (one instanceof RegExp && String(one) !== String(other)) return false;
  if (one instanceof Error && (one.message !== other.message || one.name !== other.name)) return false;
  if (one instanceof Map) {
    if (!(other instanceof Map) || one.size !== other.size) return false;
    for (const [key, value] of one) if (!other.has(key) || !same(value, other.get(key))) return false;
  }
  if (one instanceof Set) {
    if (!(other instanceof Set) || one.size !== other.size) return false;
    const left = [...other];
    for (const item of one) if (!other.has(item) && !left.some((candidate) => same(item, candidate))) return false;
  }
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && same(one[key], other[key]));
}

class AssertionError extends Error {
  constructor({ message, actual, expected, operator, generatedMessage = false }) {
    super(message);
    Object.defineProperty(this, 'name', { value: 'AssertionError', enumerable: false, configurable: true, writable: true });
    Object.assign(this, { generatedMessage, code: 'ERR_ASSERTION', actual, expected, operator });
  }
}

function fail(message, actual, expected, operator, text) {
  if (message instanceof Error) throw message;
  throw new AssertionError({ message: message ?? text, actual, expected, operator, generatedMessage: message === undefined && operator !== 'fail' });
}

const bothValues = (words) => (actual, expected) => `${words}:\n\n${inspect(actual)}\n\nshould equal\n\n${inspect(expected)}`;
const comparison = (operator, holds, words) => (actual, expected, message) => {
  const text = typeof words === 'string' ? bothValues(words) : words;
  if (!holds(actual, expected)) fail(message, actual, expected, operator, text(actual, expected));
};

function matches(error, expected) {
  if (expected === undefined) return true;
  if (expected instanceof RegExp) return expected.test(String(error));
  if (typeof expected !== 'function') {
    return Object.entries(expected).every(([key, value]) => (
      value instanceof RegExp && typeof error[key] === 'string' ? value.test(error[key]) : isDeepEqual(error[key], value)));
  }
  return expected.prototype !== undefined && error instanceof expected ? true : !(Error.isPrototypeOf(expected)) && expected(error) === true;
}

function throws(callback, expected, message) {
  try {
    callback();
  } catch (error) {
    if (!matches(error, expected)) throw error;
    return;
  }
  fail(message, undefined, expected, 'throws', 'Missing expected exception.');
}

function doesNotThrow(callback, message) {
  try {
    callback();
  } catch (error) {
    fail(typeof message === 'string' ? message : undefined, error, undefined, 'doesNotThrow', `Got unwanted exception.\nActual message: "${error?.message}"`);
  }
}

async function doesNotReject(promise, message) {
  try {
    await (typeof promise === 'function' ? promise() : promise);
  } catch (error) {
    fail(typeof message === 'string' ? message : undefined, error, undefined, 'doesNotReject', `Got unwanted rejection.\nActual message: "${error?.message}"`);
  }
}

// Whether everything in `expected` is in `actual`.
function isPartlyEqual(actual, expected) {
  if (expected === null || typeof expected !== 'object' || actual === null || typeof actual !== 'object') return isDeepEqual(actual, expected);
  return Object.keys(expected).every((key) => Object.hasOwn(actual, key) && isPartlyEqual(actual[key], expected[key]));
}

async function rejects(promise, expected, message) {
  try {
    await (typeof promise === 'function' ? promise() : promise);
  } catch (error) {
    if (!matches(error, expected)) throw error;
    return;
  }
  fail(message, undefined, expected, 'rejects', 'Missing expected rejection.');
}

export function assert(value, message) {
  if (!value) fail(message, value, true, '==', `The expression evaluated to a falsy value:\n\n  ${inspect(value)}\n`);
}

Object.assign(assert, {
  AssertionError,
  ok: (value, message) => assert(value, message),
  fail: (message = 'Failed') => fail(message, undefined, undefined, 'fail'),
  equal: comparison('==', (one, other) => one == other || (Number.isNaN(one) && Number.isNaN(other)), (one, other) => `${inspect(one)} == ${inspect(other)}`),
  notEqual: comparison('!=', (one, other) => one != other, (one, other) => `${inspect(one)} != ${inspect(other)}`),
  strictEqual: comparison('strictEqual', Object.is, (one, other) => `Expected values to be strictly equal:\n\n${inspect(one)} !== ${inspect(other)}\n`),
  notStrictEqual: comparison('notStrictEqual', (one, other) => !Object.is(one, other), (one) => `Expected "actual" to be strictly unequal to: ${inspect(one)}`),
  deepEqual: comparison('deepEqual', (one, other) => isDeepEqual(one, other, false), 'Expected values to be loosely deep-equal'),
  deepStrictEqual: comparison('deepStrictEqual', (one, other) => isDeepEqual(one, other), 'Expected values to be strictly deep-equal'),
  notDeepStrictEqual: comparison('notDeepStrictEqual', (one, other) => !isDeepEqual(one, other), 'Expected values to differ'),
  notDeepEqual: comparison('notDeepEqual', (one, other) => !isDeepEqual(one, other, false), 'Expected values to differ'),
  partialDeepStrictEqual: comparison('partialDeepStrictEqual', isPartlyEqual, 'Expected values to be partially and strictly deep-equal'),
  doesNotMatch: comparison('doesNotMatch', (text, pattern) => !pattern.test(text), (text, pattern) => `The input was expected to not match the regular expression ${pattern}. Input:\n\n${inspect(text)}\n`),
  ifError: (value) => { if (value !== null && value !== undefined) throw value instanceof Error ? value : new AssertionError({ message: `ifError got unwanted exception: ${inspect(value)}`, actual: value, operator: 'ifError' }); },
  match: comparison('match', (text, pattern) => pattern.test(text), (text, pattern) => `The input did not match the regular expression ${pattern}. Input:\n\n${inspect(text)}\n`),
  throws,
  doesNotThrow,
  rejects,
  doesNotReject,
});
assert.strict = Object.assign((value, message) => assert(value, message), assert, {
  equal: assert.strictEqual, notEqual: assert.notStrictEqual, deepEqual: assert.deepStrictEqual, notDeepEqual: assert.notDeepStrictEqual,
});
assert.strict.strict = assert.strict;
