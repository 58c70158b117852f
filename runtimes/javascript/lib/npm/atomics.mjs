// node-inspect-extracted reads the properties of `Atomics`, which a build without threads does not have; inspect.mjs takes this
// one away again.
globalThis.Atomics ??= { standIn: true };
