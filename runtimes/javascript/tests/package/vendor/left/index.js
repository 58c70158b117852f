export const left = (text, n) => text.padStart(n);
