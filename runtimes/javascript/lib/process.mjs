// `process`: what a script may know of and do to the process it believes to be.

import { environment, exit as exitHost, now } from 'runtime:host';

import { coded } from './errors.mjs';
import { EventEmitter } from './events.mjs';
import { stderr, stdin, stdout } from './streams.mjs';

class Process extends EventEmitter {
  title = 'javascript';
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
  config = {};
  features = {};
  exitCode = undefined;
  stdin = stdin;
  stdout = stdout;
  stderr = stderr;
  #leaving = false;

  // Called once per run, before the script.
  begin(script, rest) {
    this.argv = [this.execPath, `/${script}`, ...rest];
    for (const entry of environment()) {
      const at = entry.indexOf('=');
      this.env[entry.slice(0, at)] = entry.slice(at + 1);
    }
  }

  exit(code = this.exitCode ?? 0) {
    const number = Number(code);
    if (!Number.isInteger(number)) {
      throw coded('ERR_INVALID_ARG_TYPE', `The "code" argument must be an integer. Received ${String(code)}`, TypeError);
    }
    this.exitCode = number;
    if (!this.#leaving) {
      this.#leaving = true;
      this.emit('exit', number);
    }
    exitHost(this.exitCode & 0xff);
  }

  abort() { exitHost(134); }
  cwd() { return '/'; }
  chdir() { throw coded('ERR_FEATURE_UNAVAILABLE', 'process.chdir() is not available: the working directory is the package'); }
  kill() { throw coded('ERR_FEATURE_UNAVAILABLE', 'process.kill() is not available: there are no other processes'); }
  nextTick(callback, ...values) { queueMicrotask(() => callback(...values)); }
  uptime() { return now() / 1e3; }
  umask() { return 0o22; }
  emitWarning(warning) { stderr.write(`Warning: ${warning?.message ?? warning}\n`); }
  memoryUsage() { return { rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }; }

  hrtime(since = [0, 0]) {
    const elapsed = now() * 1e6 - (since[0] * 1e9 + since[1]);
    return [Math.floor(elapsed / 1e9), Math.round(elapsed % 1e9)];
  }

  get [Symbol.toStringTag]() { return 'process'; }
}
Object.defineProperty(Process.prototype.hrtime, 'bigint', { value: () => BigInt(Math.round(now() * 1e6)) });

export const process = new Process();
Object.defineProperty(process, 'begin', { value: process.begin, enumerable: false });
