const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
console.log(JSON.stringify({ text: Buffer.concat(chunks).toString('utf8') }));
