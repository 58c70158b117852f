// `util.inspect` and `util.format`: values as text, near to what Node prints.

const LINE_WIDTH = 72;
const ITEM_LIMIT = 100;

function quote(text) {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes('`') ? '`' : "'";
  const escaped = text.replace(/[\\\n\r\t\b\f\v\0-\x1f\x7f]/g, (character) => {
    const known = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f', '\v': '\\v' }[character];
    return known ?? `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return mark + (mark === "'" ? escaped.replace(/'/g, "\\'") : escaped) + mark;
}

function primitive(value) {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return `${value}n`;
  return Object.is(value, -0) ? '-0' : String(value);
}

const keyText = (key) => {
  if (typeof key === 'symbol') return `[${String(key)}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
};

function nameOf(value) {
  for (let proto = Object.getPrototypeOf(value); proto; proto = Object.getPrototypeOf(proto)) {
    const descriptor = Object.getOwnPropertyDescriptor(proto, 'constructor');
    if (typeof descriptor?.value === 'function' && descriptor.value.name !== '') return descriptor.value.name;
  }
  return null;
}

function functionText(value) {
  const isClass = /^class\b/.test(Function.prototype.toString.call(value));
  const kind = isClass ? 'class' : nameOf(value) ?? 'Function';
  return isClass ? `[class ${value.name || '(anonymous)'}]` : `[${kind}${value.name ? `: ${value.name}` : ' (anonymous)'}]`;
}

// An error as its stack: the message first, as the engine's `stack` has only the frames.
export function errorText(error) {
  const code = error.code === undefined ? '' : ` [${error.code}]`;
  const name = String(error.name ?? 'Error');
  const message = error.message === undefined || error.message === '' ? '' : `: ${error.message}`;
  const frames = typeof error.stack === 'string' ? error.stack.replace(/\s+$/, '') : '';
  const own = frames.startsWith(name) || frames === '' ? '' : '\n';
  return own === '' && frames !== '' ? frames : `${name}${code}${message}${own}${frames}`;
}

class Inspector {
  constructor({ depth = 2, compact = true, sorted = false, showHidden = false, breakLength = LINE_WIDTH } = {}) {
    this.depth = depth ?? Infinity;
    Object.assign(this, { compact, sorted, showHidden, breakLength });
    this.seen = [];
  }

  text(value, level) {
    if (typeof value === 'function' && Object.keys(value).length === 0) return functionText(value);
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return primitive(value);
    if (this.seen.includes(value)) return '[Circular *1]';
    const custom = value[Symbol.for('nodejs.util.inspect.custom')];
    if (typeof custom === 'function') {
      const result = custom.call(value, this.depth - level, {}, inspect);
      return typeof result === 'string' ? result : this.text(result, level);
    }
    this.seen.push(value);
    try {
      return this.object(value, level);
    } finally {
      this.seen.pop();
    }
  }

  object(value, level) {
    const name = nameOf(value);
    const { prefix, open, close, items } = this.shape(value, name, level);
    if (items === null) return prefix;
    if (level > this.depth) return Array.isArray(value) ? '[Array]' : `[${name ?? 'Object: null prototype'}]`;
    const all = [...items(), ...this.properties(value, level)];
    if (all.length === 0) return prefix === '' || open !== '{' || name === 'Object' || prefix.endsWith(' ') ? `${prefix}${open}${close}` : prefix;
    return this.layout(prefix, open, close, all, level);
  }

  // How a kind of object begins and ends, and what it holds beside its properties.
  shape(value, name, level) {
    const named = (plain, size) => (name === plain ? '' : `${name ?? '[Object: null prototype]'}${size ?? ''} `);
    const next = (item) => this.text(item, level + 1);
    if (Array.isArray(value)) {
      return { prefix: named('Array', `(${value.length})`), open: '[', close: ']', items: () => this.elements(value, next) };
    }
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      return { prefix: `${name}(${value.length}) `, open: '[', close: ']', items: () => this.elements(value, next) };
    }
    if (value instanceof Map) {
      const pairs = () => Array.from(value, ([key, item]) => `${next(key)} => ${next(item)}`);
      return { prefix: `${name}(${value.size}) `, open: '{', close: '}', items: pairs };
    }
    if (value instanceof Set) {
      return { prefix: `${name}(${value.size}) `, open: '{', close: '}', items: () => Array.from(value, next) };
    }
    if (value instanceof Error) {
      const indented = errorText(value).replace(/\n/g, `\n${'  '.repeat(level)}`);
      return { prefix: level > 0 ? `[${indented}]` : indented, open: '{', close: '}', items: Object.keys(value).length > 0 ? () => [] : null };
    }
    if (value instanceof Date) return { prefix: Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString(), items: null };
    if (value instanceof RegExp) return { prefix: String(value), items: null };
    if (value instanceof Promise) return { prefix: 'Promise ', open: '{', close: '}', items: () => [] };
    if (value instanceof URL) return { prefix: `URL '${value.href}'`, items: null };
    if (typeof value === 'function') return { prefix: `${functionText(value)} `, open: '{', close: '}', items: () => [] };
    if (value instanceof String || value instanceof Number || value instanceof Boolean) {
      return { prefix: `[${name}: ${primitive(value.valueOf())}]`, items: null };
    }
    const tag = value[Symbol.toStringTag];
    const tagged = typeof tag === 'string' && tag !== '' && tag !== name ? `${name ?? 'Object'} [${tag}] ` : named('Object');
    return { prefix: tagged, open: '{', close: '}', items: () => [] };
  }

  elements(list, next) {
    const shown = [];
    for (let at = 0; at < Math.min(list.length, ITEM_LIMIT); at += 1) {
      if (at in list) {
        shown.push(next(list[at]));
        continue;
      }
      let gap = 1;
      while (at + gap < list.length && !(at + gap in list)) gap += 1;
      shown.push(`<${gap} empty item${gap > 1 ? 's' : ''}>`);
      at += gap - 1;
    }
    const more = list.length - ITEM_LIMIT;
    return more > 0 ? [...shown, `... ${more} more item${more > 1 ? 's' : ''}`] : shown;
  }

  properties(value, level) {
    const isList = Array.isArray(value) || ArrayBuffer.isView(value);
    const keys = [...(isList ? Object.keys(value).filter((key) => !/^\d+$/.test(key)) : Object.keys(value)),
      ...Object.getOwnPropertySymbols(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key))];
    if (this.sorted) keys.sort();
    return keys.map((key) => {
      const { get, set, value: item } = Object.getOwnPropertyDescriptor(value, key);
      const accessor = get && set ? '[Getter/Setter]' : get ? '[Getter]' : set ? '[Setter]' : null;
      return `${keyText(key)}: ${accessor ?? this.text(item, level + 1)}`;
    });
  }

  // On one line if it fits, else one item a line; many short elements several a line.
  layout(prefix, open, close, items, level) {
    const indent = '  '.repeat(level);
    const total = items.reduce((sum, item) => sum + item.length + 2, prefix.length + indent.length);
    const multiline = items.some((item) => item.includes('\n'));
    if (open === '[' && items.length > 6 && !multiline && this.compact !== false) {
      return this.columns(prefix, items, indent);
    }
    if (!multiline && total <= this.breakLength && this.compact !== false) return `${prefix}${open} ${items.join(', ')} ${close}`;
    return `${prefix}${open}\n${indent}  ${items.join(`,\n${indent}  `)}\n${indent}${close}`;
  }

  columns(prefix, items, indent) {
    const width = Math.max(...items.map((item) => item.length)) + 2;
    const perLine = Math.max(1, Math.min(Math.round(Math.sqrt(2.5 * width * items.length) / width), Math.floor(80 / width), 12, 15));
    const isNumber = items.every((item) => /^-?[\d.n]/.test(item));
    const lines = [];
    for (let at = 0; at < items.length; at += perLine) {
      const row = items.slice(at, at + perLine);
      lines.push(row.map((item, column) => {
        const last = at + column === items.length - 1;
        const text = last ? item : `${item},`;
        const columnWidth = Math.max(...items.filter((_, other) => other % perLine === column).map((other) => other.length)) + 1;
        if (isNumber) return text.padStart(last ? columnWidth - 1 : columnWidth);
        return column === row.length - 1 ? text : text.padEnd(columnWidth);
      }).join(' '));
    }
    return `${prefix}[\n${indent}  ${lines.join(`\n${indent}  `)}\n${indent}]`;
  }
}

export function inspect(value, options) {
  return new Inspector(typeof options === 'object' && options !== null ? options : {}).text(value, 0);
}
inspect.custom = Symbol.for('nodejs.util.inspect.custom');

function integer(value) {
  return typeof value === 'bigint' ? `${value}n` : typeof value === 'symbol' ? 'NaN' : String(Math.trunc(Number(value)));
}

const formats = {
  s: (value) => (typeof value === 'object' && value !== null ? inspect(value, { depth: 0 }) : typeof value === 'string' ? value : primitive(value)),
  d: (value) => (typeof value === 'bigint' ? `${value}n` : typeof value === 'object' ? 'NaN' : String(Number(value))),
  i: integer,
  f: (value) => (typeof value === 'symbol' ? 'NaN' : String(parseFloat(value))),
  j: (value) => JSON.stringify(value),
  o: (value) => inspect(value, { depth: 4 }),
  O: (value) => inspect(value),
  c: () => '',
};

export function format(...values) {
  let text = '';
  let at = 0;
  if (typeof values[0] === 'string') {
    at = 1;
    text = values[0].replace(/%([sdifjoOc%])/g, (whole, kind) => {
      if (kind === '%') return values.length > 1 ? '%' : whole;
      if (at >= values.length) return whole;
      at += 1;
      return formats[kind](values[at - 1]);
    });
  }
  const rest = values.slice(at).map((value) => (typeof value === 'string' ? value : inspect(value)));
  return [...(typeof values[0] === 'string' ? [text] : []), ...rest].join(' ');
}
