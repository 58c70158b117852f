#!/usr/bin/env node
// Runs the scripts of tests/commands as commands and compares exit code, standard output and files with what Node did.
//
//   node compare.mjs RUNTIME.wasm [NAME…]   compares the runtime, run by node:wasi, with commands.json
//   node compare.mjs --record [ESBUILD]     writes commands.json anew from Node 20 in bubblewrap; TypeScript is bundled by esbuild first
//
// A case: `entrypoint` and `args`; `stdin`; `work`, the files of the working folder before; and what came of it: `exit_code`,
// `stdout_text` or `stdout_hex`, pieces of `stderr`, and `files`, those of the working folder after (text, `{ "link": … }`, or null
// for anything). crates/sre/tests/runtimes.rs runs the same cases in the sandbox.

import { spawnSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

const here = import.meta.dirname;
const list = join(here, 'commands.json');
const [target, ...names] = process.argv.slice(2);
const environment = { HOME: '/home/skill', TMPDIR: '/tmp', LANG: 'C.UTF-8', TZ: 'UTC', PWD: '/workspace' };

function tree(folder, prefix = '') {
  const found = {};
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    const stats = lstatSync(path);
    if (stats.isSymbolicLink()) found[prefix + name] = { link: readlinkSync(path) };
    else if (!stats.isDirectory()) found[prefix + name] = isText(readFileSync(path)) ? readFileSync(path, 'utf8') : null;
    else Object.assign(found, tree(path, `${prefix}${name}/`));
  }
  return found;
}

const isText = (bytes) => bytes.equals(Buffer.from(bytes.toString()));

function underNode(root, script, args) {
  const binds = ['skill', 'workspace', 'home/skill', 'tmp'].flatMap((name) => [name === 'skill' ? '--ro-bind' : '--bind', join(root, name), `/${name}`]);
  const variables = Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]);
  return ['bwrap', ['--unshare-all', '--clearenv', '--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64', '--symlink', 'usr/bin', '/bin',
    '--proc', '/proc', '--dev', '/dev', ...variables, ...binds, '--chdir', '/workspace', '/usr/bin/node', '--no-warnings', script, ...args]];
}

function underEsbuild(root, script, args) {
  const source = join(root, script);
  const format = script.endsWith('.cts') || readFileSync(source, 'utf8').includes('__dirname') ? 'cjs' : 'esm';
  const made = `${script.replace(/\.[cm]?tsx?$/, '')}.${format === 'cjs' ? 'cjs' : 'mjs'}`;
  const done = spawnSync(names[0], [source, '--bundle', '--platform=node', `--format=${format}`, '--log-level=error', `--outfile=${join(root, made)}`], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
  return underNode(root, made, args);
}

const underRuntime = (root, script, args) => [process.execPath, ['--no-warnings', join(here, 'command.mjs'), target, root, script, ...args]];

// What a command did in a fresh set of folders.
function run(command, { entrypoint, args = [], stdin = '', work = {} }) {
  const root = mkdtempSync(join(tmpdir(), 'javascript-commands-'));
  try {
    for (const name of ['workspace', 'home/skill', 'tmp']) mkdirSync(join(root, name), { recursive: true });
    cpSync(join(here, 'commands'), join(root, 'skill'), { recursive: true });
    for (const [path, content] of Object.entries(work)) {
      mkdirSync(dirname(join(root, 'workspace', path)), { recursive: true });
      writeFileSync(join(root, 'workspace', path), content);
    }
    const [program, given] = command(root, `/skill/${entrypoint}`, args);
    const done = spawnSync(program, given, { input: stdin, maxBuffer: 64 << 20 });
    const printed = isText(done.stdout) ? { stdout_text: done.stdout.toString() } : { stdout_hex: done.stdout.toString('hex') };
    return { exit_code: done.status, ...printed, files: tree(join(root, 'workspace')), stderr: done.stderr.toString() };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const cases = JSON.parse(readFileSync(list));
if (target === '--record') {
  for (const one of cases) {
    // What has expectations about standard error was written by hand.
    if (one.stderr) continue;
    const isTyped = /\.[cm]?tsx?$/.test(one.entrypoint);
    if (isTyped && names.length === 0) continue;
    const { stderr, ...did } = run(isTyped ? underEsbuild : underNode, one);
    if (did.exit_code !== (one.exit_code ?? 0)) console.error(`${one.entrypoint}: exit code ${did.exit_code}\n${stderr}`);
    Object.assign(one, did);
  }
  writeFileSync(list, `${JSON.stringify(cases, null, 1)}\n`);
} else {
  let failed = 0;
  const chosen = cases.filter((one) => names.length === 0 || names.includes(one.entrypoint));
  for (const one of chosen) {
    const did = run(underRuntime, one);
    const wrong = ['exit_code', 'stdout_text', 'stdout_hex', 'files'].filter((field) => !isDeepStrictEqual(did[field], one[field]));
    const missing = (one.stderr ?? []).filter((piece) => !did.stderr.includes(piece));
    if (missing.length > 0) wrong.push('stderr');
    if (wrong.length === 0) continue;
    failed += 1;
    console.log(`${one.entrypoint} ${(one.args ?? []).join(' ')}`);
    for (const field of wrong) report(field, field === 'stderr' ? missing.join('\n') : one[field], field === 'stderr' ? '' : did[field]);
    if (did.stderr) console.log(`  stderr: ${did.stderr.trim().slice(0, 1500)}`);
  }
  console.log(`${chosen.length - failed} of ${chosen.length} as Node`);
  process.exitCode = failed > 0 ? 1 : 0;
}

// The lines that differ.
function report(field, expected, actual) {
  const [left, right] = [expected, actual].map((value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 1) ?? '').split('\n'));
  let shown = 0;
  for (let at = 0; at < Math.max(left.length, right.length) && shown < 40; at += 1) {
    if (left[at] === right[at]) continue;
    console.log(`  ${field} line ${at + 1}\n    Node:    ${left[at]}\n    runtime: ${right[at]}`);
    shown += 1;
  }
}
