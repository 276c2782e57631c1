import type { HistoryRecord, LoggedModelRecord, ModelRecord, RunRecord } from '#contracts/transfer';
import type { ExportOptions, ExportReport } from './export-folder.ts';
import { sendTraces } from './export-traces.ts';
import { chosenExperiments } from './importer.ts';
import { type Credentials, createMlflowRest, isMlflowError, type Json } from './mlflow-rest.ts';
import { noProgress } from './progress.ts';
import { inParallel } from './send-files.ts';
import { ownerOfUri, type Source, type SourceExperiment, type SourceModel, type SourceRun } from './source.ts';

/** The id that a run or logged model had; servers of MLflow give ids of their own. */
const sourceTag = 'tidemill.sourceId';
/** Set last: what has it is wholly there, and is passed by the next time. */
const doneTag = 'tidemill.exported';
const parentTag = 'mlflow.parentRunId';
const metricsAtOnce = 1000;
const pairsAtOnce = 100;
const uploadsAtOnce = 4;

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : []);
const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const proxied = 'mlflow-artifacts:';

/**
 * Writes a project to a tracking server by MLflow's own REST API. Every part may come again: runs are found by the tag of
 * their former id, points and params that are there stay one, experiments and models are found by name.
 */
export async function exportToServer(
  source: Source,
  address: string,
  options: ExportOptions & { readonly environment: Credentials },
): Promise<ExportReport> {
  const { signal } = options;
  const rest = createMlflowRest(address, { environment: options.environment, signal });
  const progress = noProgress();
  const left: string[] = [];
  /** By former id of run or logged model: what the server has. */
  const there = new Map<string, { readonly id: string; readonly uri: string }>();
  const step = () => {
    signal.throwIfAborted();
    options.onProgress(progress);
  };

  async function experimentId({ record }: SourceExperiment): Promise<string> {
    try {
      const made = await rest.post('/experiments/create', { name: record.name, tags: record.tags });
      return text(made['experiment_id']);
    } catch (error) {
      if (!isMlflowError(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
      const found = await rest.get('/experiments/get-by-name', { experiment_name: record.name });
      const known = object(found['experiment']);
      const id = text(known['experiment_id']);
      if (known['lifecycle_stage'] === 'deleted') await rest.post('/experiments/restore', { experiment_id: id });
      for (const tag of record.tags) await rest.post('/experiments/set-experiment-tag', { experiment_id: id, ...tag });
      return id;
    }
  }

  /** Runs of an experiment that came before, by their former id. */
  async function knownRuns(experiment: string): Promise<ReadonlyMap<string, Json>> {
    const known = new Map<string, Json>();
    for (let token = ''; ; ) {
      const page = await rest.post('/runs/search', {
        experiment_ids: [experiment],
        run_view_type: 'ALL',
        max_results: 1000,
        ...(token !== '' && { page_token: token }),
      });
      for (const run of list(page['runs'])) {
        const former = list(object(run['data'])['tags']).find((tag) => tag['key'] === sourceTag);
        if (former !== undefined) known.set(text(former['value']), run);
      }
      token = text(page['next_page_token']);
      if (token === '') return known;
    }
  }

  async function makeRun(record: RunRecord, experiment: string, known: Json | undefined): Promise<Json> {
    if (known !== undefined) {
      if (object(known['info'])['lifecycle_stage'] === 'deleted')
        await rest.post('/runs/restore', { run_id: text(object(known['info'])['run_id']) });
      return known;
    }
    const made = await rest.post('/runs/create', {
      experiment_id: experiment,
      user_id: record.user,
      run_name: record.name,
      start_time: record.startMs,
      tags: [{ key: sourceTag, value: record.id }],
    });
    return object(made['run']);
  }

  async function writeRun({ record, artifactUri }: SourceRun, runId: string, uri: string): Promise<void> {
    for (let at = 0; at < record.params.length; at += pairsAtOnce)
      await rest.post('/runs/log-batch', { run_id: runId, params: record.params.slice(at, at + pairsAtOnce) });
    const { tags } = record;
    for (let at = 0; at < tags.length; at += pairsAtOnce)
      await rest.post('/runs/log-batch', { run_id: runId, tags: tags.slice(at, at + pairsAtOnce) });
    if (record.datasets.length > 0)
      await rest.post('/runs/log-inputs', {
        run_id: runId,
        datasets: record.datasets.map(({ tags: own, sourceType, ...dataset }) => ({
          tags: own,
          dataset: { ...dataset, source_type: sourceType },
        })),
      });
    await sendFiles(artifactUri, uri, `run ${record.id}`);
  }

  async function sendHistories(runs: readonly SourceRun[]): Promise<void> {
    for await (const history of source.histories(runs)) {
      const runId = there.get(history.runId)?.id ?? '';
      for (let at = 0; at < history.values.length; at += metricsAtOnce)
        await rest.post('/runs/log-batch', { run_id: runId, metrics: toMetrics(history, at) });
      progress.points += history.values.length;
      step();
    }
  }

  async function sendFiles(from: string, to: string, owner: string): Promise<void> {
    const found = await source.artifacts(from);
    if (!('files' in found)) {
      left.push(`files of ${owner}, which stay at ${found.keptAt}`);
      return;
    }
    if (!to.startsWith(proxied)) {
      for await (const { path } of found.files) {
        left.push(
          `files of ${owner} (${path} and others): the server keeps files at ${to}, not behind itself; start it with --serve-artifacts`,
        );
        return;
      }
      return;
    }
    const root = to.replace(/^mlflow-artifacts:(?:\/\/[^/]+)?\/*/, '');
    const files = [];
    for await (const file of found.files) files.push(file);
    await inParallel(files, uploadsAtOnce, async (file) => {
      await rest.upload(`${root}/${file.path}`, await file.open(), file.sizeBytes);
      progress.files += 1;
      progress.fileBytes += file.sizeBytes;
      progress.sentBytes += file.sizeBytes;
      step();
    });
  }

  async function exportRuns(
    page: readonly SourceRun[],
    experiment: string,
    known: ReadonlyMap<string, Json>,
  ): Promise<void> {
    const open: SourceRun[] = [];
    for (const run of page) {
      const { record } = run;
      const made = await makeRun(record, experiment, known.get(record.id));
      const info = object(made['info']);
      const runId = text(info['run_id']);
      there.set(record.id, { id: runId, uri: text(info['artifact_uri']) });
      const isDone = list(object(made['data'])['tags']).some((tag) => tag['key'] === doneTag);
      if (isDone) progress.passedBy += 1;
      if (isDone && record.lifecycle === 'deleted') await rest.post('/runs/delete', { run_id: runId });
      if (!isDone) open.push(run);
    }
    await sendHistories(open);
    for (const run of open) {
      const { id: runId, uri } = there.get(run.record.id) ?? { id: '', uri: '' };
      await writeRun(run, runId, uri);
    }
    progress.runs += page.length - open.length;
    pending.push(...open.map(({ record }) => record));
    step();
  }

  /** Runs that wait for their logged models to be there before they are ended. */
  const pending: RunRecord[] = [];

  async function endRuns(): Promise<void> {
    for (const record of pending.splice(0)) {
      const runId = there.get(record.id)?.id ?? '';
      const outputs = record.modelOutputs.flatMap(({ modelId, step: at }) => {
        const model = there.get(modelId);
        return model === undefined ? [] : [{ model_id: model.id, step: at }];
      });
      if (outputs.length > 0) await rest.post('/runs/outputs', { run_id: runId, models: outputs });
      const inputs = record.modelInputs.flatMap((id) => there.get(id)?.id ?? []);
      if (inputs.length > 0)
        await rest.post('/runs/log-inputs', { run_id: runId, models: inputs.map((id) => ({ model_id: id })) });
      const parent = there.get(record.tags.find(({ key }) => key === parentTag)?.value ?? '');
      if (parent !== undefined) await rest.post('/runs/set-tag', { run_id: runId, key: parentTag, value: parent.id });
      await rest.post('/runs/update', {
        run_id: runId,
        status: record.status,
        ...(record.endMs !== undefined && { end_time: record.endMs }),
      });
      await rest.post('/runs/set-tag', { run_id: runId, key: doneTag, value: 'true' });
      if (record.lifecycle === 'deleted') await rest.post('/runs/delete', { run_id: runId });
      progress.runs += 1;
      step();
    }
  }

  async function exportModel(
    { record, artifactUri }: SourceModel,
    experiment: string,
    known: ReadonlyMap<string, Json>,
  ): Promise<void> {
    const before = known.get(record.id);
    const info = object(
      before ??
        object(
          (
            await rest.tryPost(
              '/logged-models',
              toNewModel(record, experiment, there.get(record.sourceRunId ?? '')?.id),
            )
          )?.['model'],
        )['info'],
    );
    const id = text(info['model_id']);
    if (id === '') {
      left.push(`logged model ${record.id}: the server is older than logged models`);
      return;
    }
    const uri = text(info['artifact_uri']);
    there.set(record.id, { id, uri });
    progress.loggedModels += 1;
    if (before !== undefined && info['status'] !== 'LOGGED_MODEL_PENDING') return;
    await sendFiles(artifactUri, uri, `logged model ${record.id}`);
    if (record.status !== 'LOGGED_MODEL_PENDING')
      await rest.post(`/logged-models/${id}`, { model_id: id, status: record.status }, 'PATCH');
    step();
  }

  async function knownModels(experiment: string): Promise<ReadonlyMap<string, Json>> {
    const known = new Map<string, Json>();
    for (let token = ''; ; ) {
      const body = { experiment_ids: [experiment], max_results: 50, ...(token !== '' && { page_token: token }) };
      const page = await rest.tryPost('/logged-models/search', body);
      for (const model of list(page?.['models'])) {
        const info = object(model['info']);
        const former = list(info['tags']).find((tag) => tag['key'] === sourceTag);
        if (former !== undefined) known.set(text(former['value']), info);
      }
      token = text(page?.['next_page_token']);
      if (token === '') return known;
    }
  }

  async function exportRegistered(model: ModelRecord): Promise<void> {
    try {
      await rest.post('/registered-models/create', {
        name: model.name,
        tags: model.tags,
        description: model.description,
      });
    } catch (error) {
      if (!isMlflowError(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
    }
    const given = new Map<number, string>();
    for await (const version of existingVersions(model.name)) {
      const former = list(version['tags']).find((tag) => tag['key'] === sourceTag);
      if (former !== undefined) given.set(Number(text(former['value'])), text(version['version']));
    }
    for (const version of model.versions.toSorted((a, b) => a.version - b.version)) {
      if (given.has(version.version)) continue;
      const place = ownerOfUri(version.storageLocation);
      const target = place === undefined ? undefined : there.get(place.id);
      const from = target === undefined || place === undefined ? version.source : indirect(target.id, place.path);
      const run = version.trackingRunId === undefined ? undefined : there.get(version.trackingRunId)?.id;
      const made = await createVersion(model.name, version.version, {
        name: model.name,
        source: from,
        ...(run !== undefined && { run_id: run }),
        description: version.description,
        tags: [...version.tags, { key: sourceTag, value: String(version.version) }],
      });
      if (made === undefined) continue;
      const number = text(object(made['model_version'])['version']);
      given.set(version.version, number);
      if (number !== String(version.version))
        left.push(`the number of version ${version.version} of model "${model.name}", which is ${number} there`);
      if (version.stage !== 'None')
        await rest.post('/model-versions/transition-stage', {
          name: model.name,
          version: number,
          stage: version.stage,
          archive_existing_versions: false,
        });
    }
    for (const { alias, version } of model.aliases) {
      const number = given.get(version);
      if (number !== undefined)
        await rest.post('/registered-models/alias', { name: model.name, alias, version: number });
    }
    progress.models += 1;
    step();
  }

  /** A source that the server does not take (a path of another machine) is told, and the rest goes on. */
  async function createVersion(model: string, version: number, body: Json): Promise<Json | undefined> {
    try {
      return await rest.post('/model-versions/create', body);
    } catch (error) {
      if (!isMlflowError(error, 'INVALID_PARAMETER_VALUE')) throw error;
      left.push(`version ${version} of model "${model}": ${(error as Error).message}`);
      return undefined;
    }
  }

  async function* existingVersions(name: string): AsyncGenerator<Json> {
    for (const kind of ['', " AND tags.`mlflow.prompt.is_prompt` = 'true'"]) {
      const quote = name.includes("'") ? '"' : "'";
      const page = await rest.get('/model-versions/search', {
        filter: `name=${quote}${name}${quote}${kind}`,
        max_results: 10_000,
      });
      yield* list(page['model_versions']);
    }
  }

  const experiments = await chosenExperiments(source, options.experiments);
  progress.experimentsInAll = experiments.length;
  const deleted: string[] = [];
  for (const experiment of experiments) {
    const id = await experimentId(experiment);
    const runs = await knownRuns(id);
    const models = await knownModels(id);
    for await (const page of source.runs(experiment.record.id)) await exportRuns(page, id, runs);
    for await (const page of source.loggedModels(experiment.record.id))
      for (const model of page) await exportModel(model, id, models);
    await endRuns();
    const newIdOf = (former: string) => there.get(former)?.id;
    await sendTraces(source, rest, { from: experiment.record.id, to: id }, { progress, left, step, newIdOf });
    if (experiment.record.lifecycle === 'deleted') deleted.push(id);
    progress.experiments += 1;
    step();
  }
  for await (const model of source.models()) await exportRegistered(model);
  for (const id of deleted) await rest.post('/experiments/delete', { experiment_id: id });
  return { to: rest.label, progress, left };
}

const toMetrics = ({ key, atMs, steps, values }: HistoryRecord, from: number) =>
  values.slice(from, from + metricsAtOnce).map((value, index) => ({
    key,
    value,
    timestamp: atMs[from + index],
    step: steps[from + index],
  }));

const toNewModel = (record: LoggedModelRecord, experiment: string, runId: string | undefined) => ({
  experiment_id: experiment,
  name: record.name,
  model_type: record.type,
  ...(runId !== undefined && { source_run_id: runId }),
  params: record.params,
  // the registry of the server writes this one itself
  tags: [...record.tags.filter(({ key }) => key !== 'mlflow.modelVersions'), { key: sourceTag, value: record.id }],
});

/** `models:/m-…` and `runs:/…`: servers refuse the plain address of a folder. */
const indirect = (id: string, path: string): string =>
  `${id.startsWith('m-') ? 'models' : 'runs'}:/${id}${path === '' ? '' : `/${path}`}`;
