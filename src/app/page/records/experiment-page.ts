import { type Experiment, type Run, type TrackingApi, toCursorParts, toPosition } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { isAppError } from '#platform/errors';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { type Columns, chooseColumns, columnsForm } from './experiment-columns.ts';
import { type Html, html } from './html.ts';
import { badge, card, durationText, facts, instant, layout, none, numberText, pager, shorten } from './parts.ts';
import { type Paths, withQuery } from './paths.ts';

export interface ExperimentQuery {
  readonly filter: string | undefined;
  readonly order: string | undefined;
  /** `metrics.auc`, `params.depth`; none = those that most runs have. */
  readonly columns: readonly string[];
  /** Where the page before ended, as a cursor. */
  readonly after: string | undefined;
  /** Runs that were deleted instead of those that are there. */
  readonly deleted: boolean;
}

interface Deps {
  readonly reader: Reader;
  readonly tracking: TrackingApi;
  readonly paths: Paths;
}

const runsAtOnce = 50;
const metricColumns = 4;
const paramColumns = 3;
/** Of each kind, to choose from. */
const offeredColumns = 100;
const experimentsAtOnce = 100;

/** The runs of an experiment, as a filter and an order want them, with the metrics and params that most of those shown have. */
export async function experimentPage(deps: Deps, experiment: Experiment, query: ExperimentQuery): Promise<string> {
  const { paths } = deps;
  const self = paths.experiment(experiment.experimentId);
  const kept = {
    filter: query.filter,
    order: query.order,
    columns: query.columns.join(','),
    deleted: query.deleted ? 'yes' : undefined,
  };
  const { runs, next, problem, columns, offered } = await findRuns(deps, experiment, query);
  const body = html`
    <div class="headline"><h1>${experiment.name}</h1>${experiment.lifecycle === 'deleted' && badge('deleted')}</div>
    ${facts([
      ['experiment', experiment.experimentId],
      ['created', instant(experiment.createdMs)],
      ['artifacts at', html`<code>${experiment.artifactLocation}</code>`],
      ['traces', html`<a href="${paths.traces(experiment.experimentId)}">of this experiment</a>`],
    ])}
    ${card(
      query.deleted ? 'Deleted runs' : 'Runs',
      html`<form class="find" method="get" action="${self}">
          <div class="field"><label for="filter">Filter</label>
            <input id="filter" name="filter" value="${query.filter ?? ''}" placeholder="metrics.auc > 0.7 AND params.depth = '3'" /></div>
          ${query.order !== undefined && html`<input type="hidden" name="order" value="${query.order}" />`}
          ${query.deleted && html`<input type="hidden" name="deleted" value="yes" />`}
          <button type="submit">Show</button>
          ${columnsForm(offered, columns)}
        </form>
        ${problem !== undefined && html`<p class="error" role="alert">${problem}</p>`}
        ${
          problem !== undefined
            ? ''
            : runs.length === 0
              ? none(query.filter === undefined ? 'No runs.' : 'No run is as the filter wants it.')
              : html`<div class="scroll">${runTable(paths, self, kept, runs, columns)}</div>`
        }
        ${
          (query.after !== undefined || next !== undefined) &&
          html`<p class="pager">${query.after !== undefined && html`<a href="${withQuery(self, kept)}">first page</a>`}
            ${next !== undefined && html`<a rel="next" href="${withQuery(self, { ...kept, after: next })}">next →</a>`}</p>`
        }
        <p class="hint"><a href="${withQuery(self, { filter: query.filter, columns: kept.columns, deleted: query.deleted ? undefined : 'yes' })}">${query.deleted ? 'Runs that are not deleted' : 'Deleted runs'}</a></p>`,
    )}`;
  return layout(paths, [{ text: 'experiments', href: paths.experiments }, { text: experiment.name }], body);
}

async function findRuns({ reader, tracking, paths }: Deps, { experimentId }: Experiment, query: ExperimentQuery) {
  const common = {
    project: paths.project,
    experimentIds: [experimentId],
    lifecycle: query.deleted ? ('deleted' as const) : ('active' as const),
    filter: query.filter,
    orderBy: query.order === undefined ? [] : [query.order],
    limit: runsAtOnce,
  };
  try {
    const after = query.after === undefined ? undefined : toPosition(decodeCursor(query.after));
    const bare = { metrics: [], params: [], tags: [], inputs: false };
    const { items } = await tracking.searchRuns(reader, { ...common, after, fields: bare });
    const runIds = items.map(({ info }) => info.runId);
    const offered = await tracking.commonKeys(reader, runIds, { metrics: offeredColumns, params: offeredColumns });
    const columns =
      chooseColumns(query.columns) ??
      columnsOf(
        await tracking.commonKeys(reader, runIds, { metrics: metricColumns, params: paramColumns }),
        query.order,
      );
    const found = await tracking.searchRuns(reader, {
      ...common,
      after,
      fields: { ...columns, tags: [], inputs: false },
    });
    const next = found.next && encodeCursor(toCursorParts(found.next));
    return { runs: found.items, next, problem: undefined, columns, offered };
  } catch (error) {
    // what somebody typed into the filter is told where they typed it
    if (!(isAppError(error) && error.kind === 'invalid')) throw error;
    const nothing = { metrics: [], params: [] };
    return { runs: [], next: undefined, problem: error.message, columns: nothing, offered: nothing };
  }
}

/** The metric that orders the list is a column too: in its place, or the first when it is not among the common ones. */
function columnsOf(common: Columns, order: string | undefined): Columns {
  const ordered = /^metrics?\.`?(.+?)`?(?: (?:asc|desc))?$/i.exec(order ?? '')?.[1];
  if (ordered === undefined || common.metrics.includes(ordered)) return common;
  return { metrics: [ordered, ...common.metrics].slice(0, metricColumns), params: common.params };
}

type Kept = Readonly<Record<string, string | undefined>>;

function runTable(paths: Paths, self: string, kept: Kept, runs: readonly Run[], { metrics, params }: Columns): Html {
  return html`<table><caption class="skip">Runs</caption>
    <thead><tr>
      ${heading(self, kept, 'run', 'attributes.run_name', false)}<th scope="col">status</th>
      ${metrics.map((key) => heading(self, kept, key, `metrics.\`${key}\``, true))}
      ${params.map((key) => heading(self, kept, key, `params.\`${key}\``, false))}
      <th scope="col" class="number">took</th>${heading(self, kept, 'started', 'attributes.start_time', false)}
    </tr></thead>
    <tbody>${runs.map(({ info, ...run }) => {
      const values = new Map(run.metrics.map(({ key, value }) => [key, value]));
      const texts = new Map(run.params.map(({ key, value }) => [key, value]));
      return html`<tr><th scope="row"><a href="${paths.run(info.experimentId, info.runId)}">${info.name}</a></th><td>${badge(info.status)}</td>
        ${metrics.map((key) => {
          const value = values.get(key);
          return html`<td class="number">${value === undefined ? '' : numberText(value)}</td>`;
        })}
        ${params.map((key) => html`<td>${shorten(texts.get(key) ?? '').slice(0, 40)}</td>`)}
        <td class="number">${info.endMs === undefined ? '' : durationText(Math.max(0, info.endMs - info.startMs))}</td>
        <td>${instant(info.startMs)}</td></tr>`;
    })}</tbody></table>`;
}

/** A column's title, which orders the list by it: the other way round when it is ordered so already. */
function heading(self: string, kept: Kept, title: string, field: string, isNumber: boolean): Html {
  if (field.slice(1, -1).includes('`') && title.includes('`')) return html`<th scope="col">${title}</th>`;
  const [down, up] = [`${field} DESC`, `${field} ASC`];
  const sort = kept['order'] === down ? 'descending' : kept['order'] === up ? 'ascending' : 'none';
  const href = withQuery(self, { ...kept, order: sort === 'descending' ? up : down });
  return html`<th scope="col" aria-sort="${sort}"${isNumber ? html` class="number"` : ''}><a href="${href}">${title}</a>${sort === 'descending' ? ' ↓' : sort === 'ascending' ? ' ↑' : ''}</th>`;
}

/** The experiments of a project. */
export async function experimentsPage({ reader, tracking, paths }: Deps, from: number): Promise<string> {
  const { items, more } = await tracking.searchExperiments(reader, {
    project: paths.project,
    lifecycle: 'active',
    limit: experimentsAtOnce,
    offset: from,
  });
  const body = html`<div class="headline"><h1>Experiments</h1></div>
    ${card(
      'By creation, newest first',
      html`<table><caption class="skip">Experiments</caption>
      <thead><tr><th scope="col">name</th><th scope="col" class="number">id</th><th scope="col">created</th></tr></thead><tbody>${items.map(
        (
          experiment,
        ) => html`<tr><th scope="row"><a href="${paths.experiment(experiment.experimentId)}">${experiment.name}</a></th>
          <td class="number">${experiment.experimentId}</td><td>${instant(experiment.createdMs)}</td></tr>`,
      )}</tbody></table>
      ${pager({ path: paths.experiments, query: {}, field: 'from', offset: from, size: experimentsAtOnce, shown: items.length, more })}`,
    )}`;
  return layout(paths, [{ text: 'experiments' }], body);
}
