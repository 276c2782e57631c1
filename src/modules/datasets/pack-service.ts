import { type Job, workerWork } from '#modules/jobs';
import type { Unit } from '#platform/database';
import type { DatasetsDeps } from './datasets-deps.ts';
import { findDataset, listParts } from './datasets-store.ts';
import { stretchesToPack } from './pack-rules.ts';
import { insertPack, listPacks } from './packs-store.ts';

interface PackData {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Packs the small parts of a dataset that have gathered, behind the back of readers: rows and their order stay the same. */
export async function submitPacks(unit: Unit, deps: DatasetsDeps, project: string, name: string): Promise<void> {
  const dataset = await findDataset(unit, project, name);
  const parts = await listParts(unit, project, name, dataset?.currentVersion ?? 0);
  for (const { from, to } of stretchesToPack(parts, await listPacks(unit, project, name)))
    await deps.jobs.submit(unit, {
      project,
      owner: `dataset:${name}`,
      tag: 'datasets.pack',
      data: { name, from, to },
      work: workerWork('compact', {
        inputs: parts.slice(from, to).map(({ sha256 }) => `blob:${sha256}`),
        orderBy: [],
        outputPath: 'out:pack',
      }),
    });
}

export async function packFinished(unit: Unit, deps: DatasetsDeps, job: Job): Promise<void> {
  const file = job.result?.files['pack'];
  if (file === undefined) return; // it failed: readers go on with the parts
  const { name, from, to } = job.data as unknown as PackData;
  await insertPack(unit, job.project, name, { from, to, sha256: file.sha256, sizeBytes: file.sizeBytes });
  await deps.artifacts.retain(unit, {
    project: job.project,
    sha256: file.sha256,
    sizeBytes: file.sizeBytes,
    owner: `dataset:${name}`,
  });
}
