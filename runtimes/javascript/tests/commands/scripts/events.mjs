import EventEmitter, { once, on } from 'node:events';
const e = new EventEmitter(); e.on('x', (...a) => console.log('x', a)); e.prependListener('x', () => console.log('first')); e.once('x', () => console.log('once'));
console.log(e.emit('x', 1, 2), e.emit('x'), e.emit('none'), e.listenerCount('x'), e.eventNames());
try { e.emit('error', new Error('bad')); } catch (error) { console.log(error.message); } try { e.emit('error', 'text'); } catch (error) { console.log(error.message, error.code); }
setTimeout(() => e.emit('later', 5), 1); console.log(await once(e, 'later'));
class Mine extends EventEmitter { constructor() { super(); this.v = 1; } } const m = new Mine(); m.on('a', function f() { console.log(this === m, this.v); }); m.emit('a'); m.removeAllListeners(); console.log(m.emit('a'), m instanceof EventEmitter);
const t = new EventTarget(); t.addEventListener('hi', (ev) => { console.log(ev.type, ev.target === t, ev.detail, ev.cancelable); ev.preventDefault(); }, { once: true }); console.log(t.dispatchEvent(new CustomEvent('hi', { detail: 7, cancelable: true })), t.dispatchEvent(new Event('hi')));
t.addEventListener('o', { handleEvent(ev) { console.log('object', ev.type); } }); t.dispatchEvent(new Event('o'));
const ac = new AbortController(); const { signal } = ac; signal.onabort = () => console.log('onabort'); signal.addEventListener('abort', () => console.log('abort', signal.reason.name, signal.reason.message)); console.log(signal.aborted); ac.abort(); ac.abort(); console.log(signal.aborted);
try { signal.throwIfAborted(); } catch (error) { console.log(error.name, error.code, error instanceof DOMException); }
console.log(AbortSignal.abort('why').reason, AbortSignal.any([AbortSignal.abort(1)]).reason); const ts = AbortSignal.timeout(1); setTimeout(() => console.log(ts.aborted, ts.reason.name), 300);
import { setTimeout as wait } from 'node:timers/promises'; try { await wait(1000, null, { signal: AbortSignal.abort() }); } catch (error) { console.log(error.name, error.code); }
const order = []; setTimeout(() => order.push('timeout'), 0); setImmediate(() => order.push('immediate')); Promise.resolve().then(() => order.push('promise')); queueMicrotask(() => order.push('micro')); await wait(400); console.log(order.sort());
setTimeout(() => { const em = new EventEmitter(); (async () => { for await (const [v] of on(em, 'v', { close: ['end'] })) console.log('on', v); console.log('on end'); })(); setImmediate(() => { em.emit('v', 1); em.emit('v', 2); em.emit('end'); }); }, 40);
const i = setInterval(() => { console.log('tick'); clearInterval(i); }, 1); const un = setTimeout(() => console.log('never'), 100000); un.unref(); process.on('exit', (code) => console.log('exit', code)); process.on('beforeExit', () => console.log('beforeExit'));
