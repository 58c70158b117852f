// `process.nextTick`: what runs after the code that is running and before promises go on.

let waiting = [];

export function nextTick(callback, ...values) { waiting.push(() => callback(...values)); }

// Runs everything that waits, also what is added meanwhile. What is thrown leaves the rest for the next call.
export function runTicks() {
  if (waiting.length === 0) return false;
  for (let at = 0; at < waiting.length; at += 1) {
    try {
      waiting[at]();
    } catch (error) {
      waiting = waiting.slice(at + 1);
      throw error;
    }
  }
  waiting = [];
  return true;
}
