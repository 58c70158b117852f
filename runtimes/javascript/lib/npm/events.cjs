module.exports = require('../events.mjs').EventEmitter;
