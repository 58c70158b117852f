function down(n) {
  return 1 + down(n + 1);
}
let caught;
try { down(0); } catch (error) { caught = `${error.name}: ${error.message}`; }
function sum(n) { return n === 0 ? 0 : n + sum(n - 1); }
console.log(JSON.stringify({ caught, sum: sum(800) }));
