// structuredClone, after the HTML standard: plain data, errors and collections; functions and the like are refused.

const refuse = (value) => {
  const shown = typeof value === 'function' ? 'function' : typeof value === 'symbol' ? String(value) : `#<${value.constructor?.name ?? 'Object'}>`;
  throw new DOMException(`${shown} could not be cloned.`, 'DataCloneError');
};

const errorKinds = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function cloneBuffer(value, seen) {
  if (value instanceof ArrayBuffer) return value.slice(0);
  const buffer = copy(value.buffer, seen);
  if (value instanceof DataView) return new DataView(buffer, value.byteOffset, value.byteLength);
  const Kind = globalThis[Object.getPrototypeOf(Uint8Array.prototype).__lookupGetter__(Symbol.toStringTag).call(value)];
  return new Kind(buffer, value.byteOffset, value.length);
}

function cloneError(value, seen) {
  const Kind = errorKinds[value.name] ?? Error;
  const error = new Kind(value.message, 'cause' in value ? { cause: copy(value.cause, seen) } : undefined);
  Object.defineProperty(error, 'stack', { value: value.stack, writable: true, configurable: true });
  return error;
}

function copy(value, seen) {
  if (typeof value === 'function' || typeof value === 'symbol') refuse(value);
  if (value === null || typeof value !== 'object') return value;
  if (seen.has(value)) return seen.get(value);
  const keep = (clone) => { seen.set(value, clone); return clone; };
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt) {
    return keep(Object(value.valueOf()));
  }
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return keep(cloneBuffer(value, seen));
  if (value instanceof Error) return keep(cloneError(value, seen));
  if (value instanceof Map) {
    const clone = keep(new Map());
    for (const [key, item] of [...value]) clone.set(copy(key, seen), copy(item, seen));
    return clone;
  }
  if (value instanceof Set) {
    const clone = keep(new Set());
    for (const item of [...value]) clone.add(copy(item, seen));
    return clone;
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) refuse(value);
  const clone = keep(Array.isArray(value) ? new Array(value.length) : {});
  for (const key of Object.keys(value)) clone[key] = copy(value[key], seen);
  return clone;
}

export function structuredClone(value) {
  if (arguments.length === 0) throw new TypeError("structuredClone: 1 argument required");
  return copy(value, new Map());
}
