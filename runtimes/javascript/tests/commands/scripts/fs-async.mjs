import fs, { createReadStream, createWriteStream, promises } from 'node:fs';
import { readFile, writeFile, mkdir, readdir, stat, rm, open, appendFile, cp, access } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip, createGunzip } from 'node:zlib';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { once } from 'node:events';
await mkdir('d/e', { recursive: true });
await writeFile('d/a.txt', 'alpha\nbeta\r\ngamma');
await appendFile('d/a.txt', '\ndelta');
console.log(await readFile('d/a.txt', 'utf8'), (await readdir('d')), (await stat('d/a.txt')).size);
try { await readFile('nope'); } catch (e) { console.log(e.code, e.message, e.syscall); }
try { await access('nope'); } catch (e) { console.log(e.message); }
for await (const line of createInterface({ input: createReadStream('d/a.txt') })) console.log('line', line);
const chunks = []; for await (const chunk of createReadStream('d/a.txt', { encoding: 'utf8', start: 2, end: 8 })) chunks.push(chunk);
console.log(chunks);
const out = createWriteStream('d/out.txt'); out.write('first '); out.write(Buffer.from('second ')); out.end('third'); await once(out, 'finish');
console.log(await readFile('d/out.txt', 'utf8'), out.bytesWritten, out.path);
await pipeline(createReadStream('d/a.txt'), createGzip(), createGunzip(), createWriteStream('d/copy.txt'));
console.log((await readFile('d/copy.txt')).equals(fs.readFileSync('d/a.txt')));
createReadStream('nope').on('error', (e) => console.log('stream error', e.code, e.message)).on('close', () => console.log('closed'));
await new Promise((resolve) => { setTimeout(resolve, 20); });
const handle = await open('d/h.txt', 'w+');
console.log((await handle.write('handle')).bytesWritten, (await handle.stat()).size, (await handle.read(Buffer.alloc(4), 0, 4, 1)).buffer.toString());
await handle.close();
await new Promise((resolve) => { fs.readFile('d/h.txt', 'utf8', (error, text) => { console.log('callback', error, text); fs.stat('nope', (e) => { console.log(e.code); resolve(); }); }); });
console.log(await promisify(fs.readFile)('d/h.txt', 'utf8'));
await cp('d', 'd2', { recursive: true }); await rm('d', { recursive: true, force: true });
console.log(await promises.readdir('d2'), fs.existsSync('d'));
