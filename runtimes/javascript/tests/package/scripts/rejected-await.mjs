await Promise.reject(new RangeError('top'));
