const line = 'x'.repeat(1 << 20);
for (let i = 0; i < 1024; i += 1) process.stdout.write(line);
