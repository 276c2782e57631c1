import { createHash } from 'node:crypto';
import { appendFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRecord } from '#contracts/transfer';
import { type FolderTarget, toPython, writeMeta } from './export-folder-target.ts';
import { requireId, type SourceRun } from './source.ts';

const runStatuses = { RUNNING: 1, SCHEDULED: 2, FINISHED: 3, FAILED: 4, KILLED: 5 } as const;

/** Writes a page of runs. A meta.yaml comes last: a folder without one is no run to MLflow, and is written again. */
export async function writeRuns(target: FolderTarget, page: readonly SourceRun[], base: string): Promise<void> {
  const { places, progress, step } = target;
  for (const { record } of page) {
    const own = join(base, requireId('run', record.id));
    places.set(record.id, own);
    await rm(join(own, 'meta.yaml'), { force: true });
    for (const name of ['metrics', 'artifacts']) await mkdir(join(own, name), { recursive: true });
    await target.writePairs(join(own, 'params'), record.params, `run ${record.id}`);
    await target.writePairs(join(own, 'tags'), record.tags, `run ${record.id}`);
    await writeInputs(own, base, record);
  }
  await writeHistories(target, page);
  for (const { record, artifactUri } of page) {
    const own = join(base, record.id);
    const uri = await target.writeFiles(artifactUri, record.id, join(own, 'artifacts'));
    await writeMeta(own, toRunMeta(record, uri));
    progress.runs += 1;
    step();
  }
}

async function writeHistories(target: FolderTarget, runs: readonly SourceRun[]): Promise<void> {
  const { source, places, progress, step } = target;
  const begun = new Set<string>();
  for await (const { runId, key, atMs, steps, values } of source.histories(runs)) {
    const metrics = join(places.get(runId) ?? '', 'metrics');
    const lines = values.map((value, index) => `${atMs[index]} ${toPython(value)} ${steps[index]}\n`).join('');
    const id = `${runId} ${key}`;
    if (!begun.has(id)) await target.writeKey(metrics, key, lines, `run ${runId}`);
    else await appendFile(join(metrics, key), lines);
    begun.add(id);
    progress.points += values.length;
    step();
  }
}

/**
 * What a run has read and put out, in the words of the file store (those of MLflow's database differ) and in folders of the
 * names that MLflow gives them: what its client logs again there stays one.
 */
async function writeInputs(own: string, base: string, record: RunRecord): Promise<void> {
  // those of a former export
  for (const name of ['inputs', 'outputs']) await rm(join(own, name), { recursive: true, force: true });
  const toInput = (kind: 'DATASET' | 'MODEL', id: string, tags: RunRecord['tags'] = []) =>
    writeMeta(join(own, 'inputs', md5Of(id, record.id)), {
      source_type: kind,
      source_id: id,
      destination_type: 'RUN',
      destination_id: record.id,
      tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    });
  for (const { tags, sourceType, ...dataset } of record.datasets) {
    const id = md5Of(dataset.name, dataset.digest);
    await writeMeta(join(base, 'datasets', id), { ...dataset, source_type: sourceType });
    await toInput('DATASET', id, tags);
  }
  for (const id of record.modelInputs) await toInput('MODEL', requireId('logged model', id));
  for (const { modelId, step: at } of record.modelOutputs)
    await writeMeta(join(own, 'outputs', requireId('logged model', modelId)), {
      source_type: 'RUN_OUTPUT',
      source_id: record.id,
      destination_type: 'MODEL_OUTPUT',
      destination_id: modelId,
      step: at,
      tags: {},
    });
}

const md5Of = (first: string, second: string): string => createHash('md5').update(first).update(second).digest('hex');

const toRunMeta = (record: RunRecord, artifactUri: string) => ({
  artifact_uri: artifactUri,
  deleted_time: record.deletedMs ?? null,
  end_time: record.endMs ?? null,
  entry_point_name: '',
  experiment_id: record.experimentId,
  lifecycle_stage: record.lifecycle,
  run_id: record.id,
  run_name: record.name,
  run_uuid: record.id,
  source_name: '',
  source_type: 4, // LOCAL
  source_version: '',
  start_time: record.startMs,
  status: runStatuses[record.status],
  tags: [],
  user_id: record.user,
});
