throw new RangeError('deliberate');
