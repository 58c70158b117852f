import stream, { Readable, Writable, Transform, Duplex, PassThrough, pipeline, finished } from 'node:stream';
import { pipeline as pipelinePromise } from 'node:stream/promises';
import { text, json, buffer } from 'node:stream/consumers';
const upper = new Transform({ transform(chunk, encoding, done) { done(null, chunk.toString().toUpperCase()); } });
const sink = []; const collect = new Writable({ write(chunk, encoding, done) { sink.push(chunk.toString()); done(); }, final(done) { sink.push('final'); done(); } });
await pipelinePromise(Readable.from(['a', 'b', 'c']), upper, collect); console.log(sink);
console.log(await text(Readable.from(['x', 'y'])), await json(Readable.from(['{"a":', '1}'])), await buffer(Readable.from([Buffer.from('q')])));
const r = new Readable({ read() { this.push(this.n === 3 ? null : String(this.n = (this.n ?? 0) + 1)); } }); for await (const c of r) console.log('chunk', c.toString());
pipeline(Readable.from(['1']), new Transform({ transform(c, e, done) { done(new Error('broke')); } }), new PassThrough(), (error) => console.log('pipeline', error.message));
const w = new Writable({ highWaterMark: 3, write(c, e, done) { setImmediate(done); } }); console.log(w.write('abcd'), w.writableLength, w.writableHighWaterMark); w.on('drain', () => { console.log('drain'); w.end(); }); w.on('finish', () => console.log('finish')); w.on('close', () => console.log('close'));
const o = Readable.from([{ a: 1 }, { a: 2 }]); console.log(o.readableObjectMode, await o.map((v) => v.a * 2).toArray());
finished(Readable.from([]).resume(), (error) => console.log('finished', error));
const d = new Duplex({ read() { this.push('from'); this.push(null); }, write(c, e, done) { console.log('to', c.toString()); done(); } }); d.end('in'); d.on('data', (c) => console.log(c.toString())); 
Readable.from(['piped\n']).pipe(process.stdout); process.stdout.write('direct\n', () => console.log('written'));
async function* lines(source) { let rest = ''; for await (const chunk of source) { rest += chunk; const parts = rest.split('\n'); rest = parts.pop(); yield* parts; } if (rest) yield rest; }
await pipelinePromise(Readable.from(['l1\nl', '2\nl3']), lines, async function* number(source) { let n = 0; for await (const line of source) yield `${n += 1}:${line}\n`; }, new Writable({ write(c, e, done) { process.stdout.write(c); done(); } }));
class Counter extends Readable { constructor() { super({ encoding: 'utf8' }); this.i = 0; } _read() { this.push(this.i < 2 ? `c${this.i++}` : null); } } new Counter().on('data', (c) => console.log(typeof c, c)).on('end', () => console.log('end'));
console.log(stream.Readable === Readable, stream.promises.pipeline === pipelinePromise, typeof stream);
