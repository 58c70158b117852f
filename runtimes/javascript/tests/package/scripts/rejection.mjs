async function fail() {
  throw new Error('no');
}
fail();
setTimeout(() => console.log('never'), 50);
