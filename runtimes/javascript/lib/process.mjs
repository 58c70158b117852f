// `process`: what a script may know of and do to the process it believes to be.

import { environment, exit as exitHost, now, stat } from 'runtime:host';

import { argumentError, coded, namedError, systemError } from './errors.mjs';
import { EventEmitter, hasListeners } from './events.mjs';
import { cwd, resolve, setCwd } from './path.mjs';
import { stderr, stdin, stdout } from './streams.mjs';
import { nextTick } from './ticks.mjs';

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGTERM: 15 };

class Process extends EventEmitter {
  title = 'node';
  // What scripts test for when they choose how to behave.
  version = 'v22.0.0';
  versions = { node: '22.0.0', quickjs: '0.16.2' };
  platform = 'linux';
  arch = 'wasm32';
  pid = 1;
  ppid = 0;
  argv = [];
  argv0 = 'node';
  execPath = '/usr/bin/node';
  execArgv = [];
  env = {};
  release = { name: 'node' };
  config = { target_defaults: {}, variables: {} };
  features = { inspector: false, ipv6: false, tls: false, typescript: 'transform' };
  exitCode = undefined;
  stdin = stdin;
  stdout = stdout;
  stderr = stderr;
  #leaving = false;

  // Called once per run, before the script; the path of the script.
  begin([script, ...rest]) {
    for (const entry of environment()) {
      const at = entry.indexOf('=');
      this.env[entry.slice(0, at)] = entry.slice(at + 1);
    }
    if (this.env.PWD?.startsWith('/')) setCwd(resolve(this.env.PWD));
    // A path without a slash at its start is one below the root.
    const path = script.startsWith('/') ? script : `/${script}`;
    this.argv = [this.execPath, path, ...rest];
    return path;
  }

  exit(code = this.exitCode ?? 0) {
    const number = Number(code);
    if (!Number.isInteger(number)) throw argumentError('code', 'of type number', code);
    this.exitCode = number;
    if (!this.#leaving) {
      this.#leaving = true;
      if (hasListeners(this)) this.emit('exit', number);
    }
    exitHost(this.exitCode & 0xff);
  }

  reallyExit(code) { exitHost(code & 0xff); }
  abort() { exitHost(134); }
  cwd() { return cwd(); }

  chdir(folder) {
    if (typeof folder !== 'string') throw argumentError('directory', 'of type string', folder);
    const target = resolve(folder);
    const answer = folder === '' ? undefined : stat(target, true);
    if (Array.isArray(answer) && answer[0] === 'directory') return setCwd(target);
    const error = Array.isArray(answer) ? namedError('ENOTDIR', 'chdir', cwd(), folder)
      : answer === undefined ? namedError('ENOENT', 'chdir', cwd(), folder) : systemError(-answer, 'chdir', cwd(), folder);
    throw error;
  }

  kill(pid, signal = 'SIGTERM') {
    if (pid !== this.pid) throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH', errno: -3, syscall: 'kill' });
    const number = SIGNALS[signal] ?? Number(signal);
    if (number !== 0 && !this.emit(signal, signal, number)) exitHost(128 + number);
    return true;
  }

  nextTick(callback, ...values) {
    if (typeof callback !== 'function') throw argumentError('callback', 'of type function', callback);
    nextTick(callback, ...values);
  }

  uptime() { return now() / 1e3; }
  umask() { return 0o22; }
  getuid() { return 1000; }
  geteuid() { return 1000; }
  getgid() { return 1000; }
  getegid() { return 1000; }
  getgroups() { return [1000]; }

  emitWarning(warning, options) {
    const type = typeof options === 'string' ? options : options?.type ?? 'Warning';
    const error = warning instanceof Error ? warning : Object.assign(new Error(warning), { name: type });
    queueMicrotask(() => {
      stderr.write(`(node:${this.pid}) ${error.name}: ${error.message}\n`);
      this.emit('warning', error);
    });
  }

  memoryUsage() { return { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }; }
  cpuUsage() { return { user: Math.round(now() * 1e3), system: 0 }; }
  resourceUsage() { return { userCPUTime: Math.round(now() * 1e3), systemCPUTime: 0, maxRSS: 0 }; }
  setUncaughtExceptionCaptureCallback(call) { this.on('uncaughtException', call); }
  getBuiltinModule() { throw coded('ERR_FEATURE_UNAVAILABLE', 'process.getBuiltinModule() is not available: use import or require'); }

  hrtime(since = [0, 0]) {
    const elapsed = now() * 1e6 - (since[0] * 1e9 + since[1]);
    return [Math.floor(elapsed / 1e9), Math.round(elapsed % 1e9)];
  }

  get [Symbol.toStringTag]() { return 'process'; }
}
Object.defineProperty(Process.prototype.hrtime, 'bigint', { value: () => BigInt(Math.round(now() * 1e6)) });
Object.defineProperty(Process.prototype.memoryUsage, 'rss', { value: () => 0 });

export const process = new Process();
Object.defineProperty(process, 'begin', { value: process.begin, enumerable: false });
export const isJsonContract = () => process.env.INPUT_JSON !== undefined;
