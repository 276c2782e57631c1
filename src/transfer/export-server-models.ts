import type { LoggedModelRecord } from '#contracts/transfer';
import { type ServerTarget, sourceTag, withoutOwnTags } from './export-server-target.ts';
import { type Json, list, object, text, toPairs, valueOf } from './json.ts';
import { pagesOf } from './mlflow-pages.ts';
import { isMlflowError } from './mlflow-rest.ts';

const metricsAtOnce = 1000;
const pending = 'LOGGED_MODEL_PENDING';

/** A logged model that is there, and metrics of it that are not. */
export interface OpenModel {
  readonly record: LoggedModelRecord;
  readonly id: string;
  readonly metrics: LoggedModelRecord['metrics'];
}

/** Writes the logged models of an experiment, with metrics and files; returns those that a run of a later one may have measured. */
export async function exportLoggedModels(
  target: ServerTarget,
  from: string,
  to: string,
): Promise<readonly OpenModel[]> {
  const { source, rest, left, places, progress, step } = target;
  const known = await knownModels(target, to);
  const waiting: OpenModel[] = [];
  for await (const page of source.loggedModels(from))
    for (const { record, artifactUri } of page) {
      const before = known.get(record.id);
      const info = before === undefined ? await makeModel(target, record, to) : object(before['info']);
      if (info === undefined) {
        left.push(`logged model ${record.id}: the server is older than logged models`);
        continue;
      }
      const id = text(info['model_id']);
      const uri = text(info['artifact_uri']);
      places.set(record.id, { id, uri });
      const metrics = metricsNotIn(target, record, before);
      const late = metrics.filter(({ runId }) => !places.has(runId));
      if (late.length > 0) waiting.push({ record, id, metrics: late });
      await sendMetrics(target, { record, id, metrics: metrics.filter(({ runId }) => places.has(runId)) });
      // its state is told last: one that has one is wholly there, but for what is measured later
      if (before === undefined || info['status'] === pending)
        await target.sendFiles(artifactUri, uri, { noun: 'logged model', id: record.id });
      if (record.status !== pending && info['status'] !== record.status)
        await rest.post(`/logged-models/${id}`, { model_id: id, status: record.status }, 'PATCH');
      progress.loggedModels += 1;
      step();
    }
  return waiting;
}

async function knownModels({ rest }: ServerTarget, experimentId: string): Promise<ReadonlyMap<string, Json>> {
  const known = new Map<string, Json>();
  const query = { experiment_ids: [experimentId], max_results: 50 };
  for await (const page of pagesOf(rest, '/logged-models/search', 'models', query))
    for (const model of page) {
      const former = valueOf(toPairs(object(model['info'])['tags']), sourceTag);
      if (former !== undefined) known.set(former, model);
    }
  return known;
}

const pointName = (...parts: readonly unknown[]): string => JSON.stringify(parts.map(text));

/** A server may tell the latest points of a metric only; a record has no others. */
function metricsNotIn({ places }: ServerTarget, record: LoggedModelRecord, there: Json | undefined) {
  const told = new Set(
    list(object(there?.['data'])['metrics']).map(({ run_id, key, timestamp, step }) =>
      pointName(run_id, key, timestamp, step),
    ),
  );
  return record.metrics.filter(
    ({ runId, key, atMs, step }) => !told.has(pointName(places.get(runId)?.id, key, atMs, step)),
  );
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

/** A metric of a logged model is one of the run that measured it; there it stays one. */
export async function sendMetrics(target: ServerTarget, { record, id, metrics }: OpenModel): Promise<void> {
  const { rest, left, places } = target;
  for (const runId of new Set(metrics.map((metric) => metric.runId))) {
    const own = metrics.filter((metric) => metric.runId === runId);
    const run = places.get(runId)?.id;
    const notSent = `${own.length} metrics of logged model ${record.id}, which run ${runId} measured`;
    if (run === undefined) {
      left.push(`${notSent}: the run is not there (yet)`);
      continue;
    }
    try {
      for (let at = 0; at < own.length; at += metricsAtOnce)
        await rest.post('/runs/log-batch', {
          run_id: run,
          metrics: own.slice(at, at + metricsAtOnce).map((metric) => toMetric(metric, id)),
        });
    } catch (error) {
      // a run of another experiment may be deleted there by now
      if (!isMlflowError(error, 'INVALID_PARAMETER_VALUE')) throw error;
      left.push(`${notSent}: ${(error as Error).message}`);
    }
  }
}

const toMetric = (metric: LoggedModelRecord['metrics'][number], modelId: string) => ({
  key: metric.key,
  value: metric.value,
  timestamp: metric.atMs,
  step: metric.step,
  model_id: modelId,
  ...(metric.datasetName !== '' && { dataset_name: metric.datasetName, dataset_digest: metric.datasetDigest }),
});
