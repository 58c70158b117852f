// URL and URLSearchParams after the WHATWG standard, for `file:`, `http(s):` and the like.
//
// Left out: international host names (they are refused), IPv4 in unusual notations, `blob:`.

import { utf8Bytes } from './encoding.mjs';
import { coded } from './errors.mjs';
import { resolve as resolvePath } from './path.mjs';

const defaultPorts = new Map([['http:', '80'], ['https:', '443'], ['ws:', '80'], ['wss:', '443'], ['ftp:', '21'], ['file:', '']]);

function escape(text, pattern) {
  return text.toWellFormed().replace(pattern, (character) => Array.from(
    utf8Bytes(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join(''));
}

const escapePath = (text) => escape(text, /[^\x21\x24-\x3b\x3d\x40-\x5d\x5f\x61-\x7a\x7c\x7e]/gu).replace(/\^/g, '%5E');
const escapeQuery = (text) => escape(text, /[^\x21\x24-\x26\x28-\x3b\x3d\x3f-\x7e]/gu);
const escapeFragment = (text) => escape(text, /[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7e]/gu);
const escapeUser = (text) => escape(text, /[^\x21\x24-\x2e\x30-\x39\x41-\x5a\x5f\x61-\x7a\x7e%]/gu);

function invalid(input) {
  const error = coded('ERR_INVALID_URL', 'Invalid URL', TypeError);
  error.input = input;
  return error;
}

function reduce(path) {
  const kept = [];
  const parts = path.split('/').slice(1);
  parts.forEach((part, at) => {
    const plain = part.replace(/%2e/gi, '.');
    const last = at === parts.length - 1;
    if (plain === '..') kept.pop();
    else if (plain !== '.') kept.push(part);
    if (last && (plain === '..' || plain === '.')) kept.push('');
  });
  return `/${kept.join('/')}`;
}

// The pieces of an absolute URL, or of one relative to `base`.
function parse(input, base) {
  const text = input.trim().replace(/[\t\n\r]/g, '');
  const [, start, , query, , fragment] = /^([^?#]*)(\?([^#]*))?(#(.*))?$/su.exec(text);
  const scheme = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(start);
  const url = { search: query ? `?${escapeQuery(query)}` : '', hash: fragment ? `#${escapeFragment(fragment)}` : '' };
  const protocol = scheme ? `${scheme[1].toLowerCase()}:` : base?.protocol;
  if (!protocol) throw invalid(input);
  url.protocol = protocol;
  url.special = defaultPorts.has(protocol);
  const rest = url.special ? (scheme ? scheme[2] : start).replace(/\\/g, '/') : (scheme ? scheme[2] : start);
  if (scheme && !url.special && !rest.startsWith('/')) {
    return { ...url, opaque: true, username: '', password: '', hostname: '', port: '', pathname: escape(rest, /[^\x20-\x7e]/gu) };
  }
  const isRelative = !scheme || (url.special && protocol === base?.protocol && !rest.startsWith('/'));
  const authority = /^\/\/([^/]*)(.*)$/s.exec(url.special && scheme && !isRelative && protocol !== 'file:' ? rest.replace(/^\/*/, '//') : rest);
  if (authority) return { ...url, ...parseAuthority(authority[1], protocol, input), pathname: pathOf(authority[2], url.special) };
  if (!isRelative) return { ...url, username: '', password: '', hostname: '', port: '', pathname: pathOf(rest, url.special) };
  if (!base || base.opaque) throw invalid(input);
  const { username, password, hostname, port } = base;
  const inherited = { ...url, username, password, hostname, port };
  if (rest === '') return { ...inherited, pathname: base.pathname, search: query === undefined ? base.search : url.search };
  const folder = base.pathname.slice(0, base.pathname.lastIndexOf('/') + 1);
  return { ...inherited, pathname: pathOf(rest.startsWith('/') ? rest : folder + rest, url.special) };
}

function pathOf(path, special) {
  if (path === '' && !special) return '';
  return reduce(escapePath(path.startsWith('/') ? path : `/${path}`));
}

function parseAuthority(authority, protocol, input) {
  const at = authority.lastIndexOf('@');
  const [username, password = ''] = (at < 0 ? '' : authority.slice(0, at)).split(/:(.*)/s);
  const parts = /^(\[[0-9a-f:.]*\]|[^:]*)(?::([0-9]*))?$/i.exec(authority.slice(at + 1));
  if (!parts || Number(parts[2]) > 65535) throw invalid(input);
  let hostname = parts[1];
  if (defaultPorts.has(protocol)) {
    try {
      hostname = hostname.startsWith('[') ? hostname.toLowerCase() : decodeURIComponent(hostname).toLowerCase();
    } catch {
      throw invalid(input);
    }
    if (hostname === '' && protocol !== 'file:') throw invalid(input);
    if (protocol === 'file:' && hostname === 'localhost') hostname = '';
    if (!/^\[.*\]$|^[^\0-\x20#%/:<>?@[\\\]^|\x7f-\u{10ffff}]*$/u.test(hostname)) throw invalid(input);
  }
  const port = parts[2] ? String(Number(parts[2])) : '';
  return { username: escapeUser(username), password: escapeUser(password), hostname, port: port === defaultPorts.get(protocol) ? '' : port };
}

export class URL {
  #parts;
  #params;

  constructor(input, base) {
    this.#parts = parse(String(input), base === undefined ? undefined : parse(String(base)));
    this.#params = new URLSearchParams(this.#parts.search);
    this.#params.onChange((query) => { this.#parts.search = query ? `?${query}` : ''; });
  }

  static canParse(input, base) {
    try {
      return Boolean(new URL(input, base));
    } catch {
      return false;
    }
  }

  static parse(input, base) { return URL.canParse(input, base) ? new URL(input, base) : null; }

  get protocol() { return this.#parts.protocol; }
  get username() { return this.#parts.username; }
  set username(value) { this.#parts.username = escapeUser(String(value)); }
  get password() { return this.#parts.password; }
  set password(value) { this.#parts.password = escapeUser(String(value)); }
  get hostname() { return this.#parts.hostname; }
  set hostname(value) { this.#parts.hostname = parseAuthority(String(value), this.protocol, value).hostname; }
  get port() { return this.#parts.port; }
  set port(value) { this.#parts.port = parseAuthority(`h:${value}`, this.protocol, value).port; }
  get host() { return this.hostname + (this.port ? `:${this.port}` : ''); }
  set host(value) { const { hostname, port } = parseAuthority(String(value), this.protocol, value); Object.assign(this.#parts, { hostname, port }); }
  get pathname() { return this.#parts.pathname; }
  set pathname(value) { this.#parts.pathname = pathOf(String(value).replace(/[?#]/g, encodeURIComponent), this.#parts.special); }
  get search() { return this.#parts.search; }
  set search(value) {
    const query = String(value).replace(/^\?/, '').replace(/#/g, '%23');
    this.#parts.search = query ? `?${escapeQuery(query)}` : '';
    this.#params.replaceAll(query);
  }
  get searchParams() { return this.#params; }
  get hash() { return this.#parts.hash; }
  set hash(value) { const text = String(value).replace(/^#/, ''); this.#parts.hash = text ? `#${escapeFragment(text)}` : ''; }
  get origin() { return this.#parts.special && this.protocol !== 'file:' ? `${this.protocol}//${this.host}` : 'null'; }

  get href() {
    const { protocol, username, password, hostname, pathname, search, hash, special, opaque } = this.#parts;
    const login = username || password ? `${username}${password ? `:${password}` : ''}@` : '';
    const authority = !opaque && (special || hostname) ? `//${login}${this.host}` : '';
    return protocol + authority + pathname + search + hash;
  }
  set href(value) { this.#parts = parse(String(value)); this.#params.replaceAll(this.#parts.search); }

  toString() { return this.href; }
  toJSON() { return this.href; }
  get [Symbol.toStringTag]() { return 'URL'; }
}

const decodeForm = (text) => {
  const spaced = text.replace(/\+/g, ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
};
const encodeForm = (text) => escape(text, /[^A-Za-z0-9*._ -]/gu).replace(/ /g, '+');

export class URLSearchParams {
  #pairs = [];
  #changed = () => {};

  constructor(source = '') {
    if (typeof source === 'object' && source !== null) {
      const pairs = source[Symbol.iterator] ? [...source] : Object.entries(source);
      this.#pairs = pairs.map(([name, value]) => [String(name), String(value)]);
    } else {
      this.replaceAll(String(source));
    }
  }

  // For URL: tells it of changes; replaces everything without telling.
  onChange(changed) { this.#changed = changed; }
  replaceAll(query) {
    this.#pairs = query.replace(/^\?/, '').split('&').filter((pair) => pair !== '').map((pair) => {
      const [name, value = ''] = pair.split(/=(.*)/s);
      return [decodeForm(name), decodeForm(value)];
    });
  }

  #tell() { this.#changed(this.toString()); }
  append(name, value) { this.#pairs.push([String(name), String(value)]); this.#tell(); }
  delete(name, value) {
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== value));
    this.#tell();
  }
  get(name) { return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null; }
  getAll(name) { return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]); }
  has(name, value) { return this.#pairs.some((pair) => pair[0] === name && (value === undefined || pair[1] === value)); }
  set(name, value) {
    const first = this.#pairs.find((pair) => pair[0] === name);
    if (!first) return this.append(name, value);
    first[1] = String(value);
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name || pair === first);
    return this.#tell();
  }
  sort() { this.#pairs.sort(([one], [other]) => (one < other ? -1 : Number(one > other))); this.#tell(); }
  get size() { return this.#pairs.length; }
  forEach(callback, self) { for (const [name, value] of this) callback.call(self, value, name, this); }
  * entries() { yield* this.#pairs.map((pair) => [...pair]); }
  * keys() { for (const [name] of this.#pairs) yield name; }
  * values() { for (const [, value] of this.#pairs) yield value; }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return this.#pairs.map((pair) => pair.map(encodeForm).join('=')).join('&'); }
  get [Symbol.toStringTag]() { return 'URLSearchParams'; }
}
for (const hidden of ['onChange', 'replaceAll']) Object.defineProperty(URLSearchParams.prototype, hidden, { enumerable: false });

export function fileURLToPath(value) {
  const url = typeof value === 'string' ? new URL(value) : value;
  if (url.protocol !== 'file:') throw coded('ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file', TypeError);
  return decodeURIComponent(url.pathname);
}

// Letters, digits and `-./_`. A regular expression would cost more.
function isPlain(path) {
  for (let at = 0; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    if (!((code >= 97 && code <= 122) || (code >= 45 && code <= 57) || (code >= 65 && code <= 90) || code === 95)) return false;
  }
  return true;
}

// The URL of a path, as text. Every module has one: the usual path must not cost a parse.
export function fileHref(path) {
  if (isPlain(path)) return `file://${path}`;
  return `file://${escapePath(path.replace(/%/g, '%25')).replace(/[?#]/g, encodeURIComponent)}`;
}

export function pathToFileURL(path) {
  const trailing = path.endsWith('/') && path !== '/' ? '/' : '';
  return new URL(fileHref(resolvePath(path) + trailing));
}

// The interface before the standard: pieces of a URL as they stand, null where there is none.
function parseLegacy(text, parseQuery = false) {
  const [, start, search = null, hash = null] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(String(text).trim());
  const [, protocol = null, rest] = /^([a-z][a-z0-9+.-]*:)?(.*)$/is.exec(start);
  const hasHost = /^\/\//.test(rest) && protocol?.toLowerCase() !== 'javascript:';
  const [, authority = '', pathname = null] = hasHost ? /^\/\/([^/]*)(\/.*)?$/s.exec(rest) : [null, '', rest || null];
  const [, auth = null, host = ''] = /^(?:(.*)@)?(.*)$/s.exec(authority);
  const [, hostname, port = null] = /^(.*?)(?::(\d*))?$/s.exec(host.toLowerCase());
  const path = hasHost && pathname === null ? '/' : pathname;
  const url = {
    protocol: protocol?.toLowerCase() ?? null, slashes: hasHost || null, auth: auth === null ? null : decodeURIComponent(auth), host: hasHost ? host.toLowerCase() : null, port,
    hostname: hasHost ? hostname : null, hash, search, query: search === null ? (parseQuery ? {} : null) : search.slice(1), pathname: path, path: (path ?? '') + (search ?? '') || null,
  };
  if (parseQuery && search !== null) url.query = Object.fromEntries(new URLSearchParams(search));
  url.href = formatLegacy(url);
  return url;
}

function formatLegacy(url) {
  if (url instanceof URL) return url.href;
  if (typeof url === 'string') return parseLegacy(url).href;
  const { protocol, slashes, auth, hash = '', pathname } = url;
  const host = url.host ?? (url.hostname ? url.hostname + (url.port ? `:${url.port}` : '') : null);
  const scheme = protocol ? protocol.replace(/:?$/, ':') : '';
  const query = url.search ?? (url.query && typeof url.query === 'object' && Object.keys(url.query).length > 0 ? `?${new URLSearchParams(url.query)}` : '');
  const authority = host !== null && (slashes || /^(https?|ftp|wss?|file):$/.test(scheme)) ? `//${auth ? `${encodeURIComponent(auth).replace('%3A', ':')}@` : ''}${host}` : slashes ? '//' : '';
  return scheme + authority + (pathname ?? '') + (query && !query.startsWith('?') ? `?${query}` : query ?? '') + (hash && !hash.startsWith('#') ? `#${hash}` : hash ?? '');
}

function resolveLegacy(from, to) {
  const base = new URL(from, 'resolve://');
  const resolved = new URL(to, base);
  return resolved.protocol === 'resolve:' ? resolved.pathname + resolved.search + resolved.hash : resolved.href;
}

const urlToHttpOptions = (url) => ({
  protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ''), hash: url.hash, search: url.search, pathname: url.pathname, path: url.pathname + url.search, href: url.href,
  ...(url.port === '' ? {} : { port: Number(url.port) }),
});

export const url = {
  URL, URLSearchParams, fileURLToPath, pathToFileURL, urlToHttpOptions, parse: parseLegacy, format: formatLegacy, resolve: resolveLegacy,
  domainToASCII: (domain) => (URL.canParse(`http://${domain}`) ? new URL(`http://${domain}`).hostname : ''),
  domainToUnicode: (domain) => domain,
};
