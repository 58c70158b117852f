const chunks = [];
process.stdin.setEncoding('utf8');
process.stdin.on('data', (c) => chunks.push(c));
process.stdin.on('end', () => { process.stdout.write(chunks.join('').toUpperCase()); });
