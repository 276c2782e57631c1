import { attributesOf, factsOf, type Span, type SpanEvent, toText } from '#modules/traces';
import { type Html, html } from './html.ts';
import { badge, cut, durationText, pairTable } from './parts.ts';

/** Steps of indentation; what is deeper stands no further right. */
const deepest = 20;
const longestSaid = 2000;
const longestStack = 20_000;
/** Shown beside the attributes, whichever convention they are of; the rest of a span is below "attributes". */
const shownApart = new Set(['mlflow.spanType', 'mlflow.spanInputs', 'mlflow.spanOutputs']);
const spanColumns = 4;

interface Placed {
  readonly span: Span;
  readonly depth: number;
}

/**
 * Spans below each other, each with how deep it is: the root first, children by start. One whose parent is not there stands
 * at the top, and so does the first of a ring of parents.
 */
function inTree(spans: readonly Span[]): readonly Placed[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const below = new Map<string | undefined, Span[]>();
  for (const span of spans) {
    const parent = span.parentSpanId !== undefined && ids.has(span.parentSpanId) ? span.parentSpanId : undefined;
    below.set(parent, [...(below.get(parent) ?? []), span]);
  }
  const found = new Map<Span, number>();
  for (const top of [...(below.get(undefined) ?? []), ...spans]) {
    const waiting = [{ span: top, depth: 0 }];
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      if (found.has(one.span)) continue;
      found.set(one.span, one.depth);
      const depth = Math.min(deepest, one.depth + 1);
      waiting.push(...(below.get(one.span.spanId) ?? []).map((span) => ({ span, depth })).toReversed());
    }
  }
  return [...found].map(([span, depth]) => ({ span, depth }));
}

interface Thrown {
  readonly span: Span;
  readonly event: SpanEvent;
}

/** Exceptions as OpenTelemetry records them: one that passes through several spans is an event of each. */
const thrownIn = (span: Span): readonly Thrown[] =>
  span.events.filter(({ name }) => name === 'exception').map((event) => ({ span, event }));

/** Where the trouble began. */
const firstThrown = (spans: readonly Span[]): SpanEvent | undefined =>
  spans.flatMap(thrownIn).toSorted((one, other) => (one.event.timeNs < other.event.timeNs ? -1 : 1))[0]?.event;

/** Two rows for each span: what it is; and what went in, came out and went wrong. */
export function spanRows(spans: readonly Span[]): readonly Html[] {
  const origin = firstThrown(spans);
  return inTree(spans).map((placed) => spanRow(placed, origin));
}

function spanRow({ span, depth }: Placed, origin: SpanEvent | undefined): Html {
  const { type, inputs, outputs } = factsOf(attributesOf(span));
  const ms = span.endNs === 0n ? undefined : Math.round(Number((span.endNs - span.startNs) / 1000n) / 1000);
  const pairs = span.attributes
    .filter(([key]) => !shownApart.has(key))
    .map(([key, value]) => ({ key, value: toText(value) }));
  const said = [
    inputs !== undefined && inputs !== null && saidText('in', toText(inputs)),
    outputs !== undefined && outputs !== null && saidText('out', toText(outputs)),
    ...troubleOf(span, origin),
    pairs.length > 0 &&
      html`<details><summary>${pairs.length} ${pairs.length === 1 ? 'attribute' : 'attributes'}</summary>${pairTable('Attributes', pairs)}</details>`,
  ].filter((part) => part !== false);
  const { code } = span.status;
  return html`<tr class="span"><th scope="row">${'· '.repeat(depth)}${span.name}</th><td>${type !== 'UNKNOWN' && type}</td><td>${code !== 'UNSET' && badge(code)}</td>
    <td class="number">${ms === undefined ? undefined : durationText(ms)}</td></tr>
    ${said.length > 0 && html`<tr class="said"><td colspan="${spanColumns}">${said}</td></tr>`}`;
}

const saidText = (title: string, text: string): Html =>
  html`<p><span class="muted">${title}</span> <code>${cut(text, longestSaid)}</code></p>`;

function troubleOf(span: Span, origin: SpanEvent | undefined): readonly Html[] {
  const exceptions = thrownIn(span).map(({ event }) => {
    const texts = new Map(event.attributes.map(([key, value]) => [key, toText(value)]));
    const what = [texts.get('exception.type'), texts.get('exception.message')].filter((text) => text).join(': ');
    return { what: what || 'exception', message: texts.get('exception.message'), event, texts };
  });
  const { code, message } = span.status;
  // the status of a span that raised mostly repeats what its exception says
  const isTold = exceptions.some(({ what, message: told }) => message === what || message === told);
  return [
    ...(code === 'ERROR' && message !== '' && !isTold ? [html`<p class="error">${cut(message, longestSaid)}</p>`] : []),
    ...exceptions.map(({ what, event, texts }) => {
      const stack = texts.get('exception.stacktrace') ?? '';
      return html`<p class="error">${cut(what, longestSaid)}</p>
        ${stack !== '' && html`<details${event === origin ? html` open` : ''}><summary>stack trace</summary><pre>${cut(stack, longestStack)}</pre></details>`}`;
    }),
  ];
}
