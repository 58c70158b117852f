process.stdout.write('no newline'); process.exit(7);
