const bytes = new TextEncoder().encode('é€😀\ud800');
const decoder = new TextDecoder();
const halves = decoder.decode(bytes.subarray(0, 3), { stream: true }) + decoder.decode(bytes.subarray(3));
let fatal;
try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])); } catch (error) { fatal = error.name; }
console.log(JSON.stringify([bytes.length, halves, fatal, btoa('abc'), atob('YWJj'), Buffer.from('héllo').toString('base64'),
  Buffer.from('68e9', 'hex').toString('latin1'), Buffer.from([1, 2]).readUInt16BE(0), String(Buffer.from('text'))]));
