import type { HistoryRecord, RunRecord } from '#contracts/transfer';
import { doneTag, type ServerTarget, sourceTag, withoutOwnTags } from './export-server-target.ts';
import { type Json, list, object, text, toPairs, valueOf } from './json.ts';
import { pagesOf } from './mlflow-pages.ts';
import { printOf, type SourceRun } from './source.ts';

const parentTag = 'mlflow.parentRunId';
const metricsAtOnce = 1000;
const pairsAtOnce = 100;

/** A run of which everything is there but what names other things, and its end. */
export interface OpenRun {
  readonly record: RunRecord;
  /** A digest of what it is here; the mark of a run that has ended. */
  readonly print: string;
  /** Logged models that it is told to have put out already; a server refuses to hear of one twice. */
  readonly outputs: ReadonlySet<string>;
}

/** Writes runs with points and files; they are open until `endRuns`, when their logged models are there too. */
export async function exportRuns(target: ServerTarget, from: string, to: string): Promise<readonly OpenRun[]> {
  const { source, progress, places, step } = target;
  const known = await knownRuns(target, to);
  const all: OpenRun[] = [];
  for await (const page of source.runs(from)) {
    const open: SourceRun[] = [];
    for (const run of page) {
      const { record, hint } = run;
      const print = printOf(record, hint);
      const there = known.get(record.id) ?? (await makeRun(target, record, to));
      const info = object(there['info']);
      places.set(record.id, { id: text(info['run_id']), uri: text(info['artifact_uri']) });
      if (markOf(there) === print) {
        progress.passedBy += 1;
        progress.runs += 1;
      } else {
        await makeWritable(target, info);
        open.push(run);
        all.push({ record, print, outputs: outputsOf(there) });
      }
    }
    await sendHistories(target, open);
    for (const run of open) await writeRun(target, run);
    step();
  }
  return all;
}

const outputsOf = (run: Json): ReadonlySet<string> =>
  new Set(list(object(run['outputs'])['model_outputs']).map((output) => text(output['model_id'])));

/** Runs of an experiment that came before, by their former id. */
async function knownRuns({ rest }: ServerTarget, experimentId: string): Promise<ReadonlyMap<string, Json>> {
  const known = new Map<string, Json>();
  const query = { experiment_ids: [experimentId], run_view_type: 'ALL', max_results: 1000 };
  for await (const page of pagesOf(rest, '/runs/search', 'runs', query))
    for (const run of page) {
      const former = valueOf(toPairs(object(run['data'])['tags']), sourceTag);
      if (former !== undefined) known.set(former, run);
    }
  return known;
}

async function makeRun({ rest }: ServerTarget, record: RunRecord, experimentId: string): Promise<Json> {
  const made = await rest.post('/runs/create', {
    experiment_id: experimentId,
    user_id: record.user,
    run_name: record.name,
    start_time: record.startMs,
    tags: [{ key: sourceTag, value: record.id }],
  });
  return object(made['run']);
}

/** The print of the run that was wholly written there, if one was. */
const markOf = (run: Json): string | undefined => valueOf(toPairs(object(run['data'])['tags']), doneTag);

async function makeWritable({ rest }: ServerTarget, info: Json): Promise<void> {
  if (info['lifecycle_stage'] === 'deleted') await rest.post('/runs/restore', { run_id: text(info['run_id']) });
}

async function sendHistories(target: ServerTarget, runs: readonly SourceRun[]): Promise<void> {
  const { source, rest, progress, places, step } = target;
  for await (const history of source.histories(runs)) {
    const runId = places.get(history.runId)?.id ?? '';
    for (let at = 0; at < history.values.length; at += metricsAtOnce)
      await rest.post('/runs/log-batch', { run_id: runId, metrics: toMetrics(history, at) });
    progress.points += history.values.length;
    step();
  }
}

const toMetrics = ({ key, atMs, steps, values }: HistoryRecord, from: number) =>
  values.slice(from, from + metricsAtOnce).map((value, index) => ({
    key,
    value,
    timestamp: atMs[from + index],
    step: steps[from + index],
  }));

async function writeRun(target: ServerTarget, { record, artifactUri }: SourceRun): Promise<void> {
  const { rest, places } = target;
  const { id: runId, uri } = places.get(record.id) ?? { id: '', uri: '' };
  const { params, datasets } = record;
  const tags = withoutOwnTags(record.tags);
  for (let at = 0; at < params.length; at += pairsAtOnce)
    await rest.post('/runs/log-batch', { run_id: runId, params: params.slice(at, at + pairsAtOnce) });
  for (let at = 0; at < tags.length; at += pairsAtOnce)
    await rest.post('/runs/log-batch', { run_id: runId, tags: tags.slice(at, at + pairsAtOnce) });
  if (datasets.length > 0)
    await rest.post('/runs/log-inputs', {
      run_id: runId,
      datasets: datasets.map(({ tags: own, sourceType, ...dataset }) => ({
        tags: own,
        dataset: { ...dataset, source_type: sourceType },
      })),
    });
  await target.sendFiles(artifactUri, uri, { noun: 'run', id: record.id });
}

/** Logged models that a run has read and that are not there (yet): of an experiment that comes later, or of none that comes. */
export const missingInputs = ({ places }: ServerTarget, { modelInputs }: RunRecord): readonly string[] =>
  modelInputs.filter((id) => !places.has(id));

/**
 * Says what each run has read and put out, whose child it is, and how it ended. The mark comes last. A run that goes on, or
 * of which an input is missing, gets none: the next export completes it.
 */
export async function endRuns(target: ServerTarget, runs: readonly OpenRun[]): Promise<void> {
  const { rest, left, progress, step } = target;
  for (const run of runs) {
    const { record, print } = run;
    const runId = target.places.get(record.id)?.id ?? '';
    await linkRun(target, run, runId);
    await rest.post('/runs/update', {
      run_id: runId,
      status: record.status,
      ...(record.endMs !== undefined && { end_time: record.endMs }),
    });
    const missing = missingInputs(target, record);
    for (const id of missing)
      left.push(`logged model ${id} as an input of run ${record.id}: the model is not there (yet)`);
    if (missing.length === 0 && isAtRest(record))
      await rest.post('/runs/set-tag', { run_id: runId, key: doneTag, value: print });
    if (record.lifecycle === 'deleted') await rest.post('/runs/delete', { run_id: runId });
    progress.runs += 1;
    step();
  }
}

/** Nothing is logged to a deleted run, whatever its state; restored, it has another print. */
const isAtRest = ({ status, lifecycle }: RunRecord): boolean =>
  lifecycle === 'deleted' || (status !== 'RUNNING' && status !== 'SCHEDULED');

async function linkRun(
  { rest, places }: ServerTarget,
  { record, outputs: told }: OpenRun,
  runId: string,
): Promise<void> {
  const newIdOf = (former: string) => places.get(former)?.id;
  const outputs = record.modelOutputs
    .map(({ modelId, step: at }) => ({ model_id: newIdOf(modelId) ?? '', step: at }))
    .filter(({ model_id }) => model_id !== '' && !told.has(model_id));
  if (outputs.length > 0) await rest.post('/runs/outputs', { run_id: runId, models: outputs });
  const inputs = record.modelInputs.flatMap((id) => newIdOf(id) ?? []);
  if (inputs.length > 0)
    await rest.post('/runs/log-inputs', { run_id: runId, models: inputs.map((id) => ({ model_id: id })) });
  const parent = newIdOf(valueOf(record.tags, parentTag) ?? '');
  if (parent !== undefined) await rest.post('/runs/set-tag', { run_id: runId, key: parentTag, value: parent });
}
