export const how = 'import';
