import { formatReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import { leaveProject } from '../experiment-store.ts';
import {
  deleteRun,
  hideModels,
  listDeletedExperiments,
  listModelsOf,
  listRunsOf,
  type PurgeScope,
} from './purge-rows-store.ts';
import { addCounts, insertItems, nothing, type Purge, type PurgeCount, type PurgeItem } from './purge-store.ts';

/* The first half of a purge (purge-steps.ts): things leave everybody's sight, and become items that are emptied later. */

const takenAtOnce = 50;
/** How long the steps of a unit may take together: what other writers wait for. */
export const unitMs = 8;

export const itemOf = (kind: PurgeItem['kind'], id: string, experimentKey?: number): PurgeItem => ({
  ref: formatReference(kind, id),
  kind,
  id,
  experimentKey,
});

export async function takeRuns(unit: Unit, purge: Purge, runIds: readonly string[]): Promise<PurgeCount> {
  const taken: string[] = [];
  const began = performance.now();
  let points = 0;
  for (const runId of runIds) {
    points += await deleteRun(unit, runId);
    taken.push(runId);
    if (performance.now() - began > unitMs) break; // one with thousands of metrics takes that long
  }
  await insertItems(
    unit,
    purge.purgeId,
    taken.map((runId) => itemOf('tracking-run', runId)),
  );
  await unit.emit({
    type: 'tracking-runs.purged',
    project: purge.project,
    subject: purge.target,
    data: { purgeId: purge.purgeId, runIds: taken },
  });
  return { ...nothing, runs: taken.length, points };
}

export async function takeModels(unit: Unit, purge: Purge, modelIds: readonly string[]): Promise<PurgeCount> {
  await hideModels(unit, modelIds);
  await insertItems(
    unit,
    purge.purgeId,
    modelIds.map((modelId) => itemOf('logged-model', modelId)),
  );
  await unit.emit({
    type: 'logged-models.purged',
    project: purge.project,
    subject: purge.target,
    data: { purgeId: purge.purgeId, modelIds: [...modelIds] },
  });
  return { ...nothing, loggedModels: modelIds.length };
}

export async function takeExperiment(unit: Unit, purge: Purge, id: string, experimentKey: number): Promise<PurgeCount> {
  await leaveProject(unit, experimentKey);
  const item = itemOf('experiment', id, experimentKey);
  await insertItems(unit, purge.purgeId, [item]);
  await unit.emit({
    type: 'experiment.purged',
    project: purge.project,
    subject: item.ref,
    data: { purgeId: purge.purgeId, experimentId: id },
  });
  return { ...nothing, experiments: 1 };
}

/** Takes runs, else models, of a scope; undefined when there is neither. */
export async function takeFrom(unit: Unit, purge: Purge, scope: PurgeScope): Promise<PurgeCount | undefined> {
  const runs = await listRunsOf(unit, scope, takenAtOnce);
  if (runs.length > 0) return await takeRuns(unit, purge, runs);
  const models = await listModelsOf(unit, scope, takenAtOnce);
  return models.length > 0 ? await takeModels(unit, purge, models) : undefined;
}

/** Whatever was deleted in the project; undefined when nothing is left. */
export async function takeDeleted(unit: Unit, purge: Purge, deletedBeforeMs: number): Promise<PurgeCount | undefined> {
  const scope = { project: purge.project, deletedBeforeMs };
  const experiments = await listDeletedExperiments(unit, scope, takenAtOnce);
  if (experiments.length === 0) return await takeFrom(unit, purge, scope);
  let counts = nothing;
  for (const { experimentId, experimentKey } of experiments)
    counts = addCounts(counts, await takeExperiment(unit, purge, String(experimentId), experimentKey));
  return counts;
}
