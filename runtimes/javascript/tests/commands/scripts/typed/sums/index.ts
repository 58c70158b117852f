export const total = (...values: number[]): number => values.reduce((a, b) => a + b, 0); export const folder: string = "folder";
