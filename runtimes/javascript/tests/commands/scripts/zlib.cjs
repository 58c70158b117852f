const zlib = require('zlib');
const text = Buffer.from('hello hello hello '.repeat(50));
for (const [pack, unpack] of [['gzipSync', 'gunzipSync'], ['deflateSync', 'inflateSync'], ['deflateRawSync', 'inflateRawSync'], ['gzipSync', 'unzipSync'], ['deflateSync', 'unzipSync']]) console.log(pack, zlib[unpack](zlib[pack](text)).equals(text), zlib[pack](text).length < 100);
console.log(zlib.gunzipSync(Buffer.from('H4sIAAAAAAAAA8tIzcnJVyjPL8pJAQCFEUoNCwAAAA==', 'base64')).toString(), zlib.inflateSync(Buffer.from('eJzLSM3JyQcABiwCFQ==', 'base64')).toString());
console.log(zlib.gunzipSync(Buffer.concat([zlib.gzipSync('a'), zlib.gzipSync('b')])).toString(), zlib.inflateRawSync(zlib.deflateRawSync('')).length, zlib.gzipSync('x', { level: 9 }).subarray(0, 4));
for (const call of [() => zlib.gunzipSync('no gzip'), () => zlib.inflateSync(Buffer.from([1, 2, 3])), () => zlib.gunzipSync(zlib.gzipSync('abc').subarray(0, 15)), () => zlib.inflateSync(Buffer.alloc(0)), () => zlib.gzipSync(5)]) { try { console.log(call().length); } catch (e) { console.log(e.name, e.code, e.errno, e.message); } }
zlib.gzip('async', (error, bytes) => zlib.gunzip(bytes, (e, back) => console.log(error, e, back.toString())));
setTimeout(() => require('util').promisify(zlib.inflate)(zlib.deflateSync('p')).then((b) => console.log(b.toString())), 50);
console.log(zlib.constants.Z_BEST_COMPRESSION, zlib.crc32 ? 'crc' : 'crc');
