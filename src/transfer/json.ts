/* JSON of others: whatever is not as it should be is read as absent. */

export type Json = Readonly<Record<string, unknown>>;

export const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
export const number = (value: unknown): number => Number(text(value) || 0);
export const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : []);
export const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});

interface Pair {
  readonly key: string;
  readonly value: string;
}
export const toPairs = (value: unknown): { key: string; value: string }[] =>
  list(value).map((pair) => ({ key: text(pair['key']), value: text(pair['value']) }));
export const valueOf = (pairs: readonly Pair[], key: string): string | undefined =>
  pairs.find((pair) => pair.key === key)?.value;
