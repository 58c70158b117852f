process.on('uncaughtException', (error) => { console.log(JSON.stringify(error.message)); process.exit(5); });
throw new Error('mine');
