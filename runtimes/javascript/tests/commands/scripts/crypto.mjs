import crypto, { createHash, createHmac, randomBytes, randomUUID, timingSafeEqual, randomInt } from 'node:crypto';
for (const name of ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha512-256', 'SHA256', 'RSA-SHA256', 'sha3-256', 'sha3-512', 'blake2b512', 'blake2s256']) {
  for (const data of ['', 'abc', 'x'.repeat(200), Buffer.from([0, 255, 128])]) console.log(name, createHash(name).update(data).digest('hex'), createHmac(name, 'key').update(data).digest('base64'));
}
console.log(createHmac('sha256', 'k'.repeat(300)).update('a').update('b').digest('hex'), createHash('sha256').update('é', 'latin1').digest('base64url'), createHash('sha1').update('aa', 'hex').digest());
const h = createHash('sha256').update('a'); const copy = h.copy(); console.log(h.update('b').digest('hex') === createHash('sha256').update('ab').digest('hex'), copy.digest('hex').slice(0, 8));
for (const call of [() => h.digest(), () => createHash('nope'), () => createHash('sha256').update(5), () => timingSafeEqual(Buffer.from('a'), Buffer.from('ab')), () => createHmac('sha256')]) { try { call(); console.log('no error'); } catch (e) { console.log(e.code, e.name); } }
console.log(randomBytes(8).length, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(randomUUID()), timingSafeEqual(Buffer.from('a'), Buffer.from('a')), randomInt(5) < 5, randomInt(3, 4), globalThis.crypto.randomUUID().length, crypto.getRandomValues(new Uint8Array(4)).length);
console.log(crypto.pbkdf2Sync('pw', 'salt', 10, 20, 'sha256').toString('hex'), crypto.pbkdf2Sync('pw', 'salt', 3, 70, 'sha512').toString('base64'), Buffer.from(crypto.hkdfSync('sha256', 'key', 'salt', 'info', 42)).toString('hex'));
console.log(Buffer.from(await globalThis.crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))).toString('hex'), crypto.getHashes().includes('sha256'));
crypto.randomBytes(4, (error, bytes) => console.log(error, bytes.length));
