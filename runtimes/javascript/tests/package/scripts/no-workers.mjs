new Worker('./x.mjs');
