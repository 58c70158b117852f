// `console`.
//
// Where an order gives the input as JSON (the host then sets INPUT_JSON), standard output is the result, so `info`, `debug`,
// `count` and `time` print to standard error; `log`, `dir`, `table` and `group` print to standard output. Elsewhere everything goes
// where Node prints it.

import { now, write } from 'runtime:host';

import { argumentError } from './errors.mjs';
import { format, formatWithOptions, inspect } from './inspect.mjs';
import { isJsonContract } from './process.mjs';

function durationText(milliseconds) {
  if (milliseconds < 1000) return `${Number(milliseconds.toFixed(3))}ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(3)}s`;
  const pad = (value) => String(value).padStart(2, '0');
  const whole = (seconds % 60).toFixed(3).padStart(6, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${whole} (m:ss.mmm)` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${whole.slice(0, 2)} (h:mm:ss)`;
}

function makeConsole({ out, error: errorOut, quiet, indentation = 2, options = {} }) {
  let indent = '';
  const counts = new Map();
  const started = new Map();
  const printer = (put) => (text) => put(`${indent === '' ? text : indent + text.replace(/\n/g, `\n${indent}`)}\n`);
  const [toOut, toError, toQuiet] = [out, errorOut, quiet].map(printer);
  const text = (values) => (values.length === 1 && typeof values[0] === 'string' ? values[0]
    : options.inspectOptions ? formatWithOptions(options.inspectOptions, ...values) : format(...values));
  const log = (...values) => toOut(text(values));
  const error = (...values) => toError(text(values));
  const info = (...values) => toQuiet(text(values));

  function timeLog(label = 'default', ...values) {
    if (!started.has(label)) return warnNoLabel('timeLog', label);
    return info(`${label}: ${durationText(now() - started.get(label))}`, ...values);
  }
  const warnNoLabel = (method, label) => error(`Warning: No such label '${label}' for console.${method}()`);
  const group = (...values) => {
    if (values.length > 0) log(...values);
    indent += ' '.repeat(indentation);
  };

  return {
    log,
    warn: error,
    dir: (value, dirOptions) => toOut(inspect(value, { customInspect: false, ...options.inspectOptions, ...dirOptions })),
    time: (label = 'default') => { started.set(`${label}`, now()); },
    timeEnd(label = 'default') {
      if (!started.has(`${label}`)) return warnNoLabel('timeEnd', label);
      timeLog(`${label}`);
      return void started.delete(`${label}`);
    },
    timeLog,
    trace: (...values) => error(new Error(text(values)).stack.replace(/^Error(: )?/, 'Trace$1').replace(/\n.*/, '')),
    assert(condition, ...values) {
      if (condition) return;
      if (typeof values[0] === 'string') error(`Assertion failed: ${values[0]}`, ...values.slice(1));
      else error(...(values.length > 0 ? ['Assertion failed', ...values] : ['Assertion failed']));
    },
    clear: () => undefined,
    count(label = 'default') {
      counts.set(`${label}`, (counts.get(`${label}`) ?? 0) + 1);
      info(`${label}: ${counts.get(`${label}`)}`);
    },
    countReset: (label = 'default') => { counts.delete(`${label}`); },
    group,
    groupCollapsed: group,
    groupEnd: () => { indent = indent.slice(0, Math.max(0, indent.length - indentation)); },
    table: (value, columns) => (value === null || typeof value !== 'object' ? log(value) : toOut(tableText(value, columns))),
    debug: info,
    info,
    dirxml: log,
    error,
    profile: () => undefined,
    profileEnd: () => undefined,
    timeStamp: () => undefined,
  };
}

function drawTable(head, columns) {
  const rows = Math.max(...columns.map((column) => column.length));
  const widths = columns.map((column, at) => Math.max(head[at].length, ...column.map((cell) => (cell ?? '').length)) + 2);
  const line = (left, middle, right) => left + widths.map((width) => '─'.repeat(width)).join(middle) + right;
  const row = (cells) => `│${cells.map((cell, at) => ` ${(cell ?? '').padEnd(widths[at] - 2)} `).join('│')}│`;
  const body = Array.from({ length: rows }, (_, at) => row(columns.map((column) => column[at])));
  return [line('┌', '┬', '┐'), row(head), line('├', '┼', '┤'), ...body, line('└', '┴', '┘')].join('\n');
}

const cell = (value) => inspect(value, { maxArrayLength: 3, breakLength: Infinity, depth: value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 2 ? -1 : 0 });

function tableText(value, wanted) {
  if (wanted !== undefined && !Array.isArray(wanted)) throw argumentError('properties', 'an instance of Array', wanted);
  const isMap = value instanceof Map;
  const isIterable = isMap || value instanceof Set || (!Array.isArray(value) && !ArrayBuffer.isView(value) && typeof value[Symbol.iterator] === 'function');
  if (isMap) {
    const entries = [...value];
    return drawTable(['(iteration index)', 'Key', 'Values'], [entries.map((_, at) => String(at)), entries.map(([key]) => cell(key)), entries.map(([, item]) => cell(item))]);
  }
  const entries = isIterable ? [...value].map((item, at) => [String(at), item]) : Object.entries(value);
  const columns = new Map((wanted ?? []).map((name) => [name, []]));
  const values = [];
  entries.forEach(([, item], at) => {
    const isPlain = item === null || (typeof item !== 'object' && typeof item !== 'function');
    if (isPlain) {
      values[at] = cell(item);
      return;
    }
    for (const name of wanted ?? Object.keys(item)) {
      if (!columns.has(name)) columns.set(name, []);
      if (Object.hasOwn(item, name)) columns.get(name)[at] = cell(item[name]);
    }
  });
  const all = [entries.map(([name]) => name), ...columns.values()].map((column) => Array.from({ length: entries.length }, (_, at) => column[at]));
  const head = [isIterable ? '(iteration index)' : '(index)', ...columns.keys()];
  if (values.length === 0) return drawTable(head, all);
  return drawTable([...head, 'Values'], [...all, Array.from({ length: entries.length }, (_, at) => values[at])]);
}

const onDescriptor = (fd) => (text) => { write(fd, text.toWellFormed()); };
const [toOut, toError] = [onDescriptor(1), onDescriptor(2)];
export const console = makeConsole({ out: toOut, error: toError, quiet: (text) => (isJsonContract() ? toError : toOut)(text) });

// A console of its own on two streams.
function Console(streams, errorStream) {
  const { stdout, stderr = stdout, groupIndentation, ...options } = typeof streams?.write === 'function' ? { stdout: streams, stderr: errorStream ?? streams } : streams ?? {};
  if (typeof stdout?.write !== 'function') throw argumentError('stdout', 'a stream', stdout);
  const put = (stream) => (text) => { stream.write(text); };
  return Object.assign(Object.create(Console.prototype), makeConsole({ out: put(stdout), error: put(stderr), quiet: put(stdout), indentation: groupIndentation, options }));
}
Object.defineProperty(console, 'Console', { value: Console, writable: true, configurable: true, enumerable: false });
Object.defineProperty(console, Symbol.toStringTag, { value: 'console', configurable: true });
