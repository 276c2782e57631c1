import { isNewestFirst, type TraceInfo, type TracesApi } from '#modules/traces';
import type { Reader } from '#platform/database';
import { invalidParameter } from './mlflow-errors.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import type { WireFields } from './wire-fields.ts';

/** Pages by time begin after the last trace of the page before, so that traces that arrive meanwhile shift nothing. */
function decodeAfter(token: string | undefined) {
  if (!token) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
    const after: unknown =
      typeof parsed === 'object' && parsed !== null && 'after' in parsed ? parsed.after : undefined;
    if (Array.isArray(after) && Number.isSafeInteger(after[0]) && typeof after[1] === 'string')
      return { requestMs: after[0] as number, traceId: after[1].slice(0, 200) };
  } catch {
    // refused below, like any other text
  }
  throw invalidParameter('Invalid page token, could not base64-decode');
}

const encodeAfter = ({ requestMs, traceId }: TraceInfo): string =>
  Buffer.from(JSON.stringify({ after: [requestMs, traceId] })).toString('base64');

/** One page of a search, as both versions of the call ask for it. */
export async function searchPage(
  traces: TracesApi,
  reader: Reader,
  project: string,
  experimentIds: readonly string[],
  fields: WireFields,
): Promise<{ readonly items: readonly TraceInfo[]; readonly next: { readonly next_page_token?: string } }> {
  const limit = fields.bounded('max_results', { preset: 100, maximum: 500 });
  const orderBy = fields.texts('order_by');
  const token = fields.text('page_token');
  const byTime = isNewestFirst(orderBy);
  const offset = byTime ? 0 : decodePageToken(token);
  const { items, more } = await traces.searchTraces(reader, {
    project,
    experimentIds,
    filter: fields.text('filter'),
    orderBy,
    limit,
    ...(byTime ? { after: decodeAfter(token) } : { offset }),
  });
  const last = items.at(-1);
  if (!byTime) return { items, next: nextPage(more, offset + items.length) };
  return { items, next: more && last !== undefined ? { next_page_token: encodeAfter(last) } : {} };
}
