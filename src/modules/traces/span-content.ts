import { parseJson } from '#platform/sql';
import type { SpanAttribute } from './span-value.ts';
import type { SpanStatus } from './traces-tables.ts';
import type { Span } from './traces-types.ts';

/** How a span is stored: times as texts of nanoseconds, what is empty left out, one letter a field (span-value.ts). */
interface StoredSpan {
  readonly n: string;
  readonly k?: number;
  readonly s: string;
  readonly e?: string;
  readonly a?: readonly SpanAttribute[];
  readonly v?: readonly (readonly [name: string, timeNs: string, attributes: readonly SpanAttribute[]])[];
  readonly l?: readonly (readonly [traceId: string, spanId: string, attributes: readonly SpanAttribute[]])[];
  readonly c?: SpanStatus;
  readonly g?: string;
  readonly t?: string;
}

/** PostgreSQL's texts hold no NUL, and a lone surrogate is no text at all. */
export const toStorable = (text: string): string => text.replaceAll(/\p{Surrogate}|\0/gu, '\uFFFD');

/** The same for JSON text: an escape is read as a whole, so that an escaped backslash before `u0000` stays one. */
const toStorableJson = (json: string): string =>
  json.includes('\\u')
    ? json.replaceAll(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|[^])/g, (escape) =>
        /^\\u(?:0000|d)/.test(escape) ? '\uFFFD' : escape,
      )
    : json;

export function encodeSpan(span: Span): string {
  const stored: StoredSpan = {
    n: span.name,
    ...(span.kind !== 0 && { k: span.kind }),
    s: String(span.startNs),
    ...(span.endNs !== 0n && { e: String(span.endNs) }),
    ...(span.attributes.length > 0 && { a: span.attributes }),
    ...(span.events.length > 0 && {
      v: span.events.map(({ name, timeNs, attributes }) => [name, String(timeNs), attributes] as const),
    }),
    ...(span.links.length > 0 && {
      l: span.links.map(({ traceId, spanId, attributes }) => [traceId, spanId, attributes] as const),
    }),
    ...(span.status.code !== 'UNSET' && { c: span.status.code }),
    ...(span.status.message !== '' && { g: span.status.message }),
    ...(span.traceState !== '' && { t: span.traceState }),
  };
  return toStorableJson(JSON.stringify(stored));
}

export function decodeSpan(
  ids: { readonly traceId: string; readonly spanId: string; readonly parentSpanId: string | undefined },
  content: string,
): Span {
  const stored = parseJson<StoredSpan>(content);
  return {
    ...ids,
    name: stored.n,
    kind: stored.k ?? 0,
    startNs: BigInt(stored.s),
    endNs: BigInt(stored.e ?? 0),
    attributes: stored.a ?? [],
    events: (stored.v ?? []).map(([name, timeNs, attributes]) => ({ name, timeNs: BigInt(timeNs), attributes })),
    links: (stored.l ?? []).map(([traceId, spanId, attributes]) => ({ traceId, spanId, attributes })),
    status: { code: stored.c ?? 'UNSET', message: stored.g ?? '' },
    traceState: stored.t ?? '',
  };
}
