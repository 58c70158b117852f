const promise = Promise.reject(new Error('no'));
queueMicrotask(() => promise.catch(() => console.log('"caught"')));
