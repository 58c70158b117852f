// Runs a script as a command in the runtime: node command.mjs RUNTIME.wasm ROOT SCRIPT ARGUMENT…
//
// ROOT has the folders `skill`, `workspace`, `home/skill` and `tmp`, which are opened as the sandbox opens them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WASI } from 'node:wasi';

const [runtime, root, script, ...rest] = process.argv.slice(2);
const preopens = {
  '/': root, '/skill': join(root, 'skill'), '/workspace': join(root, 'workspace'), '/home/skill': join(root, 'home/skill'), '/tmp': join(root, 'tmp'),
  '.': join(root, 'workspace'),
};
const env = { HOME: '/home/skill', TMPDIR: '/tmp', LANG: 'C.UTF-8', TZ: 'UTC', PWD: '/workspace' };
const wasi = new WASI({ version: 'preview1', args: [script, ...rest], env, preopens, returnOnExit: true });
const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(runtime)), wasi.getImportObject());
process.exitCode = wasi.start(instance);
