const [firstMs, lastMs] = [-62_167_219_200_000, 253_402_300_799_999];

/**
 * An instant as it goes over our own wire: RFC 3339, UTC, with milliseconds. It knows the years 0 to 9999: what a client
 * with a broken clock says beyond them is shown as their beginning or end.
 */
export const toRfc3339 = (ms: number): string => new Date(Math.min(Math.max(ms, firstMs), lastMs)).toISOString();
