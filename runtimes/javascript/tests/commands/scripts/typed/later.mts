export const later = async <T>(value: T): Promise<T[]> => [value];
