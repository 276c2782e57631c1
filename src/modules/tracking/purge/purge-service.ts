import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import { findAnyExperimentRow } from '../experiment-service.ts';
import type { LoggedModelService } from '../logged-model-service.ts';
import { findAnyLoggedModel, updateLoggedModel } from '../logged-model-store.ts';
import type { RunService } from '../run-service.ts';
import { findRunRow } from '../run-store.ts';
import { trackingErrors } from '../tracking-errors.ts';
import type { Lifecycle } from '../tracking-tables.ts';
import { countOf, type PurgeTotal } from './purge-count-read-model.ts';
import type { PurgeSteps } from './purge-steps.ts';
import { findPurge, insertPurge, listPurges, type Purge, type PurgeItem } from './purge-store.ts';
import { itemOf } from './purge-take.ts';

/** What is purged: one thing by its id. */
export interface PurgeTarget {
  readonly project: string;
  readonly kind: PurgeItem['kind'];
  readonly id: string;
}

export interface PurgePreview extends PurgeTotal {
  readonly target: string;
  readonly name?: string;
  readonly lifecycle: Lifecycle;
}

export interface PurgeService {
  /** Brings back a logged model that was deleted. */
  restoreLoggedModel(unit: Unit, input: { readonly project: string; readonly modelId: string }): Promise<void>;
  /**
   * Takes one thing out of sight for good; what it owns goes bit by bit afterwards. PURGE_NOT_DELETED unless it was deleted
   * before, or by force.
   */
  purge(unit: Unit, target: PurgeTarget & { readonly force?: boolean }): Promise<Purge>;
  /** The same for everything that was deleted in a project by an instant. */
  purgeDeleted(unit: Unit, input: { readonly project: string; readonly deletedBeforeMs: number }): Promise<Purge>;
  /** What `purge` would remove. */
  previewPurge(reader: Reader, target: PurgeTarget): Promise<PurgePreview>;
  previewPurgeDeleted(
    reader: Reader,
    input: { readonly project: string; readonly deletedBeforeMs: number },
  ): Promise<PurgePreview>;
  purgeById(reader: Reader, project: string, purgeId: string): Promise<Purge | undefined>;
  purges(
    reader: Reader,
    project: string,
    page: { readonly limit: number; readonly beforeId: string | undefined },
  ): Promise<readonly Purge[]>;
}

interface Found {
  readonly item: PurgeItem;
  readonly name: string;
  readonly lifecycle: Lifecycle;
}

async function find(reader: Reader, { project, kind, id }: PurgeTarget): Promise<Found> {
  switch (kind) {
    case 'experiment': {
      const row = await findAnyExperimentRow(reader, project, id);
      if (row === undefined) throw trackingErrors.EXPERIMENT_NOT_FOUND(id);
      const item = itemOf(kind, String(row.experiment_id), row.experiment_key);
      return { item, name: row.name, lifecycle: row.lifecycle };
    }
    case 'tracking-run': {
      const row = await findRunRow(reader, project, id);
      if (row === undefined) throw trackingErrors.TRACKING_RUN_NOT_FOUND(id);
      return { item: itemOf(kind, row.run_id), name: row.name, lifecycle: row.lifecycle };
    }
    case 'logged-model': {
      const row = await findAnyLoggedModel(reader, project, id);
      if (row === undefined) throw trackingErrors.LOGGED_MODEL_NOT_FOUND(id);
      return { item: itemOf(kind, id), name: row.name, lifecycle: row.deleted_ms === null ? 'active' : 'deleted' };
    }
  }
}

export function createPurgeService(
  deps: Pick<RunService, 'deleteRun'> &
    Pick<LoggedModelService, 'deleteLoggedModel'> & {
      readonly steps: Pick<PurgeSteps, 'take'>;
      /** There is something to do; called after the commit. */
      readonly wake: () => void;
    },
): PurgeService {
  const { steps, wake } = deps;

  async function deleteNow(unit: Unit, { project, kind, id }: PurgeTarget): Promise<void> {
    // an experiment leaves its project as it is: its runs, however many, are out of sight with it and are taken bit by bit
    if (kind === 'experiment') return;
    if (kind === 'tracking-run') await deps.deleteRun(unit, { project, runId: id });
    else await deps.deleteLoggedModel(unit, { project, modelId: id });
  }

  async function open(unit: Unit, project: string, target: string, deletedBeforeMs?: number): Promise<Purge> {
    const purge = await insertPurge(unit, { project, target, deletedBeforeMs });
    await unit.emit({
      type: 'purge.requested',
      project,
      subject: target,
      data: {
        purgeId: purge.purgeId,
        ...(deletedBeforeMs !== undefined && { deletedBefore: new Date(deletedBeforeMs).toISOString() }),
      },
    });
    unit.afterCommit(wake);
    return purge;
  }

  return {
    async restoreLoggedModel(unit, { project, modelId }) {
      const found = await findAnyLoggedModel(unit, project, modelId);
      if (found === undefined) throw trackingErrors.LOGGED_MODEL_NOT_FOUND(modelId);
      if (found.deleted_ms === null)
        throw trackingErrors.TRACKING_VALUE_INVALID(
          `The logged model ${modelId} must be in the 'deleted' state. Current state is active.`,
        );
      await updateLoggedModel(unit, modelId, { deleted_ms: null, updated_ms: unit.nowMs });
    },

    async purge(unit, { force = false, ...target }) {
      const { item, lifecycle } = await find(unit, target);
      if (item.kind === 'experiment' && item.id === '0') throw trackingErrors.PURGE_DEFAULT_EXPERIMENT();
      if (lifecycle === 'active') {
        if (!force) throw trackingErrors.PURGE_NOT_DELETED(item.ref);
        await deleteNow(unit, target);
      }
      const purge = await open(unit, target.project, item.ref);
      await steps.take(unit, purge, item);
      return (await findPurge(unit, target.project, purge.purgeId)) ?? purge;
    },

    async purgeDeleted(unit, { project, deletedBeforeMs }) {
      return await open(unit, project, formatReference('project', project), deletedBeforeMs);
    },

    async previewPurge(reader, target) {
      const { item, name, lifecycle } = await find(reader, target);
      return { target: item.ref, name, lifecycle, ...(await countOf(reader, target.project, { item })) };
    },

    async previewPurgeDeleted(reader, { project, deletedBeforeMs }) {
      const total = await countOf(reader, project, { deletedBeforeMs });
      return { target: formatReference('project', project), lifecycle: 'deleted', ...total };
    },

    purgeById: findPurge,
    purges: listPurges,
  };
}
