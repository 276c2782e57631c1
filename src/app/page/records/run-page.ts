import type { LineageApi } from '#modules/lineage';
import type { Metric, Run, RunInfo, TrackingApi } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { artifactCard } from './artifact-card.ts';
import { curve } from './curve.ts';
import { type Html, html } from './html.ts';
import { lineageCard } from './lineage-card.ts';
import {
  badge,
  card,
  durationText,
  facts,
  instant,
  layout,
  none,
  numberText,
  pager,
  pairTable,
  shorten,
} from './parts.ts';
import { type Paths, withQuery } from './paths.ts';

/** What a reader of the page chose; each list has its own place. */
export interface RunQuery {
  /** Only metrics whose name has this. */
  readonly find: string | undefined;
  readonly metricsFrom: number;
  readonly paramsFrom: number;
  readonly tagsFrom: number;
  readonly childrenFrom: number;
  /** Folder of the artifacts that is open. */
  readonly path: string | undefined;
}

export interface RunPageDeps {
  readonly reader: Reader;
  readonly tracking: TrackingApi;
  readonly lineage: LineageApi;
  readonly paths: Paths;
}

const metricsAtOnce = 50;
/** A curve each would be a page that nobody looks through. */
const curvesAtOnce = 8;
const pointsOfCurve = 300;
const pairsAtOnce = 100;
const childrenAtOnce = 50;
const noteTag = 'mlflow.note.content';

/** Everything about one run. Long lists come in pages, so that a run with thousands of metrics is one like any other. */
export async function runPage(deps: RunPageDeps, run: Run, query: RunQuery): Promise<string> {
  const { reader, tracking, paths } = deps;
  const { info } = run;
  const experiment = await tracking.experiment(reader, paths.project, info.experimentId);
  const parent =
    info.parentRunId === undefined ? undefined : await tracking.runInfo(reader, paths.project, info.parentRunId);
  const note = run.tags.find(({ key }) => key === noteTag)?.value;
  const self = paths.run(info.experimentId, info.runId);
  const kept = {
    find: query.find,
    metrics: query.metricsFrom || undefined,
    params: query.paramsFrom || undefined,
    tags: query.tagsFrom || undefined,
    path: query.path,
  };
  const pairs = (title: string, field: 'params' | 'tags', from: number, all: Run['params']) => {
    const shown = all.slice(from, from + pairsAtOnce);
    const page = { path: self, query: kept, field, offset: from, size: pairsAtOnce, anchor: field };
    return card(
      all.length === 0 ? title : `${title} (${all.length.toLocaleString('en-US')})`,
      html`${shown.length === 0 ? none(`No ${title.toLowerCase()}.`) : pairTable(title, shown)}
        ${pager({ ...page, shown: shown.length, total: all.length, more: from + pairsAtOnce < all.length })}`,
      field,
    );
  };
  const body = html`
    <div class="headline"><h1>${info.name}</h1>${badge(info.status)}${info.lifecycle === 'deleted' && badge('deleted')}</div>
    ${facts([
      ['run', html`<code>${info.runId}</code>`],
      ['started', instant(info.startMs)],
      ['took', info.endMs === undefined ? undefined : durationText(Math.max(0, info.endMs - info.startMs))],
      ['by', info.userId],
      ['child of', parent && html`<a href="${paths.run(parent.experimentId, parent.runId)}">${parent.name}</a>`],
      ['artifacts at', html`<code>${info.artifactUri}</code>`],
    ])}
    ${note !== undefined && note !== '' && html`<p class="note">${note.slice(0, 5000)}</p>`}
    ${await metricsCard(deps, run, self, query, kept)}
    <div class="columns">
      ${pairs('Params', 'params', query.paramsFrom, run.params)}
      ${pairs(
        'Tags',
        'tags',
        query.tagsFrom,
        run.tags.filter(({ key }) => key !== noteTag),
      )}
    </div>
    ${inputsCard(paths, run)}
    ${await childrenCard(deps, info, self, query, kept)}
    ${await artifactCard(reader, tracking, {
      project: paths.project,
      root: info.artifactUri,
      folder: query.path,
      toFolder: (path) => `${withQuery(self, { ...kept, path })}#artifacts`,
      toFile: (path) => paths.artifact(info.runId, path),
      toView: (path) => paths.view(info.runId, path),
    })}
    ${await lineageCard(deps, `tracking-run:${info.runId}`)}`;
  return layout(
    paths,
    [{ text: experiment?.name ?? info.experimentId, href: paths.experiment(info.experimentId) }, { text: info.name }],
    body,
  );
}

type Kept = Readonly<Record<string, string | number | undefined>>;

async function metricsCard(deps: RunPageDeps, run: Run, self: string, query: RunQuery, kept: Kept): Promise<Html> {
  if (run.metrics.length === 0)
    return card('Metrics', none(run.info.endMs === undefined ? 'No metrics yet.' : 'No metrics.'), 'metrics');
  const wanted = query.find?.toLowerCase();
  const found =
    wanted === undefined ? run.metrics : run.metrics.filter(({ key }) => key.toLowerCase().includes(wanted));
  const shown = found.slice(query.metricsFrom, query.metricsFrom + metricsAtOnce);
  const drawn = shown.filter(({ step }) => step > 0).slice(0, curvesAtOnce);
  const curves: Html[] = [];
  for (const { key } of drawn) curves.push(curve(key, await courseOf(deps, run.info, key)));
  const finder =
    run.metrics.length > curvesAtOnce &&
    html`<form class="find" method="get" action="${self}#metrics">
      <div class="field"><label for="find">Find a metric</label><input id="find" name="find" value="${query.find ?? ''}" /></div>
      <button type="submit">Find</button>
    </form>`;
  const page = { path: self, query: kept, field: 'metrics', offset: query.metricsFrom, size: metricsAtOnce };
  return card(
    `Metrics (${run.metrics.length.toLocaleString('en-US')})`,
    html`${finder}
      ${curves.length > 0 && html`<div class="curves">${curves}</div>`}
      ${shown.length === 0 ? none('No metric has such a name.') : metricTable(shown)}
      ${pager({
        ...page,
        anchor: 'metrics',
        shown: shown.length,
        total: found.length,
        more: query.metricsFrom + metricsAtOnce < found.length,
      })}`,
    'metrics',
  );
}

const courseOf = ({ reader, tracking, paths }: RunPageDeps, { runId }: RunInfo, key: string) =>
  tracking.sampleMetric(reader, { project: paths.project, runId, key, count: pointsOfCurve });

const metricTable = (metrics: readonly Metric[]): Html =>
  html`<div class="scroll"><table><caption class="skip">Latest points</caption>
    <thead><tr><th scope="col">metric</th><th scope="col" class="number">latest</th><th scope="col" class="number">step</th><th scope="col">at</th></tr></thead>
    <tbody>${metrics.map(
      ({ key, value, step, timestampMs }) => html`<tr><th scope="row">${key}</th>
        <td class="number" title="${String(value)}">${numberText(value)}</td>
        <td class="number">${step.toLocaleString('en-US')}</td><td>${instant(timestampMs)}</td></tr>`,
    )}</tbody></table></div>`;

function inputsCard(paths: Paths, { info, datasets, modelInputs, modelOutputs }: Run): Html {
  if (datasets.length + modelInputs.length + modelOutputs.length === 0) return html``;
  const model = (id: string) => html`<a href="${paths.loggedModel(info.experimentId, id)}"><code>${id}</code></a>`;
  return card(
    'Read and made',
    html`${
      datasets.length > 0 &&
      html`<div class="scroll"><table><caption>Data sets</caption>
      <thead><tr><th scope="col">name</th><th scope="col">digest</th><th scope="col">for</th><th scope="col">source</th></tr></thead>
      <tbody>${datasets.slice(0, 200).map(
        ({ name, digest, source, tags }) => html`<tr><th scope="row">${name}</th><td><code>${digest}</code></td>
          <td>${tags.find(({ key }) => key === 'mlflow.data.context')?.value ?? ''}</td><td>${shorten(source)}</td></tr>`,
      )}</tbody></table></div>`
    }
    ${facts([
      [
        'models read',
        modelInputs.length === 0 ? undefined : html`${modelInputs.slice(0, 50).map((id) => html`${model(id)} `)}`,
      ],
      [
        'models made',
        modelOutputs.length === 0
          ? undefined
          : html`${modelOutputs.slice(0, 50).map(({ modelId }) => html`${model(modelId)} `)}`,
      ],
    ])}`,
  );
}

async function childrenCard(
  { reader, tracking, paths }: RunPageDeps,
  { runId }: RunInfo,
  self: string,
  query: RunQuery,
  kept: Kept,
): Promise<Html> {
  const found = await tracking.childRuns(reader, paths.project, runId, {
    limit: childrenAtOnce + 1,
    offset: query.childrenFrom,
  });
  if (found.length === 0 && query.childrenFrom === 0) return html``;
  const shown = found.slice(0, childrenAtOnce);
  return card(
    'Child runs',
    html`<div class="scroll"><table><caption class="skip">Runs that this one started</caption><tbody>${shown.map(
      (child) => html`<tr><th scope="row"><a href="${paths.run(child.experimentId, child.runId)}">${child.name}</a></th>
        <td>${badge(child.status)}</td><td>${instant(child.startMs)}</td></tr>`,
    )}</tbody></table></div>
    ${pager({
      path: self,
      query: kept,
      field: 'children',
      offset: query.childrenFrom,
      size: childrenAtOnce,
      shown: shown.length,
      more: found.length > childrenAtOnce,
      anchor: 'children',
    })}`,
    'children',
  );
}
