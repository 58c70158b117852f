process.stdout.write(new Uint8Array([0xff, 0xfe]));
