import type { LoggedModelRecord } from '#contracts/transfer';
import { type ServerTarget, sourceTag, withoutOwnTags } from './export-server-target.ts';
import { type Json, object, text, toPairs, valueOf } from './json.ts';
import { pagesOf } from './mlflow-pages.ts';
import { isMlflowError } from './mlflow-rest.ts';
import type { SourceModel } from './source.ts';

const metricsAtOnce = 1000;
const pending = 'LOGGED_MODEL_PENDING';

/** Writes the logged models of an experiment, with metrics and files. */
export async function exportLoggedModels(target: ServerTarget, from: string, to: string): Promise<void> {
  const { source, rest, left, places, progress, step } = target;
  const known = await knownModels(target, to);
  for await (const page of source.loggedModels(from))
    for (const model of page) {
      const { record } = model;
      const before = known.get(record.id);
      const info = before ?? (await makeModel(target, record, to));
      if (info === undefined) {
        left.push(`logged model ${record.id}: the server is older than logged models`);
        continue;
      }
      const id = text(info['model_id']);
      const uri = text(info['artifact_uri']);
      places.set(record.id, { id, uri });
      // its state is told last: one that has one is wholly there
      if (before === undefined || before['status'] === pending) await writeModel(target, model, id, uri);
      if (record.status !== pending && info['status'] !== record.status)
        await rest.post(`/logged-models/${id}`, { model_id: id, status: record.status }, 'PATCH');
      progress.loggedModels += 1;
      step();
    }
}

async function knownModels({ rest }: ServerTarget, experimentId: string): Promise<ReadonlyMap<string, Json>> {
  const known = new Map<string, Json>();
  const query = { experiment_ids: [experimentId], max_results: 50 };
  for await (const page of pagesOf(rest, '/logged-models/search', 'models', query))
    for (const model of page) {
      const info = object(model['info']);
      const former = valueOf(toPairs(info['tags']), sourceTag);
      if (former !== undefined) known.set(former, info);
    }
  return known;
}

async function makeModel(
  { rest, places }: ServerTarget,
  record: LoggedModelRecord,
  experimentId: string,
): Promise<Json | undefined> {
  const runId = places.get(record.sourceRunId ?? '')?.id;
  const made = await rest.tryPost('/logged-models', {
    experiment_id: experimentId,
    name: record.name,
    model_type: record.type,
    ...(runId !== undefined && { source_run_id: runId }),
    params: record.params,
    // the registry of the server writes this one itself
    tags: [
      ...withoutOwnTags(record.tags).filter(({ key }) => key !== 'mlflow.modelVersions'),
      { key: sourceTag, value: record.id },
    ],
  });
  return made && object(object(made['model'])['info']);
}

async function writeModel(
  target: ServerTarget,
  { record, artifactUri }: SourceModel,
  id: string,
  uri: string,
): Promise<void> {
  for (const runId of new Set(record.metrics.map((metric) => metric.runId)))
    await sendMetrics(target, record, runId, id);
  await target.sendFiles(artifactUri, uri, { noun: 'logged model', id: record.id });
}

/** A metric of a logged model is one of the run that measured it; there it stays one. */
async function sendMetrics(
  { rest, left, places }: ServerTarget,
  record: LoggedModelRecord,
  runId: string,
  modelId: string,
): Promise<void> {
  const run = places.get(runId)?.id;
  const metrics = record.metrics
    .filter((metric) => metric.runId === runId)
    .map(({ key, atMs, step, value, datasetName, datasetDigest }) => ({
      key,
      value,
      timestamp: atMs,
      step,
      model_id: modelId,
      ...(datasetName !== '' && { dataset_name: datasetName, dataset_digest: datasetDigest }),
    }));
  const notSent = `${metrics.length} metrics of logged model ${record.id}, which run ${runId} measured`;
  if (run === undefined) {
    left.push(`${notSent}: the run is not there`);
    return;
  }
  try {
    for (let at = 0; at < metrics.length; at += metricsAtOnce)
      await rest.post('/runs/log-batch', { run_id: run, metrics: metrics.slice(at, at + metricsAtOnce) });
  } catch (error) {
    // a run of another experiment may be deleted there by now
    if (!isMlflowError(error, 'INVALID_PARAMETER_VALUE')) throw error;
    left.push(`${notSent}: ${(error as Error).message}`);
  }
}
