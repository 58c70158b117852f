// Modules for what a skill does not have: networks, other processes, threads. They can be imported, as scripts do that use them in
// one of several ways; what is used fails as it would where the network is down or the program is missing, and says why.

import { namedError } from './errors.mjs';
import { EventEmitter } from './events.mjs';
import { PassThrough, Readable, Writable, Duplex } from './streams.mjs';
import { setImmediate } from './timers.mjs';

const NO_NETWORK = 'a skill has no network';

function networkError(what, syscall = 'connect') {
  return Object.assign(new Error(`${what} is not available: ${NO_NETWORK}`), { code: 'ENETUNREACH', errno: -101, syscall });
}

const throwing = (module, names) => Object.fromEntries(names.map((name) => [name, Object.defineProperty(
  () => { throw networkError(`${module}.${name}()`); }, 'name', { value: name },
)]));

// An emitter that fails soon, so that an `error` listener that is added at once hears of it.
const failing = (emitter, error) => {
  setImmediate(() => emitter.emit('error', error));
  return emitter;
};

class Agent extends EventEmitter {
  constructor(options) {
    super();
    this.options = { ...options };
  }

  destroy() { }
}

class ClientRequest extends Writable {
  constructor(what) {
    super({ write: (chunk, encoding, done) => done() });
    failing(this, networkError(what));
  }

  setHeader() { return this; }
  getHeader() { return undefined; }
  removeHeader() { }
  setTimeout() { return this; }
  setNoDelay() { return this; }
  abort() { }
  flushHeaders() { }
}

class IncomingMessage extends Readable { }
class ServerResponse extends Writable { }
class Server extends EventEmitter {
  listen() { throw networkError('server.listen()', 'listen'); }
  close(done) { done?.(); return this; }
  address() { return null; }
}

const STATUS_CODES = {
  100: 'Continue', 101: 'Switching Protocols', 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 206: 'Partial Content', 301: 'Moved Permanently',
  302: 'Found', 303: 'See Other', 304: 'Not Modified', 307: 'Temporary Redirect', 308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized',
  402: 'Payment Required', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 406: 'Not Acceptable', 408: 'Request Timeout', 409: 'Conflict', 410: 'Gone',
  411: 'Length Required', 412: 'Precondition Failed', 413: 'Payload Too Large', 414: 'URI Too Long', 415: 'Unsupported Media Type', 416: 'Range Not Satisfiable',
  418: "I'm a Teapot", 422: 'Unprocessable Entity', 425: 'Too Early', 426: 'Upgrade Required', 428: 'Precondition Required', 429: 'Too Many Requests',
  431: 'Request Header Fields Too Large', 451: 'Unavailable For Legal Reasons', 500: 'Internal Server Error', 501: 'Not Implemented', 502: 'Bad Gateway',
  503: 'Service Unavailable', 504: 'Gateway Timeout', 505: 'HTTP Version Not Supported',
};

const httpModule = (name) => ({
  Agent, ClientRequest, IncomingMessage, ServerResponse, Server, STATUS_CODES, globalAgent: new Agent(),
  METHODS: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'],
  request: () => new ClientRequest(`${name}.request()`),
  get: () => new ClientRequest(`${name}.get()`),
  createServer: () => new Server(),
});

class Socket extends Duplex {
  connect() { return failing(this, networkError('net.connect()')); }
  setTimeout() { return this; }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
  _read() { }
  _write(chunk, encoding, done) { done(); }
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
function isIPv6(text) {
  const plain = String(text).replace(/%.+$/, '').replace(/:((?:\d{1,3}\.){3}\d{1,3})$/, (whole, tail) => (IPV4.test(tail) ? ':0:0' : ':x'));
  const [head, tail, more] = plain.split('::');
  const groups = (part) => (part === '' || part === undefined ? [] : part.split(':'));
  const all = [...groups(head), ...groups(tail)];
  return more === undefined && all.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) && (tail === undefined ? all.length === 8 : all.length < 8);
}
const isIPv4 = (text) => IPV4.test(String(text));
const isIP = (text) => (isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0);

const connect = () => failing(new Socket(), networkError('net.connect()'));
const net = { Socket, Stream: Socket, Server, connect, createConnection: connect, createServer: () => new Server(), isIP, isIPv4, isIPv6 };

const DNS_NAMES = ['lookup', 'lookupService', 'resolve', 'resolve4', 'resolve6', 'resolveAny', 'resolveCname', 'resolveMx', 'resolveNs', 'resolveSrv', 'resolveTxt', 'reverse'];
const dnsPromises = Object.fromEntries(DNS_NAMES.map((name) => [name, async () => { throw networkError(`dns.${name}()`, 'getaddrinfo'); }]));
const dns = {
  ...Object.fromEntries(DNS_NAMES.map((name) => [name, (...values) => {
    const done = values.at(-1);
    setImmediate(() => done(networkError(`dns.${name}()`, 'getaddrinfo')));
  }])),
  promises: dnsPromises,
};

export async function fetch(input) {
  throw new TypeError('fetch failed', { cause: networkError(`fetch(${JSON.stringify(String(input?.url ?? input))})`) });
}

// Processes. A program that is not there is ENOENT, as Node has it.

function missingProgram(syscall, program, args = []) {
  const error = namedError('ENOENT', syscall);
  error.message = `${syscall} ${program} ENOENT: programs cannot be started here; a skill is one process`;
  return Object.assign(error, { syscall: `${syscall} ${program}`, path: program, spawnargs: args });
}

const programOf = (command, options) => (options?.shell ? '/bin/sh' : command);
const argsOf = (args) => (Array.isArray(args) ? args : []);
const optionsOf = (args, options) => (Array.isArray(args) ? options : args) ?? {};

class ChildProcess extends EventEmitter {
  constructor(program, args) {
    super();
    const empty = () => Readable.from([]);
    Object.assign(this, {
      pid: undefined, exitCode: null, signalCode: null, killed: false, connected: false, spawnfile: program, spawnargs: [program, ...args],
      stdin: new PassThrough(), stdout: empty(), stderr: empty(),
    });
    this.stdio = [this.stdin, this.stdout, this.stderr];
  }

  kill() { return false; }
  ref() { }
  unref() { }
  disconnect() { }
  send() { return false; }
}

function spawn(command, args, options) {
  const program = programOf(command, optionsOf(args, options));
  const child = new ChildProcess(program, argsOf(args));
  const error = missingProgram('spawn', program, argsOf(args));
  setImmediate(() => {
    child.exitCode = -2;
    if (child.listenerCount('error') > 0 || child.listenerCount('close') === 0) child.emit('error', error);
    child.emit('close', -2, null);
  });
  return child;
}

function spawnSync(command, args, options) {
  const program = programOf(command, optionsOf(args, options));
  return { error: missingProgram('spawnSync', program, argsOf(args)), status: null, signal: null, output: null, pid: 0, stdout: null, stderr: null };
}

function execFile(program, ...rest) {
  const done = rest.findLast((value) => typeof value === 'function');
  const args = argsOf(rest[0]);
  const child = new ChildProcess(program, args);
  const error = Object.assign(missingProgram('spawn', program, args), { cmd: [program, ...args].join(' '), killed: false, stdout: '', stderr: '' });
  setImmediate(() => {
    if (done) done(error, '', '');
    else child.emit('error', error);
  });
  return child;
}

const promised = (call) => (...values) => new Promise((resolve, reject) => {
  call(...values, (error, stdout, stderr) => (error ? reject(error) : resolve({ stdout, stderr })));
});
const exec = (command, ...rest) => execFile('/bin/sh', ['-c', command], ...rest.filter((value) => typeof value === 'function'));
for (const call of [exec, execFile]) Object.defineProperty(call, Symbol.for('nodejs.util.promisify.custom'), { value: promised(call) });

const childProcess = {
  ChildProcess, exec, execFile, spawn, spawnSync,
  execSync: () => { throw missingProgram('spawnSync', '/bin/sh'); },
  execFileSync: (program, args) => { throw missingProgram('spawnSync', program, argsOf(args)); },
  fork: (file) => spawn('/usr/bin/node', [file]),
};

// Threads.

class Worker extends EventEmitter {
  constructor() {
    super();
    throw Object.assign(new Error('worker_threads.Worker is not available: a skill is one process with one thread'), { code: 'ERR_WORKER_INIT_FAILED' });
  }
}

const workerThreads = {
  Worker, isMainThread: true, isInternalThread: false, parentPort: null, workerData: null, threadId: 0, resourceLimits: {}, SHARE_ENV: Symbol.for('nodejs.worker_threads.SHARE_ENV'),
  getEnvironmentData: () => undefined, setEnvironmentData: () => undefined, markAsUntransferable: () => undefined, receiveMessageOnPort: () => undefined,
};

export const absent = {
  http: httpModule('http'), https: httpModule('https'), net,
  http2: { constants: {}, ...throwing('http2', ['connect', 'createServer', 'createSecureServer']) },
  tls: { ...throwing('tls', ['createSecureContext', 'createServer']), connect: () => failing(new Socket(), networkError('tls.connect()')), rootCertificates: [], TLSSocket: Socket },
  dgram: throwing('dgram', ['createSocket']),
  dns, 'dns/promises': dnsPromises,
  child_process: childProcess,
  cluster: { isMaster: true, isPrimary: true, isWorker: false, workers: {}, ...throwing('cluster', ['fork']) },
  worker_threads: workerThreads,
};
