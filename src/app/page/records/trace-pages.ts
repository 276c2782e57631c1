import type { Assessment, Trace, TraceInfo, TracesApi } from '#modules/traces';
import type { Experiment, TrackingApi } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { isAppError } from '#platform/errors';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { type Html, html } from './html.ts';
import { badge, card, durationText, facts, layout, moment, none, pairTable, shorten } from './parts.ts';
import { type Paths, withQuery } from './paths.ts';
import { spanRows } from './span-rows.ts';

interface Deps {
  readonly reader: Reader;
  readonly traces: TracesApi;
  readonly tracking: TrackingApi;
  readonly paths: Paths;
}

const tracesAtOnce = 50;
/** A trace with more is for a program. */
const spansAtOnce = 500;

const crumbsOf = (paths: Paths, { experimentId, name }: Pick<Experiment, 'experimentId' | 'name'>) => [
  { text: 'experiments', href: paths.experiments },
  { text: name, href: paths.experiment(experimentId) },
];
const took = (ms: number | undefined) => (ms === undefined ? undefined : durationText(ms));

/** The traces of an experiment or of all of them, the newest first, as a filter wants them. */
export async function tracesPage(
  { reader, traces, tracking, paths }: Deps,
  experiment: Experiment | undefined,
  query: { readonly filter: string | undefined; readonly after: string | undefined },
): Promise<string> {
  const self = experiment === undefined ? paths.allTraces : paths.traces(experiment.experimentId);
  const find = async () => {
    const [requestMs, traceId] = query.after === undefined ? [] : decodeCursor(query.after);
    const after = typeof requestMs === 'number' && typeof traceId === 'string' ? { requestMs, traceId } : undefined;
    const { project } = paths;
    const experimentIds =
      experiment === undefined ? await tracking.activeExperimentIds(reader, project) : [experiment.experimentId];
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
  const names = new Map<string, string>();
  for (const id of experiment === undefined ? new Set(items.map((info) => info.experimentId)) : [])
    names.set(id, (await tracking.experiment(reader, paths.project, id))?.name ?? id);
  const row = (
    info: TraceInfo,
  ) => html`<tr><th scope="row"><a href="${paths.trace(info.traceId)}">${info.name ?? info.traceId}</a></th>
    ${experiment === undefined && html`<td><a href="${paths.experiment(info.experimentId)}">${names.get(info.experimentId)}</a></td>`}
    <td>${badge(info.state)}</td><td>${moment(info.requestMs)}</td><td class="number">${took(info.durationMs)}</td>
    <td>${shorten(info.requestPreview ?? '')}</td><td>${shorten(info.responsePreview ?? '')}</td></tr>`;
  const body = html`<div class="headline"><h1>${experiment === undefined ? 'Traces' : `Traces of ${experiment.name}`}</h1></div>${card(
    'Traces',
    html`<form class="find" method="get" action="${self}">
        <div class="field"><label for="filter">Filter</label>
          <input id="filter" name="filter" value="${query.filter ?? ''}" placeholder="status = 'ERROR' AND span.type = 'LLM'" /></div>
        <button type="submit">Show</button></form>
      ${problem !== undefined && html`<p class="error" role="alert">${problem}</p>`}
      ${
        items.length === 0
          ? none(query.filter === undefined ? 'No traces.' : 'No trace is as the filter wants it.')
          : html`<div class="scroll"><table><thead><tr><th>trace</th>${experiment === undefined && html`<th>experiment</th>`}<th>state</th><th>began</th><th>took</th><th>request</th><th>response</th></tr></thead>
              <tbody>${items.map(row)}</tbody></table></div>`
      }
      ${next !== undefined && html`<p class="pager"><a rel="next" href="${withQuery(self, { filter: query.filter, after: next })}">next →</a></p>`}`,
  )}`;
  const above = experiment === undefined ? [] : crumbsOf(paths, experiment);
  return layout(paths, [...above, { text: 'traces' }], body);
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
  const shown = spans.slice(0, spansAtOnce);
  const body = html`<div class="headline"><h1>${info.name ?? info.traceId}</h1>${badge(info.state)}</div>
    ${facts([
      ['trace', info.traceId],
      ['began', moment(info.requestMs)],
      ['took', took(info.durationMs)],
      ['request', shorten(info.requestPreview ?? '')],
      ['response', shorten(info.responsePreview ?? '')],
    ])}
    ${card(
      `Spans (${spans.length.toLocaleString('en-US')})`,
      shown.length === 0
        ? none('No spans have arrived.')
        : html`<div class="scroll"><table class="spans"><caption class="skip">Spans</caption>
            <thead><tr><th scope="col">span</th><th scope="col">type</th><th scope="col">status</th><th scope="col" class="number">took</th></tr></thead>
            <tbody>${spanRows(shown)}</tbody></table></div>
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
