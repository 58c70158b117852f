// `node:querystring`.

import { Buffer } from './buffer.mjs';

const escape = (text) => encodeURIComponent(String(text).toWellFormed());
function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return Buffer.from(text.replace(/%([0-9a-f]{2})/gi, (whole, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString();
  }
}

const asText = (value) => (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value)) ? String(value) : '');

function stringify(values, separator = '&', equals = '=', { encodeURIComponent: encode = querystring.escape } = {}) {
  if (values === null || typeof values !== 'object') return '';
  return Object.entries(values).flatMap(([name, value]) => [value].flat().map((item) => `${encode(asText(name))}${equals}${encode(asText(item))}`)).join(separator);
}

function parse(text, separator = '&', equals = '=', { decodeURIComponent: decode = querystring.unescape, maxKeys = 1000 } = {}) {
  const values = { __proto__: null };
  if (typeof text !== 'string' || text === '') return values;
  const pairs = text.split(separator);
  for (const pair of maxKeys > 0 ? pairs.slice(0, maxKeys) : pairs) {
    if (pair === '') continue;
    const at = pair.indexOf(equals);
    const [name, value] = [at < 0 ? pair : pair.slice(0, at), at < 0 ? '' : pair.slice(at + equals.length)].map((part) => decode(part.replaceAll('+', ' ')));
    if (!(name in values)) values[name] = value;
    else values[name] = [values[name], value].flat();
  }
  return values;
}

export const querystring = { parse, stringify, escape, unescape, decode: parse, encode: stringify, unescapeBuffer: (text) => Buffer.from(unescape(text)) };
