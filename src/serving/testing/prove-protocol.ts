import { expect, test } from 'vitest';
import type { ConformanceProtocol } from '../conformance/protocol.ts';

/**
 * A test for each row of a protocol's table, by its own name: what the page says is what was seen. A row without a proof
 * fails, and so does a proof of what no row says.
 */
export function proveProtocol(protocol: ConformanceProtocol, proofs: Readonly<Record<string, () => Promise<void>>>) {
  const rows = protocol.sections.flatMap((section) => section.rows);
  test(`${protocol.title}: each row is proven, once, and says why where it differs`, () => {
    const names = rows.map(({ what }) => what);
    expect(Object.keys(proofs).toSorted()).toEqual(names.toSorted());
    expect(rows.filter(({ state, note }) => state !== 'supported' && note === undefined)).toEqual([]);
  });
  for (const { what, state } of rows)
    test(`${what} (${state})`, async () => {
      const prove = proofs[what];
      expect(prove).toBeTypeOf('function');
      await prove?.();
    });
}
