// `console`: log, dir and table on standard output, everything else on standard error.
//
// Other than in Node, `info` and `debug` go to standard error: standard output is the skill's result.

import { now, write } from 'runtime:host';

import { format, inspect } from './inspect.mjs';

let indent = '';
const counts = new Map();
const started = new Map();

function print(fd, text) {
  write(fd, `${indent === '' ? text : indent + text.replace(/\n/g, `\n${indent}`)}\n`.toWellFormed());
}

const log = (...values) => print(1, format(...values));
const error = (...values) => print(2, format(...values));

function group(...values) {
  if (values.length > 0) log(...values);
  indent += '  ';
}

function count(label = 'default') {
  counts.set(label, (counts.get(label) ?? 0) + 1);
  error(`${label}: ${counts.get(label)}`);
}

function timeLog(label = 'default', ...values) {
  if (started.has(label)) error(`${label}: ${(now() - started.get(label)).toFixed(3)}ms`, ...values);
}

export const console = {
  log,
  error,
  warn: error,
  info: error,
  debug: error,
  dir: (value, options) => print(1, inspect(value, options)),
  table: (value) => log(value),
  trace: (...values) => error(`Trace: ${format(...values)}\n${new Error().stack.trimEnd()}`),
  assert: (condition, ...values) => { if (!condition) error(values.length > 0 ? `Assertion failed: ${format(...values)}` : 'Assertion failed'); },
  group,
  groupCollapsed: group,
  groupEnd: () => { indent = indent.slice(2); },
  count,
  countReset: (label = 'default') => { counts.delete(label); },
  time: (label = 'default') => { started.set(label, now()); },
  timeLog,
  timeEnd: (label = 'default') => { timeLog(label); started.delete(label); },
};
