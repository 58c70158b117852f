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
  constructor({ message, actual, expected, operator }) {
    super(message);
    Object.assign(this, { name: 'AssertionError', code: 'ERR_ASSERTION', actual, expected, operator });
  }
}

function fail(message, actual, expected, operator, text) {
  if (message instanceof Error) throw message;
  throw new AssertionError({ message: message ?? text, actual, expected, operator });
}

const comparison = (operator, holds, words) => (actual, expected, message) => {
  if (!holds(actual, expected)) fail(message, actual, expected, operator, `${words}:\n${inspect(actual)}\n${inspect(expected)}`);
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
  if (!value) fail(message, value, true, '==', `The expression evaluated to a falsy value: ${inspect(value)}`);
}

Object.assign(assert, {
  AssertionError,
  ok: (value, message) => assert(value, message),
  fail: (message = 'Failed') => fail(message, undefined, undefined, 'fail'),
  equal: comparison('==', (one, other) => one == other || (Number.isNaN(one) && Number.isNaN(other)), 'Expected values to be equal'),
  notEqual: comparison('!=', (one, other) => one != other, 'Expected values to differ'),
  strictEqual: comparison('strictEqual', Object.is, 'Expected values to be strictly equal'),
  notStrictEqual: comparison('notStrictEqual', (one, other) => !Object.is(one, other), 'Expected values to differ strictly'),
  deepEqual: comparison('deepEqual', (one, other) => isDeepEqual(one, other, false), 'Expected values to be loosely deep-equal'),
  deepStrictEqual: comparison('deepStrictEqual', (one, other) => isDeepEqual(one, other), 'Expected values to be strictly deep-equal'),
  notDeepStrictEqual: comparison('notDeepStrictEqual', (one, other) => !isDeepEqual(one, other), 'Expected values to differ'),
  match: comparison('match', (text, pattern) => pattern.test(text), 'The input did not match the expression'),
  throws,
  rejects,
});
assert.strict = assert;
