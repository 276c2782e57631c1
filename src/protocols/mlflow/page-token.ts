import { invalidParameter } from './mlflow-errors.ts';

/** The place where a page begins: MLflow's own form, base64 of `{"offset": N}`; absent or empty is the first page. */
export function decodePageToken(token: string | undefined): number {
  if (token === undefined || token === '') return 0;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'offset' in parsed) {
      const { offset } = parsed;
      if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0) return offset;
    }
  } catch {
    // falls through to the one refusal below
  }
  throw invalidParameter('Invalid page token, could not base64-decode');
}

function encodePageToken(offset: number): string {
  return Buffer.from(JSON.stringify({ offset })).toString('base64');
}

/** The token of the page after this one, as a field to spread. */
export const nextPage = (more: boolean, offset: number): { next_page_token?: string } =>
  more ? { next_page_token: encodePageToken(offset) } : {};
