// `node:os`: what can be told without telling of the machine.

import { errno } from './errors.mjs';
import { process } from './process.mjs';

const signals = {
  SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGTRAP: 5, SIGABRT: 6, SIGIOT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9, SIGUSR1: 10, SIGSEGV: 11, SIGUSR2: 12, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15, SIGCHLD: 17, SIGSTKFLT: 16, SIGCONT: 18, SIGSTOP: 19, SIGTSTP: 20, SIGTTIN: 21, SIGTTOU: 22, SIGURG: 23, SIGXCPU: 24, SIGXFSZ: 25, SIGVTALRM: 26, SIGPROF: 27, SIGWINCH: 28, SIGIO: 29, SIGPOLL: 29, SIGPWR: 30, SIGSYS: 31,
};

export const os = {
  EOL: '\n', devNull: '/dev/null', arch: () => process.arch, availableParallelism: () => 1, endianness: () => 'LE',
  cpus: () => [{ model: 'wasm32', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } }],
  freemem: () => 2 ** 30, totalmem: () => 2 ** 31, getPriority: () => 0, setPriority: () => undefined,
  homedir: () => process.env.HOME ?? '/tmp', hostname: () => 'localhost', loadavg: () => [0, 0, 0], machine: () => 'wasm32', networkInterfaces: () => ({}),
  platform: () => process.platform, release: () => '0', tmpdir: () => (process.env.TMPDIR || '/tmp').replace(/(.)\/$/, '$1'), type: () => 'Linux',
  uptime: () => process.uptime(), version: () => '#1', userInfo: () => ({ uid: 1000, gid: 1000, username: 'skill', homedir: os.homedir(), shell: null }),
  constants: { signals, errno, priority: { PRIORITY_LOW: 19, PRIORITY_BELOW_NORMAL: 10, PRIORITY_NORMAL: 0, PRIORITY_ABOVE_NORMAL: -7, PRIORITY_HIGH: -14, PRIORITY_HIGHEST: -20 } },
};
