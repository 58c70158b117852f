// `util.inspect` and `util.format`: Node's own, as node-inspect-extracted has them out of it.

import './npm/atomics.mjs';
import extracted from 'node-inspect-extracted';
import { promiseParts } from 'runtime:host';

if (globalThis.Atomics.standIn) delete globalThis.Atomics;

export const { inspect, formatWithOptions, stripVTControlCharacters } = extracted;

// What the package cannot see without an engine's help.
const custom = Symbol.for('nodejs.util.inspect.custom');
Object.defineProperty(Promise.prototype, custom, {
  value(depth, options, inspectValue) {
    const name = this.constructor?.name ?? 'Promise';
    const [state, value] = promiseParts(this);
    if (state === 0) return `${name} { ${options.stylize('<pending>', 'special')} }`;
    if (depth < 0) return `[${name}]`;
    const shown = inspectValue(value, { ...options, depth: depth === null ? null : depth - 1 });
    const text = state === 1 ? shown : `${options.stylize('<rejected>', 'special')} ${shown}`;
    return text.includes('\n') ? `${name} {\n  ${text.replace(/\n/g, '\n  ')}\n}` : `${name} { ${text} }`;
  },
  writable: true,
  configurable: true,
  enumerable: false,
});

// Most of what is printed is one text.
export function format(...values) {
  return values.length === 1 && typeof values[0] === 'string' ? values[0] : extracted.format(...values);
}
