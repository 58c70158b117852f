const clone = structuredClone({ d: new Date(0), m: new Map([[1, new Set([2])]]), e: new RangeError('r'), u: new Uint8Array([1, 2]) });
let refused;
try { structuredClone(() => 1); } catch (error) { refused = error.name; }
const url = new URL('../b/./c?q=1&q=2&s=a+b%20c#h', 'https://user:pw@example.com:8443/x/y/z');
url.searchParams.append('new', 'é');
console.log(JSON.stringify({
  clone: [clone.d.toISOString(), clone.m.get(1).has(2), clone.e instanceof RangeError, clone.u[1]], refused,
  url: [url.href, url.host, url.origin, url.searchParams.getAll('q'), url.searchParams.get('s')],
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
  random: crypto.getRandomValues(new Uint32Array(8)).some((word) => word !== 0),
  math: Math.random() !== Math.random(), date: new Date(2020, 0, 1).toISOString(), zone: new Date(0).getTimezoneOffset(),
}));
