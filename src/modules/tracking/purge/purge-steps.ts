import type { Unit } from '#platform/database';
import { deleteMark } from '../import-store.ts';
import type { TrackingDeps } from '../tracking-deps.ts';
import {
  deleteDatasets,
  deleteFiles,
  deleteFolders,
  deleteFoldersBelow,
  deleteModel,
  deletePoints,
  type FilesOf,
  listStillHeld,
  modelPoints,
  runPoints,
} from './purge-rows-store.ts';
import {
  addCounts,
  countRemoved,
  deleteItem,
  endPurge,
  findItem,
  findPurge,
  nothing,
  type Purge,
  type PurgeCount,
  type PurgeItem,
} from './purge-store.ts';
import { takeDeleted, takeExperiment, takeFrom, takeModels, takeRuns, unitMs } from './purge-take.ts';

/*
 * A purge is a row and the items that it has taken. Each step does one bounded thing:
 *
 *   take     runs: their rows go, with params, tags and latest points, so that nobody finds them any more;
 *            logged models: they are marked as deleted, for good; experiments: they leave their project (below)
 *   empty    an item's points, then its files, then its folders, so many at a time; then the item itself
 *   end      nothing is left to take
 *
 * Steps are put together into units of some milliseconds, so that other writes hardly wait. All of it is in the database:
 * a process that dies goes on where it was.
 *
 * An experiment that is purged leaves its project at once: its row moves to `<project>:purged` under its number, a name that
 * no project has. So its name is free, no query of the project finds it, and its number is never given again.
 */

const pointsAtOnce = 2000;
const filesAtOnce = 200;
const datasetsAtOnce = 20;

async function end(unit: Unit, purge: Purge, removed: PurgeCount): Promise<void> {
  if (!(await endPurge(unit, purge.purgeId))) return;
  await unit.emit({
    type: 'purge.finished',
    project: purge.project,
    subject: purge.target,
    data: { purgeId: purge.purgeId, ...removed },
  });
}

export interface PurgeSteps {
  /** Takes one thing that was named, in the unit that asks for it. */
  take(unit: Unit, purge: Purge, item: PurgeItem): Promise<void>;
  /** Does as much as fits into a unit; true when the purge has ended. */
  advance(unit: Unit, purge: Pick<Purge, 'project' | 'purgeId'>): Promise<boolean>;
}

export function createPurgeSteps({ artifacts }: Pick<TrackingDeps, 'artifacts'>): PurgeSteps {
  async function removeFiles(unit: Unit, project: string, of: FilesOf): Promise<PurgeCount | undefined> {
    const files = await deleteFiles(unit, project, of, filesAtOnce);
    if (files.length === 0) return undefined;
    const byOwner = new Map<string, Set<string>>();
    for (const { owner, sha256 } of files) byOwner.set(owner, (byOwner.get(owner) ?? new Set()).add(sha256));
    for (const [owner, gone] of byOwner) {
      const digests = [...gone];
      // the same bytes may lie under another path of the owner, which is not removed yet
      const held = await listStillHeld(unit, project, owner, digests);
      await artifacts.releaseAll(
        unit,
        { project, owner },
        digests.filter((digest) => !held.has(digest)),
      );
    }
    return { ...nothing, files: files.length, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) };
  }

  /** One step of emptying a run or a logged model; what went, and nothing when the item is gone. */
  async function emptyOne(unit: Unit, purge: Purge, item: PurgeItem): Promise<PurgeCount> {
    const { project, purgeId } = purge;
    const points = item.kind === 'tracking-run' ? runPoints : modelPoints;
    const gone = await deletePoints(unit, points, item.id, pointsAtOnce);
    if (gone > 0) return { ...nothing, points: gone };
    const files = await removeFiles(unit, project, { owner: item.ref });
    if (files !== undefined) return files;
    if ((await deleteFolders(unit, { project, owner: item.ref, id: item.id }, filesAtOnce)) > 0) return nothing;
    if (item.kind === 'logged-model') await deleteModel(unit, item.id);
    await deleteMark(unit, project, item.id); // what comes in again is not wholly here until the importer says so
    await deleteItem(unit, purgeId, item);
    return nothing;
  }

  async function emptyExperiment(unit: Unit, purge: Purge, item: PurgeItem, key: number): Promise<PurgeCount> {
    const { project, purgeId } = purge;
    const taken = await takeFrom(unit, purge, { experimentKey: key });
    if (taken !== undefined) return taken;
    if ((await deleteDatasets(unit, key, datasetsAtOnce)) > 0) return nothing;
    const files =
      (await removeFiles(unit, project, { owner: item.ref })) ??
      (await removeFiles(unit, project, { folder: item.id }));
    if (files !== undefined) return files;
    if ((await deleteFoldersBelow(unit, project, item.id, filesAtOnce)) > 0) return nothing;
    await deleteItem(unit, purgeId, item);
    return nothing;
  }

  /** One step; undefined when there is nothing left to do. */
  async function step(unit: Unit, purge: Purge): Promise<PurgeCount | undefined> {
    const item = await findItem(unit, purge.purgeId);
    if (item === undefined)
      return purge.deletedBeforeMs === undefined ? undefined : await takeDeleted(unit, purge, purge.deletedBeforeMs);
    return item.experimentKey === undefined
      ? await emptyOne(unit, purge, item)
      : await emptyExperiment(unit, purge, item, item.experimentKey);
  }

  return {
    async take(unit, purge, item) {
      const taken =
        item.kind === 'experiment'
          ? await takeExperiment(unit, purge, item.id, item.experimentKey ?? 0)
          : item.kind === 'tracking-run'
            ? await takeRuns(unit, purge, [item.id])
            : await takeModels(unit, purge, [item.id]);
      await countRemoved(unit, purge.purgeId, taken);
    },

    async advance(unit, { project, purgeId }) {
      const began = performance.now();
      const purge = await findPurge(unit, project, purgeId);
      if (purge?.state !== 'open') return true; // another control plane has ended it
      let removed = nothing;
      for (;;) {
        const did = await step(unit, purge);
        if (did !== undefined) removed = addCounts(removed, did);
        if (did !== undefined && performance.now() - began < unitMs) continue;
        await countRemoved(unit, purge.purgeId, removed);
        if (did === undefined) await end(unit, purge, addCounts(purge.removed, removed));
        return did === undefined;
      }
    },
  };
}
