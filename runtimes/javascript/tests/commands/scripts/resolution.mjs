// Packages of every shape are written into the working folder; each file exports its own path. Then ES modules and CommonJS
// modules in several places import and require them.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';

function put(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
}
const esm = 'export default import.meta.filename; export const kind = "esm";';
const cjs = 'module.exports = __filename;';
const source = (path) => (path.endsWith('.mjs') ? esm : path.endsWith('.json') ? '{"json":true}' : cjs);
function pack(name, manifest, ...files) {
  const folder = `node_modules/${name}`;
  if (manifest) put(`${folder}/package.json`, manifest);
  for (const file of files) put(`${folder}/${file}`, manifest?.type === 'module' && file.endsWith('.js') ? esm : source(file));
}

put('package.json', { name: 'self', exports: { '.': './self.mjs', './sub': { import: './sub.mjs', require: './sub.cjs' }, './closed/*': null }, imports: {
  '#one': './one.mjs', '#cond': { require: './cond.cjs', import: './cond.mjs' }, '#dir/*': './dir/*.mjs', '#dir/special/*': './special/*.mjs', '#dir/none/*': null, '#pkg': 'plain', '#pkg/*': 'map/*',
  '#builtin': 'node:path', '#nested': { browser: './no.mjs', node: { development: './no.mjs', default: './one.mjs' } }, '#array': ['./../out.mjs', './one.mjs'], '#missing': './missing.mjs', '#null': null, '#up': '../x.mjs', '#notcond': { browser: './one.mjs' },
  '#ext/*.mjs': './dir/*.mjs', '#ext/*': './special/*.mjs', '#two/*/x/*': './no/*.mjs', '#mod/*': './node_modules/*.mjs', '#': './one.mjs', '#/slash': './one.mjs', '#bad': 'http://example.com/x', '#number': 5,
} });
for (const file of ['self.mjs', 'sub.mjs', 'sub.cjs', 'one.mjs', 'cond.mjs', 'cond.cjs', 'dir/a.mjs', 'dir/deep/b.mjs', 'special/a.mjs', 'special/b.mjs', 'dir/index.js', 'folder/index.js', 'json.json', 'noext', 'inner/package.json', 'a b.mjs', 'percent%20.mjs', 'dual.js', 'dual/index.js', 'main/lib.js', 'x.cjs']) put(file, source(file));
put('inner/package.json', { type: 'module' }); put('inner/file.js', esm); put('main/package.json', { main: 'lib' });
pack('plain', { main: './lib/main' }, 'lib/main.js', 'lib/other.js', 'index.js', 'data.json');
pack('noindex', { main: 'missing.js' }, 'index.js'); pack('nomain', null, 'index.js', 'deep/x.js', 'deep/y.mjs'); pack('nothing', {}); pack('maindir', { main: 'lib' }, 'lib/index.js');
pack('@scope/pkg', { exports: './x.js' }, 'x.js'); pack('@scope/plain', {}, 'index.js', 'a.js');
pack('string', { exports: './only.js' }, 'only.js', 'other.js');
pack('dual', { type: 'module', exports: { import: './esm.js', require: './cjs.cjs' }, main: './main.js' }, 'esm.js', 'cjs.cjs', 'main.js');
pack('map', { exports: { '.': { node: { import: './m.mjs', default: './m.cjs' } }, './a': './a.js', './p/*': './pat/*.js', './p/x-*': './patx/*.js', './p/private/*': null, './f/*.js': './pat/*.js', './f/*.css': './css/*.js', './dir/': './pat/', './missing': './nope.js', './bad': 'nope.js', './up': '../up.js', './nm': './node_modules/z.js', './arr': [{ browser: './no.js' }, './a.js'], './arrnull': [null, './a.js'], './empty': [], './json': './d.json', './mjs': './m.mjs', './order': { default: './a.js', import: './m.mjs' }, './none': { browser: './a.js' }, './deepnull': { import: null, default: './a.js' }, './sync': { 'module-sync': './m.mjs', default: './a.js' }, './all/*': './pat/*', './long/*/end': './pat/*.js' } },
  'm.mjs', 'm.cjs', 'a.js', 'pat/one.js', 'pat/two/three.js', 'patx/y.js', 'd.json', 'css/s.js', 'hidden.js');
pack('mixed', { exports: { '.': './a.js', import: './b.js' } }, 'a.js'); pack('numeric', { exports: { '.': { 0: './a.js', default: './a.js' } } }, 'a.js'); pack('exportsnull', { exports: null, main: 'a.js' }, 'a.js'); pack('exportsfalse', { exports: false, main: 'a.js' }, 'a.js'); pack('exportsempty', { exports: {}, main: 'a.js' }, 'a.js'); pack('badjson', null, 'a.js'); put('node_modules/badjson/package.json', '{ nope');
pack('typed', { type: 'module', main: 'm.js' }, 'm.js', 'c.cjs'); pack('ownimports', { exports: './i.cjs', imports: { '#x': './x.cjs' } }, 'x.cjs'); put('node_modules/ownimports/i.cjs', 'module.exports = require("#x");');
pack('selfref', { name: 'selfref', exports: { '.': './s.cjs', './other': './o.cjs' } }, 'o.cjs'); put('node_modules/selfref/s.cjs', 'module.exports = require("selfref/other");');
pack('nested', { main: 'n.js' }); put('node_modules/nested/n.js', 'module.exports = [__filename, require("inner")];'); put('node_modules/nested/node_modules/inner/index.js', cjs); pack('inner', {}, 'index.js');
put('vendored/use.mjs', 'export { default } from "plain";'); put('use.cjs', 'module.exports = require;'); put('deep/er/use.mjs', 'export const go = (s) => import(s);'); put('inner/use.js', 'export const go = (s) => import(s);');
put('interop.cjs', 'exports.named = 1; exports.default = "d"; Object.defineProperty(exports, "__esModule", { value: true });'); put('function.cjs', 'module.exports = function f() {}; module.exports.extra = 2;'); put('cycle-a.cjs', 'exports.early = 1; const b = require("./cycle-b.cjs"); exports.late = b.seen;'); put('cycle-b.cjs', 'const a = require("./cycle-a.cjs"); exports.seen = Object.keys(a);'); put('throws.cjs', 'exports.x = 1; throw new Error("once");'); put('counted.cjs', 'globalThis.count = (globalThis.count ?? 0) + 1; module.exports = globalThis.count;'); put('shebang.cjs', '#!/usr/bin/env node\nmodule.exports = "ran";'); put('bom.cjs', '\ufeffmodule.exports = "bom";'); put('detect.js', 'import { sep } from "node:path"; export default sep;'); put('this.cjs', 'module.exports = [this === exports, typeof require, module.children.length, module.loaded, require.main === undefined, typeof module.paths];');

const shown = (value) => JSON.stringify(value)?.replaceAll(process.cwd(), '~');
const require = createRequire(resolve('use.cjs'));
const root = await import(resolve('deep/er/use.mjs')); const inner = await import(resolve('inner/use.js'));
const top = async (specifier) => import(specifier.startsWith('.') ? resolve(specifier) : specifier);
const specifiers = ['plain', 'plain/lib/other', 'plain/lib/other.js', 'plain/data.json', 'plain/package.json', 'noindex', 'nomain', 'nomain/deep/x', 'nomain/deep/x.js', 'nomain/deep/y.mjs', 'nomain/deep', 'nothing', 'maindir', '@scope/pkg', '@scope/plain', '@scope/plain/a', '@scope/plain/a.js', '@scope', '@scope/none', 'string', 'string/only.js', 'string/package.json', 'dual', 'dual/main.js', 'map', 'map/a', 'map/a.js', 'map/p/one', 'map/p/two/three', 'map/p/x-y', 'map/p/private/one', 'map/p/', 'map/p/../a', 'map/f/one.js', 'map/f/s.css', 'map/f/one', 'map/dir/one.js', 'map/missing', 'map/bad', 'map/up', 'map/nm', 'map/arr', 'map/arrnull', 'map/empty', 'map/mjs', 'map/order', 'map/none', 'map/deepnull', 'map/sync', 'map/all/one.js', 'map/all/one', 'map/long/one/end', 'map/hidden.js', 'map/./a', 'mixed', 'numeric', 'exportsnull', 'exportsfalse', 'exportsempty', 'badjson', 'badjson/a.js', 'typed', 'typed/c.cjs', 'ownimports', 'selfref', 'selfref/other', 'nested', 'inner', 'none', 'none/x', '', '.hidden', '%41', 'a\\b', 'node:path', 'node:nope', 'fs/promises', 'self', 'self/sub', 'self/closed/x', 'self/other',
  '#one', '#cond', '#dir/a', '#dir/deep/b', '#dir/special/b', '#dir/none/x', '#pkg', '#pkg/a', '#builtin', '#nested', '#array', '#missing', '#null', '#up', '#notcond', '#ext/a.mjs', '#ext/b', '#two/a/x/b', '#mod/x', '#', '#/slash', '#bad', '#number', '#unknown', '#dir/../one', '#dir/'];
// Node 22 has another name for it.
const codeOf = (error) => error.code?.replace('ASSERTION_TYPE_MISSING', 'ATTRIBUTE_MISSING') ?? error.name;
const told = (value) => (typeof value?.default?.join === 'function' ? 'path' : shown(value?.default ?? value).slice(0, 120));
for (const specifier of specifiers) {
  const line = [];
  try { line.push(told(await root.go(specifier))); } catch (error) { line.push(codeOf(error)); }
  try { line.push(shown(require.resolve(specifier))); } catch (error) { line.push(error.code ?? error.name); }
  console.log(JSON.stringify(specifier), line.join('  '));
}
for (const path of ['./one.mjs', './one', './dir', './folder', './folder/', './json.json', './noext', './inner/file.js', './a%20b.mjs', './a b.mjs', './percent%2520.mjs', './dual', './dual/', './main', './x', './nope.js', './one.mjs?q=1', './one.mjs#h', './x%2fy.mjs', '.', '..', './use.cjs/x', './detect.js', './bom.cjs', './shebang.cjs', './this.cjs']) {
  const line = [];
  try { line.push(told(await import(path.startsWith('./') ? `file://${process.cwd()}/${path.slice(2)}` : path))); } catch (error) { line.push(codeOf(error)); }
  try { line.push(shown(require.resolve(path))); } catch (error) { line.push(error.code ?? error.name); }
  console.log(path, line.join('  '));
}
for (const specifier of ['plain', '#one', 'self', './file.js', './file']) { try { console.log('inner', specifier, told(await inner.go(specifier))); } catch (error) { console.log('inner', specifier, error.code); } }
const interop = await import(resolve('interop.cjs')); console.log(shown(interop.default), interop.named, shown(require('./interop.cjs'))); const f = await import(resolve('function.cjs')); console.log(typeof f.default, f.extra);
console.log(shown(require('./cycle-a.cjs')), shown(require('./json.json')), require('./counted.cjs'), require('./counted.cjs'), Object.keys(require.cache).some((key) => key.endsWith('counted.cjs'))); delete require.cache[require.resolve('./counted.cjs')]; console.log(require('./counted.cjs'));
for (let i = 0; i < 2; i += 1) { try { require('./throws.cjs'); } catch (error) { console.log(error.message); } }
console.log((await import(resolve('one.mjs'))) === (await import(resolve('one.mjs'))), (await import(`file://${resolve('one.mjs')}?1`)) === (await import(resolve('one.mjs'))), shown((await import(resolve('json.json'), { with: { type: 'json' } })).default), require('./one.mjs').kind, shown(require('typed')));
try { require('./nope'); } catch (error) { console.log(error.message.split('\n')[0], shown(error.requireStack)); } try { await import('nope'); } catch (error) { console.log(error.message); } try { await import('./nope.mjs'); } catch (error) { console.log(error.message); } try { await root.go('map/hidden.js'); } catch (error) { console.log(shown(error.message)); } try { await root.go('#unknown'); } catch (error) { console.log(shown(error.message)); } try { require('string/only.js'); } catch (error) { console.log(shown(error.message)); } try { await root.go('string/only.js'); } catch (error) { console.log(shown(error.message)); } try { await root.go('map/bad'); } catch (error) { console.log(shown(error.message)); }
for (const name of readdirSync('.')) rmSync(name, { recursive: true });
