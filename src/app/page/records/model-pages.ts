import { formatReference } from '#contracts/references';
import type { LineageApi } from '#modules/lineage';
import type { ModelVersion, RegisteredModel, RegistryApi } from '#modules/registry';
import type { LoggedModel, TrackingApi } from '#modules/tracking';
import type { Reader } from '#platform/database';
import { artifactCard } from './artifact-card.ts';
import { html } from './html.ts';
import { lineageCard } from './lineage-card.ts';
import { badge, bytesText, card, facts, instant, layout, none, numberText, pairTable, shorten } from './parts.ts';
import { type Paths, withQuery } from './paths.ts';

interface Deps {
  readonly reader: Reader;
  readonly tracking: TrackingApi;
  readonly registry: RegistryApi;
  readonly lineage: LineageApi;
  readonly paths: Paths;
}

const rowsAtOnce = 100;

export async function loggedModelPage(deps: Deps, model: LoggedModel, folder: string | undefined): Promise<string> {
  const { reader, tracking, paths } = deps;
  const experiment = await tracking.experiment(reader, paths.project, model.experimentId);
  const run =
    model.sourceRunId === undefined ? undefined : await tracking.runInfo(reader, paths.project, model.sourceRunId);
  const self = paths.loggedModel(model.experimentId, model.modelId);
  const base = /^mlflow-artifacts:\/+(.*)$/.exec(model.artifactUri)?.[1] ?? '';
  const body = html`
    <div class="headline"><h1>${model.name}</h1>${badge(model.status)}</div>
    ${facts([
      ['logged model', html`<code>${model.modelId}</code>`],
      ['type', model.modelType],
      ['created', instant(model.createdMs)],
      ['made by', run && html`<a href="${paths.run(run.experimentId, run.runId)}">${run.name}</a>`],
      ['message', model.statusMessage],
    ])}
    ${card(
      'Metrics',
      model.metrics.length === 0
        ? none('No metrics.')
        : html`<table><caption class="skip">Latest points</caption>
          <thead><tr><th scope="col">metric</th><th scope="col" class="number">latest</th><th scope="col">data set</th><th scope="col" class="number">step</th></tr></thead>
          <tbody>${model.metrics.slice(0, rowsAtOnce).map(
            ({
              key,
              value,
              datasetName,
              step,
            }) => html`<tr><th scope="row">${key}</th><td class="number">${numberText(value)}</td>
              <td>${datasetName}</td><td class="number">${step.toLocaleString('en-US')}</td></tr>`,
          )}</tbody></table>
          ${model.metrics.length > rowsAtOnce && html`<p class="hint">${model.metrics.length - rowsAtOnce} more are not shown.</p>`}`,
    )}
    <div class="columns">
      ${card('Params', model.params.length === 0 ? none('No params.') : pairTable('Params', model.params.slice(0, rowsAtOnce)))}
      ${card('Tags', model.tags.length === 0 ? none('No tags.') : pairTable('Tags', model.tags.slice(0, rowsAtOnce)))}
    </div>
    ${await artifactCard(reader, tracking, {
      project: paths.project,
      root: model.artifactUri,
      folder,
      toFolder: (path) => `${withQuery(self, { path })}#artifacts`,
      toFile: (path) => paths.bytes(`${base}/${path}`),
    })}
    ${await lineageCard(deps, formatReference('logged-model', model.modelId))}`;
  return layout(
    paths,
    [
      { text: experiment?.name ?? model.experimentId, href: paths.experiment(model.experimentId) },
      { text: model.name },
    ],
    body,
  );
}

const kinds = {
  model: { title: 'Models', none: 'No model is registered yet.' },
  prompt: { title: 'Prompts', none: 'No prompt is registered yet: mlflow.genai.register_prompt makes one.' },
} as const;

/** Models and prompts are both kept by the registry, and each has a page of its own. */
export async function modelsPage({ reader, registry, paths }: Deps, kind: 'model' | 'prompt'): Promise<string> {
  const page = { limit: rowsAtOnce, cursor: undefined, kind };
  const { items, next } = await registry.models(reader, paths.project, page);
  const { title, none: noneYet } = kinds[kind];
  const body = html`<div class="headline"><h1>${title}</h1></div>
    ${card(
      'By name',
      items.length === 0
        ? none(noneYet)
        : html`<table><caption class="skip">${title}</caption>
          <thead><tr><th scope="col">name</th><th scope="col">aliases</th><th scope="col">changed</th></tr></thead><tbody>${items.map(
            ({
              name,
              aliases,
              updatedMs,
            }) => html`<tr><th scope="row"><a href="${kind === 'prompt' ? paths.prompt(name) : paths.model(name)}">${name}</a></th>
              <td>${aliases.map(({ alias, version }) => `@${alias} ${version}`).join(', ')}</td><td>${instant(updatedMs)}</td></tr>`,
          )}</tbody></table>
          ${next !== undefined && html`<p class="hint">More are not shown: <code>tidemill ${kind} list --all${paths.option}</code></p>`}`,
    )}`;
  return layout(paths, [{ text: title.toLowerCase() }], body);
}

export async function modelPage({ reader, registry, paths }: Deps, model: RegisteredModel): Promise<string> {
  const found = await registry.versions(reader, paths.project, model.name, { limit: rowsAtOnce, cursor: undefined });
  const versions = found?.items ?? [];
  const body = html`<div class="headline"><h1>${model.name}</h1></div>
    ${facts([
      ['created', instant(model.createdMs)],
      ['aliases', model.aliases.map(({ alias, version }) => `@${alias} → ${version}`).join(', ')],
    ])}
    ${model.description !== '' && html`<p class="note">${model.description.slice(0, 5000)}</p>`}
    ${card(
      'Versions',
      versions.length === 0
        ? none('No version yet.')
        : html`<div class="scroll"><table><caption class="skip">Versions</caption>
          <thead><tr><th scope="col">version</th><th scope="col">aliases</th><th scope="col">stage</th><th scope="col">by</th><th scope="col">registered</th></tr></thead>
          <tbody>${versions.map(
            ({
              version,
              aliases,
              stage,
              createdBy,
              createdMs,
            }) => html`<tr><th scope="row"><a href="${paths.version(model.name, version)}">Version ${version}</a></th>
              <td>${aliases.map((alias) => `@${alias}`).join(', ')}</td><td>${stage === 'None' ? '' : stage}</td><td>${createdBy}</td><td>${instant(createdMs)}</td></tr>`,
          )}</tbody></table></div>
          ${found?.next !== undefined && html`<p class="hint">Older ones are not shown: <code>tidemill model versions ${model.name} --all${paths.option}</code></p>`}`,
    )}
    ${model.tags.length > 0 && card('Tags', pairTable('Tags', model.tags.slice(0, rowsAtOnce)))}`;
  return layout(paths, [{ text: 'models', href: paths.models }, { text: model.name }], body);
}

export async function versionPage(deps: Deps, version: ModelVersion): Promise<string> {
  const { reader, tracking, paths } = deps;
  const run =
    version.trackingRunId === undefined
      ? undefined
      : await tracking.runInfo(reader, paths.project, version.trackingRunId);
  const model = version.loggedModelId;
  const files = version.files.slice(0, rowsAtOnce);
  const folder = `registry-files/${encodeURIComponent(version.model)}/${version.version}`;
  const body = html`<div class="headline"><h1>${version.model}, version ${version.version}</h1>${version.aliases.map((alias) => html`<span class="badge good">@${alias}</span>`)}</div>
    ${facts([
      ['registered', instant(version.createdMs)],
      ['by', version.createdBy],
      ['stage', version.stage === 'None' ? undefined : version.stage],
      ['run', run && html`<a href="${paths.run(run.experimentId, run.runId)}">${run.name}</a>`],
      [
        'logged model',
        model === undefined
          ? undefined
          : html`<a href="${paths.reference(formatReference('logged-model', model)) ?? ''}"><code>${model}</code></a>`,
      ],
      ['runtime', version.runtime],
      ['source', version.source === '' ? undefined : html`<code>${shorten(version.source)}</code>`],
    ])}
    ${version.description !== '' && html`<p class="note">${version.description.slice(0, 5000)}</p>`}
    ${card(
      'Files',
      files.length === 0
        ? none('It holds no files here.')
        : html`<table><caption class="skip">Files</caption><tbody>${files.map(
            ({ path, sizeBytes }) =>
              html`<tr><th scope="row"><a href="${paths.bytes(`${folder}/${path}`)}" download>${path}</a></th><td class="number">${bytesText(sizeBytes)}</td></tr>`,
          )}</tbody></table>
          ${version.files.length > files.length && html`<p class="hint">${version.files.length - files.length} more are not shown.</p>`}`,
    )}
    ${version.tags.length > 0 && card('Tags', pairTable('Tags', version.tags.slice(0, rowsAtOnce)))}
    ${await lineageCard(deps, formatReference('model', version.model, version.version))}`;
  return layout(
    paths,
    [
      { text: 'models', href: paths.models },
      { text: version.model, href: paths.model(version.model) },
      { text: `version ${version.version}` },
    ],
    body,
  );
}
