module.exports = require('./process.mjs').streamProcess;
