import type { RunPosition } from '#modules/tracking';
import { invalidParameter } from './mlflow-errors.ts';

const garbled = () => invalidParameter('Invalid page token, could not base64-decode');

function parseToken(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
  } catch {
    throw garbled();
  }
}

/** The place where a page begins: MLflow's own form, base64 of `{"offset": N}`; absent or empty is the first page. */
export function decodePageToken(token: string | undefined): number {
  if (token === undefined || token === '') return 0;
  const parsed = parseToken(token);
  if (typeof parsed === 'object' && parsed !== null && 'offset' in parsed) {
    const { offset } = parsed;
    if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0) return offset;
  }
  throw garbled();
}

function encodePageToken(offset: number): string {
  return Buffer.from(JSON.stringify({ offset })).toString('base64');
}

/** The token of the page after this one, as a field to spread. */
export const nextPage = (more: boolean, offset: number): { next_page_token?: string } =>
  more ? { next_page_token: encodePageToken(offset) } : {};

/** Pages of runs and of histories begin after a place rather than at a number, so that the last costs what the first does. */
export function encodeRunToken(after: RunPosition): string {
  return Buffer.from(JSON.stringify(after.map(({ zone, value }) => [zone, value]))).toString('base64');
}

/** Whether the place is one of the search's order is seen there. */
export function decodeRunToken(token: string | undefined): RunPosition | undefined {
  if (token === undefined || token === '') return undefined;
  const parsed = parseToken(token);
  if (!Array.isArray(parsed)) throw garbled();
  return parsed.map((part: unknown) => {
    if (!Array.isArray(part) || part.length !== 2) throw garbled();
    const [zone, value] = part as unknown[];
    if (typeof zone !== 'number' || !(value === null || typeof value === 'string' || Number.isFinite(value)))
      throw garbled();
    return { zone, value: value as string | number | null };
  });
}

/** The numbers of a place in a history. */
export function encodeNumbersToken(numbers: readonly number[]): string {
  return Buffer.from(JSON.stringify(numbers)).toString('base64');
}

export function decodeNumbersToken(token: string | undefined, count: number): readonly number[] | undefined {
  if (token === undefined || token === '') return undefined;
  const parsed = parseToken(token);
  if (!Array.isArray(parsed) || parsed.length !== count || !parsed.every((part) => Number.isFinite(part)))
    throw garbled();
  return parsed as readonly number[];
}
