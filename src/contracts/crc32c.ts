/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), four bytes a step by four tables. */
const tables: readonly [Int32Array, Int32Array, Int32Array, Int32Array] = makeTables();

function makeTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const first = Int32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    return value;
  });
  const step = (table: Int32Array) => table.map((value) => (first[value & 0xff] ?? 0) ^ (value >>> 8));
  const second = step(first);
  const third = step(second);
  return [first, second, third, step(third)];
}

/** Checksum of `bytes[start..end)`, as an unsigned integer. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const [t0, t1, t2, t3] = tables;
  let crc = -1;
  let at = start;
  // The indexes are below 256 by construction; `as number` spares four checks a step on the hottest loop of the spool.
  for (const last = end - 3; at < last; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (t3[crc & 0xff] as number) ^
      (t2[(crc >>> 8) & 0xff] as number) ^
      (t1[(crc >>> 16) & 0xff] as number) ^
      (t0[crc >>> 24] as number);
  }
  for (; at < end; at += 1) crc = (t0[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
