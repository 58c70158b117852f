console.log(JSON.stringify('result'));
console.error('problem %s %d %j', 'x', 4.5, { a: 1 });
console.warn({ a: [1, { b: { c: { d: 1 } } }], f() {}, m: new Map([['k', 1]]), s: 'it' });
console.info('info');
console.debug('debug', null, undefined, 1n, Symbol('s'), -0);
