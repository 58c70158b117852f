module.exports = 1;
setTimeout(() => console.log(JSON.stringify(require('./lib/helper').shout('a'))), 5);
