'use strict';
const twice = require('./twice');
module.exports = { twice, data: require('../data.json') };
