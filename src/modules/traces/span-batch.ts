import { encodeSpan, toStorable } from './span-content.ts';
import { attributesOf, type Cost, factsOf, parseOr, spanKeys, type TokenUsage, withMlflowNames } from './span-facts.ts';
import { type SpanAttribute, type SpanValue, toPlain, toText } from './span-value.ts';
import { toPreview } from './trace-preview.ts';
import { isPairKey, toPair, toTraceName } from './traces-limits.ts';
import type { SpanRow, TraceState } from './traces-tables.ts';
import type { Span } from './traces-types.ts';

export interface ResourceSpans {
  /** What the program that sends says of itself. */
  readonly resource: readonly SpanAttribute[];
  readonly spans: readonly Span[];
}

interface RootFacts {
  readonly name: string;
  readonly state: TraceState;
  readonly requestPreview: string | undefined;
  readonly responsePreview: string | undefined;
}

export interface BatchNode {
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly usage: TokenUsage | undefined;
  readonly cost: Cost | undefined;
}

/** What a batch of spans says of one trace. */
export interface TraceBatch {
  readonly traceId: string;
  readonly rows: readonly Omit<SpanRow, 'project'>[];
  readonly nodes: readonly BatchNode[];
  readonly startMs: number;
  readonly endMs: number | undefined;
  readonly root: RootFacts | undefined;
  readonly sessionId: string | undefined;
  readonly userId: string | undefined;
  readonly tags: ReadonlyMap<string, string>;
}

/** Times that a number cannot hold exactly are those of a broken clock. */
const toMicroseconds = (ns: bigint): number => Math.min(Number(ns / 1000n), Number.MAX_SAFE_INTEGER);

const toNullableText = (text: string | undefined): string | null => (text === undefined ? null : toStorable(text));

function toRow(traceId: string, given: Span) {
  const attributes = attributesOf(given);
  const facts = factsOf(attributes);
  const span = withMlflowNames(given, attributes, facts);
  const row: Omit<SpanRow, 'project'> = {
    trace_id: traceId,
    span_id: span.spanId,
    parent_span_id: span.parentSpanId ?? null,
    name: toTraceName(span.name),
    type: toStorable(facts.type),
    status: span.status.code,
    start_us: toMicroseconds(span.startNs),
    end_us: span.endNs === 0n ? null : toMicroseconds(span.endNs),
    model: toNullableText(facts.model),
    provider: toNullableText(facts.provider),
    usage_json: facts.usage === undefined ? null : toStorable(JSON.stringify(facts.usage)),
    input_cost: facts.cost?.input ?? null,
    output_cost: facts.cost?.output ?? null,
    total_cost: facts.cost?.total ?? null,
    content: encodeSpan(span),
  };
  return { row, facts, attributes };
}

/** Inputs and outputs come as values, or as JSON in a text. */
function previewOf(value: SpanValue | undefined, role: 'user' | 'assistant'): string | undefined {
  if (value === undefined) return undefined;
  const plain = typeof value === 'string' ? (parseOr(value) ?? value) : toPlain(value);
  return toStorable(toPreview(plain, role));
}

/** Tags that came with the program's description, or as attributes of the root. */
function tagsOf(resource: readonly SpanAttribute[], roots: readonly Span[]): Map<string, string> {
  const told = resource.filter(([key]) => !/^(?:telemetry\.sdk\.|mlflow\.)/.test(key));
  const own = roots.flatMap(({ attributes }) =>
    attributes.flatMap(([key, value]): SpanAttribute[] =>
      key.startsWith(spanKeys.traceTag) ? [[key.slice(spanKeys.traceTag.length), value]] : [],
    ),
  );
  return new Map(
    [...told, ...own]
      .filter(([key]) => isPairKey(key))
      .map(([key, value]) => toPair(key, toText(value), 'tags'))
      .map(({ key, value }) => [key, value] as const),
  );
}

function firstText(spans: readonly Span[], keys: readonly string[]): string | undefined {
  for (const { attributes } of spans)
    for (const [key, value] of attributes)
      if (keys.includes(key) && value !== null) return toStorable(toText(value)).slice(0, 250);
  return undefined;
}

function toTraceBatch(traceId: string, resource: readonly SpanAttribute[], spans: readonly Span[]): TraceBatch {
  const made = spans.map((span) => toRow(traceId, span));
  const rows = made.map(({ row }) => row);
  const rootAt = spans.findIndex(({ parentSpanId }) => parentSpanId === undefined);
  const root = spans[rootAt];
  const rootFacts = made[rootAt]?.facts;
  const ends = rows.flatMap(({ end_us }) => end_us ?? []);
  return {
    traceId,
    rows,
    nodes: made.map(({ facts, row }) => ({
      spanId: row.span_id,
      parentSpanId: row.parent_span_id ?? undefined,
      usage: facts.usage,
      cost: facts.cost,
    })),
    startMs: Math.floor(rows.reduce((least, row) => Math.min(least, row.start_us), Number.MAX_SAFE_INTEGER) / 1000),
    endMs: ends.length === 0 ? undefined : Math.floor(ends.reduce((a, b) => Math.max(a, b)) / 1000),
    root: root && {
      name: toTraceName(root.name),
      state: root.status.code === 'ERROR' ? 'ERROR' : 'OK',
      requestPreview: previewOf(rootFacts?.inputs, 'user'),
      responsePreview: previewOf(rootFacts?.outputs, 'assistant'),
    },
    sessionId: firstText(spans, ['session.id', 'gen_ai.conversation.id']),
    userId: firstText(spans, ['user.id']),
    tags: tagsOf(resource, root === undefined ? [] : [root]),
  };
}

/**
 * Makes rows of spans, by trace; of a span that comes twice the last counts. Everything that takes long is done here,
 * before the unit that writes them.
 */
export function toTraceBatches(groups: readonly ResourceSpans[]): readonly TraceBatch[] {
  const traces = new Map<string, { readonly resource: readonly SpanAttribute[]; readonly spans: Map<string, Span> }>();
  for (const { resource, spans } of groups)
    for (const span of spans) {
      const traceId = `tr-${span.traceId}`;
      const trace = traces.get(traceId) ?? { resource, spans: new Map<string, Span>() };
      trace.spans.set(span.spanId, span);
      traces.set(traceId, trace);
    }
  return [...traces].map(([traceId, { resource, spans }]) => toTraceBatch(traceId, resource, [...spans.values()]));
}
