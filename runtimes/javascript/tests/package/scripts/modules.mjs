import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import os from 'node:os';
import util from 'node:util';
assert.deepStrictEqual({ a: [1, new Map([[1, 2]])] }, { a: [1, new Map([[1, 2]])] });
assert.throws(() => assert.equal(1, 2), { code: 'ERR_ASSERTION' });
const emitter = new EventEmitter();
setTimeout(() => emitter.emit('ready', 5), 1);
const [value] = await once(emitter, 'ready');
console.log(JSON.stringify({
  value, sha: crypto.createHash('sha256').update('abc').digest('hex'), eol: os.EOL, text: util.format('%s=%O', 'a', [1]),
  shown: util.inspect({ a: { b: { c: {} } } }, { depth: 0 }),
}));
