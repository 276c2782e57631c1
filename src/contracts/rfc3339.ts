/** An instant as it goes over our own wire: RFC 3339, UTC, with milliseconds. */
export const toRfc3339 = (ms: number): string => new Date(ms).toISOString();
