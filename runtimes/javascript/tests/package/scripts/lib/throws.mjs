export function inner(value) {
  throw new TypeError(`bad ${value}`);
}
