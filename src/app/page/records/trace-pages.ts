import { type Assessment, type Span, type Trace, type TraceInfo, type TracesApi, toText } from '#modules/traces';
import type { Experiment } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { isAppError } from '#platform/errors';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { type Html, html } from './html.ts';
import { badge, card, durationText, facts, instant, layout, none, pairTable, shorten } from './parts.ts';
import { type Paths, withQuery } from './paths.ts';

interface Deps {
  readonly reader: Reader;
  readonly traces: TracesApi;
  readonly paths: Paths;
}

const tracesAtOnce = 50;
/** A trace with more is for a program. */
const spansAtOnce = 500;
const deepest = 20;

const crumbsOf = (paths: Paths, { experimentId, name }: Pick<Experiment, 'experimentId' | 'name'>) => [
  { text: 'experiments', href: paths.experiments },
  { text: name, href: paths.experiment(experimentId) },
];
const took = (ms: number | undefined) => (ms === undefined ? undefined : durationText(ms));

/** The traces of an experiment, the newest first, as a filter wants them. */
export async function tracesPage(
  { reader, traces, paths }: Deps,
  experiment: Experiment,
  query: { readonly filter: string | undefined; readonly after: string | undefined },
): Promise<string> {
  const self = paths.traces(experiment.experimentId);
  const find = async () => {
    const [requestMs, traceId] = query.after === undefined ? [] : decodeCursor(query.after);
    const after = typeof requestMs === 'number' && typeof traceId === 'string' ? { requestMs, traceId } : undefined;
    const { project } = paths;
    const experimentIds = [experiment.experimentId];
    return await traces.searchTraces(reader, {
      project,
      experimentIds,
      filter: query.filter,
      limit: tracesAtOnce,
      after,
    });
  };
  const { items, more, problem } = await find().then(
    (found) => ({ ...found, problem: undefined }),
    (error: unknown) => {
      // what somebody typed into the filter is told where they typed it
      if (!(isAppError(error) && error.kind === 'invalid')) throw error;
      return { items: [], more: false, problem: error.message };
    },
  );
  const last = items.at(-1);
  const next = more && last !== undefined ? encodeCursor([last.requestMs, last.traceId]) : undefined;
  const row = (
    info: TraceInfo,
  ) => html`<tr><th scope="row"><a href="${paths.trace(info.traceId)}">${info.name ?? info.traceId}</a></th>
    <td>${badge(info.state)}</td><td>${instant(info.requestMs)}</td><td class="number">${took(info.durationMs)}</td>
    <td>${shorten(info.requestPreview ?? '')}</td><td>${shorten(info.responsePreview ?? '')}</td></tr>`;
  const body = html`<div class="headline"><h1>Traces of ${experiment.name}</h1></div>${card(
    'Traces',
    html`<form class="find" method="get" action="${self}">
        <div class="field"><label for="filter">Filter</label>
          <input id="filter" name="filter" value="${query.filter ?? ''}" placeholder="status = 'ERROR' AND span.type = 'LLM'" /></div>
        <button type="submit">Show</button></form>
      ${problem !== undefined && html`<p class="error" role="alert">${problem}</p>`}
      ${
        items.length === 0
          ? none('No traces.')
          : html`<div class="scroll"><table><thead><tr><th>trace</th><th>state</th><th>began</th><th>took</th><th>request</th><th>response</th></tr></thead>
              <tbody>${items.map(row)}</tbody></table></div>`
      }
      ${next !== undefined && html`<p class="pager"><a rel="next" href="${withQuery(self, { filter: query.filter, after: next })}">next →</a></p>`}`,
  )}`;
  return layout(paths, [...crumbsOf(paths, experiment), { text: 'traces' }], body);
}

/**
 * Spans below each other, each with how deep it is: the root first, children by start. One whose parent is not there stands
 * at the top, and so does the first of a ring of parents.
 */
function inTree(spans: readonly Span[]): readonly { readonly span: Span; readonly depth: number }[] {
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

function spanRow({ span, depth }: ReturnType<typeof inTree>[number]): Html {
  const pairs = span.attributes.map(([key, value]) => ({ key, value: toText(value) }));
  const ms = span.endNs === 0n ? undefined : Math.round(Number((span.endNs - span.startNs) / 1000n) / 1000);
  const { code, message } = span.status;
  return html`<tr><th scope="row">${'· '.repeat(depth)}${span.name}</th><td>${code !== 'UNSET' && badge(code)}${message !== '' && html` ${shorten(message)}`}</td>
    <td class="number">${took(ms)}</td><td>${pairs.length > 0 && html`<details><summary>${pairs.length} attributes</summary>${pairTable('Attributes', pairs)}</details>`}</td></tr>`;
}

const saidOf = ({ name, kind, value, error, sourceType, sourceId, rationale }: Assessment) => ({
  key: `${kind} ${name} by ${sourceType} ${sourceId}`,
  value: [error?.message ?? error?.code ?? JSON.stringify(value), rationale].filter((text) => text).join(': '),
});

function pairCard(title: string, of: Readonly<Record<string, string>>): Html | false {
  const list = Object.entries(of).map(([key, value]) => ({ key, value }));
  return list.length > 0 && card(title, pairTable(title, list));
}

/** One trace: what was asked and answered, span by span, and what was said of it. */
export function tracePage(paths: Paths, { info, spans }: Trace, experiment: Experiment | undefined): string {
  const shown = inTree(spans.slice(0, spansAtOnce));
  const body = html`<div class="headline"><h1>${info.name ?? info.traceId}</h1>${badge(info.state)}</div>
    ${facts([
      ['trace', info.traceId],
      ['began', instant(info.requestMs)],
      ['took', took(info.durationMs)],
      ['request', shorten(info.requestPreview ?? '')],
      ['response', shorten(info.responsePreview ?? '')],
    ])}
    ${card(
      `Spans (${spans.length.toLocaleString('en-US')})`,
      shown.length === 0
        ? none('No spans have arrived.')
        : html`<div class="scroll"><table><caption class="skip">Spans</caption><tbody>${shown.map(spanRow)}</tbody></table></div>
          ${spans.length > shown.length && html`<p class="hint">${spans.length - shown.length} more are not shown.</p>`}`,
    )}
    ${info.assessments.length > 0 && card('Assessments', pairTable('Assessments', info.assessments.map(saidOf)))}
    ${pairCard('Metadata', info.metadata)}${pairCard('Tags', info.tags)}`;
  const above = crumbsOf(paths, experiment ?? { experimentId: info.experimentId, name: info.experimentId });
  return layout(
    paths,
    [...above, { text: 'traces', href: paths.traces(info.experimentId) }, { text: info.name ?? info.traceId }],
    body,
  );
}
